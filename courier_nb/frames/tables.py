"""Messages to Arrow and back, column by column."""

from __future__ import annotations

import email.utils
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from itertools import accumulate
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from courier_nb.core.messages import Message, whole_number
from courier_nb.frames import values
from courier_nb.frames.schema import SCHEMA, TYPED_HEADERS

_NUMBERS = {"deliveryCount", "ttl", "deliveryDelay"}
# What Python itself can hold.
_FIRST, _LAST = (pa.scalar(datetime(year, 1, 1, tzinfo=UTC), pa.timestamp("us", tz="UTC")) for year in (1, 9999))


def table_of(
    messages: Sequence[Message], settlements: Sequence[str | None] | None = None, runs: Sequence[str | None] | None = None
) -> pa.RecordBatch:
    """Return messages as one Arrow record batch with the schema of `SCHEMA`.

    Parameters
    ----------
    messages : sequence of Message
    settlements : sequence of str or None, optional
        What became of each; None while it is held.
    runs : sequence of str or None, optional
        The run that captured each.
    """
    columns: dict[str, list[Any]] = {name: [] for name in TYPED_HEADERS.values()}
    headers, properties = _MapBuilder(), _MapBuilder()
    for message in messages:
        headers.add(_typed_headers(message.headers, columns))
        properties.add(message.properties)
    created, unread = _dates(columns["created"])
    headers.patch("created", unread, columns["created"])
    arrays = {
        **{name: pa.array(cells, SCHEMA.field(name).type) for name, cells in columns.items() if name != "created"},
        "created": created,
        **dict(zip(("headers", "header_types"), headers.arrays(), strict=True)),
        **dict(zip(("properties", "property_types"), properties.arrays(), strict=True)),
        "body": pa.array([m.body if isinstance(m.body, str) else None for m in messages], pa.string()),
        "body_bytes": pa.array([m.body if isinstance(m.body, bytes) else None for m in messages], pa.binary()),
        "settlement": pa.array(settlements if settlements is not None else [None] * len(messages), pa.string()),
        "run": pa.array(runs if runs is not None else [None] * len(messages), pa.string()),
    }
    for name in ("destination", "environment", "received_at", "lock_expires_at"):
        arrays[name] = pa.array([getattr(m, name) for m in messages], SCHEMA.field(name).type)
    return pa.RecordBatch.from_arrays([arrays[name] for name in SCHEMA.names], schema=SCHEMA)


def messages_of(table: pa.Table | pa.RecordBatch) -> Iterator[Message]:
    """Return the rows of a table with our schema as messages."""
    header_names = {column: header for header, column in TYPED_HEADERS.items()}
    for row in table.to_pylist():
        headers = {header: _header_text(row[column]) for column, header in header_names.items() if row[column] is not None}
        headers.update(_unmap(row["headers"], row["header_types"]))
        yield Message(
            body=row["body"] if row["body_bytes"] is None else row["body_bytes"],
            properties=_unmap(row["properties"], row["property_types"]),
            headers=headers,
            destination=row["destination"],
            environment=row["environment"],
            received_at=row["received_at"],
            lock_expires_at=row["lock_expires_at"],
        )


def _typed_headers(headers: Mapping[str, Any], columns: dict[str, list[Any]]) -> dict[str, Any]:
    """Append the known headers to their columns; return what is left, with known ones that did not fit."""
    rest = dict(headers)
    if "lockId" in rest:
        rest["lockId"] = str(rest["lockId"])  # a lock belongs in its column only, which a capture leaves empty
    for header, column in TYPED_HEADERS.items():
        value = rest.get(header)
        cell: Any = None
        if value is None:
            pass
        elif header in _NUMBERS:
            cell = whole_number(value)
            if cell is not None and not -(2**63) <= cell < 2**63:
                cell = None
        elif header == "payloadHidden":
            cell = {"true": True, "false": False}.get(str(value).lower())
        elif isinstance(value, str) and values.is_text(value):
            cell = value
        if cell is not None:
            del rest[header]
        columns[column].append(cell)
    return rest


def _dates(texts: Sequence[str | None]) -> tuple[pa.Array, list[int]]:
    """Return RFC 1123 dates as timestamps, and the positions of those that could not be read."""
    # Dates repeat and parsing is dear: each distinct text is parsed once.
    encoded = pa.array(texts, pa.string()).dictionary_encode()
    distinct = encoded.dictionary
    after_weekday = pc.replace_substring_regex(distinct, r"^\s*[A-Za-z]+,\s*", "")
    parsed = pc.strptime(after_weekday, format="%d %b %Y %H:%M:%S GMT", unit="us", error_is_null=True)
    parsed = pc.cast(parsed, pa.timestamp("us", tz="UTC")) if len(distinct) else pa.array([], pa.timestamp("us", tz="UTC"))
    parsed = pc.if_else(pc.and_(pc.greater_equal(parsed, _FIRST), pc.less_equal(parsed, _LAST)), parsed, None)
    if parsed.null_count:
        slow = [
            _date(text) if cell is None else cell for text, cell in zip(distinct.to_pylist(), parsed.to_pylist(), strict=True)
        ]
        parsed = pa.array(slow, pa.timestamp("us", tz="UTC"))
    result = pc.take(parsed, encoded.indices)
    unread = [i for i, text in enumerate(texts) if text is not None and not result[i].is_valid] if parsed.null_count else []
    return result, unread


def _date(text: str) -> datetime | None:
    try:
        value = email.utils.parsedate_to_datetime(text)
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)
    except (ValueError, TypeError, OverflowError):
        return None


class _MapBuilder:
    """Collects the entries of a map column and of its companion with the types."""

    def __init__(self) -> None:
        self._rows: list[tuple[list[str], list[str], list[str], list[str]]] = []

    def add(self, entries: Mapping[str, Any]) -> None:
        names, texts, typed, kinds = list(entries), list(entries.values()), [], []
        for i, value in enumerate(texts):
            if type(value) is not str:
                kinds.append(values.kind_of(value))
                typed.append(names[i])
                texts[i] = values.encode(value)
        self._rows.append((names, texts, typed, kinds))

    def patch(self, name: str, rows: Iterable[int], cells: Sequence[Any]) -> None:
        """Add a text entry to some rows after the fact."""
        for i in rows:
            self._rows[i][0].append(name)
            self._rows[i][1].append(cells[i])

    def arrays(self) -> tuple[pa.MapArray, pa.MapArray]:
        try:
            return self._build()
        except UnicodeEncodeError:
            self._rows = [_escaped(*row) for row in self._rows]
            return self._build()

    def _build(self) -> tuple[pa.MapArray, pa.MapArray]:
        return (
            _map_array([row[0] for row in self._rows], [row[1] for row in self._rows]),
            _map_array([row[2] for row in self._rows], [row[3] for row in self._rows]),
        )


def _map_array(names: list[list[str]], texts: list[list[str]]) -> pa.MapArray:
    offsets = [0, *accumulate(map(len, names))]
    keys = pa.array([name for row in names for name in row], pa.string())
    items = pa.array([text for row in texts for text in row], pa.string())
    return pa.MapArray.from_arrays(pa.array(offsets, pa.int32()), keys, items)


def _escaped(
    names: list[str], texts: list[str], typed: list[str], kinds: list[str]
) -> tuple[list[str], list[str], list[str], list[str]]:
    types = dict(zip(typed, kinds, strict=True))
    out_names, out_texts, out_types = [], [], {}
    taken = {json.dumps(name) for name in names if not values.is_text(name)}
    for name, text in zip(names, texts, strict=True):
        kind = types.get(name, "")
        if not values.is_text(text):
            text, kind = json.dumps(text), "json"
        if not values.is_text(name) or name in taken:  # what looks like the escape of another is escaped too
            name, kind = json.dumps(name), values.ESCAPED_NAME + kind
        out_names.append(name)
        out_texts.append(text)
        if kind:
            out_types[name] = kind
    return out_names, out_texts, list(out_types), list(out_types.values())


def _unmap(entries: Sequence[tuple[str, str]] | None, types: Sequence[tuple[str, str]] | None) -> dict[str, Any]:
    kinds = dict(types or ())
    result: dict[str, Any] = {}
    for name, text in entries or ():
        kind = kinds.get(name, "")
        if kind.startswith(values.ESCAPED_NAME):
            name, kind = json.loads(name), kind.removeprefix(values.ESCAPED_NAME)
        result[name] = values.decode(text, kind) if kind else text
    return result


def _header_text(value: Any) -> Any:
    if isinstance(value, datetime):
        return email.utils.format_datetime(value.astimezone(UTC), usegmt=True)
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)
