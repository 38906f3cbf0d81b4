"""Cells that would go wrong late, on the wire, are refused early, by column and row."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd
import pytest

from courier_nb.core.errors import FrameError
from courier_nb.core.messages import NULL
from courier_nb.frames.publishable import MAX_DELAY_MS, MAX_TTL_MS, locks_from_frame, messages_from_frame
from courier_nb.wire.codec import message_to_wire

BODY = {"body": ["b"]}


def one(column: str, cell: Any, *, strict: bool = True) -> Any:
    frame = pd.DataFrame({**BODY, column: pd.Series([cell], dtype=object)})
    (message,) = messages_from_frame(frame, strict=strict)
    return message


@pytest.mark.parametrize(
    ("column", "cell"),
    [
        ("ttl", float("inf")),
        ("ttl", -1),
        ("ttl", MAX_TTL_MS + 1),
        ("ttl", 1.5),
        ("ttl", True),
        ("ttl", "60000"),
        ("ttl", Decimal(5)),
        ("delivery_delay", MAX_DELAY_MS + 1),
        ("delivery_delay", float("-inf")),
        ("delivery_delay", np.float32(0.5)),
        ("message_id", ""),
        ("message_id", "x" * 257),
        ("message_id", 5),
        ("message_group_id", "x" * 129),
        ("body_bytes", "text"),
        ("prop.a", float("inf")),
        ("prop.a", np.float64("-inf")),
        ("prop.a", b"bytes"),
        ("prop.a", Decimal("1.5")),
        ("prop.a", pd.Timestamp("2026-01-01")),
        ("prop.a", pd.Timedelta("1s")),
        ("prop.a", np.datetime64("2026-01-01")),
        ("prop.a", 1j),
        ("prop.a", NULL),
        ("prop.a", [1]),
        ("header.a", {"b": 1}),
    ],
)
def test_a_cell_that_cannot_be_sent_is_refused(column, cell):
    with pytest.raises(FrameError, match=rf"{column}: .*\(row 0\)") as caught:
        one(column, cell)
    assert (caught.value.columns, caught.value.rows) == ((column,), (0,))


@pytest.mark.parametrize("cell", [[float("nan")], {"a": float("inf")}, [b"x"], {"a": pd.Timestamp("2026-01-01")}, [{1, 2}]])
def test_what_json_cannot_carry_is_refused_however_deep_it_is(cell):
    with pytest.raises(FrameError, match="something in it that JSON cannot carry"):
        one("prop.a", cell, strict=False)


@pytest.mark.parametrize(("cell", "value"), [(NULL, None), ([1, {"a": None}], [1, {"a": None}]), ({}, {}), (10**40, 10**40)])
def test_json_is_sent_when_asked_for(cell, value):
    assert one("prop.a", cell, strict=False).properties == {"a": value}


@pytest.mark.parametrize("cell", [None, pd.NA, pd.NaT, float("nan"), np.float32("nan"), np.float64("nan")])
@pytest.mark.parametrize("column", ["prop.a", "header.a", "ttl", "message_group_id", "message_id"])
def test_a_missing_cell_is_no_property_and_no_header(column, cell):
    message = one(column, cell)
    assert (message.properties, message.headers) == ({}, {})


@pytest.mark.parametrize(
    ("cells", "values"),
    [
        (pd.Series([9007199254740993, None], dtype="Int64"), [9007199254740993, None]),
        (pd.Series([1, None], dtype="float32"), [1.0, None]),
        (pd.Series([True, None], dtype="boolean"), [True, None]),
        (pd.Series(["a", None], dtype="category"), ["a", None]),
        (pd.Series(["a", None], dtype="str"), ["a", None]),
        (pd.Series([np.int8(3), np.str_("x")], dtype=object), [3, "x"]),
        (pd.Series([1, 2], dtype="uint64"), [1, 2]),
    ],
)
def test_values_of_every_dtype_arrive_as_plain_python(cells, values):
    found = [message.properties.get("a") for message in messages_from_frame(pd.DataFrame({"body": ["x", "y"], "prop.a": cells}))]
    assert found == values
    assert [type(value) for value in found] == [type(value) for value in values]


def test_an_integer_column_with_a_gap_is_refused_nowhere_and_rounded_nowhere():
    ids = pd.DataFrame({"body": ["x", "y"], "ttl": pd.Series([60_000, None])})
    assert [message.headers.get("ttl") for message in messages_from_frame(ids)] == [60_000, None]


def test_faults_in_many_rows_are_counted_and_the_first_are_named():
    frame = pd.DataFrame({"body": ["b"] * 3 + [None] * 20})
    with pytest.raises(FrameError, match=r"body: no body \(row 3, 4, 5, 6, 7, … \(20 rows\)\)") as caught:
        messages_from_frame(frame)
    assert caught.value.rows == (3, 4, 5, 6, 7)


@pytest.mark.parametrize(("size", "fits"), [(10 * 1024 * 1024, True), (10 * 1024 * 1024 + 1, False)])
@pytest.mark.parametrize("kind", ["body", "body_bytes"])
def test_a_body_beyond_what_the_service_takes_is_refused_in_bytes_not_characters(kind, size, fits):
    text = "é" * (size // 2) + "x" * (size % 2)
    frame = pd.DataFrame({kind: [text if kind == "body" else text.encode()]})
    if fits:
        assert len(messages_from_frame(frame)) == 1
    else:
        with pytest.raises(FrameError, match="more than 10485760 bytes"):
            messages_from_frame(frame)


def test_a_frame_without_rows_is_no_messages():
    assert messages_from_frame(pd.DataFrame({"body": pd.Series([], dtype="str")})) == []


@pytest.mark.parametrize("value", [None, [1], "text", {"body": "x"}])
def test_only_a_frame_is_a_frame(value):
    with pytest.raises(FrameError, match=f"not {type(value).__name__}"):
        messages_from_frame(value)


def test_the_columns_of_a_received_frame_that_only_a_delivery_has_are_not_published():
    (message,) = messages_from_frame(
        pd.DataFrame({**BODY, "lock_id": ["AQEB"], "delivery_count": [3], "created": [pd.Timestamp("2026-01-01", tz="UTC")]})
    )
    assert message_to_wire(message)["headers"].keys() == {"messageId"}


def test_rows_with_a_lock_give_it():
    end = pd.Timestamp("2026-01-01", tz="UTC")
    frame = pd.DataFrame({"message_id": ["m"], "lock_id": ["l"], "destination": ["q"], "lock_expires_at": [end]})
    assert locks_from_frame(frame) == [("m", "l", "q", end.timestamp())]
