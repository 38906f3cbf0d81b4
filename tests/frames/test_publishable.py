"""What a frame may hold to be published, and how it is refused otherwise."""

from __future__ import annotations

import datetime as dt
import decimal
from typing import Any

import numpy as np
import pandas as pd
import pytest

from courier_nb import NULL, FrameError
from courier_nb.frames.publishable import MAX_BODY_BYTES, locks_from_frame, messages_from_frame


def frame(**columns: Any) -> pd.DataFrame:
    return pd.DataFrame({"body": ["b", "b"], **{name.replace("__", "."): cells for name, cells in columns.items()}})


@pytest.mark.parametrize(
    ("cells", "expected"),
    [
        (pd.array([1, None], dtype="Int64"), [1, None]),
        (np.array([1.5, np.nan]), [1.5, None]),
        (["x", None], ["x", None]),
        (pd.Categorical(["x", "y"]), ["x", "y"]),
        (pd.array([True, None], dtype="boolean"), [True, None]),
        (np.array([1, 2], dtype="int8"), [1, 2]),
        (pd.array([2**62, 1], dtype="Int64"), [2**62, 1]),
        ([10**30, "x"], [10**30, "x"]),
        ([np.float32(0.5), pd.NA], [0.5, None]),
    ],
)
def test_a_cell_becomes_its_value_and_a_missing_one_no_property(cells: Any, expected: list[Any]) -> None:
    found = [message.properties.get("p") for message in messages_from_frame(frame(prop__p=cells))]
    assert found == expected
    assert [type(value) for value in found] == [type(value) for value in expected]


@pytest.mark.parametrize(
    ("column", "cell", "words"),
    [
        ("prop.p", pd.Timestamp("2026-01-01"), "Timestamp"),
        ("prop.p", dt.date(2026, 1, 1), "date"),
        ("prop.p", decimal.Decimal("1.5"), "Decimal"),
        ("prop.p", b"bytes", "bytes"),
        ("prop.p", float("inf"), "infinity"),
        ("prop.p", [1], "list"),
        ("prop.p", {"a": 1}, "dict"),
        ("prop.p", NULL, "JSON null"),
        ("prop.p", np.array([1]), "ndarray"),
        ("message_id", 5, "int where text"),
        ("message_group_id", "x" * 129, "129 characters"),
        ("ttl", 10**12, "outside"),
        ("ttl", 1.5, "whole milliseconds"),
        ("delivery_delay", 900_001, "outside"),
        ("delivery_delay", "5s", "whole milliseconds"),
        ("body_bytes", b"\xff", "no text can carry"),
        ("body_bytes", "text", "bytes are needed"),
    ],
)
def test_what_cannot_be_sent_is_named_by_column_and_row(column: str, cell: Any, words: str) -> None:
    bad = pd.DataFrame({"body": ["b", "b"], column: pd.Series([None, cell], dtype=object)})
    with pytest.raises(FrameError, match=words) as caught:
        messages_from_frame(bad)
    assert caught.value.columns == (column,)
    assert caught.value.rows == (1,)


def test_all_faults_are_named_at_once() -> None:
    bad = pd.DataFrame({"body": [None, {"a": 1}, "x" * (MAX_BODY_BYTES + 1)], "prop.p": ["ok", b"x", "ok"]}, dtype=object)
    with pytest.raises(FrameError) as caught:
        messages_from_frame(bad)
    assert set(caught.value.columns) == {"body", "prop.p"}
    assert caught.value.rows == (0, 1, 2)


@pytest.mark.parametrize(
    ("bad", "column"),
    [
        (pd.DataFrame({"text": ["b"]}), "text"),
        (pd.DataFrame({"prop.p": ["b"]}), "body"),
        (pd.DataFrame({"body": ["b"], "event": ["x"]}), "event"),
        (pd.DataFrame([["a", "b"]], columns=["body", "body"]), "body"),
    ],
)
def test_columns_that_are_no_part_of_a_message_are_refused(bad: pd.DataFrame, column: str) -> None:
    with pytest.raises(FrameError) as caught:
        messages_from_frame(bad)
    assert column in caught.value.columns


def test_nested_values_are_sent_when_asked_for() -> None:
    rows = frame(prop__p=pd.Series([NULL, {"a": [1]}], dtype=object))
    assert [m.properties["p"] for m in messages_from_frame(rows, strict=False)] == [None, {"a": [1]}]


def test_rows_without_a_lock_cannot_be_settled() -> None:
    with pytest.raises(FrameError, match="lock_id"):
        locks_from_frame(pd.DataFrame({"message_id": ["a"]}))
    rows = pd.DataFrame(
        {
            "message_id": ["a", "b"],
            "lock_id": ["l", None],
            "destination": "q",
            "lock_expires_at": pd.Timestamp("2030-01-01", tz="UTC"),
        }
    )
    with pytest.raises(FrameError) as caught:
        locks_from_frame(rows)
    assert caught.value.rows == (1,)
