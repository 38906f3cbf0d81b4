"""Replay: publish messages again, each once however often it is begun.

The ledger says ``sent`` before a batch leaves and how it ended when the answer is known. A run of the same rows goes on where an
earlier one was cut off.
"""

from __future__ import annotations

import logging
import time
from collections.abc import AsyncIterator, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from anyio import to_thread

from courier_nb.core.messages import Message, Outcome
from courier_nb.core.progress import Counter
from courier_nb.flows.batches import Row
from courier_nb.flows.lanes import Lanes
from courier_nb.flows.planning import Content
from courier_nb.flows.replaying.fifo import window_left
from courier_nb.flows.replaying.provenance import new_id, with_message_id, with_provenance, without_delay
from courier_nb.flows.replaying.replayed import Replayed, RowEnd, RowState
from courier_nb.flows.replaying.survey import Choices, chunked, survey
from courier_nb.flows.replaying.wish import Decision, Wish, decide
from courier_nb.flows.tally import Tally
from courier_nb.storage.replays.index import ARRIVED, Known, State
from courier_nb.storage.replays.ledger import Ledger
from courier_nb.storage.replays.rowkeys import group_key
from courier_nb.wire.operations import Operations

_REASONS = {
    "skip": "confirmed by an earlier run",
    "assume": "sent by an earlier run without a certain answer, and taken as arrived (unknown='skip')",
    "report": "sent by an earlier run without a certain answer; unknown='resend' sends it again, 'skip' takes it as arrived",
    "wait": "the broker took it less than five minutes ago, and a FIFO queue would drop its id: call again a little later, "
    "or give fifo=False for a standard queue",
}
_STATES: dict[str, RowState] = {"ok": "confirmed", "unknown": "unknown", "refused": "refused", "skipped": "planned"}
_log = logging.getLogger("courier_nb")


@dataclass(frozen=True, slots=True)
class ReplayRow(Row):
    """A row of a replay.

    Attributes
    ----------
    original_id : str or None
    known : Known or None
        What the ledger knew of it.
    is_again : bool
        Whether it repeats an earlier sending inside FIFO's window.
    """

    original_id: str | None = None
    known: Known | None = None
    is_again: bool = False

    @property
    def sends(self) -> int:
        return (self.known.sends if self.known else 0) + 1


_LEFT: dict[Decision, str] = {
    "skip": "confirmed by an earlier run",
    "assume": "sent by an earlier run without a certain answer; taken as arrived",
    "report": "sent by an earlier run without a certain answer",
    "wait": "a FIFO queue may still remember its id",
}
"""Why a row is not sent."""


async def replay(
    operations: Operations,
    target: str,
    messages: Iterable[Message],
    ledger: Ledger,
    wish: Wish,
    *,
    concurrency: int,
    counter: Counter,
) -> Replayed:
    """Publish messages again: what an earlier run confirmed is skipped, what is unknown is shown.

    Raises
    ------
    FrameError
        When a property of a message would be taken for one of ours; nothing was sent.
    CaptureError
        When the ledger cannot be written; nothing was sent that it does not know of.
    """
    found = await survey(messages, ledger, wish.clock_ahead)
    if wish.provenance:
        found.check_names()
    choices = wish.choices(found)
    warnings = wish.warnings(found, choices)
    for warning in warnings:
        _log.warning("%s into %s: %s", wish.verb, target, warning)
    run = found.run(ledger.target, choices)
    attempt = await ledger.begin(
        run,
        verb=choices.verb,
        rows=found.rows,
        digest=found.digest,
        options={"ids": choices.ids, "provenance": choices.provenance, "fifo": wish.fifo},
    )
    return await _Replay(operations, target, ledger, wish, choices, run, counter).run(messages, concurrency, attempt, warnings)


async def plan(target: str, messages: Iterable[Message], ledger: Ledger, wish: Wish) -> Content:
    """Return what `replay` would send; nothing is sent or written."""
    found = await survey(messages, ledger, wish.clock_ahead)
    if wish.provenance:
        found.check_names()
    choices = wish.choices(found)
    warnings = tuple(wish.warnings(found, choices))
    content = Content(warnings=warnings)
    unknown = 0
    async for row_message, _, known in _with_known(messages, ledger):
        decision = decide(row_message, known, wish, choices, ledger)
        unknown += known is not None and known.state not in ARRIVED and known.state != "refused"
        if decision in ("send", "again"):
            content.add(row_message)
        else:
            content.skip(_LEFT[decision])
    content.details = {
        "run": found.run(ledger.target, choices),
        "ids": choices.ids,
        "fifo": wish.fifo,
        "unknown": unknown,
        "recent": found.recent if warnings else 0,
    }
    return content


class _Replay:
    """One run of a replay."""

    def __init__(
        self, operations: Operations, target: str, ledger: Ledger, wish: Wish, choices: Choices, run: str, counter: Counter
    ) -> None:
        self._operations = operations
        self._target = target
        self._ledger = ledger
        self._wish = wish
        self._choices = choices
        self._run = run
        self._counter = counter
        self._tally = Tally()
        self._ends: dict[int, RowEnd] = {}
        self._under_way: set[int] = set()
        self._lanes: Lanes

    async def run(self, messages: Iterable[Message], concurrency: int, attempt: int, warnings: Sequence[str]) -> Replayed:
        started, calls = time.monotonic(), self._operations.calls
        self._lanes = Lanes(
            self._operations, self._target, concurrency=concurrency, veto=self._veto, before=self._before, after=self._after
        )
        await self._lanes.run(self._rows(messages))
        outcomes = self._tally.in_order()
        report = Replayed(
            self._choices.verb,
            self._target,
            outcomes,
            [self._ends[outcome.position] for outcome in outcomes],
            run=self._run,
            attempt=attempt,
            ledger=self._ledger.path,
            warnings=warnings,
            calls=self._operations.calls - calls,
            seconds=time.monotonic() - started,
        )
        await self._ledger.end(self._run, {str(kind): count for kind, count in report.counts.items()})
        if self._lanes.fatal is not None and not self._tally.any_done:
            raise self._lanes.fatal
        return report

    async def _rows(self, messages: Iterable[Message]) -> AsyncIterator[ReplayRow]:
        elsewhere = {} if self._wish.unknown == "skip" else self._ledger.index.uncertain_groups_elsewhere()
        position = -1
        async for message, key, known in _with_known(messages, self._ledger):
            position += 1
            decision = decide(message, known, self._wish, self._choices, self._ledger)
            if decision in ("send", "again"):
                group = group_key(message) if elsewhere else None
                if group in elsewhere:
                    self._lanes.stop_group(message, _elsewhere(elsewhere[group]))
                yield self._row(position, message, key, known, is_again=decision == "again")
            else:
                await self._leave(position, message, key, known, decision)

    def _row(self, position: int, message: Message, key: bytes, known: Known | None, *, is_again: bool) -> ReplayRow:
        # A row is repeated with the id and the properties that its first run gave it.
        run = known.run if known and known.state != "refused" else self._run
        ids = self._ledger.ids_of(run) or self._choices.ids
        sends = (known.sends if known else 0) + 1
        published = with_provenance(message, self._run, sends) if self._wish.provenance else message
        if self._choices.verb == "undo":
            published = without_delay(published)
        if ids == "new" or message.message_id is None:
            published = with_message_id(published, new_id(run, key))
        return ReplayRow(position, published, key, message.message_id, known, is_again)

    async def _leave(self, position: int, message: Message, key: bytes, known: Known | None, decision: Decision) -> None:
        """Note a row that is not sent, and hold back what comes after it in its group."""
        reason = _REASONS[decision]
        if decision in ("report", "wait"):
            self._lanes.stop_group(message, reason)
        if decision == "assume":
            await self._ledger.record(self._run, [(key, "assumed", reason)])
        if known is not None and known.reason and decision == "report":
            reason = f"{reason} ({known.reason})"
        kind: Literal["unknown", "skipped"] = "unknown" if decision == "report" else "skipped"
        state: RowState = "unknown" if decision == "report" else "planned" if decision == "wait" else "confirmed"
        self._tally.add(Outcome(message.message_id, self._target, kind, reason, position))
        self._ends[position] = RowEnd(state, known.sends if known else 0)
        self._counter.done += 1

    def _veto(self, row: Row) -> str | None:
        assert isinstance(row, ReplayRow)  # noqa: S101  # the lanes hand back what they were given
        if not row.is_again or row.known is None or window_left(row.known.window, self._ledger.now()) > 0:
            return None
        return "FIFO's window of deduplication ended before it could be repeated"

    async def _before(self, rows: Sequence[Row]) -> float | None:
        ours = [row for row in rows if isinstance(row, ReplayRow)]
        now = await self._ledger.record_sent(
            self._run,
            [row.key for row in ours],
            [group_key(row.message) for row in ours],
            again=[row.is_again for row in ours],
        )
        self._under_way.update(row.position for row in ours)
        if not self._wish.fifo:
            return None
        begun = [row.known.window if row.is_again and row.known else now for row in ours]
        return time.monotonic() + min(window_left(first, self._ledger.now()) for first in begun)

    async def _after(self, rows: Sequence[Row], outcomes: Sequence[Outcome]) -> None:
        recorded: list[tuple[bytes, State, str]] = []
        for row, outcome in zip(rows, outcomes, strict=True):
            assert isinstance(row, ReplayRow)  # noqa: S101
            published = row.message.message_id
            shown = row.original_id or published
            self._tally.add(replace(outcome, message_id=shown))
            sends = row.sends if row.position in self._under_way else row.sends - 1
            self._under_way.discard(row.position)
            self._ends[row.position] = RowEnd(_STATES[outcome.kind], sends, None if published == shown else published)
            match outcome.kind:
                case "ok":
                    recorded.append((row.key, "confirmed", ""))
                case "unknown":
                    recorded.append((row.key, "unknown", outcome.reason))
                case "refused":
                    recorded.append((row.key, "refused", outcome.reason))
        self._counter.done += len(rows)
        await self._ledger.record(self._run, recorded)


async def _with_known(messages: Iterable[Message], ledger: Ledger) -> AsyncIterator[tuple[Message, bytes, Known | None]]:
    async for chunk in chunked(messages):
        keys = await to_thread.run_sync(ledger.keys, chunk)
        states = await to_thread.run_sync(ledger.states, keys)
        for message, key, known in zip(chunk, keys, states, strict=True):
            yield message, key, known


def _elsewhere(run: str) -> str:
    return (
        f"run {run} sent a message of this group without a certain answer, and it is not among these rows; replay that one with "
        "unknown='resend', or these with unknown='skip'"
    )
