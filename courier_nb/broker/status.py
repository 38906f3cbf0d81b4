"""What a running broker is doing, for whoever looks at it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass

from courier_nb.broker.api.engine import Engine
from courier_nb.broker.state.committer import StoreFailed
from courier_nb.broker.state.store import Store
from courier_nb.core.errors import Closed

EVERY_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class QueueStatus:
    """One queue.

    Attributes
    ----------
    environment, id : str
    fifo : bool
    messages, in_flight : int
        Waiting or delayed; locked by a receiver.
    dead_letter_queue : str or None
    """

    environment: str
    id: str
    fifo: bool
    messages: int
    in_flight: int
    dead_letter_queue: str | None


@dataclass(frozen=True, slots=True)
class BrokerStatus:
    """A broker at one moment.

    Attributes
    ----------
    queues : tuple of QueueStatus
        By environment, then by name.
    requests : int
        To the broker API since the start.
    requests_per_second : float
        Since the status before this one.
    waiting : int
        Long polls that wait for a message.
    """

    queues: tuple[QueueStatus, ...]
    requests: int
    requests_per_second: float
    waiting: int


def status(engine: Engine, before: BrokerStatus | None = None, seconds: float = EVERY_SECONDS) -> BrokerStatus:
    """Return what a broker is doing; `before` is its status `seconds` ago."""
    names = {environment.pk: environment.name for environment in engine.identity.environments}

    def look(store: Store) -> tuple[QueueStatus, ...]:
        return tuple(
            QueueStatus(
                names[row.environment], row.id, bool(row.fifo), row.stored - row.locked, row.locked, row.dead_letter_queue
            )
            for row in store.queues.all()
            if row.environment in names
        )

    requests = engine.meter.requests
    rate = 0.0 if before is None else (requests - before.requests) / seconds
    return BrokerStatus(engine.committer.call(look), requests, rate, engine.committer.waiting)


@contextmanager
def watching(engine: Engine, show: Callable[[BrokerStatus], None] | None) -> Iterator[None]:
    """Call `show` with the broker's status once a second, on a thread of its own, while the block runs."""
    if show is None:
        yield
        return
    ended = threading.Event()

    def run() -> None:
        seen: BrokerStatus | None = None
        try:
            while not ended.wait(EVERY_SECONDS):
                with suppress(StoreFailed):  # which whoever asked for something is told; the next look may succeed
                    seen = status(engine, seen)
                    show(seen)
        except (Closed, OSError):
            pass  # the broker ends, or nobody looks any more

    thread = threading.Thread(target=run, name="courier_nb broker status", daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()
