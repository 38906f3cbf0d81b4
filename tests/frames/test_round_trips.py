"""Messages to tables and frames and back, exactly, for every value that JSON can carry."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import duckdb
import pandas as pd
import polars
import pyarrow as pa
import pyarrow.dataset as ds
import pyarrow.parquet as pq
from hypothesis import given
from hypothesis import strategies as st

from courier_nb import NULL, Message
from courier_nb.core import exactjson
from courier_nb.frames import schema
from courier_nb.frames.flatten import frame_of
from courier_nb.frames.publishable import messages_from_frame
from courier_nb.frames.tables import messages_of, table_of
from courier_nb.wire.codec import message_to_wire

ANY_TEXT = st.text(st.characters(exclude_categories=[]), max_size=20)  # lone surrogates too
NUMBERS = st.integers(-(10**30), 10**30) | st.floats(allow_nan=False, allow_infinity=False)
SCALARS = ANY_TEXT | NUMBERS | st.booleans() | st.none()
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(ANY_TEXT, inner, max_size=3), max_leaves=5
)
NAMES = ANY_TEXT | st.sampled_from(["", "a.b", "body", "prop.x", "message_id", "x" * 2_000, "É", "E\u0301", "n", "N"])
OWN_HEADERS = NAMES.filter(lambda name: name not in schema.TYPED_HEADERS)
IDS = ANY_TEXT.filter(bool)
GROUPS = st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E), min_size=1, max_size=128)


@st.composite
def messages(draw: st.DrawFn) -> Message:
    body = draw(ANY_TEXT)
    try:
        body.encode()
    except UnicodeEncodeError:
        content: str | bytes = body.encode("utf-8", "surrogatepass")
    else:
        content = body
    headers: dict[str, Any] = {**draw(st.dictionaries(OWN_HEADERS, SCALARS, max_size=3)), "messageId": draw(IDS)}
    if draw(st.booleans()):
        headers["messageGroupId"] = draw(GROUPS)
    if draw(st.booleans()):
        headers["ttl"] = str(draw(st.integers(0, 14 * 86_400_000)))
    return Message(content, draw(st.dictionaries(NAMES, VALUES, max_size=5)), headers)


def wire(message: Message) -> bytes:
    item = message_to_wire(message)
    return exactjson.dumps(
        {**item, "headers": dict(sorted(item["headers"].items())), "properties": sorted(item["properties"].items())}
    )


@given(st.lists(messages(), min_size=1, max_size=4))
def test_message_to_table_and_back_is_exact(rows: list[Message]) -> None:
    batch = table_of(rows)
    assert batch.schema.equals(schema.SCHEMA)
    assert [wire(message) for message in messages_of(batch)] == [wire(message) for message in rows]


@given(st.lists(messages(), min_size=1, max_size=4))
def test_message_to_frame_and_back_is_exact(rows: list[Message]) -> None:
    frame = frame_of(pa.Table.from_batches([table_of(rows)]))
    assert [wire(message) for message in messages_from_frame(frame, strict=False)] == [wire(message) for message in rows]


def test_the_frame_has_the_dtypes_of_the_column_table() -> None:
    rows = [Message("b", {"t": "x", "n": 1, "f": 1.5, "b": True, "mixed": 1, "null": None}, {"messageId": "1", "own": "h"}),
            Message("b", {"mixed": "1"}, {"messageId": "2"})]  # fmt: skip
    frame = frame_of(pa.Table.from_batches([table_of(rows)]))
    dtypes = {name: str(dtype) for name, dtype in frame.dtypes.items()}
    for column in schema.COLUMNS:
        if column.name in schema.MAPS or not column.dtype:
            continue
        assert dtypes.pop(column.name) == column.dtype
    assert dtypes == {
        "header.own": "str", "prop.t": "str", "prop.n": "Int64", "prop.f": "Float64", "prop.b": "boolean", "prop.mixed": "object",
        "prop.null": "object",
    }  # fmt: skip
    assert list(frame["prop.mixed"]) == [1, "1"]
    assert frame["prop.null"][0] is NULL
    assert frame["prop.null"][1] is pd.NA


def test_odd_headers_are_kept_as_text_beside_their_empty_columns() -> None:
    odd = {"messageId": "m", "created": "yesterday", "deliveryCount": "many", "ttl": str(10**30)}
    frame = frame_of(pa.Table.from_batches([table_of([Message("b", {}, odd)])]))
    assert frame["created"].isna().all()
    assert frame.loc[0, ["header.created", "header.deliveryCount", "header.ttl"]].tolist() == ["yesterday", "many", str(10**30)]


def test_dates_with_and_without_padding_and_zone_are_read() -> None:
    texts = ["Sat, 1 Jan 2022 02:08:22 GMT", "Sat, 01 Jan 2022 02:08:22 GMT", "Sat, 01 Jan 2022 03:08:22 +0100"]
    frame = frame_of(pa.Table.from_batches([table_of([Message("b", {}, {"created": text}) for text in texts])]))
    assert set(frame["created"]) == {pd.Timestamp("2022-01-01 02:08:22", tz="UTC")}


def test_files_of_different_days_read_as_one_table_everywhere(tmp_path: Path) -> None:
    days = [[Message("a", {"x": 1}, {"messageId": "1"})], [Message("b", {"y": "2"}, {"messageId": "2", "own": "h"})]]
    for day, rows in enumerate(days):
        pq.write_table(pa.Table.from_batches([table_of(rows)]), tmp_path / f"day-{day}.parquet")
    files = f"{tmp_path}/*.parquet"
    assert sorted(pd.read_parquet(tmp_path)["message_id"]) == ["1", "2"]
    assert ds.dataset(tmp_path).to_table().schema.equals(schema.SCHEMA)
    found = duckdb.sql(f"select message_id, properties['x']::int, properties['y'] from '{files}' order by 1").fetchall()
    assert found == [("1", 1, None), ("2", None, "2")]
    assert polars.scan_parquet(files).sort("message_id").collect()["body"].to_list() == ["a", "b"]
