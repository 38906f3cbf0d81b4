"""What the lines of a replay ledger add up to, row by row.

Kept in a temporary database that is gone with the process, so that memory does not grow with the ledger; the chain is the truth.
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import Any, Literal, get_args

from courier_nb.core.moments import Moment
from courier_nb.storage.replays.rowkeys import nth_key

State = Literal["sent", "confirmed", "unknown", "refused", "assumed", "done"]
"""``sent``: nobody knows (a kill came before the answer). ``unknown``: the answer was not certain. ``assumed``: unknown, and
taken as arrived by the user. ``refused``: certainly not taken. ``done``: confirmed, and the original was acknowledged."""

STATES: tuple[State, ...] = get_args(State)
UNCERTAIN: frozenset[State] = frozenset({"sent", "unknown"})
ARRIVED: frozenset[State] = frozenset({"confirmed", "assumed", "done"})

_SCHEMA = """
pragma journal_mode = off;
pragma synchronous = off;
pragma cache_size = -16000;
create table word (id integer primary key, text text unique not null);
create table entry (
    key blob primary key, state text not null, run integer not null, grp blob, sends integer not null,
    wall real not null, boot integer not null, since_boot real not null, reason integer not null,
    deliveries integer
) without rowid;
create index uncertain on entry (grp) where grp is not null and state in ('sent', 'unknown');
create table occurrence (content blob primary key, n integer not null) without rowid;
create table present (key blob primary key) without rowid;
"""
_SENT = """
insert into entry values (?, 'sent', ?, ?, 1, ?, ?, ?, ?, ?)
on conflict (key) do update set state = 'sent', sends = sends + 1, reason = excluded.reason,
deliveries = excluded.deliveries,
run = case state when 'refused' then excluded.run else run end
"""
_SENT_ANEW = _SENT + ", wall = excluded.wall, boot = excluded.boot, since_boot = excluded.since_boot"


@dataclass(frozen=True, slots=True)
class Known:
    """What is known of a row.

    Attributes
    ----------
    state : State
    run : str
        The run that sent it first and was not refused; its new message id is made from that.
    sends : int
        How often it was sent.
    window : Moment
        When it was sent first since the last time that anybody decided to send it again: until five minutes later a FIFO queue
        drops a repetition.
    reason : str
    deliveries : int or None
        How often the original had been delivered when it was sent last; None where that is not known.
    """

    state: State
    run: str
    sends: int
    window: Moment
    reason: str
    deliveries: int | None


class LedgerIndex:
    """Rows of one target, by key."""

    def __init__(self) -> None:
        self._using = threading.Lock()  # rows are looked up in one thread while another writes
        self._db = sqlite3.connect("", isolation_level=None, check_same_thread=False)
        self._db.executescript(_SCHEMA)
        self._words: dict[str, int] = {}

    def close(self) -> None:
        self._db.close()

    def apply(self, entries: Sequence[Mapping[str, Any]]) -> None:
        """Take in lines of the ledger that are about rows of this target."""
        with self._using, closing(self._db.cursor()) as cursor:
            cursor.execute("begin")
            for entry in entries:
                keys = [bytes.fromhex(key) for key in entry["keys"]]
                if entry["kind"] == "sent":
                    self._sent(cursor, entry, keys)
                else:
                    reason = self._word(cursor, entry.get("reason", ""))
                    cursor.executemany(
                        "update entry set state = ?, reason = ? where key = ?", [(entry["kind"], reason, key) for key in keys]
                    )
            cursor.execute("commit")

    def look(self, keys: Sequence[bytes]) -> list[Known | None]:
        """Return what is known of each row, None where it was never sent."""
        query = (
            "select state, r.text, sends, wall, b.text, since_boot, w.text, deliveries from entry "
            "join word r on r.id = run join word b on b.id = boot join word w on w.id = reason where key = ?"
        )
        with self._using, closing(self._db.cursor()) as cursor:
            rows = [cursor.execute(query, (key,)).fetchone() for key in keys]
        return [None if r is None else Known(r[0], r[1], r[2], Moment(r[3], r[4], r[5]), r[6], r[7]) for r in rows]

    def numbered(self, contents: Sequence[bytes]) -> list[bytes]:
        """Return the key of each row of a source, in order: rows of equal content get different keys."""
        found = []
        with self._using, closing(self._db.cursor()) as cursor:
            for content in contents:
                (n,) = cursor.execute(
                    "insert into occurrence values (?, 0) on conflict (content) do update set n = n + 1 returning n", (content,)
                ).fetchone()
                found.append(nth_key(content, n))
        return found

    def start_over(self) -> None:
        """Let the next row be the first of its source."""
        with self._using:
            self._db.execute("delete from occurrence")

    def note_present(self, keys: Sequence[bytes]) -> None:
        """Remember that these rows are in the source."""
        with self._using:
            self._db.executemany("insert or ignore into present values (?)", [(key,) for key in keys])

    def uncertain_groups_elsewhere(self) -> dict[bytes, str]:
        """Return the groups with a row of which nobody knows and that is not in the source, each with the run that sent it."""
        query = (
            "select grp, min(text) from entry join word on word.id = run where grp is not null and state in ('sent', 'unknown') "
            "and key not in (select key from present) group by grp"
        )
        with self._using, closing(self._db.cursor()) as cursor:
            return dict(cursor.execute(query).fetchall())

    def _sent(self, cursor: sqlite3.Cursor, entry: Mapping[str, Any], keys: Sequence[bytes]) -> None:
        run, boot, none = (self._word(cursor, text) for text in (entry["run"], entry["boot"], ""))
        groups = entry.get("groups") or [None] * len(keys)
        deliveries = entry.get("deliveries") or [None] * len(keys)
        cursor.executemany(
            _SENT if entry.get("again") else _SENT_ANEW,
            [
                (key, run, None if group is None else bytes.fromhex(group), entry["wall"], boot, entry["since_boot"], none, count)
                for key, group, count in zip(keys, groups, deliveries, strict=True)
            ],
        )

    def _word(self, cursor: sqlite3.Cursor, text: str) -> int:
        known = self._words.get(text)
        if known is None:
            cursor.execute("insert into word (text) values (?) on conflict do nothing", (text,))
            (known,) = cursor.execute("select id from word where text = ?", (text,)).fetchone()
            self._words[text] = known
        return known


def chunks(entries: Iterator[Mapping[str, Any]], size: int) -> Iterator[list[Mapping[str, Any]]]:
    """Yield entries in lists of at most `size`."""
    chunk: list[Mapping[str, Any]] = []
    for entry in entries:
        chunk.append(entry)
        if len(chunk) == size:
            yield chunk
            chunk = []
    if chunk:
        yield chunk
