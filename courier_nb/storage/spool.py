"""The spool: the broker's answers as they came, on the disk before anything in them is acknowledged.

A spool is a sequence of records, each with its length and a checksum. ``R`` holds an answer, ``S`` says what became of the
messages of an earlier ``R``. A process that is killed leaves at most one torn record at the end, which was not flushed and of
which nothing was acknowledged.
"""

from __future__ import annotations

import contextlib
import json
import os
import struct
import threading
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import BinaryIO

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
    """An ``R`` record: one receive answer, and what became of its messages (None: nothing is known)."""

    messages: list[Message]
    settlements: list[str] | None


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
        self._lock = FileLock(layout.lock(stem), thread_local=False)
        self._lock.acquire(timeout=0)
        self._descriptor = disk.create_private(self.path, append=True)
        self._appending = threading.Lock()  # `write` and `note` come from different threads
        disk.flush_folder(self.path.parent)

    def write(self, content: bytes) -> None:
        """Append encoded records and return when they are on the disk."""
        self._append(content)
        disk.flush(self._descriptor)

    def note(self, content: bytes) -> None:
        """Append records whose loss would only mean that less is known."""
        with contextlib.suppress(OSError):  # a full disk: the next `write` will say so
            self._append(content)

    def _append(self, content: bytes) -> None:
        with self._appending:
            start = os.fstat(self._descriptor).st_size
            view = memoryview(content)
            try:
                while view:
                    view = view[os.write(self._descriptor, view) :]
            except OSError:
                # A disk that is full takes a part; behind that torn record nothing later could be read.
                os.ftruncate(self._descriptor, start)
                raise

    def close(self) -> None:
        os.close(self._descriptor)

    def release(self) -> None:
        """Say that this process is done with the spool, whether it is still there or not."""
        self._lock.release()
        Path(self._lock.lock_file).unlink(missing_ok=True)


def answer_record(delivery: Delivery) -> bytes:
    """Return the ``R`` record of a receive answer."""
    receipt = delivery.receipt
    meta = {
        "destination": receipt.destination,
        "environment": receipt.environment,
        "at": receipt.at.isoformat(),
        "lock_expires_at": receipt.lock_expires_at.isoformat(),
    }
    return _record(b"R", json.dumps(meta).encode() + b"\n" + delivery.raw)


def settlement_record(record: int, settlements: list[str]) -> bytes:
    """Return the ``S`` record for the messages of record number `record` (0-based among the ``R`` records)."""
    return _record(b"S", json.dumps([record, settlements]).encode())


def read_spool(path: Path) -> Iterator[Answer]:
    """Yield the answers in a spool, each with what became of its messages.

    Raises
    ------
    CaptureDamaged
        When a record other than the last one is broken.
    """
    settlements: dict[int, list[str]] = {}
    with path.open("rb") as file:
        for kind, payload in _records(file, path, only=b"S"):
            assert kind == b"S"  # noqa: S101  # the reader was asked for these
            record, outcome = json.loads(payload)
            settlements[record] = outcome
    with path.open("rb") as file:
        for number, (_, payload) in enumerate(_records(file, path, only=b"R")):
            meta, _, raw = payload.partition(b"\n")
            yield Answer(messages_from_wire(raw, _receipt(meta)), settlements.get(number))


def claim(layout: Layout, stem: str) -> FileLock | None:
    """Return the lock of a spool whose writer is gone, or None while the writer lives."""
    lock = FileLock(layout.lock(stem), thread_local=False)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        return None
    return lock


def _record(kind: bytes, payload: bytes) -> bytes:
    fields = _FIELDS.pack(_MAGIC, kind, len(payload), zlib.crc32(payload))
    return fields + _CHECKSUM.pack(zlib.crc32(fields)) + payload


def _records(file: BinaryIO, path: Path, *, only: bytes) -> Iterator[tuple[bytes, bytes]]:
    size = path.stat().st_size
    while head := file.read(_HEAD_SIZE):
        place = file.tell() - len(head)
        if len(head) < _HEAD_SIZE:
            return  # torn by a kill
        magic, kind, length, checksum = _FIELDS.unpack_from(head)
        if magic != _MAGIC or _CHECKSUM.pack(zlib.crc32(head[: _FIELDS.size])) != head[_FIELDS.size :]:
            raise CaptureDamaged(f"{path} is damaged at byte {place}: no record begins there.", path=path)
        end = place + _HEAD_SIZE + length
        if end > size:
            return  # torn by a kill
        payload = file.read(length)
        if zlib.crc32(payload) != checksum:
            if end == size:
                return  # the last record: its blocks had not all reached the disk when the power went
            raise CaptureDamaged(f"{path} is damaged at byte {place}: the checksum does not hold.", path=path)
        if kind == only:
            yield kind, payload


def _receipt(meta: bytes) -> Receipt:
    values = json.loads(meta)
    return Receipt(
        values["destination"],
        values["environment"],
        datetime.fromisoformat(values["at"]),
        datetime.fromisoformat(values["lock_expires_at"]),
        lock_deadline=0.0,
    )
