"""Putting messages back whole: captured, published afresh, confirmed, recorded, and only then acknowledged.

All deliveries are theirs again. Whenever this is cut off, each message is in the queue once, or twice: the old one was not
acknowledged yet, and the ledger knows that its copy has arrived.
"""

from __future__ import annotations

import time
from collections import Counter as Counts
from collections.abc import Callable, Sequence
from pathlib import Path

import anyio

from courier_nb.core.errors import InvalidArgument
from courier_nb.core.messages import Message, Outcome
from courier_nb.core.progress import Counter
from courier_nb.flows.moving.move import SETTLEMENTS
from courier_nb.flows.moving.recapture import deliveries_of
from courier_nb.flows.moving.transfer import Transfer
from courier_nb.flows.replaying.targets import open_ledger_in, settle_wish
from courier_nb.flows.replaying.wish import Wish
from courier_nb.flows.reports import Report
from courier_nb.flows.settle import Held
from courier_nb.storage.writer import CaptureWriter
from courier_nb.wire.codec import body_text
from courier_nb.wire.operations import Operations
from courier_nb.wire.session import Session

Note = Callable[[Sequence[Held], Sequence[Outcome]], object]


async def put_back_held(
    session: Session,
    operations: Operations,
    destination: str,
    messages: Sequence[Message],
    locks: Sequence[Held],
    root: Path,
    wish: Wish,
    run: str,
    counter: Counter,
    *,
    note: Note,
) -> Report:
    """Publish messages whose locks we hold into their own queue afresh, and acknowledge the originals.

    They are captured in `root` first. What is not acknowledged stays locked, for its holder to decide; `note` is told how
    acknowledging ended.

    Raises
    ------
    CaptureError, CaptureDamaged
        When the folder or its ledger cannot be used; nothing was sent.
    """
    started, calls = time.monotonic(), operations.calls
    wish = await settle_wish(session, destination, wish)
    with await open_ledger_in(root, session, operations, destination) as ledger:
        transfer = Transfer(operations, destination, destination, ledger, wish, run)
        await transfer.begin()
        async with CaptureWriter(root, run=run) as writer:
            work = _PuttingBack(operations, destination, transfer, writer, counter, note)
            await work.put_back(messages, locks)
        in_order = [work.outcomes[place] for place in range(len(messages))]
        counts = Counts(outcome.kind for outcome in in_order)
        await ledger.end(run, {str(kind): count for kind, count in counts.items()})
    if transfer.fatal is not None and not counts.keys() & {"ok", "unknown"}:
        raise transfer.fatal
    return Report("put_back", destination, in_order, calls=operations.calls - calls, seconds=time.monotonic() - started)


class _PuttingBack:
    """What is done with each batch."""

    def __init__(
        self,
        operations: Operations,
        destination: str,
        transfer: Transfer,
        writer: CaptureWriter,
        counter: Counter,
        note: Note,
    ) -> None:
        self._environment = operations.place.environment
        self._destination = destination
        self._transfer = transfer
        self._writer = writer
        self._counter = counter
        self._note = note
        self.outcomes: dict[int, Outcome] = {}

    async def put_back(self, messages: Sequence[Message], locks: Sequence[Held]) -> None:
        places = [place for place, message in enumerate(messages) if self._can_be_captured(place, message)]
        for delivery in deliveries_of([messages[place] for place in places], self._destination, self._environment):
            stored = await self._writer.store(delivery)
            batch, places = places[: stored.size], places[stored.size :]
            passages = await self._transfer.take([messages[place] for place in batch], [locks[place] for place in batch])
            try:
                await self._transfer.move(passages)
            finally:
                self._transfer.let_go(passages)
                with anyio.CancelScope(shield=True):
                    kinds = [passage.outcome.kind if passage.outcome else "unknown" for passage in passages]
                    await self._writer.settled(stored, [SETTLEMENTS[kind] for kind in kinds])
            tried = [(p.lock, p.outcome) for p in passages if p.has_arrived and p.lock is not None and p.outcome is not None]
            self._note([lock for lock, _ in tried], [outcome for _, outcome in tried])
            for place, passage in zip(batch, passages, strict=True):
                outcome = passage.outcome or Outcome(passage.message.message_id, self._destination, "unknown")
                self.outcomes[place] = Outcome(outcome.message_id, self._destination, outcome.kind, outcome.reason, place)
            self._counter.done += len(batch)

    def _can_be_captured(self, place: int, message: Message) -> bool:
        try:
            body_text(message)
        except InvalidArgument as error:
            self.outcomes[place] = Outcome(message.message_id, self._destination, "refused", str(error), place)
            return False
        return True
