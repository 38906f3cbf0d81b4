from __future__ import annotations

import io
import sys

import anyio
import pytest

from courier_nb.core import portal
from courier_nb.core.progress import Board, Counter, current_board, show


@pytest.fixture
def screen(monkeypatch) -> io.StringIO:
    """What is drawn: bars go to the standard error stream."""
    stream = io.StringIO()
    monkeypatch.setattr(sys, "stderr", stream)
    return stream


def drawn(board: Board) -> object:
    (bar,) = board._bars.values()
    return bar


def test_a_bar_follows_its_counter(screen):
    board, counter = Board(), Counter("drain orders", total=None)
    board.counters.append(counter)
    board.draw()
    counter.done, counter.total, counter.note = 30, 40, "3 held"
    board.draw()
    bar = drawn(board)
    assert (bar.n, bar.total, bar.desc, bar.postfix) == (30, 40, "drain orders", "3 held")
    board.close()


def test_a_call_that_is_over_within_a_second_draws_nothing(screen):
    board = Board()
    board.counters.append(Counter("peek orders", total=10))
    board.draw()
    board.close()
    board.close()
    assert screen.getvalue() == ""


@pytest.mark.anyio
@pytest.mark.parametrize("enabled", [True, False])
async def test_a_counter_is_shown_on_the_board_of_its_call_if_wanted(enabled):
    board, counter = Board(), Counter("ack orders")
    token = current_board.set(board)
    try:
        async with show(counter, enabled) as shown:
            assert shown is counter
            assert board.counters == [counter] * enabled
    finally:
        current_board.reset(token)


@pytest.mark.anyio
async def test_without_a_board_a_task_draws_and_ends_with_the_block(screen):
    before = len(anyio.get_running_tasks())
    async with show(Counter("publish orders"), True):
        assert len(anyio.get_running_tasks()) == before + 1
        await anyio.sleep(0.11)
    await anyio.sleep(0)
    assert len(anyio.get_running_tasks()) == before


def test_each_blocking_call_has_a_board_of_its_own():
    async def board() -> Board | None:
        return current_board.get()

    first, second = portal.run(board), portal.run(board)
    assert first is not None
    assert first is not second
    assert current_board.get() is None
