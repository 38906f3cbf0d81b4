"""When the service may be asked again. Pure, apart from the clock."""

from __future__ import annotations

from courier_nb.core.clock import Clock

EVERY_SECONDS = 30.0
SOONEST_SECONDS = 2.0
LONGEST_SECONDS = 600.0


class Pace:
    """Once in 30 s; a little sooner for what has just come on the screen; ever more seldom while it fails.

    Parameters
    ----------
    clock : Clock
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._wait = 0.0
        self._ended = float("-inf")
        self._regular = float("-inf")
        self._is_over = False

    def is_due(self) -> bool:
        """Whether all that is worth asking may be asked."""
        return self._has_passed(self._wait or EVERY_SECONDS, self._regular)

    def is_due_for_new(self) -> bool:
        """Whether what was never asked, and is looked at, may be asked."""
        return self._has_passed(self._wait or SOONEST_SECONDS, self._ended)

    def succeeded(self, *, is_regular: bool) -> None:
        """Note the end of a turn; only a regular one puts off the next."""
        self._wait = 0.0
        self._ended = self._clock.monotonic()
        if is_regular:
            self._regular = self._ended

    def failed(self, retry_after: float | None = None) -> float:
        """Note that a turn failed; return how long to wait, in seconds."""
        self._wait = min(LONGEST_SECONDS, max(2 * self._wait or EVERY_SECONDS, retry_after or 0.0))
        self._ended = self._regular = self._clock.monotonic()
        return self._wait

    def end(self) -> None:
        """Never ask again."""
        self._is_over = True

    def begin_anew(self) -> None:
        """Forget what was: somebody has asked for it."""
        self._wait, self._ended, self._regular = 0.0, float("-inf"), float("-inf")

    def _has_passed(self, seconds: float, since: float) -> bool:
        return not self._is_over and self._clock.monotonic() - since >= seconds
