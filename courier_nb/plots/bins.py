"""Ranges that a person thinks in: a minute, an hour, a kilobyte."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import numpy.typing as npt

MINUTE, HOUR, DAY = 60, 3_600, 86_400

AGES = (1, 10, MINUTE, 10 * MINUTE, HOUR, 6 * HOUR, DAY, 7 * DAY, 14 * DAY)
LOCKS = (10, 30, MINUTE, 2 * MINUTE, 5 * MINUTE, 15 * MINUTE, HOUR)
TTLS = (MINUTE, 10 * MINUTE, HOUR, 6 * HOUR, DAY, 3 * DAY, 7 * DAY)
SIZES = (100, 1_000, 10_000, 100_000, 1_000_000, 10_000_000)

STEPS = (1, 5, 10, 30, MINUTE, 5 * MINUTE, 10 * MINUTE, 30 * MINUTE, HOUR, 3 * HOUR, 6 * HOUR, 12 * HOUR, DAY, 7 * DAY, 30 * DAY)
"""Seconds that one bar over time may span; beyond the last in years."""

_YEAR = 365 * DAY
_MOST_BARS = 48


def counted(amounts: npt.NDArray[np.float64], edges: Sequence[float]) -> list[int]:
    """Return how many amounts are below the first edge, from each edge to the next, and from the last on."""
    places = np.searchsorted(np.asarray(edges, dtype=float), amounts, side="right")
    return [int(count) for count in np.bincount(places, minlength=len(edges) + 1)]


def duration_labels(edges: Sequence[int]) -> list[str]:
    """Return the names of the ranges between durations in seconds."""
    names = [duration(edge) for edge in edges]
    return [f"< {names[0]}", *(f"{low}\nto {high}" for low, high in pairwise(names)), f"≥ {names[-1]}"]


def size_labels(edges: Sequence[int]) -> list[str]:
    """Return the names of the ranges between sizes in bytes."""
    names = [size(edge) for edge in edges]
    return [f"< {names[0]}", *(f"{low}\nto {high}" for low, high in pairwise(names)), f"≥ {names[-1]}"]


def duration(seconds: int) -> str:
    """Return a duration in its largest whole unit."""
    for unit, name in ((_YEAR, "y"), (DAY, "d"), (HOUR, "h"), (MINUTE, "min")):
        if seconds >= unit and seconds % unit == 0:
            return f"{seconds // unit} {name}"
    return f"{seconds} s"


def size(count: int) -> str:
    """Return a size in its largest whole unit."""
    for unit, name in ((1_000_000, "MB"), (1_000, "kB")):
        if count >= unit and count % unit == 0:
            return f"{count // unit} {name}"
    return f"{count} B"


def step_for(seconds: float) -> int:
    """Return how many seconds one bar spans, so that there are not too many of them."""
    for step in STEPS:
        if seconds / step <= _MOST_BARS:
            return step
    return _YEAR * max(1, round(seconds / _YEAR / _MOST_BARS + 0.5))
