from __future__ import annotations

import time

from courier_nb.core.clock import ManualClock, SystemClock


def test_a_manual_clock_moves_only_when_told_and_tells_those_who_asked():
    clock, seen = ManualClock(start=100.0), []
    clock.on_step(lambda: seen.append(clock.monotonic()))
    before = clock.monotonic()
    assert clock.time() == 100.0
    clock.advance(2.5)
    assert clock.time() == 102.5
    assert clock.monotonic() == before + 2.5
    assert seen == [before + 2.5]


def test_the_system_clock_is_the_machines():
    clock = SystemClock()
    clock.on_step(lambda: None)
    assert abs(clock.time() - time.time()) < 5
    assert abs(clock.monotonic() - time.monotonic()) < 5
