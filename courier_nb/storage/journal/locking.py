"""A lock between processes that is taken for each line of a journal."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock

if sys.platform != "win32":
    import fcntl


class LineLock:
    """Held by one thread of one process at a time.

    Parameters
    ----------
    path : Path
        File that stands for it; made when it is first taken.

    Notes
    -----
    ``FileLock`` opens and closes its file each time, which costs ten times what writing a line does, and it waits by polling. So
    the file is kept open where the system has ``flock``.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._inside = threading.Lock()
        self._descriptor: int | None = None

    @contextmanager
    def held(self) -> Iterator[None]:
        """Hold the lock in the block.

        Raises
        ------
        OSError
            When its file cannot be made.
        """
        if sys.platform == "win32":
            with self._inside, FileLock(self._path, mode=0o600).acquire(poll_interval=0.002):
                yield
            return
        with self._inside:
            descriptor = self._taken()
            try:
                yield
            finally:
                fcntl.flock(descriptor, fcntl.LOCK_UN)

    def close(self) -> None:
        """Close the file."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    def _taken(self) -> int:
        while True:
            if self._descriptor is None:
                self._descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o600)
            fcntl.flock(self._descriptor, fcntl.LOCK_EX)
            if self._is_the_file():
                return self._descriptor
            self.close()  # somebody has removed it: others would take a new one meanwhile

    def _is_the_file(self) -> bool:
        try:
            there = self._path.stat()
        except FileNotFoundError:
            return False
        return os.path.samestat(there, os.fstat(self._descriptor or 0))

    def __del__(self) -> None:
        self.close()
