"""Foreign text and frames as harmless text for a terminal."""

from __future__ import annotations

from typing import Any

import pandas as pd
from pandas.api.types import is_numeric_dtype
from rich.cells import cell_len, set_cell_size

from courier_nb.core.printable import plain as plain  # also used from here

_GAP = "  "


def cut(text: str, widest: int) -> str:
    """Return text in at most so many terminal cells; an ellipsis says that something is missing."""
    if cell_len(text) <= widest:
        return text
    return f"{set_cell_size(text, widest - 1).rstrip()}…"


def table(frame: pd.DataFrame, *, widest: int = 60) -> str:
    """Return a frame as an aligned text table of harmless characters, with wide characters counted as two cells."""
    if not len(frame):
        return "(none)"
    columns = []
    for position, name in enumerate(frame.columns):
        cells = frame.iloc[:, position]
        texts = [cut(plain(name), widest), *(_cell(cell, widest) for cell in cells.astype(object))]
        is_number = is_numeric_dtype(cells.dtype)
        width = max(map(cell_len, texts))
        columns.append([_padded(text, width, to_the_right=is_number) for text in texts])
    return "\n".join(_GAP.join(line).rstrip() for line in zip(*columns, strict=True))


def _cell(cell: Any, widest: int) -> str:
    if cell is None or cell is pd.NA or cell is pd.NaT or (isinstance(cell, float) and cell != cell):
        return ""
    if isinstance(cell, str | bytes) and len(cell) > widest:
        return cut(f"{plain(cell[:widest])}…", widest)  # only the beginning of a large body is looked at
    return cut(plain(cell), widest)


def _padded(text: str, width: int, *, to_the_right: bool) -> str:
    space = " " * (width - cell_len(text))
    return space + text if to_the_right else text + space
