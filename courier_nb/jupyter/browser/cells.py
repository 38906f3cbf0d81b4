"""Columns of a frame as what a table shows: short, harmless, and with the numbers still numbers."""

from __future__ import annotations

import math
from decimal import Decimal
from typing import Any, Literal

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from courier_nb.core.messages import NULL
from courier_nb.core.printable import plain

Kind = Literal["text", "number", "time"]
"""What cells are: texts; numbers, as text where JavaScript could not hold them exactly; milliseconds since 1970."""

WIDEST = 200
PREVIEW = 90
_EXACT = 2**53  # beyond it, a number in JavaScript is not exact


def cells_of(column: pd.Series[Any], widest: int = WIDEST) -> tuple[Kind, list[Any]]:
    """Return the kind of a column and its cells, texts with at most `widest` characters; None where one is missing."""
    dtype = column.dtype
    if isinstance(dtype, pd.StringDtype):
        return "text", texts_of(_arrow(column), widest)
    if isinstance(dtype, pd.DatetimeTZDtype) or getattr(dtype, "kind", "") == "M":
        utc = column if isinstance(dtype, pd.DatetimeTZDtype) else column.dt.tz_localize("UTC")
        numbers = utc.dt.tz_convert("UTC").dt.tz_localize(None).astype("datetime64[ms]")
        return "time", [None if missing else int(at) for at, missing in zip(numbers.astype("int64"), utc.isna(), strict=True)]
    if pd.api.types.is_bool_dtype(dtype):
        return "text", [None if pd.isna(cell) else str(bool(cell)).lower() for cell in column]
    if pd.api.types.is_integer_dtype(dtype) or pd.api.types.is_float_dtype(dtype):
        return "number", [None if cell is None else _number(cell) for cell in _objects(column)]
    found = _objects(column)
    kind: Kind = "number" if any(_is_number(cell) for cell in found) else "text"
    return kind, [_cell(cell) for cell in found]


def texts_of(texts: pa.Array, widest: int) -> list[str | None]:
    """Return the beginnings of texts, harmless, with an ellipsis where something is left out. Only what is kept is looked at."""
    short = pc.utf8_slice_codeunits(texts, 0, widest)
    found: list[str | None] = short.to_pylist()
    cut = pc.fill_null(pc.greater(pc.binary_length(texts), pc.binary_length(short)), False).to_numpy(zero_copy_only=False)
    harmless = pc.fill_null(pc.and_(pc.string_is_ascii(short), pc.ascii_is_printable(short)), True)
    for row in np.flatnonzero(~harmless.to_numpy(zero_copy_only=False)):
        found[row] = plain(found[row])
    for row in np.flatnonzero(cut):
        found[row] = f"{found[row]}…"
    return found


def body_arrays(frame: pd.DataFrame) -> tuple[pa.Array, pa.Array]:
    """Return the bodies of a frame that are text, and those that are bytes, without a copy of what is text already."""
    nulls = pa.nulls(len(frame))
    body = _arrow(frame["body"]) if "body" in frame else nulls.cast(pa.large_string())
    raw = pa.array(_objects(frame["body_bytes"]), pa.large_binary()) if "body_bytes" in frame else nulls.cast(pa.large_binary())
    return body, raw


def beginnings(body: pa.Array, raw: pa.Array) -> tuple[pa.Array, pa.Array]:
    """Return the sizes (bytes) and beginnings of bodies; each is text, or bytes that are not valid text."""
    size = pc.cast(
        pc.coalesce(pc.cast(pc.binary_length(body), pa.int64()), pc.cast(pc.binary_length(raw), pa.int64())), pa.int64()
    )
    # One more than is shown, so that an ellipsis says that there is more.
    preview = pc.cast(pc.utf8_slice_codeunits(body, 0, PREVIEW + 1), pa.string())
    if raw.null_count == len(raw):
        return size, preview
    shown = [text if data is None else _from_bytes(data) for text, data in zip(preview.to_pylist(), raw.to_pylist(), strict=True)]
    return size, pa.array(shown, pa.string())


def _from_bytes(data: bytes) -> str:
    return data[: PREVIEW + 1].decode("utf-8", "backslashreplace")[: PREVIEW + 1]


def _arrow(column: pd.Series[Any]) -> pa.Array:
    try:
        array = pa.array(column, pa.large_string(), from_pandas=True)
    except (pa.ArrowInvalid, pa.ArrowTypeError, UnicodeEncodeError):  # a frame of somebody's own, with anything in it
        array = pa.array([_text(cell) for cell in _objects(column)], pa.large_string())
    return array.combine_chunks() if isinstance(array, pa.ChunkedArray) else array


def _text(cell: Any) -> str | None:
    return None if cell is None else str(cell).encode("utf-8", "backslashreplace").decode("utf-8")


def _objects(column: pd.Series[Any]) -> list[Any]:
    cells = column.array.astype(object)
    return [None if _is_missing(cell) else cell for cell in cells]


def _is_missing(cell: Any) -> bool:
    return cell is None or cell is pd.NA or cell is pd.NaT or (isinstance(cell, float | np.floating) and math.isnan(cell))


def _is_number(cell: Any) -> bool:
    return isinstance(cell, int | float | np.number | Decimal) and not isinstance(cell, bool)


def _number(cell: Any) -> int | float | str:
    value = cell.item() if isinstance(cell, np.generic) else cell
    if isinstance(value, Decimal) or (isinstance(value, float) and not math.isfinite(value)):
        return str(value)
    return value if isinstance(value, float) or -_EXACT < value < _EXACT else _digits(value)


def _digits(value: int) -> str:
    return str(value) if value.bit_length() < 3_000 else f"an integer of {value.bit_length()} bits"


def _cell(cell: Any) -> Any:
    if cell is None:
        return None
    if _is_number(cell):
        return _number(cell)
    if isinstance(cell, bool | np.bool_):
        return str(bool(cell)).lower()
    if cell is NULL:
        return "null"
    text = cell if isinstance(cell, str | bytes) else str(cell)
    return f"{plain(text[:WIDEST])}…" if len(text) > WIDEST else plain(text)
