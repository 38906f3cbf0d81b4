"""The store by itself, one thread, one transaction for each operation: what depth costs, without HTTP around it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from time import perf_counter
from typing import Any

from benchmarks.broker import shapes
from benchmarks.broker.shapes import BATCH, QUEUE, Shape
from benchmarks.figures import Rounds, in_turns
from courier_nb.broker.api.incoming import read_message
from courier_nb.broker.config.switches import Switches
from courier_nb.broker.state.locks import Lock
from courier_nb.broker.state.messages import NewMessage
from courier_nb.broker.state.meter import Meter
from courier_nb.broker.state.queues import Address
from courier_nb.broker.state.schema import open_database
from courier_nb.broker.state.store import Store
from courier_nb.core.clock import SystemClock

OPERATIONS = ("publish", "receive", "lock change", "ack")
_SWITCHES = Switches()
_AT = Address(1, QUEUE)
_LOCK_MS = 600_000
_BURST = 4  # batches in flight at once: the queue stays as deep as it is


class StoreAlone:
    """A store on a filled file, driven directly."""

    def __init__(self, path: Path, shape: Shape, depth: int, *, durable: bool) -> None:
        self._shape = shape
        self._depth = depth
        self._published = 0
        self._run = f"s{int(durable)}"
        self.store = Store(open_database(path, durable=durable), SystemClock(), Meter(), _SWITCHES)

    def seconds(self, bursts: int) -> dict[str, float]:
        """Do each operation `bursts` times four batches; return the seconds that one batch takes, by operation."""
        spent: dict[str, float] = defaultdict(float)

        def timed(name: str, work: Callable[[], Any]) -> Any:
            begun = perf_counter()
            self.store.begin()
            self.store.savepoint()
            result = work()
            self.store.keep()
            self.store.commit()
            spent[name] += perf_counter() - begun
            return result

        for _ in range(bursts):
            for batch in [self._messages() for _ in range(_BURST)]:
                timed("publish", lambda batch=batch: self.store.publish(_AT, batch))
            held = [timed("receive", lambda: self.store.receive(_AT, limit=BATCH, lock_ttl_ms=_LOCK_MS)) for _ in range(_BURST)]
            locks = [[Lock(given.id, given.seq, given.token) for given in deliveries] for deliveries in held]
            if any(len(batch) != BATCH for batch in locks):
                raise AssertionError(f"a receive brought {[len(batch) for batch in locks]} messages")
            for batch in locks:
                changes = [(lock, _LOCK_MS) for lock in batch]
                _all(timed("lock change", lambda changes=changes: self.store.change_locks(_AT, changes)))
            for batch in locks:
                _all(timed("ack", lambda batch=batch: self.store.ack(_AT, batch)))
        return {name: spent[name] / (bursts * _BURST) for name in OPERATIONS}

    def _messages(self) -> list[NewMessage]:
        first = self._published
        self._published += BATCH
        return [
            read_message(shapes.item(number, self._shape, self._depth, self._run), _SWITCHES)
            for number in range(first, first + BATCH)
        ]


@contextmanager
def opened(files: dict[int, Path], shape: Shape, *, durable: bool) -> Iterator[dict[int, StoreAlone]]:
    """Open the stores of a shape, by depth; afterwards check that they count what they hold."""
    with ExitStack() as stack:
        stores = {depth: StoreAlone(path, shape, depth, durable=durable) for depth, path in files.items()}
        for alone in stores.values():
            stack.callback(alone.store.close)
        yield stores
        for depth, alone in stores.items():
            shapes.check(alone.store.connection, depth)


def measure(files: dict[int, Path], shape: Shape, *, durable: bool, rounds: int, bursts: int) -> dict[str, dict[int, Rounds]]:
    """Return seconds for a batch, by operation and depth; the depths take turns in each round."""
    found: dict[str, dict[int, Rounds]] = {name: {depth: Rounds() for depth in files} for name in OPERATIONS}
    with opened(files, shape, durable=durable) as stores:
        for alone in stores.values():
            alone.seconds(bursts)  # not counted: what was just filled is read for the first time
        for turn in in_turns(list(files), rounds):
            for depth in turn:
                for name, seconds in stores[depth].seconds(bursts).items():
                    found[name][depth].values.append(seconds)
    return found


def _all(done: list[bool]) -> None:
    if not all(done):
        raise AssertionError(f"{done.count(False)} of {len(done)} locks were not valid")
