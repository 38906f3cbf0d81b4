"""The replay ledger: what has been sent where, so that running a replay again sends nothing twice that was confirmed.

A row is identified by its content (and by how manieth such row it is), so the ledger outlives the file that the rows came
from. It is written before a message is sent and again when the answer is known; a crash between the two leaves ``sent``, which
means that nobody knows.
"""

from __future__ import annotations

import hashlib
import os
import sqlite3
import threading
from collections.abc import Iterable, Sequence
from contextlib import closing
from pathlib import Path
from typing import Literal, Self

import anyio
from anyio import to_thread

from courier_nb.core import exactjson
from courier_nb.core.errors import CaptureError
from courier_nb.core.messages import Message

State = Literal["sent", "confirmed"]
Entry = tuple[bytes, State | None]
"""A row's key and its new state; None forgets the row, which was certainly not taken."""

_SCHEMA = """
create table if not exists entry (
    target text not null,
    key blob not null,
    state text not null,
    primary key (target, key)
) without rowid;
create temp table occurrence (key blob primary key, n integer not null) without rowid;
"""


class Ledger:
    """States of the rows sent to one target.

    Parameters
    ----------
    path : Path
        SQLite file; made if it is not there.
    target : str
        Identity of the destination: environment, region and name.
    """

    def __init__(self, path: Path, target: str) -> None:
        self.path = path
        self._target = target
        self._pending: list[Entry] = []
        self._taken = 0
        self._durable = 0
        self._broken: sqlite3.Error | None = None
        self._writing = anyio.Lock()
        self._using = threading.Lock()  # rows are looked up in one thread while another writes
        try:
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._db = sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=30)
            os.chmod(path, 0o600)  # noqa: PTH101  # by path of the same name on every platform
            self._db.execute("pragma journal_mode = wal")
            self._db.execute("pragma synchronous = full")
            self._db.executescript(_SCHEMA)
        except (OSError, sqlite3.Error) as error:
            raise CaptureError(f"The replay ledger {path} cannot be opened: {error}.", path=path) from error

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._db.close()

    def keys(self, messages: Iterable[Message]) -> list[bytes]:
        """Return the key of each row; equal rows get different keys, in order."""
        found = []
        with self._using, closing(self._db.cursor()) as cursor:
            for message in messages:
                content = _content_key(message)
                (n,) = cursor.execute(
                    "insert into occurrence values (?, 0) on conflict (key) do update set n = n + 1 returning n", (content,)
                ).fetchone()
                found.append(content if n == 0 else hashlib.blake2b(content + n.to_bytes(8), digest_size=16).digest())
        return found

    def states(self, keys: Sequence[bytes]) -> list[State | None]:
        """Return the state of each key, None where it was never sent."""
        with self._using, closing(self._db.cursor()) as cursor:
            query = "select state from entry where target = ? and key = ?"
            rows = [cursor.execute(query, (self._target, key)).fetchone() for key in keys]
        return [row[0] if row else None for row in rows]

    async def record(self, entries: Sequence[Entry]) -> None:
        """Write new states and return when they are on the disk; calls that come together share one write.

        Raises
        ------
        CaptureError
            When the ledger cannot be written, now or ever before; nothing may be sent then.
        """
        self._pending += entries
        self._taken += 1
        ticket = self._taken
        async with self._writing:
            if ticket <= self._durable:
                return
            if self._broken is not None:  # entries of this call may have been in the write that failed
                raise self._cannot_write(self._broken)
            batch, self._pending = self._pending, []
            upto = self._taken
            try:
                with anyio.CancelScope(shield=True):
                    await to_thread.run_sync(self._write, batch)
            except sqlite3.Error as error:
                self._broken = error
                raise self._cannot_write(error) from error
            self._durable = upto

    def _cannot_write(self, error: sqlite3.Error) -> CaptureError:
        return CaptureError(f"The replay ledger {self.path} cannot be written: {error}.", path=self.path)

    def _write(self, batch: Sequence[Entry]) -> None:
        with self._using, closing(self._db.cursor()) as cursor:
            cursor.execute("begin immediate")
            try:
                for key, state in batch:
                    if state is None:
                        cursor.execute("delete from entry where target = ? and key = ?", (self._target, key))
                    else:
                        cursor.execute("insert or replace into entry values (?, ?, ?)", (self._target, key, state))
            except BaseException:
                cursor.execute("rollback")
                raise
            cursor.execute("commit")


def _content_key(message: Message) -> bytes:
    digest = hashlib.blake2b(digest_size=16)
    created = message.headers.get("created")
    identity = [message.destination, message.message_id, created, dict(sorted(message.properties.items()))]
    digest.update(exactjson.dumps(identity))
    body = message.body or b""
    digest.update(body if isinstance(body, bytes) else body.encode("utf-8", "surrogatepass"))
    return digest.digest()
