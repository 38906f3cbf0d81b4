"""When a receiving loop is done. Pure: told what happened, asked whether to go on."""

from __future__ import annotations

import time
from dataclasses import dataclass, field

from courier_nb.core.arguments import as_count
from courier_nb.core.progress import stop_asked
from courier_nb.core.units import Duration, seconds

STOPPED = "stopped by the user"
"""Why a call ended that was asked to stop."""


@dataclass(slots=True)
class Stop:
    """Stop policy and its state.

    One empty answer does not mean an empty queue: the service may answer 0 to n of n messages. So the end is "nothing
    visible in `empties` polls in a row", and it is called that, never "empty".

    Parameters
    ----------
    limit : int or None
        Stop after so many messages.
    empties : int or None
        Stop after so many empty answers in a row.
    idle : float or None
        Stop after so many seconds without a message.
    wall : float or None
        Stop after so many seconds in all.
    started : float
        Monotonic time of the start.
    """

    limit: int | None
    empties: int | None
    idle: float | None
    wall: float | None
    started: float
    received: int = 0
    _promised: int = 0
    _empty_in_row: int = 0
    _last_message: float = field(init=False)
    _reason: str | None = None

    def __post_init__(self) -> None:
        self._last_message = self.started

    def take(self, most: int) -> int:
        """Return how many messages the next call may ask for, and reserve them; 0 when the limit is spoken for."""
        left = most if self.limit is None else min(most, self.limit - self.received - self._promised)
        left = max(left, 0)
        self._promised += left
        return left

    def give_back(self, asked: int) -> None:
        """Note that a call that had reserved so many messages is not made."""
        self._promised -= asked

    def got(self, asked: int, count: int, now: float) -> None:
        """Note an answer of `count` messages to a call that had asked for `asked`."""
        self._promised -= asked
        self.received += count
        if count:
            self._empty_in_row = 0
            self._last_message = now

    def seconds_left(self, now: float) -> float:
        """Return how long is left of the time limit; infinity without one."""
        return float("inf") if self.wall is None else max(0.0, self.started + self.wall - now)

    def came_up_empty(self) -> None:
        """Note an empty answer that counts: it came while no other call was under way."""
        self._empty_in_row += 1

    def reason(self, now: float) -> str | None:
        """Return why to stop, or None to go on. Once there is a reason, it stays."""
        if self._reason is None:
            self._reason = self._find_reason(now)
        return self._reason

    def _find_reason(self, now: float) -> str | None:
        if stop_asked():
            return STOPPED
        if self.limit is not None and self.received >= self.limit:
            return f"limit of {self.limit} reached"
        if self.empties is not None and self._empty_in_row >= self.empties:
            return f"nothing visible in {self._empty_in_row} polls in a row"
        if self.idle is not None and now - self._last_message >= self.idle:
            return f"no message for {self.idle:g} s"
        if self.wall is not None and now - self.started >= self.wall:
            return f"time limit of {self.wall:g} s reached"
        return None


def stop_after(
    limit: int | None = None, *, empties: int | None = None, idle: Duration | None = None, timeout: Duration | None = None
) -> Stop:
    """Return the policy for what a user asked for, started now."""
    return Stop(
        None if limit is None else as_count(limit, "The number of messages"),
        None if empties is None else as_count(empties, "empties"),
        None if idle is None else seconds(idle, name="idle"),
        None if timeout is None else seconds(timeout, name="timeout"),
        started=time.monotonic(),
    )


def calls_at_a_time(concurrency: int) -> int:
    """Return `concurrency` if it is one."""
    return as_count(concurrency, "concurrency", "at least 1 call at a time is needed")
