"""How long ago something was, told across restarts of the process, sleep of the machine and jumps of its clock."""

from __future__ import annotations

import time
from dataclasses import dataclass
from functools import cache
from pathlib import Path

_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


@dataclass(frozen=True, slots=True)
class Moment:
    """A point in time by both of the machine's clocks.

    Attributes
    ----------
    wall : float
        Seconds since the epoch; may jump.
    boot : str
        Which start of the machine it was; empty where that cannot be known.
    since_boot : float
        Seconds since that start, sleep included; never goes back.
    """

    wall: float
    boot: str = ""
    since_boot: float = 0.0


def now() -> Moment:
    """Return the present moment."""
    boot = _boot_id()
    return Moment(time.time(), boot, time.clock_gettime(time.CLOCK_BOOTTIME) if boot else 0.0)


def seconds_between(earlier: Moment, later: Moment) -> float | None:
    """Return how many seconds passed at least, by the clock that says more; None when no clock can be trusted.

    A clock on the wall that went backwards is not trusted. A wait that is thought longer than it was is the safe mistake here.
    """
    wall = later.wall - earlier.wall
    if earlier.boot and earlier.boot == later.boot:
        return max(wall, later.since_boot - earlier.since_boot)
    return wall if wall >= 0 else None


@cache
def _boot_id() -> str:
    try:
        return _BOOT_ID.read_text().strip() if hasattr(time, "CLOCK_BOOTTIME") else ""
    except OSError:
        return ""
