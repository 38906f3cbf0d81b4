"""Counts over time as the series of points that the Stats API shows."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from itertools import pairwise
from typing import Any, TypeVar

from courier_nb.broker.api.stats.windows import Window
from courier_nb.broker.api.web import Refusal
from courier_nb.broker.state.history import ExchangeCounts, QueueCounts

C = TypeVar("C", QueueCounts, ExchangeCounts)
Point = dict[str, Any]

MAX_POINTS = 25_000  # 15 days by the minute, 63 by five minutes and 15 months by the hour are less


def moments(window: Window, period_ms: int, now: int) -> list[int]:
    """Return when the first period begins, and when each ends; the last is cut short by the end of the window, or the present.

    Raises
    ------
    Refusal
        400 when there are too many.
    """
    end = min(window.end, now)
    if (end - window.start) / period_ms > MAX_POINTS:
        raise Refusal(400, f"period is too short for this time: at most {MAX_POINTS} points can be shown.")
    return [*range(window.start, end, period_ms), end] if window.start < end else [window.start]


def at_moments(known: Sequence[C], moments: Sequence[int], nothing: C) -> list[C]:
    """Return the counts at each of some moments: the last that are known by then, else `nothing`."""
    found = []
    last, rest = nothing, iter(known)
    coming = next(rest, None)
    for moment in moments:
        while coming is not None and coming.at <= moment:
            last, coming = coming, next(rest, None)
        found.append(last)
    return found


def gauge(counts: Sequence[C], moments: Sequence[int], value: Callable[[C], int]) -> list[Point]:
    """Return what a value was at the end of each period."""
    return [_point(moment, value(count)) for moment, count in list(zip(moments, counts, strict=True))[1:]]


def growth(counts: Sequence[C], moments: Sequence[int], value: Callable[[C], int]) -> list[Point]:
    """Return by how much a value grew in each period."""
    # a delivery that reached nobody is taken back, perhaps a period later: then less than nothing was received in it
    grown = [max(0, value(after) - value(before)) for before, after in pairwise(counts)]
    return [_point(moment, value) for moment, value in zip(moments[1:], grown, strict=True)]


def _point(moment: int, value: int) -> Point:
    date = datetime.fromtimestamp(moment // 1_000, UTC).replace(tzinfo=None)
    return {"date": f"{date.isoformat()}.{moment % 1_000:03d}+0000", "value": value}
