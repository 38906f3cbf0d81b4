"""Reading a capture: frames, tables, messages, and the check that it is complete."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from courier_nb.core.errors import CaptureDamaged, CaptureError, FrameError
from courier_nb.core.messages import Message
from courier_nb.frames import schema
from courier_nb.frames.flatten import frame_of
from courier_nb.frames.tables import messages_of
from courier_nb.storage.duplicates import find_duplicates
from courier_nb.storage.layout import Layout, open_layout, read_sidecar
from courier_nb.storage.verification import Verification, verify_layout
from courier_nb.storage.writer import recover

_ROWS_PER_BATCH = 1_000
_QUOTED_NAME = re.compile(r"`([^`]+)`")


class Capture:
    """Messages in Parquet, written by ``drain``.

    Parameters
    ----------
    path : str or Path
        Folder of the capture. What a killed drain left unfinished there is finished first.

    Attributes
    ----------
    path : Path
    report : DrainReport or None
        How the drain went that this object came from; None for a capture that was opened later.

    Raises
    ------
    CaptureError
        When the folder is not a capture.

    Notes
    -----
    A message that was captured twice (a drain was cut off between the flush and the answer to its acknowledgement) is shown
    once; `duplicates` counts the other copies, and ``all_copies=True`` shows them.
    """

    def __init__(self, path: str | Path, *, report: Any = None) -> None:
        self.path = Path(path)
        self.report = report
        self._layout: Layout = open_layout(self.path)
        self.recovered_rows = recover(self._layout)
        self._hidden: dict[str, set[int]] | None = None
        self._hidden_for: list[str] = []

    def __repr__(self) -> str:
        counts = ", ".join(f"{count} {name}" for name, count in sorted(self.settlements.items()))
        return f"<Capture {str(self.path)!r}: {len(self)} messages ({counts or 'empty'})>"

    def __len__(self) -> int:
        return sum(read_sidecar(self._layout, stem).rows for stem in self._layout.part_stems()) - self.duplicates

    @property
    def duplicates(self) -> int:
        """Copies of messages that are not shown."""
        return sum(len(rows) for rows in self._find_hidden().values())

    @property
    def settlements(self) -> dict[str, int]:
        """Rows on disk by what became of their message on the broker, copies included."""
        total: Counter[str] = Counter()
        for stem in self._layout.part_stems():
            total.update(read_sidecar(self._layout, stem).settlements)
        return dict(total)

    @property
    def unfinished(self) -> int:
        """Spools that another process is still writing; their messages are not shown yet."""
        return len(self._layout.spool_stems())

    def frame(
        self,
        columns: Sequence[str] | None = None,
        *,
        where: str | None = None,
        limit: int | None = None,
        all_copies: bool = False,
    ) -> pd.DataFrame:
        """Return the messages as a DataFrame.

        Parameters
        ----------
        columns : sequence of str, optional
            Names as in the frame, for example ``["message_id", "prop.event", "body"]``; default all. Only what is asked for
            is read from the disk.
        where : str, optional
            Keep the rows for which this pandas query holds, for example ``'`prop.event` == "push" and delivery_count > 2'``.
            It is asked about some of the rows at a time, so it must judge each row by itself.
        limit : int, optional
            At most so many rows.
        all_copies : bool
            Also show the copies of messages captured twice.

        Returns
        -------
        DataFrame
            One row a message in the order of arrival; dtypes as in ``docs/columns.md``.

        Raises
        ------
        FrameError
            When a column does not exist or the query is wrong.
        CaptureDamaged
            When a part cannot be read.
        """
        names = None if columns is None else list(columns)
        batches: list[pa.RecordBatch] = []
        rows = 0
        for batch in self.batches(None if where else names, all_copies=all_copies):
            kept = batch if where is None else _where(batch, where)
            kept = kept if limit is None else kept.slice(0, limit - rows)
            batches.append(kept)
            rows += kept.num_rows
            if limit is not None and rows >= limit:
                break
        table = pa.Table.from_batches(batches) if batches else schema.SCHEMA.empty_table()
        return frame_of(table, names)

    def batches(self, columns: Sequence[str] | None = None, *, all_copies: bool = False) -> Iterator[pa.RecordBatch]:
        """Yield the messages as Arrow record batches of at most 1,000 rows, so that memory does not grow with the capture.

        Parameters
        ----------
        columns : sequence of str, optional
            Frame names; the map columns that hold them are read.
        """
        wanted = None if columns is None else _stored_columns(columns)
        hidden = {} if all_copies else self._find_hidden()
        for stem in self._layout.part_stems():
            skip = hidden.get(stem, set())
            row = 0
            for batch in self._read(stem, wanted):
                if skip:
                    mask = pa.array([i not in skip for i in range(row, row + batch.num_rows)])
                    row += batch.num_rows
                    batch = batch.filter(mask)
                yield batch

    def messages(self) -> Iterator[Message]:
        """Yield the messages one by one, for publishing them again."""
        for batch in self.batches():
            yield from messages_of(batch)

    def verify(self) -> Verification:
        """Check that every part is there and holds what was written into it; see `Verification`."""
        return verify_layout(self._layout)

    def _read(self, stem: str, columns: list[str] | None) -> Iterator[pa.RecordBatch]:
        path = self._layout.part(stem)
        try:
            with pq.ParquetFile(path) as file:
                yield from file.iter_batches(batch_size=_ROWS_PER_BATCH, columns=columns)
        except (OSError, pa.ArrowException) as error:
            raise CaptureDamaged(
                f"{path} cannot be read: {type(error).__name__}. Run verify() on the capture.", path=path
            ) from error

    def _find_hidden(self) -> dict[str, set[int]]:
        stems = self._layout.part_stems()
        if self._hidden is None or stems != self._hidden_for:
            sure_only = all(set(read_sidecar(self._layout, stem).settlements) <= {"acked"} for stem in stems)
            self._hidden = {} if sure_only else find_duplicates(self._layout)
            self._hidden_for = stems
        return self._hidden


def read_table(path: str | Path, columns: Sequence[str] | None = None) -> Iterator[pa.RecordBatch]:
    """Yield the messages of one Parquet file with our schema.

    Raises
    ------
    CaptureError
        When the file is not Parquet or does not hold our columns; the differences are listed.
    """
    path = Path(path)
    try:
        with pq.ParquetFile(path) as file:
            wrong = schema.differences(file.schema_arrow)
            if wrong:
                listed = "; ".join(wrong[:6]) + ("; …" if len(wrong) > 6 else "")
                raise CaptureError(f"{path} does not hold messages written by courier_nb: {listed}.", path=path)
            yield from file.iter_batches(batch_size=_ROWS_PER_BATCH, columns=columns)
    except FileNotFoundError:
        raise CaptureError(f"{path} does not exist.", path=path) from None
    except (OSError, pa.ArrowException) as error:
        raise CaptureError(f"{path} is not a readable Parquet file ({type(error).__name__}).", path=path) from error


def _stored_columns(columns: Sequence[str]) -> list[str]:
    stored: dict[str, None] = {}
    for name in columns:
        for map_name, (types, prefix) in schema.MAPS.items():
            if name.startswith(prefix):
                stored.update(dict.fromkeys((map_name, types)))
                break
        else:
            if name not in schema.BY_NAME or name in schema.MAPS:
                known = ", ".join(column.name for column in schema.COLUMNS if column.dtype and column.name not in schema.MAPS)
                raise FrameError(
                    f"There is no column {name!r}; there are {known}, and prop.<name> and header.<name>.", columns=[name]
                )
            stored[name] = None
    return list(stored)


def _where(batch: pa.RecordBatch, query: str) -> pa.RecordBatch:
    frame = frame_of(pa.Table.from_batches([batch]))
    for name in _QUOTED_NAME.findall(query):
        if name not in frame and name.startswith(tuple(prefix for _, prefix in schema.MAPS.values())):
            frame[name] = pd.NA  # a property that no message of this batch has
    try:
        kept = frame.query(query).index
    except (NameError, SyntaxError, ValueError, TypeError, KeyError, AttributeError) as error:
        raise FrameError(f"The query {query!r} cannot be evaluated: {error}. Write names with a dot in backticks.") from error
    return batch.take(pa.array(kept, pa.int64()))
