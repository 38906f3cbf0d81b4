"""Moving messages whose locks we hold: publish → confirm → record → only then acknowledge the original.

The ledger knows a message that comes again, so that it is not published twice: what was confirmed is only acknowledged, what is
unknown is left alone.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace

from anyio import to_thread

from courier_nb.core.errors import CourierError
from courier_nb.core.messages import Message, Outcome
from courier_nb.flows.batches import BatchSender, Row
from courier_nb.flows.moving.inhand import InHand
from courier_nb.flows.replaying.fifo import window_left
from courier_nb.flows.replaying.provenance import foreign_properties, new_id, with_message_id, with_provenance, without_delay
from courier_nb.flows.replaying.survey import Choices
from courier_nb.flows.replaying.wish import Decision, Wish, decide
from courier_nb.flows.settle import BATCH, Held, settle_batch
from courier_nb.storage.replays.index import Known, State
from courier_nb.storage.replays.ledger import Ledger
from courier_nb.storage.replays.rowkeys import group_key
from courier_nb.wire.operations import Operations

_NOT_HELD = "it came without an id or a lock"
_REASONS: dict[Decision, str] = {
    "report": "published by an earlier run without a certain answer, so it was not acknowledged; unknown='resend' publishes it "
    "again, 'skip' takes it as arrived",
    "wait": "the broker took it less than five minutes ago, and a FIFO queue would drop its id; it was not acknowledged",
}


@dataclass(slots=True)
class Passage:
    """A message on its way.

    Attributes
    ----------
    message : Message
    lock : Held or None
    key : bytes
    known : Known or None
        What the ledger knew of it.
    has_arrived : bool
        Whether the target has it for certain, now or since an earlier run.
    outcome : Outcome or None
        None while nothing has been decided.
    """

    message: Message
    lock: Held | None
    key: bytes
    known: Known | None
    has_arrived: bool = False
    outcome: Outcome | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class _TransferRow(Row):
    passage: Passage
    is_again: bool


class Transfer:
    """Moves messages from one destination to another, or into the same one again.

    Parameters
    ----------
    operations : Operations
    origin, target : str
    ledger : Ledger
        Of the target.
    wish : Wish
    run : str
    """

    def __init__(self, operations: Operations, origin: str, target: str, ledger: Ledger, wish: Wish, run: str) -> None:
        self._operations = operations
        self._origin = origin
        self._ledger = ledger
        self._wish = wish
        self._run = run
        # An id that a FIFO queue drops would be lost with the original: only a standard queue, known as such, keeps them.
        ids = wish.ids if wish.ids != "auto" else "keep" if wish.fifo is False else "new"
        self.choices = Choices(wish.verb, ids, wish.provenance)
        self._sender = BatchSender(operations, target, before=self._before, after=self._after, veto=self._veto)
        self._elsewhere = {} if wish.unknown == "skip" else ledger.index.uncertain_groups_elsewhere()
        self._in_hand = InHand(ledger, are_just_received=wish.verb == "move")

    @property
    def fatal(self) -> CourierError | None:
        """The error after which nothing more is published."""
        return self._sender.fatal

    async def take(self, messages: Sequence[Message], locks: Sequence[Held | None]) -> list[Passage]:
        """Look messages up in the ledger; they are in hand until `let_go`."""
        keys = await to_thread.run_sync(self._in_hand.keys, messages, locks)
        known = await to_thread.run_sync(self._ledger.states, keys)
        return [Passage(*parts) for parts in zip(messages, locks, keys, known, strict=True)]

    async def begin(self) -> None:
        """Record that the run has begun."""
        options = {"ids": self.choices.ids, "provenance": self._wish.provenance, "fifo": self._wish.fifo, "origin": self._origin}
        await self._ledger.begin(self._run, verb=self._wish.verb, rows=None, digest=None, options=options)

    def let_go(self, passages: Sequence[Passage]) -> None:
        """Say that nothing more is done with these messages in this run."""
        self._in_hand.let_go([passage.key for passage in passages])

    async def move(self, passages: Sequence[Passage]) -> None:
        """Move messages, in order inside each group.

        Each gets an outcome: ``ok`` (published and acknowledged), ``lost_lock`` (the original will come again; the ledger knows
        whether its copy has arrived), ``unknown``, ``refused``, ``skipped``.

        Raises
        ------
        CaptureError
            When the ledger cannot be written.
        CourierError
            When acknowledging is refused as a whole.
        """
        for start in range(0, len(passages), BATCH):
            await self._move_batch(passages[start : start + BATCH])

    async def _move_batch(self, passages: Sequence[Passage]) -> None:
        rows = []
        for place, passage in enumerate(passages):
            row = await self._row(place, passage)
            if row is not None:
                rows.append(row)
        if rows:
            await self._sender.send(rows)
        await self._acknowledge([passage for passage in passages if passage.has_arrived])

    async def _row(self, place: int, passage: Passage) -> _TransferRow | None:
        """Return what is to be published for a message; None when nothing is."""
        message, known = passage.message, passage.known
        decision = decide(message, known, self._wish, self.choices, self._ledger)
        clash = foreign_properties(message) if self._wish.provenance else []
        if passage.lock is None:
            self._stop(passage, "refused", _NOT_HELD)
        elif decision in ("skip", "assume"):
            if decision == "assume":
                await self._ledger.record(self._run, [(passage.key, "assumed", "unknown='skip'")])
            passage.has_arrived = True
            self._resolved(message)
        elif decision in ("report", "wait"):
            self._stop(passage, "unknown" if decision == "report" else "skipped", _REASONS[decision])
        elif passage.lock.is_over:
            self._stop(passage, "lost_lock", "its lock ran out before it was published")
        elif clash:
            self._stop(passage, "refused", f"it has a property {clash[0]!r} of its own; provenance=False moves it as it is")
        else:
            group = group_key(message)
            if group in self._elsewhere and (known is None or known.state == "refused"):
                reason = f"run {self._elsewhere[group]} published a message of its group without a certain answer"
                self._sender.stop_group(message, reason)
            published = self._published(passage)
            return _TransferRow(place, published, passage.key, passage=passage, is_again=decision == "again")
        return None

    def _published(self, passage: Passage) -> Message:
        message, known = passage.message, passage.known
        run = known.run if known and known.state != "refused" else self._run
        sends = (known.sends if known else 0) + 1
        published = with_provenance(message, self._run, sends) if self._wish.provenance else message
        published = without_delay(published)
        ids = self._ledger.ids_of(run) or self.choices.ids
        if ids == "new" or message.message_id is None:
            published = with_message_id(published, new_id(run, passage.key))
        return published

    def _stop(self, passage: Passage, kind: str, reason: str) -> None:
        self._sender.stop_group(passage.message, reason)
        passage.outcome = Outcome(passage.message.message_id, self._origin, kind, reason)  # type: ignore[arg-type]

    def _resolved(self, message: Message) -> None:
        group = group_key(message)
        if group is not None:
            self._elsewhere.pop(group, None)

    def _veto(self, row: Row) -> str | None:
        known = _of(row).known
        if isinstance(row, _TransferRow) and row.is_again and known and window_left(known.window, self._ledger.now()) <= 0:
            return "FIFO's window of deduplication ended before it could be repeated"
        return None

    async def _before(self, rows: Sequence[Row]) -> float | None:
        again = [isinstance(row, _TransferRow) and row.is_again for row in rows]
        groups = [group_key(row.message) for row in rows]
        deliveries = [_of(row).message.delivery_count for row in rows]
        now = await self._ledger.record_sent(self._run, [row.key for row in rows], groups, again=again, deliveries=deliveries)
        if not self._wish.fifo:
            return None
        known = [_of(row).known for row in rows]
        begun = [row.window if is_again and row else now for row, is_again in zip(known, again, strict=True)]
        window = time.monotonic() + min(window_left(first, self._ledger.now()) for first in begun)
        return min([window, *(lock.deadline for row in rows if (lock := _of(row).lock) is not None)])

    async def _after(self, rows: Sequence[Row], outcomes: Sequence[Outcome]) -> None:
        recorded: list[tuple[bytes, State, str]] = []
        states: dict[str, State] = {"ok": "confirmed", "unknown": "unknown", "refused": "refused"}
        for row, outcome in zip(rows, outcomes, strict=True):
            passage = _of(row)
            if outcome.kind == "ok":
                self._resolved(passage.message)
            else:
                reason = f"not acknowledged, because its publishing ended so: {outcome.reason}"
                passage.outcome = Outcome(passage.message.message_id, self._origin, outcome.kind, reason)
            if outcome.kind in states:
                recorded.append((row.key, states[outcome.kind], outcome.reason))
        await self._ledger.record(self._run, recorded)
        for row, outcome in zip(rows, outcomes, strict=True):
            _of(row).has_arrived = outcome.kind == "ok"  # only now: the original may go when the copy is on record

    async def _acknowledge(self, arrived: Sequence[Passage]) -> None:
        locks = [passage.lock for passage in arrived if passage.lock is not None]
        if not locks:
            return
        outcomes = await settle_batch(self._operations, "ack", self._origin, locks)
        for passage, outcome in zip(arrived, outcomes, strict=True):
            reason = f"its copy has arrived; {outcome.reason}" if outcome.reason else ""
            passage.outcome = replace(outcome, reason=reason)
        done: list[tuple[bytes, State, str]] = [
            (passage.key, "done", "") for passage, outcome in zip(arrived, outcomes, strict=True) if outcome.kind == "ok"
        ]
        await self._ledger.record(self._run, done)


def _of(row: Row) -> Passage:
    assert isinstance(row, _TransferRow)  # noqa: S101  # the sender hands back what it was given
    return row.passage
