"""The capture protocol, with a disk that fails."""

from __future__ import annotations

import asyncio
import errno
from pathlib import Path

import pytest

from courier_nb import Capture, CaptureError
from courier_nb.storage import writer as writer_module
from courier_nb.storage.spool import read_spool
from courier_nb.storage.writer import CaptureWriter

from .conftest import delivery

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


async def test_what_is_stored_is_in_the_file_when_the_call_returns(tmp_path: Path) -> None:
    async with CaptureWriter(tmp_path / "cap") as writer:

        async def store(name: str) -> None:
            stored = await writer.store(delivery(name))
            (path,) = (tmp_path / "cap").rglob("*.spool")
            assert name in [m.message_id for answer in read_spool(path) for m in answer.messages]
            await writer.settled(stored, ["acked"])

        await asyncio.gather(*(store(f"m{i}") for i in range(50)))
    capture = Capture(tmp_path / "cap")
    assert capture.settlements == {"acked": 50}
    assert capture.recovered_rows == 0


async def test_full_spools_become_parts_while_others_are_still_unsettled(tmp_path: Path) -> None:
    big = "x" * (writer_module.FileSizes().segment_bytes // 3)
    async with CaptureWriter(tmp_path / "cap") as writer:
        stored = [await writer.store(delivery(f"m{i}", body=big)) for i in range(8)]
        assert not writer.parts
        for i, answer in enumerate(reversed(stored)):
            await writer.settled(answer, ["acked" if i % 2 else "unknown"])
    capture = Capture(tmp_path / "cap")
    assert len(capture) == 8
    assert len(writer.parts) >= 2
    assert capture.settlements == {"acked": 4, "unknown": 4}


class FailingSpool(writer_module.spool.Spool):
    """A spool on a disk that is full."""

    def write(self, content: bytes) -> None:
        super().write(content[: len(content) // 2])
        raise OSError(errno.ENOSPC, "No space left on device")


async def test_a_full_disk_stops_everything_that_is_not_yet_stored(tmp_path: Path) -> None:
    async with CaptureWriter(tmp_path / "cap") as writer:
        kept = await writer.store(delivery("kept"))
        await writer.settled(kept, ["acked"])
        assert writer._segment is not None
        writer._segment.spool.__class__ = FailingSpool
        results = await asyncio.gather(*(writer.store(delivery(f"lost{i}")) for i in range(5)), return_exceptions=True)
        assert all(isinstance(result, CaptureError) for result in results), results
        with pytest.raises(CaptureError, match="No space left"):
            await writer.store(delivery("after"))
    capture = Capture(tmp_path / "cap")
    assert capture.settlements["acked"] == 1  # whole records before the torn one are kept too, as unknown
    assert "kept" in set(capture.frame()["message_id"])
    assert capture.verify().ok


async def test_a_part_that_cannot_be_written_leaves_its_spool_for_later(tmp_path: Path) -> None:
    root = tmp_path / "cap"
    with pytest.raises(CaptureError, match="Cannot write"):
        async with CaptureWriter(root) as writer:
            stored = await writer.store(delivery("a"))
            await writer.settled(stored, ["acked"])
            (root / "_courier" / "aside").rmdir()  # as good as a full disk
    (root / "_courier" / "aside").mkdir()
    capture = Capture(root)
    assert (capture.recovered_rows, capture.unfinished) == (1, 0)
    assert capture.settlements == {"acked": 1}
