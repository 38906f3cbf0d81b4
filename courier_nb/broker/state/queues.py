"""The queue table: settings and counts of each queue."""

from __future__ import annotations

import sqlite3
from typing import NamedTuple

from courier_nb.broker.config.destinations import QueueConfig
from courier_nb.broker.state.errors import UnknownDestination

_SELECT = (
    "select pk, environment, heap, stored, locked, sent, received, acked, fallback, id, fifo, dead_letter_queue,"
    " max_deliveries, default_ttl_ms, default_lock_ttl_ms, default_delivery_delay_ms, encrypted from queue"
)
_PUT = (
    "insert into queue(environment, heap, id, fifo, dead_letter_queue, max_deliveries, default_ttl_ms, default_lock_ttl_ms,"
    " default_delivery_delay_ms, encrypted) values (?, (select value from meta where key = 'heap'), ?, ?, ?, ?, ?, ?, ?, ?)"
    " on conflict(environment, id) do update set dead_letter_queue = excluded.dead_letter_queue,"
    " max_deliveries = excluded.max_deliveries, default_ttl_ms = excluded.default_ttl_ms,"
    " default_lock_ttl_ms = excluded.default_lock_ttl_ms,"
    " default_delivery_delay_ms = excluded.default_delivery_delay_ms, encrypted = excluded.encrypted"
)
_NEXT_HEAP = "insert into meta(key, value) values ('heap', 1) on conflict(key) do update set value = value + 1"


class Address(NamedTuple):
    """Where a destination is: the number of its environment, and its name."""

    environment: int
    id: str


class QueueRow(NamedTuple):
    """A queue as stored.

    Attributes
    ----------
    pk, environment : int
    heap : int
        Its number in the message table.
    stored, locked : int
        Messages it holds, and how many of them are in flight.
    sent, received, acked : int
        How many messages came in, went out and were acknowledged since it was made.
    fallback : int
        Whether a fallback queue was asked for.
    id, fifo, dead_letter_queue, max_deliveries, default_ttl_ms, default_lock_ttl_ms, default_delivery_delay_ms, encrypted
        As in `QueueConfig`.
    """

    pk: int
    environment: int
    heap: int
    stored: int
    locked: int
    sent: int
    received: int
    acked: int
    fallback: int
    id: str
    fifo: int
    dead_letter_queue: str | None
    max_deliveries: int
    default_ttl_ms: int
    default_lock_ttl_ms: int
    default_delivery_delay_ms: int
    encrypted: int

    @property
    def settings(self) -> QueueConfig:
        """The queue's settings alone."""
        return QueueConfig(self.id, bool(self.fifo), *self[11:16], bool(self.encrypted))

    @property
    def dead_letter_address(self) -> Address | None:
        """Where its dead letters go."""
        return None if self.dead_letter_queue is None else Address(self.environment, self.dead_letter_queue)


class Queues:
    """Reads and writes the queue table, inside whatever transaction is open.

    Parameters
    ----------
    connection : sqlite3.Connection
    changed : set of int
        Takes the numbers of the queues whose counts change.

    Attributes
    ----------
    has_discarded : bool
        Whether there may be messages that belong to no queue any more.
    """

    def __init__(self, connection: sqlite3.Connection, changed: set[int]) -> None:
        self.has_discarded = True
        self._connection = connection
        self._changed = changed

    def find(self, at: Address) -> QueueRow | None:
        """Return a queue, if there is one of that name."""
        found = self._connection.execute(f"{_SELECT} where environment = ? and id = ?", at).fetchone()
        return None if found is None else QueueRow(*found)

    def get(self, at: Address) -> QueueRow:
        """Return a queue or raise `UnknownDestination`."""
        found = self.find(at)
        if found is None:
            raise UnknownDestination("queue", at.id)
        return found

    def by_pk(self, pk: int) -> QueueRow:
        """Return the queue of that number, which must exist."""
        return QueueRow(*self._connection.execute(f"{_SELECT} where pk = ?", (pk,)).fetchone())

    def by_heap(self, heap: int) -> QueueRow | None:
        """Return the queue that a message row belongs to; None when it was purged or deleted."""
        found = self._connection.execute(f"{_SELECT} where heap = ?", (heap,)).fetchone()
        return None if found is None else QueueRow(*found)

    def all(self, environment: int | None = None) -> list[QueueRow]:
        """Return every queue, or every queue of an environment, by name."""
        which, values = ("", ()) if environment is None else (" where environment = ?", (environment,))
        return [QueueRow(*found) for found in self._connection.execute(f"{_SELECT}{which} order by environment, id", values)]

    def sources(self, at: Address) -> list[QueueRow]:
        """Return the queues whose dead-letter queue this is, by name."""
        found = self._connection.execute(f"{_SELECT} where environment = ? and dead_letter_queue = ? order by id", at)
        return [QueueRow(*row) for row in found]

    def put(self, environment: int, settings: QueueConfig) -> None:
        """Create a queue, or change the settings of one that exists; its kind stays what it was."""
        self._connection.execute(_NEXT_HEAP)
        self._connection.execute(
            _PUT,
            (
                environment,
                settings.id,
                settings.fifo,
                settings.dead_letter_queue,
                settings.max_deliveries,
                settings.default_ttl_ms,
                settings.default_lock_ttl_ms,
                settings.default_delivery_delay_ms,
                settings.encrypted,
            ),
        )

    def empty(self, queue: QueueRow) -> None:
        """Part a queue from its messages, which the sweeper then removes bit by bit."""
        self._changed.add(queue.pk)
        self.has_discarded = True
        self._connection.execute("insert into discarded(heap) values (?)", (queue.heap,))
        self._connection.execute(_NEXT_HEAP)
        self._connection.execute(
            "update queue set heap = (select value from meta where key = 'heap'), stored = 0, locked = 0 where pk = ?",
            (queue.pk,),
        )

    def remove(self, queue: QueueRow) -> None:
        """Forget a queue and all that is kept about it; it must have been emptied."""
        for table in ("repeated", "queue_sample", "binding"):
            self._connection.execute(f"delete from {table} where queue = ?", (queue.pk,))  # noqa: S608  # names of ours
        self._connection.execute("delete from queue where pk = ?", (queue.pk,))

    def set_fallback(self, queue: QueueRow, *, is_on: bool) -> None:
        """Note whether a fallback queue is wanted."""
        self._connection.execute("update queue set fallback = ? where pk = ?", (is_on, queue.pk))

    def count(
        self, queue: QueueRow, *, stored: int = 0, locked: int = 0, sent: int = 0, received: int = 0, acked: int = 0
    ) -> None:
        """Add to the counts of a queue."""
        self._changed.add(queue.pk)
        self._connection.execute(
            "update queue set stored = stored + ?, locked = locked + ?, sent = sent + ?, received = received + ?,"
            " acked = acked + ? where pk = ?",
            (stored, locked, sent, received, acked, queue.pk),
        )
