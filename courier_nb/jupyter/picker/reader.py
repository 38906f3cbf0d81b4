"""Reads list and counts for one picker in the background, one turn at a time."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime

import anyio.to_thread

from courier_nb.core.clock import Clock
from courier_nb.core.errors import Closed, CourierError, Forbidden, Unauthorized
from courier_nb.core.printable import plain
from courier_nb.jupyter.picker.catalog import Catalog
from courier_nb.jupyter.picker.counts import Counts
from courier_nb.jupyter.picker.lookups import Listing, Lookups
from courier_nb.jupyter.picker.pace import Pace
from courier_nb.jupyter.tasks import BackgroundTask, Ended
from courier_nb.wire.stats import Depth


class Reader:
    """Nothing is read by itself: whoever is told that somebody looks says so with `seen`.

    Parameters
    ----------
    lookups : Lookups
    clock : Clock
    lock : RLock
        Held while anything is changed, and while a listener runs.
    on_list, on_counts, on_end : callable
        Told on a worker thread that there is a list, counts of some ids, or that a turn has ended.

    Attributes
    ----------
    catalog : Catalog
    counts : Counts
    listing : Listing or None
        None until there is one.
    picked : str
        Id; read before all others. Empty when none is.
    trouble : str
        What is in the way, in words; empty when nothing is.
    may_count : bool
    """

    def __init__(
        self,
        lookups: Lookups,
        clock: Clock,
        lock: threading.RLock,
        *,
        on_list: Callable[[], None],
        on_counts: Callable[[Sequence[str]], None],
        on_end: Callable[[], None],
    ) -> None:
        self.catalog = Catalog()
        self.counts = Counts()
        self.listing: Listing | None = None
        self.picked = ""
        self.trouble = ""
        self.may_count = False
        self._lookups = lookups
        self._clock = clock
        self._lock = lock
        self._on_list, self._on_counts, self._on_end = on_list, on_counts, on_end
        self._pace = Pace(clock)
        self._lacks_list = True
        self._is_busy = self._is_closed = False
        self._task: BackgroundTask[None] | None = None

    def now(self) -> datetime:
        """Return the time (UTC)."""
        return datetime.fromtimestamp(self._clock.time(), UTC)

    def age(self, id_: str) -> float:
        """Return how long ago a queue was read, in seconds."""
        return round(self._clock.monotonic() - self.counts.readings[id_].at, 1)

    def seen(self, on_screen: Sequence[str], *, is_open: bool) -> None:
        """Read what is due, now that somebody looks.

        Parameters
        ----------
        on_screen : sequence of str
            Ids.
        is_open : bool
            Whether the list is shown; if not, only what is picked is read.
        """
        if self._pace.is_due():
            self._begin(on_screen, relist=self._lacks_list, is_open=is_open)
        elif self._pace.is_due_for_new() and any(id_ and id_ not in self.counts.readings for id_ in (self.picked, *on_screen)):
            self._begin(on_screen, is_regular=False)

    def read_all(self) -> None:
        """Read list and counts, however short ago that was."""
        self._pace.begin_anew()
        self._begin((), relist=True)

    def note_used(self, name: str) -> None:
        """Offer a name from now on, where the names used before are all that there is to offer."""
        with self._lock:
            if self.listing is not None and not self.catalog.is_whole and name not in self.catalog:
                self.listing = self._lookups.with_name(self.listing, name)
                self.catalog = self.listing.catalog
                self._on_list()

    def wait(self, seconds: float) -> bool:
        """Wait at most `seconds` for what is being read; return whether that has ended."""
        return self._task is None or self._task.wait(seconds)

    def close(self) -> None:
        """End what is being read, and read nothing any more."""
        with self._lock:
            self._is_closed = True
            is_busy, self._is_busy = self._is_busy, False
        if is_busy and self._task is not None:
            with contextlib.suppress(RuntimeError):  # raised when the loop has ended before
                self._task.stop()
                self._task.stop()

    def _begin(self, on_screen: Sequence[str], *, relist: bool = False, is_open: bool = False, is_regular: bool = True) -> None:
        with self._lock:
            if self._is_busy or self._is_closed or not (relist or self.may_count):
                return
            self._is_busy = True
        try:
            self._task = BackgroundTask(
                lambda: self._look(on_screen, relist, is_open),
                on_tick=lambda _: None,
                on_end=lambda ended: self._looked(ended, is_regular),
            )
        except BaseException:
            self._is_busy = False
            raise

    async def _look(self, on_screen: Sequence[str], relist: bool, is_open: bool) -> None:
        if relist:
            listing = await self._lookups.listing()
            await anyio.to_thread.run_sync(self._take_listing, listing)
            if listing.error is not None:
                raise listing.error
        if self.may_count:
            ids = await anyio.to_thread.run_sync(self._choose, on_screen, relist, is_open)
            if ids:
                depths = await self._lookups.depths(ids)
                await anyio.to_thread.run_sync(self._take_depths, ids, depths)

    def _take_listing(self, listing: Listing) -> None:
        with self._lock:
            self._lacks_list = listing.error is not None
            self.may_count = listing.may_count
            if self._is_closed or (listing.error is not None and self.catalog.is_whole):
                return  # the list of before is better than names used before
            self.listing = listing
            self.catalog = listing.catalog
            self._on_list()

    def _choose(self, on_screen: Sequence[str], relist: bool, is_open: bool) -> list[str]:
        with self._lock:
            now = float("inf") if relist else self._clock.monotonic()
            return self.counts.choose(self.catalog, self.picked, on_screen, whole=relist or is_open, now=now)

    def _take_depths(self, ids: Sequence[str], depths: Mapping[str, Depth]) -> None:
        with self._lock:
            self.counts.take(ids, depths, self._clock.monotonic(), self.now())
            if not self._is_closed:
                self._on_counts(ids)

    def _looked(self, ended: Ended[None], is_regular: bool) -> None:
        with self._lock:
            self._is_busy = False
            if self._is_closed or ended.is_abandoned:
                return
            if ended.error is None:
                self._pace.succeeded(is_regular=is_regular)
            self.trouble = "" if ended.error is None else self._explain(ended.error)
            self._on_end()

    def _explain(self, error: Exception) -> str:
        """Say what went wrong, and put off the next turn."""
        words = plain(error) if isinstance(error, CourierError) else f"{type(error).__name__}: {plain(error)}"
        if isinstance(error, Closed):
            self._pace.end()
            return "The client is closed, so nothing is read any more: connect again and make a new picker."
        if isinstance(error, Forbidden | Unauthorized) and not self._lacks_list:
            self.may_count = False
            return f"These credentials may not read counts: {words}"
        seconds = self._pace.failed(getattr(error, "retry_after", None))
        what = "list" if self._lacks_list else "counts"
        return f"The {what} could not be read: {words} Next try in {_duration(seconds)}, or press Refresh."


def _duration(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 120 else f"{seconds / 60:.0f} min"
