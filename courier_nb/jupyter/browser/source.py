"""What the table shows: a frame, or a capture that is read batch by batch so that its bodies never fill the memory."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import pandas as pd
import pyarrow as pa

from courier_nb.core.errors import InvalidArgument
from courier_nb.core.messages import Message
from courier_nb.core.printable import plain
from courier_nb.flows.reports import Received
from courier_nb.frames import schema
from courier_nb.frames.display import LOCKS
from courier_nb.frames.flatten import frame_of
from courier_nb.frames.schema import BY_NAME, MAPS
from courier_nb.frames.tables import messages_of
from courier_nb.jupyter.browser.cells import beginnings, body_arrays
from courier_nb.jupyter.browser.single import message_of_row
from courier_nb.storage.capture import Capture

Source = pd.DataFrame | Received | Capture | str | Path
"""What a browser shows: a frame, what `receive` or `peek` gave, a capture or its folder."""

BODY = ("body", "body_bytes")
MADE = ("state", "lock_left", "size", "preview")
"""Columns of the table that are made from others."""

MOST_ROWS = 500_000
"""Browsers do not draw anything much higher."""

FIRST_ROWS = 500
_CHUNK_ROWS = 5_000
_BATCH_ROWS = 2_000


class Rows(Protocol):
    """Rows that a table shows; never changed, so that a thread may read them while others take their place."""

    def __len__(self) -> int: ...

    @property
    def frame(self) -> pd.DataFrame:
        """All columns of all rows, bodies included."""

    def chunks(self, start: int, columns: Sequence[str] | None) -> Iterator[pd.DataFrame]:
        """Yield the rows from `start` on, the first few by themselves, with ``size`` and ``preview`` in place of bodies.

        Of the columns (as in the frame), those asked for; None for all.
        """

    def whole(self) -> Iterator[pd.DataFrame]:
        """Yield all rows with all columns, bodies included, some at a time."""

    def bodies(self) -> Iterator[tuple[pa.Array, pa.Array]]:
        """Yield the bodies of all rows, some at a time: those that are text, and those that are bytes."""

    def take(self, rows: Sequence[int]) -> pd.DataFrame:
        """Return these rows with all columns; the index of a capture's rows is their position."""

    def message(self, row: int) -> Message: ...


class FrameRows:
    """The rows of a frame.

    Parameters
    ----------
    frame : DataFrame

    Raises
    ------
    InvalidArgument
        When two columns have the same name.
    """

    def __init__(self, frame: pd.DataFrame) -> None:
        names = [label_of(name) for name in frame.columns]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise InvalidArgument(f"Columns occur twice: {', '.join(twice)}. Rename them, so that each can be shown.")
        self.frame = frame

    def __len__(self) -> int:
        return len(self.frame)

    def chunks(self, start: int, columns: Sequence[str] | None) -> Iterator[pd.DataFrame]:
        names = [name for name in self.frame.columns if name not in BODY and name != LOCKS]
        names = [name for name in names if columns is None or label_of(name) in columns]
        shown = self.frame[names]
        wants_bodies = columns is None or bool({"size", "preview"} & set(columns))
        for begin, end in _pieces(start, len(self)):
            piece = shown.iloc[begin:end].reset_index(drop=True)
            piece.columns = pd.Index(map(label_of, names), dtype=object)
            if wants_bodies and any(name in self.frame.columns for name in BODY):
                piece = _with_bodies(piece, *beginnings(*body_arrays(self.frame.iloc[begin:end])))
            yield piece

    def whole(self) -> Iterator[pd.DataFrame]:
        yield self.frame.reset_index(drop=True)

    def bodies(self) -> Iterator[tuple[pa.Array, pa.Array]]:
        yield body_arrays(self.frame)

    def take(self, rows: Sequence[int]) -> pd.DataFrame:
        return self.frame.iloc[list(rows)]

    def message(self, row: int) -> Message:
        return message_of_row(self.frame.iloc[row])


class CaptureRows:
    """The rows of a capture as they were when it was opened.

    Parameters
    ----------
    capture : Capture

    Attributes
    ----------
    path : Path
        Folder of the capture.
    """

    def __init__(self, capture: Capture) -> None:
        self.path = capture.path
        self._capture = capture
        self._size = len(capture)
        self._frame: pd.DataFrame | None = None
        self._near: tuple[int, pa.RecordBatch] | None = None

    def __len__(self) -> int:
        return self._size

    @property
    def frame(self) -> pd.DataFrame:
        if self._frame is None:
            self._frame = self._capture.frame(limit=self._size)
        return self._frame

    def chunks(self, start: int, columns: Sequence[str] | None) -> Iterator[pd.DataFrame]:
        pieces = _pieces(start, self._size)
        waiting: list[pa.Table] = []
        rows, wanted = 0, next(pieces, None)
        for batch in self._batches(start, columns):
            waiting.append(_without_bodies(batch))
            rows += batch.num_rows
            while wanted is not None and rows >= wanted[1] - wanted[0]:
                table = pa.concat_tables(waiting)
                size = wanted[1] - wanted[0]
                yield _frame(table.slice(0, size))
                waiting, rows = [table.slice(size)], rows - size
                wanted = next(pieces, None)
            if wanted is None:
                return

    def whole(self) -> Iterator[pd.DataFrame]:
        waiting: list[pa.RecordBatch] = []
        for batch in self._batches(0, None):
            waiting.append(batch)
            if sum(one.num_rows for one in waiting) >= _BATCH_ROWS:
                yield frame_of(pa.Table.from_batches(waiting))
                waiting = []
        if waiting:
            yield frame_of(pa.Table.from_batches(waiting))

    def bodies(self) -> Iterator[tuple[pa.Array, pa.Array]]:
        for batch in self._batches(0, ["preview"]):
            yield batch["body"], batch["body_bytes"]

    def take(self, rows: Sequence[int]) -> pd.DataFrame:
        if self._frame is not None:
            return self._frame.iloc[list(rows)]
        order = np.argsort(rows, kind="stable")
        wanted = np.asarray(rows, dtype=np.int64)[order]
        taken, start = [schema.SCHEMA.empty_table()], 0
        for batch in self._batches(0, None):
            first, last = np.searchsorted(wanted, (start, start + batch.num_rows))
            if last > first:
                taken.append(pa.Table.from_batches([batch.take(pa.array(wanted[first:last] - start))]))
            start += batch.num_rows
        frame = frame_of(pa.concat_tables(taken))
        frame.index = pd.Index(wanted)
        return frame.iloc[np.argsort(order, kind="stable")]

    def message(self, row: int) -> Message:
        near = self._near
        if near is None or not near[0] <= row < near[0] + near[1].num_rows:
            near = self._near = self._batch_around(row)
        return next(messages_of(near[1].slice(row - near[0], 1)))

    def _batch_around(self, row: int) -> tuple[int, pa.RecordBatch]:
        start = 0
        for batch in self._capture.batches():
            if row < start + batch.num_rows:
                return start, batch
            start += batch.num_rows
        raise InvalidArgument(f"Row {row} is no longer in {self._capture.path}: show the capture again.")

    def _batches(self, start: int, columns: Sequence[str] | None) -> Iterator[pa.RecordBatch]:
        wanted = None
        if columns is not None:
            wanted = [
                name for name in columns if name in BY_NAME or name.startswith(tuple(prefix for _, prefix in MAPS.values()))
            ]
            wanted += BODY if {"size", "preview"} & set(columns) else ()
        left = self._size
        for batch in self._capture.batches(wanted):
            batch, left = batch.slice(0, left), left - batch.num_rows
            skipped, start = min(start, batch.num_rows), max(0, start - batch.num_rows)
            yield batch.slice(skipped)
            if left <= 0:
                return


def label_of(name: object) -> str:
    """Return how the table names a column of a frame."""
    return f"{name} (column)" if name in MADE else plain(name)


def open_rows(source: Source) -> Rows:
    """Return the rows of a source.

    Raises
    ------
    InvalidArgument
        When it is none of what a browser shows, or has more than `MOST_ROWS` rows.
    CaptureError
        When a path is no capture.
    """
    if isinstance(source, pd.DataFrame):
        _check_size(len(source), "The frame has", "frame.head(100_000)")
        # pandas copies when either is written to: what the caller does to its own frame must not move the rows that are shown
        return FrameRows(source.copy(deep=False))
    if isinstance(source, Received):
        return FrameRows(source.frame())
    if isinstance(source, str | Path):
        source = Capture(source)
    if isinstance(source, Capture):
        _check_size(len(source), f"{source.path} holds", "capture.frame(where=..., limit=...)")
        return CaptureRows(source)
    raise InvalidArgument(
        f"A table of messages shows a DataFrame, what receive() or peek() gave, or a capture; not {type(source).__name__}."
    )


def _check_size(rows: int, whose: str, part: str) -> None:
    if rows > MOST_ROWS:
        raise InvalidArgument(f"{whose} {rows:,} rows; a table shows at most {MOST_ROWS:,}. Show a part of it, such as {part}.")


def _pieces(start: int, stop: int) -> Iterator[tuple[int, int]]:
    size = FIRST_ROWS
    while start < stop:
        yield start, min(start + size, stop)
        start, size = start + size, _CHUNK_ROWS


def _without_bodies(batch: pa.RecordBatch) -> pa.Table:
    table = pa.Table.from_batches([batch])
    if "body" not in batch.schema.names:
        return table
    size, preview = beginnings(batch["body"], batch["body_bytes"])
    return table.drop_columns(list(BODY)).append_column("size", size).append_column("preview", preview)


def _frame(table: pa.Table) -> pd.DataFrame:
    frame = frame_of(table)
    if "size" not in table.column_names:
        return frame
    return _with_bodies(frame, table["size"], table["preview"])


def _with_bodies(frame: pd.DataFrame, size: Any, preview: Any) -> pd.DataFrame:
    size = pd.Series(pd.array(size.to_pylist(), dtype="Int64"), index=frame.index)
    return frame.assign(size=size, preview=pd.Series(preview.to_pylist(), index=frame.index, dtype="str"))
