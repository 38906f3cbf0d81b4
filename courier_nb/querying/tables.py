"""Captures and frames as Arrow tables that SQL can name."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import Any

import pandas as pd
import pyarrow as pa

from courier_nb.core.errors import FrameError
from courier_nb.core.messages import NULL
from courier_nb.frames import schema, values
from courier_nb.frames.display import storable
from courier_nb.frames.flatten import frame_of
from courier_nb.storage.capture import Capture

LOCKS = "lock_id"

_PREFIXES = tuple(prefix for _, prefix in schema.MAPS.values())
_COMPANIONS = {types for types, _ in schema.MAPS.values()}
_PLAIN = [c.name for c in schema.COLUMNS if c.name not in schema.MAPS and c.name not in _COMPANIONS and c.name != LOCKS]
_NUMBERS = {pa.int64(), pa.float64()}


class CaptureTable:
    """A capture as a table that is read anew, batch by batch, each time a query goes through it.

    Parameters
    ----------
    capture : Capture
    fields : pyarrow.Schema, optional
        Columns to have; default: every column of a frame but ``lock_id``, which a capture does not hold.

    Attributes
    ----------
    schema : pyarrow.Schema
    error : Exception or None
        What went wrong while it was read: DuckDB tells it in words of its own.
    """

    def __init__(self, capture: Capture, fields: pa.Schema | None = None) -> None:
        self._capture = capture
        self.schema: pa.Schema = _fields_of(capture) if fields is None else fields
        self.error: Exception | None = None

    def narrowed(self, names: Collection[str]) -> CaptureTable:
        """Return the same table with these of its columns, so that only they are read; it always has one."""
        fields = [field for field in self.schema if field.name in names] or [self.schema.field(0)]
        return CaptureTable(self._capture, pa.schema(fields))

    def __arrow_c_schema__(self) -> object:
        return self.schema.__arrow_c_schema__()

    def __arrow_c_stream__(self, requested_schema: object = None) -> object:
        reader = pa.RecordBatchReader.from_batches(self.schema, self._batches())
        return reader.__arrow_c_stream__(requested_schema)

    def _batches(self) -> Iterator[pa.RecordBatch]:
        names = self.schema.names
        spread = [name for name in names if name.startswith(_PREFIXES)]
        try:
            for batch in self._capture.batches(names):
                frame = frame_of(pa.Table.from_batches([batch]), spread) if spread else None
                columns = [
                    batch[field.name] if frame is None or field.name not in frame else arrow_column(frame[field.name], field.type)
                    for field in self.schema
                ]
                yield pa.record_batch(columns, schema=self.schema)
        except Exception as error:
            self.error = error
            raise


def table_of_frame(frame: pd.DataFrame) -> pa.Table:
    """Return a frame as an Arrow table, its index left out.

    Raises
    ------
    FrameError
        When two columns have the same name.
    """
    names = [storable(str(name)) for name in frame.columns]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise FrameError(f"Columns {twice} are there more than once: SQL could not tell them apart. Rename them.", columns=twice)
    columns = [frame.iloc[:, position] for position in range(len(names))]
    return pa.table([arrow_column(cells, _type_of(cells)) for cells in columns], names=names)


def arrow_column(cells: pd.Series[Any], kind: pa.DataType | None) -> pa.Array:
    """Return a column of a frame as Arrow.

    Parameters
    ----------
    cells : Series
    kind : pyarrow.DataType or None
        None: the type that the column's dtype says. Text takes everything: what is not text becomes its JSON text.
    """
    if kind is None:
        found = pa.array(cells, from_pandas=True)
        return found.combine_chunks() if isinstance(found, pa.ChunkedArray) else found
    listed = [None if _is_missing(cell) else cell for cell in cells.astype(object)]
    if kind == pa.string():
        listed = [cell if cell is None else _text(cell) for cell in listed]
    elif kind == pa.float64():
        listed = [cell if cell is None else float(cell) for cell in listed]
    return pa.array(listed, kind)


def _fields_of(capture: Capture) -> pa.Schema:
    """Return the columns of a capture as of a frame; the properties of all messages are looked at for it."""
    found: dict[str, pa.DataType] = {}
    for batch in capture.batches(_PREFIXES):
        frame = frame_of(pa.Table.from_batches([batch]))
        for name in frame.columns:
            kind = _type_of(frame[name]) or arrow_column(frame[name], None).type
            kind = pa.string() if kind == pa.large_string() else kind
            found[name] = _common(found.get(name, kind), kind)
    fields = []
    for column in schema.COLUMNS:
        if column.name in schema.MAPS:
            prefix = schema.MAPS[column.name][1]
            fields += [pa.field(name, found[name]) for name in sorted(found) if name.startswith(prefix)]
        elif column.name in _PLAIN:
            fields.append(pa.field(column.name, column.arrow))
    return pa.schema(fields)


def _type_of(cells: pd.Series[Any]) -> pa.DataType | None:
    """Return the type that holds every value of a column of objects; None for a column that says its type itself."""
    if cells.dtype != object:
        return None if _arrow_can_hold(cells) else pa.string()
    found = {type(cell) for cell in cells if not _is_missing(cell)}
    if not found:
        return schema.BY_NAME[str(cells.name)].arrow if cells.name in schema.BY_NAME else pa.string()
    if found == {bytes}:
        return pa.binary()
    if found == {bool}:
        return pa.bool_()
    if found <= {int, float} and all(-(2**63) <= cell < 2**63 for cell in cells if isinstance(cell, int)):
        return pa.int64() if found == {int} else pa.float64()
    return pa.string()


def _arrow_can_hold(cells: pd.Series[Any]) -> bool:
    try:
        found = pa.array(cells.iloc[:1], from_pandas=True)
    except (pa.ArrowInvalid, pa.ArrowTypeError, pa.ArrowNotImplementedError):
        return False
    return not isinstance(found.type, pa.BaseExtensionType)  # DuckDB would show what a period is stored as


def _common(one: pa.DataType, other: pa.DataType) -> pa.DataType:
    if one == other:
        return one
    return pa.float64() if {one, other} == _NUMBERS else pa.string()


def _is_missing(cell: Any) -> bool:
    return cell is None or cell is pd.NA or cell is pd.NaT or cell is NULL or (isinstance(cell, float) and cell != cell)


def _text(cell: Any) -> str:
    if isinstance(cell, str):
        return storable(cell)
    if isinstance(cell, bytes):
        return cell.decode("utf-8", "backslashreplace")
    if isinstance(cell, bool | int | float | list | dict):
        try:
            return values.encode(cell)
        except (TypeError, ValueError):
            pass
    return storable(str(cell))
