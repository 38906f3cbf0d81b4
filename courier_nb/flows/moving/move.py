"""Move a queue's messages into another: receive → capture → publish → confirm → record → only then acknowledge."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path

import anyio
import anyio.lowlevel

from courier_nb.core.errors import CourierError
from courier_nb.core.messages import Message, Outcome
from courier_nb.core.progress import Counter
from courier_nb.flows.moving.moved import MoveReport
from courier_nb.flows.moving.transfer import Passage, Transfer
from courier_nb.flows.receive import Ask, Receiver, release
from courier_nb.flows.settle import held
from courier_nb.flows.stops import Stop
from courier_nb.flows.together import finish_if_soon
from courier_nb.storage.writer import CaptureWriter, Stored
from courier_nb.wire.codec import Delivery
from courier_nb.wire.operations import Operations

# After an interrupt: how long what is on the wire is waited for, and how long returning messages may take at the most.
_ANSWER_SECONDS = 0.25
_RELEASE_SECONDS = 0.4

SETTLEMENTS = {"ok": "acked", "refused": "refused", "lost_lock": "lost_lock", "unknown": "unknown", "skipped": "refused"}


async def move(
    operations: Operations,
    ask: Ask,
    stop: Stop,
    root: Path,
    transfer: Transfer,
    report: MoveReport,
    *,
    concurrency: int,
    counter: Counter,
) -> MoveReport:
    """Move messages as `transfer` does, captured in `root` first; how it goes is counted in `report`.

    Raises
    ------
    CourierError
        What ended it early; what was acknowledged until then has arrived, and is in the capture.
    """
    calls = operations.calls
    receiver = Receiver(operations, ask, stop, concurrency)
    try:
        async with CaptureWriter(root, run=report.run) as writer:
            work = _Move(operations, ask.destination, transfer, writer, report, counter)
            try:
                await receiver.run(work.handle)
            except BaseException:
                await work.give_back_held()
                raise
            await work.give_back_held()
    except CourierError as error:
        if report.moved:
            error.add_note(f"{report.moved} messages were moved before. The same call goes on.")
        raise
    report.ghost_receives = receiver.ghost_receives
    report.calls = operations.calls - calls
    report.seconds = time.monotonic() - stop.started
    report.stopped_because = stop.reason(time.monotonic()) or ""
    return report


class _Move:
    """What is done with each answer."""

    def __init__(
        self,
        operations: Operations,
        origin: str,
        transfer: Transfer,
        writer: CaptureWriter,
        report: MoveReport,
        counter: Counter,
    ) -> None:
        self._operations = operations
        self._origin = origin
        self._transfer = transfer
        self._writer = writer
        self._report = report
        self._counter = counter
        self._held: list[tuple[Stored | None, list[Passage]]] = []

    async def handle(self, delivery: Delivery) -> None:
        try:
            with anyio.CancelScope(shield=True):  # it takes a moment only, and half-stored messages could not be accounted for
                stored = await self._writer.store(delivery)
                locks = [held(message) for message in delivery.messages]
                passages = await self._transfer.take(delivery.messages, locks)
        except BaseException:
            # Returned only when the other calls have stopped, like all that is not moved: they would receive it again, and each
            # time spends a delivery.
            self._held.append((None, [Passage(message, None, b"", None) for message in delivery.messages]))
            raise
        self._report.received += len(delivery.messages)
        try:
            await anyio.lowlevel.checkpoint()  # an interrupt is felt here; past it messages are on their way
            await finish_if_soon(self._transfer.move(passages), _ANSWER_SECONDS)
        except BaseException:
            self._held.append((stored, passages))
            raise
        finally:
            self._transfer.let_go(passages)
        if all(_is_gone(passage) for passage in passages):
            await self._note(stored, passages, {})
        else:
            self._held.append((stored, passages))
        if self._transfer.fatal is not None:
            raise self._transfer.fatal

    async def give_back_held(self) -> None:
        """Return what was not moved, the last received first."""
        left = [passage.message for _, passages in self._held for passage in passages if not _is_gone(passage)]
        returned = await self._release(left)
        for stored, passages in self._held:
            if stored is not None:
                await self._note(stored, passages, returned)
        self._held.clear()

    async def _release(self, messages: Sequence[Message]) -> dict[int, Outcome]:
        """Return messages to the queue; the outcomes by identity of the message."""
        outcomes: Sequence[Outcome] = []
        with anyio.CancelScope(shield=True), anyio.move_on_after(_RELEASE_SECONDS):
            outcomes = await release(self._operations, self._origin, list(messages))
        return {id(message): outcome for message, outcome in zip(messages, outcomes, strict=False)}

    async def _note(self, stored: Stored, passages: Sequence[Passage], returned: dict[int, Outcome]) -> None:
        settlements = []
        for passage in passages:
            back = returned.get(id(passage.message))
            outcome = passage.outcome or Outcome(passage.message.message_id, self._origin, "unknown", "interrupted")
            if _is_gone(passage):
                settlements.append(SETTLEMENTS[outcome.kind])
            else:
                settlements.append("unknown" if back is None else "returned" if back.kind == "ok" else SETTLEMENTS[back.kind])
            self._report.add(outcome, has_arrived=passage.has_arrived, was_known=passage.known is not None)
        with anyio.CancelScope(shield=True):
            await self._writer.settled(stored, settlements)
        self._counter.done += len(settlements)


def _is_gone(passage: Passage) -> bool:
    """Whether there is nothing to return: it was acknowledged, perhaps, or its lock is lost."""
    return passage.outcome is not None and passage.has_arrived
