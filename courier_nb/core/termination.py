"""Giving back what is held before the process ends: at SIGTERM, and when the interpreter ends by itself.

The signal's own effect follows in any case, at the latest after two seconds. Nothing is installed before something is held.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import threading
import weakref
from collections.abc import Callable
from concurrent.futures import Future, wait
from types import FrameType
from typing import Any, Protocol

RELEASE_SECONDS = 2.0

Handler = Callable[[int, FrameType | None], Any] | int | signal.Handlers | None


class Holder(Protocol):
    """Something that holds what others wait for."""

    @property
    def is_holding(self) -> bool: ...

    @property
    def loop(self) -> asyncio.AbstractEventLoop | None:
        """The loop that `release` belongs to."""

    async def release(self) -> None: ...


_holders: weakref.WeakSet[Holder] = weakref.WeakSet()
_guarded_by: int | None = None
_previous: Handler = None


def release_at_the_end(holder: Holder) -> None:
    """Let `holder` release what it holds before this process ends, however it ends short of SIGKILL."""
    global _guarded_by
    _holders.add(holder)
    if _guarded_by != os.getpid():
        _guarded_by = os.getpid()
        # Not public, and no public hook runs early enough: when atexit's turn comes, the threads that look up host names
        # may not start any more, and a release would have no connection to go over.
        register = getattr(threading, "_register_atexit", None)
        if register is not None:
            with contextlib.suppress(RuntimeError):  # raised when the interpreter is ending already
                register(_release_all)
    adjust()


def adjust() -> None:
    """Handle SIGTERM while something is held, and hand it back when nothing is; only the main thread can do either."""
    global _previous
    if threading.current_thread() is not threading.main_thread():
        return
    present = signal.getsignal(signal.SIGTERM)
    if present is _on_sigterm:
        if not _held_here():
            signal.signal(signal.SIGTERM, _previous)
    elif _held_here() and (present is signal.SIG_DFL or callable(present)):
        _previous = present
        signal.signal(signal.SIGTERM, _on_sigterm)


def _held_here() -> list[Holder]:
    if _guarded_by != os.getpid():
        return []  # a forked child has the objects of its parent, which gives back what they hold
    return [holder for holder in _holders if holder.is_holding]


def _on_sigterm(number: int, frame: FrameType | None) -> None:
    held = _held_here()
    signal.signal(signal.SIGTERM, _previous)
    mine = [holder for holder in held if _belongs_here(holder)]
    _release_all()
    if mine:
        _repeat_when_released(mine, number)
    elif callable(_previous):
        _previous(number, frame)
    else:
        os.kill(os.getpid(), number)


def _repeat_when_released(holders: list[Holder], number: int) -> None:
    """Let the signal come again, once, when all is released or the time is over.

    For holders on the loop that the signal's handler interrupts: it has to return before anything can be released.
    """
    repeated = threading.Lock()

    def repeat() -> None:
        if repeated.acquire(blocking=False):
            late.cancel()
            os.kill(os.getpid(), number)

    late = threading.Timer(RELEASE_SECONDS, repeat)
    late.daemon = True
    late.start()
    releases = [_release_on_its_loop(holder) for holder in holders]
    for release in releases:
        release.add_done_callback(lambda _: repeat() if all(each.done() for each in releases) else None)


def _release_all() -> None:
    """Release what belongs to loops in other threads, and wait for it."""
    releases = [_release_on_its_loop(holder) for holder in _held_here() if not _belongs_here(holder)]
    wait(releases, timeout=RELEASE_SECONDS)


def _belongs_here(holder: Holder) -> bool:
    try:
        return asyncio.get_running_loop() is holder.loop
    except RuntimeError:
        return False


def _release_on_its_loop(holder: Holder) -> Future[None]:
    loop = holder.loop
    if loop is None or not loop.is_running():
        done: Future[None] = Future()
        done.set_result(None)
        return done
    return asyncio.run_coroutine_threadsafe(holder.release(), loop)
