"""Queues of any depth, filled in seconds: a broker makes the file, SQL of our own puts the messages in."""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from courier_nb.broker import BrokerConfig, LocalBroker, QueueConfig

QUEUE = "q"
BATCH = 10
BODY_BYTES = 1_000
LOCKED_GROUP = "locked"
_LOCK_MS = 12 * 3_600_000
_PROPERTIES = {"source": "benchmark", "kind": "order", "attempt": "1"}


@dataclass(frozen=True)
class Shape:
    """What a queue looks like.

    Attributes
    ----------
    name, title : str
    fifo : bool
    groups : callable
        How many message groups there are that give out messages, by depth.
    locked : float
        Which part of the messages is in one more group, which has a message in flight.
    """

    name: str
    title: str
    fifo: bool = False
    groups: Callable[[int], int] = lambda _: 0
    locked: float = 0.0

    @property
    def allowed(self) -> float:
        """How much more an operation may cost at a depth of 1,000,000 than at 1,000."""
        return 3.0 if self.fifo else 2.0

    def group(self, batch: int, item: int, depth: int) -> str | None:
        """Return the group of a message that is published: a batch goes to ten groups, or to a new one."""
        if not self.fifo:
            return None
        return f"new{batch}" if self.locked else f"g{(batch * BATCH + item) % self.groups(depth)}"


SHAPES = (
    Shape("standard", "standard queue"),
    Shape("fifo-100", "FIFO queue, 100 groups", fifo=True, groups=lambda _: 100),
    Shape("fifo-many", "FIFO queue, depth/10 groups", fifo=True, groups=lambda depth: depth // 10),
    Shape("fifo-locked", "FIFO queue, 90 % behind one locked group", fifo=True, groups=lambda depth: depth // 100, locked=0.9),
)


def config(shape: Shape, *, durable: bool) -> BrokerConfig:
    """Return the settings of a broker with one queue of this shape."""
    return BrokerConfig(queues=(QueueConfig(QUEUE, fifo=shape.fifo),), durable=durable)


def item(number: int, shape: Shape, depth: int, run: str) -> dict[str, Any]:
    """Return a message of about 1 kB to be published; `run` keeps the ids of different runs apart."""
    headers = {"messageId": f"{run}-{number:012d}-a-message-id", "contentType": "application/json", "correlationId": f"c{number}"}
    group = shape.group(number // BATCH, number % BATCH, depth)
    if group is not None:
        headers["messageGroupId"] = group
    return {"headers": headers, "properties": _PROPERTIES, "body": _body(number)}


def fill(path: Path, shape: Shape, depth: int) -> None:
    """Make a broker's file that holds `depth` messages, in the order in which `Shape.group` would publish them, and check it."""
    with LocalBroker(config(shape, durable=False), db=path) as broker:
        broker.queues()
    connection = sqlite3.connect(path, isolation_level=None)
    try:
        connection.execute("pragma journal_mode = off")
        connection.execute("pragma synchronous = off")
        connection.execute("pragma cache_size = -500000")
        connection.execute("begin immediate")
        _insert(connection, shape, depth)
        connection.execute("commit")
        connection.execute("pragma journal_mode = wal")
        check(connection, depth)
    finally:
        connection.close()


def check(connection: sqlite3.Connection, depth: int | None = None) -> None:
    """Compare what the queue counts with the rows there are.

    Raises
    ------
    AssertionError
    """
    pk, heap, stored, locked = connection.execute("select pk, heap, stored, locked from queue").fetchone()
    rows, tokens = connection.execute("select count(*), count(token) from message where heap = ?", (heap,)).fetchone()
    assert (stored, locked) == (rows, tokens), f"queue {pk} counts {stored} and {locked}, but there are {rows} and {tokens}"
    assert depth is None or rows == depth, f"{rows} messages instead of {depth}"
    lent = connection.execute("select coalesce(sum(inflight), 0), count(*) from message_group where heap = ?", (heap,)).fetchone()
    members = connection.execute("select count(token), count(distinct member) from message where member is not null").fetchone()
    assert lent == members, f"groups count {lent}, but there are {members}"


def _insert(connection: sqlite3.Connection, shape: Shape, depth: int) -> None:
    heap = connection.execute("select heap from queue").fetchone()[0]
    now = int(time.time() * 1_000)
    free = shape.groups(depth)
    if shape.locked:  # of every hundred messages ninety for the locked group, then ten of a free one, published together
        member = f"iif(i % 100 < {100 * shape.locked}, {free + 1}, i / 100 + 1)"
    else:
        member = f"i % {free} + 1" if shape.fifo else "null"
    content = _fragments(shape)
    connection.execute(
        "with recursive n(i) as (select 0 union all select i + 1 from n where i < :depth - 1)"
        " insert into message(seq, heap, member, visible_at, expires_at, created, id, size, headers, properties, body)"
        f" select i + 1, :heap, {member}, :now - :depth + i, :now - :depth + i + :ttl, :now - :depth + i,"
        " cast(printf('\"f-%012d-a-message-id\"', i) as blob), :size, :headers, :properties, :body from n",
        {"depth": depth, "heap": heap, "now": now, "ttl": QueueConfig(QUEUE).default_ttl_ms, **content},
    )
    if shape.fifo:
        connection.execute(
            "insert into message_group(pk, heap, name, head, ready_at)"
            f" select member, heap, iif(member > {free}, '{LOCKED_GROUP}', 'g' || (member - 1)), min(seq), min(visible_at)"
            " from message group by member"
        )
    if shape.locked:
        connection.execute(
            "update message set token = randomblob(16), deliveries = 1, visible_at = ? where seq = 1", (now + _LOCK_MS,)
        )
        connection.execute(f"update message_group set inflight = 1, ready_at = ? where pk = {free + 1}", (now + _LOCK_MS,))
    connection.execute("update queue set stored = ?, sent = ?, locked = ?", (depth, depth, int(bool(shape.locked))))


def _fragments(shape: Shape) -> dict[str, object]:
    """Return the parts of a stored message, as the broker would store one that is published."""
    from courier_nb.broker.api.incoming import read_message
    from courier_nb.broker.config.switches import Switches

    message = read_message(item(0, shape, 1_000, "f"), Switches())
    return {name: getattr(message, name) for name in ("size", "headers", "properties", "body")}


def _body(number: int) -> str:
    lines = [
        {"sku": f"A-{number % 1000:04d}-{line}", "name": "Ünïcode thing", "count": line, "price": "19.90"} for line in range(13)
    ]
    return json.dumps({"order": number, "lines": lines}, ensure_ascii=False)[:BODY_BYTES].ljust(BODY_BYTES)
