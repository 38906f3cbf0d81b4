"""Receiving with several calls at once, until the stop policy says so; peek and receive are built on it."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import anyio
import anyio.lowlevel

from courier_nb.core.errors import CourierError
from courier_nb.core.messages import Message, Outcome
from courier_nb.core.progress import Counter
from courier_nb.flows.reports import Received
from courier_nb.flows.settle import BATCH, held, settle
from courier_nb.flows.stops import Stop
from courier_nb.flows.together import finish_if_soon, together
from courier_nb.wire.codec import Delivery
from courier_nb.wire.operations import Operations, PayloadVisibility
from courier_nb.wire.retry import FailurePoint, failure_point

_GHOSTS_IN_ROW = 3
_PAUSE_SECONDS = 0.1
_ANSWER_SECONDS = 0.15
_RELEASE_SECONDS = 0.4  # a stopped cell is to end within half a second; what is not returned by then comes back by itself


@dataclass(frozen=True, slots=True)
class Ask:
    """How to ask for messages: the parameters of operation 1, times in milliseconds."""

    destination: str
    polling_ms: int
    lock_ms: int
    batch_size: int = BATCH
    payload_visibility: PayloadVisibility = "full"


class Receiver:
    """Several receive calls at a time on one destination.

    When answers run empty, all but one of the calls pause (each is billed, and they say nothing that one does not), and the
    empty answers of the last one are counted. As soon as messages come again, all go on.

    Attributes
    ----------
    ghost_receives : int
        Calls without a certain answer.
    """

    def __init__(self, operations: Operations, ask: Ask, stop: Stop, concurrency: int) -> None:
        self._operations = operations
        self._ask = ask
        self._stop = stop
        self._concurrency = concurrency
        self._polling = 0
        self._wake = anyio.Event()
        self.ghost_receives = 0

    async def run(self, handle: Callable[[Delivery], Awaitable[None]]) -> None:
        """Receive until the stop policy ends it; `handle` is awaited for each answer that holds messages."""

        async def worker() -> None:
            ghosts_in_row = 0  # of this worker: when every connection breaks at once, each has lost one call and may try again
            while self._stop.reason(time.monotonic()) is None:
                await anyio.lowlevel.checkpoint_if_cancelled()  # an interrupt that an answer outran is felt here
                asked = self._stop.take(self._ask.batch_size)
                if not asked:
                    break
                delivery = await self._receive(asked, is_last_try=ghosts_in_row + 1 == _GHOSTS_IN_ROW)
                if delivery is None:
                    ghosts_in_row += 1
                    # failures answer faster than messages: without a pause one worker would meet most of them
                    await anyio.sleep(_PAUSE_SECONDS * 2**ghosts_in_row)
                    continue
                ghosts_in_row = 0
                if delivery.messages:
                    self._wake_all()
                    await handle(delivery)
                elif self._polling:
                    await self._wake.wait()  # others are still asking
                else:
                    self._stop.came_up_empty()
            self._wake_all()

        await together([worker] * self._concurrency)

    async def _receive(self, asked: int, *, is_last_try: bool) -> Delivery | None:
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
                ),
                _ANSWER_SECONDS,
            )
            count = len(delivery.messages)
        except CourierError as error:
            if failure_point(error) is not FailurePoint.UNKNOWN or is_last_try:
                raise
            self.ghost_receives += 1
            return None
        finally:
            self._polling -= 1
            self._stop.got(asked, count, time.monotonic())
        return delivery

    def _wake_all(self) -> None:
        self._wake.set()
        self._wake = anyio.Event()


async def receive(operations: Operations, ask: Ask, stop: Stop, *, concurrency: int, counter: Counter) -> Received:
    """Receive messages and keep their locks. When it fails or is cancelled, what was received is returned to the queue."""
    return await _collect(operations, ask, stop, concurrency, counter, keep=True)


async def peek(operations: Operations, ask: Ask, stop: Stop, *, concurrency: int, counter: Counter) -> Received:
    """Receive messages and return them to the queue."""
    return await _collect(operations, ask, stop, concurrency, counter, keep=False)


async def _collect(operations: Operations, ask: Ask, stop: Stop, concurrency: int, counter: Counter, *, keep: bool) -> Received:
    calls = operations.calls
    messages: list[Message] = []

    async def handle(delivery: Delivery) -> None:
        messages.extend(delivery.messages)
        counter.done = len(messages)

    receiver = Receiver(operations, ask, stop, concurrency)
    try:
        await receiver.run(handle)
    except BaseException:
        with anyio.CancelScope(shield=True), anyio.move_on_after(_RELEASE_SECONDS):
            await release(operations, ask.destination, messages)
        raise
    if keep:
        settlements: list[str | None] = [None] * len(messages)
        outcomes = [Outcome(m.message_id, ask.destination, "ok", "", i) for i, m in enumerate(messages)]
    else:
        # Begun, it is carried on for a moment even when interrupted: what is not returned stays away until its lock ends.
        outcomes = await finish_if_soon(release(operations, ask.destination, messages), _RELEASE_SECONDS)
        settlements = ["returned" if outcome.kind == "ok" else outcome.kind for outcome in outcomes]
    return Received(
        "receive" if keep else "peek",
        ask.destination,
        messages,
        settlements,
        outcomes,
        stopped_because=stop.reason(time.monotonic()) or "",
        ghost_receives=receiver.ghost_receives,
        calls=operations.calls - calls,
        seconds=time.monotonic() - stop.started,
    )


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
        report = await settle(operations, "nack", destination, rows, concurrency=1 if is_ordered else 16)
    except CourierError as error:
        outcomes.update((i, Outcome(messages[i].message_id, destination, "unknown", str(error), i)) for i in places)
    else:
        for i, outcome in zip(places, report.outcomes, strict=True):
            outcomes[i] = Outcome(outcome.message_id, destination, outcome.kind, outcome.reason, i)
    return [outcomes[i] for i in range(len(messages))]
