"""The bodies of a frame's rows, parsed; every number as it was written."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from decimal import Decimal, InvalidOperation
from typing import Any, Final, NoReturn

import orjson
import pandas as pd

from courier_nb.core import exactjson
from courier_nb.core.errors import FrameError
from courier_nb.core.messages import NULL

# A float holds fifteen digits in any case, and exponents of two digits; what is longer may be something in a text, or a number.
_LONG = re.compile(r"[0-9.]{16}|[0-9][eE][-+]?[0-9]{3}")


class _NotJson:
    """In place of a value: the body is no JSON document."""

    def __repr__(self) -> str:
        return "NOT_JSON"


NOT_JSON: Final = _NotJson()


def bodies_of(frame: pd.DataFrame) -> Iterator[str | bytes | None]:
    """Yield the body of each row as it is; None where there is none.

    Raises
    ------
    FrameError
        When the frame has no bodies.
    """
    names = [name for name in ("body", "body_bytes") if name in frame.columns]
    if not names:
        raise FrameError("The column body is missing: these rows have no bodies to look at.", columns=["body"])
    columns = [frame[name].array.astype(object) for name in names]
    for cells in zip(*columns, strict=True):
        yield next((cell for cell in cells if isinstance(cell, str | bytes)), None)


def value_of(body: str | bytes | None) -> Any:
    """Return the value of a JSON document; `NOT_JSON` where it is none.

    Integers are exact, and so is every other number: a float where that is what was written, a `decimal.Decimal` otherwise.
    """
    if not isinstance(body, str):
        return NOT_JSON
    try:
        if _LONG.search(body) is None:
            return orjson.loads(body)
    except ValueError:  # also of a lone surrogate, which only the standard library reads
        pass
    try:
        return json.loads(body, parse_int=_integer, parse_float=number_of, parse_constant=_refuse)
    except (ValueError, RecursionError):
        return NOT_JSON


def shown_value(body: str | bytes | None) -> Any:
    """Return the value of a JSON document, or the body as it is; `NULL` for a JSON null."""
    value = value_of(body)
    if value is NOT_JSON:
        return body
    return NULL if value is None else value


def number_of(text: str) -> float | Decimal | str:
    """Return a number as it was written: a float, or a Decimal where a float would be another number."""
    try:
        exact = Decimal(text)
        value = float(text)
    except (InvalidOperation, OverflowError):
        return text  # an exponent of twenty digits
    return value if exact.is_zero() or Decimal(repr(value)) == exact else exact


def json_text(value: Any) -> str:
    """Return a value that `value_of` gave as JSON text, every number as it was written."""
    try:
        return exactjson.dumps(value).decode("utf-8")
    except TypeError:  # a Decimal somewhere in it
        pass
    if isinstance(value, dict):
        return f"{{{','.join(f'{json.dumps(name)}:{json_text(item)}' for name, item in value.items())}}}"
    if isinstance(value, list):
        return f"[{','.join(map(json_text, value))}]"
    return str(value)


def _integer(text: str) -> int | Decimal:
    try:
        return int(text)
    except ValueError:  # Python reads no integer of more than 4,300 digits
        return Decimal(text)


def _refuse(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")
