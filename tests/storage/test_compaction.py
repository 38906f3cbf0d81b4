"""Small parts become large ones: in order, without a moment in which a reader would miss a row."""

from __future__ import annotations

import asyncio
import secrets
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from courier_nb import Capture, CaptureDamaged
from courier_nb.storage import compaction, parts
from courier_nb.storage.compaction import FileSizes, compact
from courier_nb.storage.layout import Layout
from courier_nb.storage.manifest import Manifest
from courier_nb.storage.spool import Spool, answer_record
from courier_nb.storage.writer import CaptureWriter

from .conftest import delivery

UNMERGED = FileSizes(segment_rows=2, part_rows=1)
MERGED = FileSizes(part_rows=1_000)


async def _capture(root: Path, ids: list[str], run: str) -> None:
    async with CaptureWriter(root, run=run, sizes=UNMERGED) as writer:
        for id_ in ids:
            await writer.settled(await writer.store(delivery(id_)), ["acked"])


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    """A capture of two runs, in five parts of two rows."""
    root = tmp_path / "cap"
    asyncio.run(_capture(root, list("abcdef"), "run-2"))
    asyncio.run(_capture(root, list("ghij"), "run-1"))  # the later run sorts before the earlier one, as after a jump of the clock
    assert len(files(root)) == 5
    return Layout(root)


def files(root: Path) -> list[str]:
    return sorted(path.name for path in root.glob("*.parquet"))


def ids(capture: Capture) -> str:
    return "".join(str(m.message_id) for m in capture.messages())


def test_merging_keeps_every_row_its_run_and_the_order_of_arrival(layout: Layout) -> None:
    capture = Capture(layout.root)
    before, runs = capture.frame(), capture.runs
    assert ids(capture) == "abcdefghij"
    assert compact(layout, MERGED) == 4
    assert len(files(layout.root)) == 1
    for seen in (capture, Capture(layout.root)):
        assert seen.frame().equals(before)
        assert seen.runs.equals(runs)
        assert seen.verify().ok
    assert list(runs["run"]) == ["run-2", "run-1"]
    assert list(runs["rows"]) == list(runs["acked"]) == [6, 4]
    assert "".join(capture.frame(run="run-1")["message_id"]) == "ghij"
    assert [m.message_id for m in capture.messages(run="run-2", settlement=("acked",))] == list("abcdef")
    assert list(capture.messages(settlement=("unknown",))) == []
    assert compact(layout, MERGED) == 0


@pytest.mark.parametrize("seen", range(1, 6))
def test_a_reader_that_is_under_way_goes_on_in_the_merged_part(layout: Layout, seen: int) -> None:
    capture = Capture(layout.root)
    batches = capture.batches()
    found = [next(batches) for _ in range(seen)]
    assert compact(layout, MERGED) == 4
    found += batches
    assert "".join(id_ for batch in found for id_ in batch["message_id"].to_pylist()) == "abcdefghij"


def test_a_reader_finds_a_part_that_is_entered_but_not_yet_renamed(layout: Layout) -> None:
    capture = Capture(layout.root)
    stem = next(iter(Manifest(layout).state().parts))
    layout.part(stem).rename(layout.part_aside(stem))
    assert ids(capture) == "abcdefghij"
    assert capture.verify().ok


def test_a_part_that_was_merged_twice_is_still_found(layout: Layout) -> None:
    capture = Capture(layout.root)
    batches = capture.batches()
    first = next(batches)
    assert compact(layout, FileSizes(part_rows=4)) == 2
    assert compact(layout, MERGED) >= 1
    assert "".join(id_ for batch in [first, *batches] for id_ in batch["message_id"].to_pylist()) == "abcdefghij"


def test_merged_parts_stay_within_the_limits(layout: Layout) -> None:
    compact(layout, FileSizes(part_rows=4))
    assert sorted(pq.read_metadata(path).num_rows for path in layout.root.glob("*.parquet")) == [2, 4, 4]
    size = max(path.stat().st_size for path in layout.root.glob("*.parquet"))
    assert compact(layout, FileSizes(part_bytes=size)) == 0


def test_row_groups_are_bounded_so_that_reading_needs_no_more_memory_than_a_part(
    layout: Layout, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(parts, "_ROWS_PER_GROUP", 4)
    compact(layout, MERGED)
    (path,) = layout.root.glob("*.parquet")
    metadata = pq.read_metadata(path)
    assert [metadata.row_group(i).num_rows for i in range(metadata.num_row_groups)] == [4, 4, 2]
    assert ids(Capture(layout.root)) == "abcdefghij"


def test_nothing_is_merged_across_a_spool_that_may_still_become_a_part(layout: Layout) -> None:
    waiting = Spool(layout, "run-2-00002")  # as if the second part of the first run were still to come
    waiting.write(answer_record(delivery("later")))
    compact(layout, MERGED)
    places = [part.place for part in Manifest(layout).state().parts.values()]
    assert [place for place in places if place[0] == "run-2"] == [("run-2", 1), ("run-2", 2), ("run-2", 3)]
    assert len([place for place in places if place[0] == "run-1"]) == 1
    waiting.close()
    waiting.release()


def test_what_is_damaged_is_not_merged_into_something_whole(layout: Layout) -> None:
    stem = list(Manifest(layout).state().parts)[2]
    content = bytearray(layout.part(stem).read_bytes())
    content[20] ^= 1
    layout.part(stem).write_bytes(content)
    before = files(layout.root)
    capture = Capture(layout.root)
    with pytest.raises(CaptureDamaged) as caught:
        capture.compact()
    assert caught.value.path == layout.part(stem)
    assert files(layout.root) == before
    assert [f.file for f in capture.verify().findings if not f.ok] == [f"{stem}.parquet"]


def test_told_to_stop_it_leaves_everything_as_it_was(layout: Layout) -> None:
    before = files(layout.root)
    asked = iter([False, False, True])
    assert compact(layout, MERGED, should_stop=lambda: next(asked)) == 0
    assert files(layout.root) == before
    assert not list(layout.aside.iterdir())
    assert ids(Capture(layout.root)) == "abcdefghij"


def test_only_one_process_merges_at_a_time(layout: Layout) -> None:
    with compaction._lock(layout) as is_ours:
        assert is_ours
        assert compact(layout, MERGED) == 0
        assert Capture(layout.root).compact() == 0
    assert compact(layout, MERGED) == 4


def test_a_drain_that_failed_or_was_cancelled_does_not_stop_to_merge(tmp_path: Path) -> None:
    async def interrupted(root: Path) -> None:
        async with CaptureWriter(root, sizes=FileSizes(segment_rows=1)) as writer:
            for id_ in "abc":
                await writer.settled(await writer.store(delivery(id_)), ["acked"])
            raise asyncio.CancelledError

    with pytest.raises(asyncio.CancelledError):
        asyncio.run(interrupted(tmp_path / "cap"))
    assert len(files(tmp_path / "cap")) == 3
    asyncio.run(_capture(tmp_path / "cap", [], "next"))
    assert len(files(tmp_path / "cap")) == 3  # its limits are one row
    asyncio.run(_merge_by_a_drain(tmp_path / "cap"))
    assert len(files(tmp_path / "cap")) == 1


async def _merge_by_a_drain(root: Path) -> None:
    async with CaptureWriter(root):
        pass


def test_an_interrupt_while_merging_ends_it_at_once(layout: Layout, monkeypatch: pytest.MonkeyPatch) -> None:
    async def interrupt_in_the_middle() -> None:
        loop, begun = asyncio.get_running_loop(), asyncio.Event()
        read = parts.read_batches

        def slowly(*arguments: object, **named: object) -> object:
            loop.call_soon_threadsafe(begun.set)
            for batch in read(*arguments, **named):  # type: ignore[arg-type]
                while not task.cancelling():
                    pass
                yield batch

        monkeypatch.setattr(parts, "read_batches", slowly)
        task = asyncio.ensure_future(_merge_by_a_drain(layout.root))
        await begun.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        monkeypatch.undo()

    before = files(layout.root)
    asyncio.run(interrupt_in_the_middle())
    assert files(layout.root) == before
    assert not list(layout.aside.iterdir())


def test_rows_are_rewritten_a_few_times_only_however_many_drains_there_are(tmp_path: Path) -> None:
    root, sizes = tmp_path / "cap", FileSizes()
    for number in range(40):

        async def drain(number: int = number) -> None:
            async with CaptureWriter(root, sizes=sizes) as writer:
                await writer.settled(await writer.store(delivery(f"m{number:02}", body=secrets.token_hex(100_000))), ["acked"])

        asyncio.run(drain())
    state = Manifest(Layout(root)).state()
    written = sum(part.rows for part in [*state.parts.values(), *state.replaced.values()])
    print(f"\n40 drains of one message: {len(files(root))} files, each row written {written / 40:.1f} times")
    assert len(files(root)) <= 7
    assert written <= 40 * 7
    assert ids(Capture(root)) == "".join(f"m{number:02}" for number in range(40))
