"""Long polls: work that found nothing and waits until something may have changed.

Waiting work is kept per queue, in the order it came. All work on one queue wants the same thing, a visible message, so when
the first in line goes away empty-handed the others need not try.
"""

from __future__ import annotations

import heapq
import itertools
from collections import OrderedDict
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
    jobs: OrderedDict[int, J] = field(default_factory=OrderedDict)  # by number, in the order they came


class Parking(Generic[J]):
    """Jobs that wait, by queue."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._lines: dict[int, _Line[J]] = {}
        self._numbers = itertools.count()
        self._deadlines: list[tuple[float, int, int]] = []  # a heap: deadline, number, queue; also of jobs that are served

    def __len__(self) -> int:
        return sum(len(line.jobs) for line in list(self._lines.values()))

    def add(self, job: J, wait: NotYet[object]) -> None:
        """Put a job at the end of its queue's line."""
        line = self._lines.setdefault(wait.queue, _Line(wait.due_ms))
        line.due_ms = wait.due_ms
        number = next(self._numbers)
        line.jobs[number] = job
        heapq.heappush(self._deadlines, (wait.deadline, number, wait.queue))

    def due(self) -> set[int]:
        """Return the queues that are to be looked at again because of the time."""
        now_ms = self._clock.time() * 1_000
        return {queue for queue, line in self._lines.items() if line.due_ms is not None and line.due_ms <= now_ms}

    def serve(self, queue: int, attempt: Callable[[J], NotYet[object] | None]) -> None:
        """Let the jobs of a line try, first come first, until one has to wait on."""
        line = self._lines.get(queue)
        while line is not None and line.jobs:
            number, job = next(iter(line.jobs.items()))
            wait = attempt(job)
            if wait is not None:
                line.due_ms = wait.due_ms
                return
            del line.jobs[number]
        self._lines.pop(queue, None)

    def leave(self, *, everybody: bool = False) -> list[J]:
        """Remove and return the jobs whose deadline has passed, or all."""
        now = self._clock.monotonic()
        leaving: list[J] = []
        while self._deadlines and (everybody or self._deadlines[0][0] <= now or not self._is_waiting(self._deadlines[0])):
            _, number, queue = heapq.heappop(self._deadlines)
            line = self._lines.get(queue)
            if line is not None and number in line.jobs:
                leaving.append(line.jobs.pop(number))
                if not line.jobs:
                    del self._lines[queue]
        return leaving

    def patience(self) -> float | None:
        """Return how long nothing will happen by itself, in seconds; None when nobody waits."""
        if not self._lines:
            return None
        now, now_ms = self._clock.monotonic(), self._clock.time() * 1_000
        waits = [self._deadlines[0][0] - now]
        waits += [(line.due_ms - now_ms) / 1_000 for line in self._lines.values() if line.due_ms is not None]
        return min(max(min(waits), _SHORTEST_WAIT), _LONGEST_WAIT)

    def _is_waiting(self, entry: tuple[float, int, int]) -> bool:
        _, number, queue = entry
        return queue in self._lines and number in self._lines[queue].jobs
