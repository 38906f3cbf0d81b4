"""When a hundred thousand locks run out at once, or a queue of a million is purged: how long does somebody else wait?

A client publishes to, receives from and acks in another queue of the same broker all the while, one call after the other. The
longest that one of its calls takes during the event is what the event costs everybody.
"""

from __future__ import annotations

import asyncio
import json
import sqlite3
import statistics
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing, suppress
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter
from typing import Any

from benchmarks.broker.loading import Load
from benchmarks.broker.serving import served
from benchmarks.broker.shapes import QUEUE, SHAPES, fill
from courier_nb.broker import LocalBroker, QueueConfig

OTHER = "other"
_DEAD = "dead"
_LEAD_SECONDS = 12.0  # from filling to the event, in which the broker starts and the client gets going
_PATIENCE_SECONDS = 240


@dataclass(frozen=True)
class Event:
    """Something that happens to very many messages at once.

    Attributes
    ----------
    name : str
    shape : str
    depth : int
    change : str
        SQL that makes it happen at ``:at`` (milliseconds since the epoch).
    over : str
        SQL that tells whether it is over.
    is_purge : bool
        Whether it is started by a purge instead.
    is_last_delivery : bool
        Whether messages whose lock runs out go to a dead-letter queue.
    """

    name: str
    shape: str
    depth: int
    change: str = ""
    over: str = f"select locked = 0 from queue where id = '{QUEUE}'"
    is_purge: bool = False
    is_last_delivery: bool = False


_LOCK = "update message set token = randomblob(16), deliveries = 1, visible_at = :at"
_LOCK_GROUPS = (
    "update message_group set ready_at = :at, inflight = (select count(*) from message where member = message_group.pk)"
)
_LOCK_ALL = f"{_LOCK}; {_LOCK_GROUPS}; update queue set locked = stored where id = '{QUEUE}'"
_EXPIRE = "update message set expires_at = :at"
_IS_EMPTY = f"select stored = 0 from queue where id = '{QUEUE}'"
_REPEAT = "insert into repeated(queue, id, until) select pk, message.id, :at from message, queue where queue.id = 'q'"
_MANY = 100_000
EVENTS = (
    Event("locks run out, standard queue", "standard", _MANY, _LOCK_ALL),
    Event("locks run out, FIFO queue", "fifo-many", _MANY, _LOCK_ALL),
    Event("locks run out, to the dead-letter queue", "standard", _MANY, _LOCK_ALL, is_last_delivery=True),
    Event("locks run out, to the FIFO dead-letter queue", "fifo-many", _MANY, _LOCK_ALL, is_last_delivery=True),
    Event("messages expire, standard queue", "standard", _MANY, _EXPIRE, _IS_EMPTY),
    Event("messages expire, FIFO queue", "fifo-many", _MANY, _EXPIRE, _IS_EMPTY),
    Event("ids may be used again, FIFO queue", "fifo-many", _MANY, _REPEAT, "select count(*) = 0 from repeated"),
    Event("purge, standard queue", "standard", 10 * _MANY, over="select count(*) = 0 from discarded", is_purge=True),
    Event("purge, FIFO queue", "fifo-many", 10 * _MANY, over="select count(*) = 0 from discarded", is_purge=True),
)


def measure(event: Event, folder: Path) -> dict[str, Any]:
    """Let an event happen; return the seconds it took, and the median and longest of the client's calls before and meanwhile."""
    path = folder / "crowd.db"
    (shape,) = (shape for shape in SHAPES if shape.name == event.shape)
    fill(path, shape, event.depth)
    with LocalBroker(queues=[OTHER, QueueConfig(_DEAD, fifo=shape.fifo)], db=path) as broker:
        if event.is_last_delivery:
            broker.create_queue(QUEUE, fifo=shape.fifo, dead_letter_queue=_DEAD, max_deliveries=1)
        broker.queues()

    async def run() -> dict[str, Any]:
        at = time.time() + _LEAD_SECONDS + event.depth / 50_000
        _prepare(path, event, at)
        with served(path, shape, durable=True) as server, closing(_reader(path)) as reader:
            async with Load(server, shape, event.depth, "crowd") as load, _client(load) as calls:
                await asyncio.sleep(max(0.0, at - time.time()))
                begun = perf_counter()
                if event.is_purge:
                    await asyncio.to_thread(server.purge)
                await _until_over(reader, event)
                took = perf_counter() - begun
        before = [seconds for ended, seconds in calls if ended < begun]
        meanwhile = [seconds for ended, seconds in calls if begun <= ended <= begun + took]
        return {
            "before": {"median": statistics.median(before), "longest": max(before)},
            "meanwhile": {"median": statistics.median(meanwhile), "longest": max(meanwhile), "calls": len(meanwhile)},
            "seconds": took,
        }

    try:
        return asyncio.run(run())
    finally:
        for file in folder.glob("crowd.db*"):
            file.unlink()


def _prepare(path: Path, event: Event, at: float) -> None:
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("begin immediate")
        for statement in filter(None, event.change.split(";")):
            connection.execute(statement, {"at": int(at * 1_000)} if ":at" in statement else {})
        connection.execute("commit")
        connection.execute("pragma wal_checkpoint(truncate)")


def _reader(path: Path) -> sqlite3.Connection:
    return sqlite3.connect(f"file:{path}?mode=ro", uri=True, isolation_level=None)


async def _until_over(reader: sqlite3.Connection, event: Event) -> None:
    for _ in range(_PATIENCE_SECONDS * 20):
        await asyncio.sleep(0.05)
        if reader.execute(event.over).fetchone()[0]:
            return
    raise AssertionError(f"{event.name}: not over after {_PATIENCE_SECONDS} seconds")


@asynccontextmanager
async def _client(load: Load) -> AsyncIterator[list[tuple[float, float]]]:
    """Let a client work on the other queue; yield its calls: when they ended, and how long they took."""
    calls: list[tuple[float, float]] = []

    async def timed(method: str, path: str, body: dict[str, str] | None = None) -> Any:
        begun = perf_counter()
        content = await load.call(method, f"{OTHER}/messages{path}", None if body is None else json.dumps(body).encode())
        ended = perf_counter()
        calls.append((ended, ended - begun))
        return json.loads(content)

    async def work() -> None:
        while True:
            await timed("PUT", "/m", {"body": "x"})
            (message,) = await timed("GET", "?pollingTime=0")
            await timed("DELETE", "/m", {"lockId": message["headers"]["lockId"]})

    task = asyncio.create_task(work())
    yield calls
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task  # or what it failed with
