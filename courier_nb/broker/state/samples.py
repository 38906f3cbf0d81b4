"""The past, for the Stats API: counts of queues and exchanges by the minute, use of environments by the hour.

A sample holds all counts as they are at the end of its minute, and a minute in which nothing changed has none: the one before
goes on being true. Samples of a minute are written by the first transaction of a later one, so they cost next to nothing; after
a crash they are made up for, because the counts themselves were stored.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import suppress

from courier_nb.broker.state.meter import HOUR_MS, Hour, Meter, Use

MINUTE_MS = 60_000
DAY_MS = 24 * HOUR_MS

_COUNTS = {"queue": "stored, locked, sent, received, acked", "exchange": "published, delivered"}
_LAST = "select max(at) from {kind}_sample where {kind} = pk"
_ADD_USE = (
    "insert into usage(environment, hour, requests, receipts, units, bytes) values (?, ?, ?, ?, ?, ?)"
    " on conflict(environment, hour) do update set requests = requests + excluded.requests,"
    " receipts = receipts + excluded.receipts, units = units + excluded.units, bytes = bytes + excluded.bytes"
)
# From which age on samples are how far apart, and from which age on there are none, as the service documents it.
_THINNED = ((15 * DAY_MS, 5 * MINUTE_MS), (63 * DAY_MS, HOUR_MS))
_KEPT_MS = 457 * DAY_MS
_USAGE_KEPT_MS = 731 * DAY_MS
_MOST_MISSED = 100
_NOTHING: tuple[frozenset[int], frozenset[int]] = (frozenset(), frozenset())
_MINUTES_A_DAY = DAY_MS // MINUTE_MS

NEXT_LOCK_END = "select min(visible_at) from message indexed by message_locked where token is not null"
NEXT_EXPIRY = "select min(expires_at) from message indexed by message_expiry"


class Samples:
    """Writes samples and use down, inside whatever transaction is open.

    Attributes
    ----------
    queues, exchanges : set of int
        Those whose counts have changed since their last sample.
    """

    def __init__(self, connection: sqlite3.Connection, meter: Meter) -> None:
        self._connection = connection
        self._meter = meter
        self.queues = self._without_sample("queue")
        self.exchanges = self._without_sample("exchange")
        found = connection.execute("select value from meta where key = 'minute'").fetchone()
        self._minute = 0 if found is None else int(found[0])  # of the last transaction
        self._uncertain = _NOTHING
        self._written: list[dict[Hour, Use]] = []
        self._thinned: dict[tuple[str, int], int] = {}  # queue or exchange to the day on which its old samples were seen to

    def begin(self, now: int, sweep: Callable[[int], bool]) -> None:
        """Write what a minute that is over has left; to be called first in a transaction.

        Parameters
        ----------
        now : int
            Milliseconds since the epoch.
        sweep : callable
            Applies what time alone has changed until then; returns whether it left something to be applied.
        """
        minute = now // MINUTE_MS
        if minute == self._minute:
            return
        self._uncertain = frozenset(self.queues), frozenset(self.exchanges)
        self.write_use()
        self._write((self._minute + 1) * MINUTE_MS)
        self._catch_up(now, sweep)
        self._connection.execute("insert or replace into meta(key, value) values ('minute', ?)", (minute,))
        if minute // _MINUTES_A_DAY != self._minute // _MINUTES_A_DAY:
            self._connection.execute("delete from usage where hour < ?", (now - _USAGE_KEPT_MS,))

    def write_use(self) -> None:
        """Write the use that was counted since the last time."""
        use = self._meter.take()
        self._written.append(use)
        self._connection.executemany(_ADD_USE, [(*hour, *part) for hour, part in use.items()])

    def kept(self, now: int) -> None:
        """The transaction was committed."""
        self._minute = now // MINUTE_MS
        self._uncertain = _NOTHING
        self._written.clear()

    def forget(self) -> None:
        """The transaction came to nothing: what it wrote is to be written again."""
        for changed, uncertain in zip((self.queues, self.exchanges), self._uncertain, strict=True):
            changed |= uncertain
        while self._written:
            self._meter.put_back(self._written.pop())

    def close(self) -> None:
        """Write the use that is left, in a transaction of its own."""
        with suppress(sqlite3.Error):
            self._connection.execute("begin immediate")
            self.write_use()
            self._connection.execute("commit")

    def _without_sample(self, kind: str) -> set[int]:
        """Return the queues or exchanges whose counts are not those of their last sample: nobody came to write it."""
        counts = _COUNTS[kind].split(", ")
        same = " and ".join(f"last.{count} = {kind}.{count}" for count in counts)
        last = f"select 1 from {kind}_sample as last where last.{kind} = pk and {same} and last.at = ({_LAST.format(kind=kind)})"  # noqa: S608
        found = self._connection.execute(
            f"select pk from {kind} where {' + '.join(counts)} > 0 and not exists ({last})"  # noqa: S608  # names of ours
        )
        return {pk for (pk,) in found}

    def _catch_up(self, now: int, sweep: Callable[[int], bool]) -> None:
        """Write the counts of past minutes in which nobody did anything, but a lock ended or a message expired."""
        for _ in range(_MOST_MISSED):
            ends = [self._connection.execute(statement).fetchone()[0] for statement in (NEXT_LOCK_END, NEXT_EXPIRY)]
            minutes = [-(-end // MINUTE_MS) * MINUTE_MS for end in ends if end is not None]
            # the rest of what is too much for one transaction counts as of now
            if not minutes or min(minutes) > now or sweep(min(minutes)):
                return
            self._write(min(minutes))

    def _write(self, at: int) -> None:
        """Write the counts that have changed, as those at the end of a minute."""
        for kind, changed in (("queue", self.queues), ("exchange", self.exchanges)):
            counts = _COUNTS[kind]
            self._connection.executemany(
                f"insert or replace into {kind}_sample({kind}, at, {counts}) select pk, ?, {counts} from {kind} where pk = ?",  # noqa: S608
                [(at, pk) for pk in changed],
            )
            for pk in changed:
                if self._thinned.get((kind, pk)) != at // DAY_MS:
                    self._thinned[kind, pk] = at // DAY_MS
                    self._thin_out(kind, pk, at)
            changed.clear()

    def _thin_out(self, kind: str, pk: int, now: int) -> None:
        """Leave only the last of the old samples in each stretch of time, and let it stand at the end of the stretch."""
        table = f"{kind}_sample"
        later = f"select 1 from {table} as later where later.{kind} = {table}.{kind} and later.at > {table}.at"  # noqa: S608
        for age, step in _THINNED:
            until = (now - age) // step * step
            self._connection.execute(
                f"delete from {table} where {kind} = ? and at < ? and at % ? != 0"  # noqa: S608
                f" and exists ({later} and later.at <= ({table}.at / ? + 1) * ?)",
                (pk, until, step, step, step),
            )
            self._connection.execute(
                f"update {table} set at = (at / ? + 1) * ? where {kind} = ? and at < ? and at % ? != 0",  # noqa: S608
                (step, step, pk, until, step),
            )
        # the last of them stays: it says what the counts were until the first that is young enough
        self._connection.execute(
            f"delete from {table} where {kind} = ? and at < ? and exists ({later} and later.at <= ?)",  # noqa: S608
            (pk, now - _KEPT_MS, now - _KEPT_MS),
        )
