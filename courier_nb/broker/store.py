"""What happens to messages: every transition of a standard queue, as SQL inside a transaction that the committer opens.

Time stands still within a transaction. `Store.tick` runs first in each: it removes what has expired and returns what was
locked too long, so that afterwards a message is locked exactly if it has a token, and every transition may rely on that.
"""

from __future__ import annotations

import secrets
import sqlite3
from collections import defaultdict
from collections.abc import Iterable, Sequence
from contextlib import suppress

from courier_nb.broker.config import QueueConfig
from courier_nb.broker.identity import Identity
from courier_nb.broker.locks import TOKEN_BYTES, Lock
from courier_nb.broker.messages import Delivery, NewMessage
from courier_nb.broker.queues import QueueRow, Queues
from courier_nb.broker.schema import Database
from courier_nb.core.clock import Clock

MAX_IN_FLIGHT = 120_000
SHOW_EVERYTHING = 2**62

RECEIVE = (
    "select seq, id, deliveries, created, headers, properties, case when size <= ? then body end from message"
    " where queue = ? and visible_at <= ? order by visible_at, seq limit ?"
)
DELIVER = "update message set token = ?, visible_at = ?, deliveries = deliveries + 1 where seq = ?"
ACK = "delete from message where seq = ? and token = ? and id = ? and queue = ?"
LOCKED = "select seq, deliveries from message where seq = ? and token = ? and id = ? and queue = ?"
EXTEND = "update message set visible_at = ? where seq = ? and token = ? and id = ? and queue = ?"
# Named indexes, because SQLite would rather read a whole queue in order than a few rows and sort them.
LOST_LOCKS = (
    "select seq, queue, deliveries, visible_at from message indexed by message_locked where token is not null and visible_at <= ?"
)
EXPIRED = "select queue, count(*), count(token) from message indexed by message_expiry where expires_at <= ? group by queue"
NEXT_VISIBLE = "select min(visible_at) from message where queue = ? and visible_at > ?"
NEXT_LOST_LOCK = "select min(visible_at) from message indexed by message_locked where token is not null"


class Store:
    """The broker's state. Used by one thread, inside a transaction.

    Attributes
    ----------
    identity : Identity
        Credentials and ids of this broker.
    queues : Queues
    now : int
        Time of the current transaction, in milliseconds since the epoch.
    """

    def __init__(self, database: Database, clock: Clock, identity: Identity) -> None:
        self._database = database
        self._connection = database.connection
        self._clock = clock
        self._touched: set[str] = set()
        self.identity = identity
        self.queues = Queues(database.connection)
        self.now = 0

    def begin(self) -> None:
        """Open a transaction, fix its time and apply what time alone has changed."""
        self._connection.execute("begin immediate")
        self._touched.clear()
        self.tick()

    def commit(self) -> None:
        """Make the transaction permanent."""
        self._connection.execute("commit")

    def rollback(self) -> None:
        """Undo the transaction, unless SQLite has done so itself."""
        with suppress(sqlite3.Error):
            self._connection.execute("rollback")

    def savepoint(self) -> None:
        """Mark the place that `undo` goes back to."""
        self._connection.execute("savepoint work")

    def undo(self) -> None:
        """Take back what was done since `savepoint`."""
        self._connection.execute("rollback to work")
        self._connection.execute("release work")

    def keep(self) -> None:
        """Keep what was done since `savepoint`."""
        self._connection.execute("release work")

    def take_touched(self) -> set[str]:
        """Return the queues in which messages may have become visible since the last call."""
        touched, self._touched = self._touched, set()
        return touched

    def close(self) -> None:
        """Close the database."""
        self._database.close()

    def tick(self) -> None:
        """Take the time; delete expired messages and return those whose lock has run out."""
        self.now = int(self._clock.time() * 1_000)
        expired = self._connection.execute(EXPIRED, (self.now,)).fetchall()
        if expired:
            self._connection.execute("delete from message indexed by message_expiry where expires_at <= ?", (self.now,))
            for pk, stored, locked in expired:
                self.queues.count(pk, stored=-stored, locked=-locked)
        lost: dict[int, list[tuple[int, int, int]]] = defaultdict(list)
        for seq, pk, deliveries, visible_at in self._connection.execute(LOST_LOCKS, (self.now,)):
            lost[pk].append((seq, deliveries, visible_at))
        for pk, rows in lost.items():
            self._return(self.queues.by_pk(pk), rows)

    def next_due(self, queue_id: str) -> int | None:
        """Return when, by time alone, the next message may become visible in a queue (milliseconds since the epoch)."""
        queue = self.queues.get(queue_id)
        times = [self._connection.execute(NEXT_VISIBLE, (queue.pk, self.now)).fetchone()[0]]
        if self.queues.sources(queue_id):  # a lock that runs out elsewhere may send its message here
            times.append(self._connection.execute(NEXT_LOST_LOCK).fetchone()[0])
        return min((time for time in times if time is not None), default=None)

    def publish(self, queue_id: str, messages: Sequence[NewMessage]) -> None:
        """Append messages to a queue."""
        queue = self.queues.get(queue_id)
        self._connection.executemany(
            "insert into message(queue, visible_at, expires_at, created, own_ttl, id, message_group, size, headers, properties,"
            " body) values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            [
                (
                    queue.pk,
                    self.now + (queue.default_delivery_delay_ms if message.delay_ms is None else message.delay_ms),
                    self.now + (queue.default_ttl_ms if message.ttl_ms is None else message.ttl_ms),
                    self.now,
                    message.ttl_ms,
                    message.id,
                    message.group,
                    message.size,
                    message.headers,
                    message.properties,
                    message.body,
                )
                for message in messages
            ],
        )
        self.queues.count(queue.pk, stored=len(messages))
        self._touched.add(queue_id)

    def receive(self, queue_id: str, *, limit: int, lock_ttl_ms: int | None, show_up_to: int = SHOW_EVERYTHING) -> list[Delivery]:
        """Lock and return up to `limit` visible messages; bodies of more than `show_up_to` bytes are left out.

        A lock of 0 ms is over at once: the message stays visible, and the delivery counts as a failed one.
        """
        queue = self.queues.get(queue_id)
        room = min(limit, MAX_IN_FLIGHT - queue.locked)
        rows = self._connection.execute(RECEIVE, (show_up_to, queue.pk, self.now, room)).fetchall() if room > 0 else []
        if not rows:
            return []
        until = self.now + (queue.default_lock_ttl_ms if lock_ttl_ms is None else lock_ttl_ms)
        tokens = secrets.token_bytes(TOKEN_BYTES * len(rows))
        deliveries = [
            Delivery(seq, tokens[TOKEN_BYTES * n : TOKEN_BYTES * (n + 1)], message_id, count + 1, *rest)
            for n, (seq, message_id, count, *rest) in enumerate(rows)
        ]
        self._connection.executemany(DELIVER, [(delivery.token, until, delivery.seq) for delivery in deliveries])
        self.queues.count(queue.pk, locked=len(deliveries))
        if until == self.now:
            self._return(queue, [(delivery.seq, delivery.deliveries, self.now) for delivery in deliveries])
        return deliveries

    def give_back(self, queue_id: str, deliveries: Iterable[Delivery]) -> None:
        """Take back deliveries that reached nobody: the messages are as if they had not been received."""
        queue = self.queues.get(queue_id)
        count = 0
        for delivery in deliveries:
            count += self._connection.execute(
                "update message set token = null, visible_at = ?, deliveries = deliveries - 1 where seq = ? and token = ?",
                (self.now, delivery.seq, delivery.token),
            ).rowcount
        self.queues.count(queue.pk, locked=-count)
        self._touched.add(queue_id)

    def ack(self, queue_id: str, locks: Sequence[Lock | None]) -> list[bool]:
        """Delete messages; return for each whether its lock was valid."""
        queue = self.queues.get(queue_id)
        done = [self._change(ACK, queue, lock) for lock in locks]
        self.queues.count(queue.pk, stored=-sum(done), locked=-sum(done))
        self._room_made(queue)
        return done

    def nack(self, queue_id: str, locks: Sequence[Lock | None]) -> list[bool]:
        """Return messages to the queue at once; return for each whether its lock was valid."""
        queue = self.queues.get(queue_id)
        return [self._nack(queue, lock) for lock in locks]

    def change_locks(self, queue_id: str, changes: Sequence[tuple[Lock | None, int]]) -> list[bool]:
        """Let locks end the given number of milliseconds from now; return for each whether it was valid."""
        queue = self.queues.get(queue_id)
        self._touched.add(queue_id)  # a shortened lock brings the next visible message nearer
        self._touched.update([queue.dead_letter_queue] if queue.dead_letter_queue else [])
        return [
            self._change(EXTEND, queue, lock, self.now + ttl_ms) if ttl_ms else self._nack(queue, lock)
            for lock, ttl_ms in changes
        ]

    def put_queue(self, settings: QueueConfig) -> None:
        """Create a queue or change its settings."""
        self.queues.put(settings)
        self._touched.add(settings.id)

    def purge(self, queue_id: str) -> int:
        """Delete every message of a queue, locked ones too; return how many there were."""
        queue = self.queues.get(queue_id)
        self._connection.execute("delete from message where queue = ?", (queue.pk,))
        self.queues.count(queue.pk, stored=-queue.stored, locked=-queue.locked)
        return queue.stored

    def delete_queue(self, queue_id: str) -> None:
        """Delete a queue with its messages."""
        queue = self.queues.get(queue_id)
        self.purge(queue_id)
        self.queues.remove(queue.pk)
        self._touched.add(queue_id)

    def _change(self, statement: str, queue: QueueRow, lock: Lock | None, *first: int) -> bool:
        if lock is None:
            return False
        found = self._connection.execute(statement, (*first, lock.seq, lock.token, lock.message_id, queue.pk))
        return found.rowcount == 1

    def _nack(self, queue: QueueRow, lock: Lock | None) -> bool:
        if lock is None:
            return False
        found = self._connection.execute(LOCKED, (lock.seq, lock.token, lock.message_id, queue.pk)).fetchone()
        if found is None:
            return False
        seq, deliveries = found
        self._return(queue, [(seq, deliveries, self.now)])
        return True

    def _return(self, queue: QueueRow, rows: Sequence[tuple[int, int, int]]) -> None:
        """End the locks of (seq, deliveries, visible from) rows; the check on return sends exhausted ones to the dead letters."""
        spent = [row for row in rows if queue.dead_letter_queue is not None and row[1] >= queue.max_deliveries]
        if spent:
            self._dead_letter(queue, spent)
            rows = [row for row in rows if row[1] < queue.max_deliveries]
        self._connection.executemany(
            "update message set token = null, visible_at = ? where seq = ?", [(visible_at, seq) for seq, _, visible_at in rows]
        )
        self.queues.count(queue.pk, locked=-len(rows))
        self._touched.add(queue.id)

    def _dead_letter(self, queue: QueueRow, rows: Sequence[tuple[int, int, int]]) -> None:
        target = self.queues.get(str(queue.dead_letter_queue))
        # The time to live goes on from the first publishing, as in SQS, unless the message brought its own.
        self._connection.executemany(
            "update message set queue = ?, token = null, deliveries = 0, visible_at = ?,"
            " expires_at = iif(own_ttl is null, created + ?, expires_at) where seq = ?",
            [(target.pk, visible_at, target.default_ttl_ms, seq) for seq, _, visible_at in rows],
        )
        self.queues.count(queue.pk, stored=-len(rows), locked=-len(rows))
        self.queues.count(target.pk, stored=len(rows))
        self._touched.add(target.id)

    def _room_made(self, queue: QueueRow) -> None:
        if queue.locked >= MAX_IN_FLIGHT:
            self._touched.add(queue.id)
