"""How long calls take, as this client has measured it."""

from __future__ import annotations

from collections import deque
from statistics import fmean

from courier_nb.wire.retry import Operation

_KEPT = 100


class CallMeter:
    """The durations of the last hundred calls of each operation that were answered."""

    def __init__(self) -> None:
        self._seconds: dict[Operation, deque[float]] = {}

    def note(self, operation: Operation, seconds: float) -> None:
        """Note that a call took so long, repeats and waiting included."""
        self._seconds.setdefault(operation, deque(maxlen=_KEPT)).append(seconds)

    def mean(self, operation: Operation) -> float | None:
        """Return the mean duration in seconds; None before the first call."""
        kept = self._seconds.get(operation)
        return fmean(kept) if kept else None
