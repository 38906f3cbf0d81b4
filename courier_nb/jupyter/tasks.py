"""Work that a click starts: it runs on the background loop, so that the kernel stays free and a busy cell does not hold it up."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

import anyio
import anyio.to_thread

from courier_nb.core.portal import Job, start
from courier_nb.core.progress import Counter, current_board

_log = logging.getLogger("courier_nb")

T = TypeVar("T")
News = TypeVar("News")

_TICK_SECONDS = 0.15


@dataclass(frozen=True, slots=True)
class Ended(Generic[T]):
    """How a task ended.

    Attributes
    ----------
    result : object or None
        What the work returned.
    error : BaseException or None
        What it raised.
    is_abandoned : bool
        Whether it was cancelled: what became of its last messages is told by journal, capture or ledger only.
    """

    result: T | None = None
    error: Exception | None = None
    is_abandoned: bool = False


class BackgroundTask(Generic[T]):
    """One call of a verb on the background loop, with progress, Stop, and an end that is always told.

    Parameters
    ----------
    work : callable
        Returns the awaitable of an async verb; called on the background loop.
    on_tick : callable
        Given the counters about seven times a second, on a worker thread: it may set traits, and must not print.
    on_end : callable
        Given how it ended, on a worker thread, exactly once.
    """

    def __init__(
        self,
        work: Callable[[], Awaitable[T]],
        *,
        on_tick: Callable[[Sequence[Counter]], None],
        on_end: Callable[[Ended[T]], None],
    ) -> None:
        self._work = work
        self._on_tick = on_tick
        self._on_end = on_end
        self._scope: anyio.CancelScope | None = None  # made on the loop that it belongs to
        self._job: Job[None] = start(self._run)

    @property
    def is_stopping(self) -> bool:
        """Whether it was asked to stop."""
        return self._job.board.stopping

    @property
    def counters(self) -> list[Counter]:
        """How far it is, or was at its end."""
        return list(self._job.board.counters)

    def stop(self) -> None:
        """Ask it to end at the next place where it can say what became of everything; when asked again, end it now."""
        if self.is_stopping:
            start(self._cancel)
        self._job.board.stopping = True

    def wait(self, seconds: float) -> bool:
        """Wait at most `seconds`; return whether it has ended. Not from a handler of a widget: its end waits for that."""
        return self._job.wait(seconds)

    async def _cancel(self) -> None:
        if self._scope is not None:
            self._scope.cancel()

    async def _run(self) -> None:
        ended: Ended[T] = Ended(is_abandoned=True)
        async with anyio.create_task_group() as group:
            group.start_soon(self._tick)
            try:
                with anyio.CancelScope() as self._scope:
                    ended = Ended(result=await self._work())
            except Exception as error:  # noqa: BLE001  # told by on_end; a task that fails unheard would be the worst
                ended = Ended(error=error)
            finally:
                with anyio.CancelScope(shield=True):
                    await anyio.to_thread.run_sync(_tell, self._on_end, ended)
            group.cancel_scope.cancel()

    async def _tick(self) -> None:
        board = current_board.get()
        is_heard = board is not None
        while board is not None and is_heard:
            await anyio.sleep(_TICK_SECONDS)
            is_heard = await anyio.to_thread.run_sync(_tell, self._on_tick, list(board.counters))


def _tell(listener: Callable[[News], None], news: News) -> bool:
    """Return whether a listener took the news: what it raises must not cut off work that is under way."""
    try:
        listener(news)
    except Exception as error:  # noqa: BLE001  # such as that of somebody's observer of a trait
        _log.error("A widget could not show how its work goes (%s); the work itself goes on.", type(error).__name__)
        return False
    return True
