"""JSON bodies as columns: one for each place in the documents, with the dtype that holds all its values exactly."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from courier_nb.accessor.bodies import NOT_JSON, bodies_of, json_text, value_of
from courier_nb.core.errors import FrameError, InvalidArgument
from courier_nb.core.printable import plain
from courier_nb.frames.display import storable

_INT64 = range(-(2**63), 2**63)
_SHOWN = 5
_QUOTES = frozenset('."')


class Flattened(NamedTuple):
    """A frame with the columns, and what is not in them, in words."""

    frame: pd.DataFrame
    notes: tuple[str, ...]


def flatten(frame: pd.DataFrame, prefix: str, max_columns: int) -> Flattened:
    """Return a frame with a column for each place in its JSON bodies; see `CourierAccessor.flatten`."""
    if not isinstance(prefix, str) or not prefix:
        raise InvalidArgument(f"prefix is {prefix!r}, expected a text to begin the new columns' names with, such as 'body.'.")
    if isinstance(max_columns, bool) or not isinstance(max_columns, int) or max_columns < 1:
        raise InvalidArgument(f"max_columns is {max_columns!r}, expected a whole number of at least 1.")
    found: dict[str, dict[int, Any]] = {}
    other = not_json = 0
    for row, body in enumerate(bodies_of(frame)):
        value = value_of(body)
        if value is NOT_JSON:
            not_json += 1
        elif not isinstance(value, dict):
            other += 1
        else:
            for place, cell in _places(value):
                found.setdefault(prefix + place, {})[row] = cell
    kept = _most_frequent(found, max_columns)
    _check_names(frame, kept, prefix)
    columns = {name: _column(found[name], len(frame)) for name in kept}
    result = pd.concat([frame, pd.DataFrame(columns).set_axis(frame.index)], axis=1) if columns else frame.copy()
    result.attrs = dict(frame.attrs)
    return Flattened(result, tuple(_notes(found, kept, other, not_json, max_columns)))


def _places(document: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    """Yield what a document holds, by place, in its order; nested objects are gone into, however deep."""
    waiting = [iter([(_name(name), cell) for name, cell in document.items()])]
    while waiting:
        for place, cell in waiting[-1]:
            if isinstance(cell, dict) and cell:
                waiting.append(iter([(f"{place}.{_name(name)}", inner) for name, inner in cell.items()]))
                break
            yield place, json_text(cell) if isinstance(cell, list | dict) else cell
        else:
            waiting.pop()


def _name(name: str) -> str:
    """Return a name as a part of a column's name, in quotes where it would be read as another place."""
    name = storable(name)
    return json.dumps(name, ensure_ascii=False) if not name or _QUOTES & set(name) else name


def _most_frequent(found: dict[str, dict[int, Any]], most: int) -> list[str]:
    """Return the places that most rows have, in the order in which they were first seen."""
    if len(found) <= most:
        return list(found)
    frequent = set(sorted(found, key=lambda name: -len(found[name]))[:most])
    return [name for name in found if name in frequent]


def _check_names(frame: pd.DataFrame, names: Sequence[str], prefix: str) -> None:
    taken = [name for name in names if name in frame.columns]
    if taken:
        listed = ", ".join(plain(name) for name in taken[:_SHOWN])
        raise FrameError(
            f"The frame has columns of these names already: {listed}. Drop them, or give another prefix= than {prefix!r}.",
            columns=taken,
        )


def _column(cells: dict[int, Any], size: int) -> pd.Series[Any]:
    """Return a column whose dtype holds every value; an object column of exact values where none does. Null is missing."""
    column = np.full(size, None, dtype=object)
    for row, cell in cells.items():
        column[row] = storable(cell) if isinstance(cell, str) else cell
    return pd.Series(column, dtype=_dtype(cells.values()))


def _dtype(cells: Any) -> str:
    kinds = {type(cell) for cell in cells if cell is not None}
    if kinds <= {str}:
        return "str"
    if kinds == {bool}:
        return "boolean"
    if kinds == {int}:
        return "Int64" if all(cell is None or cell in _INT64 for cell in cells) else "object"
    return "Float64" if kinds <= {int, float} and all(type(cell) is not int or _is_float(cell) for cell in cells) else "object"


def _is_float(number: int) -> bool:
    return number in _INT64 and int(float(number)) == number


def _notes(found: dict[str, dict[int, Any]], kept: Sequence[str], other: int, not_json: int, most: int) -> Iterator[str]:
    if not_json:
        yield f"{not_json} rows have no JSON body: their new cells are missing."
    if other:
        yield f"{other} rows have a JSON body that is no object (an array, a text, a number): their new cells are missing."
    if len(found) > len(kept):
        left_out = [name for name in found if name not in set(kept)]
        listed = ", ".join(plain(name) for name in left_out[:_SHOWN]) + (", …" if len(left_out) > _SHOWN else "")
        yield f"{len(left_out)} places are no columns, as more than max_columns={most} were found: {listed}."
