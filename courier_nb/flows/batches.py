"""One publish call for up to ten rows: what may be sent, what was sent before it leaves, and how each row ended.

After a message of a group did not certainly get through, no later one of that group is sent.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import anyio

from courier_nb.core.errors import BadAnswer, CourierError, InvalidArgument, Throttled, TooLarge, Unavailable, Unreachable
from courier_nb.core.messages import ItemResult, Message, Outcome, OutcomeKind
from courier_nb.core.progress import stop_asked
from courier_nb.flows.settle import match
from courier_nb.flows.stops import STOPPED
from courier_nb.flows.together import finish_if_soon
from courier_nb.wire.codec import body_text
from courier_nb.wire.operations import Operations
from courier_nb.wire.retry import FailurePoint, failure_point

_OVERTOOK = "it is there, ahead of an earlier message of its group that was refused in the same call"
_ANSWER_SECONDS = 0.25  # how long an interrupted call waits for the answer that is on its way


@dataclass(frozen=True, slots=True)
class Row:
    """A message to publish, its place in the input, and its key in the ledger (empty without one)."""

    position: int
    message: Message
    key: bytes = b""


BeforeSending = Callable[[Sequence[Row]], Awaitable[float | None]]
"""Given the rows that are about to leave; returns the monotonic time (seconds) until which a call without a certain answer may be
repeated with the same ids, None where it may not."""

Veto = Callable[[Row], str | None]
"""Asked about a row at the last moment; returns why it must not be sent any more, which leaves its outcome unknown."""

AfterSending = Callable[[Sequence[Row], Sequence[Outcome]], Awaitable[None]]


class BatchSender:
    """Publishes rows to one destination, up to ten in a call; several calls may be under way, but one for each message group.

    Parameters
    ----------
    operations : Operations
    target : str
    before, after : callable
        Awaited before a batch is sent and after its outcomes are known.
    veto : callable, optional
    """

    def __init__(
        self, operations: Operations, target: str, *, before: BeforeSending, after: AfterSending, veto: Veto | None = None
    ) -> None:
        self._operations = operations
        self._target = target
        self._before = before
        self._after = after
        self._veto = veto
        self._stopped_groups: dict[str, str] = {}
        self._fatal: CourierError | None = None

    @property
    def fatal(self) -> CourierError | None:
        """The error after which nothing more was tried."""
        return self._fatal

    def stop_group(self, message: Message, reason: str) -> None:
        """Send no later message of this message's group."""
        if message.message_group_id is not None:
            self._stopped_groups.setdefault(message.message_group_id, reason)

    async def send(self, batch: Sequence[Row]) -> None:
        """Publish at most ten rows, those whose group was not stopped; the outcome of each goes to `after`."""
        allowed, held_back = [], []
        for row in batch:
            reason = self._why_not(row)
            if reason is not None:
                held_back.append((row, self._outcome(row, "skipped", reason)))
                continue
            try:
                body_text(row.message)
            except InvalidArgument as error:  # one message that cannot be sent does not hold up the others
                self.stop_group(row.message, str(error))
                held_back.append((row, self._outcome(row, "refused", str(error))))
            else:
                allowed.append(row)
        if held_back:
            await self._after([row for row, _ in held_back], [outcome for _, outcome in held_back])
        if allowed:
            # before it is written down as sent: between that and the call nothing may wait
            await self._operations.turn(messages=len(allowed), size=sum(len(row.message.body or "") for row in allowed))
            allowed = [row for row in allowed if await self._may_still_go(row)]
        if allowed:
            until = await self._before(allowed)
            await self._send(allowed, until)

    async def _may_still_go(self, row: Row) -> bool:
        """Ask again what may have changed while the row waited for its turn."""
        why_not, veto = self._why_not(row), None if self._veto is None else self._veto(row)
        if why_not is not None:
            await self._after([row], [self._outcome(row, "skipped", why_not)])
        elif veto is not None:
            self.stop_group(row.message, veto)
            await self._after([row], [self._outcome(row, "unknown", veto)])
        return why_not is None and veto is None

    def _why_not(self, row: Row) -> str | None:
        if self._fatal is not None:
            return f"not tried after: {self._fatal}"
        if stop_asked():
            return f"{STOPPED} before it was sent"
        group = row.message.message_group_id
        reason = None if group is None else self._stopped_groups.get(group)
        return None if reason is None else f"an earlier message of its group did not get through: {reason}"

    async def _send(self, batch: Sequence[Row], until: float | None) -> None:
        try:
            results = await finish_if_soon(
                self._operations.publish_batch(
                    self._target, [row.message for row in batch], repeat_unknown=until is not None, give_up_at=until
                ),
                _ANSWER_SECONDS,
            )
        except TooLarge as error:
            if len(batch) > 1:  # together too large, or one of them is: halves tell
                middle = len(batch) // 2
                await self._send(batch[:middle], until)
                await self._send_second_half(batch[middle:], until, error)
                return
            outcomes = self._failed(batch, error)
        except (Unreachable, BadAnswer, Unavailable, Throttled) as error:
            if failure_point(error) is not FailurePoint.UNKNOWN:
                self._fatal = self._fatal or error
            outcomes = self._failed(batch, error)
        except CourierError as error:
            self._fatal = self._fatal or error
            outcomes = self._failed(batch, error)
        else:
            ids = [row.message.message_id or "" for row in batch]
            outcomes = [self._outcome(row, *_verdict(result)) for row, result in zip(batch, match(ids, results), strict=True)]
            outcomes = _with_overtakings(batch, outcomes)
        for row, outcome in zip(batch, outcomes, strict=True):
            if outcome.kind != "ok":
                self.stop_group(row.message, outcome.reason)
        with anyio.CancelScope(shield=True):
            await self._after(batch, outcomes)

    async def _send_second_half(self, batch: Sequence[Row], until: float | None, error: TooLarge) -> None:
        # What the first half brought to light holds for this one too: it was refused with the whole batch, and stays so.
        refused = {row.position: f"{error}; {reason}" for row in batch if (reason := self._why_not(row)) is not None}
        stopped = [row for row in batch if row.position in refused]
        outcomes = [self._outcome(row, "refused", refused[row.position]) for row in stopped]
        if stopped:
            await self._after(stopped, outcomes)
        rest = [row for row in batch if row.position not in refused]
        if rest:
            await self._send(rest, until)

    def _outcome(self, row: Row, kind: OutcomeKind, reason: str) -> Outcome:
        return Outcome(row.message.message_id, self._target, kind, reason, row.position)

    def _failed(self, batch: Sequence[Row], error: CourierError) -> list[Outcome]:
        # A call that was refused may have been the repetition of one that was not answered.
        is_unknown = error.after_unknown or failure_point(error) is FailurePoint.UNKNOWN
        return [self._outcome(row, "unknown" if is_unknown else "refused", str(error)) for row in batch]


def _with_overtakings(batch: Sequence[Row], outcomes: Sequence[Outcome]) -> list[Outcome]:
    """Say of each message that got through whether an earlier one of its group, sent in the same call, did not."""
    left_behind: set[str | None] = set()
    found = []
    for row, outcome in zip(batch, outcomes, strict=True):
        group = row.message.message_group_id
        if outcome.kind != "ok" and group is not None:
            left_behind.add(group)
        overtook = outcome.kind == "ok" and group in left_behind
        found.append(replace(outcome, reason=_OVERTOOK) if overtook else outcome)
    return found


def _verdict(result: ItemResult | None) -> tuple[Literal["ok", "refused", "unknown"], str]:
    if result is None:
        return "unknown", "the answer does not mention it"
    if result.ok:
        return "ok", ""
    return ("unknown" if result.after_unknown else "refused"), result.reason
