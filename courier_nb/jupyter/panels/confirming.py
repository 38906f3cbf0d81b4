"""A confirmation that is waited for: asked for once, given in time, or withdrawn."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import anyio
import anyio.to_thread

from courier_nb.core.clock import Clock
from courier_nb.core.portal import start
from courier_nb.jupyter.panels.work import Armed

CONFIRM_SECONDS = 10.0
TYPING_SECONDS = 60.0
_LEAST_PAUSE_SECONDS = 0.1


class Confirmation:
    """What waits for its confirmation, and until when.

    Parameters
    ----------
    clock : Clock
    too_late : callable
        Called when the time is over, on a worker thread or on that of whoever moved the clock.
    """

    def __init__(self, clock: Clock, too_late: Callable[[], None]) -> None:
        self._clock = clock
        self._too_late = too_late
        self._lock = threading.Lock()
        self.waiting: Armed | None = None
        clock.on_step(self.check)

    def ask(self, armed: Armed) -> None:
        """Wait for a confirmation from now on."""
        self.waiting = armed
        self.stay()
        start(self._watch, armed)

    def stay(self) -> None:
        """Begin the time anew: whoever is to confirm is at it."""
        if self.waiting is not None:
            self.waiting.deadline = self._clock.monotonic() + patience(self.waiting)

    def take(self) -> Armed | None:
        """Return what waits, which waits no longer."""
        with self._lock:
            armed, self.waiting = self.waiting, None
        return armed

    def check(self) -> None:
        """Withdraw what nobody confirmed in time."""
        if self.waiting is not None and self._clock.monotonic() >= self.waiting.deadline:
            self._too_late()

    async def _watch(self, armed: Armed) -> None:
        while self.waiting is armed:
            await anyio.sleep(max(armed.deadline - self._clock.monotonic(), _LEAST_PAUSE_SECONDS))
            await anyio.to_thread.run_sync(self.check)


def patience(armed: Armed) -> float:
    """Return for how long (seconds) a confirmation is waited for: longer where a name must be typed."""
    return TYPING_SECONDS if armed.needs_name else CONFIRM_SECONDS


def question_of(armed: Armed) -> dict[str, Any]:
    """Return what the front end needs to ask."""
    return {
        "action": armed.action.name,
        "confirm": armed.work.confirm,
        "name": armed.facts.destination if armed.needs_name else "",
        "options": [dict(option) for option in armed.work.options],
        "seconds": patience(armed),
    }
