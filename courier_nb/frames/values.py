"""JSON values as text plus a type, so that a map of text carries them exactly.

A text value has no type entry. Others are kept as their JSON text with one of the types below. A name that no text column
can hold (a lone surrogate) is kept as its JSON text too, which the prefix ``name:`` says.
"""

from __future__ import annotations

import json
from typing import Any

from courier_nb.core import exactjson
from courier_nb.core.messages import NULL

ESCAPED_NAME = "name:"


def kind_of(value: Any) -> str:
    """Return the type of a value that is not plain text: int, float, bool, null or json."""
    if value is None or value is NULL:
        return "null"
    if isinstance(value, bool):
        return "bool"
    if isinstance(value, int):
        return "int"
    return "float" if isinstance(value, float) else "json"


def encode(value: Any) -> str:
    """Return the JSON text of a value."""
    return exactjson.dumps(None if value is NULL else value).decode("utf-8")


def decode(text: str, kind: str) -> Any:
    """Return the value that `encode` wrote."""
    if kind == "int":
        return int(text)
    if kind == "float":
        return float(text)
    return json.loads(text)


def is_text(value: str) -> bool:
    """Whether a text column can hold `value`."""
    try:
        value.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True


def name_of(shown: str) -> str:
    """Return the name of a property or header from its column, undoing the escape of a name that is not valid Unicode."""
    if shown.startswith('"') and "\\ud" in shown:
        try:
            name = json.loads(shown)
        except ValueError:
            return shown
        if isinstance(name, str) and not is_text(name):
            return name
    return shown
