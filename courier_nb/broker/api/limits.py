"""How many calls are answered in a time: beyond that 429, as the service documents it, if a switch says so."""

from __future__ import annotations

import threading
from collections import defaultdict, deque
from typing import Literal

from courier_nb.broker.api.web import Refusal
from courier_nb.broker.config.switches import Switches
from courier_nb.broker.state.committer import Committer
from courier_nb.broker.state.queues import Address
from courier_nb.core.clock import Clock

Budget = Literal["admin", "stats", "usage", "fifo"]

_MINUTE = 60.0
_SECOND = 1.0


class Limits:
    """Counts calls over sliding windows; used by several event loops at once.

    A call that is answered with an error counts like any other, but one that is refused here does not.

    Parameters
    ----------
    clock : Clock
    committer : Committer
    switches : Switches
    """

    def __init__(self, clock: Clock, committer: Committer, switches: Switches) -> None:
        self._clock = clock
        self._committer = committer
        self._is_on = switches.platform_limits == "documented"
        self._calls: dict[Budget, tuple[int, float]] = {
            "admin": (50, _MINUTE),
            "stats": (switches.stats_calls_per_minute, _MINUTE),
            "usage": (10, _MINUTE),
            "fifo": (300, _SECOND),
        }
        self._lock = threading.Lock()
        self._answered: dict[tuple[Budget, int | None], deque[float]] = defaultdict(deque)

    def admit(self, budget: Budget, whose: int | None) -> None:
        """Count a call.

        Parameters
        ----------
        budget : {"admin", "stats", "usage", "fifo"}
        whose : int or None
            Number of the environment or of the queue; None is the whole organization.

        Raises
        ------
        Refusal
            429 when there were too many.
        """
        if not self._is_on:
            return
        calls, seconds = self._calls[budget]
        now = self._clock.monotonic()
        with self._lock:
            answered = self._answered[budget, whose]
            while answered and answered[0] <= now - seconds:
                answered.popleft()
            if len(answered) >= calls:
                raise Refusal(429, "Too many requests")
            answered.append(now)

    async def admit_message_call(self, at: Address) -> None:
        """Count a call to the broker API, where only FIFO queues have a limit.

        Raises
        ------
        Refusal
            429 when there were too many.
        """
        if not self._is_on:
            return
        queue = await self._committer.submit(lambda store: store.queues.find(at))
        if queue is not None and queue.fifo:
            self.admit("fifo", queue.pk)
