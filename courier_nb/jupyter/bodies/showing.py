"""Foreign text made ready for a page: visible, harmless, and clipped where it is long."""

from __future__ import annotations

import json
import re

from courier_nb.core.printable import plain, plain_json

_MOST_STRING = 4_000


def size_words(count: int) -> str:
    """Return a number of bytes in words."""
    if count < 1_000:
        return f"{count} bytes" if count != 1 else "1 byte"
    return f"{count / 1_000:.1f} kB" if count < 1_000_000 else f"{count / 1_000_000:.1f} MB"


def shown_lines(text: str) -> str:
    """Return text with its lines and tabs, and everything else that is not printable as its code."""
    lines = text.replace("\r\n", "\n").split("\n")
    return "\n".join("\t".join(plain(piece) for piece in line.split("\t")) for line in lines)


def raw(text: str) -> str:
    """Return text on the lines that it has, with tabs, line ends and everything unprintable written out."""
    return escaped(text, line_end="\\n\n")


def escaped(text: str, line_end: str = "\\n") -> str:
    """Return text with tabs, line ends, backslashes and everything unprintable written out."""
    named = {"\t": "\\t", "\r": "\\r", "\n": line_end, "\\": "\\\\"}
    return "".join(named.get(piece) or plain(piece) for piece in re.split(r"([\t\r\n\\])", text) if piece)


def hex_line(offset: int, piece: bytes) -> str:
    """Return a line of at most 16 bytes: where it is, the bytes, and those of them that are ASCII characters."""
    halves = piece[:8].hex(" "), piece[8:].hex(" ")
    characters = "".join(chr(byte) if 32 <= byte < 127 else "." for byte in piece)
    return f"{offset:08x}  {halves[0]:<23}  {halves[1]:<23}  {characters}"


def clipped(text: str) -> str:
    """Return text on one line, with everything special written out; its beginning where it is long."""
    return escaped(text) if len(text) <= _MOST_STRING else f"{escaped(text[:_MOST_STRING])} {_left_out(text)}"


def quoted(text: str) -> str:
    """Return text as JSON writes it, so that a line end is told from a backslash and an n."""
    start = text[:_MOST_STRING]
    quoted = plain(plain_json(json.dumps(start, ensure_ascii=False)))
    return quoted if len(text) == len(start) else f"{quoted} {_left_out(text)}"


def _left_out(text: str) -> str:
    return f"… ({len(text) - _MOST_STRING:,} more characters)"
