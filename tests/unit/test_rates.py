"""Rates as users write them, and a pacer that never lets more through."""

from __future__ import annotations

import math

import anyio
import pytest
from hypothesis import given
from hypothesis import strategies as st

from courier_nb.core.clock import ManualClock
from courier_nb.core.errors import InvalidArgument
from courier_nb.core.rates import BURST_SECONDS, Pacer, Rate, as_rate


@pytest.mark.parametrize(
    ("text", "rate"),
    [
        ("100 msg/s", Rate(messages=100)),
        ("100msg/s", Rate(messages=100)),
        ("1 message per second", Rate(messages=1)),
        ("5 calls/s", Rate(calls=5)),
        ("90 calls/min", Rate(calls=1.5)),
        ("2 MB/s", Rate(bytes=2_000_000)),
        ("0.5 kB/s", Rate(bytes=500)),
        ("36_000 messages/h", Rate(messages=10)),
        ("100 msg/s, 20 calls/s, ramp-up 30s", Rate(messages=100, calls=20, ramp_up="30s")),
        ("ramp-up 1m30s, 7 Calls / sec", Rate(calls=7, ramp_up="1m30s")),
    ],
)
def test_a_rate_may_be_written_as_text(text, rate):
    assert as_rate(text) == rate


def test_a_rate_is_taken_as_it_is_and_none_sets_no_limit():
    assert as_rate(Rate(calls=2)) == Rate(calls=2)
    assert as_rate(None) is None


@pytest.mark.parametrize(
    "text",
    ["", "fast", "100", "100 msg", "100/s", "-1 msg/s", "1e3 msg/s", "5 msg/day", "5 apples/s", "5 msg/s, 6 msg/s", "5 msg/s,",
     "0 msg/s", "ramp-up 5s", "5 msg/s, ramp-up soon", "5 msg/s, ramp-up 1s, ramp-up 2s", "1.2.3 msg/s", "9" * 400 + " msg/s"],
)  # fmt: skip
def test_anything_else_is_refused_with_an_example(text):
    with pytest.raises(InvalidArgument, match=r"rate is '.*'100 msg/s'"):
        as_rate(text)


@pytest.mark.parametrize("value", [100, 2.5, True, {"messages": 1}])
def test_what_is_neither_text_nor_rate_is_refused(value):
    with pytest.raises(InvalidArgument, match="not a rate"):
        as_rate(value)


@pytest.mark.parametrize("limit", [0, -1, math.inf, math.nan, True, "5"])
def test_a_limit_is_a_positive_number(limit):
    with pytest.raises(InvalidArgument, match="positive number per second"):
        Rate(messages=limit)


def test_a_rate_without_a_limit_is_refused():
    with pytest.raises(InvalidArgument, match="limits nothing"):
        Rate(ramp_up="3s")


class Track:
    """Workers on a clock of their own, and what each took when."""

    def __init__(self, rate: Rate) -> None:
        self.clock = ManualClock()
        self.pacer = Pacer(rate, clock=self.clock, sleep=self._sleep)
        self.passed: list[tuple[float, int]] = []
        self._start = self.clock.monotonic()

    async def _sleep(self, seconds: float) -> None:
        self.clock.advance(max(seconds, 1e-6))  # the clock counts whole microseconds
        await anyio.sleep(0)

    async def take(self, amount: int, pause: float = 0.0) -> None:
        self.clock.advance(pause)
        await self.pacer.turn(messages=amount)
        self.passed.append((self.clock.monotonic() - self._start, amount))


def run(track: Track, workers: list[list[tuple[int, float]]]) -> None:
    async def work(amounts: list[tuple[int, float]]) -> None:
        for amount, pause in amounts:
            await track.take(amount, pause)

    async def all_of_them() -> None:
        async with anyio.create_task_group() as group:
            for amounts in workers:
                group.start_soon(work, amounts)

    anyio.run(all_of_them)


amounts = st.lists(st.tuples(st.integers(1, 10), st.sampled_from([0.0, 0.0, 0.01, 0.7, 30.0])), min_size=1, max_size=12)


@given(
    st.lists(amounts, min_size=1, max_size=4),
    st.floats(0.5, 2_000),
    st.sampled_from([0, 1, 20]),
)
def test_never_more_than_the_rate_over_any_stretch_of_time_plus_one_burst(workers, per_second, ramp_up):
    track = Track(Rate(messages=per_second, ramp_up=ramp_up))
    run(track, workers)
    assert len(track.passed) == sum(map(len, workers))
    for first, (begin, _) in enumerate(track.passed):
        amount = 0
        for end, taken in track.passed[first:]:
            amount += taken
            allowed = per_second * (end - begin + BURST_SECONDS) + taken
            assert amount <= allowed + 1e-3 * per_second


@given(st.floats(1, 1_000), st.integers(1, 10))
def test_a_steady_run_uses_the_whole_rate(per_second, amount):
    track = Track(Rate(messages=per_second))
    run(track, [[(amount, 0.0)] * 20] * 3)
    last, _ = track.passed[-1]
    assert last == pytest.approx((60 * amount - amount) / per_second, abs=BURST_SECONDS + 1e-3)


def test_a_ramp_begins_with_a_tenth_and_ends_with_the_whole_rate():
    track = Track(Rate(messages=100, ramp_up="10s"))
    run(track, [[(1, 0.0)] * 1_500])
    seconds = [sum(taken for at, taken in track.passed if second <= at < second + 1) for second in range(14)]
    assert 10 <= seconds[0] <= 25
    assert seconds[:10] == sorted(seconds[:10])
    assert seconds[11] == seconds[12] == 100


def test_workers_pass_in_the_order_in_which_they_came():
    track, order = Track(Rate(calls=1)), []

    async def work(name: int) -> None:
        for _ in range(3):
            await track.pacer.turn(calls=1)
            order.append(name)

    async def all_of_them() -> None:
        async with anyio.create_task_group() as group:
            for name in range(4):
                group.start_soon(work, name)

    anyio.run(all_of_them)
    assert order == [0, 1, 2, 3] * 3


def test_a_worker_that_is_cancelled_has_taken_nothing_and_lets_the_next_pass():
    async def scenario() -> list[str]:
        passed: list[str] = []
        clock = ManualClock()
        asleep, go = anyio.Event(), anyio.Event()

        async def sleep(seconds: float) -> None:
            asleep.set()
            await go.wait()
            clock.advance(seconds)

        pacer = Pacer(Rate(messages=1), clock=clock, sleep=sleep)

        async def work(name: str) -> None:
            await pacer.turn(messages=1_000 if name == "cancelled" else 1)
            passed.append(name)

        await work("first")
        async with anyio.create_task_group() as group:
            scope = anyio.CancelScope()

            async def cancelled() -> None:
                with scope:
                    await work("cancelled")

            group.start_soon(cancelled)
            await asleep.wait()
            group.start_soon(work, "next")
            await anyio.sleep(0)
            scope.cancel()
            await anyio.sleep(0)
            go.set()
        assert clock.monotonic() - 1_000.0 == pytest.approx(1.0)
        return passed

    assert anyio.run(scenario) == ["first", "next"]


def test_what_is_charged_afterwards_is_waited_for_by_the_next_and_may_be_given_back():
    async def scenario() -> tuple[float, float]:
        track = Track(Rate(bytes=1_000))
        await track.pacer.turn(size=0)
        track.pacer.charge(size=5_000)
        await track.take(1)
        late, _ = track.passed[-1]
        track.pacer.charge(size=5_000)
        track.pacer.charge(size=-5_000)
        await track.take(1)
        return late, track.passed[-1][0]

    late, next_one = anyio.run(scenario)
    assert late == pytest.approx(5.0, abs=BURST_SECONDS)
    assert next_one == pytest.approx(late)


def test_the_tightest_limit_counts():
    async def scenario() -> float:
        track = Track(Rate(messages=1_000, calls=2))
        for _ in range(5):
            await track.pacer.turn(messages=10, calls=1)
        return track.clock.monotonic() - 1_000.0

    assert anyio.run(scenario) == pytest.approx(2.0, abs=BURST_SECONDS)
