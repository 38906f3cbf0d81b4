"""Replay through every fault of the wire: what did not certainly arrive is listed, and nothing certain is sent twice."""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Callable
from itertools import count
from pathlib import Path

import pytest

from courier_nb import Capture, Client, Report
from courier_nb.broker import LocalBroker

from .proxy import KINDS, Proxy, Strike, random_strikes
from .scenario import RUNS, Scenario

COUNT = 50
GROUPS = 5
_NUMBERS = count()

CASES = [
    *((kind, None, fifo) for kind in KINDS if kind not in ("gzip_bomb", "delivered_twice") for fifo in (False, True)),
    *(("too_many", value, False) for value in ("0", "date", "1000000000", "-5")),
    ("unavailable", "0", False),
]
Capturing = Callable[[int, bool], list[int]]


@pytest.fixture
def scenario(broker: LocalBroker, proxy: Proxy, client: Client, tmp_path: Path) -> Scenario:
    return Scenario(broker, proxy, client, tmp_path / "capture", f"r{next(_NUMBERS)}")


@pytest.fixture(scope="module")
def captures(broker: LocalBroker, tmp_path_factory: pytest.TempPathFactory) -> dict[tuple[int, bool], Path]:
    """Captures that are made when they are first asked for, by size and by whether they hold groups."""
    return {}


@pytest.fixture
def capture_of(
    scenario: Scenario, direct: Client, captures: dict[tuple[int, bool], Path], tmp_path_factory: pytest.TempPathFactory
) -> Callable[[int, bool], list[int]]:
    """Give the scenario a capture and a target; return the numbers of its messages in the order of the capture."""

    def make(size: int, fifo: bool) -> list[int]:
        if (size, fifo) not in captures:
            origin = Scenario(scenario.broker, scenario.proxy, direct, tmp_path_factory.mktemp("origin") / "c", f"o{size}{fifo}")
            origin.publish(direct, size, groups=GROUPS if fifo else 0)
            assert origin.drain() is None
            captures[size, fifo] = origin.folder
        shutil.copytree(captures[size, fifo], scenario.folder)
        scenario.broker.create_queue(scenario.target, fifo=fifo)
        return [int(str(message.body).split("-", 1)[0]) for message in Capture(scenario.folder).messages()]

    return make


def replay_through(scenario: Scenario, strikes: list[Strike], order: list[int], *, fifo: bool) -> Report:
    """Run the same call again and again until it has nothing more to send; return its last report."""
    report = None
    with scenario.proxy.striking(*strikes):
        for _ in range(RUNS):
            found = scenario.replay(fifo=fifo)
            if found is None:
                continue
            scenario.refused |= {order[o.position] for o in found if o.kind == "refused"}
            report = found
            if {outcome.kind for outcome in report} <= {"skipped", "unknown"}:  # nothing that it could still do by itself
                break
    assert report is not None, f"no run came to an end: {scenario.errors}"
    return report


def check_replayed(scenario: Scenario, order: list[int], report: Report, *, fifo: bool) -> tuple[str, set[int]]:
    """Hold the target against the report; return the figures, and the rows whose arrival is not certain."""
    arrived = Counter(scenario.arrived())
    unknown = {order[outcome.position] for outcome in report if outcome.kind == "unknown"}
    waiting = {order[o.position] for o in report if o.kind == "skipped" and "earlier message of its group" in o.reason}
    missing, twice = set(order) - set(arrived), {number for number, times in arrived.items() if times > 1}
    assert missing <= unknown | waiting, "missing, and nobody was told"
    assert not twice or not fifo, "doubled in a FIFO queue"
    line = (
        f"{len(order)} rows, {len(arrived)} arrived, {len(missing)} missing, {len(unknown)} listed as unknown, "
        f"{len(waiting)} behind them, {len(twice)} doubled, {scenario.runs} runs"
    )
    return line, unknown


def resent(scenario: Scenario, direct: Client, order: list[int], *, fifo: bool) -> list[int]:
    """Send again what is unknown, as a user would decide; return what is in the target then."""
    for _ in range(3):
        scenario.replay(fifo=fifo, unknown="resend", client=direct)
        if set(scenario.arrived()) == set(order):
            break
    arrived = scenario.arrived()
    assert set(arrived) == set(order)
    return arrived


@pytest.mark.parametrize(("kind", "value", "fifo"), CASES)
def test_what_did_not_certainly_arrive_is_listed(
    scenario: Scenario, direct: Client, capture_of: Capturing, kind: str, value: str | None, fifo: bool
) -> None:
    order = capture_of(COUNT, fifo)
    strike = Strike(kind, "publish_batch", every=2, after=1, times=2, value=value)
    report = replay_through(scenario, [strike], order, fifo=fifo)
    assert strike.struck, "the fault never struck"
    line, unknown = check_replayed(scenario, order, report, fifo=fifo)
    before = Counter(scenario.arrived())

    arrived = resent(scenario, direct, order, fifo=fifo)
    doubled = {number for number, times in Counter(arrived).items() if times > max(before[number], 1)}
    assert doubled <= unknown, "sent twice, and nobody had called it unknown"
    if fifo:
        assert len(arrived) == COUNT
        for group in range(GROUPS):
            # a service that refuses a message and takes the next one of the same call has broken the order itself
            members = [number for number in arrived if number % GROUPS == group and number not in scenario.refused]
            assert members == sorted(members), "out of order"
    print(f"\n{kind}{'' if value is None else f' {value}'} into {'fifo' if fifo else 'standard'}: {line}")


@pytest.mark.parametrize("fifo", [False, True], ids=["standard", "fifo"])
@pytest.mark.parametrize("seed", range(3))
def test_a_random_mix_of_faults(scenario: Scenario, direct: Client, capture_of: Capturing, seed: int, fifo: bool) -> None:
    order = capture_of(200, fifo)
    strikes = random_strikes(seed + 100, 8, ("publish_batch",), without=frozenset({"gzip_bomb", "delivered_twice"}))
    report = replay_through(scenario, strikes, order, fifo=fifo)
    line, _ = check_replayed(scenario, order, report, fifo=fifo)
    resent(scenario, direct, order, fifo=fifo)
    struck = ", ".join(strike.kind for strike in strikes if strike.struck)
    print(f"\nmix {seed} into {'fifo' if fifo else 'standard'} ({struck}): {line}")
