"""Drain: receive, write to disk, flush, and only then acknowledge."""

from __future__ import annotations

import time
from pathlib import Path

import anyio
import anyio.lowlevel

from courier_nb.core.errors import CourierError
from courier_nb.core.messages import Outcome
from courier_nb.core.progress import Counter
from courier_nb.core.runs import current_run
from courier_nb.flows.receive import Ask, Receiver, release
from courier_nb.flows.reports import DrainReport
from courier_nb.flows.settle import BATCH, held, settle_batch
from courier_nb.flows.stops import Stop
from courier_nb.flows.together import finish_if_soon
from courier_nb.storage.compaction import FileSizes
from courier_nb.storage.writer import CaptureWriter, Stored
from courier_nb.wire.codec import Delivery
from courier_nb.wire.operations import Operations

# After an interrupt: how long an acknowledgement on the wire is waited for, and how long returning messages may take at the most.
# Both usually take one round trip, and a stopped cell is to end within half a second.
_ANSWER_SECONDS = 0.15
_RELEASE_SECONDS = 0.4

_SETTLEMENTS = {"ok": "acked", "refused": "refused", "lost_lock": "lost_lock", "unknown": "unknown", "skipped": "refused"}
"""Outcome of a call -> settlement of the message, as the capture records it."""


async def drain(
    operations: Operations,
    ask: Ask,
    stop: Stop,
    root: Path,
    *,
    concurrency: int,
    counter: Counter,
    sizes: FileSizes | None = None,
) -> DrainReport:
    """Move messages from a destination into the capture at `root`, whose files become as large as `sizes` says.

    Raises
    ------
    CourierError
        What ended it early; everything acknowledged until then is in the capture.
    """
    report = DrainReport(ask.destination, str(root))
    calls, retries, throttled = operations.calls, operations.retries, operations.throttled
    receiver = Receiver(operations, ask, stop, concurrency)
    try:
        run = current_run()
        async with CaptureWriter(root, run=run.id if run else None, sizes=sizes) as writer:
            report.recovered = writer.recovered_rows
            work = _Drain(operations, ask.destination, writer, report, counter)
            try:
                await receiver.run(work.handle)
            except BaseException:
                await work.give_back()
                raise
    except CourierError as error:
        if report.received:
            error.add_note(f"{report.acked} messages were acknowledged before; they are safe in {root}. The same call goes on.")
        if receiver.ghost_receives:
            error.add_note(
                f"{receiver.ghost_receives} receive calls had no answer; each may have locked messages for {ask.lock_ms} ms."
            )
        raise
    report.ghost_receives = receiver.ghost_receives
    report.calls, report.retries = operations.calls - calls, operations.retries - retries
    report.throttled, report.least_concurrency = operations.throttled - throttled, operations.least_concurrency
    report.seconds = time.monotonic() - stop.started
    report.stopped_because = stop.reason(time.monotonic()) or ""
    return report


class _Drain:
    """What is done with each answer."""

    def __init__(
        self, operations: Operations, destination: str, writer: CaptureWriter, report: DrainReport, counter: Counter
    ) -> None:
        self._operations = operations
        self._destination = destination
        self._writer = writer
        self._report = report
        self._counter = counter
        self._not_acked: list[tuple[Delivery, Stored | None]] = []

    async def handle(self, delivery: Delivery) -> None:
        # What is not acknowledged is returned only when the other calls have stopped: they would receive it again, and each
        # time spends a delivery.
        try:
            with anyio.CancelScope(shield=True):  # it takes a moment only, and half-stored messages could not be accounted for
                stored = await self._writer.store(delivery)
        except BaseException:
            self._not_acked.append((delivery, None))  # not on disk, so not ours to keep
            raise
        self._report.received += len(delivery.messages)
        try:
            await anyio.lowlevel.checkpoint()  # an interrupt is felt here; past it the acknowledgement is on its way
        except BaseException:
            self._not_acked.append((delivery, stored))
            raise
        try:
            settlements = await finish_if_soon(self._acknowledge(delivery), _ANSWER_SECONDS)
        except CourierError:
            self._not_acked.append((delivery, stored))
            raise
        except BaseException:
            await self._note(stored, ["unknown"] * stored.size)
            raise
        await self._note(stored, settlements)

    async def give_back(self) -> None:
        """Return what was received and not acknowledged, and note what became of it."""
        messages = [message for delivery, _ in self._not_acked for message in delivery.messages]
        if not messages:
            return
        outcomes: list[Outcome] = []
        with anyio.CancelScope(shield=True), anyio.move_on_after(_RELEASE_SECONDS):
            outcomes = await release(self._operations, self._destination, messages)
        kinds = ["returned" if outcome.kind == "ok" else _SETTLEMENTS[outcome.kind] for outcome in outcomes]
        kinds = kinds or ["unknown"] * len(messages)
        for delivery, stored in self._not_acked:
            if stored is not None:
                await self._note(stored, kinds[: stored.size])
            del kinds[: len(delivery.messages)]

    async def _acknowledge(self, delivery: Delivery) -> list[str]:
        """Acknowledge what can be, and return what became of each message."""
        rows = [held(message) for message in delivery.messages]
        settlements = ["refused" if row is None else "lost_lock" for row in rows]
        # Looked at once: a lock may run out between two looks.
        live = [(place, row) for place, row in enumerate(rows) if row is not None and not row.is_over]
        for start in range(0, len(live), BATCH):  # a server may have sent more than it was asked for
            batch = live[start : start + BATCH]
            outcomes = await settle_batch(self._operations, "ack", self._destination, [row for _, row in batch])
            for (place, _), outcome in zip(batch, outcomes, strict=True):
                settlements[place] = _SETTLEMENTS[outcome.kind]
        return settlements

    async def _note(self, stored: Stored, settlements: list[str]) -> None:
        with anyio.CancelScope(shield=True):
            await self._writer.settled(stored, settlements)
        for settlement in settlements:
            setattr(self._report, settlement, getattr(self._report, settlement) + 1)
        self._counter.done += len(settlements)
