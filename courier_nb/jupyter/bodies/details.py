"""The headers and properties of a message as rows of text, and texts as properties again."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from typing import Any, TypedDict

from courier_nb.core import exactjson
from courier_nb.core.errors import InvalidArgument
from courier_nb.core.messages import NULL, Message
from courier_nb.core.printable import plain
from courier_nb.frames import values

HIDDEN_HEADERS = frozenset({"lockId"})
"""Whoever reads a lock can delete the message."""

KINDS = {"text": "text", "int": "whole number", "float": "number", "bool": "true or false", "null": "null", "json": "JSON"}

_MOST_SHOWN = 20_000
_WHOLE = re.compile(r"-?[0-9]{1,4000}")


class PropertyRow(TypedDict):
    """A property as a form has it.

    Attributes
    ----------
    name, kind, text : str
        The kind is one of `KINDS`.
    was : str or None
        The name of the property that this row showed at first; None for a new one.
    """

    name: str
    kind: str
    text: str
    was: str | None


def header_rows(message: Message) -> list[tuple[str, str]]:
    """Return name and text of each header, and of what is known of the delivery; never the lock."""
    rows = [(name, text_of(value)) for name, value in message.headers.items() if name not in HIDDEN_HEADERS]
    if message.lock_id:
        rows.append(("lockId", "(held; not shown)"))
    if message.destination:
        rows.append(("received from", message.destination))
    if message.received_at:
        rows.append(("received at", f"{message.received_at:%Y-%m-%d %H:%M:%S} UTC"))
    return rows


def property_rows(message: Message) -> list[PropertyRow]:
    """Return the properties of a message as rows of a form."""
    return [
        {"name": name, "kind": kind_of(value), "text": text_of(value), "was": name} for name, value in message.properties.items()
    ]


def kind_of(value: Any) -> str:
    """Return the kind of a property's value, one of `KINDS`."""
    return "text" if isinstance(value, str) else values.kind_of(value)


def text_of(value: Any) -> str:
    """Return a value as text: text as it is, anything else as its JSON."""
    if isinstance(value, str):
        return str(value)
    try:
        return values.encode(value)
    except (TypeError, ValueError, RecursionError):
        return str(value)


def shown(text: str) -> str:
    """Return text for a table: harmless, and not longer than a person reads."""
    return plain(text) if len(text) <= _MOST_SHOWN else f"{plain(text[:_MOST_SHOWN])} … ({len(text) - _MOST_SHOWN:,} more)"


def properties_of(rows: Sequence[PropertyRow], before: Mapping[str, Any]) -> dict[str, Any]:
    """Return the properties that the rows of a form stand for.

    What was not changed is the same object as before, so that no value loses a digit on its way through a text.

    Raises
    ------
    InvalidArgument
        When a name is empty or occurs twice, or a text is not of its kind. The text is not quoted.
    """
    found: dict[str, Any] = {}
    for row in rows:
        name = row["name"]
        if not name:
            raise InvalidArgument("A property has no name. Name it, or remove its row.")
        if name in found:
            raise InvalidArgument(f"The property {plain(name)!r} is there twice. Keep one of them.")
        was = row["was"]
        found[name] = before[was] if was is not None and _is_same(row, before.get(was)) else _value(row)
    return found


def _is_same(row: PropertyRow, before: Any) -> bool:
    return kind_of(before) == row["kind"] and text_of(before) == row["text"]


def _value(row: PropertyRow) -> Any:
    text, kind = row["text"], row["kind"]
    if kind == "text":
        return text
    try:
        return _READERS[kind](text.strip())
    except (KeyError, ValueError):
        wanted = KINDS.get(kind, "one of " + ", ".join(KINDS))
        name = plain(row["name"])
        raise InvalidArgument(
            f"The value of {name!r} is not of the type {wanted!r}. Correct it, or choose another type."
        ) from None


def _whole(text: str) -> int:
    if not _WHOLE.fullmatch(text):
        raise ValueError("not a whole number")
    return int(text)


def _number(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError("not finite")
    return number


def _truth(text: str) -> bool:
    return {"true": True, "false": False}[text.lower()]


def _null(_: str) -> Any:
    return NULL


def _json(text: str) -> Any:
    return exactjson.loads_exactly(text.encode("utf-8", "surrogatepass"))


_READERS = {"int": _whole, "float": _number, "bool": _truth, "null": _null, "json": _json}
