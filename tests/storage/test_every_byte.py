"""Any byte of any file of a capture is changed: ``verify`` names the file."""

from __future__ import annotations

import asyncio
import json
import os
import random
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from courier_nb import Capture, CaptureDamaged
from courier_nb.cli.main import main
from courier_nb.storage.chain import ChainLog
from courier_nb.storage.compaction import FileSizes
from courier_nb.storage.layout import Layout
from courier_nb.storage.spool import Spool, answer_record, read_spool, settlement_record
from courier_nb.storage.verification import verify_layout
from courier_nb.storage.writer import CaptureWriter, recover

from .conftest import delivery

STEPS = os.environ.get("COURIER_NB_STEPS", "")
"""``all``: every byte of small files, and 2,000 of each large one besides its ends; else some of each."""

LEFT_OVER = "20260301T120000-aaaaaaaa-00001"


async def _fill(root: Path, sizes: FileSizes, run: str) -> None:
    async with CaptureWriter(root, run=run, sizes=sizes) as writer:
        for number in range(4):
            stored = await writer.store(delivery(f"{run}-a{number}", f"{run}-b{number}"))
            await writer.settled(stored, ["acked", "unknown" if number == 3 else "acked"])


@pytest.fixture
def finished(tmp_path: Path) -> Layout:
    """A capture of two runs, one of them merged, with a replay ledger."""
    root = tmp_path / "cap"
    asyncio.run(_fill(root, FileSizes(segment_rows=2), "run-1"))
    asyncio.run(_fill(root, FileSizes(segment_rows=4, part_rows=1), "run-2"))
    layout = Layout(root)
    ChainLog(layout.ledger).append([{"row": number, "state": "sent"} for number in range(5)])
    assert len(list(root.glob("*.parquet"))) == 3
    return layout


@pytest.fixture
def left_over(finished: Layout) -> Layout:
    """The same with the spool of a process that was killed."""
    spool = Spool(finished, LEFT_OVER)
    for number in range(2):
        spool.write(answer_record(delivery(f"left-{number}"), run="run-3", record=number))
        spool.note(settlement_record(number, ["acked"]))
    spool.close()
    spool.release()
    return finished


def places(size: int, dice: random.Random) -> Iterator[int]:
    ends, some = (64, 2_000) if STEPS == "all" else (8, 40)
    if size <= 2_000 and STEPS == "all":
        yield from range(size)
        return
    chosen = {*range(min(ends, size)), *range(max(0, size - ends), size), *(dice.randrange(size) for _ in range(some))}
    yield from sorted(chosen)


@pytest.mark.parametrize("kind", ["finished", "left_over"])
def test_verify_names_the_file_whichever_byte_of_it_is_changed(kind: str, request: pytest.FixtureRequest) -> None:
    layout: Layout = request.getfixturevalue(kind)
    assert verify_layout(layout).ok
    seed = random.SystemRandom().randrange(10**6)
    dice = random.Random(seed)
    tried: dict[str, int] = {}
    for path in sorted(path for path in layout.root.rglob("*") if path.is_file() and path.stat().st_size):
        name = path.relative_to(layout.root).as_posix()
        whole = path.read_bytes()
        for place in places(len(whole), dice):
            damaged = bytearray(whole)
            damaged[place] ^= 1 << dice.randrange(8)
            path.write_bytes(damaged)
            named = [finding.file for finding in verify_layout(layout).findings if not finding.ok]
            assert named == [name], (name, place, seed)
            tried[name] = tried.get(name, 0) + 1
        path.write_bytes(whole)
    assert verify_layout(layout).ok
    print(f"\n{kind}: {sum(tried.values())} bytes of {len(tried)} files changed one at a time (seed {seed}), each named: {tried}")
    assert {"_courier/capture.json", "_courier/manifest.jsonl", "_courier/ledger.jsonl"} < tried.keys()


def test_the_command_names_the_file_too_and_ends_with_1(finished: Layout, capsys: pytest.CaptureFixture[str]) -> None:
    for path in (finished.identity_file, finished.manifest, next(finished.root.glob("*.parquet"))):
        whole = path.read_bytes()
        path.write_bytes(whole[:40] + bytes([whole[40] ^ 4]) + whole[41:])
        with pytest.raises(SystemExit) as ended:
            main(["verify", str(finished.root), "--json"])
        assert ended.value.code == 1
        found = json.loads(capsys.readouterr().out)
        assert [file["file"] for file in found["files"] if not file["ok"]] == [path.relative_to(finished.root).as_posix()]
        path.write_bytes(whole)
    with pytest.raises(SystemExit) as ended:
        main(["verify", str(finished.root)])
    assert not ended.value.code


def test_a_capture_with_a_damaged_identity_or_manifest_is_not_drained_into(finished: Layout) -> None:
    for path in (finished.identity_file, finished.manifest):
        whole = path.read_bytes()
        path.write_bytes(whole[:40] + bytes([whole[40] ^ 4]) + whole[41:])
        with pytest.raises(CaptureDamaged) as caught:
            asyncio.run(_fill(finished.root, FileSizes(), "run-3"))
        assert caught.value.path == path
        path.write_bytes(whole)


def test_what_is_not_ours_is_named(finished: Layout) -> None:
    (finished.inner / "notes.txt").write_text("mine")
    (finished.spools / "x.tmp").write_text("mine")
    (finished.root / "deeper").mkdir()
    for path in (finished.root / "foreign.parquet", finished.root / "deeper" / "foreign.parquet"):
        pq.write_table(pa.table({"a": [1]}), path)
    (finished.inner / "compacting.lock").write_text("x")
    named = {finding.file for finding in verify_layout(finished).findings if not finding.ok}
    assert named == {
        "_courier/notes.txt",
        "_courier/spool/x.tmp",
        "_courier/compacting.lock",
        "foreign.parquet",
        "deeper/foreign.parquet",
    }


def test_a_missing_file_is_named(finished: Layout) -> None:
    part = next(finished.root.glob("*.parquet"))
    part.unlink()
    assert [f.file for f in verify_layout(finished).findings if not f.ok] == [part.name]
    finished.identity_file.unlink()
    assert [f.file for f in verify_layout(finished).findings if not f.ok] == ["_courier/capture.json", part.name]


def test_without_its_manifest_no_part_counts(finished: Layout) -> None:
    parts = {path.name for path in finished.root.glob("*.parquet")}
    finished.manifest.unlink()
    assert {f.file for f in verify_layout(finished).findings if not f.ok} == parts | {"_courier/manifest.jsonl"}


@pytest.mark.parametrize("damage", ["first", "last", "both heads"])
def test_a_record_that_does_not_hold_is_kept_and_named_and_the_others_are_saved(left_over: Layout, damage: str) -> None:
    path = left_over.spool(LEFT_OVER)
    content = bytearray(path.read_bytes())
    first = len(answer_record(delivery("left-0"), run="run-3", record=0))
    note = len(settlement_record(0, ["acked"]))
    places = {"first": [first - 5], "last": [first + note + first - 5], "both heads": [2, first + note + 2]}[damage]
    for place in places:
        content[place] ^= 0x10
    path.write_bytes(content)
    with pytest.raises(CaptureDamaged):
        list(read_spool(path))
    saved = recover(left_over)
    assert saved == 2 - len(places)
    kept = left_over.damaged / path.name
    assert kept.read_bytes() == content
    assert not path.exists()
    named = [finding.file for finding in verify_layout(left_over).findings if not finding.ok]
    assert named == [f"_courier/damaged/{path.name}"]
    capture = Capture(left_over.root)
    rows = capture.frame(["message_id", "settlement"], run="run-3")
    expected = {"first": ["left-1"], "last": ["left-0"], "both heads": []}[damage]
    assert list(rows["message_id"]) == expected
    assert set(rows["settlement"]) <= {"acked"}  # what became of the other record's messages is still known
    assert recover(left_over) == 0


def test_a_damaged_spool_whose_part_was_already_entered_is_kept_too(left_over: Layout) -> None:
    path = left_over.spool(LEFT_OVER)
    content = bytearray(path.read_bytes())
    recover(left_over)
    content[50] ^= 1
    path.write_bytes(content)
    assert recover(left_over) == 0
    assert (left_over.damaged / path.name).exists()
