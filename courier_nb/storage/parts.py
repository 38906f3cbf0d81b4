"""From spool to Parquet: write aside, flush, read back, enter into the manifest, rename; then the spool may go."""

from __future__ import annotations

import secrets
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import pyarrow as pa
import pyarrow.parquet as pq

from courier_nb.core.errors import CaptureDamaged
from courier_nb.core.messages import Message
from courier_nb.frames.schema import SCHEMA
from courier_nb.frames.tables import table_of
from courier_nb.storage import disk, spool
from courier_nb.storage.layout import Layout, place_of
from courier_nb.storage.manifest import Manifest, Part

_ROWS_PER_BATCH = 1_000
_BYTES_PER_BATCH = 8_000_000
_ROWS_PER_GROUP = 50_000
_BYTES_PER_GROUP = 16_000_000
_REPEATING = [
    "destination",
    "environment",
    "settlement",
    "run",
    "message_group_id",
    "headers.key_value.key",
    "properties.key_value.key",
]


def convert(layout: Layout, manifest: Manifest, stem: str) -> int:
    """Turn a finished spool into a part, remove it, and return the rows that the capture has more.

    A spool in which a record does not hold gives a part of the others, and is kept in ``damaged``. The spool must be ours.

    Raises
    ------
    CaptureDamaged
        When what was written does not read back; the spool is still there then.
    OSError
        When the disk is full or gone; the spool is still there then.
    """
    rows, damaged = _write(layout, manifest, stem, stem)
    _put_away(layout, stem, damaged)
    return rows


def recover_spool(layout: Layout, manifest: Manifest, stem: str) -> int:
    """Do the same with a spool whose writer was killed at any point of it. The spool must be claimed."""
    located = manifest.state().locate(stem)
    if located is None:
        return convert(layout, manifest, stem)
    part, _ = located
    if part.place == place_of(stem) and not layout.part(part.stem).exists() and not finish(layout, part):
        _write(layout, manifest, stem, f"{stem}-{secrets.token_hex(4)}", replaces=(part.stem,))
    _put_away(layout, stem, _damaged_places(layout, stem))
    return 0


def finish(layout: Layout, part: Part) -> bool:
    """Give a part its name if that was cut off; return whether it has it. Whoever comes first may do it."""
    aside = layout.part_aside(part.stem)
    try:
        if disk.sha256(aside) == part.sha256:
            aside.replace(layout.part(part.stem))
            disk.flush_folder(layout.root)
    except FileNotFoundError:
        pass  # another process was quicker, or it is gone
    return layout.part(part.stem).exists()


def enter(
    layout: Layout,
    manifest: Manifest,
    stem: str,
    batches: Callable[[], Iterable[pa.RecordBatch]],
    *,
    place: tuple[str, int],
    replaces: tuple[str, ...] = (),
) -> Part | None:
    """Write a part and make it belong to the capture: aside, flush, read back, manifest, rename, flush the folder.

    Parameters
    ----------
    layout, manifest, stem
    batches : callable
        Returns the rows from the start: they are asked for twice, to be written and to be compared.
    place, replaces
        As in `Part`.

    Returns
    -------
    Part or None
        None when there was no row.
    """
    aside = layout.part_aside(stem)
    runs: defaultdict[str, Counter[str]] = defaultdict(Counter)
    rows = 0
    with disk.new_file(aside) as file, _parquet(file) as writer:
        for group in _row_groups(batches()):
            writer.write_table(group)
            rows += group.num_rows
            for run, settlement in zip(group["run"].to_pylist(), group["settlement"].to_pylist(), strict=True):
                runs[run][settlement] += 1
    if not rows:
        aside.unlink()
        return None
    # A writer that ran out of space closes without an error and leaves a cut-off file: only reading back is evidence.
    if not _are_equal(batches(), read_batches(aside)):
        raise CaptureDamaged(f"Part {stem} did not read back as it was written: the disk may be full or failing.", path=aside)
    part = Part(stem, rows, aside.stat().st_size, disk.sha256(aside), runs, place, replaces)
    disk.flush_folder(layout.aside)
    manifest.add(part)
    if not finish(layout, part):
        raise CaptureDamaged(f"{aside} is gone before it could be renamed.", path=aside)
    return part


def read_batches(path: Path, columns: Sequence[str] | None = None, *, start: int = 0) -> Iterator[pa.RecordBatch]:
    """Yield the rows of a part from row `start` on, at most 1,000 or about 8 MB at a time.

    Raises
    ------
    FileNotFoundError
        At once, when the file is not there: another process may have merged it.
    CaptureDamaged
        When it cannot be read.
    """
    try:
        with pq.ParquetFile(path, pre_buffer=False) as file:
            yield from iterate(file, columns, start=start)
    except FileNotFoundError:
        raise
    except (OSError, pa.ArrowException) as error:
        raise CaptureDamaged(f"{path} cannot be read: {type(error).__name__}. Run verify() on the capture.", path=path) from error


def iterate(file: pq.ParquetFile, columns: Sequence[str] | None = None, *, start: int = 0) -> Iterator[pa.RecordBatch]:
    """Yield the rows of an open file from row `start` on, at most 1,000 or about 8 MB at a time."""
    # One row group at a time: reading ahead would take memory for what nobody has asked for yet.
    for group in range(file.num_row_groups):
        meta = file.metadata.row_group(group)
        if start >= meta.num_rows:
            start -= meta.num_rows
            continue
        size = max(1, min(_ROWS_PER_BATCH, _BYTES_PER_BATCH * meta.num_rows // max(meta.total_byte_size, 1)))
        for batch in file.iter_batches(batch_size=size, row_groups=[group], columns=columns, use_threads=False):
            if start < batch.num_rows:
                yield batch.slice(start)
            start = max(0, start - batch.num_rows)


def _write(layout: Layout, manifest: Manifest, stem: str, name: str, *, replaces: tuple[str, ...] = ()) -> tuple[int, list[int]]:
    """Make part `name` of spool `stem`; return its rows and where the spool is damaged."""
    damaged: list[int] = []
    # A spool is small, or one answer: held, it need not be decoded a second time to compare.
    held = list(_batches(layout, stem, damaged))
    part = enter(layout, manifest, name, lambda: held, place=place_of(stem), replaces=replaces)
    return part.rows if part else 0, damaged


def _put_away(layout: Layout, stem: str, damaged: list[int]) -> None:
    if damaged:
        layout.damaged.mkdir(mode=0o700, exist_ok=True)
        layout.spool(stem).replace(layout.damaged / layout.spool(stem).name)
        disk.flush_folder(layout.damaged)
    else:
        layout.spool(stem).unlink()


def _batches(layout: Layout, stem: str, damaged: list[int]) -> Iterator[pa.RecordBatch]:
    messages: list[Message] = []
    settlements: list[str] = []
    runs: list[str | None] = []
    size = 0
    for answer in spool.read_spool(layout.spool(stem), damaged=damaged):
        messages += answer.messages
        settlements += answer.settlements or ["unknown"] * len(answer.messages)
        runs += [answer.run or place_of(stem)[0]] * len(answer.messages)
        size += sum(len(message.body or "") for message in answer.messages)
        if len(messages) >= _ROWS_PER_BATCH or size >= _BYTES_PER_BATCH:
            yield _without_locks(table_of(messages, settlements, runs))
            messages, settlements, runs, size = [], [], [], 0
    if messages:
        yield _without_locks(table_of(messages, settlements, runs))


def _damaged_places(layout: Layout, stem: str) -> list[int]:
    damaged: list[int] = []
    for _ in spool.read_spool(layout.spool(stem), damaged=damaged):
        pass
    return damaged


def _without_locks(batch: pa.RecordBatch) -> pa.RecordBatch:
    # Whoever holds a lock id can delete the message; in a capture it is spent or soon will be, and is of no use to a reader.
    index = SCHEMA.get_field_index("lock_id")
    return batch.set_column(index, SCHEMA.field(index), pa.nulls(batch.num_rows, pa.string()))


@contextmanager
def _parquet(file: IO[bytes]) -> Iterator[pq.ParquetWriter]:
    with pq.ParquetWriter(
        file, SCHEMA, compression="zstd", compression_level=1, use_dictionary=_REPEATING, write_page_index=True
    ) as writer:
        yield writer


def _row_groups(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.Table]:
    """Gather rows into what is held in memory at a time, here and by whoever reads the part."""
    held: list[pa.RecordBatch] = []
    for batch in batches:
        held.append(batch)
        if sum(b.num_rows for b in held) >= _ROWS_PER_GROUP or sum(b.nbytes for b in held) >= _BYTES_PER_GROUP:
            yield pa.Table.from_batches(held)
            held = []
    if held:
        yield pa.Table.from_batches(held)


def _are_equal(written: Iterable[pa.RecordBatch], found: Iterator[pa.RecordBatch]) -> bool:
    """Compare two streams of rows that are cut into batches differently."""
    theirs: pa.RecordBatch | None = None
    for mine in written:
        while mine.num_rows:
            theirs = theirs if theirs is not None and theirs.num_rows else next(found, None)
            if theirs is None:
                return False
            size = min(mine.num_rows, theirs.num_rows)
            if not mine.slice(0, size).equals(theirs.slice(0, size)):
                return False
            mine, theirs = mine.slice(size), theirs.slice(size)
    return (theirs is None or not theirs.num_rows) and next(found, None) is None
