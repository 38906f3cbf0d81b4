"""What time alone does: messages expire, locks run out, emptied queues give up their rows.

A bounded number in each transaction, so that a hundred thousand locks that run out at once do not hold up everybody.
"""

from __future__ import annotations

import sqlite3
from collections import Counter, defaultdict

from courier_nb.broker.state.groups import Groups
from courier_nb.broker.state.queues import Queues
from courier_nb.broker.state.returning import Returned, Returning

AT_ONCE = 2_000

# Named indexes, because SQLite would rather read a whole queue in order than a few rows and sort them.
LOST_LOCKS = (
    "select heap, seq, deliveries, visible_at, member from message indexed by message_locked"
    " where token is not null and visible_at <= ? order by visible_at limit ?"
)
EXPIRED = "select heap, seq, member, token is not null from message indexed by message_expiry where expires_at <= ? limit ?"
DISCARDED = "select seq, member from message indexed by message_visible where heap = ? limit ?"
FORGOTTEN = "select queue, id from repeated indexed by repeated_until where until <= ? limit ?"


class Sweeper:
    """Applies the passing of time, inside whatever transaction is open."""

    def __init__(self, connection: sqlite3.Connection, queues: Queues, groups: Groups, returning: Returning) -> None:
        self._connection = connection
        self._queues = queues
        self._groups = groups
        self._returning = returning

    def sweep(self, now: int) -> bool:
        """Deal with what is over at `now` (milliseconds since the epoch); return whether there is more to be dealt with."""
        done = [self._expire(now), self._end_locks(now), self._empty(), self._forget(now)]
        return max(done) == AT_ONCE or self._queues.has_discarded

    def _expire(self, now: int) -> int:
        rows = self._connection.execute(EXPIRED, (now, AT_ONCE)).fetchall()
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
        return len(rows)

    def _end_locks(self, now: int) -> int:
        lost: dict[int, list[Returned]] = defaultdict(list)
        rows = self._connection.execute(LOST_LOCKS, (now, AT_ONCE)).fetchall()
        for heap, *row in rows:
            lost[heap].append(Returned(*row))
        for heap, returned in lost.items():
            queue = self._queues.by_heap(heap)
            if queue is None:
                self._connection.executemany("update message set token = null where seq = ?", [(row.seq,) for row in returned])
            else:
                self._returning.end_locks(queue, returned, now, ran_out=True)
        return len(rows)

    def _empty(self) -> int:
        if not self._queues.has_discarded:
            return 0
        heap = self._connection.execute("select min(heap) from discarded").fetchone()[0]
        if heap is None:
            self._queues.has_discarded = False
            return 0
        rows = self._connection.execute(DISCARDED, (heap, AT_ONCE)).fetchall()
        self._connection.executemany("delete from message where seq = ?", [(seq,) for seq, _ in rows])
        self._connection.executemany(
            "delete from message_group where pk = ?",
            [(member,) for member in {member for _, member in rows} if member is not None],
        )
        if len(rows) < AT_ONCE:
            self._connection.execute("delete from discarded where heap = ?", (heap,))
        return len(rows)

    def _forget(self, now: int) -> int:
        rows = self._connection.execute(FORGOTTEN, (now, AT_ONCE)).fetchall()
        self._connection.executemany("delete from repeated where queue = ? and id = ?", rows)
        return len(rows)
