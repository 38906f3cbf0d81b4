"""The queue table: settings and counts of each queue."""

from __future__ import annotations

import sqlite3
from typing import NamedTuple

from courier_nb.broker.config import QueueConfig

_SELECT = (
    "select pk, stored, locked, id, fifo, dead_letter_queue, max_deliveries, default_ttl_ms, default_lock_ttl_ms,"
    " default_delivery_delay_ms from queue"
)
_PUT = (
    "insert into queue(id, fifo, dead_letter_queue, max_deliveries, default_ttl_ms, default_lock_ttl_ms,"
    " default_delivery_delay_ms) values (?, ?, ?, ?, ?, ?, ?) on conflict(id) do update set fifo = excluded.fifo,"
    " dead_letter_queue = excluded.dead_letter_queue, max_deliveries = excluded.max_deliveries,"
    " default_ttl_ms = excluded.default_ttl_ms, default_lock_ttl_ms = excluded.default_lock_ttl_ms,"
    " default_delivery_delay_ms = excluded.default_delivery_delay_ms"
)


class UnknownQueue(LookupError):
    """No queue of that name."""


class QueueRow(NamedTuple):
    """A queue as stored.

    Attributes
    ----------
    pk : int
        Its number in the message table.
    stored, locked : int
        Messages it holds, and how many of them are in flight.
    id, fifo, dead_letter_queue, max_deliveries, default_ttl_ms, default_lock_ttl_ms, default_delivery_delay_ms
        As in `QueueConfig`.
    """

    pk: int
    stored: int
    locked: int
    id: str
    fifo: int
    dead_letter_queue: str | None
    max_deliveries: int
    default_ttl_ms: int
    default_lock_ttl_ms: int
    default_delivery_delay_ms: int

    @property
    def settings(self) -> QueueConfig:
        """The queue's settings alone."""
        return QueueConfig(self.id, bool(self.fifo), *self[5:])


class Queues:
    """Reads and writes the queue table, inside whatever transaction is open."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def get(self, queue_id: str) -> QueueRow:
        """Return a queue or raise `UnknownQueue`."""
        found = self._connection.execute(f"{_SELECT} where id = ?", (queue_id,)).fetchone()
        if found is None:
            raise UnknownQueue(queue_id)
        return QueueRow(*found)

    def by_pk(self, pk: int) -> QueueRow:
        """Return the queue that a message row belongs to."""
        return QueueRow(*self._connection.execute(f"{_SELECT} where pk = ?", (pk,)).fetchone())

    def all(self) -> list[QueueRow]:
        """Return every queue, by name."""
        return [QueueRow(*found) for found in self._connection.execute(f"{_SELECT} order by id")]

    def sources(self, queue_id: str) -> list[str]:
        """Return the queues whose dead-letter queue this is."""
        found = self._connection.execute("select id from queue where dead_letter_queue = ? order by id", (queue_id,))
        return [name for (name,) in found]

    def put(self, settings: QueueConfig) -> None:
        """Create a queue, or change the settings of one that exists."""
        self._connection.execute(
            _PUT,
            (
                settings.id,
                settings.fifo,
                settings.dead_letter_queue,
                settings.max_deliveries,
                settings.default_ttl_ms,
                settings.default_lock_ttl_ms,
                settings.default_delivery_delay_ms,
            ),
        )

    def remove(self, pk: int) -> None:
        """Forget a queue; its messages must be gone already."""
        self._connection.execute("delete from queue where pk = ?", (pk,))

    def count(self, pk: int, *, stored: int = 0, locked: int = 0) -> None:
        """Add to the counts of a queue."""
        self._connection.execute("update queue set stored = stored + ?, locked = locked + ? where pk = ?", (stored, locked, pk))
