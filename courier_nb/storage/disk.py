"""Getting bytes onto the disk for good, and names that stay inside their folder.

Every write, flush, rename and removal of a capture goes through here, so that the order of the steps can be watched and a
fault put into each of them.
"""

from __future__ import annotations

import hashlib
import io
import os
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer

_UNSAFE = re.compile(r"[^A-Za-z0-9-]+")
_SIMPLE = re.compile(r"[a-z0-9][a-z0-9-]{0,39}")
_LOOKS_HASHED = re.compile(r"-[0-9a-f]{16}$")
_DEVICE = re.compile(r"con|prn|aux|nul|com[0-9]|lpt[0-9]")
_BUFFER = 1_000_000


def flush(descriptor: int) -> None:
    """Return when what was written to an open file is on the disk."""
    if sys.platform == "darwin":
        import fcntl

        fcntl.fcntl(descriptor, fcntl.F_FULLFSYNC)  # fsync alone leaves the data in the drive's cache there
    elif hasattr(os, "fdatasync"):
        os.fdatasync(descriptor)
    else:
        os.fsync(descriptor)


def flush_folder(folder: Path) -> None:
    """Return when the names in a folder are on the disk."""
    if os.name == "nt":
        return  # a folder cannot be opened there; the file system journals its names itself
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def create_private(path: Path, *, append: bool = False) -> int:
    """Open a new file that only its owner may read; fail if it exists."""
    return os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | (os.O_APPEND if append else 0), 0o600)


def write_all(descriptor: int, content: ReadableBuffer) -> None:
    """Write all of `content`: one call may take only a part of it."""
    view = memoryview(content)
    while view:
        view = view[os.write(descriptor, view) :]


def read_back(descriptor: int, start: int, size: int) -> bytes:
    """Return what the file holds from `start` on."""
    os.lseek(descriptor, start, os.SEEK_SET)
    pieces = []
    while size and (piece := os.read(descriptor, size)):
        pieces.append(piece)
        size -= len(piece)
    return b"".join(pieces)


class _Output(io.RawIOBase):
    """An open descriptor as a file object."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    def writable(self) -> bool:
        return True

    def write(self, content: ReadableBuffer) -> int:
        write_all(self._descriptor, content)
        return memoryview(content).nbytes


@contextmanager
def new_file(path: Path) -> Iterator[IO[bytes]]:
    """Open a file to write, in place of one that a crash left; on a good end of the block it is on the disk."""
    path.unlink(missing_ok=True)
    descriptor = create_private(path)
    try:
        file = io.BufferedWriter(_Output(descriptor), _BUFFER)
        yield file
        file.flush()
        flush(descriptor)
    finally:
        os.close(descriptor)


def write_whole(path: Path, content: bytes, *, aside: Path) -> None:
    """Write a small file so that it is there whole or not at all: aside, flush, rename, flush the folder."""
    with new_file(aside) as file:
        file.write(content)
    aside.replace(path)
    flush_folder(path.parent)


def sha256(path: Path) -> str:
    """Return the SHA-256 of a file's content, in hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def file_stem(name: str) -> str:
    """Return a file name for a foreign name: a readable part, and a hash that keeps different names apart.

    It holds ASCII letters, digits and ``-`` only, is no device of Windows, and differs from that of every other name also where
    upper and lower case are the same.
    """
    if _SIMPLE.fullmatch(name) and not _LOOKS_HASHED.search(name) and not _DEVICE.fullmatch(name):
        return name
    readable = _UNSAFE.sub("-", name).strip("-")[:40].strip("-") or "x"
    digest = hashlib.blake2b(name.encode("utf-8", "surrogatepass"), digest_size=8).hexdigest()
    return f"{readable}-{digest}"
