"""Two messages side by side: what is missing, new or changed, and how much is the same."""

from __future__ import annotations

import difflib
import operator
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from courier_nb.core.messages import Message
from courier_nb.core.printable import plain
from courier_nb.jupyter.bodies import details, forms, jsoncompare, jsontext, xmltext
from courier_nb.jupyter.bodies.showing import size_words

Mark = Literal["=", "+", "−", "≠"]

MOST_ROWS = 2_000

_CLIP = 400
_MOST_LINES = 2_000
_MOST_BYTES = 2_000_000
_MOST_NODES = 200_000
_MOST_SAME_SHOWN = 50


@dataclass(frozen=True, slots=True)
class Row:
    """One place in two messages.

    Attributes
    ----------
    mark : {"=", "+", "−", "≠"}
        The same, only in the second, only in the first, not the same.
    where : str
        A name, a path or line numbers.
    left, right : str
        Harmless text, clipped to what differs.
    count : int
        How many lines or values a row of equals stands for.
    """

    mark: Mark
    where: str
    left: str = field(default="", repr=False)
    right: str = field(default="", repr=False)
    count: int = 1


@dataclass(frozen=True, slots=True)
class Part:
    """One part of two messages.

    Attributes
    ----------
    name : str
    rows : list of Row
    differences : int
    words : str
        How it was compared, or what was left out.
    """

    name: str
    rows: list[Row]
    differences: int
    words: str = ""


def compare(left: Message, right: Message) -> list[Part]:
    """Return headers, properties and body of two messages, compared."""
    headers = [dict(details.header_rows(message)) for message in (left, right)]
    for found in headers:
        found.pop("lockId", None)  # every delivery has its own
    properties = [
        {row["name"]: f"{row['text']}  ({details.KINDS[row['kind']]})" for row in details.property_rows(message)}
        for message in (left, right)
    ]
    return [_named("Headers", *headers), _named("Properties", *properties), _bodies(left, right)]


def _named(name: str, left: Mapping[str, str], right: Mapping[str, str]) -> Part:
    rows = []
    for entry in dict.fromkeys([*left, *right]):
        one, other = left.get(entry), right.get(entry)
        rows.append(_row(plain(entry), one, other))
    return Part(name, rows, sum(row.mark != "=" for row in rows))


def _row(where: str, one: str | None, other: str | None) -> Row:
    mark: Mark = "=" if one == other else "+" if one is None else "−" if other is None else "≠"
    return Row(mark, where, *_clipped(one or "", other or ""))


def _bodies(left: Message, right: Message) -> Part:
    if left.body is None or right.body is None:
        is_same = left.body is None and right.body is None
        words = "both bodies were withheld" if is_same else "the body of one of them was withheld"
        return Part("Body", [], 0, words)
    one, other = forms.bytes_of(left.body), forms.bytes_of(right.body)
    if one == other:
        return Part("Body", [Row("=", "the whole body", count=1)], 0, f"both have the same {size_words(len(one))}")
    kinds = {forms.form_of(left), forms.form_of(right)}
    if max(len(one), len(other)) <= _MOST_BYTES:
        if kinds == {"json"}:
            try:
                documents = [jsontext.read(forms.text_of(body), most_nodes=_MOST_NODES) for body in (left.body, right.body)]
            except jsontext.SyntaxFault:
                documents = []
            if documents and not any(document.is_cut for document in documents):
                return _json(documents[0].root, documents[1].root)
        if kinds == {"xml"}:
            try:
                laid_out = [xmltext.indented(forms.text_of(body)) for body in (left.body, right.body)]
                return _lines(laid_out[0], laid_out[1], "compared as indented XML, line by line")
            except ValueError:
                pass
    if "hex" in kinds:
        texts = [str(forms.show(body, "hex").content["text"]) for body in (left.body, right.body)]
        cut = max(len(one), len(other)) > forms.HEX_PART_BYTES
        return _lines(texts[0], texts[1], f"compared as bytes{_beginning(forms.HEX_PART_BYTES) if cut else ''}")
    texts = [forms.text_of(body[:_MOST_BYTES]) for body in (one, other)]
    cut = max(len(one), len(other)) > _MOST_BYTES
    return _lines(texts[0], texts[1], f"compared line by line{_beginning(_MOST_BYTES) if cut else ''}")


def _beginning(size: int) -> str:
    return f", the first {size_words(size)} of each only"


def _json(left: jsontext.Node, right: jsontext.Node) -> Part:
    found = jsoncompare.compare(left, right)
    rows = [Row(change.mark, plain(change.path), *_clipped(change.left, change.right)) for change in found.changes[:MOST_ROWS]]
    words = "compared as JSON, value by value; the order of names does not count"
    if not found.changes:
        words += "; the same values, written differently"
    if found.same:
        rows.append(Row("=", f"{found.same:,} values", count=found.same))
    return Part("Body", rows, len(found.changes), _left_out(words, len(found.changes)))


def _lines(left: str, right: str, words: str) -> Part:
    ones, others = left.split("\n"), right.split("\n")
    start = _common(ones, others)
    end = _common(ones[start:][::-1], others[start:][::-1])
    middle = ones[start : len(ones) - end], others[start : len(others) - end]
    rows: list[Row] = []
    unbuilt = 0
    if start:
        rows.append(_same(ones[:start], 0, 0))
    if max(map(len, middle)) > _MOST_LINES:
        words += "; too many lines differ to find which were moved"
        rows += _pairs(middle[0][:MOST_ROWS], middle[1][:MOST_ROWS], start, start)
        rest = middle[0][MOST_ROWS:], middle[1][MOST_ROWS:]
        unbuilt = sum(map(operator.ne, *rest)) + abs(len(rest[0]) - len(rest[1]))
    else:
        for kind, i, j, k, m in difflib.SequenceMatcher(None, *middle).get_opcodes():
            if kind == "equal":
                rows.append(_same(middle[0][i:j], start + i, start + k))
            else:
                rows += _pairs(middle[0][i:j], middle[1][k:m], start + i, start + k)
    if end:
        rows.append(_same(ones[len(ones) - end :], len(ones) - end, len(others) - end))
    differences = sum(row.mark != "=" for row in rows) + unbuilt
    return Part("Body", rows[:MOST_ROWS], differences, _left_out(words, len(rows) + unbuilt))


def _common(ones: Sequence[str], others: Sequence[str]) -> int:
    pairs = zip(ones, others, strict=False)
    return next((at for at, (one, other) in enumerate(pairs) if one != other), min(len(ones), len(others)))


def _same(lines: Sequence[str], left_at: int, right_at: int) -> Row:
    shown = "\n".join(_clip(line, 0) for line in lines[:_MOST_SAME_SHOWN])
    if len(lines) > _MOST_SAME_SHOWN:
        shown += f"\n… ({len(lines) - _MOST_SAME_SHOWN:,} more lines)"
    return Row("=", _line_words(left_at, right_at, len(lines)), shown, shown, count=len(lines))


def _line_words(left_at: int, right_at: int, count: int) -> str:
    def of(at: int) -> str:
        return f"{at + 1}" if count == 1 else f"{at + 1} to {at + count}"

    name = "line" if count == 1 else "lines"
    return f"{name} {of(left_at)}" if left_at == right_at else f"{name} {of(left_at)}, then {of(right_at)}"


def _pairs(ones: Sequence[str], others: Sequence[str], left_at: int, right_at: int) -> list[Row]:
    rows = []
    for at in range(max(len(ones), len(others))):
        one = ones[at] if at < len(ones) else None
        other = others[at] if at < len(others) else None
        at_line = left_at + at if one is not None else right_at + at
        rows.append(_row(f"line {at_line + 1}", one, other))
    return rows


def _clipped(one: str, other: str) -> tuple[str, str]:
    """Return two texts, clipped to where they begin to differ."""
    first = _common(one, other)
    from_where = max(0, first - _CLIP // 4) if max(len(one), len(other)) > _CLIP else 0
    return _clip(one, from_where), _clip(other, from_where)


def _clip(text: str, start: int) -> str:
    piece = text[start : start + _CLIP]
    before = f"({start:,} characters) … " if start else ""
    left = len(text) - start - len(piece)
    return f"{before}{plain(piece)}{f' … ({left:,} more characters)' if left > 0 else ''}"


def _left_out(words: str, rows: int) -> str:
    return words if rows <= MOST_ROWS else f"{words}; the first {MOST_ROWS:,} rows of {rows:,} shown"


def differences(parts: Sequence[Part]) -> int:
    """Return how many differences there are in all."""
    return sum(part.differences for part in parts)


def as_content(parts: Sequence[Part]) -> list[dict[str, Any]]:
    """Return what was compared as JSON can carry it."""
    return [
        {
            "name": part.name,
            "differences": part.differences,
            "words": part.words,
            "rows": [[row.mark, row.where, row.left, row.right, row.count] for row in part.rows],
        }
        for part in parts
    ]
