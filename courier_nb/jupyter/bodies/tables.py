"""Comma-separated values and their like as rows, the separator found by trying."""

from __future__ import annotations

import csv
import io
from collections import Counter
from dataclasses import dataclass

SEPARATORS = {",": "comma", ";": "semicolon", "\t": "tab", "|": "vertical bar"}
MOST_ROWS = 1_000
MOST_COLUMNS = 100
MOST_CELLS = 20_000

_LOOKED_AT = 50


@dataclass(frozen=True, slots=True)
class Table:
    """The rows that are shown.

    Attributes
    ----------
    rows : list of list of str
        At most `MOST_ROWS` of at most `MOST_COLUMNS` cells, and at most `MOST_CELLS` in all.
    separator : str
    has_more_rows, has_more_columns : bool
        Whether something was left out.
    """

    rows: list[list[str]]
    separator: str
    has_more_rows: bool
    has_more_columns: bool


def separator_of(text: str) -> str | None:
    """Return the separator that gives rows of equal length; None when no one does.

    Two columns may be chance in prose, so they need three rows; more columns need two.
    """
    best: tuple[int, str] | None = None
    for separator in SEPARATORS:
        lengths = Counter(len(row) for row in _rows(text, separator, _LOOKED_AT) if row)
        if not lengths:
            continue
        (columns, rows), *others = lengths.most_common()
        # The last row looked at may be cut.
        if sum(count for _, count in others) > 1 or columns < 2 or rows < (3 if columns == 2 else 2):
            continue
        if best is None or columns > best[0]:
            best = (columns, separator)
    return best[1] if best else None


def table(text: str, separator: str) -> Table:
    """Return the beginning of a text as rows."""
    rows = _rows(text, separator, MOST_ROWS + 1)
    widest = min(max(map(len, rows), default=1), MOST_COLUMNS)
    most = min(MOST_ROWS, MOST_CELLS // max(widest, 1))
    return Table(
        [row[:MOST_COLUMNS] for row in rows[:most]],
        separator,
        has_more_rows=len(rows) > most,
        has_more_columns=any(len(row) > MOST_COLUMNS for row in rows[:most]),
    )


def _rows(text: str, separator: str, most: int) -> list[list[str]]:
    rows: list[list[str]] = []
    try:
        for row in csv.reader(io.StringIO(text, newline=""), delimiter=separator):
            rows.append(row)
            if len(rows) >= most:
                break
    except csv.Error:  # a cell beyond the module's limit: what was read before it is shown
        pass
    return rows
