"""JSON in and out without changing a value: fast where that is exact, the standard library where it is not.

`orjson` turns integers beyond 64 bits into floats and refuses lone surrogates. Both can occur in messages, and a
message must come back as it went in, so those few documents take the slower road.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from functools import partial
from typing import Any

import orjson

_BEYOND_INT64 = 2.0**63
# What has no JSON form of its own is refused, not guessed at.
_AS_IT_IS = orjson.OPT_PASSTHROUGH_DATETIME | orjson.OPT_PASSTHROUGH_DATACLASS


def loads(content: bytes) -> Any:
    """Return the value of a JSON document; an integer beyond 64 bits may be rounded, see `is_rounded`.

    Lone surrogates come back as such in ``str``; bytes that are not UTF-8 come back as the surrogates
    ``U+DC80`` to ``U+DCFF`` (``surrogateescape``).

    Raises
    ------
    ValueError
        When the document is not JSON. The message names the place, never the content.
    """
    try:
        return orjson.loads(content)
    except orjson.JSONDecodeError:
        return loads_slowly(content)


def loads_exactly(content: bytes, *, oversized: Callable[[str], Any] | None = None) -> Any:
    """Return the value of a JSON document, with integers kept exact; quick where that is possible.

    Parameters
    ----------
    content : bytes
    oversized : callable, optional
        Given the text of a number that Python cannot hold (thousands of digits, or beyond 1.8e308), returns what to put in
        its place. Without it, such an integer is refused and such a float is infinite.

    Raises
    ------
    ValueError
    """
    try:
        value = orjson.loads(content)
    except orjson.JSONDecodeError:
        return loads_slowly(content, oversized=oversized)
    try:
        return loads_slowly(content, oversized=oversized) if holds_rounded(value) else value
    except RecursionError:
        raise ValueError("nested too deeply") from None


def loads_slowly(content: bytes, *, oversized: Callable[[str], Any] | None = None) -> Any:
    """Return the value of a JSON document, with integers kept exact; see `loads_exactly`."""
    text = content.decode("utf-8", "surrogateescape")
    parse_int = None if oversized is None else partial(_integer, oversized=oversized)
    parse_float = None if oversized is None else partial(_float, oversized=oversized)
    try:
        return json.loads(text, parse_constant=_refuse_constant, parse_int=parse_int, parse_float=parse_float)
    except json.JSONDecodeError as error:
        raise ValueError(f"{error.msg} at character {error.pos} of {len(text)}") from None
    except RecursionError:
        raise ValueError("nested too deeply") from None


def is_rounded(value: object) -> bool:
    """Whether `value`, as `loads` returned it, may be an integer that lost its last digits."""
    return type(value) is float and abs(value) >= _BEYOND_INT64


def holds_rounded(value: Any) -> bool:
    """Whether `value`, as `loads` returned it, may hold an integer that lost its last digits."""
    if type(value) is dict:
        return any(holds_rounded(item) for item in value.values() if type(item) in _MAY_HIDE)
    if type(value) is list:
        return any(holds_rounded(item) for item in value if type(item) in _MAY_HIDE)
    return is_rounded(value)


def dumps(value: Any) -> bytes:
    """Return `value` as compact JSON in UTF-8.

    Raises
    ------
    ValueError
        When a number is not finite.
    TypeError
        When a value has no JSON form.
    """
    try:
        if not _has_non_finite(value):
            return orjson.dumps(value, option=_AS_IT_IS)
    except (TypeError, RecursionError):
        pass
    return json.dumps(value, ensure_ascii=True, allow_nan=False, separators=(",", ":")).encode("ascii")


def _has_non_finite(value: Any) -> bool:
    # orjson writes NaN and infinity as null: a silent change, so they are sent to the road that refuses them.
    if type(value) is float:
        return value != value or value in (float("inf"), float("-inf"))
    if type(value) is dict:
        return any(_has_non_finite(item) for item in value.values() if type(item) in _MAY_HIDE)
    if type(value) in (list, tuple):
        return any(_has_non_finite(item) for item in value if type(item) in _MAY_HIDE)
    return False


_MAY_HIDE = frozenset({float, dict, list, tuple})


def _integer(text: str, *, oversized: Callable[[str], Any]) -> Any:
    try:
        return int(text)
    except ValueError:
        return oversized(text)


def _float(text: str, *, oversized: Callable[[str], Any]) -> Any:
    value = float(text)
    return oversized(text) if math.isinf(value) else value


def _refuse_constant(name: str) -> Any:
    raise ValueError(f"{name} is not JSON")
