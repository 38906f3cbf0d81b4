"""Peek and receive: taking messages, watching over their locks meanwhile, and returning those that are not to stay."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace

import anyio

from courier_nb.core.messages import Message, Outcome
from courier_nb.core.progress import Counter
from courier_nb.flows.guard import UNKNOWN, LastChance, Wiring
from courier_nb.flows.locks.holding import HeldRow
from courier_nb.flows.locks.keeper import Keeper
from courier_nb.flows.locks.since import HeldRows
from courier_nb.flows.receive import Ask, Receiver
from courier_nb.flows.reports import Received
from courier_nb.flows.stops import Stop
from courier_nb.flows.together import finish_if_soon
from courier_nb.wire.codec import Delivery
from courier_nb.wire.operations import Operations

_RELEASE_SECONDS = 0.4  # a stopped cell is to end within half a second; what is not returned by then comes back by itself


async def receive(
    operations: Operations,
    ask: Ask,
    stop: Stop,
    *,
    concurrency: int,
    counter: Counter,
    keeper: Keeper | None = None,
    keep: bool = True,
    hold_seconds: float = float("inf"),
    wiring: Wiring = UNKNOWN,
) -> Received:
    """Receive messages and keep their locks. When it fails or is cancelled, what was received is returned to the queue.

    Their locks are extended from their arrival on, if there is a `keeper` and it is to `keep` them.
    """
    taking = _Taking(operations, ask, keeper, wiring, keep=keep, hold_seconds=hold_seconds)
    receiver = await taking.run(stop, concurrency, counter)
    outcomes = [Outcome(m.message_id, ask.destination, "ok", "", i) for i, m in enumerate(taking.messages)]
    return taking.report("receive", outcomes, [None] * len(outcomes), stop, receiver)


async def peek(
    operations: Operations,
    ask: Ask,
    stop: Stop,
    *,
    concurrency: int,
    counter: Counter,
    keeper: Keeper | None = None,
    last_chance: LastChance = "hold",
    wiring: Wiring = UNKNOWN,
) -> Received:
    """Receive messages and return them to the queue, but for those whose return would send them to the dead-letter queue."""
    taking = _Taking(operations, ask, keeper, wiring, keep=True, for_a_look=True, spares=last_chance != "return")
    receiver = await taking.run(stop, concurrency, counter)
    # Begun, it is carried on for a moment even when interrupted: what is not returned stays away until its lock ends.
    outcomes = await finish_if_soon(taking.give_back(), _RELEASE_SECONDS)
    settlements = ["returned" if outcome.kind == "ok" else outcome.kind for outcome in outcomes]
    kept = taking.last_chances
    if last_chance == "put_back" and kept:
        kept_rows = [row for i in kept if (row := taking.rows[i]) is not None]
        for i, outcome in zip(kept, await taking.keeper.put_back_now(kept_rows), strict=True):
            outcomes[i] = replace(outcome, position=i)
            settlements[i] = "put_back" if outcome.kind == "ok" else "held"
    elif kept:
        for i in kept:
            outcomes[i] = Outcome(taking.messages[i].message_id, ask.destination, "ok", "held: it was its last chance", i)
            settlements[i] = "held"
    return taking.report("peek", outcomes, settlements, stop, receiver)


class _Taking:
    """Messages as they are received, and what returns them."""

    def __init__(
        self,
        operations: Operations,
        ask: Ask,
        keeper: Keeper | None,
        wiring: Wiring,
        *,
        keep: bool,
        hold_seconds: float = float("inf"),
        for_a_look: bool = False,
        spares: bool = False,
    ) -> None:
        async def same() -> Operations:
            return operations

        self.keeper = keeper or Keeper(same)
        self.messages: list[Message] = []
        self.rows: list[HeldRow | None] = []
        self._operations = operations
        self._ask = ask
        self._wiring = wiring
        self._keep = keep and keeper is not None
        self._hold_seconds = hold_seconds
        self._for_a_look = for_a_look
        self._spares = spares
        self._calls = operations.calls

    @property
    def last_chances(self) -> list[int]:
        """The places of those that are not returned, because that would be the end of them."""
        return [i for i, row in enumerate(self.rows) if row is not None and row.is_last_chance]

    async def run(self, stop: Stop, concurrency: int, counter: Counter) -> Receiver:
        """Receive until the stop policy ends it; when it fails, return what came."""

        async def handle(delivery: Delivery) -> None:
            rows = self.keeper.hold(
                delivery.messages,
                lock_ms=self._ask.lock_ms,
                keep=self._keep,
                hold_seconds=self._hold_seconds,
                for_a_look=self._for_a_look,
            )
            for row in filter(None, rows):
                if self._wiring.is_fifo and row.group is None:
                    row.group = ""  # messages without a group share one
                if self._wiring.is_last_chance(row.delivery_count):
                    row.may_be_lost, row.is_last_chance = False, self._spares
            self.messages.extend(delivery.messages)
            self.rows.extend(rows)
            counter.done = len(self.messages)

        receiver = Receiver(self._operations, self._ask, stop, concurrency, tries_first=False)
        try:
            await receiver.run(handle)
        except BaseException:
            with anyio.CancelScope(shield=True), anyio.move_on_after(_RELEASE_SECONDS):
                await self.give_back()
            raise
        return receiver

    async def give_back(self) -> list[Outcome]:
        """Return what may be returned, the last received first; return an outcome for each message."""
        places = [i for i, row in enumerate(self.rows) if row is not None and not row.is_last_chance]
        found = {
            i: Outcome(message.message_id, self._ask.destination, "refused", "it came without an id or a lock", i)
            for i, message in enumerate(self.messages)
        }
        rows = [row for i in places if (row := self.rows[i]) is not None]
        try:
            outcomes = await self.keeper.give_back(rows)
        finally:
            for row in rows:
                row.is_kept = False  # what could not be returned comes back by itself
        found.update((i, replace(outcome, position=i)) for i, outcome in zip(places, outcomes, strict=True))
        return [found[i] for i in range(len(self.messages))]

    def report(
        self,
        verb: str,
        outcomes: Sequence[Outcome],
        settlements: Sequence[str | None],
        stop: Stop,
        receiver: Receiver,
    ) -> Received:
        left = [self._wiring.deliveries_left(message.delivery_count) for message in self.messages]
        return Received(
            verb,
            self._ask.destination,
            self.messages,
            settlements,
            outcomes,
            stopped_because=stop.reason(time.monotonic()) or "",
            ghost_receives=receiver.ghost_receives,
            calls=self._operations.calls - self._calls,
            seconds=time.monotonic() - stop.started,
            held=HeldRows(self.keeper, self.rows, left, is_a_look=self._for_a_look),
        )
