"""Drain: receive, write to disk, flush, and only then acknowledge."""

from __future__ import annotations

import time
from pathlib import Path

import anyio
import anyio.lowlevel

from courier_nb.core.errors import CourierError
from courier_nb.core.progress import Counter
from courier_nb.flows.receive import Ask, Receiver, release
from courier_nb.flows.reports import DrainReport
from courier_nb.flows.settle import BATCH, held, settle_batch
from courier_nb.flows.stops import Stop
from courier_nb.flows.together import finish_if_soon
from courier_nb.storage.writer import CaptureWriter, Stored
from courier_nb.wire.codec import Delivery
from courier_nb.wire.operations import Operations

# After an interrupt: how long an acknowledgement on the wire is waited for, and how long returning messages may take at the most.
# Both usually take one round trip, and a stopped cell is to end within half a second.
_ANSWER_SECONDS = 0.15
_RELEASE_SECONDS = 0.4

_SETTLEMENTS = {"ok": "acked", "refused": "refused", "lost_lock": "lost_lock", "unknown": "unknown", "skipped": "refused"}
"""Outcome of a call -> settlement of the message, as the capture records it."""


async def drain(operations: Operations, ask: Ask, stop: Stop, root: Path, *, concurrency: int, counter: Counter) -> DrainReport:
    """Move messages from a destination into the capture at `root`.

    Raises
    ------
    CourierError
        What ended it early; everything acknowledged until then is in the capture.
    """
    report = DrainReport(ask.destination, str(root))
    calls, retries = operations.calls, operations.retries
    receiver = Receiver(operations, ask, stop, concurrency)
    try:
        async with CaptureWriter(root) as writer:
            report.recovered = writer.recovered_rows
            work = _Drain(operations, ask.destination, writer, report, counter)
            try:
                await receiver.run(work.handle)
            except CourierError:
                await work.give_back_held()
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
        self._held: list[tuple[Delivery, Stored]] = []

    async def give_back_held(self) -> None:
        """Return what could not be acknowledged."""
        for delivery, stored in self._held:
            await self._note(stored, await self._give_back(delivery))

    async def handle(self, delivery: Delivery) -> None:
        try:
            with anyio.CancelScope(shield=True):  # it takes a moment only, and half-stored messages could not be accounted for
                stored = await self._writer.store(delivery)
        except BaseException:
            await self._give_back(delivery)  # not on disk, so not ours to keep
            raise
        self._report.received += len(delivery.messages)
        try:
            await anyio.lowlevel.checkpoint()  # an interrupt is felt here; past it the acknowledgement is on its way
        except BaseException:
            await self._note(stored, await self._give_back(delivery))
            raise
        try:
            settlements = await finish_if_soon(self._acknowledge(delivery), _ANSWER_SECONDS)
        except CourierError:
            # Returned only when the other calls have stopped: they would receive it again, and each time spends a delivery.
            self._held.append((delivery, stored))
            raise
        except BaseException:
            await self._note(stored, ["unknown"] * stored.size)
            raise
        await self._note(stored, settlements)

    async def _acknowledge(self, delivery: Delivery) -> list[str]:
        """Acknowledge what can be, and return what became of each message."""
        rows = [held(message) for message in delivery.messages]
        now = time.time()
        settlements = ["refused" if row is None else "lost_lock" for row in rows]
        places = [i for i, row in enumerate(rows) if row is not None and row.expires > now]
        live = [row for row in rows if row is not None and row.expires > now]
        for start in range(0, len(live), BATCH):  # a server may have sent more than it was asked for
            outcomes = await settle_batch(self._operations, "ack", self._destination, live[start : start + BATCH])
            for i, outcome in zip(places[start:], outcomes, strict=False):
                settlements[i] = _SETTLEMENTS[outcome.kind]
        return settlements

    async def _note(self, stored: Stored, settlements: list[str]) -> None:
        with anyio.CancelScope(shield=True):
            await self._writer.settled(stored, settlements)
        for settlement in settlements:
            setattr(self._report, settlement, getattr(self._report, settlement) + 1)
        self._counter.done += len(settlements)

    async def _give_back(self, delivery: Delivery) -> list[str]:
        """Return the messages to the queue, and what became of each."""
        outcomes = []
        with anyio.CancelScope(shield=True), anyio.move_on_after(_RELEASE_SECONDS):
            outcomes = await release(self._operations, self._destination, delivery.messages)
        if not outcomes:
            return ["unknown"] * len(delivery.messages)
        return ["returned" if outcome.kind == "ok" else _SETTLEMENTS[outcome.kind] for outcome in outcomes]
