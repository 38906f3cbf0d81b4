"""Group commit: one write for all that comes together, and nothing after a failure."""

from __future__ import annotations

import threading
from collections.abc import Sequence

import anyio
import pytest

from courier_nb.storage.groups import GroupCommit

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


async def test_what_comes_while_a_write_runs_shares_the_next() -> None:
    batches: list[list[int]] = []
    first_may_end = threading.Event()

    def write(batch: Sequence[int]) -> None:
        batches.append(list(batch))
        if len(batches) == 1:
            first_may_end.wait(10)

    commit = GroupCommit(write)
    async with anyio.create_task_group() as group:
        group.start_soon(commit.commit, [0])
        while not batches:
            await anyio.sleep(0.001)
        for i in range(1, 6):
            group.start_soon(commit.commit, [i])
        await anyio.wait_all_tasks_blocked()
        first_may_end.set()
    assert batches == [[0], [1, 2, 3, 4, 5]]


async def test_after_a_failed_write_nothing_more_is_taken() -> None:
    written: list[int] = []

    def write(batch: Sequence[int]) -> None:
        if 2 in batch:
            raise OSError("full")
        written.extend(batch)

    commit = GroupCommit(write)
    await commit.commit([1])
    for entry in (2, 3):
        with pytest.raises(OSError, match="full"):
            await commit.commit([entry])
    assert written == [1]


async def test_a_cancelled_call_leaves_no_entry_half_written() -> None:
    written: list[int] = []
    started = threading.Event()
    go = threading.Event()

    def write(batch: Sequence[int]) -> None:
        started.set()
        go.wait(10)
        written.extend(batch)

    commit = GroupCommit(write)
    async with anyio.create_task_group() as group:
        group.start_soon(commit.commit, [1, 2])
        while not started.is_set():
            await anyio.sleep(0.001)
        group.cancel_scope.cancel()
        go.set()
    assert written == [1, 2]
