"""The verbs that settle what was received: ack, nack, extend."""

from __future__ import annotations

from courier_nb.calls import DestinationCalls
from courier_nb.core.errors import FrameError
from courier_nb.core.progress import Counter, show
from courier_nb.core.rates import Rate
from courier_nb.core.units import Duration, milliseconds
from courier_nb.flows.plans import Plan
from courier_nb.flows.reports import Report
from courier_nb.flows.settle import SettleVerb, settle
from courier_nb.flows.sources import Rows, held_rows
from courier_nb.flows.stops import calls_at_a_time


class SettlingVerbs(DestinationCalls):
    """Ack, nack and extend."""

    async def ack(
        self,
        rows: Rows,
        *,
        dry_run: bool = False,
        confirm: str | None = None,
        rate: Rate | str | None = None,
        concurrency: int = 8,
        progress: bool = True,
    ) -> Report | Plan:
        """Delete received messages for good (operation 3, in batches of ten).

        Parameters
        ----------
        rows : DataFrame, Received or sequence of Message
            What `receive` gave, or a part of it.
        dry_run : bool
            Return the plan and send nothing that changes anything.
        confirm : str, optional
            This destination's name, which is asked for in production.
        rate : Rate or str, optional
            How fast to go, such as ``"100 msg/s"``; a lock may run out while its message waits. See ``docs/rates.md``.
        concurrency : int
        progress : bool

        Returns
        -------
        Report or Plan
            One outcome a row, in order: ``ok``, ``lost_lock`` (not deleted, it will come again), ``unknown``.

        Raises
        ------
        FrameError
            When a row holds no lock or is of another destination; nothing was sent.
        ReadOnly, ConfirmationNeeded, JournalUnwritable
            When the guards or the journal forbid it; nothing was sent.
        Forbidden, DestinationNotFound, Unauthorized, Unreachable
            When nothing could be done at all.
        """
        if not dry_run:
            await self._connection.permit("ack", self.id, confirm)
        return await self._settle("ack", rows, 0, dry_run, confirm, rate, concurrency, progress)

    async def nack(
        self,
        rows: Rows,
        *,
        dry_run: bool = False,
        rate: Rate | str | None = None,
        concurrency: int = 8,
        progress: bool = True,
    ) -> Report | Plan:
        """Return received messages to the queue (operation 5, in batches of ten).

        A message that has used up its deliveries goes to the dead-letter queue. Parameters, result and errors as in `ack`.
        """
        return await self._settle("nack", rows, 0, dry_run, None, rate, concurrency, progress)

    async def extend(
        self,
        rows: Rows,
        lock_ttl: Duration,
        *,
        dry_run: bool = False,
        rate: Rate | str | None = None,
        concurrency: int = 8,
        progress: bool = True,
    ) -> Report | Plan:
        """Let the locks of received messages end `lock_ttl` from now (operation 4, in batches of ten), at most 12 h.

        The unit of this call is disputed (``lock_ttl_unit`` of the client); where a long lock is needed, ask for it at
        `receive`. Rows, result and errors as in `ack`.
        """
        lock_ms = milliseconds(lock_ttl, name="lock_ttl")
        return await self._settle("extend", rows, lock_ms, dry_run, None, rate, concurrency, progress)

    async def _settle(
        self,
        verb: SettleVerb,
        rows: Rows,
        lock_ms: int,
        dry_run: bool,
        confirm: str | None,
        rate: Rate | str | None,
        concurrency: int,
        progress: bool,
    ) -> Report | Plan:
        if dry_run:
            return await self._plan(verb, rows, rate, concurrency)
        keeper = self._connection.keeper
        held = keeper.known(held_rows(rows, self.id))
        operations = await self._connection.operations(rate)
        counter = Counter(f"{verb} {self.id}", total=len(held))
        until = keeper.now + lock_ms / 1_000
        async with self._connection.run(verb, self.id, confirm=confirm) as run, show(counter, progress):
            with keeper.settling(held):
                report = await settle(
                    operations, verb, self.id, held, lock_ms=lock_ms, concurrency=calls_at_a_time(concurrency), counter=counter
                )
            run.outcome(report.counts)
        wiring = self._connection.guard.known(self.id)
        report.outcomes = keeper.settled(verb, held, report.outcomes, until=until, wiring=wiring)
        return report

    async def _plan(self, verb: SettleVerb, rows: Rows, rate: Rate | str | None, concurrency: int) -> Plan:
        planner = await self._connection.planner(concurrency, rate)
        try:
            held = held_rows(rows, self.id)
        except FrameError as error:
            return await planner.refused(verb, self.id, len(rows), error)
        return await planner.settle(verb, self.id, self._connection.keeper.known(held))
