"""The spool: the broker's answers as they came, on the disk before anything in them is acknowledged.

A spool is a sequence of records, each with its length and a checksum. ``R`` holds an answer, ``S`` says what became of the
messages of an earlier ``R``. A process that is killed leaves at most one torn record at the end, shorter than it says it is: it
was not flushed, and nothing in it was acknowledged. Any other record that does not hold is damage.
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
import struct
import threading
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, BinaryIO

from filelock import FileLock, Timeout

from courier_nb.core.errors import CaptureDamaged
from courier_nb.core.messages import Message
from courier_nb.storage import disk
from courier_nb.storage.layout import Layout
from courier_nb.wire.codec import Delivery, Receipt, messages_from_wire

_FIELDS = struct.Struct(">4scII")  # magic, kind, length and checksum of the payload
_CHECKSUM = struct.Struct(">I")  # of the fields: a length that cannot be trusted would hide all that follows
_HEAD_SIZE = _FIELDS.size + _CHECKSUM.size
_MAGIC = b"CNBS"


@dataclass(frozen=True, slots=True)
class Answer:
    """An ``R`` record: one receive answer, what became of its messages (None: nothing is known), and the run that received it."""

    messages: list[Message]
    settlements: list[str] | None
    run: str | None


class Spool:
    """A spool file that this process writes.

    The file is created, and its name flushed, before the first record; the lock beside it tells other processes that its
    writer lives.
    """

    def __init__(self, layout: Layout, stem: str) -> None:
        self.stem = stem
        self.path = layout.spool(stem)
        self.records = 0
        self.size = 0
        self.rows = 0
        self._lock = FileLock(layout.lock(stem), mode=0o600, thread_local=False)
        layout.identity_file.stat()  # the lock would make the folder again that somebody has removed
        self._lock.acquire(timeout=0)
        try:
            self._descriptor = disk.create_private(self.path, append=True)
            disk.flush_folder(self.path.parent)
        except OSError:
            self.release()
            raise
        self._appending = threading.Lock()  # `write` and `note` come from different threads

    def write(self, content: bytes) -> None:
        """Append encoded records and return when they are on the disk and have been read back."""
        start = self._append(content)
        disk.flush(self._descriptor)
        with self._appending:
            found = disk.read_back(self._descriptor, start, len(content))
        if found != content:
            raise OSError(errno.EIO, "The spool does not read back as it was written", str(self.path))
        if not os.path.samestat(self.path.stat(), os.fstat(self._descriptor)):  # an open file outlives its name
            raise OSError(errno.ENOENT, "The spool is no longer where it was", str(self.path))

    def note(self, content: bytes) -> None:
        """Append records whose loss would only mean that less is known."""
        with contextlib.suppress(OSError):  # a full disk: the next `write` will say so
            self._append(content)

    def _append(self, content: bytes) -> int:
        with self._appending:
            start = os.fstat(self._descriptor).st_size
            try:
                disk.write_all(self._descriptor, content)
            except OSError:
                # A disk that is full takes a part; behind that torn record nothing later could be read.
                os.ftruncate(self._descriptor, start)
                raise
            return start

    def close(self) -> None:
        os.close(self._descriptor)

    def release(self) -> None:
        """Say that this process is done with the spool, whether it is still there or not."""
        release(self._lock, self.path)


def answer_record(delivery: Delivery, *, run: str | None = None, record: int | None = None) -> bytes:
    """Return the ``R`` record of a receive answer; `record` is its number among them, by which its outcome is found."""
    receipt = delivery.receipt
    meta = {
        "destination": receipt.destination,
        "environment": receipt.environment,
        "at": receipt.at.isoformat(),
        "lock_expires_at": receipt.lock_expires_at.isoformat(),
        "run": run,
        "record": record,
    }
    return _record(b"R", json.dumps(meta).encode() + b"\n" + delivery.raw)


def settlement_record(record: int, settlements: list[str]) -> bytes:
    """Return the ``S`` record for the messages of record number `record` (0-based among the ``R`` records)."""
    return _record(b"S", json.dumps([record, settlements]).encode())


def read_spool(path: Path, *, damaged: list[int] | None = None) -> Iterator[Answer]:
    """Yield the answers in a spool, each with what became of its messages.

    Parameters
    ----------
    path : Path
    damaged : list of int, optional
        Takes the places (bytes) of records that do not hold, which are passed over then.

    Raises
    ------
    CaptureDamaged
        When a record does not hold and `damaged` is not given.
    """
    settlements: dict[int, list[str]] = {}
    with path.open("rb") as file:
        for kind, payload in _records(file, path, [] if damaged is not None else None):
            if kind == b"S":
                record, outcome = json.loads(payload)
                settlements[record] = outcome
    with path.open("rb") as file:
        number = 0
        for kind, payload in _records(file, path, damaged):
            if kind == b"R":
                meta, _, raw = payload.partition(b"\n")
                values = json.loads(meta)
                place = number if values["record"] is None else values["record"]
                yield Answer(messages_from_wire(raw, _receipt(values)), settlements.get(place), values["run"])
                number += 1


def claim(layout: Layout, stem: str) -> FileLock | None:
    """Return the lock of a spool whose writer is gone, or None while the writer lives."""
    lock = FileLock(layout.lock(stem), mode=0o600, thread_local=False)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        return None
    return lock


def release(lock: FileLock, spool: Path) -> None:
    """Let go of a spool's lock, and remove the lock's file once there is nothing left to be locked."""
    if not spool.exists():
        Path(lock.lock_file).unlink(missing_ok=True)
    lock.release()


def _record(kind: bytes, payload: bytes) -> bytes:
    fields = _FIELDS.pack(_MAGIC, kind, len(payload), zlib.crc32(payload))
    return fields + _CHECKSUM.pack(zlib.crc32(fields)) + payload


def _records(file: BinaryIO, path: Path, damaged: list[int] | None) -> Iterator[tuple[bytes, bytes]]:
    size = path.stat().st_size
    place = 0
    while place < size:
        head = _head(file, place)
        if head is None:
            if size - place < _HEAD_SIZE:
                return  # torn by a kill
            _note(path, place, "no record begins there", damaged)
            place = _next_record(file, place + 1)
            continue
        kind, length, checksum = head
        end = place + _HEAD_SIZE + length
        if end > size:
            return  # torn by a kill
        payload = file.read(length)
        if zlib.crc32(payload) != checksum:
            _note(path, place, "the checksum does not hold", damaged)
        else:
            yield kind, payload
        place = end


def _head(file: BinaryIO, place: int) -> tuple[bytes, int, int] | None:
    """Return kind, length and checksum of the record that begins at `place`; None if none begins there."""
    file.seek(place)
    head = file.read(_HEAD_SIZE)
    if len(head) < _HEAD_SIZE or _CHECKSUM.pack(zlib.crc32(head[: _FIELDS.size])) != head[_FIELDS.size :]:
        return None
    magic, kind, length, checksum = _FIELDS.unpack_from(head)
    return (kind, length, checksum) if magic == _MAGIC else None


def _next_record(file: BinaryIO, place: int) -> int:
    """Return where the next record begins at or behind `place`, or the end of the file."""
    file.seek(place)
    rest = file.read()
    found = rest.find(_MAGIC)
    while found >= 0:
        if _head(file, place + found) is not None:
            return place + found
        found = rest.find(_MAGIC, found + 1)
    return place + len(rest)


def _note(path: Path, place: int, what: str, damaged: list[int] | None) -> None:
    if damaged is None:
        raise CaptureDamaged(f"{path} is damaged at byte {place}: {what}.", path=path)
    damaged.append(place)


def _receipt(values: dict[str, Any]) -> Receipt:
    return Receipt(
        values["destination"],
        values["environment"],
        datetime.fromisoformat(values["at"]),
        datetime.fromisoformat(values["lock_expires_at"]),
        lock_deadline=0.0,
    )
