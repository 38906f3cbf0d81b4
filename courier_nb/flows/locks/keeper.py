"""Keeps locks alive while messages are held, on the client's own loop, and gives the messages back at the end."""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import time
from collections.abc import Awaitable, Callable, Sequence

from courier_nb.core import termination
from courier_nb.core.clock import AwakeClock, Clock
from courier_nb.core.errors import CourierError
from courier_nb.core.messages import Message, Outcome
from courier_nb.core.runs import Run, new_run_id, running
from courier_nb.core.settings import LockTtlUnit
from courier_nb.flows.locks import giving_back
from courier_nb.flows.locks.holding import HeldRow, Holding
from courier_nb.flows.locks.table import LockTable
from courier_nb.flows.locks.turns import Turns
from courier_nb.flows.locks.unit import LockUnit
from courier_nb.flows.settle import Held, SettleVerb, held, settle_batch
from courier_nb.wire.operations import Operations

_AT_A_TIME = 8
_LEAST_PATIENCE_SECONDS = 1.0
_LEAST_PAUSE_SECONDS = 0.1


class Keeper(LockTable):
    """Holds the locks of one client.

    A lock is extended when a third to a half of its time is over, ten in a call. A call that fails or dawdles is made again
    while there is time. Decisions go by a clock that nobody sets and that goes on while the machine sleeps.

    Parameters
    ----------
    operations : callable
        Gives the ten operations.
    unit : {"s", "ms"}, optional
        Unit of lock changes; None finds it out at the first extension.
    put_back : callable, optional
        Publishes messages afresh and acknowledges them: what is done at the end with those that a return would dead-letter.
    clock : Clock, optional

    Attributes
    ----------
    calls : int
        Calls made to extend locks and to give messages back.
    unit : LockUnit
    """

    def __init__(
        self,
        operations: Callable[[], Awaitable[Operations]],
        *,
        unit: LockTtlUnit | None = None,
        put_back: giving_back.PutBack | None = None,
        clock: Clock | None = None,
    ) -> None:
        self._operations = operations
        super().__init__(clock or AwakeClock())
        self._clock.on_step(self._wake)
        self._turns = Turns()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._running: asyncio.Task[None] | None = None
        self._asking: set[asyncio.Task[None]] = set()
        self._search: asyncio.Task[None] | None = None
        self._woken = asyncio.Event()
        self._trouble = ""
        self._run = Run(new_run_id(), "keep", "")
        self.calls = 0
        self.unit = LockUnit(unit, self._clock)
        self._put_back = put_back

    @property
    def loop(self) -> asyncio.AbstractEventLoop | None:
        """The loop that the keeper works on."""
        return self._loop

    @property
    def is_holding(self) -> bool:
        """Whether there is something to give back."""
        return any(row.is_kept and row.ended is None for row in list(self._rows.values()))

    @property
    def now(self) -> float:
        """The time by the keeper's clock, in seconds."""
        return self._clock.monotonic()

    def hold(
        self,
        messages: Sequence[Message],
        *,
        lock_ms: int,
        keep: bool = True,
        hold_seconds: float = float("inf"),
        for_a_look: bool = False,
    ) -> list[HeldRow | None]:
        """Hold messages just received; None in place of those that came without id or lock.

        Parameters
        ----------
        lock_ms : int
            How long their locks were asked to last, and each extension.
        keep : bool
            Extend the locks; otherwise only remember when they end.
        hold_seconds : float
            Give them back after so long.
        for_a_look : bool
            They are to go back soon, so losing a lock does no harm; the messages themselves are kept, to be put back.
        """
        self._prune()
        now = self.now
        self._turns.new_batch()
        found: list[HeldRow | None] = []
        for message in messages:
            lock = held(message)
            if lock is None:
                found.append(None)
                continue
            end = now + lock.deadline - time.monotonic()
            row = HeldRow(
                message if for_a_look else None,
                message.destination or "",
                lock.message_id,
                lock.lock_id,
                message.message_group_id,
                message.delivery_count,
                lock_ms,
                end,
                end,
                keep,
                hold_until=now + hold_seconds,
            )
            row.may_be_lost = for_a_look or row.delivery_count == 1
            self._rows[row.lock_id] = row
            found.append(row)
            self._turns.plan(row, lock_ms / 1_000)
        if keep and found:
            self._begin()
        return found

    def _noted(self, verb: SettleVerb, locks: Sequence[Held], outcomes: Sequence[Outcome], until: float) -> None:
        for lock, outcome in zip(locks, outcomes, strict=True):
            row = self._rows.get(lock.lock_id)
            if verb == "extend" and row is not None and outcome.kind == "ok":
                if self.unit.known is None:
                    row.certain_end = self.now + (until - self.now) / 1_000  # if it was taken for milliseconds
                self._turns.plan(row, row.certain_end - self.now)
        self._wake()
        termination.adjust()

    async def give_back(self, rows: Sequence[HeldRow]) -> list[Outcome]:
        """Return messages to the queue, the last received first; return their outcomes in the order given."""
        operations = await self._operations()
        with self.settling([row.as_held(self.now) for row in rows]):
            outcomes, calls = await giving_back.give_back(operations, rows, self._clock)
        self.calls += calls
        for row in rows:
            if row.ended == "returned":
                self._rows.pop(row.lock_id, None)
        termination.adjust()
        return outcomes

    async def put_back_now(self, rows: Sequence[HeldRow]) -> list[Outcome]:
        """Put back whole what a return would dead-letter; what cannot be put back stays held."""
        with self.settling([row.as_held(self.now) for row in rows]):
            outcomes = await giving_back.put_back_whole(rows, self._put_back, self._clock)
        termination.adjust()
        return outcomes

    def ours(self, destination: str) -> list[HeldRow]:
        """Return what is held of a destination and is ours, or may be; the last received first."""
        return [row for row in reversed(list(self._rows.values())) if row.destination == destination and row.is_ours(self.now)]

    def holding(self, destination: str | None = None) -> Holding:
        """Return a report of what is held, and of locks that were lost and not settled since."""
        now = self.now
        rows = [row for row in list(self._rows.values()) if destination in (None, row.destination)]
        shown = [row for row in rows if row.state(now) in ("held", "unknown", "lost_lock")]
        notes = [note for note in (self.unit.note, self._trouble) if note]
        return Holding(shown, now, calls=self.calls, lock_ttl_unit=self.unit.known, notes=notes)

    async def release(self) -> None:
        """Give everything back within two seconds; those that a return would dead-letter are put back whole, or stay locked."""
        tasks = [task for task in (self._running, self._search, *self._asking) if task is not None]
        for task in tasks:
            task.cancel()
        self._search = None
        rows = [row for row in self._rows.values() if row.is_kept and row.is_ours(self.now)]
        if not rows:
            return
        # Each may have been cut off in the middle of a call, and what it says of its rows is to come first.
        with running(Run(new_run_id(), "release", "")), contextlib.suppress(TimeoutError, CourierError):
            async with asyncio.timeout(termination.RELEASE_SECONDS):
                await asyncio.gather(*tasks, return_exceptions=True)
                await self._return(rows)

    def _begin(self) -> None:
        self._loop = asyncio.get_running_loop()
        if self._running is None or self._running.done():
            # what it does later belongs to no verb and draws no progress
            self._running = self._loop.create_task(self._keep(), context=contextvars.Context())
        self._wake()
        termination.release_at_the_end(self)

    async def _keep(self) -> None:
        while self._turns or self._asking or self._search is not None:
            self._woken.clear()
            wait = self._take_turns()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(wait):
                    await self._woken.wait()
        self._running = None

    def _wake(self) -> None:
        self._woken.set()

    def _take_turns(self) -> float | None:
        """Start what is due, and return for how many seconds nothing more will be; None until something is noted."""
        now = self.now
        while self._turns and self._turns.next_due <= now and len(self._asking) < _AT_A_TIME:
            if self._search is not None or self._searches(now):
                return None
            batch = self._turns.next_batch(now)
            if batch and batch[0].hold_until <= now:
                self._start(self._end_hold(batch))
            elif batch:
                self._start(self._extend(batch))
        if not self._turns or len(self._asking) >= _AT_A_TIME:
            return None
        return max(0.0, self._turns.next_due - now)

    def _start(self, work: Awaitable[None]) -> None:
        async def do() -> None:
            with running(self._run):
                await work

        task = asyncio.ensure_future(do())
        self._asking.add(task)
        task.add_done_callback(self._asking.discard)
        task.add_done_callback(lambda _: self._wake())

    async def _end_hold(self, rows: Sequence[HeldRow]) -> None:
        """Give back what was held for as long as was asked."""
        try:
            await self._return(rows)
        except CourierError as error:
            self._trouble = f"Messages could not be given back: {error}"

    async def _return(self, rows: Sequence[HeldRow]) -> None:
        try:
            operations = await self._operations()
            calls = operations.calls
            with self.settling([row.as_held(self.now) for row in rows]):
                await giving_back.give_back_or_rescue(rows, operations, self._put_back, self._clock)
            self.calls += operations.calls - calls
        finally:
            for row in rows:
                row.is_kept = False  # what could not be given back comes back by itself
            self.tell_ended(rows)
            termination.adjust()

    async def _extend(self, rows: Sequence[HeldRow]) -> None:
        ask_ms, lasts = self.unit.ask_for(rows[0].lock_ms)
        sent = self.now
        left = min(row.end(sent) for row in rows) - sent
        outcomes: Sequence[Outcome] | None = None
        try:
            async with asyncio.timeout(max(_LEAST_PATIENCE_SECONDS, left / 2)):
                operations = await self._operations()
                self.calls += 1
                locks = [row.as_held(sent) for row in rows]
                outcomes = await settle_batch(operations, "extend", rows[0].destination, locks, lock_ms=ask_ms)
        except (CourierError, TimeoutError) as error:
            self._trouble = f"Locks could not be extended: {error or 'no answer in time'}"
        now = self.now
        for position, row in enumerate(rows):
            kind = outcomes[position].kind if outcomes is not None else "unknown"
            if outcomes is not None and kind != "ok":
                self._trouble = f"Locks could not be extended: {outcomes[position].reason}"
            if kind == "ok":
                row.certain_end = max(row.certain_end, sent + lasts)
                # as far as the unit is not known, the lock may last a thousand times as long
                row.possible_end = max(row.possible_end, sent + (lasts if self.unit.known else ask_ms / 1_000))
                row.extended += 1
                self._turns.plan(row, lasts)
                continue
            if kind == "lost_lock" and row.settling == 0 and row.ended is None:
                row.ended, row.ended_at = "lost_lock", now
            elif kind == "unknown" and sent < row.end(sent):
                row.possible_end = max(row.possible_end, now + lasts)
            self._turns.add(row, now + max(_LEAST_PAUSE_SECONDS, min(lasts / 12, (row.end(now) - now) / 4)))
        if any(row.ended == "lost_lock" for row in rows):
            termination.adjust()

    def _searches(self, now: float) -> bool:
        """Begin to find out the unit of lock changes, if it is not known and can be."""
        row = None if self.unit.known else self.unit.row_to_try(self._rows.values())
        if row is None:
            return False

        async def search() -> None:
            self.calls += 2
            with contextlib.suppress(CourierError), running(self._run):
                await self.unit.find_out(await self._operations(), row)
            self._search = None
            if row.ended is None:
                self._turns.plan(row, row.lock_ms / 1_000)
            self._wake()

        row.due = float("inf")
        self._search = asyncio.ensure_future(search())
        return True
