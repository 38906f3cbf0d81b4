"""Publishing many messages: side by side, but in order inside each message group.

Every group belongs to one lane, and a lane sends one batch after the other; messages without a group go to whichever lane is
next. After a message of a group did not certainly get through, no later one of that group is sent.
"""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import anyio
from anyio.streams.memory import MemoryObjectReceiveStream, MemoryObjectSendStream

from courier_nb.core.errors import BadAnswer, CourierError, InvalidArgument, Throttled, TooLarge, Unavailable, Unreachable
from courier_nb.core.messages import Message, Outcome, OutcomeKind
from courier_nb.flows.settle import BATCH, match
from courier_nb.flows.together import finish_if_soon, together
from courier_nb.wire.codec import body_text
from courier_nb.wire.operations import Operations
from courier_nb.wire.retry import FailurePoint, failure_point

MAX_BODY_BYTES = 10 * 1024 * 1024
_BATCH_BYTES = 8 * 1024 * 1024
_BATCHES_PER_LANE = 2
_ANSWER_SECONDS = 0.25  # how long an interrupted call waits for the answer that is on its way


@dataclass(frozen=True, slots=True)
class Row:
    """A message to publish, its place in the input, and its key in the ledger (empty without one)."""

    position: int
    message: Message
    key: bytes = b""


BeforeSending = Callable[[Sequence[Row]], Awaitable[None]]
AfterSending = Callable[[Sequence[Row], Sequence[Outcome]], Awaitable[None]]


class Lanes:
    """Publishes rows to one destination.

    Parameters
    ----------
    operations : Operations
    target : str
    concurrency : int
        Lanes, each with one call at a time.
    before, after : callable
        Awaited before a batch is sent and after its outcomes are known.
    repeat_unknown : bool or None
        See `retry.may_repeat`.
    """

    def __init__(
        self,
        operations: Operations,
        target: str,
        *,
        concurrency: int,
        before: BeforeSending,
        after: AfterSending,
        repeat_unknown: bool | None = None,
    ) -> None:
        self._operations = operations
        self._target = target
        self._concurrency = concurrency
        self._before = before
        self._after = after
        self._repeat_unknown = repeat_unknown
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

    async def run(self, rows: AsyncIterator[Row]) -> None:
        """Publish all `rows`."""
        streams = [anyio.create_memory_object_stream[list[Row]](_BATCHES_PER_LANE) for _ in range(self._concurrency)]
        inlets = [inlet for inlet, _ in streams]

        async def feed() -> None:
            try:
                await self._feed(rows, inlets)
            finally:
                for inlet in inlets:
                    inlet.close()

        def lane(outlet: MemoryObjectReceiveStream[list[Row]]) -> Callable[[], Coroutine[Any, Any, None]]:
            async def work() -> None:
                async with outlet:
                    async for batch in outlet:
                        await self._send_those_allowed(batch)

            return work

        await together([feed, *(lane(outlet) for _, outlet in streams)])

    async def _feed(self, rows: AsyncIterator[Row], inlets: Sequence[MemoryObjectSendStream[list[Row]]]) -> None:
        """Deal the rows out in full batches, for each call is billed; what is left over at the end goes in short ones."""
        batches: list[list[Row]] = [[] for _ in inlets]
        sizes = [0] * len(inlets)
        turn = 0

        async def send(lane: int) -> None:
            batch, batches[lane], sizes[lane] = batches[lane], [], 0
            await inlets[lane].send(batch)

        async for row in rows:
            group = row.message.message_group_id
            lane = turn % len(inlets) if group is None else _lane_of(group, len(inlets))
            size = len(row.message.body or "")
            if batches[lane] and sizes[lane] + size > _BATCH_BYTES:
                await send(lane)
            batches[lane].append(row)
            sizes[lane] += size
            if len(batches[lane]) == BATCH:
                await send(lane)
                turn += 1
        for lane, batch in enumerate(batches):
            if batch:
                await send(lane)

    async def _send_those_allowed(self, batch: list[Row]) -> None:
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
            await self._before(allowed)
            await self._send(allowed)

    def _why_not(self, row: Row) -> str | None:
        if self._fatal is not None:
            return f"not tried after: {self._fatal}"
        group = row.message.message_group_id
        reason = None if group is None else self._stopped_groups.get(group)
        return None if reason is None else f"an earlier message of its group did not get through: {reason}"

    async def _send(self, batch: Sequence[Row]) -> None:
        try:
            results = await finish_if_soon(
                self._operations.publish_batch(self._target, [row.message for row in batch], repeat_unknown=self._repeat_unknown),
                _ANSWER_SECONDS,
            )
        except TooLarge as error:
            if len(batch) > 1:  # together too large, or one of them is: halves tell
                middle = len(batch) // 2
                await self._send(batch[:middle])
                await self._send_second_half(batch[middle:], error)
                return
            outcomes = self._all(batch, "refused", str(error))
        except (Unreachable, BadAnswer, Unavailable, Throttled) as error:
            is_unknown = failure_point(error) is FailurePoint.UNKNOWN
            if not is_unknown:
                self._fatal = self._fatal or error
            outcomes = self._all(batch, "unknown" if is_unknown else "refused", str(error))
        except CourierError as error:
            self._fatal = self._fatal or error
            outcomes = self._all(batch, "refused", str(error))
        else:
            ids = [row.message.message_id or "" for row in batch]
            outcomes = []
            for row, result in zip(batch, match(ids, results), strict=True):
                kind: Literal["ok", "refused", "unknown"] = "unknown" if result is None else "ok" if result.ok else "refused"
                reason = "the answer does not mention it" if result is None else "" if result.ok else result.reason
                outcomes.append(self._outcome(row, kind, reason))
        for row, outcome in zip(batch, outcomes, strict=True):
            if outcome.kind != "ok":
                self.stop_group(row.message, outcome.reason)
        with anyio.CancelScope(shield=True):
            await self._after(batch, outcomes)

    async def _send_second_half(self, batch: Sequence[Row], error: TooLarge) -> None:
        # What the first half brought to light holds for this one too: it was refused with the whole batch, and stays so.
        refused = {row.position: f"{error}; {reason}" for row in batch if (reason := self._why_not(row)) is not None}
        stopped = [row for row in batch if row.position in refused]
        outcomes = [self._outcome(row, "refused", refused[row.position]) for row in stopped]
        if stopped:
            await self._after(stopped, outcomes)
        rest = [row for row in batch if row.position not in refused]
        if rest:
            await self._send(rest)

    def _outcome(self, row: Row, kind: OutcomeKind, reason: str) -> Outcome:
        return Outcome(row.message.message_id, self._target, kind, reason, row.position)

    def _all(self, batch: Sequence[Row], kind: Literal["refused", "unknown"], reason: str) -> list[Outcome]:
        return [self._outcome(row, kind, reason) for row in batch]


def _lane_of(group: str, lanes: int) -> int:
    return int.from_bytes(hashlib.blake2b(group.encode("utf-8", "surrogatepass"), digest_size=4).digest()) % lanes
