"""Getting bytes onto the disk for good, and names that stay inside their folder."""

from __future__ import annotations

import hashlib
import os
import re
import sys
from pathlib import Path

_UNSAFE = re.compile(r"[^A-Za-z0-9-]+")


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
    return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | (os.O_APPEND if append else 0), 0o600)


def write_all(descriptor: int, content: bytes) -> None:
    """Write all of `content`: one call may take only a part of it."""
    view = memoryview(content)
    while view:
        view = view[os.write(descriptor, view) :]


def write_whole(path: Path, content: bytes, *, aside: Path) -> None:
    """Write a small file so that it is there whole or not at all: aside, flush, rename, flush the folder."""
    aside.unlink(missing_ok=True)
    descriptor = create_private(aside)
    try:
        write_all(descriptor, content)
        flush(descriptor)
    finally:
        os.close(descriptor)
    aside.replace(path)
    flush_folder(path.parent)


def sha256(path: Path) -> str:
    """Return the SHA-256 of a file's content, in hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def file_stem(name: str) -> str:
    """Return a file name for a foreign name: a readable part, and a hash that keeps different names apart."""
    readable = _UNSAFE.sub("-", name).strip("-")[:40] or "x"
    digest = hashlib.blake2b(name.encode("utf-8", "surrogatepass"), digest_size=4).hexdigest()
    return readable if readable == name else f"{readable}-{digest}"
