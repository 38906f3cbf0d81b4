"""One hash-chained log in files by month; a small file beside them says how long it must at least be.

::

    DIR/
      2026-10.jsonl     lines of October
      2026-11.jsonl     its first line follows the last of October's
      head.json         number and hash of the last line that was flushed to disk
      journal.lock      held while a line is appended, by whichever process does
"""

from __future__ import annotations

import json
import os
import re
import time
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from courier_nb.core.clock import Clock, SystemClock
from courier_nb.core.errors import CaptureDamaged
from courier_nb.storage import disk
from courier_nb.storage.chain import START, ChainLog, Head, unsealed
from courier_nb.storage.journal.locking import LineLock

GAP = "gap"
"""Kind of the entry that says that lines before it had been removed."""

_MONTH = re.compile(r"\d{4}-\d{2}\.jsonl")
_HEAD_SIZE = 128
_HEAD_SECONDS = 0.5
_TAIL_BYTES = 65_536


class Months:
    """Appends to the chain in a folder. Several threads and processes may do so.

    Parameters
    ----------
    folder : Path
        Made with the first append; readable by its owner only.
    clock : Clock, optional
        Says which month it is.
    """

    def __init__(self, folder: Path, *, clock: Clock | None = None) -> None:
        self.folder = folder
        self._clock = clock or SystemClock()
        self._lock = LineLock(folder / "journal.lock")
        self._log: ChainLog | None = None
        self._month = ""
        self._month_ends = 0.0
        self._seen: tuple[int, int] | None = None
        self._flushed = 0
        self._head_written = -_HEAD_SECONDS

    @property
    def head_file(self) -> Path:
        return self.folder / "head.json"

    def paths(self) -> list[Path]:
        """Return the files, oldest first."""
        if not self.folder.is_dir():
            return []
        return sorted(path for path in self.folder.iterdir() if _MONTH.fullmatch(path.name))

    def append(self, entries: Sequence[Mapping[str, Any]]) -> None:
        """Append one line for each entry: safe from the death of this process, not yet from a power cut.

        Raises
        ------
        OSError
            When the folder or file cannot be written.
        CaptureDamaged
            When the last file does not end as a chain does.
        """
        if self._seen is None or not self.folder.is_dir():
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        with self._lock.held():
            self._current().append(entries, flush=False)

    def flush(self, *, whole: bool = True) -> None:
        """Return when all that was appended here is on the disk.

        Parameters
        ----------
        whole : bool
            Also let it be noticed from now on if it is removed; otherwise that may take half a second.

        Raises
        ------
        OSError
        """
        with self._lock.held() if self._log else nullcontext():
            log = self._log
            head = Head() if log is None else log.head
        if log is None or head.n <= self._flushed:
            return
        # Not under the lock: others append meanwhile, and the flush takes ten times as long as the writing.
        _flush_file(log.path)
        if whole or time.monotonic() - self._head_written >= _HEAD_SECONDS:
            with self._lock.held():
                if head.n > self.least().n:
                    self._write_head(head)
            self._flushed = head.n

    def least(self) -> Head:
        """Return the line that the chain must at least reach; the start where that is not known."""
        try:
            content = json.loads(self.head_file.read_bytes())
            return Head(int(content["n"]), str(content["hash"]))
        except (OSError, ValueError, KeyError, TypeError):
            return Head()

    def close(self) -> None:
        """Close what is open; it is opened again when it is needed."""
        self._lock.close()

    def _write_head(self, head: Head) -> None:
        content = json.dumps({"n": head.n, "hash": head.hash}).encode().ljust(_HEAD_SIZE - 1) + b"\n"
        descriptor = os.open(self.head_file, os.O_WRONLY | os.O_CREAT, 0o600)
        try:
            disk.write_all(descriptor, content)
        finally:
            os.close(descriptor)
        self._head_written = time.monotonic()

    def _current(self) -> ChainLog:
        """Return the log to append to: of this month, or of a later one if another clock is ahead."""
        now = self._clock.time()
        found = self.folder.stat()
        seen = (found.st_ino, found.st_mtime_ns)  # another process may have begun a new file
        if self._log is not None and seen == self._seen and now < self._month_ends:
            return self._log
        today = datetime.fromtimestamp(now, UTC)
        following = datetime(today.year + today.month // 12, today.month % 12 + 1, 1, tzinfo=UTC)
        self._month_ends = following.timestamp()
        paths = self.paths()
        path = max([self.folder / f"{today:%Y-%m}.jsonl", *paths[-1:]])
        if self._log is None or self._log.path != path or path not in paths:
            self._log = self._opened(path, paths)
        found = self.folder.stat()
        self._seen = (found.st_ino, found.st_mtime_ns)
        return self._log

    def _opened(self, path: Path, paths: list[Path]) -> ChainLog:
        head, read_to = Head(), 0
        for candidate in reversed(paths):
            head, read_to = tail(candidate)
            if head.n:
                break
        if path not in paths or candidate != path:
            read_to = 0
        if paths and path not in paths:
            _flush_file(paths[-1])  # the new file's first line says that all of these were there
        log = ChainLog(path, after=head, read_to=read_to, lock=nullcontext())
        least = self.least()
        if least.n > head.n:
            now = datetime.fromtimestamp(self._clock.time(), UTC).isoformat(timespec="milliseconds")
            log.append([{"kind": GAP, "at": now, "from": head.n + 1, "to": least.n}])
            self._write_head(log.head)
        elif path not in paths:
            os.close(os.open(path, os.O_WRONLY | os.O_CREAT, 0o600))
            disk.flush_folder(self.folder)
        return log


def _flush_file(path: Path) -> None:
    descriptor = os.open(path, os.O_RDWR)
    try:
        disk.flush(descriptor)
    finally:
        os.close(descriptor)


def tail(path: Path) -> tuple[Head, int]:
    """Return the last whole line of a file, and where it ends (bytes); the start where there is none.

    Raises
    ------
    CaptureDamaged
        When the hash of that line does not hold.
    """
    size = path.stat().st_size
    with path.open("rb") as file:
        block = _TAIL_BYTES
        while True:
            start = max(0, size - block)
            file.seek(start)
            content = file.read(size - start)
            end = content.rfind(b"\n") + 1
            begin = content.rfind(b"\n", 0, max(end - 1, 0)) + 1
            if start == 0 or (end and begin):
                break
            block *= 2
    if not end:
        return Head(0, START), 0
    entry = unsealed(content[begin:end])
    if entry is None:
        raise CaptureDamaged(f"{path} is damaged at its last line: its hash does not hold.", path=path)
    return Head(entry["n"], entry["hash"]), start + end
