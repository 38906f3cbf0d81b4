"""One background event loop for the process, and the blocking call that can be interrupted.

A Jupyter kernel already runs a loop in the thread of the cell, so `asyncio.run` is impossible there. All work is async and
runs on this loop instead; the caller waits in short slices, draws progress between them, and on an interrupt cancels the
work and waits for its clean-up, so that nothing goes on unseen.
"""

from __future__ import annotations

import asyncio
import atexit
import contextlib
import os
import threading
import weakref
from collections.abc import Awaitable, Callable, Coroutine
from concurrent.futures import Future
from typing import Generic, ParamSpec, TypeVar

import anyio
from anyio.from_thread import BlockingPortal

from courier_nb.core import termination
from courier_nb.core.errors import CourierError
from courier_nb.core.progress import Board, current_board

P = ParamSpec("P")
T = TypeVar("T")

_SLICE_SECONDS = 0.05
_GRACE_SECONDS = 5.0


class _Loop:
    """The portal of one process, and the thread that it runs in.

    Not anyio's own ``start_blocking_portal``: that is a generator, and one still open when the interpreter ends waits for a
    thread that can no longer run.
    """

    def __init__(self) -> None:
        self.pid = os.getpid()
        ready: Future[BlockingPortal] = Future()
        self.thread = threading.Thread(target=_serve, args=(ready,), name="courier_nb", daemon=True)
        self.thread.start()
        self.portal = ready.result()
        self.asyncio_loop = self.portal.call(_running_loop)

    @property
    def alive(self) -> bool:
        return self.pid == os.getpid() and self.thread.is_alive()

    def close(self) -> None:
        if not self.alive:
            return
        with contextlib.suppress(RuntimeError):  # raised when the loop has already ended
            self.portal.call(_close_all)
            self.portal.call(self.portal.stop, True)
        self.thread.join(_GRACE_SECONDS)


async def _running_loop() -> asyncio.AbstractEventLoop:
    return asyncio.get_running_loop()


def _serve(ready: Future[BlockingPortal]) -> None:
    async def main() -> None:
        async with BlockingPortal() as portal:
            ready.set_result(portal)
            await portal.sleep_until_stopped()

    try:
        anyio.run(main)
    except BaseException as error:
        if ready.done():
            raise
        ready.set_exception(error)  # whoever asked for the loop is told why there is none


_lock = threading.Lock()
_loop: _Loop | None = None
_closers: set[weakref.finalize[..., object]] = set()
_closing: set[asyncio.Task[None]] = set()


def _get_loop() -> _Loop:
    global _loop
    with _lock:
        if _loop is None or not _loop.alive:
            _loop = _Loop()  # also in a forked child, which has the parent's object but not its thread
            atexit.register(_loop.close)
        return _loop


def is_own_loop(loop: asyncio.AbstractEventLoop | None) -> bool:
    """Whether `loop` is the background loop; None, no loop at all, belongs to nobody and counts as it."""
    return loop is None or (_loop is not None and _loop.alive and _loop.asyncio_loop is loop)


def close_with(owner: object, close: Callable[[], Coroutine[object, object, None]]) -> None:
    """Run `close` on the background loop when `owner` is no longer used, or when the process ends.

    `close` must not refer to `owner`, which would keep it in use.
    """
    _closers.difference_update([closer for closer in _closers if not closer.alive])
    closer = weakref.finalize(owner, _start_closing, close)
    closer.atexit = False  # the loop's own end is the time for it
    _closers.add(closer)


def _start_closing(close: Callable[[], Coroutine[object, object, None]]) -> None:
    # The garbage collector may call this on any thread, the loop's included, and nothing may be waited for there.
    def begin() -> None:
        task = asyncio.ensure_future(close())
        _closing.add(task)
        task.add_done_callback(_closing.discard)

    if _loop is not None and _loop.alive:
        with contextlib.suppress(RuntimeError):  # raised when the loop has just ended
            _loop.asyncio_loop.call_soon_threadsafe(begin)


async def _close_all() -> None:
    closers = [closer.detach() for closer in list(_closers)]
    closing = [asyncio.ensure_future(found[2][0]()) for found in closers if found is not None]
    if closing:
        await asyncio.wait(closing, timeout=termination.RELEASE_SECONDS + 0.5)


class Job(Generic[T]):
    """A coroutine running on the background loop.

    Unlike a bare future, it knows when the clean-up has ended, not only that it was cancelled.
    """

    def __init__(self, func: Callable[..., Awaitable[T]], args: tuple[object, ...], kwargs: dict[str, object]) -> None:
        loop = _get_loop()
        if threading.current_thread() is loop.thread:
            raise RuntimeError(
                "A blocking courier_nb call was made on courier_nb's own loop, where it would wait for itself: "
                "use the async classes inside async callbacks."
            )
        self.board = Board()
        self._ended = threading.Event()
        self._scope: anyio.CancelScope | None = None
        self._stopped = False
        self._portal = loop.portal
        self._call = (func, args, kwargs)
        self._future: Future[T] | None = None

    def begin(self) -> None:
        """Put the coroutine on the loop; apart from making the job, so that an interrupt meanwhile can still cancel it."""
        self._future = self._portal.start_task_soon(self._body, *self._call)

    async def _body(self, func: Callable[..., Awaitable[T]], args: tuple[object, ...], kwargs: dict[str, object]) -> T:
        token = current_board.set(self.board)
        try:
            with anyio.CancelScope() as self._scope:
                if self._stopped:
                    self._scope.cancel()
                return await func(*args, **kwargs)
            raise anyio.get_cancelled_exc_class()()
        finally:
            current_board.reset(token)
            self._ended.set()

    def wait(self, seconds: float) -> bool:
        """Wait at most `seconds`; return whether the work and its clean-up have ended."""
        return self._ended.wait(seconds)

    def result(self) -> T:
        """Return the coroutine's value or raise its error."""
        assert self._future is not None  # noqa: S101  # for the type checker: a job that has ended was begun
        return self._future.result()

    def cancel_and_wait(self, grace: float = _GRACE_SECONDS) -> bool:
        """Cancel the work and wait for its clean-up; return whether it ended within `grace` seconds."""
        self._stopped = True

        def cancel() -> None:
            if self._scope is not None:
                self._scope.cancel()

        try:
            self._portal.start_task_soon(_call, cancel)
        except RuntimeError:
            return True  # the loop is gone, and the work with it
        return self._ended.wait(grace)


async def _call(func: Callable[[], None]) -> None:
    func()


def start(func: Callable[P, Awaitable[T]], *args: P.args, **kwargs: P.kwargs) -> Job[T]:
    """Start ``func(*args, **kwargs)`` on the background loop and return at once."""
    job = Job(func, args, kwargs)
    job.begin()
    return job


def run(func: Callable[P, Awaitable[T]], *args: P.args, **kwargs: P.kwargs) -> T:
    """Run ``func`` on the background loop; an interrupt of the caller cancels it and waits for its clean-up.

    Progress that the work reports is drawn here, on the caller's thread. A second interrupt during the clean-up
    abandons the wait. The traceback of an error of this package begins here: below are frames of the loop, whose variables hold
    bodies and locks.
    """
    job = Job(func, args, kwargs)
    try:
        job.begin()
        while not job.wait(_SLICE_SECONDS):
            job.board.draw()
            termination.adjust()
        return job.result()
    except CourierError as error:
        raise error.with_traceback(None)  # noqa: B904  # the same error, shortened
    except BaseException as interrupt:  # noqa: BLE001  # raised again below
        is_over = job.cancel_and_wait()
        for line in job.board.lines():
            interrupt.add_note(f"Interrupted: {line}.")
        if not is_over:
            interrupt.add_note("It is still ending: what it holds is given back when it has, or when its locks run out.")
        raise interrupt.with_traceback(None)  # noqa: B904  # where the wait was interrupted says nothing
    finally:
        job.board.close()
        termination.adjust()  # only this thread may handle signals, and only now is known what is held
