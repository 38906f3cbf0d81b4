"""A Parquet file from anywhere, read in bounded memory whatever it holds.

A hundred kilobytes can stand for a gigabyte in two ways: one long text in a dictionary that every row points at, and pages that
compress a thousandfold. The first is read as pointers and spelled out a few rows at a time, the second is refused.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from courier_nb.core.errors import CaptureError
from courier_nb.core.messages import Message
from courier_nb.frames import schema
from courier_nb.frames.tables import messages_of

_ROWS_AT_A_TIME = 1_000
_BYTES_AT_A_TIME = 8_000_000
_LARGEST_ROW = 64_000_000  # a body has ten million bytes at the most
_LARGEST_GROUP = 128_000_000
_LARGEST_RATIO = 200


def read_table(path: str | Path, columns: Sequence[str] | None = None) -> Iterator[pa.RecordBatch]:
    """Yield the messages of one Parquet file with our schema, at most 1,000 rows or about 8 MB at a time.

    Raises
    ------
    CaptureError
        When the file is not Parquet, does not hold our columns (the differences are listed), or unpacks to more than is safe.
    """
    path = Path(path)
    try:
        with pq.ParquetFile(path) as file:
            wrong = schema.differences(file.schema_arrow)
            texts = [_path(file, i) for i in range(len(file.schema)) if file.schema.column(i).physical_type == "BYTE_ARRAY"]
            groups = _groups(file.metadata, path)
        if wrong:
            listed = "; ".join(wrong[:6]) + ("; …" if len(wrong) > 6 else "")
            raise CaptureError(f"{path} does not hold messages written by courier_nb: {listed}.", path=path)
        with pq.ParquetFile(path, read_dictionary=texts, page_checksum_verification=True) as file:
            for group, size in groups:
                for batch in file.iter_batches(batch_size=size, row_groups=[group], columns=columns, use_threads=False):
                    for start, rows in _slices(batch, path):
                        yield _spelled_out(batch.slice(start, rows))
    except FileNotFoundError:
        raise CaptureError(f"{path} does not exist.", path=path) from None
    except (OSError, pa.ArrowException) as error:
        raise CaptureError(f"{path} is not a readable Parquet file ({type(error).__name__}).", path=path) from error


def read_messages(path: str | Path) -> Iterator[Message]:
    """Yield the messages of one Parquet file with our schema.

    Raises
    ------
    CaptureError
        As `read_table`, and when a row is no message: its types do not fit its values.
    """
    row = 0
    for batch in read_table(path):
        messages = messages_of(batch)
        while True:
            try:
                message = next(messages, None)
            except (ValueError, TypeError, RecursionError, KeyError) as error:
                raise CaptureError(
                    f"{path}, row {row}: not a message of courier_nb ({type(error).__name__}); the file was changed.", path=path
                ) from None
            if message is None:
                break
            yield message
            row += 1


def _path(file: pq.ParquetFile, leaf: int) -> str:
    return str(file.schema.column(leaf).path)


def _groups(metadata: Any, path: Path) -> list[tuple[int, int]]:
    """Return the row groups with the rows to read of each at a time."""
    found = []
    packed = path.stat().st_size
    for number in range(metadata.num_row_groups):
        group = metadata.row_group(number)  # not its columns: in a damaged file, asking for one can end the process
        unpacked = group.total_byte_size
        if unpacked > _LARGEST_GROUP and unpacked > _LARGEST_RATIO * packed:
            raise CaptureError(
                f"{path} is refused: one of its row groups unpacks to {unpacked:,} bytes, the whole file has {packed:,}; no "
                "capture is like that. If you trust it, write it anew with smaller row groups.",
                path=path,
            )
        size = _BYTES_AT_A_TIME * group.num_rows // max(unpacked, 1)
        found.append((number, max(1, min(_ROWS_AT_A_TIME, size))))
    return found


def _slices(batch: pa.RecordBatch, path: Path) -> Iterator[tuple[int, int]]:
    """Yield start and number of the rows that are spelled out together."""
    total = np.zeros(batch.num_rows, dtype=np.int64)
    for column in batch.columns:
        total += _bytes_of(column)
    if batch.num_rows and total.max() > _LARGEST_ROW:
        raise CaptureError(
            f"{path} is refused: one of its rows holds {int(total.max()):,} bytes, far more than a message.", path=path
        )
    ends = np.cumsum(total)
    start = 0
    while start < batch.num_rows:
        before = ends[start - 1] if start else 0
        stop = max(start + 1, int(np.searchsorted(ends, before + _BYTES_AT_A_TIME, side="right")))
        yield start, stop - start
        start = stop


def _bytes_of(column: pa.Array) -> Any:
    """Return how many bytes each row has when it is spelled out."""
    if isinstance(column, pa.MapArray):
        offsets = column.offsets.to_numpy()
        inside = np.concatenate(([0], np.cumsum(_bytes_of(column.keys) + _bytes_of(column.items))))
        return inside[offsets[1:]] - inside[offsets[:-1]]
    if isinstance(column, pa.DictionaryArray):
        lengths = pc.fill_null(pc.take(pc.cast(pc.binary_length(column.dictionary), pa.int64()), column.indices), 0)
        return lengths.to_numpy(zero_copy_only=False)
    return np.zeros(len(column), dtype=np.int64)


def _spelled_out(batch: pa.RecordBatch) -> pa.RecordBatch:
    columns = [_dense(column) for column in batch.columns]
    return pa.RecordBatch.from_arrays(columns, schema=pa.schema([schema.SCHEMA.field(name) for name in batch.schema.names]))


def _dense(column: pa.Array) -> pa.Array:
    if isinstance(column, pa.DictionaryArray):
        return column.dictionary_decode()
    if isinstance(column, pa.MapArray):
        offsets = column.offsets
        first, last = offsets[0].as_py(), offsets[-1].as_py()
        keys, items = (_dense(part.slice(first, last - first)) for part in (column.keys, column.items))
        moved = pc.subtract(offsets, pa.scalar(first, offsets.type))
        mask = column.is_null() if column.null_count else None
        return pa.MapArray.from_arrays(moved, keys, items, mask=mask)
    return column
