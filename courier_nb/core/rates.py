"""How fast to go: messages, calls or bytes per second, and the pacer that holds work back to it."""

from __future__ import annotations

import math
import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import anyio

from courier_nb.core.clock import Clock, SystemClock
from courier_nb.core.errors import ConfigError, InvalidArgument
from courier_nb.core.units import Duration, seconds

BURST_SECONDS = 0.1
"""How much time may be made up for: sleeps end late, and without this the pace would always be a little short."""

_RAMP_START = 0.1  # the share of the rate that a ramp begins with
_PART = re.compile(r"(\d+(?:[._]\d+)*)\s*([A-Za-z]+)\s*(?:/|per)\s*([A-Za-z]+)")
_RAMP = re.compile(r"ramp[- _]?up\s*(?:of|=|:)?\s*(\S.*)", re.IGNORECASE)
_WHAT = {
    **dict.fromkeys(("msg", "msgs", "message", "messages"), ("messages", 1)),
    **dict.fromkeys(("call", "calls"), ("calls", 1)),
    **dict.fromkeys(("b", "byte", "bytes"), ("bytes", 1)),
    "kb": ("bytes", 1_000),
    "mb": ("bytes", 1_000_000),
    "gb": ("bytes", 1_000_000_000),
}
_PER = {
    **dict.fromkeys(("s", "sec", "second"), 1),
    **dict.fromkeys(("m", "min", "minute"), 60),
    **dict.fromkeys(("h", "hour"), 3_600),
}
_EXPECTED = "write for example '100 msg/s', '5 calls/s', '2 MB/s' or '100 msg/s, 20 calls/s, ramp-up 30s', or give a Rate"


@dataclass(frozen=True, slots=True)
class Rate:
    """The most that may be done in a second; what is None is not limited.

    Parameters
    ----------
    messages, calls, bytes : float, optional
        Per second. ``bytes`` are those of message bodies.
    ramp_up : duration
        Time in which the rate grows from a tenth of it to the whole.

    Raises
    ------
    InvalidArgument
        When a rate is not a positive number, or none is given.

    Examples
    --------
    >>> Rate(messages=100, ramp_up="30s")
    Rate(messages=100, calls=None, bytes=None, ramp_up='30s')
    """

    messages: float | None = None
    calls: float | None = None
    bytes: float | None = None
    ramp_up: Duration = 0

    def __post_init__(self) -> None:
        given = {"messages": self.messages, "calls": self.calls, "bytes": self.bytes}
        for name, value in given.items():
            if value is not None and not _is_rate(value):
                raise InvalidArgument(f"Rate({name}={value!r}): a positive number per second was expected.")
        if all(value is None for value in given.values()):
            raise InvalidArgument("The rate limits nothing: give messages, calls or bytes per second.")
        try:
            seconds(self.ramp_up, name="ramp_up")
        except ConfigError as error:
            raise InvalidArgument(str(error)) from None

    @property
    def ramp_seconds(self) -> float:
        """The ramp-up in seconds."""
        return seconds(self.ramp_up, name="ramp_up")


def as_rate(value: Rate | str | None) -> Rate | None:
    """Return what a user gave as ``rate=``; None sets no limit.

    Parameters
    ----------
    value : Rate, str or None
        Text names amounts per ``s``, ``min`` or ``h``, separated by commas, and possibly a ramp-up:
        ``"100 msg/s"``, ``"5 calls/s"``, ``"2 MB/s"``, ``"100 msg/s, 20 calls/s, ramp-up 30s"``.

    Raises
    ------
    InvalidArgument
        When it is anything else.
    """
    if value is None or isinstance(value, Rate):
        return value
    if not isinstance(value, str):
        raise _not_a_rate(value)
    limits: dict[str, float] = {}
    ramp_up: str | None = None
    for part in value.split(","):
        ramp, amount = _RAMP.fullmatch(part.strip()), _PART.fullmatch(part.strip())
        if ramp is not None and ramp_up is None:
            ramp_up = ramp[1]
        elif amount is not None and amount[2].lower() in _WHAT and amount[3].lower() in _PER:
            name, size = _WHAT[amount[2].lower()]
            if name in limits:
                raise _not_a_rate(value)
            limits[name] = _number(amount[1], value) * size / _PER[amount[3].lower()]
        else:
            raise _not_a_rate(value)
    try:
        return Rate(**limits, ramp_up=ramp_up or 0)
    except InvalidArgument as error:
        raise InvalidArgument(f"rate is {value!r}: {error} For a rate, {_EXPECTED}.") from None


class Pacer:
    """Holds work back so that it keeps to a rate; all workers of a verb share one.

    They pass in the order in which they came. Over any stretch of time no more passes than the rate gives for it, plus
    `BURST_SECONDS` of the rate, plus what the last one to pass took at once.
    A worker that is cancelled while it waits has taken nothing.

    Parameters
    ----------
    rate : Rate
    clock : Clock, optional
        Only its monotonic time is used.
    sleep : callable, optional
        ``anyio.sleep``, or a test's.
    """

    def __init__(
        self, rate: Rate, *, clock: Clock | None = None, sleep: Callable[[float], Awaitable[None]] = anyio.sleep
    ) -> None:
        self._clock = clock or SystemClock()
        self._sleep = sleep
        self._limits = {
            name: float(limit)
            for name, limit in (("messages", rate.messages), ("calls", rate.calls), ("bytes", rate.bytes))
            if limit is not None
        }
        self._ramp_seconds = rate.ramp_seconds
        self._free_at = dict.fromkeys(self._limits, 0.0)  # in seconds of work at the full rate, counted from the start
        self._started: float | None = None
        self._line = anyio.Lock()  # fair: first come, first served

    async def turn(self, *, calls: int = 0, messages: int = 0, size: int = 0) -> None:
        """Wait until it is this caller's turn, and take so many calls, messages and bytes."""
        async with self._line:
            while (wait := self._wait()) > 0:
                await self._sleep(wait)
            self.charge(calls=calls, messages=messages, size=size)

    def charge(self, *, calls: int = 0, messages: int = 0, size: int = 0) -> None:
        """Take without waiting, so that those who come next wait longer; give back with negative numbers.

        For what cannot wait, such as acknowledging a message whose lock is running, and for what is known only afterwards.
        """
        done = self._done_by(self._elapsed())
        for name, amount in (("calls", calls), ("messages", messages), ("bytes", size)):
            if amount and name in self._limits:
                earliest = max(self._free_at[name], done - BURST_SECONDS)
                self._free_at[name] = earliest + amount / self._limits[name]

    def _wait(self) -> float:
        """Return the seconds until nothing that was taken is left to be waited for."""
        elapsed = self._elapsed()
        wait = max((self._when_done(free) for free in self._free_at.values()), default=0.0) - elapsed
        # a wait too short to move the clock would never end
        return wait if elapsed + wait > elapsed and wait > 1e-9 else 0.0

    def _elapsed(self) -> float:
        now = self._clock.monotonic()
        if self._started is None:
            self._started = now
        return now - self._started

    def _done_by(self, elapsed: float) -> float:
        """Return how many seconds of work at the full rate fit into the first `elapsed` seconds."""
        ramp = self._ramp_seconds
        if elapsed >= ramp:
            return elapsed - ramp + ramp * (1 + _RAMP_START) / 2
        return _RAMP_START * elapsed + (1 - _RAMP_START) * elapsed**2 / (2 * ramp)

    def _when_done(self, work: float) -> float:
        """Return the inverse of `_done_by`."""
        ramp = self._ramp_seconds
        in_ramp = ramp * (1 + _RAMP_START) / 2
        if work >= in_ramp:
            return work - in_ramp + ramp
        if work <= 0:
            return 0.0
        return ramp * (math.sqrt(_RAMP_START**2 + 2 * (1 - _RAMP_START) * work / ramp) - _RAMP_START) / (1 - _RAMP_START)


def _is_rate(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value) and value > 0


def _number(text: str, value: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise _not_a_rate(value) from None


def _not_a_rate(value: object) -> InvalidArgument:
    shown = repr(value) if isinstance(value, str) else f"of type {type(value).__name__}"
    return InvalidArgument(f"rate is {shown[:100]}, which is not a rate: {_EXPECTED}.")
