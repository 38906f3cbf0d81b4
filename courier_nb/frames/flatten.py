"""Arrow to pandas: typed columns as they are, maps as one column for each name."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from courier_nb.core.messages import NULL
from courier_nb.frames import values
from courier_nb.frames.display import foreign
from courier_nb.frames.schema import COLUMNS, MAPS

_COMPANIONS = {types for types, _ in MAPS.values()}
_ARROW_OF_KIND = {"": pa.string(), "int": pa.int64(), "float": pa.float64(), "bool": pa.bool_()}


def frame_of(table: pa.Table, columns: list[str] | None = None) -> pd.DataFrame:
    """Return a table with our schema as a DataFrame.

    Parameters
    ----------
    table : pyarrow.Table
        May lack columns; then the frame lacks them too.
    columns : list of str, optional
        Names as in the frame (``prop.<name>`` included), in the order wanted. A property that does not occur becomes a
        column of missing values.

    Returns
    -------
    DataFrame
        One row a message. Text columns have dtype ``str``, numbers ``Int64`` or ``Float64``, times ``datetime64[us, UTC]``.
        A property that is sometimes text and sometimes a number is an ``object`` column of exact values. Missing means
        that the message has no such header or property.
    """
    arrow: dict[str, pa.ChunkedArray | pa.Array] = {}
    objects: dict[str, np.ndarray[Any, Any]] = {}
    order: list[str] = []
    for column in COLUMNS:
        if column.name in _COMPANIONS or column.name not in table.column_names:
            continue
        if column.name in MAPS:
            types, prefix = MAPS[column.name]
            wanted = None if columns is None else [name.removeprefix(prefix) for name in columns if name.startswith(prefix)]
            for name, cells in _spread(table[column.name], table[types], wanted):
                order.append(prefix + name)
                (objects if isinstance(cells, np.ndarray) else arrow)[prefix + name] = cells
        elif columns is None or column.name in columns:
            order.append(column.name)
            arrow[column.name] = table[column.name]
    frame = pa.table(arrow).to_pandas(types_mapper=_dtypes().get) if arrow else pd.DataFrame(index=range(table.num_rows))
    if objects:
        parts = pd.DataFrame({name: pd.Series(cells, dtype=object) for name, cells in objects.items()})
        frame = pd.concat([frame, parts], axis=1)
    return foreign(frame[order if columns is None else columns])


def _dtypes() -> dict[pa.DataType, Any]:
    return {pa.int64(): pd.Int64Dtype(), pa.bool_(): pd.BooleanDtype(), pa.float64(): pd.Float64Dtype()}


def _spread(
    maps: pa.ChunkedArray, types: pa.ChunkedArray, wanted: list[str] | None
) -> list[tuple[str, pa.Array | np.ndarray[Any, Any]]]:
    """Return one column for each name of a map column, in the order of the names."""
    entries, kinds = _Entries(maps), _Entries(types)
    found = []
    for name in sorted(entries.names) if wanted is None else wanted:
        rows, texts = entries.of(name)
        typed_rows, typed = kinds.of(name)
        found.append((name, _column(len(maps), rows, texts, typed_rows, typed)))
    return found


class _Entries:
    """The entries of a map column, grouped by name."""

    def __init__(self, maps: pa.ChunkedArray) -> None:
        array = maps.combine_chunks()
        if isinstance(array, pa.ChunkedArray):
            array = pa.concat_arrays(array.chunks) if array.num_chunks else pa.array([], maps.type)
        lengths = np.diff(array.offsets.to_numpy())
        self._rows = np.repeat(np.arange(len(array)), lengths)
        start, stop = (
            array.offsets[0].as_py() if len(array.offsets) else 0,
            array.offsets[-1].as_py() if len(array.offsets) else 0,
        )
        keys = array.keys.slice(start, stop - start).dictionary_encode()
        self._items = array.items.slice(start, stop - start)
        self.names: list[str] = keys.dictionary.to_pylist()
        codes = keys.indices.to_numpy()
        self._order = np.argsort(codes, kind="stable")
        self._bounds = np.searchsorted(codes[self._order], np.arange(len(self.names) + 1))
        self._code = {name: code for code, name in enumerate(self.names)}

    def of(self, name: str) -> tuple[np.ndarray[Any, Any], pa.Array]:
        """Return the row numbers that have `name`, and its values there."""
        code = self._code.get(name)
        if code is None:
            return np.empty(0, dtype=np.int64), pa.array([], pa.string())
        places = self._order[self._bounds[code] : self._bounds[code + 1]]
        return self._rows[places], self._items.take(pa.array(places))


def _column(
    size: int, rows: np.ndarray[Any, Any], texts: pa.Array, typed_rows: np.ndarray[Any, Any], typed: pa.Array
) -> pa.Array | np.ndarray[Any, Any]:
    kinds = [kind.removeprefix(values.ESCAPED_NAME) for kind in typed.to_pylist()] if len(set(typed.to_pylist())) > 1 else None
    only = "" if not len(typed) else typed[0].as_py().removeprefix(values.ESCAPED_NAME)
    uniform = kinds is None and (not len(typed) or len(typed) == len(rows))
    if uniform and only in _ARROW_OF_KIND:
        try:
            cells = pc.cast(texts, _ARROW_OF_KIND[only])
        except pa.ArrowInvalid:  # an integer beyond 64 bits
            pass
        else:
            places = np.full(size, -1, dtype=np.int64)
            places[rows] = np.arange(len(rows))
            return cells.take(pa.array(places, mask=places < 0))
    by_row = dict(zip(typed_rows.tolist(), typed.to_pylist(), strict=True))
    result = np.full(size, pd.NA, dtype=object)
    for row, text in zip(rows.tolist(), texts.to_pylist(), strict=True):
        kind = by_row.get(row, "").removeprefix(values.ESCAPED_NAME)
        value = values.decode(text, kind) if kind else text
        result[row] = NULL if value is None else value
    return result
