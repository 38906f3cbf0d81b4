"""Append-only files of JSON lines in which every byte is covered by a hash, and every line by the next.

A line holds ``n`` (its number), ``prev`` (the hash of the line before) and ``hash``, which covers all of the line before it.
So a changed, missing, repeated or moved line is found and named. Several threads and processes may append to one file; each
append is one write under a lock, so a killed process leaves whole lines.
"""

from __future__ import annotations

import json
import os
import re
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from typing import Any

from filelock import FileLock

from courier_nb.core.errors import CaptureDamaged
from courier_nb.storage import disk

START = "0" * 32
"""What the first line names as the hash of the line before it."""

_SEAL = re.compile(rb',"hash":"([0-9a-f]{32})"\}')
_SEAL_SIZE = len(b',"hash":""}') + 32


@dataclass(frozen=True, slots=True)
class Head:
    """The end of a chain: how many lines there are, and the hash of the last."""

    n: int = 0
    hash: str = START


class ChainLog:
    """A chain that this process may append to.

    Parameters
    ----------
    path : Path
        Made with the first append; readable by its owner only.
    after : Head
        What the first line follows, where an earlier file ends; default: the start.
    read_to : int
        Bytes whose last line is `after`: they are not read again.
    lock : context manager, optional
        Held while appending, in place of one for this file alone.
    """

    def __init__(
        self, path: Path, *, after: Head | None = None, read_to: int = 0, lock: AbstractContextManager[object] | None = None
    ) -> None:
        self.path = path
        self._head = after or Head()
        self._read_to = read_to
        self._appending = threading.Lock()
        self._lock = lock or FileLock(path.with_name(path.name + ".lock"), mode=0o600, thread_local=False)

    @property
    def head(self) -> Head:
        """The last line that this process knows of."""
        return self._head

    def append(self, entries: Sequence[Mapping[str, Any]], *, flush: bool = True) -> Head:
        """Append one line for each entry and return the new end.

        Parameters
        ----------
        entries : sequence of mapping
            JSON values; ``n``, ``prev`` and ``hash`` are added.
        flush : bool
            Return only when the lines are on the disk, not merely safe from the death of this process.

        Raises
        ------
        OSError
            When the file cannot be written; it is as it was before, unless it was the flush that failed.
        CaptureDamaged
            When the file does not end as a chain does.
        """
        with self._appending, self._lock:
            is_new = not self.path.exists()
            descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
            try:
                end = self._catch_up(descriptor)
                head, lines = self._head, []
                for entry in entries:
                    line, head = _sealed(entry, head)
                    lines.append(line)
                try:
                    disk.write_all(descriptor, b"".join(lines))
                except OSError:
                    os.ftruncate(descriptor, end)  # a full disk takes a part; behind it nothing could be read
                    raise
                if flush:
                    disk.flush(descriptor)
                self._head, self._read_to = head, end + sum(map(len, lines))
            finally:
                os.close(descriptor)
            if is_new and flush:
                disk.flush_folder(self.path.parent)
        return self._head

    def _catch_up(self, descriptor: int) -> int:
        """Read what others have appended meanwhile, and return where the file ends."""
        size = os.fstat(descriptor).st_size
        if size < self._read_to:
            raise CaptureDamaged(f"{self.path} has become shorter: lines that were there are gone.", path=self.path)
        if size > self._read_to:
            with self.path.open("rb") as file:
                file.seek(self._read_to)
                for line in file:
                    if not line.endswith(b"\n"):
                        return self._drop_torn(descriptor, line)
                    _, self._head = _opened(line, self._head, self.path)
                    self._read_to += len(line)
        return self._read_to

    def _drop_torn(self, descriptor: int, line: bytes) -> int:
        if has_seal(line):
            raise CaptureDamaged(
                f"{self.path} is damaged at line {self._head.n + 1}: it does not end as lines do.", path=self.path
            )
        os.ftruncate(descriptor, self._read_to)  # the power went while it was written, and nothing was done because of it
        return self._read_to


def read_chain(path: Path, *, after: Head | None = None) -> Iterator[dict[str, Any]]:
    """Yield the entries of a chain, checking each line.

    A last line that was cut off while it was written is left out.

    Raises
    ------
    CaptureDamaged
        At the first line that does not hold; it names the line.
    """
    head = after or Head()
    with path.open("rb") as file:
        for line in file:
            if not line.endswith(b"\n") and not has_seal(line):
                return
            entry, head = _opened(line, head, path)
            yield entry


def unsealed(line: bytes) -> dict[str, Any] | None:
    """Return the entry of one line whose own hash holds, else None; what it follows is not looked at."""
    content, seal, end = line[: -_SEAL_SIZE - 1] + b"}", line[-_SEAL_SIZE - 1 : -1], line[-1:]
    match = _SEAL.fullmatch(seal)
    if match is None or end != b"\n" or blake2b(content, digest_size=16).hexdigest() != match[1].decode():
        return None
    entry: dict[str, Any] = json.loads(content)
    entry["hash"] = match[1].decode()
    return entry


def has_seal(line: bytes) -> bool:
    """Whether a hash stands in a line: one that has none was cut off while it was written."""
    return _SEAL.search(line) is not None


def is_torn(path: Path) -> bool:
    """Whether the last line was cut off while it was written."""
    with path.open("rb") as file:
        if not file.seek(0, os.SEEK_END):
            return False
        file.seek(-1, os.SEEK_END)
        return file.read() != b"\n"


def _sealed(entry: Mapping[str, Any], head: Head) -> tuple[bytes, Head]:
    content = json.dumps({"n": head.n + 1, "prev": head.hash, **entry}, separators=(",", ":")).encode()
    digest = blake2b(content, digest_size=16).hexdigest()
    return b'%s,"hash":"%s"}\n' % (content[:-1], digest.encode()), Head(head.n + 1, digest)


def _opened(line: bytes, head: Head, path: Path) -> tuple[dict[str, Any], Head]:
    entry = unsealed(line)
    if entry is None:
        raise CaptureDamaged(f"{path} is damaged at line {head.n + 1}: its hash does not hold.", path=path)
    if entry["n"] != head.n + 1 or entry["prev"] != head.hash:
        raise CaptureDamaged(
            f"{path} is damaged at line {head.n + 1}: it does not follow the line before it (lines are missing or moved).",
            path=path,
        )
    return entry, Head(entry["n"], entry["hash"])
