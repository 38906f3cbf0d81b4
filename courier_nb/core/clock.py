"""The clock that everything else is given, so that a test can move time instead of sleeping."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Protocol


class Clock(Protocol):
    """Source of time.

    ``time`` is seconds since the epoch (UTC, may jump); ``monotonic`` is seconds since an arbitrary start and
    never goes back. ``on_step`` registers a callback for clocks that are moved by hand.
    """

    def time(self) -> float: ...

    def monotonic(self) -> float: ...

    def on_step(self, callback: Callable[[], None]) -> None: ...


class SystemClock:
    """The machine's clocks."""

    def time(self) -> float:
        return time.time()

    def monotonic(self) -> float:
        return time.monotonic()

    def on_step(self, callback: Callable[[], None]) -> None:
        """Do nothing: this clock is never moved by hand."""


class AwakeClock(SystemClock):
    """The machine's clocks; ``monotonic`` goes on while the machine sleeps, as the locks of a service do."""

    def monotonic(self) -> float:
        return time.monotonic() if _THROUGH_SLEEP is None else time.clock_gettime(_THROUGH_SLEEP)


# Linux stops CLOCK_MONOTONIC during sleep, macOS does not; Windows has neither, and time.monotonic goes on there.
_THROUGH_SLEEP: int | None = getattr(time, "CLOCK_BOOTTIME", getattr(time, "CLOCK_MONOTONIC", None))


class ManualClock:
    """A clock that stands still until `advance` is called.

    Parameters
    ----------
    start : float
        Seconds since the epoch at the beginning.
    """

    def __init__(self, start: float = 1_750_000_000.0) -> None:
        self._time = start
        self._monotonic = 1_000.0
        self._callbacks: list[Callable[[], None]] = []

    def time(self) -> float:
        return self._time

    def monotonic(self) -> float:
        return self._monotonic

    def on_step(self, callback: Callable[[], None]) -> None:
        self._callbacks.append(callback)

    def advance(self, seconds: float) -> None:
        """Move both clocks forward by `seconds` and tell everyone who asked to know."""
        # whole microseconds, or many small steps would not add up
        self._time = round(self._time + seconds, 6)
        self._monotonic = round(self._monotonic + seconds, 6)
        for callback in self._callbacks:
            callback()
