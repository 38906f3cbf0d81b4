"""Rows of cells into CSV and Excel, one at a time."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Sequence
from typing import IO, Any, Protocol

from courier_nb.core.errors import InvalidArgument
from courier_nb.frames.exporting import Cell, ChangeKind, Changes, for_csv, for_excel, plain_cell

EXCEL_ROWS = 1_048_576
EXCEL_COLUMNS = 16_384
HEADING = -1

_CHANGED = "changed_cells"
_CHANGED_CHARACTERS = 30_000
_WORDS: dict[ChangeKind, str] = {
    "formula": "apostrophe put in front of a formula",
    "unprintable": "characters written as their codes",
    "number as text": "number kept as text",
    "cut": "cut",
}


class Rows(Protocol):
    """A table being written."""

    rows: int

    def add(self, values: Sequence[Any]) -> None:
        """Write one row."""

    def close(self) -> None:
        """Write what is left."""


class _Cells:
    """Turns rows of foreign values into cells; unless raw, a last cell names what was changed in its row."""

    def __init__(
        self, names: list[str], changes: Changes, convert: Callable[..., tuple[Cell, list[ChangeKind]]], *, raw: bool
    ) -> None:
        self._names = names
        self._changes = changes
        self._convert = convert
        self._raw = raw

    def headings(self) -> list[Cell]:
        last = _CHANGED
        while last in self._names:
            last += "_"
        return self._row(HEADING, self._names, None if self._raw else last)

    def row(self, number: int, values: Sequence[Any]) -> list[Cell]:
        return self._row(number, values, None if self._raw else "")

    def _row(self, number: int, values: Sequence[Any], last: str | None) -> list[Cell]:
        cells: list[Cell] = []
        notes = []
        for name, value in zip(self._names, values, strict=True):
            given = plain_cell(value)
            cell, kinds = self._convert(given, raw=self._raw)
            cells.append(cell)
            if kinds:
                what = ", ".join(_in_words(kind, given) for kind in kinds)
                self._changes.add(number, name, kinds, what)
                notes.append(f"{name}: {what}")
        if last is not None:
            cells.append(last or self._noted(notes))
        return cells

    def _noted(self, notes: list[str]) -> Cell:
        text = "; ".join(notes)
        if len(text) > _CHANGED_CHARACTERS:
            text = f"{len(notes)} cells changed, among them: {text[:_CHANGED_CHARACTERS]}…"
        return self._convert(text, raw=False)[0] or None


def _in_words(kind: ChangeKind, given: Cell | bytes) -> str:
    return f"cut from {len(given):,} characters" if kind == "cut" and isinstance(given, str | bytes) else _WORDS[kind]


class CsvRows:
    """Writes CSV as RFC 4180 has it: texts in quotes, lines ended by CR LF, UTF-8 (with a mark for Excel, unless raw)."""

    def __init__(self, file: IO[bytes], names: list[str], changes: Changes, *, raw: bool) -> None:
        self._text = io.TextIOWrapper(file, encoding="utf-8" if raw else "utf-8-sig", newline="", write_through=False)
        self._writer = csv.writer(self._text, quoting=csv.QUOTE_NONNUMERIC)
        self._cells = _Cells(names, changes, for_csv, raw=raw)
        self._writer.writerow(self._cells.headings())
        self.rows = 0

    def add(self, values: Sequence[Any]) -> None:
        self._writer.writerow(self._cells.row(self.rows, values))
        self.rows += 1

    def close(self) -> None:
        self._text.detach()  # flushes; the file belongs to the caller


class ExcelRows:
    """Writes an Excel workbook; what one sheet cannot hold goes on in the next."""

    def __init__(self, file: IO[bytes], names: list[str], changes: Changes, *, raw: bool) -> None:
        try:
            from openpyxl import Workbook
            from openpyxl.cell import WriteOnlyCell
        except ImportError:
            raise InvalidArgument("Writing .xlsx needs openpyxl: pip install 'courier-nb[excel]', or write .csv.") from None
        if len(names) + 1 > EXCEL_COLUMNS:
            raise InvalidArgument(f"{len(names):,} columns, and Excel holds {EXCEL_COLUMNS:,}: name fewer with columns=.")
        self._make_cell: Any = WriteOnlyCell
        self._file = file
        self._book: Any = Workbook(write_only=True)
        self._cells = _Cells(names, changes, for_excel, raw=raw)
        self._headings = self._cells.headings()
        self._sheet: Any = None
        self._in_sheet = 0
        self._new_sheet()
        self.rows = 0

    def add(self, values: Sequence[Any]) -> None:
        if self._in_sheet == EXCEL_ROWS:
            self._new_sheet()
        self._append(self._cells.row(self.rows, values))
        self.rows += 1

    def close(self) -> None:
        self._book.save(self._file)

    def _new_sheet(self) -> None:
        number = len(self._book.worksheets) + 1
        self._sheet = self._book.create_sheet("messages" if number == 1 else f"messages {number}")
        self._in_sheet = 0
        self._append(self._headings)

    def _append(self, cells: list[Cell]) -> None:
        self._sheet.append([self._text_cell(cell) if isinstance(cell, str) else cell for cell in cells])
        self._in_sheet += 1

    def _text_cell(self, text: str) -> Any:
        cell = self._make_cell(self._sheet, text)
        cell.data_type = "s"  # a text whatever it looks like: neither formula nor error value
        if text.startswith(("=", "+", "-", "@")):
            cell.quotePrefix = True  # stays a text when it is edited
        return cell
