"""What happens to messages: every transition of a queue, as SQL inside a transaction that the committer opens.

Time stands still within a transaction. `Store.begin` lets the sweeper apply what time alone has changed, a bounded number of
messages at a time; what it has not come to yet is not given out, and its lock is good for nothing, all the same.
"""

from __future__ import annotations

import secrets
import sqlite3
from collections import Counter
from collections.abc import Iterable, Sequence
from contextlib import suppress

from courier_nb.broker.config.switches import Switches
from courier_nb.broker.state.arriving import Arriving
from courier_nb.broker.state.clients import Clients
from courier_nb.broker.state.destinations import Destinations
from courier_nb.broker.state.errors import NotAQueue, UnknownDestination
from courier_nb.broker.state.exchanges import Exchanges
from courier_nb.broker.state.groups import Groups
from courier_nb.broker.state.locks import TOKEN_BYTES, Lock
from courier_nb.broker.state.messages import Delivery, NewMessage
from courier_nb.broker.state.meter import Meter
from courier_nb.broker.state.queues import Address, QueueRow, Queues
from courier_nb.broker.state.returning import Returned, Returning
from courier_nb.broker.state.samples import Samples
from courier_nb.broker.state.schema import Database
from courier_nb.broker.state.sweeping import Sweeper
from courier_nb.core.clock import Clock

MAX_IN_FLIGHT = 120_000
MAX_FIFO_IN_FLIGHT = 20_000
SHOW_EVERYTHING = 2**62

# Named indexes, because SQLite would rather read a whole queue in order than a few rows and sort them.
RECEIVE = (
    "select seq, member, id, deliveries, created, headers, properties, case when size <= ? then body end"
    " from message indexed by message_visible where heap = ? and visible_at <= ? and token is null and expires_at > ?"
    " order by visible_at, seq limit ?"
)
DELIVER = "update message set token = ?, visible_at = ?, deliveries = deliveries + 1 where seq = ?"
ACK = (
    "delete from message where seq = ? and token = ? and id = ? and heap = ? and min(visible_at, expires_at) > ? returning member"
)
ACK_LATE = (
    "delete from message where seq = ? and spent = ? and id = ? and heap = ? and token is null and expires_at > ?"
    " returning member"
)
LOCKED = (
    "select seq, deliveries, member from message"
    " where seq = ? and token = ? and id = ? and heap = ? and min(visible_at, expires_at) > ?"
)
EXTEND = (
    "update message set visible_at = ? where seq = ? and token = ? and id = ? and heap = ? and min(visible_at, expires_at) > ?"
)
GIVE_BACK = (
    "update message set token = null, visible_at = ?, deliveries = deliveries - 1"
    " where seq = ? and token = ? and heap = ? and visible_at > ?"
)
NEXT_VISIBLE = "select min(visible_at) from message indexed by message_visible where heap = ? and visible_at > ?"
NEXT_EXPIRY = "select min(expires_at) from message indexed by message_expiry where expires_at > ?"


class Store:
    """The broker's state. Used by one thread, inside a transaction.

    Attributes
    ----------
    queues : Queues
    exchanges : Exchanges
    destinations : Destinations
    clients : Clients
    samples : Samples
    connection : sqlite3.Connection
    now : int
        Time of the current transaction, in milliseconds since the epoch.
    """

    def __init__(self, database: Database, clock: Clock, meter: Meter, switches: Switches) -> None:
        self._database = database
        self._clock = clock
        self._switches = switches
        self._touched: set[int] = set()
        self.connection = database.connection
        self.samples = Samples(self.connection, meter)
        self.queues = Queues(self.connection, self.samples.queues)
        self.exchanges = Exchanges(self.connection, self.samples.exchanges)
        self.clients = Clients(self.connection)
        self._groups = Groups(self.connection)
        self._arriving = Arriving(self.connection, self.queues, self.exchanges, self._groups, self._touched, switches)
        self._returning = Returning(self.connection, self.queues, self._groups, self._touched, switches)
        self.destinations = Destinations(
            self.connection, self.queues, self.exchanges, self._groups, self._touched, switches, lambda: self.now
        )
        self._sweeper = Sweeper(self.connection, self.queues, self._groups, self._returning, self._touched)
        self.now = 0
        self._is_swept = False

    @property
    def has_more_to_sweep(self) -> bool:
        """Whether another transaction is needed to apply all that time alone has changed."""
        return not self._is_swept or self.queues.has_discarded

    def begin(self) -> None:
        """Open a transaction, fix its time and apply what time alone has changed."""
        self.connection.execute("begin immediate")
        self._touched.clear()
        self.now = int(self._clock.time() * 1_000)
        self.samples.begin(self.now, self._sweeper.sweep)
        self._is_swept = not self._sweeper.sweep(self.now)

    def commit(self) -> None:
        """Make the transaction permanent."""
        self.connection.execute("commit")
        self.samples.kept(self.now)

    def rollback(self) -> None:
        """Undo the transaction, unless SQLite has done so itself."""
        self.samples.forget()
        with suppress(sqlite3.Error):
            self.connection.execute("rollback")

    def savepoint(self) -> None:
        """Mark the place that `undo` goes back to."""
        self.connection.execute("savepoint work")

    def undo(self) -> None:
        """Take back what was done since `savepoint`."""
        self.connection.execute("rollback to work")
        self.connection.execute("release work")

    def keep(self) -> None:
        """Keep what was done since `savepoint`."""
        self.connection.execute("release work")

    def take_touched(self) -> set[int]:
        """Return the queues (their numbers) in which messages may have become visible since the last call."""
        touched = set(self._touched)
        self._touched.clear()
        return touched

    def close(self) -> None:
        """Close the database."""
        self.samples.close()
        self._database.close()

    def next_due(self, queue: QueueRow) -> int | None:
        """Return when, by time alone, the next message may become visible in a queue (milliseconds since the epoch)."""
        # a lock that runs out in a queue whose dead letters come here may send its message here
        feeders = [queue, *self.queues.sources(Address(queue.environment, queue.id))]
        times = [self.connection.execute(NEXT_VISIBLE, (feeder.heap, self.now)).fetchone()[0] for feeder in feeders]
        if queue.stored and (queue.fifo or self._room(queue) <= 0):
            # a message that expires may free its group, or make room for another in flight
            times.append(self.connection.execute(NEXT_EXPIRY, (self.now,)).fetchone()[0])
        return min((time for time in times if time is not None), default=None)

    def publish(self, at: Address, messages: Sequence[NewMessage]) -> None:
        """Append messages to a queue, or to the queues that an exchange passes them on to.

        Raises
        ------
        UnknownDestination
        Unacceptable
            When a FIFO queue may not hold one of them; then it holds none.
        """
        queue = self.queues.find(at)
        if queue is not None:
            self._arriving.append(queue, messages, self.now)
            return
        exchange = self.exchanges.find(at)
        if exchange is None:
            raise UnknownDestination("destination", at.id)
        self._arriving.fan_out(exchange, messages, self.now)

    def receive(self, at: Address, *, limit: int, lock_ttl_ms: int | None, show_up_to: int = SHOW_EVERYTHING) -> list[Delivery]:
        """Lock and return up to `limit` visible messages; bodies of more than `show_up_to` bytes are left out.

        A lock of 0 ms is over at once: the message stays visible, and the delivery counts as a failed one.
        """
        queue = self.queue(at)
        room = min(limit, self._room(queue))
        if room <= 0:
            return []
        if queue.fifo:
            rows = self._groups.take(queue.heap, self.now, room, show_up_to)
        else:
            rows = self.connection.execute(RECEIVE, (show_up_to, queue.heap, self.now, self.now, room)).fetchall()
        if not rows:
            return []
        until = self.now + (queue.default_lock_ttl_ms if lock_ttl_ms is None else lock_ttl_ms)
        tokens = secrets.token_bytes(TOKEN_BYTES * len(rows))
        deliveries = [
            Delivery(seq, tokens[TOKEN_BYTES * n : TOKEN_BYTES * (n + 1)], member, message_id, count + 1, *rest)
            for n, (seq, member, message_id, count, *rest) in enumerate(rows)
        ]
        self.connection.executemany(DELIVER, [(delivery.token, until, delivery.seq) for delivery in deliveries])
        self.queues.count(queue, locked=len(deliveries), received=len(deliveries))
        if queue.fifo:
            self._groups.lend(_members(deliveries))
        if until == self.now:
            returned = [Returned(item.seq, item.deliveries, self.now, item.member) for item in deliveries]
            self._returning.end_locks(queue, returned, ran_out=True)
        elif any(delivery.deliveries >= queue.max_deliveries for delivery in deliveries):
            self._expect_dead_letters(queue)
        return deliveries

    def give_back(self, at: Address, deliveries: Iterable[Delivery]) -> None:
        """Take back deliveries that reached nobody: the messages are as if they had not been received."""
        queue = self.queue(at)
        given = [
            delivery
            for delivery in deliveries
            if self.connection.execute(GIVE_BACK, (self.now, delivery.seq, delivery.token, queue.heap, self.now)).rowcount
        ]
        self.queues.count(queue, locked=-len(given), received=-len(given))
        self._groups.changed(_members(given))
        self._touched.add(queue.pk)

    def copy(self, at: Address, delivery: Delivery) -> None:
        """Put a second copy of a delivered message into its queue, as at-least-once delivery may."""
        queue = self.queue(at)
        copied = self.connection.execute(
            "insert into message(heap, visible_at, expires_at, created, own_ttl, id, size, headers, properties, body, deliveries)"
            " select heap, ?, expires_at, created, own_ttl, id, size, headers, properties, body, deliveries from message"
            " where seq = ? and heap = ? and member is null",
            (self.now, delivery.seq, queue.heap),
        ).rowcount
        self.queues.count(queue, stored=copied)
        self._touched.add(queue.pk)

    def ack(self, at: Address, locks: Sequence[Lock | None]) -> list[bool]:
        """Delete messages; return for each whether its lock was valid."""
        queue = self.queue(at)
        is_late_enough = self._switches.expired_lock == "ack-if-unread" and not queue.fifo
        done: list[bool] = []
        gone: Counter[int] = Counter()
        late = 0
        for lock in locks:
            found = self._delete(ACK, queue, lock)
            if found is None and is_late_enough:
                found = self._delete(ACK_LATE, queue, lock)
                late += found is not None
            done.append(found is not None)
            if found is not None and found[0] is not None:
                gone[found[0]] += 1
        self.queues.count(queue, stored=-sum(done), locked=late - sum(done), acked=sum(done))
        self._groups.changed(gone)
        if gone or self._room(queue) <= 0:  # a group, or room for more in flight, has become free
            self._touched.add(queue.pk)
        return done

    def nack(self, at: Address, locks: Sequence[Lock | None]) -> list[bool]:
        """Return messages to the queue at once; return for each whether its lock was valid."""
        queue = self.queue(at)
        return [self._nack(queue, lock) for lock in locks]

    def change_locks(self, at: Address, changes: Sequence[tuple[Lock | None, int]]) -> list[bool]:
        """Let locks end the given number of milliseconds from now; return for each whether it was valid."""
        queue = self.queue(at)
        self._touched.add(queue.pk)  # a shortened lock brings the next visible message nearer
        self._expect_dead_letters(queue)
        return [self._extend(queue, lock, ttl_ms) if ttl_ms else self._nack(queue, lock) for lock, ttl_ms in changes]

    def queue(self, at: Address) -> QueueRow:
        """Return a queue that messages can be received from.

        Raises
        ------
        UnknownDestination
        NotAQueue
            When it is an exchange.
        """
        queue = self.queues.find(at)
        if queue is None:
            raise NotAQueue if self.exchanges.find(at) else UnknownDestination("destination", at.id)
        return queue

    def _room(self, queue: QueueRow) -> int:
        if not queue.fifo:
            return MAX_IN_FLIGHT - queue.locked
        return SHOW_EVERYTHING if self._switches.fifo_in_flight == "group" else MAX_FIFO_IN_FLIGHT - queue.locked

    def _expect_dead_letters(self, queue: QueueRow) -> None:
        """Let whoever waits for the dead letters of a queue find out anew when there may be one."""
        if queue.dead_letter_address is not None:
            self._touched.add(self.queues.get(queue.dead_letter_address).pk)

    def _delete(self, statement: str, queue: QueueRow, lock: Lock | None) -> tuple[int | None] | None:
        if lock is None:
            return None
        found = self.connection.execute(statement, (lock.seq, lock.token, lock.message_id, queue.heap, self.now)).fetchall()
        return found[0] if found else None

    def _extend(self, queue: QueueRow, lock: Lock | None, ttl_ms: int) -> bool:
        if lock is None:
            return False
        until = self.now + ttl_ms
        found = self.connection.execute(EXTEND, (until, lock.seq, lock.token, lock.message_id, queue.heap, self.now))
        return found.rowcount == 1

    def _nack(self, queue: QueueRow, lock: Lock | None) -> bool:
        if lock is None:
            return False
        found = self.connection.execute(LOCKED, (lock.seq, lock.token, lock.message_id, queue.heap, self.now)).fetchone()
        if found is None:
            return False
        seq, deliveries, member = found
        self._returning.end_locks(queue, [Returned(seq, deliveries, self.now, member)])
        return True


def _members(deliveries: Sequence[Delivery]) -> Counter[int]:
    return Counter(delivery.member for delivery in deliveries if delivery.member is not None)
