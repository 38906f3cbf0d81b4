"""The verbs that take messages from a destination: receive, drain."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from anyio import to_thread

from courier_nb.core.arguments import as_count
from courier_nb.core.errors import CourierError
from courier_nb.core.progress import Counter, show
from courier_nb.core.rates import Rate
from courier_nb.core.runs import new_run_id
from courier_nb.core.units import Duration, seconds
from courier_nb.flows import drain as drain_flow
from courier_nb.flows import taking
from courier_nb.flows.plans import Plan
from courier_nb.flows.reports import OUTCOMES, Received
from courier_nb.flows.sources import default_capture_folder
from courier_nb.flows.stops import calls_at_a_time, stop_after
from courier_nb.looking import LookingVerbs
from courier_nb.storage.capture import Capture
from courier_nb.wire.operations import PayloadVisibility


class ReceivingVerbs(LookingVerbs):
    """Receive and drain."""

    async def receive(
        self,
        count: int = 10,
        *,
        lock_ttl: Duration = "2m",
        polling_time: Duration = "1s",
        payload_visibility: PayloadVisibility = "full",
        empties: int = 2,
        timeout: Duration | None = None,
        keep: bool = True,
        hold: Duration | None = "1h",
        rate: Rate | str | None = None,
        concurrency: int = 4,
        progress: bool = True,
    ) -> Received:
        """Receive messages and keep them locked, to be settled with `ack`, `nack` or `extend`.

        Spends one delivery of each. When the call fails or is interrupted, what it had received is returned to the queue.

        Their locks are extended from their arrival on, each when a third to a half of its time is over, also while the kernel is
        busy; ten messages in a call, which is billed. They go back to the queue when `hold` is over, when the client closes, and
        when the process ends; should it be killed, when their locks end, which is why locks stay short. `held` shows them.

        Parameters
        ----------
        count, polling_time, payload_visibility, empties, timeout, rate, concurrency, progress
            As in `peek`.
        lock_ttl : duration
            How long a lock lasts, at first and after each extension.
        keep : bool
            Extend the locks. Otherwise they end after `lock_ttl`, and the messages come back by themselves then.
        hold : duration, optional
            Give them back after this long; None holds them until the client closes.

        Returns
        -------
        Received
            ``.frame()`` is the DataFrame of messages; its rows can be given to `ack`, `nack` and `extend`. A context manager:
            what was not settled in the block goes back to the queue at its end.
        """
        operations = await self._connection.operations(rate)
        ask = self._ask(lock_ttl, polling_time, payload_visibility)
        counter = Counter(f"receive {self.id}", total=count)
        stop = stop_after(as_count(count, "The number of messages"), empties=empties, timeout=timeout)
        workers = min(calls_at_a_time(concurrency), -(-count // 10))
        hold_seconds = float("inf") if hold is None else seconds(hold, name="hold")
        wiring = await self._connection.guard.wiring(self.id)
        async with self._connection.run("receive", self.id) as run, show(counter, progress):
            report = await taking.receive(
                operations,
                ask,
                stop,
                concurrency=workers,
                counter=counter,
                keeper=self._connection.keeper,
                keep=keep,
                hold_seconds=hold_seconds,
                wiring=wiring,
            )
            run.outcome(report.counts)
        report.origin = self._connection.key
        return report

    async def drain(
        self,
        to: str | Path | None = None,
        *,
        limit: int | None = None,
        lock_ttl: Duration = "2m",
        polling_time: Duration = "1s",
        empties: int | None = 3,
        idle: Duration | None = None,
        timeout: Duration | None = None,
        dry_run: bool = False,
        confirm: str | None = None,
        rate: Rate | str | None = None,
        concurrency: int = 16,
        progress: bool = True,
    ) -> Capture | Plan:
        """Move messages into Parquet; each is deleted from the queue only after it is on disk and flushed.

        Parameters
        ----------
        to : path, optional
            Folder of the capture: a new one, or one to go on with (what an interrupted run left there is finished first).
            Default: a new folder of the user's own, named by the result.
        limit : int, optional
            At most so many messages.
        lock_ttl : duration
            How long a message stays locked for us; after a crash it comes back when this is over.
        polling_time : duration
            How long one call may wait for a message.
        empties : int, optional
            Stop after so many empty answers in a row; None goes on until another limit is reached.
        idle, timeout : duration, optional
            Stop after this long without a message, or in all.
        dry_run : bool
            Return the plan and send nothing that changes anything.
        confirm : str, optional
            This destination's name, which is asked for in production.
        rate : Rate or str, optional
            How fast to go, such as ``"100 msg/s"``; see ``docs/rates.md``.
        concurrency : int
            Calls at a time.
        progress : bool

        Returns
        -------
        Capture or Plan
            ``.frame()`` is the DataFrame, ``.report`` says how it went.

        Raises
        ------
        CaptureError
            When the folder is not usable or the disk is full; nothing was acknowledged that is not on disk.
        Refused, Unreachable, BadAnswer
            What ended it early; the same call goes on later.
        ReadOnly, ConfirmationNeeded, JournalUnwritable
            When the guards or the journal forbid it; nothing was sent.
        """
        if not dry_run:
            await self._connection.permit("drain", self.id, confirm)
        operations = await self._connection.operations(rate)
        run_id = new_run_id()
        root = Path(to) if to is not None else default_capture_folder(self.id, operations.place.environment, run_id)
        if dry_run:
            ours = len(self._connection.keeper.ours(self.id))
            return await (await self._connection.planner(concurrency, rate)).drain(self.id, root, limit, ours=ours)
        stop = stop_after(limit, empties=empties, idle=idle, timeout=timeout)
        counter = Counter(f"drain {self.id}", total=limit)
        async with (
            self._connection.run("drain", self.id, id=run_id, confirm=confirm, capture=root, arguments={"limit": limit}) as run,
            show(counter, progress),
            self._depth_as_total(counter, progress and limit is None),
        ):
            report = await drain_flow.drain(
                operations,
                self._ask(lock_ttl, polling_time),
                stop,
                root,
                concurrency=calls_at_a_time(concurrency),
                counter=counter,
            )
            run.outcome({kind: count for kind in OUTCOMES if (count := getattr(report, kind))})
        capture = await to_thread.run_sync(lambda: Capture(root, report=report))
        capture.origin = self._connection.key
        return capture

    @asynccontextmanager
    async def _depth_as_total(self, counter: Counter, wanted: bool) -> AsyncIterator[None]:
        """Look up the depth beside the work, so that the bar has an end; it lags, and its failure changes nothing."""

        async def look() -> None:
            with contextlib.suppress(CourierError):
                counter.total = await self._connection.session.depth_hint(self.id)

        looking = asyncio.create_task(look()) if wanted else None
        try:
            yield
        finally:
            if looking is not None:
                looking.cancel()
