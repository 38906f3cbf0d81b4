"""Receiving with several calls at once, until the stop policy says so; peek, receive and drain are built on it."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import anyio
import anyio.lowlevel

from courier_nb.core.errors import CourierError
from courier_nb.core.messages import Message, Outcome
from courier_nb.flows.settle import BATCH, held, settle
from courier_nb.flows.stops import Stop
from courier_nb.flows.together import finish_if_soon, together
from courier_nb.wire.budget import ByteBudget, Claim
from courier_nb.wire.codec import Delivery
from courier_nb.wire.operations import Operations, PayloadVisibility
from courier_nb.wire.retry import FailurePoint, failure_point

BUDGET_BYTES = 16_000_000
"""How many bytes of answers may be in memory at once, for all calls of a verb together; a message alone may be larger."""

_CALLS_IN_BUDGET = 2  # no call should bring more than such a part of it: each is billed, so they are not made smaller than that
_FADING = 0.9  # how slowly large messages are forgotten
_GHOSTS_IN_ROW = 3
_PAUSE_SECONDS = 0.1
_ANSWER_SECONDS = 0.15


@dataclass(frozen=True, slots=True)
class Ask:
    """How to ask for messages: the parameters of operation 1, times in milliseconds."""

    destination: str
    polling_ms: int
    lock_ms: int
    batch_size: int = BATCH
    payload_visibility: PayloadVisibility = "full"


class Sizes:
    """How many messages to ask for, so that one answer does not grow too large.

    Parameters
    ----------
    budget : int
        Bytes for all calls together.
    """

    def __init__(self, budget: int) -> None:
        self._most = budget / _CALLS_IN_BUDGET
        self._size = 0.0

    def saw(self, size: int, count: int) -> None:
        """Note an answer of `size` bytes with `count` messages."""
        self._size = max(size / count, self._size * _FADING)

    def batch(self, most: int) -> int:
        """Return how many messages to ask for, at most `most` and at least one."""
        return max(1, min(most, int(self._most / max(self._size, 1.0))))


class Receiver:
    """Several receive calls at a time on one destination.

    When answers run empty, all but one of the calls pause (each is billed, and they say nothing that one does not), and the
    empty answers of the last one are counted. As soon as messages come again, all go on.

    Memory is bounded whatever the messages hold: large answers stay on the connection until there is room for them, and the
    larger messages are, the fewer are asked for in a call.

    Parameters
    ----------
    operations : Operations
    ask : Ask
    stop : Stop
    concurrency : int
        Calls at a time.
    tries_first : bool
        Ask for a single message first, to learn how large they are; the other calls begin when it is answered.
    budget_bytes : int
        Bytes of answers that may be held at once.

    Attributes
    ----------
    ghost_receives : int
        Calls without a certain answer.
    """

    def __init__(
        self,
        operations: Operations,
        ask: Ask,
        stop: Stop,
        concurrency: int,
        *,
        tries_first: bool = True,
        budget_bytes: int = BUDGET_BYTES,
    ) -> None:
        self._operations = operations
        self._budget = ByteBudget(budget_bytes)
        self._sizes = Sizes(budget_bytes)
        self._is_begun = False
        self._tried = anyio.Event()
        if not tries_first:
            self._tried.set()
        self._ask = ask
        self._stop = stop
        self._concurrency = concurrency
        self._polling = 0
        self._handling = 0
        self._wake = anyio.Event()
        self.ghost_receives = 0

    async def run(self, handle: Callable[[Delivery], Awaitable[None]]) -> None:
        """Receive until the stop policy ends it; `handle` is awaited for each answer that holds messages."""

        async def worker() -> None:
            claim = self._budget.claim()
            if self._is_begun:
                await self._tried.wait()
            self._is_begun = True
            ghosts_in_row = 0  # of this worker: when every connection breaks at once, each has lost one call and may try again
            while self._stop.reason(time.monotonic()) is None:
                await anyio.lowlevel.checkpoint_if_cancelled()  # an interrupt that an answer outran is felt here
                asked = await self._take()
                if not asked:
                    break
                try:
                    delivery = await self._receive(asked, claim, is_last_try=ghosts_in_row + 1 == _GHOSTS_IN_ROW)
                    if delivery is not None and delivery.messages:
                        self._wake_all()
                        await self._handle(handle, delivery)
                finally:
                    claim.release()
                if delivery is None:
                    ghosts_in_row += 1
                    # failures answer faster than messages: without a pause one worker would meet most of them
                    await anyio.sleep(_PAUSE_SECONDS * 2**ghosts_in_row)
                    continue
                ghosts_in_row = 0
                if delivery.messages:
                    del delivery  # it may be large, and the next one is long in coming
                elif self._polling or self._handling:
                    await self._wake.wait()  # others are still asking, or hold what keeps the rest of its group back
                else:
                    self._stop.came_up_empty()
            self._tried.set()
            self._wake_all()

        await together([worker] * self._concurrency)

    async def _handle(self, handle: Callable[[Delivery], Awaitable[None]], delivery: Delivery) -> None:
        self._handling += 1
        try:
            await handle(delivery)
        finally:
            self._handling -= 1
        self._wake_all()  # a message group that it held up may go on

    async def _take(self) -> int:
        """Wait until a call may be made, and reserve the messages that it may ask for; 0 when there is nothing to ask for."""
        await self._budget.room()
        with anyio.move_on_after(self._stop.seconds_left(time.monotonic())):
            asked = self._stop.take(self._sizes.batch(self._ask.batch_size) if self._tried.is_set() else 1)
            if not asked:
                return 0
            try:
                await self._operations.turn(messages=asked)
            except BaseException:
                self._stop.give_back(asked)
                raise
            if self._stop.reason(time.monotonic()) is None:
                return asked
            self._stop.give_back(asked)
        return 0

    async def _receive(self, asked: int, claim: Claim, *, is_last_try: bool) -> Delivery | None:
        ask, count = self._ask, 0
        self._polling += 1
        try:
            # A call that is cut off may have locked messages for nobody, so an interrupted one is given a moment: what it
            # brings is returned by whoever handles it.
            delivery = await finish_if_soon(
                self._operations.receive(
                    ask.destination,
                    polling_ms=ask.polling_ms,
                    batch_size=asked,
                    lock_ms=ask.lock_ms,
                    payload_visibility=ask.payload_visibility,
                    claim=claim,
                ),
                _ANSWER_SECONDS,
            )
            count = len(delivery.messages)
            if count:
                self._sizes.saw(len(delivery.raw), count)
            self._operations.charge(messages=count - asked, size=len(delivery.raw))
        except CourierError as error:
            if failure_point(error) is not FailurePoint.UNKNOWN or is_last_try:
                raise
            self.ghost_receives += 1
            return None
        finally:
            self._polling -= 1
            self._tried.set()
            self._stop.got(asked, count, time.monotonic())
        return delivery

    def _wake_all(self) -> None:
        self._wake.set()
        self._wake = anyio.Event()


async def release(operations: Operations, destination: str, messages: list[Message]) -> list[Outcome]:
    """Return messages to the queue, the last received first, and return their outcomes in the order given.

    Going backwards keeps the order inside a message group: an earlier message is never passed by a later one.
    """
    places = [i for i in reversed(range(len(messages))) if held(messages[i]) is not None]
    rows = [row for i in places if (row := held(messages[i])) is not None]
    outcomes = {
        i: Outcome(message.message_id, destination, "refused", "it came without an id or a lock", i)
        for i, message in enumerate(messages)
    }
    try:
        # Groups have an order to keep, so their batches go one after the other.
        is_ordered = any(message.message_group_id for message in messages)
        report = await settle(operations, "nack", destination, rows, concurrency=1 if is_ordered else 16, is_urgent=True)
    except CourierError as error:
        outcomes.update((i, Outcome(messages[i].message_id, destination, "unknown", str(error), i)) for i in places)
    else:
        for i, outcome in zip(places, report.outcomes, strict=True):
            outcomes[i] = Outcome(outcome.message_id, destination, outcome.kind, outcome.reason, i)
    return [outcomes[i] for i in range(len(messages))]
