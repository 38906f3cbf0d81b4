"""JSON in and out without changing a value: fast where that is exact, the standard library where it is not.

`orjson` turns integers beyond 64 bits into floats and refuses lone surrogates. Both can occur in messages, and a
message must come back as it went in, so those few documents take the slower road.
"""

from __future__ import annotations

import json
from typing import Any

import orjson

_BEYOND_INT64 = 2.0**63


def loads(content: bytes) -> Any:
    """Return the value of a JSON document.

    Lone surrogates come back as such in ``str``; bytes that are not UTF-8 come back as the surrogates
    ``U+DC80`` to ``U+DCFF`` (``surrogateescape``). Integers of any size keep their value.

    Raises
    ------
    ValueError
        When the document is not JSON. The message names the place, never the content.
    """
    try:
        return orjson.loads(content)
    except orjson.JSONDecodeError:
        return loads_slowly(content)


def loads_slowly(content: bytes) -> Any:
    """Return the value of a JSON document, with integers of any size kept exact."""
    text = content.decode("utf-8", "surrogateescape")
    try:
        return json.loads(text, parse_constant=_refuse_constant)
    except json.JSONDecodeError as error:
        raise ValueError(f"{error.msg} at character {error.pos} of {len(text)}") from None
    except RecursionError:
        raise ValueError("nested too deeply") from None


def is_rounded(value: object) -> bool:
    """Whether `value`, as `loads` returned it, may be an integer that lost its last digits."""
    return type(value) is float and abs(value) >= _BEYOND_INT64


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
            return orjson.dumps(value)
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


def _refuse_constant(name: str) -> Any:
    raise ValueError(f"{name} is not JSON")
