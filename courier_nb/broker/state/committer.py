"""Group commit: one thread owns the database and works for every event loop.

Requests hand over work; the thread takes all that is waiting, runs each piece inside a savepoint of one transaction, commits
once, and only then lets the callers go on. So a success is never answered before it is on the disk, and the cost of a sync
is shared by all requests that came in meanwhile. Long polls wait here too: they are tried again inside the transaction that
may have brought what they wait for, so no wake-up can be lost and nobody polls.
"""

from __future__ import annotations

import asyncio
import os
import sqlite3
import threading
from collections import defaultdict
from collections.abc import Callable, Iterable
from concurrent.futures import Future
from contextlib import suppress
from queue import Empty, SimpleQueue
from typing import Any, Generic, TypeVar

from courier_nb.broker.state.parking import NotYet, Parking
from courier_nb.broker.state.store import Store
from courier_nb.core.clock import Clock
from courier_nb.core.errors import Closed

T = TypeVar("T")
Work = Callable[[Store], T | NotYet[T]]
Undo = Callable[[Store, T], None]


class StoreFailed(Exception):
    """The database could not do the work: disk full, input/output error. Nothing of it was kept."""


class _Job(Generic[T]):
    """A piece of work, whoever waits for it, and how it ended."""

    def __init__(
        self,
        work: Work[T],
        waiter: asyncio.Future[T] | Future[T] | None = None,
        loop: asyncio.AbstractEventLoop | None = None,
        undo: Undo[T] | None = None,
    ) -> None:
        self.work = work
        self.waiter = waiter
        self.loop = loop
        self.undo = undo
        self.error: BaseException | None = None
        self.result: Any = None
        self.is_parked = False

    @property
    def is_abandoned(self) -> bool:
        return self.waiter is not None and self.waiter.cancelled()

    def resolve(self) -> bool:
        """Give the outcome to the waiter; return False when it no longer waits."""
        if self.waiter is None:
            return True
        if self.waiter.done():
            return False
        if self.error is not None:
            self.waiter.set_exception(self.error)
        else:
            self.waiter.set_result(self.result)
        return True

    def take_back(self, store: Store) -> None:
        """Undo the work, whose result reached nobody."""
        if self.undo is not None:
            self.undo(store, self.result)


class Committer:
    """Runs work on the store's own thread.

    Parameters
    ----------
    open_store : callable
        Called once, when the store is first needed.
    clock : Clock
    """

    def __init__(self, open_store: Callable[[], Store], clock: Clock) -> None:
        self._open_store = open_store
        self._inbox: SimpleQueue[_Job[Any] | None] = SimpleQueue()  # None: look at the clock
        self._parking: Parking[_Job[Any]] = Parking(clock)
        self._starting = threading.Lock()
        self._thread: threading.Thread | None = None
        self._store: Store | None = None
        self._pid = 0
        self._closing = False
        self._has_failed = False
        clock.on_step(lambda: self._inbox.put(None))

    def start(self) -> Store:
        """Open the store and start the thread, unless done already; return the store, which only its thread may use."""
        with self._starting:
            return self._ensure_started()

    def submit(self, work: Work[T], *, undo: Undo[T] | None = None) -> asyncio.Future[T]:
        """Hand over work from an event loop.

        Parameters
        ----------
        work : callable
            Gets the store; returns its result, or `NotYet` to wait.
        undo : callable, optional
            Takes back the result when the future was cancelled while the work was being done.

        Returns
        -------
        asyncio.Future
            Done after the commit. Cancelling it withdraws work that has not begun.
        """
        loop = asyncio.get_running_loop()
        future: asyncio.Future[T] = loop.create_future()
        self._put(_Job(work, future, loop, undo))
        return future

    def call(self, work: Work[T]) -> T:
        """Do work and wait for it, from any thread but the store's own."""
        future: Future[T] = Future()
        self._put(_Job(work, future))
        return future.result()

    def leave(self, work: Work[None]) -> None:
        """Hand over work that nobody waits for."""
        self._put(_Job(work))

    @property
    def waiting(self) -> int:
        """How many long polls wait at the moment."""
        return len(self._parking)

    def close(self) -> None:
        """Finish what was handed over, end the long polls, close the store. May be called again."""
        with self._starting:
            self._closing = True
            thread = self._thread
        if thread is not None and self._pid == os.getpid():
            self._inbox.put(None)
            thread.join()

    def _put(self, job: _Job[Any]) -> None:
        with self._starting:
            self._ensure_started()
            self._inbox.put(job)

    def _ensure_started(self) -> Store:
        if self._closing:
            raise Closed("The local broker is closed.")
        if self._store is None:
            self._store = self._open_store()
            self._pid = os.getpid()
            self._thread = threading.Thread(target=self._run, args=(self._store,), name="courier_nb broker", daemon=True)
            self._thread.start()
        if self._pid != os.getpid():
            raise Closed("The local broker belongs to the process that made it: make another one in this child.")
        return self._store

    def _run(self, store: Store) -> None:
        try:
            while not (self._closing and self._inbox.empty()):
                may_sweep = store.has_more_to_sweep and not self._has_failed  # else it would fail again at once
                jobs = self._take(0 if may_sweep else self._parking.patience())
                if jobs or may_sweep or self._parking.due():
                    self._resolve(self._transact(store, jobs))
                self._resolve(self._parking.leave())
        finally:
            self._closing = True
            self._resolve(self._parking.leave(everybody=True))
            store.close()

    def _take(self, timeout: float | None) -> list[_Job[Any]]:
        """Wait for something to do; return every job that has come in."""
        jobs = []
        try:
            jobs.append(self._inbox.get(timeout=timeout))
            while True:
                jobs.append(self._inbox.get_nowait())
        except Empty:
            return [job for job in jobs if job is not None]

    def _transact(self, store: Store, jobs: list[_Job[Any]]) -> list[_Job[Any]]:
        """Do all work in one transaction; return the jobs that ended, with their outcome."""
        ended: list[_Job[Any]] = []

        def attempt(job: _Job[Any]) -> NotYet[Any] | None:
            wait = None if job.is_abandoned else _attempt(store, job)
            if wait is None:
                ended.append(job)
            return wait

        try:
            store.begin()
            for job in jobs:
                wait = attempt(job)
                if wait is not None:
                    job.is_parked = True
                    self._parking.add(job, wait)
            again = store.take_touched() | self._parking.due()
            while again:
                for queue in again:
                    self._parking.serve(queue, attempt)
                again = store.take_touched()
            store.commit()
            self._has_failed = False
        except Exception as error:  # noqa: BLE001  # every caller is told; a dead thread would leave them waiting for ever
            self._has_failed = True
            store.rollback()
            ended += [job for job in jobs if not job.is_parked and job not in ended]
            ended += self._parking.leave(everybody=True)  # else they would try again at once, and fail again
            for job in ended:
                job.error = _failed(error)
        return ended

    def _resolve(self, jobs: Iterable[_Job[Any]]) -> None:
        """Let the callers go on, each on its own loop."""
        by_loop: dict[asyncio.AbstractEventLoop | None, list[_Job[Any]]] = defaultdict(list)
        for job in jobs:
            by_loop[job.loop].append(job)
        for loop, group in by_loop.items():
            try:
                if loop is None:
                    self._settle(group)
                else:
                    loop.call_soon_threadsafe(self._settle, group)
            except RuntimeError:  # the loop was closed meanwhile, and its callers are gone
                self._take_back(group)

    def _settle(self, jobs: list[_Job[Any]]) -> None:
        self._take_back([job for job in jobs if not job.resolve()])

    def _take_back(self, jobs: list[_Job[Any]]) -> None:
        for job in jobs:
            if job.undo is not None and job.error is None and job.result:
                with suppress(Closed):
                    self.leave(job.take_back)


def _attempt(store: Store, job: _Job[Any]) -> NotYet[Any] | None:
    store.savepoint()
    try:
        result = job.work(store)
    except Exception as error:  # noqa: BLE001  # whatever it is, it belongs to the caller
        store.undo()  # fails, and so ends the whole transaction, when SQLite has rolled it back by itself
        job.error = _failed(error) if isinstance(error, sqlite3.Error) else error
        return None
    store.keep()
    if isinstance(result, NotYet):
        job.result = result.otherwise
        return result
    job.result = result
    return None


def _failed(cause: BaseException) -> StoreFailed:
    failure = StoreFailed(f"{type(cause).__name__}: {cause}")
    failure.__cause__ = cause
    return failure
