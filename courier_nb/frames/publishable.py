"""A user's DataFrame to messages: every cell is converted or refused by column and row, before anything is sent."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from datetime import UTC
from email.utils import format_datetime
from typing import Any

import numpy as np
import pandas as pd

from courier_nb.core import exactjson
from courier_nb.core.errors import FrameError
from courier_nb.core.messages import NULL, Message
from courier_nb.core.printable import plain
from courier_nb.core.secrets import Secret
from courier_nb.frames import values
from courier_nb.frames.schema import BY_NAME, HEADER_PREFIX, PROPERTY_PREFIX

MAX_BODY_BYTES = 10 * 1024 * 1024
MAX_DELAY_MS = 15 * 60_000
MAX_TTL_MS = 14 * 86_400_000

_SHOWN = 5
_PROBLEMS_SHOWN = 20
_MOST_BITS = 14_000  # Python writes no integer of more than 4,300 digits
_NOT_PUBLISHED = {"delivery_count", "payload_hidden", "lock_id", "lock_expires_at", "received_at", "settlement", "run"}
_NOT_PUBLISHED |= {"deliveries_left"}  # a column of received frames only
_ORIGIN = {"destination", "environment"}


class _Refusal(Exception):
    """Why a cell cannot be sent."""


def messages_from_frame(frame: pd.DataFrame, *, strict: bool = True) -> list[Message]:
    """Return the rows of a frame as messages to publish.

    Parameters
    ----------
    frame : DataFrame
        ``body`` (text; or ``body_bytes``) and, where wanted, ``message_id``, ``message_group_id``, ``ttl`` and
        ``delivery_delay`` (ms), ``prop.<name>``, ``header.<name>``. The columns that a received frame has besides are not
        published. A missing cell (None, NaN, NA) means that the message has no such header or property.
    strict : bool
        Refuse property values other than text, numbers and booleans. With False, null, lists and dicts are sent as JSON.

    Raises
    ------
    FrameError
        Names every column at fault with the first rows; nothing was sent.
    """
    if not isinstance(frame, pd.DataFrame):
        raise FrameError(f"A DataFrame was expected, not {type(frame).__name__}.")
    _check_columns(frame)
    problems: dict[tuple[str, str], list[int]] = {}
    columns = {str(name): list(_converted(frame[name], str(name), strict, problems)) for name in frame.columns}
    size = len(frame)
    bodies = _bodies(columns, size, problems)
    _check_collisions(columns, size, problems)
    if problems:
        raise _frame_error(problems)
    messages = []
    for i in range(size):
        headers = {_api_name(name): columns[name][i] for name in columns if _is_header(name) and columns[name][i] is not _MISSING}
        properties = {
            values.name_of(name.removeprefix(PROPERTY_PREFIX)): cells[i]
            for name, cells in columns.items()
            if name.startswith(PROPERTY_PREFIX) and cells[i] is not _MISSING
        }
        origin = {name: columns[name][i] for name in _ORIGIN & columns.keys() if columns[name][i] is not _MISSING}
        messages.append(Message(bodies[i], properties, headers, **origin))
    return messages


def locks_from_frame(frame: pd.DataFrame) -> list[tuple[str, str, str, float]]:
    """Return message id, lock id, destination and end of the lock (seconds since the epoch) of each row.

    Raises
    ------
    FrameError
        When the rows were not received with a lock.
    """
    needed = ["message_id", "lock_id", "destination", "lock_expires_at"]
    missing = [name for name in needed if name not in frame.columns]
    if missing:
        raise FrameError(
            f"These rows cannot be settled: {', '.join(missing)} missing. Take rows of the frame that receive() gave.",
            columns=missing,
        )
    empty = frame["lock_id"].isna() | frame["message_id"].isna() | frame["lock_expires_at"].isna()
    if empty.any():
        rows = [int(i) for i in np.flatnonzero(empty)]
        raise FrameError(
            f"{len(rows)} rows hold no lock (first: row {rows[0]}): they were drained or come from a file. "
            "Only rows that receive() gave can be settled.",
            columns=["lock_id"],
            rows=rows[:_SHOWN],
        )
    expires = [time.timestamp() for time in frame["lock_expires_at"]]
    return list(zip(frame["message_id"], map(Secret, frame["lock_id"]), frame["destination"], expires, strict=True))


_MISSING = object()


def _check_columns(frame: pd.DataFrame) -> None:
    repeated = [str(name) for name in frame.columns[frame.columns.duplicated()]]
    if repeated:
        raise FrameError(f"Columns occur twice: {', '.join(repeated)}.", columns=repeated)
    strange = [name for name in frame.columns if not isinstance(name, str) or not _is_known(name)]
    if strange:
        listed = ", ".join(repr(name) for name in strange[:_SHOWN]) + (", …" if len(strange) > _SHOWN else "")
        raise FrameError(
            f"Columns that are no part of a message: {listed}. Name a property prop.<name> and a header header.<name>, "
            "or drop the column.",
            columns=[str(name) for name in strange],
        )
    if "body" not in frame.columns and "body_bytes" not in frame.columns:
        raise FrameError("The column body is missing: every message needs one.", columns=["body"])


def _is_known(name: str) -> bool:
    if name.startswith((PROPERTY_PREFIX, HEADER_PREFIX)):
        return True
    if name in _NOT_PUBLISHED:
        return True
    return name in BY_NAME and name not in ("headers", "header_types", "properties", "property_types")


def _is_header(name: str) -> bool:
    return name.startswith(HEADER_PREFIX) or (bool(BY_NAME[name].header) if name in BY_NAME else False)


def _api_name(name: str) -> str:
    if name.startswith(HEADER_PREFIX):
        return values.name_of(name.removeprefix(HEADER_PREFIX))
    return BY_NAME[name].header


def _converted(cells: pd.Series[Any], name: str, strict: bool, problems: dict[tuple[str, str], list[int]]) -> Iterator[Any]:
    convert = _converter(name, strict)
    for row, cell in enumerate(cells.array.astype(object)):
        if _is_missing(cell):
            yield _MISSING
            continue
        try:
            yield convert(cell)
        except _Refusal as refusal:
            problems.setdefault((name, str(refusal)), []).append(row)
            yield _MISSING


def _converter(name: str, strict: bool) -> Callable[[Any], Any]:
    if name in _NOT_PUBLISHED:
        return lambda cell: _MISSING
    if name == "created":  # not published, but part of what tells a replayed row from others
        return _date_text
    if name in ("body", "destination", "environment"):
        return _text
    if name == "message_id":
        return lambda cell: _limited_text(cell, 256)
    if name == "message_group_id":
        return _group
    if name == "body_bytes":
        return _bytes
    if name == "ttl":
        return lambda cell: _whole(cell, MAX_TTL_MS)
    if name == "delivery_delay":
        return lambda cell: _whole(cell, MAX_DELAY_MS)
    return lambda cell: _value(cell, strict)


def _date_text(cell: Any) -> Any:
    if not isinstance(cell, pd.Timestamp) or cell.tzinfo is None:
        return _MISSING
    return format_datetime(cell.to_pydatetime().astimezone(UTC), usegmt=True)


def _is_missing(cell: Any) -> bool:
    if cell is None or cell is pd.NA or cell is pd.NaT:
        return True
    if isinstance(cell, np.datetime64 | np.timedelta64):
        return bool(np.isnat(cell))
    return isinstance(cell, float | np.floating) and math.isnan(cell)


def _text(cell: Any) -> str:
    if not isinstance(cell, str):
        raise _Refusal(f"{_kind(cell)} where text is needed (for JSON: json.dumps)")
    return str(cell)


def _limited_text(cell: Any, most: int) -> str:
    text = _text(cell)
    if not 1 <= len(text) <= most:
        raise _Refusal(f"a text of {len(text)} characters where 1 to {most} are allowed")
    return text


def _group(cell: Any) -> str:
    text = _limited_text(cell, 128)
    if not all("!" <= character <= "~" for character in text):
        raise _Refusal("a message group with other characters than ASCII letters, digits and punctuation")
    return text


def _bytes(cell: Any) -> bytes:
    if not isinstance(cell, bytes):
        raise _Refusal(f"{_kind(cell)} where bytes are needed")
    try:
        cell.decode("utf-8", "surrogatepass")
    except UnicodeDecodeError:
        raise _Refusal("bytes that no text can carry: put base64 text into body and say so in a property") from None
    return cell


def _whole(cell: Any, most: int) -> int:
    number = cell.item() if isinstance(cell, np.generic) else cell
    if isinstance(number, bool) or not (isinstance(number, int) or (isinstance(number, float) and number.is_integer())):
        raise _Refusal(f"{_kind(cell)} where whole milliseconds are needed")
    if not 0 <= number <= most:
        raise _Refusal(f"milliseconds outside 0 to {most}")
    return int(number)


def _value(cell: Any, strict: bool) -> Any:
    value = cell.item() if isinstance(cell, np.generic) and not isinstance(cell, np.datetime64 | np.timedelta64) else cell
    if type(value) is int and value.bit_length() > _MOST_BITS:
        raise _Refusal("an integer of thousands of digits")
    if type(value) in (str, int, bool):
        return value
    if isinstance(value, str):
        return str(value)
    if isinstance(value, float):
        if math.isinf(value):
            raise _Refusal("infinity, which JSON cannot carry")
        return value
    if value is NULL or isinstance(value, list | dict):
        if strict:
            raise _Refusal(f"{_kind(value)}, which the API does not document (strict=False sends it)")
        return None if value is NULL else _json(value)
    raise _Refusal(f"{_kind(cell)}, which is neither text nor a number: convert it first")


def _json(value: Any) -> Any:
    try:
        strange = _strange_in(value)
        exactjson.dumps(value)
    except (TypeError, ValueError, RecursionError):
        strange = "something"
    if strange:
        raise _Refusal(f"{_kind(value)} with {strange} in it that JSON cannot carry")
    return value


def _strange_in(value: Any) -> str:
    """Return the type of something in `value` that would not come back as it is; empty when there is none."""
    if type(value) is dict:
        named = (f"a name of type {type(name).__name__}" for name in value if type(name) is not str)
        return next(named, "") or next(filter(None, map(_strange_in, value.values())), "")
    if type(value) is list:
        return next(filter(None, map(_strange_in, value)), "")
    return "" if value is None or type(value) in (str, int, float, bool) else type(value).__name__


def _check_collisions(columns: dict[str, list[Any]], size: int, problems: dict[tuple[str, str], list[int]]) -> None:
    """Refuse rows that give one header or property twice, in columns that look different."""
    given: dict[tuple[str, str], list[str]] = {}
    for name in columns:
        if name.startswith(PROPERTY_PREFIX):
            given.setdefault(("property", values.name_of(name.removeprefix(PROPERTY_PREFIX))), []).append(name)
        elif _is_header(name):
            given.setdefault(("header", _api_name(name)), []).append(name)
    for names in given.values():
        for row in range(size if len(names) > 1 else 0):
            if sum(columns[name][row] is not _MISSING for name in names) > 1:
                problems.setdefault((names[-1], f"the same as {plain(names[0])}, which has a value too"), []).append(row)


def _bodies(columns: dict[str, list[Any]], size: int, problems: dict[tuple[str, str], list[int]]) -> list[str | bytes]:
    texts = columns.get("body", [_MISSING] * size)
    raws = columns.get("body_bytes", [_MISSING] * size)
    refused = {row for (name, _), rows in problems.items() if name in ("body", "body_bytes") for row in rows}
    bodies: list[str | bytes] = []
    for row, (text, raw) in enumerate(zip(texts, raws, strict=True)):
        body = raw if text is _MISSING else text
        if text is not _MISSING and raw is not _MISSING:
            problems.setdefault(("body_bytes", "the row has a text in body too"), []).append(row)
        if body is _MISSING:
            if row not in refused:
                problems.setdefault(("body", "no body"), []).append(row)
            body = ""
        elif len(body) * 4 > MAX_BODY_BYTES and _bytes_of(body) > MAX_BODY_BYTES:
            problems.setdefault(("body", f"more than {MAX_BODY_BYTES} bytes, the most the service takes"), []).append(row)
        bodies.append(body)
    return bodies


def _bytes_of(body: str | bytes) -> int:
    return len(body if isinstance(body, bytes) else body.encode("utf-8", "surrogatepass"))


def _frame_error(problems: dict[tuple[str, str], list[int]]) -> FrameError:
    listed = []
    for (name, why), rows in list(problems.items())[:_PROBLEMS_SHOWN]:
        places = ", ".join(map(str, rows[:_SHOWN])) + (f", … ({len(rows)} rows)" if len(rows) > _SHOWN else "")
        listed.append(f"{plain(name)}: {why} (row {places})")
    if len(problems) > _PROBLEMS_SHOWN:
        listed.append(f"and {len(problems) - _PROBLEMS_SHOWN} more")
    columns = list(dict.fromkeys(name for name, _ in problems))
    rows = sorted({row for found in problems.values() for row in found[:_SHOWN]})
    return FrameError(f"The frame cannot be published; nothing was sent. {'; '.join(listed)}.", columns=columns, rows=rows)


def _kind(cell: Any) -> str:
    return {"NoneType": "None", "_JsonNull": "a JSON null"}.get(type(cell).__name__, type(cell).__name__)
