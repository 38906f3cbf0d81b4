"""``%%courier publish``: the cell is the message."""

from __future__ import annotations

import json
from typing import Any

import click

from courier_nb.blocking import Client
from courier_nb.cli.guarding import confirm_option, confirmed, dry_run_option, emit_plan
from courier_nb.cli.options import DURATION, connected, rate_option
from courier_nb.cli.outcomes import emit_report
from courier_nb.core.errors import InvalidArgument
from courier_nb.core.messages import Message
from courier_nb.core.units import milliseconds
from courier_nb.flows.plans import Plan
from courier_nb.jupyter.magics.notebook import Notebook, pass_notebook
from courier_nb.storage.foreign.jsonl import messages_of_lines


@click.command(short_help="Publish the cell as a message.")
@click.argument("queue")
@click.option("--jsonl", is_flag=True, help="The cell holds one message a line, in the publish shape.")
@click.option("--id", "message_id", metavar="ID", help="Message id; default: a new one.")
@click.option("--content-type", metavar="TYPE", help="The property contentType, such as application/json.")
@click.option("--property", "texts", multiple=True, metavar="NAME=TEXT", help="A property; may be repeated.")
@click.option("--json-property", "values", multiple=True, metavar="NAME=JSON", help="A property that is a number, true or false.")
@click.option("--group", metavar="GROUP", help="Message group, for a FIFO queue.")
@click.option("--delay", type=DURATION, help="Deliver it only after this long.")
@click.option("--ttl", type=DURATION, help="Let it live this long.")
@dry_run_option
@confirm_option
@rate_option
@connected
@pass_notebook
def publish(
    notebook: Notebook,
    /,
    client: Client,
    queue: str,
    jsonl: bool,
    dry_run: bool,
    confirm: str | None,
    rate: str | None,
    **parts: Any,
) -> int:
    """Publish the cell into QUEUE, as it stands and without its last line end.

    With --jsonl each line is a message: {"body": "…", "properties": {…}, "headers": {…}}.
    """
    if jsonl and any(parts.values()):
        raise click.UsageError("With --jsonl each line says its own id, properties and headers: leave the other options out.")
    text = notebook.cell.removesuffix("\n")
    if not text.strip():
        raise InvalidArgument("The cell is empty: nothing was sent.")
    messages = list(messages_of_lines(text.encode().split(b"\n"), "the cell")) if jsonl else [_message(text, **parts)]
    target = client.destination(queue)
    report = confirmed(lambda typed: target.publish(messages, dry_run=dry_run, confirm=typed, rate=rate), confirm)
    return emit_plan(report) if isinstance(report, Plan) else emit_report(report)


def _message(
    body: str,
    *,
    message_id: str | None,
    content_type: str | None,
    texts: tuple[str, ...],
    values: tuple[str, ...],
    group: str | None,
    delay: str | None,
    ttl: str | None,
) -> Message:
    properties: dict[str, Any] = {} if content_type is None else {"contentType": content_type}
    properties.update(_pair(text, "--property") for text in texts)
    properties.update((name, _value(name, text)) for name, text in (_pair(value, "--json-property") for value in values))
    headers: dict[str, Any] = {"messageId": message_id, "messageGroupId": group}
    headers["deliveryDelay"] = None if delay is None else milliseconds(delay, name="delay")
    headers["ttl"] = None if ttl is None else milliseconds(ttl, name="ttl")
    return Message(body, properties, {name: value for name, value in headers.items() if value is not None})


def _pair(text: str, option: str) -> tuple[str, str]:
    name, sign, value = text.partition("=")
    if not name or not sign:
        raise click.UsageError(f"{option} {text!r}: NAME=VALUE was expected.")
    return name, value


def _value(name: str, text: str) -> int | float | bool | str:
    try:
        value = json.loads(text, parse_constant=_refuse)
    except ValueError:
        value = None
    if not isinstance(value, int | float | bool | str):
        raise click.UsageError(f"--json-property {name}={text}: a number, true, false or a text in double quotes was expected.")
    return value


def _refuse(name: str) -> None:
    raise ValueError(name)
