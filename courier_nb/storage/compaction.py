"""Merging small parts into large ones, so that a capture is a few files and not thousands.

The order of arrival is kept. What is replaced stays until the new part has been read back, entered into the manifest and
renamed; whoever reads a part meanwhile finds its rows in the new one (see `State.locate`).
"""

from __future__ import annotations

import contextlib
import secrets
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

import pyarrow as pa
from filelock import FileLock, Timeout

from courier_nb.core.errors import CaptureDamaged
from courier_nb.storage import disk, parts
from courier_nb.storage.layout import Layout, place_of
from courier_nb.storage.manifest import Manifest, Part


@dataclass(frozen=True, slots=True)
class FileSizes:
    """How large files become.

    Attributes
    ----------
    segment_bytes, segment_rows : int
        A spool, and so the part made of it. Small enough that an interrupted drain is finished within half a second, large
        enough that parts are not confetti.
    part_bytes, part_rows : int
        A part that others were merged into: a size at which Parquet reads well and a copy to elsewhere is no burden.
    """

    segment_bytes: int = 8_000_000
    segment_rows: int = 5_000
    part_bytes: int = 100_000_000
    part_rows: int = 200_000


class _Stopped(Exception):
    """Merging was told to stop."""


def compact(layout: Layout, sizes: FileSizes, *, should_stop: Callable[[], bool] = lambda: False) -> int:
    """Merge small parts; return how many files there are fewer.

    Does nothing while another process does it. Told to stop, it leaves the merge under way undone.

    Raises
    ------
    OSError
        When the disk is full or gone; the capture is as it was.
    CaptureDamaged
        When a part does not hold what the manifest says; the capture is as it was.
    """
    with _lock(layout) as is_ours:
        if not is_ours:
            return 0
        manifest = Manifest(layout)
        fewer = 0
        with contextlib.suppress(_Stopped):
            for group in _groups(list(_settled(layout, manifest)), sizes):
                _merge(layout, manifest, group, should_stop)
                fewer += len(group) - 1
        return fewer


def tidy(layout: Layout, manifest: Manifest) -> None:
    """Finish what a killed process left: parts without their name, replaced parts, files aside that nobody needs."""
    present = {path.stem for path in layout.root.glob("*.parquet")}
    state = manifest.state()
    for part in state.parts.values():
        if part.stem not in present:
            parts.finish(layout, part)
    for stem in state.replaced.keys() & present:
        located = state.locate(stem)
        if located is not None and layout.part(located[0].stem).exists():
            layout.part(stem).unlink(missing_ok=True)
    if not any(layout.aside.glob("*.parquet")):
        return
    with _lock(layout) as is_ours:
        if is_ours:  # so nothing is being merged, and a part that is being made has its spool
            leftover = list(layout.aside.glob("*.parquet"))
            spools = set(layout.spool_stems())
            kept = manifest.state().parts.keys() | spools
            for path in leftover:
                if path.stem not in kept and path.stem.rpartition("-")[0] not in spools:
                    path.unlink(missing_ok=True)


@contextlib.contextmanager
def _lock(layout: Layout) -> Iterator[bool]:
    lock = FileLock(layout.compacting, mode=0o600, thread_local=False)
    layout.identity_file.stat()  # the lock would make the folder again that somebody has removed
    try:
        lock.acquire(timeout=0)
    except Timeout:
        yield False
        return
    try:
        yield True
    finally:
        lock.release()


def _settled(layout: Layout, manifest: Manifest) -> Iterator[Part | None]:
    """Yield the parts in the order of arrival, None where nothing may be merged across."""
    waiting: dict[str, int] = {}  # a spool may still become a part that belongs before others of its run
    for stem in layout.spool_stems():
        run, count = place_of(stem)
        waiting[run] = min(count, waiting.get(run, count))
    for part in manifest.state().parts.values():
        run, count = part.place
        is_settled = count < waiting.get(run, count + 1) and layout.part(part.stem).exists()
        yield part if is_settled else None


def _groups(found: Sequence[Part | None], sizes: FileSizes) -> Iterator[list[Part]]:
    group: list[Part] = []
    for part in [*found, None]:
        fits = part is not None and (
            sum(p.rows for p in group) + part.rows <= sizes.part_rows
            and sum(p.size for p in group) + part.size <= sizes.part_bytes
        )
        if part is not None and fits:
            group.append(part)
        else:
            yield from _worthwhile(group)
            group = [] if part is None else [part]


def _worthwhile(group: list[Part]) -> Iterator[list[Part]]:
    """Yield the parts of a group whose merging pays: the rewritten whole is at least twice its largest part.

    So a row is rewritten a few times at most, however many drains go into one capture.
    """
    if len(group) < 2:
        return
    largest = max(range(len(group)), key=lambda i: group[i].size)
    if sum(part.size for part in group) >= 2 * group[largest].size:
        yield group
    else:
        yield from _worthwhile(group[:largest])
        yield from _worthwhile(group[largest + 1 :])


def _merge(layout: Layout, manifest: Manifest, group: Sequence[Part], should_stop: Callable[[], bool]) -> None:
    run, count = group[0].place
    stem = f"{run}-{count:05d}-{secrets.token_hex(4)}"
    for part in group:
        path = layout.part(part.stem)
        if disk.sha256(path) != part.sha256:  # merged, the damage would be covered by a new checksum
            raise CaptureDamaged(f"{path} does not hold what was written into it: run verify() on the capture.", path=path)

    def rows() -> Iterable[pa.RecordBatch]:
        for part in group:
            for batch in parts.read_batches(layout.part(part.stem)):
                if should_stop():
                    raise _Stopped
                yield batch

    replaces = tuple(part.stem for part in group)
    try:
        parts.enter(layout, manifest, stem, rows, place=group[0].place, replaces=replaces)
    except BaseException:
        if stem not in manifest.state().parts:
            layout.part_aside(stem).unlink(missing_ok=True)
        raise
    for part in group:
        layout.part(part.stem).unlink(missing_ok=True)
