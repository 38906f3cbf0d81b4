"""Progress as plain counters; whoever owns the screen draws them.

Work that runs on the background loop must not print, so it only counts. The blocking face draws the counters on the
caller's thread; the async face draws them from a task on the caller's own loop.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from contextvars import ContextVar
from typing import Any

from courier_nb.core.printable import plain

_DRAW_EVERY_SECONDS = 0.1
_SHOW_AFTER_SECONDS = 1.0


class Counter:
    """What one piece of work has done so far.

    Attributes
    ----------
    label : str
        What is being done, in words.
    done : int
        Units done.
    total : int or None
        Units in all, or None while unknown.
    unit : str
    note : str
        A few words about the present state, shown behind the bar.
    """

    def __init__(self, label: str, *, total: int | None = None, unit: str = "msg") -> None:
        self.label = label
        self.done = 0
        self.total = total
        self.unit = unit
        self.note = ""


class Board:
    """The counters of one call, drawn with `tqdm.auto` once the call has lasted a second.

    Attributes
    ----------
    counters : list of Counter
    stopping : bool
        Set it to ask the work to end at the next place where it can say what became of everything; see `stop_asked`.
    """

    def __init__(self) -> None:
        self.counters: list[Counter] = []
        self.stopping = False
        self._bars: dict[int, Any] = {}

    def draw(self) -> None:
        """Bring the bars up to date. Call it on the thread that owns the screen."""
        for counter in self.counters:
            bar = self._bars.get(id(counter))
            if bar is None:
                from tqdm.auto import tqdm

                bar = self._bars[id(counter)] = tqdm(
                    desc=plain(counter.label),
                    total=counter.total,
                    unit=counter.unit,
                    delay=_SHOW_AFTER_SECONDS,
                    leave=True,
                    disable=bool(os.environ.get("TQDM_DISABLE")),  # tqdm's own variable, which its notebook bars overlook
                )
            bar.total = counter.total
            if counter.note:
                bar.set_postfix_str(plain(counter.note), refresh=False)
            bar.update(counter.done - bar.n)

    def lines(self) -> list[str]:
        """Return in words how far each piece of work has come."""
        return [
            f"{plain(counter.label)}: {counter.done}{'' if counter.total is None else f' of {counter.total}'} {counter.unit} done"
            + (f", {plain(counter.note)}" if counter.note else "")
            for counter in self.counters
        ]

    def close(self) -> None:
        """Draw the last state and end the bars."""
        if self._bars:
            self.draw()
        for bar in self._bars.values():
            bar.close()
        self._bars.clear()


current_board: ContextVar[Board | None] = ContextVar("courier_nb_progress_board", default=None)


def stop_asked() -> bool:
    """Whether the user has asked this call to stop. Unlike an interrupt, it ends with a report."""
    board = current_board.get()
    return board is not None and board.stopping


@asynccontextmanager
async def show(counter: Counter, enabled: bool) -> AsyncIterator[Counter]:
    """Show `counter` while the block runs, on whichever board belongs to this call."""
    board = current_board.get()
    if not enabled:
        yield counter
    elif board is not None:
        board.counters.append(counter)
        yield counter
    else:
        own = Board()
        own.counters.append(counter)
        drawing = asyncio.create_task(_keep_drawing(own))
        try:
            yield counter
        finally:
            drawing.cancel()
            own.close()


async def _keep_drawing(board: Board) -> None:
    while True:
        await asyncio.sleep(_DRAW_EVERY_SECONDS)
        board.draw()
