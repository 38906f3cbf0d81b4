"""How many calls are made at a time when the service says that it is too much.

Additive increase, multiplicative decrease: as many calls as are asked for until the first 429 or 503; then half of them, once a
round trip, and one more for each round trip that goes well. Calls of different kinds never wait for each other: a receive that
waits for messages must not hold up an acknowledgement, nor must the upload of a large message.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import anyio

from courier_nb.wire.retry import PUBLISHING, SETTLING, Operation

_PAUSE_SECONDS = 0.1
_PAUSE_MAX_SECONDS = 2.0


class Brake:
    """Holds back every call of a client until the time that the server named."""

    def __init__(self) -> None:
        self._until = 0.0

    def hold(self, seconds: float) -> None:
        """Let nobody pass for so long; a shorter hold does not end a longer one."""
        self._until = max(self._until, time.monotonic() + seconds)

    @property
    def is_off(self) -> bool:
        """Whether calls may be made."""
        return time.monotonic() >= self._until

    async def wait(self) -> None:
        """Return when calls may be made."""
        while not self.is_off:  # noqa: ASYNC110  # it may be pulled again meanwhile, and no event says that a time has come
            await anyio.sleep(max(0.0, self._until - time.monotonic()))


class Gate:
    """Lets a number of calls pass at a time, first come, first served.

    Attributes
    ----------
    in_flight : int
        Calls under way.
    """

    def __init__(self) -> None:
        self.in_flight = 0
        self._limit: float | None = None
        self._asked = 0
        self._waiting: deque[anyio.Event] = deque()

    @property
    def limit(self) -> int | None:
        """How many calls may be under way; None for as many as are asked for."""
        return None if self._limit is None else int(self._limit)

    async def enter(self) -> None:
        """Wait until one more call may be made."""
        if not self._waiting and self._has_room():
            self.in_flight += 1
            return
        admitted = anyio.Event()
        self._waiting.append(admitted)
        try:
            await admitted.wait()
        except BaseException:
            if admitted.is_set():
                self.leave()
            else:
                self._waiting.remove(admitted)
            raise

    def leave(self) -> None:
        """Say that a call is over."""
        self.in_flight -= 1
        self._admit()

    def halve(self) -> None:
        """Let half as many calls pass as before, but at least one."""
        if self._limit is None and not self.in_flight:
            return  # nobody asks
        self._asked = max(self._asked, self.in_flight)
        self._limit = max(1.0, (self._limit or self.in_flight) / 2)

    def widen(self) -> None:
        """Note a call that went well; a round trip of them lets one more pass."""
        if self._limit is None:
            return
        self._limit += 1 / int(self._limit)
        if self._limit >= self._asked:
            self._limit, self._asked = None, 0
        self._admit()

    def _has_room(self) -> bool:
        return self._limit is None or self.in_flight < int(self._limit)

    def _admit(self) -> None:
        while self._waiting and self._has_room():
            self.in_flight += 1
            self._waiting.popleft().set()


class Pressure:
    """What a client knows of how much the service takes.

    Attributes
    ----------
    brake : Brake
        Shared by the calls of every kind.
    throttled : int
        Answers so far that said it was too much (429 or 503).
    least_concurrency : int or None
        The fewest calls of one kind that were let through at a time; None when there was never a limit.
    """

    def __init__(self) -> None:
        self.brake = Brake()
        self.throttled = 0
        self.least_concurrency: int | None = None
        self._gates = {name: Gate() for name in ("receiving", "settling", "publishing", "other")}
        self._last_cut = float("-inf")
        self._cuts_in_row = 0

    def gate(self, operation: Operation) -> Gate:
        """Return the gate that a call goes through."""
        return self._gates[_kind(operation)]

    @asynccontextmanager
    async def slot(self, operation: Operation) -> AsyncIterator[None]:
        """Wait until the call may be made, and count it as under way inside the block."""
        gate = self.gate(operation)
        await gate.enter()
        try:
            await self.brake.wait()
            yield
        finally:
            gate.leave()

    def too_much(self, sent_at: float, retry_after: float | None) -> None:
        """Note a 429 or 503.

        Parameters
        ----------
        sent_at : float
            Monotonic time at which the call was sent: calls of one round trip are refused together and count once.
        retry_after : float or None
            Seconds, if the server named them.
        """
        self.throttled += 1
        self.brake.hold(retry_after or 0.0)
        if sent_at < self._last_cut:
            return
        self._last_cut = time.monotonic()
        if retry_after is None:
            self.brake.hold(min(_PAUSE_SECONDS * 2**self._cuts_in_row, _PAUSE_MAX_SECONDS))
        self._cuts_in_row = min(self._cuts_in_row + 1, 10)
        for gate in self._gates.values():
            gate.halve()
        limits = [gate.limit for gate in self._gates.values() if gate.limit is not None]
        if limits:
            self.least_concurrency = min(*limits, self.least_concurrency or limits[0])

    def went_well(self, operation: Operation) -> None:
        """Note a call that was not too much."""
        self._cuts_in_row = 0
        self.gate(operation).widen()


def _kind(operation: Operation) -> str:
    if operation is Operation.RECEIVE:
        return "receiving"
    if operation in SETTLING:
        return "settling"
    return "publishing" if operation in PUBLISHING else "other"
