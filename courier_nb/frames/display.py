"""Frames of foreign text in IPython and JupyterLab: shown, never obeyed.

pandas escapes markup, but JupyterLab typesets ``$…$`` in what it displays, and direction marks, control characters and floods
of combining marks reach the page as they are. Frames of this package carry a mark (``frame.attrs``), which pandas passes on to
what is made of them; IPython is told to display marked frames through `harmless`. Other frames are displayed as ever.
"""

from __future__ import annotations

import datetime
import sys
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np
import pandas as pd

from courier_nb.core.printable import plain
from courier_nb.frames.verbs import ORIGIN, Origin, give_frames_verbs

MARK = "courier_nb.foreign"
LOCKS = "lock_id"
"""A column that is not displayed: whoever reads a lock, in a saved notebook say, can delete the message."""

_ROWS_AT_EACH_END = 500  # of a frame that pandas shows in part only; it never shows more than its own options say


def foreign(frame: pd.DataFrame) -> pd.DataFrame:
    """Mark a frame as one that holds foreign text, and return it."""
    frame.attrs[MARK] = True
    frame.attrs.setdefault(ORIGIN, Origin())
    give_frames_verbs()
    _register()
    return frame


def foreign_frame(rows: Iterable[Sequence[Any]], dtypes: Mapping[str, str]) -> pd.DataFrame:
    """Return a marked frame of rows; `dtypes` names the columns. A lone surrogate, which no column holds, becomes its code."""
    cells = [[storable(cell) if isinstance(cell, str) else cell for cell in row] for row in rows]
    return foreign(pd.DataFrame(cells, columns=list(dtypes)).astype(dict(dtypes)))


def storable(text: str) -> str:
    """Return text that a text column can hold: a lone surrogate, as some message ids have, becomes its code."""
    return text.encode("utf-8", "backslashreplace").decode("utf-8")


def harmless(shown: pd.DataFrame | pd.Series[Any]) -> Any:
    """Return a frame or series of the same shape whose texts can be displayed; what pandas will leave out anyway is empty."""
    if isinstance(shown, pd.Series):
        cells: pd.Series[Any] = _column(shown)
        cells.index, cells.name = _labels(shown.index), _label(shown.name)
        return cells
    safe = (
        pd.concat([_column(shown.iloc[:, position]) for position in range(shown.shape[1])], axis=1)
        if shown.shape[1]
        else shown[[]]
    )
    safe.index, safe.columns = _labels(shown.index), _labels(shown.columns)
    return safe


def _column(cells: pd.Series[Any]) -> pd.Series[Any]:
    if cells.name == LOCKS:
        return pd.Series(np.where(cells.isna(), "", "…"), index=cells.index, dtype=object)
    if not (cells.dtype == object or isinstance(cells.dtype, pd.StringDtype | pd.CategoricalDtype)):
        return cells.copy(deep=False)
    widest = pd.get_option("display.max_colwidth")
    found = (
        cells.to_numpy(dtype=object, na_value=np.nan)
        if isinstance(cells.dtype, pd.StringDtype)
        else cells.astype(object).to_numpy()
    )
    texts = np.full(len(cells), "", dtype=object)
    for row in _rows_shown(len(cells)):
        texts[row] = _cell(found[row], widest)
    return pd.Series(texts, index=cells.index, dtype=object)


def _rows_shown(rows: int) -> Any:
    most = pd.get_option("display.max_rows")
    if most is None:
        return range(rows)
    end = max(_ROWS_AT_EACH_END, most, pd.get_option("display.min_rows") or 0)
    return range(rows) if rows <= 2 * end else (*range(end), *range(rows - end, rows))


def _cell(cell: Any, widest: int | None) -> Any:
    if _is_harmless(cell):
        return cell
    if widest is not None and isinstance(cell, str | bytes):
        cell = cell[: widest + 1]  # one more, so that pandas says that there is more
    return plain(cell)


def _label(label: Hashable) -> Any:
    if isinstance(label, tuple):
        return tuple(map(_label, label))
    return label if _is_harmless(label) else plain(label)


def _is_harmless(value: object) -> bool:
    return (
        value is None or value is pd.NA or isinstance(value, bool | int | float | np.generic | datetime.date | datetime.timedelta)
    )


def _labels(labels: pd.Index[Any]) -> pd.Index[Any]:
    if isinstance(labels, pd.MultiIndex):
        levels: Any = [_labels(level) for level in labels.levels]
        return labels.set_levels(levels, verify_integrity=False).set_names([_label(name) for name in labels.names])
    if not (labels.dtype == object or isinstance(labels.dtype, pd.StringDtype | pd.CategoricalDtype)):
        return labels.set_names([_label(labels.name)])
    texts: pd.Index[Any] = pd.Index([_label(label) for label in labels], dtype=object, name=_label(labels.name))
    return texts


def _register() -> None:
    """Tell the running IPython, if there is one, how marked frames are displayed."""
    if "IPython" not in sys.modules:
        return
    from IPython import get_ipython

    shell = get_ipython()
    if shell is None or getattr(shell, "_courier_nb_displays", False):
        return
    html, text = (shell.display_formatter.formatters[kind] for kind in ("text/html", "text/plain"))
    html.for_type(pd.DataFrame, partial(_html, before=html.lookup_by_type(pd.DataFrame) if pd.DataFrame in html else None))
    for kind in (pd.DataFrame, pd.Series):
        before = text.lookup_by_type(kind) if kind in text else None
        text.for_type(kind, partial(_text, before=before))
    shell._courier_nb_displays = True


def _html(frame: pd.DataFrame, before: Callable[[pd.DataFrame], str | None] | None) -> str | None:
    if MARK in frame.attrs:
        # Two texts with one dollar each are a formula to MathJax, unless the table is exempt.
        with pd.option_context("display.html.use_mathjax", False):
            return _own_html(harmless(frame))
    return before(frame) if before is not None else _own_html(frame)


def _own_html(frame: pd.DataFrame) -> str | None:
    html: str | None = frame._repr_html_()  # type: ignore[operator]
    return html


def _text(shown: pd.DataFrame | pd.Series[Any], printer: Any, cycle: bool, before: Callable[..., None] | None) -> None:
    if MARK in shown.attrs:
        printer.text(repr(harmless(shown)))
    elif before is not None:
        before(shown, printer, cycle)
    else:
        printer.text(repr(shown))
