"""Drain through every fault of the wire: disk and queue together hold what was published, whatever breaks."""

from __future__ import annotations

from itertools import count
from pathlib import Path

import pytest

from courier_nb import Client
from courier_nb.broker import LocalBroker

from .conftest import RunningClock
from .proxy import ITEM_KINDS, KINDS, Proxy, Strike, random_strikes
from .scenario import Scenario, finished

COUNT = 50
_NUMBERS = count()

CASES = [
    *((kind, "receive", None) for kind in KINDS if kind not in ITEM_KINDS and kind not in ("gzip_bomb", "sent_twice")),
    *((kind, "ack_batch", None) for kind in KINDS if kind not in ("gzip_bomb", "delivered_twice")),
    *(("too_many", "receive", value) for value in ("1", "date", "1000000000", "-5", "soon")),
    *(("too_many", "ack_batch", value) for value in ("0", "date", "1000000000", "-5", "soon")),
    *(("unavailable", operation, "0") for operation in ("receive", "ack_batch")),
]


@pytest.fixture
def scenario(broker: LocalBroker, proxy: Proxy, client: Client, tmp_path: Path) -> Scenario:
    return Scenario(broker, proxy, client, tmp_path / "capture", f"d{next(_NUMBERS)}")


@pytest.mark.parametrize(("kind", "operation", "value"), CASES)
def test_disk_and_queue_hold_what_was_published(
    scenario: Scenario, direct: Client, clock: RunningClock, kind: str, operation: str, value: str | None
) -> None:
    scenario.publish(direct, COUNT)
    strike = Strike(kind, operation, every=2, after=1, times=2, value=value)
    finished(scenario, [strike])
    assert strike.struck, "the fault never struck"
    line = scenario.check_drained()
    clock.advance(400)  # locks that nobody holds run out
    assert scenario.drain(direct) is None
    assert not scenario.in_queue(scenario.source)
    assert set(scenario.on_disk()) == set(scenario.published)
    scenario.check_drained()
    print(f"\n{kind}{'' if value is None else f' {value}'} on {operation}: {line}; {', '.join(scenario.errors) or 'no error'}")


@pytest.mark.parametrize("seed", range(6))
def test_a_random_mix_of_faults_loses_nothing(scenario: Scenario, direct: Client, clock: RunningClock, seed: int) -> None:
    scenario.publish(direct, 200, groups=5 if seed % 2 else 0)
    strikes = random_strikes(seed, 6, ("receive", "ack_batch", "nack_batch", "authorize"), without=frozenset({"gzip_bomb"}))
    for _ in range(3):
        finished(scenario, strikes)
        line = scenario.check_drained()
        clock.advance(400)
    assert scenario.drain(direct) is None
    assert set(scenario.on_disk()) == set(scenario.published)
    assert not scenario.in_queue(scenario.source)
    struck = ", ".join(f"{strike.kind} on {strike.operation}" for strike in strikes if strike.struck)
    print(f"\nmix {seed} ({struck}): {line}")
