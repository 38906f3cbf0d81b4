"""The broker as a process of its own, which on demand says where its processor time goes.

How the shares are found: time is processor time of a thread, not of the clock, so that waiting for the disk, for requests or
for the other thread does not count. Of the event loop's thread, what is spent inside the functions that read requests and
write answers (`api.incoming`, `api.outgoing`) is JSON, and the rest is HTTP: uvicorn, httptools, routing, the check of the
token. Of the store's thread, what is spent inside calls of the `sqlite3` module is SQLite, with the work that the kernel does
for it; the rest is the store's own Python and the hand-over between the threads. Reading the clock is a share of its own
account: about a microsecond for each call, so runs that only measure throughput do without.
"""

from __future__ import annotations

import argparse
import json
import sqlite3
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FunctionType, ModuleType
from typing import Any

from benchmarks.broker.shapes import QUEUE, SHAPES, Shape, config

SHARES = ("HTTP", "JSON", "SQLite", "store")
_LOOP_THREAD = "courier_nb broker server"
_STORE_THREAD = "courier_nb broker"


class Server:
    """A broker process: its settings, and what it has spent."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process
        self.settings: dict[str, str] = self._line()

    def spent(self) -> dict[str, float]:
        """Return the seconds of processor time since the start, by share; the process must have been started with `shares`."""
        found: dict[str, float] = self._ask("spent")
        return found

    def purge(self) -> int:
        """Purge the queue; return how many messages there were."""
        return int(self._ask("purge"))

    def _ask(self, command: str) -> Any:
        assert self._process.stdin is not None
        self._process.stdin.write(f"{command}\n")
        self._process.stdin.flush()
        return self._line()

    def _line(self) -> Any:
        assert self._process.stdout is not None
        return json.loads(self._process.stdout.readline())


@contextmanager
def served(path: Path, shape: Shape, *, durable: bool, shares: bool = False) -> Iterator[Server]:
    """Serve a file while the block runs."""
    flags = [flag for flag, is_on in (("--durable", durable), ("--shares", shares)) if is_on]
    process = subprocess.Popen(
        [sys.executable, "-m", "benchmarks.broker.serving", str(path), shape.name, *flags],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        yield Server(process)
        process.communicate(timeout=60)  # it ends with its input
        if process.returncode != 0:
            raise RuntimeError(f"The broker ended with {process.returncode}.")
    finally:
        process.kill()
        process.wait()


class _Account:
    """Adds up the processor time that a thread spends inside marked functions."""

    def __init__(self) -> None:
        self.spent: Counter[str] = Counter()
        self._inside = threading.local()

    def watch(self, name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        """Return the function, with its time put down to `name` unless it is called inside another such function."""

        def watched(*args: Any, **kwargs: Any) -> Any:
            if getattr(self._inside, "is_counting", False):
                return function(*args, **kwargs)
            self._inside.is_counting = True
            begun = time.thread_time()
            try:
                return function(*args, **kwargs)
            finally:
                self.spent[name] += time.thread_time() - begun
                self._inside.is_counting = False

        return watched

    def watch_everything(self) -> None:
        """Watch what reads requests and writes answers, and SQLite; before the broker is made."""
        from courier_nb.broker.api import incoming, outgoing

        self._watch_module("JSON", incoming)
        self._watch_module("JSON", outgoing)
        sqlite3.connect = _watched_sqlite(self)  # type: ignore[assignment]

    def _watch_module(self, name: str, module: ModuleType) -> None:
        for key, value in list(vars(module).items()):
            if isinstance(value, FunctionType) and not key.startswith("_"):
                setattr(module, key, self.watch(name, value))

    def shares(self) -> dict[str, float]:
        """Return what was spent so far."""
        loop, store = _thread_time(_LOOP_THREAD), _thread_time(_STORE_THREAD)
        spent = self.spent
        parts = (loop - spent["JSON"], spent["JSON"], spent["SQLite"], store - spent["SQLite"])
        return dict(zip(SHARES, parts, strict=True))


def _watched_sqlite(account: _Account) -> Callable[..., sqlite3.Connection]:
    class Cursor(sqlite3.Cursor):
        execute = account.watch("SQLite", sqlite3.Cursor.execute)
        executemany = account.watch("SQLite", sqlite3.Cursor.executemany)
        fetchone = account.watch("SQLite", sqlite3.Cursor.fetchone)
        fetchall = account.watch("SQLite", sqlite3.Cursor.fetchall)
        __next__ = account.watch("SQLite", sqlite3.Cursor.__next__)

    class Connection(sqlite3.Connection):
        def execute(self, *given: Any) -> sqlite3.Cursor:
            return self.cursor(Cursor).execute(*given)

        def executemany(self, *given: Any) -> sqlite3.Cursor:
            return self.cursor(Cursor).executemany(*given)

    original = sqlite3.connect
    return lambda *args, **kwargs: original(*args, **kwargs, factory=Connection)


def _thread_time(name: str) -> float:
    """Return the processor time of the threads of a name, in seconds."""
    threads = [thread for thread in threading.enumerate() if thread.name == name]
    return sum(time.clock_gettime(time.pthread_getcpuclockid(thread.ident)) for thread in threads if thread.ident is not None)


def main() -> None:
    """Serve the file named on the command line, and answer commands until there are no more."""
    parser = argparse.ArgumentParser()
    parser.add_argument("path", type=Path)
    parser.add_argument("shape", choices=[shape.name for shape in SHAPES])
    parser.add_argument("--durable", action="store_true")
    parser.add_argument("--shares", action="store_true")
    given = parser.parse_args()
    account = _Account()
    if given.shares:
        account.watch_everything()

    from courier_nb.broker import LocalBroker

    (shape,) = (shape for shape in SHAPES if shape.name == given.shape)
    with LocalBroker(config(shape, durable=given.durable), db=given.path) as broker, broker.serving() as settings:
        print(json.dumps(settings), flush=True)
        for line in sys.stdin:
            print(json.dumps(account.shares() if line.strip() == "spent" else broker.purge(QUEUE)), flush=True)


if __name__ == "__main__":
    main()
