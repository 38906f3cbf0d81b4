"""The replay ledger on the disk: what outlives it, what it refuses, and what damage does."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from courier_nb import CaptureDamaged, CaptureError, Message
from courier_nb.storage.chain import read_chain
from courier_nb.storage.replays.ledger import Ledger, runs_of

pytestmark = pytest.mark.anyio
ROWS = [Message("a"), Message("b"), Message("a"), Message("a", {"n": 1})]
PLAN = {"verb": "replay", "rows": 4, "digest": "", "options": {"ids": "keep"}}


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


def states(ledger: Ledger, keys: list[bytes]) -> list[str | None]:
    return [None if known is None else known.state for known in ledger.states(keys)]


async def fill(path: Path, target: str = "env//orders") -> list[bytes]:
    with Ledger(path, target) as ledger:
        keys = ledger.keys(ROWS)
        await ledger.begin("run-1", **PLAN)
        await ledger.record_sent("run-1", keys[:3], [None, b"group 12", None])
        await ledger.record("run-1", [(keys[0], "confirmed", ""), (keys[1], "unknown", "reset")])
    return keys


async def test_states_outlive_the_ledger_and_belong_to_their_target(tmp_path: Path) -> None:
    path = tmp_path / "sub" / "ledger.jsonl"
    await fill(path)
    with Ledger(path, "env//orders") as ledger:
        keys = ledger.keys(ROWS)
        assert states(ledger, keys) == ["confirmed", "unknown", "sent", None]
        (known,) = ledger.states(keys[1:2])
        assert known is not None
        assert (known.run, known.sends, known.reason) == ("run-1", 1, "reset")
        assert (ledger.attempts("run-1"), ledger.ids_of("run-1")) == (1, "keep")
    with Ledger(path, "env//invoices") as ledger:
        assert states(ledger, ledger.keys(ROWS)) == [None] * 4
        assert ledger.attempts("run-1") == 0
    assert path.stat().st_mode & 0o077 == 0


def test_equal_rows_are_told_apart_by_their_order_and_others_by_their_content(tmp_path: Path) -> None:
    with Ledger(tmp_path / "ledger.jsonl", "t") as ledger:
        keys = ledger.keys(ROWS)
        assert len(set(keys)) == len(ROWS)
        assert ledger.keys(ROWS[:1]) != keys[:1]  # the next such row
        ledger.index.start_over()
        assert ledger.keys(ROWS) == keys
    with Ledger(tmp_path / "ledger.jsonl", "t") as ledger:
        assert ledger.keys(ROWS) == keys


async def test_a_row_of_a_group_that_is_uncertain_is_found_unless_it_is_in_the_source(tmp_path: Path) -> None:
    keys = await fill(tmp_path / "ledger.jsonl")
    with Ledger(tmp_path / "ledger.jsonl", "env//orders") as ledger:
        assert ledger.index.uncertain_groups_elsewhere() == {b"group 12": "run-1"}
        ledger.index.note_present(keys)
        assert ledger.index.uncertain_groups_elsewhere() == {}


async def test_a_damaged_ledger_is_refused_and_the_line_is_named(tmp_path: Path) -> None:
    path = tmp_path / "ledger.jsonl"
    await fill(path)
    whole = path.read_bytes()
    lines = whole.splitlines(keepends=True)
    for damaged in (whole.replace(b"confirmed", b"confirmeD"), b"".join(lines[:2] + lines[3:]), whole[:-10] + b"0" * 9 + b"\n"):
        path.write_bytes(damaged)
        with pytest.raises(CaptureDamaged, match=r"damaged at line \d"):
            Ledger(path, "env//orders")
        assert path.read_bytes() == damaged  # nothing was written to it
        with pytest.raises(CaptureDamaged):
            runs_of(path)


async def test_a_last_line_that_was_cut_off_is_as_if_it_had_not_been_written(tmp_path: Path) -> None:
    path = tmp_path / "ledger.jsonl"
    keys = await fill(path)
    path.write_bytes(path.read_bytes()[:-40])  # the line that said unknown
    with Ledger(path, "env//orders") as ledger:
        assert states(ledger, keys[:3]) == ["confirmed", "sent", "sent"]


@pytest.mark.parametrize("content", [b"notes of mine, without a line end", b'{"n":1,"prev":"other"}\n', b"SQLite format 3\x00"])
@pytest.mark.parametrize("is_read_only", [True, False])
def test_a_file_of_another_kind_is_left_as_it_is(tmp_path: Path, content: bytes, is_read_only: bool) -> None:
    path = tmp_path / "mine.txt"
    path.write_bytes(content)
    with pytest.raises(CaptureError, match=r"is not a replay ledger.*ledger="):
        Ledger(path, "t", is_read_only=is_read_only)
    assert path.read_bytes() == content


def test_looking_only_writes_nothing(tmp_path: Path) -> None:
    with Ledger(tmp_path / "sub" / "ledger.jsonl", "t", is_read_only=True) as ledger:
        assert states(ledger, ledger.keys(ROWS)) == [None] * 4
    assert not (tmp_path / "sub").exists()


def test_a_second_replay_at_the_same_time_is_told_who_is_at_it(tmp_path: Path) -> None:
    path = tmp_path / "ledger.jsonl"
    with Ledger(path, "t"):
        with pytest.raises(CaptureError, match=rf"in use by process {os.getpid()} on .*same call then goes on"):
            Ledger(path, "t")
        with Ledger(path, "t", is_read_only=True):
            pass  # a dry run may look
    with Ledger(path, "t"):
        pass


def test_the_ledger_of_a_killed_process_is_free(tmp_path: Path) -> None:
    path = tmp_path / "ledger.jsonl"
    code = (
        "import os, sys; from pathlib import Path; from courier_nb.storage.replays.ledger import Ledger\n"
        "ledger = Ledger(Path(sys.argv[1]), 't'); os.kill(os.getpid(), 9)"
    )
    assert subprocess.run([sys.executable, "-c", code, str(path)], check=False).returncode == -9
    with Ledger(path, "t"):
        assert [entry["kind"] for entry in read_chain(path)] == ["hold", "hold"]


async def test_the_runs_in_a_ledger_are_listed(tmp_path: Path) -> None:
    path = tmp_path / "ledger.jsonl"
    await fill(path)
    with Ledger(path, "env//orders") as ledger:
        assert await ledger.begin("run-1", **PLAN) == 2
        await ledger.end("run-1", {"ok": 4})
    first, second = runs_of(path)
    assert (first["run"], first["attempt"], first["ended"], first["counts"]) == ("run-1", 1, None, {})
    assert (second["attempt"], second["counts"], second["ended"] is None) == (2, {"ok": 4}, False)
    assert runs_of(tmp_path / "none.jsonl") == []


async def test_no_content_of_a_message_is_in_the_ledger(tmp_path: Path) -> None:
    secret = Message("a-secret-body", {"password": "a-secret-value"}, {"messageId": "m", "messageGroupId": "a-secret-group"})
    with Ledger(tmp_path / "ledger.jsonl", "t") as ledger:
        await ledger.begin("run", **PLAN)
        await ledger.record_sent("run", ledger.keys([secret]), [None])
    written = (tmp_path / "ledger.jsonl").read_text()
    assert "secret" not in written
    assert all(json.loads(line) for line in written.splitlines())
