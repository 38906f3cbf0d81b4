"""Durations: the only place that knows milliseconds from seconds.

The API mixes units (receive takes milliseconds, a lock change takes seconds), so everything above the
wire speaks in durations: ``"90s"``, a `datetime.timedelta`, or a plain number of seconds.
"""

from __future__ import annotations

import math
import re
from datetime import timedelta

from courier_nb.core.errors import ConfigError

Duration = str | int | float | timedelta

_UNITS_MS = {"ms": 1, "s": 1_000, "m": 60_000, "min": 60_000, "h": 3_600_000, "d": 86_400_000}
_TEXT = re.compile(r"\s*(\d+(?:\.\d+)?)\s*(ms|s|min|m|h|d)\s*")


def milliseconds(value: Duration, *, name: str = "duration", bare: str = "s") -> int:
    """Return a duration in whole milliseconds.

    Parameters
    ----------
    value : str, timedelta, int or float
        ``"500ms"``, ``"90s"``, ``"2m"``, ``"1h"``, ``"7d"``, combinations such as ``"1h30m"``, a timedelta,
        or a plain number.
    name : str
        Name used in the error.
    bare : {"s", "ms"}
        Unit of a plain number.

    Raises
    ------
    ConfigError
        When the value is not a duration or is negative.
    """
    if isinstance(value, timedelta):
        result = value.total_seconds() * 1_000
    elif isinstance(value, str) and not value.strip().isdecimal():
        result = _parse(value, name)
    elif isinstance(value, bool) or not isinstance(value, int | float | str):
        raise _bad(value, name)
    else:
        try:
            result = float(value) * _UNITS_MS[bare]
        except OverflowError:
            raise _bad(value, name) from None
    if not math.isfinite(result) or result < 0:
        raise _bad(value, name)
    return round(result)


def seconds(value: Duration, *, name: str = "duration") -> float:
    """Return a duration in seconds; see `milliseconds` for what is accepted."""
    return milliseconds(value, name=name) / 1_000


def _parse(text: str, name: str) -> float:
    total, end = 0.0, 0
    while end < len(text):
        match = _TEXT.match(text, end)
        if match is None:
            raise _bad(text, name)
        total += float(match[1]) * _UNITS_MS[match[2]]
        end = match.end()
    if end == 0:
        raise _bad(text, name)
    return total


def _bad(value: object, name: str) -> ConfigError:
    return ConfigError(
        f"{name} is {value!r}, which is not a duration: write for example '500ms', '90s', '2m' or '1h30m'.",
        setting=name,
    )


def human_bytes(size: float) -> str:
    """Return a size in bytes as people write it: ``"1.4 MB"`` (decimal units)."""
    for unit in ("B", "kB", "MB", "GB"):
        if size < 1_000:
            return f"{size:.0f} {unit}" if unit == "B" else f"{size:.1f} {unit}"
        size /= 1_000
    return f"{size:.1f} TB"
