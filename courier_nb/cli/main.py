"""``courier-nb``: the group of commands, and what an error means to the shell."""

from __future__ import annotations

import signal
import sys
from importlib.metadata import version
from typing import NoReturn

import click

from courier_nb.cli.broker import broker
from courier_nb.cli.captures import compact, drain, publish, verify
from courier_nb.cli.demo import demo
from courier_nb.cli.doctor import doctor
from courier_nb.cli.export import export
from courier_nb.cli.journal import journal
from courier_nb.cli.looking import destinations, peek
from courier_nb.cli.output import emit_error, emit_usage_error, want_json
from courier_nb.cli.replaying import move, replay, replays, undo
from courier_nb.core.errors import (
    BadAnswer,
    CaptureDamaged,
    CaptureError,
    ConfigError,
    ConfirmationNeeded,
    CourierError,
    InvalidArgument,
    ReadOnly,
    Refused,
    TooLarge,
    Unreachable,
)

PARTLY_FAILED = 1
USAGE = 2
NOT_REACHED = 3
INTERRUPTED = 130


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(version("courier_nb"), prog_name="courier-nb")
def cli() -> None:
    """Find out what is stuck in an Anypoint MQ queue, and put it right.

    Connection settings come from options, environment variables (ANYPOINT_MQ_URL, ANYPOINT_CLIENT_ID, ANYPOINT_CLIENT_SECRET,
    ...) or the Anypoint CLI's profile files. Secrets are never taken as options.

    \b
    Exit codes: 0 done; 1 partly failed; 2 usage or settings; 3 cannot reach, or not allowed; 130 interrupted.
    """


for command in (broker, destinations, peek, drain, verify, compact, export, replay, undo, move, replays, publish):
    cli.add_command(command)
for command in (journal, demo, doctor):
    cli.add_command(command)


def main(arguments: list[str] | None = None) -> NoReturn:
    """Run the command line and leave with its exit code."""
    signal.signal(signal.SIGTERM, _interrupt)  # the same orderly end as Ctrl-C: locks returned, parts finished
    try:
        code = cli.main(args=arguments, prog_name="courier-nb", standalone_mode=False)
    except click.ClickException as error:
        if "--json" in (sys.argv[1:] if arguments is None else arguments):
            want_json(True)  # the option itself may not have been reached
        emit_usage_error(error, USAGE)
        code = USAGE
    except (click.Abort, KeyboardInterrupt):
        click.echo("Interrupted. What was acknowledged is on disk; run the same command again to go on.", err=True)
        code = INTERRUPTED
    except CourierError as error:
        code = exit_code(error)
        emit_error(error, code)
    except BrokenPipeError:
        sys.stderr.close()  # the reader of a pipe has gone: nothing to say to it
        code = PARTLY_FAILED
    sys.exit(code or 0)


def exit_code(error: CourierError) -> int:
    """Return what an error means to the shell."""
    match error:
        case CaptureDamaged() | TooLarge():
            return PARTLY_FAILED
        case ConfigError() | InvalidArgument() | CaptureError() | ReadOnly() | ConfirmationNeeded():
            return USAGE
        case Unreachable() | Refused() | BadAnswer():
            return NOT_REACHED
    return PARTLY_FAILED


def _interrupt(*_: object) -> NoReturn:
    raise KeyboardInterrupt
