"""What happens when a lock ends without an ack: back into the queue, or to the dead-letter queue."""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

from courier_nb.broker.config.switches import Switches
from courier_nb.broker.state.groups import Groups
from courier_nb.broker.state.queues import QueueRow, Queues

RETURN = "update message set token = null, spent = case when ? then token end, visible_at = ? where seq = ?"
_MOVE = (
    "update message set seq = ?, heap = ?, member = ?, token = null, spent = null, visible_at = ?,"
    " deliveries = iif(?, deliveries, 0), created = ?, expires_at = ? where seq = ?"
)


class Returned(NamedTuple):
    """A locked message that comes back: its row, how often it was delivered, when its lock ended, its message group."""

    seq: int
    deliveries: int
    visible_at: int
    member: int | None


class Returning:
    """Ends locks, inside whatever transaction is open.

    Parameters
    ----------
    touched : set of int
        Takes the numbers of the queues in which messages became visible.
    """

    def __init__(
        self, connection: sqlite3.Connection, queues: Queues, groups: Groups, touched: set[int], switches: Switches
    ) -> None:
        self._connection = connection
        self._queues = queues
        self._groups = groups
        self._touched = touched
        self._switches = switches

    def end_locks(self, queue: QueueRow, rows: Sequence[Returned], *, ran_out: bool = False) -> None:
        """End the locks of messages of one queue; this is where exhausted ones are sent to the dead-letter queue.

        Parameters
        ----------
        queue : QueueRow
        rows : sequence of Returned
        ran_out : bool
            Whether the locks ran out, rather than being given up.
        """
        spent = [row for row in rows if queue.dead_letter_queue is not None and row.deliveries >= queue.max_deliveries]
        kept = [row for row in rows if queue.dead_letter_queue is None or row.deliveries < queue.max_deliveries]
        # whoever held the lock may still ack with it, if a switch says so
        is_good = ran_out and self._switches.expired_lock == "ack-if-unread"
        self._connection.executemany(RETURN, [(is_good, row.visible_at, row.seq) for row in kept])
        self._queues.count(queue, locked=-len(kept))
        if spent:
            self._dead_letter(queue, spent)
        self._groups.changed(Counter(row.member for row in rows if row.member is not None))
        self._touched.add(queue.pk)

    def _dead_letter(self, queue: QueueRow, rows: Sequence[Returned]) -> None:
        address = queue.dead_letter_address
        assert address is not None  # noqa: S101  # rows are only exhausted when there is a dead-letter queue
        target = self._queues.get(address)
        # in the order in which they died, which may be long ago if nobody has looked since
        for row in sorted(rows, key=lambda row: (row.visible_at, row.seq)):
            self._move(target, row)
        self._queues.count(queue, stored=-len(rows), locked=-len(rows))
        self._queues.count(target, stored=len(rows))
        self._touched.add(target.pk)

    def _move(self, target: QueueRow, row: Returned) -> None:
        created, own_ttl, expires_at = self._connection.execute(
            "select created, own_ttl, expires_at from message where seq = ?", (row.seq,)
        ).fetchone()
        # The clock goes on from the first publishing in standard queues and starts again in FIFO queues, as in SQS.
        if self._switches.dead_letter_created == "reset" or (self._switches.dead_letter_created == "sqs" and target.fifo):
            created = row.visible_at
            expires_at = created + (target.default_ttl_ms if own_ttl is None else own_ttl)
        elif own_ttl is None:
            expires_at = created + target.default_ttl_ms
        seq, member = row.seq, None
        if row.member is not None:
            # behind everything that is there already: order in a group is the order of arrival
            seq = self._connection.execute("select max(seq) + 1 from message").fetchone()[0]
            member = self._groups.join(target.heap, self._groups.name(row.member), seq, row.visible_at)
        keep_count = self._switches.dead_letter_count == "continue"
        self._connection.execute(_MOVE, (seq, target.heap, member, row.visible_at, keep_count, created, expires_at, row.seq))
