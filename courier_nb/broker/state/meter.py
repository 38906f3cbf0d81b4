"""How much is asked of the broker: counted by every loop and thread, written down with the next transaction."""

from __future__ import annotations

import threading
from collections import defaultdict
from typing import NamedTuple


class Use(NamedTuple):
    """Requests to the broker API, messages given to receivers, and bytes of bodies both ways."""

    requests: int = 0
    receipts: int = 0
    bytes: int = 0


class Meter:
    """Counts use by environment.

    Attributes
    ----------
    requests : int
        All requests to the broker API since the start.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._use: dict[int, Use] = defaultdict(Use)
        self.requests = 0

    def add(self, environment: int, *, requests: int = 0, receipts: int = 0, size: int = 0) -> None:
        """Count what a request did."""
        with self._lock:
            self.requests += requests
            self._add(environment, Use(requests, receipts, size))

    def take(self) -> dict[int, Use]:
        """Return what was counted since the last call."""
        with self._lock:
            taken, self._use = self._use, defaultdict(Use)
        return taken

    def put_back(self, taken: dict[int, Use]) -> None:
        """Count again what could not be written down."""
        with self._lock:
            for environment, use in taken.items():
                self._add(environment, use)

    def _add(self, environment: int, use: Use) -> None:
        old = self._use[environment]
        self._use[environment] = Use(old.requests + use.requests, old.receipts + use.receipts, old.bytes + use.bytes)
