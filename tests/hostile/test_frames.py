"""Frames to publish: each cell has one conversion or is refused by name, and nothing is rounded, dropped or sent as NaN."""

from __future__ import annotations

import datetime
import decimal
import enum
import json
import uuid
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from courier_nb import NULL, Client, FrameError
from courier_nb.broker import LocalBroker
from courier_nb.core import exactjson
from courier_nb.frames.publishable import messages_from_frame
from courier_nb.wire.codec import message_to_wire

TEXT = st.text(st.characters(exclude_categories=[]), max_size=10)
GOOD = TEXT | st.integers(-(10**40), 10**40) | st.floats(allow_nan=False, allow_infinity=False) | st.booleans()
MISSING = st.sampled_from([None, pd.NA, pd.NaT, float("nan"), np.float32("nan"), np.datetime64("NaT")])


class Colour(enum.IntEnum):
    RED = 1


BAD: list[Any] = [
    float("inf"), -float("inf"), np.float64("inf"), pd.Timestamp("2026-01-01"), pd.Timedelta(1), datetime.date(2026, 1, 1),
    datetime.datetime(2026, 1, 1), datetime.timedelta(1), datetime.time(1),
    decimal.Decimal("1.10"), decimal.Decimal("NaN"),
    b"bytes", bytearray(b"x"), np.array([1]), np.array("x"), {1, 2}, (1, 2), object(), 1 + 2j, pd.Period("2026"),
    pd.Interval(0, 1),
    uuid.UUID(int=1), Colour.RED, np.datetime64("2026-01-01"), 10**5_000, range(3), type, NULL, [1], {"a": 1},
]  # fmt: skip
NESTED_BAD: list[Any] = [
    [float("nan")], {"a": float("inf")}, {1: "x"}, {None: 1}, {"a": {2: 3}}, [decimal.Decimal(1)], [b"x"], [np.int64(1)], [(1,)],
    [pd.NA], [pd.Timestamp("2026-01-01")], [{"a": {1}}], [Colour.RED], [uuid.UUID(int=1)], [10**5_000], {"a": NULL},
]  # fmt: skip


def strict_loads(content: bytes) -> Any:
    def refuse(name: str) -> Any:
        raise AssertionError(f"{name} is not JSON")

    return json.loads(content, parse_constant=refuse)


@given(st.lists(GOOD | MISSING, min_size=1, max_size=6))
def test_a_cell_is_sent_as_it_is_or_not_at_all(cells: list[Any]) -> None:
    frame = pd.DataFrame({"body": ["b"] * len(cells), "prop.p": pd.Series(cells, dtype=object)})
    for cell, message in zip(cells, messages_from_frame(frame), strict=True):
        sent = strict_loads(exactjson.dumps(message_to_wire(message)))["properties"]
        is_missing = not isinstance(cell, str) and (cell is None or cell is pd.NA or bool(pd.isna(cell)))
        assert sent == ({} if is_missing else {"p": cell})
        assert is_missing or type(sent["p"]) is type(cell)


@pytest.mark.parametrize("cell", BAD, ids=lambda cell: type(cell).__name__)
def test_what_has_no_conversion_is_refused_by_column_and_row(cell: Any) -> None:
    frame = pd.DataFrame({"body": ["b", "b"], "prop.p": pd.Series([1, 2], dtype=object)})
    frame.at[1, "prop.p"] = cell
    with pytest.raises(FrameError) as caught:
        messages_from_frame(frame)
    assert (caught.value.columns, caught.value.rows) == (("prop.p",), (1,))


@pytest.mark.parametrize("cell", NESTED_BAD, ids=lambda cell: type(cell).__name__)
def test_what_a_nested_value_would_lose_is_refused_too(cell: Any) -> None:
    frame = pd.DataFrame({"body": ["b"], "prop.p": pd.Series([cell], dtype=object)})
    with pytest.raises(FrameError, match=r"prop\.p"):
        messages_from_frame(frame, strict=False)


def test_nested_values_that_json_carries_are_sent_exactly() -> None:
    value = {"a": [1, 2.5, None, True, "\ud800", {"huge": 10**40}], "": {}}
    (message,) = messages_from_frame(pd.DataFrame({"body": ["b"], "prop.p": [value]}), strict=False)
    assert strict_loads(exactjson.dumps(message_to_wire(message)))["properties"] == {"p": value}


def test_integers_with_gaps_keep_their_digits() -> None:
    exact = 2**62 + 1
    frame = pd.DataFrame({"body": ["a", "b"], "prop.p": pd.array([exact, None], dtype="Int64")})
    assert [message.properties for message in messages_from_frame(frame)] == [{"p": exact}, {}]


@pytest.mark.parametrize("group", ["é", "a b", "a\t", "\x00", "😀", "x" * 129, "", "\ud800", "ａ"])
def test_a_group_id_is_ascii_letters_digits_and_punctuation(client: Client, broker: LocalBroker, group: str) -> None:
    frame = pd.DataFrame({"body": ["b", "b"], "message_group_id": pd.Series(["good", group], dtype=object)})
    with pytest.raises(FrameError, match="message_group_id"):
        client.destination("fifo").publish(frame, progress=False)
    assert broker.depth("fifo")["messages"] == 0


@pytest.mark.parametrize(
    ("columns", "at_fault"),
    [
        ({"message_id": ["a"], "header.messageId": ["b"]}, "header.messageId"),
        ({"ttl": [60_000], "header.ttl": ["5"]}, "header.ttl"),
        ({"body_bytes": [b"x"]}, "body_bytes"),
    ],
)
def test_one_thing_given_twice_is_refused(columns: dict[str, list[Any]], at_fault: str) -> None:
    frame = pd.DataFrame({"body": ["b"], **columns})
    with pytest.raises(FrameError) as caught:
        messages_from_frame(frame)
    assert caught.value.columns == (at_fault,)


def test_one_property_under_its_name_and_its_escaped_name_is_refused() -> None:
    names = pd.Index(["body", "prop.\ud800", 'prop."\\ud800"'], dtype=object)
    with pytest.raises(FrameError, match="the same as"):
        messages_from_frame(pd.DataFrame([["b", "x", "y"]], columns=names))


def test_properties_named_like_columns_are_no_collision() -> None:
    names = ["body", "message_id", "lock_id", "ttl", "prop.x", "header.y", "messageId", ""]
    frame = pd.DataFrame({"body": ["b"], "message_id": ["m"], **{f"prop.{name}": [name] for name in names}})
    (message,) = messages_from_frame(frame)
    assert message.properties == {name: name for name in names}
    assert message.message_id == "m"


def test_an_error_about_hundreds_of_columns_stays_readable() -> None:
    frame = pd.DataFrame({"body": ["b"], **{f"prop.\x1b[31m{n}": [b"x"] for n in range(300)}})
    with pytest.raises(FrameError) as caught:
        messages_from_frame(frame)
    assert len(str(caught.value)) < 5_000
    assert "\x1b" not in str(caught.value)
    assert "and 280 more" in str(caught.value)
    assert len(caught.value.columns) == 300
