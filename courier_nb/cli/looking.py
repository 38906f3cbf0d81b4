"""``destinations`` and ``peek``: looking at queues and into them."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import click

from courier_nb.blocking import Client
from courier_nb.cli.guarding import confirm_option, confirmed
from courier_nb.cli.options import DURATION, connected, rate_option
from courier_nb.cli.output import emit, show_bars
from courier_nb.core.messages import Message
from courier_nb.core.printable import plain
from courier_nb.frames.text import table


@click.command(short_help="List queues and exchanges.")
@connected
def destinations(client: Client) -> None:
    """List queues and exchanges with their depth and dead-letter wiring (depth may lag by a minute)."""
    found = client.destinations()
    frame = found.frame()
    rows = [{name: None if cell != cell else cell for name, cell in row.items()} for row in _plain_rows(frame)]
    emit({"destinations": rows}, table(frame), found)


@click.command(short_help="Look at messages and put them back.")
@click.argument("queue")
@click.option("-n", "--count", type=click.IntRange(1), default=10, show_default=True, help="At most so many messages.")
@click.option("--lock-ttl", type=DURATION, default="1m", show_default=True, help="They come back after this at the latest.")
@click.option("--cost", is_flag=True, help="Say what the look would cost; receive nothing.")
@click.option("--max-deliveries", type=click.IntRange(1), help="The queue's setting, where the Admin API may not be read.")
@click.option(
    "--last-chance",
    type=click.Choice(["put-back", "return"]),
    default="put-back",
    show_default=True,
    help="Messages that a return would dead-letter: publish them afresh and acknowledge the old ones, or return them.",
)
@confirm_option
@rate_option
@click.option("--bodies/--no-bodies", default=True, help="Show the beginning of the bodies; with --json, all of them.")
@connected
def peek(
    client: Client,
    queue: str,
    count: int,
    lock_ttl: str,
    cost: bool,
    max_deliveries: int | None,
    last_chance: str,
    confirm: str | None,
    rate: str | None,
    bodies: bool,
) -> int:
    """Look at messages of QUEUE and return them. Spends one delivery of each: the service has no free look.

    A message on its last chance is not returned, which would send it to the dead-letter queue, but put back whole.
    """
    destination = client.destination(queue)
    price = destination.look_cost(count, max_deliveries=max_deliveries)
    if cost:
        emit({"cost": asdict(price), "notes": list(price.notes)}, "\n".join(map(plain, price.notes)), price)
        return 0
    received = confirmed(
        lambda name: destination.peek(
            count,
            lock_ttl=lock_ttl,
            last_chance="return" if last_chance == "return" else "put_back",
            max_deliveries=max_deliveries,
            confirm=name,
            rate=rate,
            progress=show_bars(),
        ),
        confirm,
    )
    frame = received.frame()
    maybe = ("message_id", "created", "delivery_count", "deliveries_left", "message_group_id")
    wanted = [name for name in maybe if frame[name].notna().any()]
    wanted += [name for name in frame.columns if name.startswith("prop.")]
    wanted += ["body"] if bodies else []
    on_last = {id(message) for message in received.last_chance}
    stayed_away = [outcome for outcome in received.outcomes if outcome.kind != "ok"]
    lines = [table(frame[wanted], widest=48) if len(frame) else "(no message visible)"]
    lines += [plain(note) for note in price.notes[1:]]
    lines.append(f"{len(frame)} messages, one delivery of each spent, {received.calls} calls; {len(stayed_away)} not certainly "
                 f"returned ({received.stopped_because}).")  # fmt: skip
    lines += [plain(note) for note in received.notes]
    lines += [f"On its last chance: {plain(message.message_id)}" for message in received.last_chance]
    document = {
        "messages": [
            {
                **_document(message, bodies),
                "settlement": settlement,
                "deliveries_left": left,
                "last_chance": id(message) in on_last,
            }
            for message, settlement, left in zip(received.messages, frame["settlement"], received.deliveries_left, strict=True)
        ],
        "stopped_because": received.stopped_because,
        "ghost_receives": received.ghost_receives,
        "outcomes": received.counts,
        "calls": received.calls,
        "cost": asdict(price),
        "notes": list(received.notes),
    }
    emit(document, "\n".join(lines), received)
    return 1 if stayed_away else 0


def _plain_rows(frame: Any) -> list[dict[str, Any]]:
    import pandas as pd

    return [{str(k): None if v is pd.NA else v for k, v in row.items()} for row in frame.astype(object).to_dict("records")]


def _document(message: Message, bodies: bool) -> dict[str, Any]:
    headers = {name: value for name, value in message.headers.items() if name != "lockId"}
    body = message.body.decode("utf-8", "backslashreplace") if isinstance(message.body, bytes) else message.body
    return {"headers": headers, "properties": dict(message.properties), **({"body": body} if bodies else {})}
