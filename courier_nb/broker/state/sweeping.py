"""What time alone does: messages expire, locks run out, emptied queues give up their rows.

A bounded number in each transaction, so that a hundred thousand locks that run out at once do not hold up everybody.
"""

from __future__ import annotations

import sqlite3
from collections import Counter, defaultdict
from collections.abc import Sequence

from courier_nb.broker.state.groups import Groups
from courier_nb.broker.state.queues import Queues
from courier_nb.broker.state.returning import Returned, Returning

AT_ONCE = 500

# Named indexes, because SQLite would rather read a whole queue in order than a few rows and sort them.
LOST_LOCKS = (
    "select heap, seq, deliveries, visible_at, member, expires_at <= visible_at from message indexed by message_locked"
    " where token is not null and visible_at <= ? order by visible_at limit ?"
)
EXPIRED = "select heap, seq, member, token is not null from message indexed by message_expiry where expires_at <= ? limit ?"
DISCARDED = "select seq from message indexed by message_visible where heap = ? limit ?"
ABANDONED = "select pk from message_group where heap = ? limit ?"
FORGOTTEN = "select queue, id from repeated indexed by repeated_until where until <= ? limit ?"


class Sweeper:
    """Applies the passing of time, inside whatever transaction is open.

    Parameters
    ----------
    touched : set of int
        Takes the numbers of the queues in which a message may be received because another is gone.
    """

    def __init__(
        self, connection: sqlite3.Connection, queues: Queues, groups: Groups, returning: Returning, touched: set[int]
    ) -> None:
        self._connection = connection
        self._queues = queues
        self._groups = groups
        self._returning = returning
        self._touched = touched

    def sweep(self, now: int) -> bool:
        """Deal with what is over at `now` (milliseconds since the epoch); return whether there is more to be dealt with."""
        done = [self._end_locks(now), self._empty(), self._forget(now)]
        if done[0] < AT_ONCE:
            # Only now: a lock may have run out, and made the message a dead letter with a time of its own, before it expired.
            done.append(self._expire(now))
        return max(done) == AT_ONCE or self._queues.has_discarded

    def _expire(self, now: int) -> int:
        rows = self._connection.execute(EXPIRED, (now, AT_ONCE)).fetchall()
        self._remove(rows)
        return len(rows)

    def _remove(self, rows: Sequence[tuple[int, int, int | None, int]]) -> None:
        """Delete expired messages: each its heap, its row, its group, whether it is locked."""
        stored: Counter[int] = Counter()
        locked: Counter[int] = Counter()
        members: Counter[int] = Counter()
        for heap, _, member, is_locked in rows:
            stored[heap] += 1
            locked[heap] += is_locked
            if member is not None:
                members[member] += is_locked
        self._connection.executemany("delete from message where seq = ?", [(row[1],) for row in rows])
        self._groups.changed(members)
        for heap, count in stored.items():
            queue = self._queues.by_heap(heap)
            if queue is not None:  # else it was purged or deleted meanwhile, and counts nothing any more
                self._queues.count(queue, stored=-count, locked=-locked[heap])
                self._touched.add(queue.pk)

    def _end_locks(self, now: int) -> int:
        lost: dict[int, list[Returned]] = defaultdict(list)
        expired: list[tuple[int, int, int | None, int]] = []
        rows = self._connection.execute(LOST_LOCKS, (now, AT_ONCE)).fetchall()
        for heap, seq, deliveries, ended_at, member, has_expired_first in rows:
            if has_expired_first:
                expired.append((heap, seq, member, True))
            else:
                lost[heap].append(Returned(seq, deliveries, ended_at, member))
        self._remove(expired)
        for heap, returned in lost.items():
            queue = self._queues.by_heap(heap)
            if queue is None:
                self._connection.executemany("update message set token = null where seq = ?", [(row.seq,) for row in returned])
            else:
                self._returning.end_locks(queue, returned, ran_out=True)
        return len(rows)

    def _empty(self) -> int:
        if not self._queues.has_discarded:
            return 0
        heap = self._connection.execute("select min(heap) from discarded").fetchone()[0]
        if heap is None:
            self._queues.has_discarded = False
            return 0
        # first all messages, then their groups: the number of a group that is gone may be given to another
        messages = self._connection.execute(DISCARDED, (heap, AT_ONCE)).fetchall()
        self._connection.executemany("delete from message where seq = ?", messages)
        groups = self._connection.execute(ABANDONED, (heap, AT_ONCE - len(messages))).fetchall()
        self._connection.executemany("delete from message_group where pk = ?", groups)
        if len(messages) + len(groups) < AT_ONCE:
            self._connection.execute("delete from discarded where heap = ?", (heap,))
        return len(messages) + len(groups)

    def _forget(self, now: int) -> int:
        rows = self._connection.execute(FORGOTTEN, (now, AT_ONCE)).fetchall()
        self._connection.executemany("delete from repeated where queue = ? and id = ?", rows)
        return len(rows)
