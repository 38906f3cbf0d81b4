"""``destinations`` and ``peek``: looking without changing anything but the delivery counts."""

from __future__ import annotations

from typing import Any

import click

from courier_nb.blocking import Client
from courier_nb.cli.options import DURATION, connected
from courier_nb.cli.output import emit, show_bars
from courier_nb.core.messages import Message
from courier_nb.frames.text import table


@click.command(short_help="List queues and exchanges.")
@connected
def destinations(client: Client) -> None:
    """List queues and exchanges with their depth and dead-letter wiring (depth may lag by a minute)."""
    found = client.destinations()
    frame = found.frame()
    rows = [{name: None if cell != cell else cell for name, cell in row.items()} for row in _plain_rows(frame)]
    emit({"destinations": rows}, table(frame))


@click.command(short_help="Look at messages and put them back.")
@click.argument("queue")
@click.option("-n", "--count", type=click.IntRange(1), default=10, show_default=True, help="At most so many messages.")
@click.option("--lock-ttl", type=DURATION, default="1m", show_default=True, help="They come back after this at the latest.")
@click.option("--bodies/--no-bodies", default=True, help="Show the beginning of the bodies; with --json, all of them.")
@connected
def peek(client: Client, queue: str, count: int, lock_ttl: str, bodies: bool) -> int:
    """Look at messages of QUEUE and put them back. Spends one delivery of each: the service has no free look."""
    received = client.destination(queue).peek(count, lock_ttl=lock_ttl, progress=show_bars())
    frame = received.frame()
    wanted = [name for name in ("message_id", "created", "delivery_count", "message_group_id") if frame[name].notna().any()]
    wanted += [name for name in frame.columns if name.startswith("prop.")]
    wanted += ["body"] if bodies else []
    stayed_away = [outcome for outcome in received.outcomes if outcome.kind != "ok"]
    lines = [table(frame[wanted], widest=48) if len(frame) else "(no message visible)"]
    lines.append(f"{len(frame)} messages, one delivery of each spent; {len(stayed_away)} not certainly returned "
                 f"({received.stopped_because}).")  # fmt: skip
    document = {
        "messages": [_document(message, bodies) for message in received.messages],
        "stopped_because": received.stopped_because,
        "ghost_receives": received.ghost_receives,
        "outcomes": received.counts,
    }
    emit(document, "\n".join(lines))
    return 1 if stayed_away else 0


def _plain_rows(frame: Any) -> list[dict[str, Any]]:
    import pandas as pd

    return [{str(k): None if v is pd.NA else v for k, v in row.items()} for row in frame.astype(object).to_dict("records")]


def _document(message: Message, bodies: bool) -> dict[str, Any]:
    headers = {name: value for name, value in message.headers.items() if name != "lockId"}
    body = message.body.decode("utf-8", "backslashreplace") if isinstance(message.body, bytes) else message.body
    return {"headers": headers, "properties": dict(message.properties), **({"body": body} if bodies else {})}
