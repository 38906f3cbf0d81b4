"""What a cell of an exported table may hold: foreign values made harmless for spreadsheets, every change counted and named.

A spreadsheet takes a text that begins with ``=``, ``+``, ``-`` or ``@`` for a formula, also behind blanks and quotes, and
formulas can run programs and send data away. Such a text gets an apostrophe in front. Characters that hide something are written
as their code. Numbers stay numbers, and a text that is a number stays as it is.
"""

from __future__ import annotations

import datetime
import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import pandas as pd

from courier_nb.core import exactjson
from courier_nb.core.messages import NULL
from courier_nb.core.printable import code_of

ChangeKind = Literal["formula", "unprintable", "number as text", "cut"]
Cell = str | int | float | bool | None

CELLS_LISTED = 1_000
EXCEL_CHARACTERS = 32_767
_EXCEL_LARGEST = 10**15  # beyond, its numbers lose digits
_SHORT = {"\n": "\\n", "\r": "\\r", "\t": "\\t"}

_BEFORE = r"[\s\"'`´‘’“”«»\u200b-\u200f\u2060\ufeff]*"
_FORMULA = re.compile(rf"{_BEFORE}[=+\-@＝＋－＠]|[\t\r\n]")
# Where the list separator is a semicolon, the same file is cut into other cells.
_FORMULA_AFTER_SEPARATOR = re.compile(rf";(?={_BEFORE}[=+\-@＝＋－＠])")
_NUMBER = re.compile(r"[+-]?[0-9]+(\.[0-9]+)?([eE][+-]?[0-9]+)?")
_HIDING = (
    r"\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u2069\ufeff\ufff9-\ufffb\ufffe\uffff"
    r"\ud800-\udfff\U000e0000-\U000e007f"
)
_HIDDEN_IN_CSV = re.compile(rf"[{_HIDING}\t\r\n]")
_HIDDEN_IN_EXCEL = re.compile(rf"[{_HIDING}\r]")
_NOT_IN_XML = re.compile(r"[\x00-\x08\x0b\x0c\r\x0e-\x1f\ufffe\uffff\ud800-\udfff]")
_NOT_IN_UTF8 = re.compile(r"[\ud800-\udfff]")
_EXCEL_ESCAPE = re.compile(r"_(?=x[0-9A-Fa-f]{4}_)")


@dataclass(frozen=True, slots=True)
class ChangedCell:
    """A cell that does not hold exactly what the message does.

    Attributes
    ----------
    row : int
        0-based position among the exported rows; -1 for a column heading.
    column : str
    what : str
        Each change in words.
    """

    row: int
    column: str
    what: str


class Changes:
    """Counts changes by kind and keeps the first of them.

    Attributes
    ----------
    counts : Counter of str
    cells : list of ChangedCell
        The first `CELLS_LISTED`.
    """

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        self.cells: list[ChangedCell] = []

    def add(self, row: int, column: str, kinds: Iterable[str], what: str) -> None:
        self.counts.update(kinds)
        if len(self.cells) < CELLS_LISTED:
            self.cells.append(ChangedCell(row, column, what))


def plain_cell(value: Any) -> Cell | bytes:
    """Return a value of a frame as what a table of text and numbers can hold; None where it is missing."""
    if value is None or value is pd.NA or value is pd.NaT or (isinstance(value, float) and value != value):
        return None
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, str | bool | int | float | bytes):
        return value
    if isinstance(value, datetime.datetime):
        return value.isoformat().replace("+00:00", "Z")
    if value is NULL:
        return "null"
    try:
        return exactjson.dumps(value).decode("utf-8")
    except (TypeError, ValueError, RecursionError):
        return str(value)


def for_csv(value: Cell | bytes, *, raw: bool) -> tuple[Cell, list[ChangeKind]]:
    """Return what a CSV cell holds for a value, and what was changed about it."""
    if isinstance(value, bool):
        return ("true" if value else "false"), []
    if not isinstance(value, str | bytes):
        return value, []
    kinds: list[ChangeKind] = []
    text = _coded(_as_text(value, kinds), _NOT_IN_UTF8 if raw else _HIDDEN_IN_CSV, kinds)
    if not raw:
        text = _guarded(text, kinds, separator=_FORMULA_AFTER_SEPARATOR)
    return text, kinds


def for_excel(value: Cell | bytes, *, raw: bool) -> tuple[Cell, list[ChangeKind]]:
    """Return what an Excel cell holds for a value, and what was changed about it."""
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) >= _EXCEL_LARGEST:
        return str(value), ["number as text"]
    if not isinstance(value, str | bytes):
        return value, []
    kinds: list[ChangeKind] = []
    text = _coded(_as_text(value, kinds), _NOT_IN_XML if raw else _HIDDEN_IN_EXCEL, kinds)
    if not raw:
        text = _guarded(text, kinds)
    if len(text.encode("utf-16-le")) > 2 * EXCEL_CHARACTERS:
        text = text.encode("utf-16-le")[: 2 * EXCEL_CHARACTERS].decode("utf-16-le", "ignore")
        kinds.append("cut")
    return _EXCEL_ESCAPE.sub("_x005F_", text), kinds  # Excel reads _x0041_ as A; so a file says that it is no code


def _as_text(value: str | bytes, kinds: list[ChangeKind]) -> str:
    if isinstance(value, str):
        return value
    try:
        return value.decode("utf-8", "surrogatepass")
    except UnicodeDecodeError:
        kinds.append("unprintable")
        return value.decode("utf-8", "backslashreplace")


def _coded(text: str, pattern: re.Pattern[str], kinds: list[ChangeKind]) -> str:
    coded = pattern.sub(lambda match: _SHORT.get(match[0]) or code_of(match[0]), text)
    if coded != text and "unprintable" not in kinds:
        kinds.append("unprintable")
    return coded


def _guarded(text: str, kinds: list[ChangeKind], *, separator: re.Pattern[str] | None = None) -> str:
    guarded = text if separator is None else separator.sub(";'", text)
    if _FORMULA.match(text) and not _NUMBER.fullmatch(text):
        guarded = f"'{guarded}"
    if guarded != text:
        kinds.append("formula")
    return guarded
