"""Long polls: work that found nothing and waits until something may have changed.

Waiting work is kept per queue, in the order it came. All work on one queue wants the same thing, a visible message, so when
the first in line goes away empty-handed the others need not try.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from courier_nb.core.clock import Clock

T = TypeVar("T")
J = TypeVar("J")

_LONGEST_WAIT = 1.0  # seconds; so that a step of the machine's clock is noticed
_SHORTEST_WAIT = 0.001


@dataclass(frozen=True, slots=True)
class NotYet(Generic[T]):
    """What work returns when it has to wait.

    Attributes
    ----------
    queue : int
        Try again when something has become visible there,
    due_ms : int or None
        or at this time (milliseconds since the epoch).
    deadline : float
        Give up then (monotonic seconds).
    otherwise : object
        The result after giving up.
    """

    queue: int
    due_ms: int | None
    deadline: float
    otherwise: T


@dataclass(slots=True)
class _Line(Generic[J]):
    due_ms: int | None
    places: deque[tuple[float, J]] = field(default_factory=deque)


class Parking(Generic[J]):
    """Jobs that wait, by queue."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._lines: dict[int, _Line[J]] = {}
        self._next_deadline = math.inf  # nobody's comes before, so that most of the time nobody need be asked

    def __len__(self) -> int:
        return sum(len(line.places) for line in list(self._lines.values()))

    def add(self, job: J, wait: NotYet[object]) -> None:
        """Put a job at the end of its queue's line."""
        line = self._lines.setdefault(wait.queue, _Line(wait.due_ms))
        line.due_ms = wait.due_ms
        line.places.append((wait.deadline, job))
        self._next_deadline = min(self._next_deadline, wait.deadline)

    def due(self) -> set[int]:
        """Return the queues that are to be looked at again because of the time."""
        now_ms = self._clock.time() * 1_000
        return {queue for queue, line in self._lines.items() if line.due_ms is not None and line.due_ms <= now_ms}

    def serve(self, queue: int, attempt: Callable[[J], NotYet[object] | None]) -> None:
        """Let the jobs of a line try, first come first, until one has to wait on."""
        line = self._lines.get(queue)
        while line is not None and line.places:
            wait = attempt(line.places[0][1])
            if wait is not None:
                line.due_ms = wait.due_ms
                return
            line.places.popleft()
        self._lines.pop(queue, None)

    def leave(self, *, everybody: bool = False) -> list[J]:
        """Remove and return the jobs whose deadline has passed, or all."""
        now = self._clock.monotonic()
        leaving: list[J] = []
        if not everybody and now < self._next_deadline:
            return leaving
        self._next_deadline = math.inf
        for queue, line in list(self._lines.items()):
            gone = [job for deadline, job in line.places if everybody or deadline <= now]
            if gone:
                leaving += gone
                line.places = deque(place for place in line.places if not everybody and place[0] > now)
            if not line.places:
                del self._lines[queue]
            self._next_deadline = min([self._next_deadline, *(deadline for deadline, _ in line.places)])
        return leaving

    def patience(self) -> float | None:
        """Return how long nothing will happen by itself, in seconds; None when nobody waits."""
        if not self._lines:
            return None
        now, now_ms = self._clock.monotonic(), self._clock.time() * 1_000
        waits = [self._next_deadline - now]
        waits += [(line.due_ms - now_ms) / 1_000 for line in self._lines.values() if line.due_ms is not None]
        return min(max(min(waits), _SHORTEST_WAIT), _LONGEST_WAIT)
