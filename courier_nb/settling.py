"""The verbs that settle what was received: ack, nack, extend."""

from __future__ import annotations

import time
from dataclasses import replace

from courier_nb.calls import DestinationCalls
from courier_nb.core.progress import Counter, show
from courier_nb.core.units import Duration, milliseconds
from courier_nb.flows.reports import Report
from courier_nb.flows.settle import SettleVerb, settle
from courier_nb.flows.sources import Rows, held_rows
from courier_nb.flows.stops import calls_at_a_time


class SettlingVerbs(DestinationCalls):
    """Ack, nack and extend."""

    async def ack(self, rows: Rows, *, concurrency: int = 8, progress: bool = True) -> Report:
        """Delete received messages for good (operation 3, in batches of ten).

        Parameters
        ----------
        rows : DataFrame, Received or sequence of Message
            What `receive` gave, or a part of it.
        concurrency : int
        progress : bool

        Returns
        -------
        Report
            One outcome a row, in order: ``ok``, ``lost_lock`` (not deleted, it will come again), ``unknown``.

        Raises
        ------
        FrameError
            When a row holds no lock or is of another destination; nothing was sent.
        Forbidden, DestinationNotFound, Unauthorized, Unreachable
            When nothing could be done at all.
        """
        return await self._settle("ack", rows, 0, concurrency, progress)

    async def nack(self, rows: Rows, *, concurrency: int = 8, progress: bool = True) -> Report:
        """Return received messages to the queue (operation 5, in batches of ten).

        A message that has used up its deliveries goes to the dead-letter queue. Parameters, result and errors as in `ack`.
        """
        return await self._settle("nack", rows, 0, concurrency, progress)

    async def extend(self, rows: Rows, lock_ttl: Duration, *, concurrency: int = 8, progress: bool = True) -> Report:
        """Let the locks of received messages end `lock_ttl` from now (operation 4, in batches of ten), at most 12 h.

        The unit of this call is disputed (``lock_ttl_unit`` of the client); where a long lock is needed, ask for it at
        `receive`. Rows, result and errors as in `ack`.
        """
        return await self._settle("extend", rows, milliseconds(lock_ttl, name="lock_ttl"), concurrency, progress)

    async def _settle(self, verb: SettleVerb, rows: Rows, lock_ms: int, concurrency: int, progress: bool) -> Report:
        later = self._connection.session.extended_locks
        held = [replace(row, expires=max(row.expires, later.get(row.lock_id, 0.0))) for row in held_rows(rows, self.id)]
        operations = await self._connection.operations()
        counter = Counter(f"{verb} {self.id}", total=len(held))
        async with self._connection.run(verb, self.id), show(counter, progress):
            report = await settle(
                operations, verb, self.id, held, lock_ms=lock_ms, concurrency=calls_at_a_time(concurrency), counter=counter
            )
        for row, outcome in zip(held, report.outcomes, strict=True):
            if outcome.kind == "ok" and verb == "extend":
                later[row.lock_id] = time.time() + lock_ms / 1_000
            elif outcome.kind == "ok":
                later.pop(row.lock_id, None)
        return report
