"""What cells and other panels do to messages, heard by the table that shows them."""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Callable, Mapping, Sequence

import numpy as np

from courier_nb.flows.locks.listeners import LockNews
from courier_nb.jupyter.browser.source import FrameRows, Rows

_log = logging.getLogger("courier_nb")


class Hearing:
    """Takes news of locks from the loop, which must not wait, and has them worked on by a thread, in their order.

    Parameters
    ----------
    work : callable
        Given each.
    """

    def __init__(self, work: Callable[[LockNews], None]) -> None:
        self._work = work
        self._lock = threading.Lock()
        self._waiting: deque[LockNews] = deque()
        self._is_working = False

    def hear(self, news: LockNews) -> None:
        """Take news; return at once."""
        with self._lock:
            self._waiting.append(news)
            if self._is_working:
                return
            self._is_working = True
        try:
            threading.Thread(target=self._work_off, name="courier_nb marks", daemon=True).start()
        except RuntimeError:  # the process ends: nobody looks at the table any more
            self._is_working = False

    def _work_off(self) -> None:
        while True:
            with self._lock:
                if not self._waiting:
                    self._is_working = False
                    return
                news = self._waiting.popleft()
            try:
                self._work(news)
            except Exception as error:  # noqa: BLE001  # such as that of somebody's observer: the next news is worked on all the same
                _log.error("A widget could not show what became of messages (%s).", type(error).__name__)


def rows_by_lock(rows: Rows, locks: Mapping[str, object]) -> Sequence[tuple[int, str]]:
    """Return the positions of the rows that hold one of these locks, each with its lock. The rows of a capture hold none."""
    if not isinstance(rows, FrameRows) or "lock_id" not in rows.frame:
        return []
    ids = rows.frame["lock_id"]
    places = np.flatnonzero(ids.isin(list(locks)).to_numpy())
    return list(zip(places.tolist(), ids.iloc[places].tolist(), strict=True))
