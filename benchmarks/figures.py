"""What the benchmarks do with their figures: medians, ratios, tables."""

from __future__ import annotations

import os
import platform
import sqlite3
import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any


@dataclass
class Rounds:
    """Figures of one thing, one for each round."""

    values: list[float] = field(default_factory=list)

    @property
    def median(self) -> float:
        return statistics.median(self.values)

    def __truediv__(self, other: Rounds) -> Rounds:
        """Divide round by round, so that what slowed down a whole round drops out."""
        return Rounds([mine / theirs for mine, theirs in zip(self.values, other.values, strict=True)])

    def with_range(self, digits: int = 2) -> str:
        return f"{self.median:.{digits}f} [{min(self.values):.{digits}f}..{max(self.values):.{digits}f}]"


def in_turns(keys: Sequence[Any], rounds: int) -> Iterable[Sequence[Any]]:
    """Yield what to measure in which order, for each round: forwards, then backwards, and so on."""
    for number in range(rounds):
        yield keys if number % 2 == 0 else list(reversed(keys))


def table(heads: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """Return a table in Markdown."""
    lines = [heads, ["---"] * len(heads), *([str(cell) for cell in row] for row in rows)]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def machine() -> dict[str, object]:
    """Describe what the figures were taken on."""
    cpu = next((line.split(":")[1].strip() for line in _lines("/proc/cpuinfo") if line.startswith("model name")), "")
    return {
        "processor": cpu or platform.processor(),
        "cores": os.cpu_count(),
        "memory": next((line.split(":")[1].strip() for line in _lines("/proc/meminfo") if line.startswith("MemTotal")), ""),
        "system": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
        "sqlite": sqlite3.sqlite_version,
        **{name: version(name) for name in ("uvicorn", "httptools", "orjson", "aiohttp")},
    }


def _lines(path: str) -> list[str]:
    try:
        return Path(path).read_text().splitlines()
    except OSError:
        return []
