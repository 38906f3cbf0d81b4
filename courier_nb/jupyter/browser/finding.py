"""Which rows a search leaves: a pandas query, a text in whole bodies, a text in the cells that are shown."""

from __future__ import annotations

import re
from collections.abc import Sequence
from decimal import Decimal, InvalidOperation
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow.compute as pc

from courier_nb.core.errors import FrameError
from courier_nb.core.printable import plain
from courier_nb.frames.schema import MAPS
from courier_nb.jupyter.browser.cells import cells_of
from courier_nb.jupyter.browser.source import Rows

Positions = npt.NDArray[np.uint32]

_QUOTED = re.compile(r"`([^`]*)`")
_PREFIXES = tuple(prefix for _, prefix in MAPS.values())
_WRONG = (
    NameError,
    SyntaxError,
    ValueError,
    TypeError,
    KeyError,
    AttributeError,
    IndexError,
    NotImplementedError,
    RecursionError,
)

_QUOTES_THE_QUERY = (NameError, SyntaxError, AttributeError, NotImplementedError)
"""Errors whose texts name parts of the query; those of the others may quote a body."""


def rows_of_query(rows: Rows, query: str) -> Positions:
    """Return the positions of the rows for which a pandas query holds.

    It is asked about some of the rows at a time, so it must judge each row by itself.

    Raises
    ------
    FrameError
        When the query is wrong; says where, as far as that is known.
    """
    _check_grammar(query)
    found = [np.empty(0, np.uint32)]
    start = 0
    for frame in rows.whole():
        asked = frame
        for name in _QUOTED.findall(query):
            if name not in asked and name.startswith(_PREFIXES):
                asked = asked.assign(**{name: pd.array([pd.NA] * len(asked))})  # a property that none of these messages has
        try:
            kept = asked.query(query, engine="python", local_dict={}, global_dict={}).index
        except _WRONG as error:
            raise FrameError(_in_words(query, error)) from None  # pandas quotes cells in some of its errors
        found.append(kept.to_numpy().astype(np.uint32) + np.uint32(start))
        start += len(frame)
    return np.concatenate(found)


def rows_with_body(rows: Rows, text: str) -> Positions:
    """Return the positions of the rows whose body contains a text; upper and lower case are the same."""
    found = [np.empty(0, np.uint32)]
    start = 0
    wanted = text.lower().encode("utf-8", "surrogatepass")
    for body, raw in rows.bodies():
        hit = pc.fill_null(pc.match_substring(body, text, ignore_case=True), False).to_numpy(zero_copy_only=False)
        if raw.null_count < len(raw):
            hit = hit | np.array([data is not None and wanted in data.lower() for data in raw.to_pylist()], dtype=bool)
        found.append(np.flatnonzero(hit).astype(np.uint32) + np.uint32(start))
        start += len(body)
    return np.concatenate(found)


def rows_with_cell(rows: Rows, text: str, columns: Sequence[str], states: dict[int, str]) -> Positions:
    """Return the positions of the rows of which a shown cell contains a text.

    As the front end finds them, but for what it says in words of its own: sizes and last chances.
    """
    wanted = text.lower()
    found: list[int] = []
    start = 0
    asked = ["settlement" if name == "state" else name for name in columns]
    for chunk in rows.chunks(0, asked):
        hit = np.zeros(len(chunk), dtype=bool)
        for name in (name for name in asked if name in chunk and name != "lock_left"):
            kind, cells = cells_of(chunk[name])
            if name == "settlement":
                cells = [(states.get(start + i) or cell or "").replace("_", " ") for i, cell in enumerate(cells)]
            if kind == "time":
                cells = [None if cell is None else f"{pd.Timestamp(cell, unit='ms'):%Y-%m-%d %H:%M:%S}" for cell in cells]
            hit |= np.array([cell is not None and wanted in str(cell).lower() for cell in cells], dtype=bool)
        found += (np.flatnonzero(hit) + start).tolist()
        start += len(chunk)
    return np.array(found, dtype=np.uint32)


def in_order(rows: Rows, positions: Positions, column: str, *, descending: bool, states: dict[int, str]) -> Positions:
    """Return positions sorted by a column: numbers as numbers, missing cells last, equal ones as they came."""
    stored = {"state": "settlement", "lock_left": "lock_expires_at"}.get(column, column)
    cells: list[Any] = []
    kinds = set()
    for chunk in rows.chunks(0, [stored]):
        kind, more = cells_of(chunk[stored]) if stored in chunk else ("text", [None] * len(chunk))
        kinds.add(kind)
        cells += more
    if column == "state":
        cells = [states.get(row) or cell for row, cell in enumerate(cells)]
    there = [row for row in positions.tolist() if cells[row] not in (None, "")]
    missing = [row for row in positions.tolist() if cells[row] in (None, "")]
    there.sort(key=lambda row: _sort_key(cells[row], as_number="text" not in kinds or "number" in kinds), reverse=descending)
    return np.array([*there, *missing], dtype=np.uint32)


def _sort_key(cell: int | float | str, *, as_number: bool) -> tuple[int, Decimal, str]:
    try:
        return (0, Decimal(cell), "") if as_number else (1, Decimal(0), str(cell))
    except InvalidOperation:  # a text among numbers comes after them
        return 1, Decimal(0), str(cell)


def _check_grammar(query: str) -> None:
    """Find an error of grammar in the query as it was typed: pandas rewrites it first, and then names other places."""
    bare = _QUOTED.sub(lambda name: "_" * len(name[0]), query).replace("@", "_")
    try:
        compile(bare, "query", "eval")
    except SyntaxError as error:
        place = min(error.offset or len(query) + 1, len(query) + 1)  # no offset: something is missing at the end
        raise FrameError(
            f"The query cannot be read at character {place}, {_around(query, place - 1)}: {error.msg}. "
            "Write names with a dot in backticks, texts in quotes."
        ) from error
    except ValueError as error:
        raise FrameError(f"The query cannot be read: {plain(error)}.") from error


def _in_words(query: str, error: Exception) -> str:
    unknown = re.search(r"name '(.+?)' is not defined", str(error))
    if unknown is None:
        is_about_query = isinstance(error, _QUOTES_THE_QUERY)
        words = plain(error) if is_about_query else f"{type(error).__name__}: a cell is not what it takes it for"
        return f"The query cannot be evaluated: {words}."
    name = unknown[1]
    shown = next((quoted for quoted in _QUOTED.findall(query) if re.sub(r"\W", "_", quoted) in name), name)
    place = query.find(shown)
    where = f" at character {place + 1}" if place >= 0 else ""
    return f"There is no column {plain(shown)}{where} of the query. Write names with a dot in backticks, texts in quotes."


def _around(query: str, place: int) -> str:
    rest = query[place : place + 20]
    return f"before {plain(rest)!r}" if rest.strip() else "at its end"
