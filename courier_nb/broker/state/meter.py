"""How much is asked of the broker: counted by every loop and thread, written down with the next transaction."""

from __future__ import annotations

import threading
from collections import defaultdict
from collections.abc import Mapping
from typing import NamedTuple

from courier_nb.core.clock import Clock, SystemClock

HOUR_MS = 3_600_000
UNIT_BYTES = 100 * 1024  # a message delivered counts as one unit for each 100 KB begun, and as one if it is empty


class Use(NamedTuple):
    """What is billed: requests to the broker API, messages given to receivers, their units, and bytes of bodies both ways."""

    requests: int = 0
    receipts: int = 0
    units: int = 0
    bytes: int = 0

    def plus(self, other: Use) -> Use:
        """Return the sum of both."""
        return Use(
            self.requests + other.requests, self.receipts + other.receipts, self.units + other.units, self.bytes + other.bytes
        )


class Hour(NamedTuple):
    """Where use belongs: the number of the environment, and the beginning of the hour (milliseconds since the epoch)."""

    environment: int
    begin: int


class Meter:
    """Counts use by environment and hour.

    Parameters
    ----------
    clock : Clock, optional
        Default: the machine's.

    Attributes
    ----------
    requests : int
        All requests to the broker API since the start.
    """

    def __init__(self, clock: Clock | None = None) -> None:
        self._clock = clock or SystemClock()
        self._lock = threading.Lock()
        self._use: dict[Hour, Use] = defaultdict(Use)
        self.requests = 0

    def add(self, environment: int, *, requests: int = 0, size: int = 0) -> None:
        """Count requests to the broker API, or messages that came in with so many bytes of body altogether."""
        self._add(environment, Use(requests=requests, bytes=size))

    def add_received(self, environment: int, sizes: list[int]) -> None:
        """Count messages that were given out, each with so many bytes of body."""
        units = sum(max(1, -(-size // UNIT_BYTES)) for size in sizes)
        self._add(environment, Use(receipts=len(sizes), units=units, bytes=sum(sizes)))

    def take(self) -> dict[Hour, Use]:
        """Return what was counted since the last call."""
        with self._lock:
            taken, self._use = self._use, defaultdict(Use)
        return taken

    def put_back(self, taken: Mapping[Hour, Use]) -> None:
        """Count again what could not be written down."""
        with self._lock:
            for hour, use in taken.items():
                self._use[hour] = self._use[hour].plus(use)

    def _add(self, environment: int, use: Use) -> None:
        hour = Hour(environment, int(self._clock.time() * 1_000) // HOUR_MS * HOUR_MS)
        with self._lock:
            self.requests += use.requests
            self._use[hour] = self._use[hour].plus(use)
