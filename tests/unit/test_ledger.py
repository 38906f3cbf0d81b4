from __future__ import annotations

import sqlite3

import anyio
import pytest

from courier_nb.core.errors import CaptureError
from courier_nb.core.messages import Message
from courier_nb.storage.ledger import Ledger

pytestmark = pytest.mark.anyio


def sql(path, statement):
    with sqlite3.connect(path) as database:
        return database.execute(statement).fetchall()


async def test_when_one_write_fails_no_call_is_told_that_its_rows_are_recorded(tmp_path):
    """Calls share writes: the row of one may have been in the write that failed for another."""
    path = tmp_path / "ledger.sqlite"
    refused = []
    with Ledger(path, "t") as ledger:
        sql(path, "alter table entry rename to gone")

        async def record(key: bytes) -> None:
            with pytest.raises(CaptureError, match="cannot be written") as caught:
                await ledger.record([(key, "sent")])
            refused.append(caught.value.path)

        async with anyio.create_task_group() as group:
            for number in range(5):
                group.start_soon(record, bytes([number]))
        sql(path, "alter table gone rename to entry")
        await record(b"later")
    assert refused == [path] * 6
    assert sql(path, "select * from entry") == []


async def test_calls_that_come_together_share_a_write_and_lose_nothing(tmp_path):
    with Ledger(tmp_path / "ledger.sqlite", "t") as ledger:
        keys = [bytes([number]) for number in range(50)]
        async with anyio.create_task_group() as group:
            for key in keys:
                group.start_soon(ledger.record, [(key, "sent")])
        assert ledger.states(keys) == ["sent"] * 50


@pytest.mark.parametrize(("last", "state"), [("confirmed", "confirmed"), (None, None), ("sent", "sent")])
async def test_the_last_state_counts(tmp_path, last, state):
    with Ledger(tmp_path / "ledger.sqlite", "t") as ledger:
        await ledger.record([(b"k", "sent")])
        await ledger.record([(b"k", last)])
        assert ledger.states([b"k"]) == [state]


@pytest.mark.parametrize(
    ("change", "is_same"),
    [
        ({}, True),
        ({"properties": {"b": 2, "a": 1}}, True),
        ({"body": "other"}, False),
        ({"properties": {"a": "1", "b": 2}}, False),
        ({"headers": {"messageId": "n"}}, False),
        ({"destination": "elsewhere"}, False),
        ({"body": b"b"}, True),
    ],
)
def test_a_row_is_known_by_its_content(tmp_path, change, is_same):
    row = {"body": "b", "properties": {"a": 1, "b": 2}, "headers": {"messageId": "m"}, "destination": "q"}
    (key,) = keys(tmp_path, Message(**row))
    assert (keys(tmp_path, Message(**{**row, **change})) == [key]) is is_same


def keys(folder, *messages):
    with Ledger(folder / "ledger.sqlite", "t") as ledger:
        return ledger.keys(messages)


@pytest.mark.parametrize("message", [Message("\x00"), Message(b"\xed\xa0\x80"), Message("", {"\ud800": None, "": [10**40]})])
def test_odd_rows_have_keys_that_stay_the_same(tmp_path, message):
    assert keys(tmp_path, message) == keys(tmp_path, message)
