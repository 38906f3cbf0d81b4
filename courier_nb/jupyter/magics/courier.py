"""The functions behind ``%courier`` and ``%%courier``."""

from __future__ import annotations

import os
import shlex
import sys
from typing import TYPE_CHECKING

import click
from IPython.core.error import UsageError
from IPython.core.magic import output_can_be_silenced

from courier_nb.cli.main import cli
from courier_nb.core.errors import CourierError
from courier_nb.core.printable import plain
from courier_nb.jupyter.magics.clients import Clients
from courier_nb.jupyter.magics.notebook import Notebook
from courier_nb.jupyter.magics.publish import publish
from courier_nb.jupyter.magics.sql import sql

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

REFUSED = {
    "broker": "it would serve until the kernel ends. courier_nb.connect('local') has a broker in this process; "
    "run courier-nb broker in a terminal for one that others reach"
}
"""Commands of the command line that a kernel must not run, and why."""


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
def cells() -> None:
    """Publish the cell, or run it as SQL."""


cells.add_command(publish)
cells.add_command(sql)


class CourierMagics:
    """The two magics of one shell.

    Parameters
    ----------
    shell : InteractiveShell

    Attributes
    ----------
    clients : Clients
        Which client they use.
    """

    def __init__(self, shell: InteractiveShell) -> None:
        self._shell = shell
        self.clients = Clients(shell.user_ns)

    @output_can_be_silenced
    def line(self, line: str) -> object:
        """Run a command of courier-nb in this kernel: %courier peek orders -n 5

        The result is an object: x = %courier peek orders. %courier --help lists the commands, %courier peek --help the options
        of one. It uses the variable client, or the only client of the notebook, or connects by the settings; --profile, --url,
        … make a connection for this call. A variable is put in by its name in braces: %courier verify {capture.path}
        """
        arguments = _split(line)
        if arguments and arguments[0] in REFUSED and not {"-h", "--help"} & set(arguments):
            raise UsageError(f"%courier {arguments[0]} is not run in a kernel: {REFUSED[arguments[0]]}.")
        return _run(cli, arguments or ["--help"], "%courier", Notebook(self.clients, self._shell.user_ns))

    @output_can_be_silenced
    def cell(self, line: str, cell: str) -> object:
        """Publish the cell as a message, or run it as SQL over captures and frames.

        %%courier publish QUEUE
        %%courier sql

        %courier --help lists what a line can do; %%courier publish --help (with any cell) the options.
        """
        arguments = _split(line)
        if arguments and arguments[0] in cli.commands and arguments[0] not in cells.commands:
            raise UsageError(f"%%courier takes {' or '.join(cells.commands)}; write %courier {arguments[0]} with a single %.")
        return _run(cells, arguments or ["--help"], "%%courier", Notebook(self.clients, self._shell.user_ns, cell))


def _run(group: click.Group, arguments: list[str], name: str, notebook: Notebook) -> object:
    """Run a command; what goes wrong becomes one line."""
    try:
        code = group.main(args=arguments, prog_name=name, standalone_mode=False, obj=notebook)
    except click.ClickException as error:
        raise UsageError(f"{plain(error.format_message())} {name} {_command(group, arguments)}--help says more.") from error
    except click.Abort:
        raise KeyboardInterrupt from None
    except CourierError as error:
        raise UsageError(plain(" ".join([str(error), *getattr(error, "__notes__", [])]))) from error
    except ImportError as error:
        raise UsageError(plain(str(error))) from error
    if code:
        click.echo(f"{name} {_command(group, arguments)}did not do everything: the result says what.", file=sys.stderr)
    return notebook.result


def _command(group: click.Group, arguments: list[str]) -> str:
    return f"{arguments[0]} " if arguments[0] in group.commands else ""


def _split(line: str) -> list[str]:
    """Return the words of a line, by the rules of a shell; a semicolon at its end only keeps the result from being shown."""
    words = shlex.shlex(line.rstrip().removesuffix(";"), posix=True, punctuation_chars=False)
    words.whitespace_split = True
    words.commenters = ""
    if os.name == "nt":
        words.escape = ""  # a backslash belongs to a path
    try:
        return list(words)
    except ValueError as error:
        raise UsageError(f"The line cannot be split into words: {error}.") from None
