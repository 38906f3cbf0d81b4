"""Messages and frames written to a file that other programs read: CSV, Excel, JSON Lines, Parquet."""

from __future__ import annotations

import gzip
import os
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING

import pyarrow as pa
import pyarrow.parquet as pq

from courier_nb.core import exactjson
from courier_nb.core.cards import shown_as
from courier_nb.core.errors import CaptureError, InvalidArgument
from courier_nb.core.messages import Message
from courier_nb.frames import schema
from courier_nb.frames.exporting import CELLS_LISTED, ChangedCell, Changes
from courier_nb.frames.flatten import frame_of
from courier_nb.frames.publishable import messages_from_frame
from courier_nb.frames.tables import messages_of, table_of
from courier_nb.storage import disk
from courier_nb.storage.cards import export_card
from courier_nb.storage.foreign.sheets import CsvRows, ExcelRows, Rows
from courier_nb.wire.codec import message_to_wire

if TYPE_CHECKING:
    import pandas as pd

FORMATS = {".csv": "csv", ".xlsx": "xlsx", ".jsonl": "jsonl", ".jsonl.gz": "jsonl", ".parquet": "parquet"}

Batches = Callable[[Sequence[str] | None], Iterator[pa.RecordBatch]]
"""Yields record batches with our schema, whole or only what the named columns need; may be called again."""

_CELLS_AT_A_TIME = 100_000
_ROWS_AT_A_TIME = 1_000
_NEVER = "lock_id"
_INNER = {types for types, _ in schema.MAPS.values()}


@shown_as(export_card)
@dataclass(frozen=True, slots=True)
class ExportReport:
    """What was written, and what could not be written as it is.

    Attributes
    ----------
    path : Path
    rows : int
        Messages written.
    changed : dict of str to int
        Cells by what was changed about them: ``formula`` (an apostrophe put in front), ``unprintable`` (characters written as
        their codes), ``number as text``, ``cut`` (Excel holds 32,767 characters a cell).
    cells : tuple of ChangedCell
        The first 1,000 of them; in the file, the last column names them all.
    left_out : int
        Messages that the format cannot carry.
    reasons : tuple of (int, str)
        The first 1,000 of those: 0-based position, and why.
    """

    path: Path
    rows: int
    changed: dict[str, int]
    cells: tuple[ChangedCell, ...]
    left_out: int = 0
    reasons: tuple[tuple[int, str], ...] = ()

    @property
    def ok(self) -> bool:
        """Whether nothing is missing in the file: no message left out, no text cut."""
        return not self.left_out and not self.changed.get("cut")

    def __repr__(self) -> str:
        changed = ", ".join(f"{count} {kind}" for kind, count in self.changed.items())
        more = (f"; changed cells: {changed}" if changed else "") + (f"; {self.left_out} left out" if self.left_out else "")
        return f"<ExportReport {str(self.path)!r}: {self.rows} rows{more}>"


def export_batches(batches: Batches, path: Path, *, columns: Sequence[str] | None, raw: bool, overwrite: bool) -> ExportReport:
    """Write batches of messages to a file; see `Capture.export`."""
    kind = _kind(path)
    if columns is not None and kind in ("jsonl", "parquet"):
        raise InvalidArgument(f"columns= is for tables (.csv, .xlsx); a {path.suffix} file holds whole messages.")
    if columns is not None and _NEVER in columns:
        raise InvalidArgument(f"The column {_NEVER} is never exported: whoever reads a lock can delete the message.")
    with _whole_file(path, overwrite) as file:
        if kind == "jsonl":
            messages = (message for batch in batches(None) for message in messages_of(batch))
            return _write_lines(messages, path, file)
        if kind == "parquet":
            return _write_parquet(batches(None), path, file)
        names = list(columns) if columns is not None else _names(batches)
        return _write_rows(_frames(batches, names, is_complete=columns is None), names, kind, path, file, raw)


def export_frame(frame: pd.DataFrame, path: str | Path, *, raw: bool = False, overwrite: bool = False) -> ExportReport:
    """Write a frame of messages to a file that other programs read.

    Parameters
    ----------
    frame : DataFrame
        Any frame for ``.csv`` and ``.xlsx``. For ``.jsonl``, ``.jsonl.gz`` and ``.parquet`` one that can be published; what a
        publish would not send is not written.
    path, raw, overwrite
        As in `Capture.export`. The column ``lock_id`` is never written.

    Returns
    -------
    ExportReport

    Raises
    ------
    FrameError
        When the rows cannot become messages.
    InvalidArgument, CaptureError
        As in `Capture.export`.
    """
    path = Path(path)
    kind = _kind(path)
    if kind in ("csv", "xlsx"):
        frame = frame.drop(columns=[_NEVER], errors="ignore")
        names = [str(name) for name in frame.columns]
        step = max(1, _CELLS_AT_A_TIME // max(1, len(names)))
        parts = (frame.iloc[start : start + step] for start in range(0, len(frame), step))
        with _whole_file(path, overwrite) as file:
            return _write_rows(parts, names, kind, path, file, raw)
    messages = messages_from_frame(frame, strict=False)
    with _whole_file(path, overwrite) as file:
        if kind == "jsonl":
            return _write_lines(iter(messages), path, file)
        tables = (table_of(messages[start : start + _ROWS_AT_A_TIME]) for start in range(0, len(messages), _ROWS_AT_A_TIME))
        return _write_parquet(tables, path, file)


def _kind(path: Path) -> str:
    found = [kind for suffix, kind in FORMATS.items() if path.name.lower().endswith(suffix)]
    if not found:
        raise InvalidArgument(f"{path.name!r} names no format: end it in {', '.join(FORMATS)}.")
    return found[0]


@contextmanager
def _whole_file(path: Path, overwrite: bool) -> Iterator[IO[bytes]]:
    """Open a file, for its owner only, that appears under its name whole or not at all."""
    if path.exists() and not overwrite:
        raise _exists(path)
    aside = path.with_name(f".{uuid.uuid4().hex}.part")
    try:
        with os.fdopen(disk.create_private(aside), "wb") as file:
            yield file
            file.flush()
            disk.flush(file.fileno())
        if overwrite:
            aside.replace(path)
        else:
            os.link(aside, path)  # unlike a rename, this fails where a file of the name has appeared meanwhile
    except FileExistsError:
        raise _exists(path) from None
    except OSError as error:
        raise CaptureError(f"{path} cannot be written: {error.strerror or error}.", path=path) from error
    finally:
        aside.unlink(missing_ok=True)
    disk.flush_folder(path.parent)


def _exists(path: Path) -> InvalidArgument:
    return InvalidArgument(f"{path} exists already: give another name, or overwrite=True (--overwrite).")


def _names(batches: Batches) -> list[str]:
    """Return all columns that a frame of everything would have, in its order."""
    found: dict[str, set[str]] = {name: set() for name in schema.MAPS}
    for batch in batches([prefix for _, prefix in schema.MAPS.values()]):
        for name, keys in found.items():
            keys.update(_keys(batch[name]))
    names: list[str] = []
    for column in schema.COLUMNS:
        if column.name in schema.MAPS:
            names += [schema.MAPS[column.name][1] + key for key in sorted(found[column.name])]
        elif column.name not in _INNER and column.name != _NEVER:
            names.append(column.name)
    return names


def _keys(maps: pa.MapArray) -> Iterator[str]:
    yield from maps.keys.slice(maps.offsets[0].as_py(), maps.offsets[-1].as_py() - maps.offsets[0].as_py()).unique().to_pylist()


def _frames(batches: Batches, names: list[str], *, is_complete: bool) -> Iterator[pd.DataFrame]:
    step = max(1, _CELLS_AT_A_TIME // max(1, len(names)))
    known = set(names)
    for batch in batches(None if is_complete else names):
        if is_complete and any(
            prefix + key not in known for name, (_, prefix) in schema.MAPS.items() for key in _keys(batch[name])
        ):
            raise CaptureError("The capture has grown while it was exported: run the export again.", path=None)
        for start in range(0, batch.num_rows, step):
            yield frame_of(pa.Table.from_batches([batch.slice(start, step)]), names)


def _write_rows(
    frames: Iterator[pd.DataFrame], names: list[str], kind: str, path: Path, file: IO[bytes], raw: bool
) -> ExportReport:
    changes = Changes()
    sheet: Rows = (CsvRows if kind == "csv" else ExcelRows)(file, names, changes, raw=raw)
    for frame in frames:
        cells = [frame.iloc[:, position].astype(object).to_numpy() for position in range(frame.shape[1])]
        for row in zip(*cells, strict=True):
            sheet.add(row)
    sheet.close()
    return ExportReport(path, sheet.rows, dict(changes.counts), tuple(changes.cells))


def _write_lines(messages: Iterator[Message], path: Path, file: IO[bytes]) -> ExportReport:
    rows = left_out = 0
    reasons: list[tuple[int, str]] = []
    lines = gzip.GzipFile(filename="", mode="wb", fileobj=file, mtime=0) if path.name.lower().endswith(".gz") else file
    for position, message in enumerate(messages):
        try:
            item = message_to_wire(message)
            if message.message_id is None:
                del item["headers"]["messageId"]  # made up for a publish; the publish of this file makes one up too
            lines.write(exactjson.dumps(item) + b"\n")
            rows += 1
        except (InvalidArgument, TypeError, ValueError, RecursionError) as error:
            left_out += 1
            if left_out <= CELLS_LISTED:
                reasons.append((position, str(error)))
    if lines is not file:
        lines.close()
    return ExportReport(path, rows, {}, (), left_out, tuple(reasons))


def _write_parquet(batches: Iterator[pa.RecordBatch], path: Path, file: IO[bytes]) -> ExportReport:
    rows = 0
    lock_column = schema.SCHEMA.get_field_index(_NEVER)
    with pq.ParquetWriter(file, schema.SCHEMA, compression="zstd", write_page_checksum=True) as writer:
        for batch in batches:
            no_locks = pa.nulls(batch.num_rows, schema.SCHEMA.field(lock_column).type)
            writer.write_batch(batch.set_column(lock_column, schema.SCHEMA.field(lock_column), no_locks))
            rows += batch.num_rows
    return ExportReport(path, rows, {}, ())
