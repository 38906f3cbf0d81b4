"""The live status of ``courier-nb broker``: a table in a terminal, plain lines elsewhere."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import click
from rich import box
from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from courier_nb.broker.status import BrokerStatus

ROWS = 20
LINE_EVERY_SECONDS = 10.0

Show = Callable[[BrokerStatus], None]


@contextmanager
def live_table() -> Iterator[Show]:
    """Keep a table of the queues up to date at the end of a terminal."""
    live = Live(console=Console(), auto_refresh=False)

    def show(status: BrokerStatus) -> None:
        live.update(table(status))
        live.start()  # with the first status, so that what is said before it stays above the table
        live.refresh()

    try:
        yield show
    finally:
        live.stop()


@contextmanager
def plain_lines() -> Iterator[Show]:
    """Write one line to standard error when something has changed, at most every ten seconds."""
    shown: tuple[object, ...] = ()
    at = -LINE_EVERY_SECONDS

    def show(status: BrokerStatus) -> None:
        nonlocal shown, at
        now = time.monotonic()
        content = (status.queues, status.requests)
        if content != shown and now - at >= LINE_EVERY_SECONDS:
            shown, at = content, now
            click.echo(line(status), err=True)

    yield show


def line(status: BrokerStatus) -> str:
    """Return a status as one line: the queues that hold something, then the traffic."""
    busy = [f"{queue.id} {queue.messages}+{queue.in_flight}" for queue in status.queues if queue.messages or queue.in_flight]
    queues = ", ".join(busy) or "all queues empty"
    return f"courier-nb: {queues} (waiting+in flight); {_traffic(status)}"


def table(status: BrokerStatus) -> Group:
    """Return a status as a table: the fullest queues first, as many as fit."""
    grid = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    grid.add_column("queue", overflow="fold")
    for name in ("waiting", "in flight"):
        grid.add_column(name, justify="right")
    grid.add_column("dead letters go to", overflow="fold")
    has_several = len({queue.environment for queue in status.queues}) > 1
    queues = sorted(status.queues, key=lambda queue: (-queue.messages - queue.in_flight, queue.environment, queue.id))
    for queue in queues[:ROWS]:
        name = f"{queue.environment}/{queue.id}" if has_several else queue.id
        kind = " (FIFO)" if queue.fifo else ""
        grid.add_row(Text(name + kind), f"{queue.messages:,}", f"{queue.in_flight:,}", Text(queue.dead_letter_queue or ""))
    more = [Text(f"and {len(queues) - ROWS} more queues")] if len(queues) > ROWS else []
    return Group(grid, *more, Text(_traffic(status)))


def _traffic(status: BrokerStatus) -> str:
    return f"{status.requests_per_second:,.0f} requests/s, {status.requests:,} in all, {status.waiting:,} receivers waiting"
