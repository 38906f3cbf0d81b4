"""Message groups of FIFO queues: who is next, and which groups have to wait because a message of theirs is in flight.

A row for each group that holds messages, kept up to date by every change, makes a receive cost the same whatever the queue
looks like; looking for the oldest message whose group is free would read everything behind a locked group.
"""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Sequence
from typing import Any

from courier_nb.broker.state.messages import NewMessage

DEFAULT_GROUP = ""  # of messages that name none; no client can name it, as a group's name is not empty
DEDUPLICATION_MS = 5 * 60_000

READY = (
    "select pk from message_group indexed by message_group_ready where heap = ? and inflight = 0 and ready_at <= ?"
    " order by ready_at, head limit ?"
)
RUN = (
    "select seq, member, id, deliveries, created, headers, properties, case when size <= ? then body end, visible_at, expires_at"
    " from message indexed by message_member where member = ? order by seq limit ?"
)
HEAD = "select seq, visible_at from message indexed by message_member where member = ? order by seq limit 1"
_REMEMBER = (
    "insert into repeated(queue, id, until) values (?, ?, ?) on conflict(queue, id) do update set until = excluded.until"
    " where until <= ?"
)


class Groups:
    """The groups of all FIFO queues, inside whatever transaction is open."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def fresh(self, queue: int, messages: Sequence[NewMessage], now: int) -> list[NewMessage]:
        """Return the messages whose id this queue has not taken in the last five minutes, and remember their ids."""
        until = now + DEDUPLICATION_MS
        return [
            message for message in messages if self._connection.execute(_REMEMBER, (queue, message.id, until, now)).rowcount == 1
        ]

    def join(self, heap: int, name: str, seq: int, visible_at: int) -> int:
        """Return the number of a group that is to hold a message; one that held none begins with this."""
        found = self._connection.execute("select pk from message_group where heap = ? and name = ?", (heap, name)).fetchone()
        if found is None:
            found = self._connection.execute(
                "insert into message_group(heap, name, head, ready_at) values (?, ?, ?, ?) returning pk",
                (heap, name, seq, visible_at),
            ).fetchone()
        return int(found[0])

    def name(self, member: int) -> str:
        """Return what a group is called."""
        return str(self._connection.execute("select name from message_group where pk = ?", (member,)).fetchone()[0])

    def take(self, heap: int, now: int, limit: int, show_up_to: int) -> list[tuple[Any, ...]]:
        """Return the messages to be given out next: of the group that has waited longest as many as there are, then of others."""
        rows: list[tuple[Any, ...]] = []
        for (member,) in self._connection.execute(READY, (heap, now, limit)).fetchall():
            rows += self._run(member, now, limit - len(rows), show_up_to)
            if len(rows) == limit:
                break
        return rows

    def lend(self, members: Counter[int]) -> None:
        """Note that so many messages of each group are in flight."""
        self._connection.executemany(
            "update message_group set inflight = inflight + ? where pk = ?",
            [(count, member) for member, count in members.items()],
        )

    def changed(self, members: Counter[int]) -> None:
        """Note that so many messages of each group came back or are gone, and find out which is now its first."""
        for member, released in members.items():
            head = self._connection.execute(HEAD, (member,)).fetchone()
            if head is None:
                self._connection.execute("delete from message_group where pk = ?", (member,))
            else:
                self._connection.execute(
                    "update message_group set inflight = inflight - ?, head = ?, ready_at = ? where pk = ?",
                    (released, *head, member),
                )

    def due_again(self, heap: int) -> None:
        """Take the times of all groups of a queue from their first messages again."""
        self._connection.execute(
            "update message_group set ready_at = (select visible_at from message where seq = head) where heap = ?", (heap,)
        )

    def _run(self, member: int, now: int, limit: int, show_up_to: int) -> list[tuple[Any, ...]]:
        """Return the first visible messages of a group, in order."""
        rows = []
        for *row, visible_at, expires_at in self._connection.execute(RUN, (show_up_to, member, limit)):
            if visible_at > now:
                break
            if expires_at > now:
                rows.append(tuple(row))
        return rows
