"""The disk fails at each of its operations in turn: nothing that was stored is lost, and what was not is not called stored."""

from __future__ import annotations

import asyncio
import errno
import os
import random
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from courier_nb import Capture, CaptureError
from courier_nb.storage.compaction import FileSizes
from courier_nb.storage.writer import CaptureWriter

from .conftest import delivery

STEPS = os.environ.get("COURIER_NB_STEPS", "")
"""``all``: fail at each operation; else at eight of them."""

SIZES = FileSizes(segment_rows=4)
TAKING_ROOM = ("open", "write", "fdatasync", "fsync", "mkdir", "replace")
ANSWERS = 6


class FailingDisk:
    """Counts the operations that need room or a working disk; from the n-th on they fail, or only the n-th."""

    def __init__(self, fails_at: int = 0, *, for_good: bool = True, number: int = errno.ENOSPC) -> None:
        self.count = 0
        self._fails_at = fails_at
        self._for_good = for_good
        self._number = number

    @contextmanager
    def inserted(self) -> Iterator[None]:
        calls = {name: getattr(os, name) for name in TAKING_ROOM}
        try:
            for name, call in calls.items():
                setattr(os, name, self._failing(name, call))
            yield
        finally:
            for name, call in calls.items():
                setattr(os, name, call)

    def _failing(self, name: str, call: Callable[..., Any]) -> Callable[..., Any]:
        def fail_in_turn(*arguments: Any, **named: Any) -> Any:
            if name == "open" and not arguments[1] & os.O_CREAT:
                return call(*arguments, **named)
            self.count += 1
            if self.count == self._fails_at or (self._for_good and self._fails_at and self.count > self._fails_at):
                if name == "write":  # a full disk takes what still fits
                    call(arguments[0], memoryview(arguments[1])[: len(arguments[1]) // 2])
                raise OSError(self._number, os.strerror(self._number))
            return call(*arguments, **named)

        return fail_in_turn


async def drain(root: Path, stored: list[str]) -> None:
    """Store answers as a drain does; `stored` takes the ids of those that may be acknowledged."""
    async with CaptureWriter(root, sizes=SIZES) as writer:
        for number in range(ANSWERS):
            ids = [f"m{number}-{i}" for i in range(2)]
            answer = await writer.store(delivery(*ids))
            stored += ids
            await writer.settled(answer, ["acked"] * 2)


def attempt(root: Path, disk: FailingDisk) -> tuple[list[str], bool]:
    stored: list[str] = []
    with disk.inserted():
        try:
            asyncio.run(drain(root, stored))
        except CaptureError as error:
            assert "Cannot write" in str(error) or "did not read back" in str(error)
            return stored, True
    return stored, False


@pytest.mark.parametrize(
    ("number", "for_good"),
    [(errno.ENOSPC, True), (errno.ENOSPC, False), (errno.EIO, False), (errno.EROFS, True)],
    ids=["full", "full for a moment", "one error", "read-only"],
)
def test_what_was_stored_is_there_whichever_operation_the_disk_fails_at(tmp_path: Path, number: int, for_good: bool) -> None:
    counting = FailingDisk()
    attempt(tmp_path / "whole", counting)
    assert counting.count > 50
    failed = 0
    every = 1 if STEPS == "all" else counting.count // 8
    offset = random.SystemRandom().randrange(every)
    for at in range(1 + offset, counting.count + 1, every):
        root = tmp_path / "cap"
        stored, has_failed = attempt(root, FailingDisk(at, for_good=for_good, number=number))
        failed += has_failed
        again: list[str] = []
        asyncio.run(drain(root, again))  # there is room again
        capture = Capture(root)
        assert capture.verify().ok, (at, capture.verify().frame().to_string())
        found = list(capture.frame(all_copies=True)["message_id"])
        assert set(stored) <= set(found), at
        assert all(found.count(id_) >= 2 for id_ in set(stored)), at  # of both attempts: it was acknowledged both times
        assert capture.unfinished == 0
        shutil.rmtree(root)
    print(
        f"\n{counting.count} operations of the disk, {os.strerror(number)} at every {every}. of them: "
        f"{failed} drains ended by it, 0 messages lost"
    )
    assert failed


def test_a_folder_that_vanishes_ends_the_drain_and_nothing_more_counts_as_stored(tmp_path: Path) -> None:
    root = tmp_path / "cap"

    async def vanish() -> None:
        async with CaptureWriter(root) as writer:
            answer = await writer.store(delivery("before"))
            await writer.settled(answer, ["acked"])
            root.rename(tmp_path / "elsewhere")
            with pytest.raises(CaptureError, match=r"no longer where it was|No such file"):
                await writer.store(delivery("after"))

    asyncio.run(vanish())
    assert not root.exists()
    assert "before" in set(Capture(tmp_path / "elsewhere").frame()["message_id"])


def test_a_folder_that_vanishes_between_two_spools_is_not_made_again(tmp_path: Path) -> None:
    root = tmp_path / "cap"

    async def vanish() -> None:
        async with CaptureWriter(root, sizes=FileSizes(segment_rows=1)) as writer:
            answer = await writer.store(delivery("before"))
            await writer.settled(answer, ["acked"])
            await writer.settled(await writer.store(delivery("second")), ["acked"])
            shutil.move(root, tmp_path / "elsewhere")
            with pytest.raises(CaptureError):
                await writer.store(delivery("after"))

    asyncio.run(vanish())
    assert not root.exists()
    assert {"before", "second"} <= set(Capture(tmp_path / "elsewhere").frame()["message_id"])


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_read_only_folder_is_refused_before_anything_is_received(tmp_path: Path) -> None:
    (tmp_path / "cap").mkdir()
    (tmp_path / "cap").chmod(0o500)
    with pytest.raises(CaptureError, match="Cannot write"):
        asyncio.run(drain(tmp_path / "cap", []))
