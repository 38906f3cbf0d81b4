"""What an object shows of itself in a notebook: a title, facts, the first rows of a table, notes; as HTML and as text.

Everything may be foreign text: it is escaped, what does not print is written as its code, and MathJax is told to leave it
alone. There are no scripts and no colours of our own: the page's are inherited, so that it reads in light and dark.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from html import escape
from typing import Any, TypeVar

from rich.cells import cell_len

from courier_nb.core.printable import plain

T = TypeVar("T")

MOST_ROWS = 10
"""Rows of a table that are shown; how many more there are is said."""

_WIDEST = {"title": 300, "fact": 400, "note": 600, "cell": 120}
_EXEMPT = "tex2jax_ignore mathjax_ignore"  # the class names by which pandas keeps MathJax away
_BOX = "border-left: 3px solid var(--jp-border-color1, currentColor); padding-left: 0.8em; max-width: 100%; overflow-x: auto"
_TABLE = "margin: 0.3em 0; border-collapse: collapse; color: inherit"
_CELL = "text-align: left; vertical-align: top; padding: 0.1em 0.8em 0.1em 0; white-space: normal; overflow-wrap: anywhere"


@dataclass(frozen=True, slots=True)
class Table:
    """The first rows of something.

    Attributes
    ----------
    headings : sequence of str
    rows : sequence of sequences
        Only the first `MOST_ROWS` are looked at.
    total : int
        How many rows there are in all.
    what : str
        What the rows are, in words.
    """

    headings: Sequence[str]
    rows: Sequence[Sequence[object]]
    total: int
    what: str

    @property
    def shown(self) -> list[list[str]]:
        """The cells of the rows that are shown."""
        return [[_text(cell, "cell") for cell in row] for row in self.rows[:MOST_ROWS]]

    @property
    def caption(self) -> str:
        """What the rows are, and how many more there are."""
        shown = min(len(self.rows), MOST_ROWS)
        return self.what if shown == self.total else f"{self.what}: the first {shown}; {self.total - shown} more"


@dataclass(frozen=True, slots=True)
class Card:
    """What is shown of an object.

    Attributes
    ----------
    title : str
    facts : sequence of (str, object)
        Names and values; a fact whose value is None or empty is left out.
    table : Table, optional
    notes : sequence of str
        What is worth knowing, in words.
    """

    title: str
    facts: Sequence[tuple[str, object]] = ()
    table: Table | None = None
    notes: Sequence[str] = field(default=())

    def html(self) -> str:
        """Return the card as HTML."""
        parts = [f'<p style="margin: 0"><strong>{_html(self.title, "title")}</strong></p>']
        facts = "".join(
            f'<tr><th scope="row" style="{_CELL}">{_html(name, "cell")}</th><td style="{_CELL}">{_html(value, "fact")}</td></tr>'
            for name, value in self._known()
        )
        if facts:
            parts.append(f'<table style="{_TABLE}"><tbody>{facts}</tbody></table>')
        if self.table is not None and self.table.rows:
            parts.append(_table_html(self.table))
        if self.notes:
            notes = "".join(f"<li>{_html(note, 'note')}</li>" for note in self._said())
            parts.append(f'<ul style="margin: 0.3em 0">{notes}</ul>')
        return f'<div class="courier-nb-card {_EXEMPT}" style="{_BOX}">{"".join(parts)}</div>'

    def text(self) -> str:
        """Return the card as lines of text."""
        known = [(_text(name, "cell"), _text(value, "fact")) for name, value in self._known()]
        widest = max((cell_len(name) for name, _ in known), default=0)
        lines = [_text(self.title, "title")]
        lines += [f"  {_padded(name, widest)}  {value}" for name, value in known]
        if self.table is not None and self.table.rows:
            lines.append(f"  {_text(self.table.caption, 'fact')}")
            lines += _columns([[_text(name, "cell") for name in self.table.headings], *self.table.shown])
        lines += [f"  {_text(note, 'note')}" for note in self._said()]
        return "\n".join(lines)

    def _known(self) -> Iterator[tuple[str, object]]:
        yield from ((name, value) for name, value in self.facts if value is not None and value != "")

    def _said(self) -> list[str]:
        more = len(self.notes) - MOST_ROWS
        return [*self.notes[:MOST_ROWS], *([f"and {more} notes more"] if more > 0 else [])]


def shown_as(card: Callable[[Any], Card], *, text: bool = True) -> Callable[[type[T]], type[T]]:
    """Let IPython show the objects of a class as cards; ``repr`` stays as it is.

    Parameters
    ----------
    card : callable
        Makes the card of an object. It asks the service nothing.
    text : bool
        Also in place of the plain text, where the object stands alone. Inside of lists and the like it stays the ``repr``.
    """

    def html(self: Any) -> str:
        return card(self).html()

    def pretty(self: Any, printer: Any, cycle: bool) -> None:
        printer.text(repr(self) if cycle or len(printer.stack) > 1 else card(self).text())

    def decorate(cls: type[T]) -> type[T]:
        cls._repr_html_ = html  # type: ignore[attr-defined]
        if text:
            # IPython looks for it in the class itself: an inherited one counts less than the class's own __repr__.
            cls._repr_pretty_ = pretty  # type: ignore[attr-defined]
        return cls

    return decorate


def counted(counts: Mapping[Any, int]) -> str:
    """Return counts in words, such as ``3 ok, 1 refused``."""
    return ", ".join(f"{count} {name}" for name, count in counts.items())


def _table_html(table: Table) -> str:
    heads = "".join(f'<th scope="col" style="{_CELL}">{_html(name, "cell")}</th>' for name in table.headings)
    rows = "".join(f"<tr>{''.join(map(_cell_html, row))}</tr>" for row in table.shown)
    caption = f'<caption style="text-align: left; color: inherit">{_html(table.caption, "fact")}</caption>'
    return f'<table style="{_TABLE}">{caption}<thead><tr>{heads}</tr></thead><tbody>{rows}</tbody></table>'


def _cell_html(cell: str) -> str:
    return f'<td style="{_CELL}">{escape(cell)}</td>'


def _html(value: object, kind: str) -> str:
    return escape(_text(value, kind))


def _text(value: object, kind: str) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.1f}"
    if isinstance(value, datetime):
        return f"{value:%Y-%m-%d %H:%M:%S} UTC"
    text = str(value)
    most = _WIDEST[kind]
    return plain(text) if len(text) <= most else f"{plain(text[: most - 1])}…"


def _columns(rows: list[list[str]]) -> list[str]:
    widths = [max(map(cell_len, column)) for column in zip(*rows, strict=True)]
    return [f"    {'  '.join(_padded(cell, width) for cell, width in zip(row, widths, strict=True))}".rstrip() for row in rows]


def _padded(text: str, width: int) -> str:
    return text + " " * (width - cell_len(text))
