from __future__ import annotations

import anyio
import pytest

from courier_nb.core.errors import CaptureError
from courier_nb.core.messages import Message
from courier_nb.core.moments import Moment
from courier_nb.storage.replays.ledger import Ledger

pytestmark = pytest.mark.anyio
PLAN = {"verb": "replay", "rows": 1, "digest": "", "options": {"ids": "keep"}}


async def begun(ledger):
    await ledger.begin("run", **PLAN)
    return ledger


async def test_when_one_write_fails_no_call_is_told_that_its_rows_are_recorded(tmp_path):
    """Calls share writes: the row of one may have been in the write that failed for another."""
    path = tmp_path / "ledger.jsonl"
    refused = []
    with Ledger(path, "t") as ledger:
        await begun(ledger)
        path.rename(tmp_path / "gone")
        path.mkdir()

        async def record(key: bytes) -> None:
            with pytest.raises(CaptureError, match="cannot be written") as caught:
                await ledger.record_sent("run", [key], [None])
            refused.append(caught.value.path)

        async with anyio.create_task_group() as group:
            for number in range(5):
                group.start_soon(record, bytes([number]))
        path.rmdir()
        (tmp_path / "gone").rename(path)
        await record(b"later")
    assert refused == [path] * 6
    with Ledger(path, "t") as ledger:
        assert ledger.states([bytes([number]) for number in range(5)]) == [None] * 5


async def test_calls_that_come_together_share_a_write_and_lose_nothing(tmp_path):
    with Ledger(tmp_path / "ledger.jsonl", "t") as ledger:
        await begun(ledger)
        keys = [bytes([number]) for number in range(50)]
        async with anyio.create_task_group() as group:
            for key in keys:
                group.start_soon(ledger.record_sent, "run", [key], [None])
        assert [known.state for known in ledger.states(keys)] == ["sent"] * 50


@pytest.mark.parametrize("last", ["confirmed", "unknown", "refused", "assumed", "done"])
async def test_the_last_state_counts(tmp_path, last):
    for again in (False, True):
        with Ledger(tmp_path / "ledger.jsonl", "t") as ledger:
            if not again:
                await begun(ledger)
                await ledger.record_sent("run", [b"k"], [None])
                await ledger.record("run", [(b"k", last, "why")])
            (known,) = ledger.states([b"k"])
            assert (known.state, known.sends, known.reason) == (last, 1, "why")


async def test_repeating_inside_the_window_does_not_open_a_new_one(tmp_path):
    moments = iter([Moment(100.0), Moment(200.0), Moment(300.0)])
    with Ledger(tmp_path / "ledger.jsonl", "t", clock=lambda: next(moments)) as ledger:
        await begun(ledger)
        windows = []
        for again in (False, True, False):
            await ledger.record_sent("run", [b"k"], [None], again=[again])
            windows.append(ledger.states([b"k"])[0].window.wall)
        assert windows == [100.0, 100.0, 300.0]
        assert ledger.states([b"k"])[0].sends == 3


async def test_a_refused_row_belongs_to_the_run_that_sends_it_next_and_an_uncertain_one_to_the_first(tmp_path):
    with Ledger(tmp_path / "ledger.jsonl", "t") as ledger:
        for run in ("a", "b"):
            await ledger.begin(run, **PLAN)
        await ledger.record_sent("a", [b"k", b"l"], [None, None])
        await ledger.record("a", [(b"k", "refused", ""), (b"l", "unknown", "")])
        await ledger.record_sent("b", [b"k", b"l"], [None, None])
        assert [known.run for known in ledger.states([b"k", b"l"])] == ["b", "a"]


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
    with Ledger(folder / "ledger.jsonl", "t") as ledger:
        return ledger.keys(messages)


@pytest.mark.parametrize("message", [Message("\x00"), Message(b"\xed\xa0\x80"), Message("", {"\ud800": None, "": [10**40]})])
def test_odd_rows_have_keys_that_stay_the_same(tmp_path, message):
    assert keys(tmp_path, message) == keys(tmp_path, message)
