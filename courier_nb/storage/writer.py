"""The capture protocol: receive → spool → flush → read back → (only now) acknowledge → record the outcome → part.

`CaptureWriter.store` returns when an answer is on the disk; nothing may be acknowledged before that. One flush covers every
answer that arrived while the last one ran.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import threading
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Self

import anyio
from anyio import to_thread

from courier_nb.core.errors import CaptureDamaged, CaptureError
from courier_nb.core.runs import new_run_id
from courier_nb.storage import compaction, parts, spool
from courier_nb.storage.compaction import FileSizes
from courier_nb.storage.layout import Layout, create_layout
from courier_nb.storage.manifest import Manifest
from courier_nb.wire.codec import Delivery


class _Segment:
    """A spool being filled, and how many of its answers still wait to be settled."""

    def __init__(self, layout: Layout, stem: str) -> None:
        self.spool = spool.Spool(layout, stem)
        self.unsettled = 0
        self.is_full = False


class Stored:
    """An answer that is on the disk.

    Attributes
    ----------
    segment : the spool it is in
    record : int
        Its number there.
    size : int
        Messages in it.
    """

    __slots__ = ("record", "segment", "size")

    def __init__(self, segment: _Segment, record: int, size: int) -> None:
        self.segment = segment
        self.record = record
        self.size = size


class CaptureWriter:
    """Writes deliveries into a capture; several may write into the same folder, also from several processes.

    Parameters
    ----------
    root : Path
        Folder of the capture; made if it is not there.
    run : str, optional
        Identity of the run that captures; default a new one.
    sizes : FileSizes
        How large files become.

    Notes
    -----
    Use as ``async with``. On entry, spools that a killed process left are turned into parts. On leaving, what is stored is
    turned into parts; unless the block failed or was cancelled, small parts are merged then.
    """

    def __init__(self, root: Path, *, run: str | None = None, sizes: FileSizes | None = None) -> None:
        self._root = root
        self._sizes = sizes or FileSizes()
        self.run = run or new_run_id()
        self._count = 0
        self._pending: list[bytes] = []
        self._taken = 0
        self._durable = 0
        self._flushing = anyio.Lock()
        self._converting = anyio.Lock()
        self._segment: _Segment | None = None
        self._unfinished: list[_Segment] = []
        self._broken: OSError | None = None
        self.recovered_rows = 0
        self.parts: list[str] = []

    async def __aenter__(self) -> Self:
        try:
            self._layout = await to_thread.run_sync(create_layout, self._root)
            self.recovered_rows = await to_thread.run_sync(recover, self._layout)
            self._manifest = Manifest(self._layout)
        except OSError as error:
            raise cannot_write(self._root, error) from error
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        failed: CaptureError | None = None
        with anyio.CancelScope(shield=True):
            for segment in list(self._unfinished):
                if self._broken is None and failed is None:
                    try:
                        await self._finish(segment)
                    except CaptureError as raised:
                        failed = raised
                else:  # the disk takes no more: the spool stays as it is, for whoever opens the capture next
                    segment.spool.close()
                    segment.spool.release()
        if failed is not None and error is None:
            raise failed
        if failed is not None and error is not None:
            error.add_note(str(failed))
        if failed is None and error is None and self._broken is None:
            await self._compact()

    async def store(self, delivery: Delivery) -> Stored:
        """Write an answer to the spool and return when it is flushed to the disk.

        Raises
        ------
        CaptureError
            When it could not be written; the answer's messages must not be acknowledged then.
        """
        segment = await self._open_segment(len(delivery.messages))
        self._taken += 1
        ticket = self._taken
        content = spool.answer_record(delivery, run=self.run, record=segment.spool.records)
        self._pending.append(content)
        stored = Stored(segment, segment.spool.records, len(delivery.messages))
        segment.unsettled += 1
        segment.spool.records += 1
        segment.spool.rows += len(delivery.messages)
        segment.spool.size += len(content)
        async with self._flushing:
            if ticket > self._durable:
                await self._flush(segment)
        self._raise_if_broken()
        return stored

    async def settled(self, stored: Stored, settlements: list[str]) -> None:
        """Record what became of an answer's messages; the last one of a full spool turns it into a part."""
        segment = stored.segment
        segment.spool.note(spool.settlement_record(stored.record, settlements))
        segment.unsettled -= 1
        if segment.is_full and not segment.unsettled:
            await self._finish(segment)

    async def _open_segment(self, rows: int) -> _Segment:
        self._raise_if_broken()
        segment = self._segment
        if segment is not None and (
            segment.spool.size >= self._sizes.segment_bytes or segment.spool.rows + rows > self._sizes.segment_rows
        ):
            await self._close_segment(segment)
        # No await may come between the choice of the segment and the record's place in `_pending`: what is pending always
        # belongs to the present segment.
        async with self._flushing:
            if self._segment is None:
                self._count += 1
                stem = f"{self.run}-{self._count:05d}"
                try:
                    segment = await to_thread.run_sync(_Segment, self._layout, stem)
                except OSError as error:
                    self._broken = error
                    raise cannot_write(self._root, error) from error
                self._segment = segment
                self._unfinished.append(segment)
            return self._segment

    async def _close_segment(self, segment: _Segment) -> None:
        async with self._flushing:
            if segment is not self._segment:
                return  # another call was quicker
            if self._pending:
                await self._flush(segment)
            self._segment = None
            segment.is_full = True
        if not segment.unsettled:
            await self._finish(segment)

    async def _flush(self, segment: _Segment) -> None:
        # The batch is taken on the loop, before any await, so that no record is taken twice or forgotten.
        batch, self._pending = b"".join(self._pending), []
        upto = self._taken
        try:
            # Shielded: a cancelled call must not leave it open whether the records reached the disk.
            with anyio.CancelScope(shield=True):
                await to_thread.run_sync(segment.spool.write, batch)
        except OSError as error:
            self._broken = error
        except BaseException as error:
            self._broken = OSError(f"writing ended with {type(error).__name__}")  # it may have been any part of the batch
            raise
        else:
            self._durable = upto

    async def _finish(self, segment: _Segment) -> None:
        """Turn a spool into a part, shielded: once begun it is quick, and half of it helps nobody."""
        if segment is self._segment:
            self._segment = None
        self._unfinished.remove(segment)
        with anyio.CancelScope(shield=True):
            async with self._converting:
                try:
                    rows = await to_thread.run_sync(partial(_finish, self._layout, self._manifest, segment.spool))
                except OSError as error:
                    raise cannot_write(self._root, error) from error
                finally:
                    segment.spool.release()
        if rows:
            self.parts.append(segment.spool.stem)

    async def _compact(self) -> None:
        """Merge small parts; an interrupt ends it at once, and the next drain does it."""
        stopping = threading.Event()
        work = partial(compaction.compact, self._layout, self._sizes, should_stop=stopping.is_set)
        task = asyncio.ensure_future(to_thread.run_sync(work))
        with contextlib.suppress(OSError, CaptureDamaged):  # nothing is lost by not merging; what is damaged, verify names
            try:
                await asyncio.shield(task)
            except asyncio.CancelledError:
                stopping.set()
                with anyio.CancelScope(shield=True):
                    await asyncio.wait([task])
                raise

    def _raise_if_broken(self) -> None:
        if self._broken is not None:
            raise cannot_write(self._root, self._broken) from self._broken


def recover(layout: Layout) -> int:
    """Finish what processes that are gone have left, and return the rows that the capture has more by it.

    A spool whose writer lives is left alone.

    Raises
    ------
    CaptureDamaged
        When the manifest does not hold, or the disk does not give back what is written.
    OSError
        When the disk is full or gone.
    """
    manifest = Manifest(layout)
    rows = 0
    for stem in layout.spool_stems():
        lock = spool.claim(layout, stem)
        if lock is None:
            continue
        try:
            if layout.spool(stem).exists():  # another process may have done it meanwhile
                rows += parts.recover_spool(layout, manifest, stem)
        finally:
            spool.release(lock, layout.spool(stem))
    compaction.tidy(layout, manifest)
    return rows


def _finish(layout: Layout, manifest: Manifest, finished: spool.Spool) -> int:
    finished.close()
    return parts.convert(layout, manifest, finished.stem)


def cannot_write(root: Path, error: OSError) -> CaptureError:
    """Return the error for a folder that takes nothing more; it says how much room there is."""
    free = ""
    try:
        stat = os.statvfs(root)
        free = f"; {stat.f_bavail * stat.f_frsize / 1e6:.0f} MB are free there"
    except (OSError, AttributeError):
        pass  # the folder is gone, or the platform has no such call: the error itself says enough
    return CaptureError(
        f"Cannot write to {root}: {error.strerror or error}{free}. Nothing that was not on the disk has been acknowledged.",
        path=root,
    )
