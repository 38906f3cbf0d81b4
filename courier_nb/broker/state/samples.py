"""The past, for the Stats API: counts of queues and exchanges by the minute, use of environments by the hour.

Counts only ever grow and a sample holds all of them, so older samples can be thinned out without a sum becoming wrong.
"""

from __future__ import annotations

import sqlite3

from courier_nb.broker.state.meter import Meter, Use

MINUTE_MS = 60_000
HOUR_MS = 60 * MINUTE_MS
DAY_MS = 24 * HOUR_MS

_QUEUES = (
    "insert or replace into queue_sample(queue, at, stored, locked, sent, received, acked)"
    " select pk, ?, stored, locked, sent, received, acked from queue where pk = ?"
)
_EXCHANGES = (
    "insert or replace into exchange_sample(exchange, at, published, delivered) select pk, ?, published, delivered"
    " from exchange where pk = ?"
)
# How long points of which distance are kept, as the service documents it.
_KEPT = ((15 * DAY_MS, 5 * MINUTE_MS), (63 * DAY_MS, HOUR_MS), (457 * DAY_MS, None))


class Samples:
    """Writes samples down, inside whatever transaction is open.

    Attributes
    ----------
    queues, exchanges : set of int
        Those whose counts have changed since their last sample; after a start that is not known, so it is all.
    """

    def __init__(self, connection: sqlite3.Connection, meter: Meter) -> None:
        self.queues = {pk for (pk,) in connection.execute("select pk from queue")}
        self.exchanges = {pk for (pk,) in connection.execute("select pk from exchange")}
        self._connection = connection
        self._meter = meter
        self._last = 0
        self._written: dict[int, Use] = {}

    def tick(self, now: int) -> None:
        """Write a sample of what changed in a minute that is over; note the use."""
        if self._last and now // MINUTE_MS > self._last // MINUTE_MS:
            at = (self._last // MINUTE_MS + 1) * MINUTE_MS
            self._connection.executemany(_QUEUES, [(at, pk) for pk in self.queues])
            self._connection.executemany(_EXCHANGES, [(at, pk) for pk in self.exchanges])
            self.queues.clear()
            self.exchanges.clear()
            if now // DAY_MS > self._last // DAY_MS:
                self._thin_out(now)
        self._last = now
        self._written = self._meter.take()
        self._connection.executemany(
            "insert into usage(environment, hour, requests, receipts, bytes) values (?, ?, ?, ?, ?)"
            " on conflict(environment, hour) do update set requests = requests + excluded.requests,"
            " receipts = receipts + excluded.receipts, bytes = bytes + excluded.bytes",
            [(environment, now // HOUR_MS * HOUR_MS, *use) for environment, use in self._written.items()],
        )

    def forget(self) -> None:
        """The transaction came to nothing: count its use again later."""
        self._meter.put_back(self._written)
        self._written = {}

    def _thin_out(self, now: int) -> None:
        for table in ("queue_sample", "exchange_sample"):
            for age, distance in _KEPT:
                odd = "" if distance is None else f" and at % {distance} != 0"
                self._connection.execute(f"delete from {table} where at < ?{odd}", (now - age,))  # noqa: S608  # our own
