"""``sql``: a query over captures and frames."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from courier_nb.core.errors import InvalidArgument
from courier_nb.flows.reports import Received
from courier_nb.frames.display import foreign
from courier_nb.querying import engine
from courier_nb.querying.tables import LOCKS, CaptureTable, table_of_frame
from courier_nb.storage.capture import Capture

Queryable = pd.DataFrame | Capture | Received | str | Path
"""What a query can name: a frame, a capture or its folder, or what was received."""


def sql(query: str, /, **tables: Queryable) -> pd.DataFrame:
    """Return the result of one SQL query over captures and frames, by DuckDB (the extra ``sql``). Asks the service nothing.

    Parameters
    ----------
    query : str
        One statement in DuckDB's SQL. Columns are those of a frame (``docs/columns.md``); names with a dot are quoted:
        ``SELECT "prop.event", count(*) FROM dead GROUP BY ALL``. A body is text, which the JSON functions read:
        ``body->>'$.order.id'``.
    **tables : DataFrame, Capture, path or Received
        What the query names. A path is the folder of a capture. Captures are read batch by batch, only the columns that are
        needed, each message once; their lock ids are not stored, and those of what was received are left out.

    Returns
    -------
    DataFrame
        Text as ``str``, whole numbers ``Int64``, other numbers ``Float64``, booleans ``boolean``, times
        ``datetime64[us, UTC]``; missing where SQL has NULL.

    Raises
    ------
    InvalidArgument
        When the query is wrong, is more than one statement, or wants a file, the network or a setting: it reaches the tables
        that are given and nothing else.
    FrameError
        When a frame has two columns of one name.
    CaptureError, CaptureDamaged
        When a folder is not a capture, or cannot be read.
    ImportError
        When DuckDB is not installed.

    Notes
    -----
    A property that is a number in some messages and text in others is text here, and the JSON value null is NULL.
    """
    if not isinstance(query, str) or not query.strip():
        raise InvalidArgument("sql() expects a query, such as 'SELECT count(*) FROM dead'; it was empty.")
    return frame_of_result(engine.run_query(query, {name: _table(name, thing) for name, thing in tables.items()}))


def frame_of_result(table: pa.Table) -> pd.DataFrame:
    """Return the result of a query as a marked frame with the dtypes of this package."""
    columns = [_whole(column) for column in table.columns]
    plain_table = pa.table(columns, names=[str(position) for position in range(len(columns))])  # names may repeat in a result
    frame: pd.DataFrame = plain_table.to_pandas(types_mapper=_dtype)
    frame.columns = pd.Index(table.column_names)
    return foreign(frame)


def _table(name: str, thing: Any) -> CaptureTable | pa.Table:
    match thing:
        case pd.DataFrame():
            return table_of_frame(thing)
        case Capture():
            return CaptureTable(thing)
        case str() | Path():
            return CaptureTable(Capture(thing))
        case Received():
            return table_of_frame(thing.frame().drop(columns=LOCKS))
    raise InvalidArgument(f"{name} is {type(thing).__name__}; a frame, a capture, its folder or what was received was expected.")


def _whole(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Return sums of whole numbers as such: DuckDB gives them as decimals."""
    if pa.types.is_decimal(column.type) and column.type.scale == 0:
        try:
            return pc.cast(column, pa.int64())
        except pa.ArrowInvalid:  # beyond 64 bits
            return column
    return column


def _dtype(kind: pa.DataType) -> Any:
    if pa.types.is_integer(kind):
        return pd.Int64Dtype()
    if pa.types.is_floating(kind):
        return pd.Float64Dtype()
    return pd.BooleanDtype() if pa.types.is_boolean(kind) else None
