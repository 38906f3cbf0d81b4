"""The forms that a body can be shown in, and which one is right."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from courier_nb.core.messages import Message
from courier_nb.jupyter.bodies import jsontext, tables, xmltext
from courier_nb.jupyter.bodies.showing import clipped, hex_line, quoted, raw, shown_lines, size_words

Form = Literal["json", "xml", "csv", "text", "hex", "raw"]
FORMS: dict[Form, str] = {
    "json": "JSON tree",
    "xml": "XML",
    "csv": "CSV table",
    "text": "Text",
    "hex": "Hex",
    "raw": "Raw",
}
EXTENSIONS: dict[Form, str] = {"json": "json", "xml": "xml", "csv": "csv", "text": "txt", "hex": "bin", "raw": "txt"}

PART_BYTES = 256_000
HEX_PART_BYTES = 64_000
MOST_NODES = 20_000

_LOOKED_AT_BYTES = 64_000
_LINE_BYTES = 16
_CONTENT_TYPES = ("contenttype", "content-type", "content_type", "mediatype", "media-type", "mimetype", "mime-type")


@dataclass(frozen=True, slots=True)
class Shown:
    """A body, or a part of it, made ready for the front end; every text in it is harmless.

    Attributes
    ----------
    form : {"json", "xml", "csv", "text", "hex", "raw"}
        The form it has, which is text where the one that was asked for was not possible.
    content : dict
        ``nodes`` (JSON), ``rows`` (CSV) or ``text``.
    words : str
        What was cut or did not work; empty when nothing.
    part, parts : int
        Which part this is (from 0) of how many.
    """

    form: Form
    content: dict[str, Any] = field(repr=False)
    words: str = ""
    part: int = 0
    parts: int = 1


def bytes_of(body: str | bytes) -> bytes:
    """Return a body as the bytes that it has on the wire."""
    return body if isinstance(body, bytes) else body.encode("utf-8", "surrogatepass")


def text_of(body: str | bytes) -> str:
    """Return a body as text; bytes that no text has appear as their code."""
    if isinstance(body, str):
        return body
    try:
        return body.decode("utf-8", "surrogatepass")
    except UnicodeDecodeError:
        return body.decode("utf-8", "backslashreplace")


def content_type(message: Message) -> str:
    """Return the content type that a message says it has, in lower case and without parameters; empty when it says none."""
    for entries in (message.properties, message.headers):
        found = _content_type_in(entries)
        if found:
            return found
    return ""


def said_form(message: Message) -> Form | None:
    """Return the form that a message's content type stands for; None when it says none that is known."""
    return _said(content_type(message))


def form_of(message: Message) -> Form:
    """Return the form that a message's body is best shown in, by its content type and by looking at it."""
    body = b"" if message.body is None else bytes_of(message.body)
    try:
        start = _start(body, _LOOKED_AT_BYTES).decode("utf-8", "surrogatepass")
    except UnicodeDecodeError:
        return "hex"
    if _is_binary(start):
        return "hex"
    is_whole = len(body) <= _LOOKED_AT_BYTES
    said = said_form(message)
    if said is not None and (said not in ("json", "xml") or _looks_like(said, start, is_whole)):
        return said
    if start.lstrip("\ufeff \t\r\n")[:1] in ("{", "[") and _looks_like("json", start, is_whole):
        return "json"
    if start.lstrip("\ufeff \t\r\n")[:1] == "<" and _looks_like("xml", start, is_whole):
        return "xml"
    return "csv" if tables.separator_of(start) else "text"


def show(body: str | bytes, form: Form, part: int = 0) -> Shown:
    """Return a body in a form.

    Parameters
    ----------
    body : str or bytes
    form : {"json", "xml", "csv", "text", "hex", "raw"}
        Where the body is not of this form, it comes as text, and the words say why.
    part : int
        Text, raw and hex come in parts of `PART_BYTES` (hex: `HEX_PART_BYTES`); the others show their beginning.
    """
    content = bytes_of(body)
    try:
        if form == "json":
            return _json(content)
        if form == "xml":
            return _xml(content)
        if form == "csv":
            return _csv(content)
    except ValueError as why:
        shown = _text(content, "text", part)
        return Shown(
            "text", shown.content, _sentences(f"Not shown as {FORMS[form]}: {why}", shown.words), shown.part, shown.parts
        )
    return _hex(content, part) if form == "hex" else _text(content, form, part)


def indented(text: str, form: str) -> str:
    """Return JSON or XML laid out anew; a ValueError says why it cannot be."""
    return jsontext.indented(text) if form == "json" else xmltext.indented(text)


def check(text: str, form: Form) -> None:
    """Raise where a text has not the syntax of `form`; forms other than JSON and XML have none.

    Raises
    ------
    SyntaxFault
    """
    if form == "json":
        jsontext.read(text)
    elif form == "xml":
        try:
            xmltext.check(text)
        except xmltext.DeclaresEntities:
            return


def _content_type_in(entries: Mapping[str, Any]) -> str:
    named = {name.lower(): value for name, value in entries.items() if isinstance(value, str)}
    found = next((named[name] for name in _CONTENT_TYPES if name in named), "")
    return found.partition(";")[0].strip().lower()


def _said(content_type: str) -> Form | None:
    if not content_type:
        return None
    kinds: tuple[tuple[str, Form], ...] = (
        (r"(application|text)/(.+\+)?json", "json"),
        (r"(application|text)/(.+\+)?xml", "xml"),
        (r"(application|text)/(csv|tab-separated-values)", "csv"),
        (r"application/octet-stream|image/.*|audio/.*|video/.*", "hex"),
    )
    return next((form for pattern, form in kinds if re.fullmatch(pattern, content_type)), None)


def _looks_like(form: Form, start: str, is_whole: bool) -> bool:
    try:
        if form == "json":
            jsontext.read(start, most_characters=None if is_whole else len(start) // 2)
        else:
            xmltext.indented(start, is_whole=is_whole)
    except xmltext.DeclaresEntities:
        return True
    except ValueError:
        return False
    return True


def _is_binary(start: str) -> bool:
    controls = sum(start.count(chr(code)) for code in range(32) if chr(code) not in "\t\n\r\x0b\x0c\x1b\x1c\x1d\x1e")
    return controls * 20 > len(start)


def _json(content: bytes) -> Shown:
    whole = _decoded(content, len(content))
    document = jsontext.read(whole, most_nodes=MOST_NODES, most_characters=PART_BYTES)
    nodes: list[list[Any]] = []
    under_way = [(document.root, 0)]
    while under_way:
        node, depth = under_way.pop()
        key = None if node.key is None else quoted(node.key)
        text = quoted(node.text) if node.kind == "string" else clipped(node.text)
        # An object or array that was cut has more members than can be counted.
        nodes.append([depth, node.kind, key, text, len(node.children), node.is_cut])
        under_way += [(child, depth + 1) for child in reversed(node.children)]
    words = ""
    if document.is_cut:
        read = len(whole[: document.characters].encode("utf-8", "surrogatepass"))
        words = f"{size_words(read)} of {size_words(len(content))} shown"
    return Shown("json", {"nodes": nodes}, words)


def _xml(content: bytes) -> Shown:
    is_whole = len(content) <= PART_BYTES
    text = xmltext.indented(_decoded(content, PART_BYTES), is_whole=is_whole)
    return Shown("xml", {"text": shown_lines(text)}, "" if is_whole else _cut(PART_BYTES, content))


def _csv(content: bytes) -> Shown:
    text = _decoded(content, PART_BYTES).removeprefix("\ufeff")
    separator = tables.separator_of(text) or ","
    found = tables.table(text, separator)
    words = [] if len(content) <= PART_BYTES else [_cut(PART_BYTES, content)]
    if found.has_more_rows:
        words.append(f"the first {len(found.rows):,} rows shown")
    if found.has_more_columns:
        words.append(f"the first {tables.MOST_COLUMNS} columns shown")
    rows = [[clipped(cell) for cell in row] for row in found.rows]
    return Shown("csv", {"rows": rows, "separator": tables.SEPARATORS[separator]}, "; ".join(words))


def _text(content: bytes, form: Form, part: int) -> Shown:
    piece, words, part, parts = _part(content, part, PART_BYTES)
    text = text_of(piece)
    return Shown(form, {"text": shown_lines(text) if form == "text" else raw(text)}, words, part, parts)


def _hex(content: bytes, part: int) -> Shown:
    part = max(0, min(part, (len(content) - 1) // HEX_PART_BYTES))
    parts = max(1, -(-len(content) // HEX_PART_BYTES))
    first = part * HEX_PART_BYTES
    piece = content[first : first + HEX_PART_BYTES]
    lines = [hex_line(first + at, piece[at : at + _LINE_BYTES]) for at in range(0, len(piece), _LINE_BYTES)]
    words = _part_words(first, first + len(piece), len(content)) if parts > 1 else ""
    return Shown("hex", {"text": "\n".join(lines)}, words, part, parts)


def _part(content: bytes, part: int, size: int) -> tuple[bytes, str, int, int]:
    parts = max(1, -(-len(content) // size))
    part = max(0, min(part, parts - 1))
    first, last = _boundary(content, part * size), _boundary(content, (part + 1) * size)
    return content[first:last], _part_words(first, last, len(content)) if parts > 1 else "", part, parts


def _boundary(content: bytes, at: int) -> int:
    """Return the nearest place at or before `at` that is not inside a character."""
    if at >= len(content):
        return len(content)
    for place in range(at, max(at - 4, -1), -1):
        if content[place] & 0xC0 != 0x80:
            return place
    return at


def _start(content: bytes, size: int) -> bytes:
    return content[: _boundary(content, size)]


def _decoded(content: bytes, size: int) -> str:
    try:
        return _start(content, size).decode("utf-8", "surrogatepass")
    except UnicodeDecodeError:
        raise ValueError("it is not valid Unicode text") from None


def _part_words(first: int, last: int, whole: int) -> str:
    if first == 0:
        return f"{size_words(last)} of {size_words(whole)} shown"
    return f"{size_words(last - first)} of {size_words(whole)} shown, from byte {first:,} on"


def _cut(size: int, content: bytes) -> str:
    return f"{size_words(size)} of {size_words(len(content))} shown"


def _sentences(*parts: str) -> str:
    return "; ".join(part for part in parts if part)
