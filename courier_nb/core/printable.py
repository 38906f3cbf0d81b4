"""Foreign text made harmless: what is not printable is shown, not obeyed."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator

MOST_MARKS = 4
"""Combining marks that one character may carry; no living script needs more in a row."""

# Letters and symbols by their category, and yet nothing to see: fillers, the blank pattern.
_INVISIBLE = frozenset("\u115f\u1160\u2800\u3164\uffa0")


def plain(text: object) -> str:
    """Return foreign text so that a terminal only shows it.

    Whatever is not printable (controls, escapes, marks that turn text around or cannot be seen, lone surrogates, characters that
    Unicode does not define) is written as its code, such as ``\\x1b`` or ``\\u202e``; so are combining marks that have nothing
    to combine with, or are more than `MOST_MARKS` in a row.
    """
    text = str(text)
    return text if text.isascii() and text.isprintable() else "".join(_visible(text))


def plain_json(text: str) -> str:
    """Return a JSON document of the same value, with every unprintable character escaped."""
    if text.isprintable():
        return text
    return "".join(character if character.isprintable() else _json_code(character) for character in text)


def code_of(character: str) -> str:
    """Return how a character that is not shown itself is written."""
    number = ord(character)
    if number > 0xFFFF:
        return f"\\U{number:08x}"
    return f"\\u{number:04x}" if number > 0xFF else f"\\x{number:02x}"


def _visible(text: str) -> Iterator[str]:
    marks = MOST_MARKS  # a mark at the beginning would change what stands before it
    for character in text:
        category = unicodedata.category(character)
        if category in ("Mn", "Me"):
            marks += 1
            yield character if marks <= MOST_MARKS else code_of(character)
            continue
        marks = 0
        is_shown = (character.isprintable() or category == "Zs") and character not in _INVISIBLE
        yield character if is_shown else code_of(character)


def _json_code(character: str) -> str:
    units = character.encode("utf-16-be", "surrogatepass")
    return "".join(f"\\u{units[i : i + 2].hex()}" for i in range(0, len(units), 2))
