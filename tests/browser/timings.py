"""How long things took, told at the end of the run."""

from __future__ import annotations

import statistics
from collections import defaultdict
from collections.abc import Iterator

_measured: dict[tuple[str, str], list[float]] = defaultdict(list)


def record(app: str, what: str, seconds: float) -> None:
    """Keep one measurement."""
    _measured[app, what].append(seconds)


def median(app: str, what: str) -> float:
    """Return the median of what was measured so far (seconds)."""
    return statistics.median(_measured[app, what])


def lines() -> Iterator[str]:
    """Yield a line for each thing measured, the medians in seconds."""
    for (app, what), seconds in sorted(_measured.items()):
        spread = f"{min(seconds):.3f} to {max(seconds):.3f}"
        yield f"{app:9}{what:45} median {statistics.median(seconds):.3f} s  ({spread}, {len(seconds)} times)"
