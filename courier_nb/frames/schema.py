"""The one column table. The DataFrame, the Parquet schema and ``docs/columns.md`` are made from it."""

from __future__ import annotations

from dataclasses import dataclass

import pyarrow as pa

SCHEMA_VERSION = "2"
PROPERTY_PREFIX = "prop."
HEADER_PREFIX = "header."

_UTC = pa.timestamp("us", tz="UTC")
_MAP = pa.map_(pa.string(), pa.string())


@dataclass(frozen=True, slots=True)
class Column:
    """One column of every table of messages.

    Attributes
    ----------
    name : str
    dtype : str
        pandas dtype in a frame. A map column becomes one column for each name that occurs.
    arrow : pyarrow.DataType
        Type in Parquet.
    unit : str
        Empty where there is none.
    meaning : str
    header : str
        The API's header that it comes from; empty when it is not a header.
    """

    name: str
    dtype: str
    arrow: pa.DataType
    unit: str
    meaning: str
    header: str = ""


COLUMNS: tuple[Column, ...] = (
    Column("message_id", "str", pa.string(), "", "Identifier that the publisher chose.", "messageId"),
    Column("created", "datetime64[us, UTC]", _UTC, "UTC, whole seconds", "When the broker took the message.", "created"),
    Column("delivery_count", "Int64", pa.int64(), "deliveries", "Deliveries so far, this one included.", "deliveryCount"),
    Column("message_group_id", "str", pa.string(), "", "Message group of a FIFO queue.", "messageGroupId"),
    Column("ttl", "Int64", pa.int64(), "ms", "Time to live of the message.", "ttl"),
    Column("delivery_delay", "Int64", pa.int64(), "ms", "Delay that the publisher asked for.", "deliveryDelay"),
    Column("payload_hidden", "boolean", pa.bool_(), "", "True when the broker withheld the body.", "payloadHidden"),
    Column("headers", "header.<name>", _MAP, "", "All other headers; also a known one whose value its column cannot hold."),
    Column("header_types", "", _MAP, "", "For headers that are not text: int, float, bool, null or json."),
    Column("properties", "prop.<name>", _MAP, "", "User properties; a number is its JSON text here, a number in a frame."),
    Column("property_types", "", _MAP, "", "For properties that are not text: int, float, bool, null or json."),
    Column("body", "str", pa.string(), "", "The payload as received; missing where it is not text or was withheld."),
    Column("body_bytes", "object", pa.binary(), "", "The payload where it is not valid Unicode text."),
    Column("destination", "str", pa.string(), "", "Queue that it was received from."),
    Column("environment", "str", pa.string(), "", "Environment id."),
    Column("received_at", "datetime64[us, UTC]", _UTC, "UTC", "When it was received, by this machine's clock."),
    Column("lock_expires_at", "datetime64[us, UTC]", _UTC, "UTC", "Earliest end of its lock, by this machine's clock."),
    Column("lock_id", "str", pa.string(), "", "The lock of this delivery; never stored in a capture.", "lockId"),
    Column(
        "settlement",
        "str",
        pa.string(),
        "",
        "acked, returned, put_back, held, refused, lost_lock or unknown; missing while held by receive.",
    ),
    Column("run", "str", pa.string(), "", "Run that captured it; missing outside a capture."),
)

BY_NAME = {column.name: column for column in COLUMNS}
TYPED_HEADERS = {column.header: column.name for column in COLUMNS if column.header}
MAPS = {"headers": ("header_types", HEADER_PREFIX), "properties": ("property_types", PROPERTY_PREFIX)}

SCHEMA = pa.schema(
    [pa.field(column.name, column.arrow) for column in COLUMNS],
    metadata={b"courier_nb.schema": SCHEMA_VERSION.encode()},
)


def differences(schema: pa.Schema) -> list[str]:
    """Return in words how `schema` differs from ours, one entry a column; empty when it can be read as messages."""
    found = []
    for column in COLUMNS:
        index = schema.get_field_index(column.name)
        if index < 0:
            found.append(f"{column.name} is missing ({column.arrow} expected)")
        elif not schema.field(index).type.equals(column.arrow):
            found.append(f"{column.name} is {schema.field(index).type}, not {column.arrow}")
    found += [f"{name} is not a column of ours" for name in schema.names if name not in BY_NAME]
    return found


def documentation() -> str:
    """Return the column table as Markdown."""
    lines = ["| column | in a frame | in Parquet | unit | meaning | header |", "| --- | --- | --- | --- | --- | --- |"]
    for column in COLUMNS:
        dtype = f"`{column.dtype}`" if column.dtype else "(gives the columns above their types)"
        header = f"`{column.header}`" if column.header else ""
        lines.append(f"| `{column.name}` | {dtype} | `{column.arrow}` | {column.unit} | {column.meaning} | {header} |")
    return "\n".join(lines)
