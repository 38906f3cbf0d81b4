"""Jobs that wait: who tries first, who leaves when, and when to look again."""

from __future__ import annotations

import pytest

from courier_nb.broker.state.parking import NotYet, Parking
from courier_nb.core.clock import ManualClock


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def parking(clock: ManualClock) -> Parking[str]:
    return Parking(clock)


def wait(clock: ManualClock, seconds: float, queue: int = 1, due: float | None = None) -> NotYet[None]:
    due_ms = None if due is None else int((clock.time() + due) * 1_000)
    return NotYet(queue, due_ms, clock.monotonic() + seconds, None)


def test_each_leaves_at_its_own_deadline_whatever_the_order_in_which_they_came(clock: ManualClock, parking: Parking[str]) -> None:
    for job, seconds in (("long", 20), ("short", 5), ("middle", 10)):
        parking.add(job, wait(clock, seconds))
    parking.add("elsewhere", wait(clock, 5, queue=2))
    left = []
    for _ in range(5):
        clock.advance(5)
        left.append(parking.leave())
    assert left == [["short", "elsewhere"], ["middle"], [], ["long"], []]
    assert (len(parking), parking.patience()) == (0, None)


def test_the_first_in_line_tries_first_until_one_has_to_wait_on(clock: ManualClock, parking: Parking[str]) -> None:
    for job in "abc":
        parking.add(job, wait(clock, 20))
    tried = []

    def attempt(job: str) -> NotYet[None] | None:
        tried.append(job)
        return None if job == "a" else wait(clock, 20, due=0.5)

    parking.serve(1, attempt)
    assert tried == ["a", "b"]
    assert parking.patience() == pytest.approx(0.5)
    clock.advance(0.5)
    assert parking.due() == {1}
    assert len(parking) == 2


def test_who_was_served_does_not_leave_again(clock: ManualClock, parking: Parking[str]) -> None:
    parking.add("served", wait(clock, 1))
    parking.add("other", wait(clock, 1, queue=2))
    parking.serve(1, lambda _: None)
    clock.advance(1)
    assert parking.leave() == ["other"]


def test_a_deadline_of_somebody_served_does_not_cut_the_wait_short(clock: ManualClock, parking: Parking[str]) -> None:
    parking.add("served", wait(clock, 0.1))
    parking.serve(1, lambda _: None)
    parking.add("other", wait(clock, 0.9))
    assert parking.leave() == []
    assert parking.patience() == pytest.approx(0.9)


def test_everybody_can_be_sent_away(clock: ManualClock, parking: Parking[str]) -> None:
    for job in "abc":
        parking.add(job, wait(clock, 20, queue=ord(job)))
    assert sorted(parking.leave(everybody=True)) == ["a", "b", "c"]
    assert (len(parking), parking.patience(), parking.leave(everybody=True)) == (0, None, [])
