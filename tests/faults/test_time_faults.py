"""The clock is set forward or back, and the process is stopped for longer than its locks: time that passes is what counts."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from itertools import count
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from courier_nb import Capture, Client
from courier_nb.broker import LocalBroker
from courier_nb.wire import codec

from .conftest import RunningClock
from .proxy import Proxy, Strike
from .scenario import Scenario

_NUMBERS = count()


class Wall:
    """The wall clock of the client, which can be set."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.shift = 0.0
        true_time, true_datetime = time.time, codec.datetime
        wall = self

        class Shifted(true_datetime):  # type: ignore[misc, valid-type]
            @classmethod
            def now(cls, tz: object = None) -> object:
                return true_datetime.fromtimestamp(true_time() + wall.shift, tz)

        monkeypatch.setattr(time, "time", lambda: true_time() + self.shift)
        monkeypatch.setattr(codec, "datetime", Shifted)


@pytest.fixture
def wall(monkeypatch: pytest.MonkeyPatch, clock: RunningClock) -> Wall:
    return Wall(monkeypatch)


@pytest.fixture
def scenario(broker: LocalBroker, proxy: Proxy, client: Client, tmp_path: Path) -> Scenario:
    return Scenario(broker, proxy, client, tmp_path / "capture", f"t{next(_NUMBERS)}")


@pytest.mark.parametrize("hours", [1, -1, 24])
def test_a_drain_whose_clock_is_set_acknowledges_all_the_same(scenario: Scenario, direct: Client, wall: Wall, hours: int) -> None:
    scenario.publish(direct, 100)

    def set_clock() -> None:
        wall.shift = hours * 3_600.0

    told = Strike("told", "receive", every=2, times=1, value=set_clock)
    with scenario.proxy.striking(told):
        assert scenario.drain() is None
    assert told.struck
    line = scenario.check_drained()
    print(f"\nclock set by {hours:+} h in mid-drain: {line}; {scenario.proxy.failed_items['ack_batch']} acks refused")
    assert Capture(scenario.folder).settlements == {"acked": 100}


@pytest.mark.parametrize("hours", [1, -1])
def test_held_messages_are_settled_by_the_time_that_passed(scenario: Scenario, direct: Client, wall: Wall, hours: int) -> None:
    scenario.publish(direct, 20)
    destination = direct.destination(scenario.source)
    received = destination.receive(20, lock_ttl="10m", polling_time="20ms", progress=False)
    wall.shift = hours * 3_600.0
    report = destination.ack(received, progress=False)
    assert report.counts == {"ok": 20}
    print(f"\nclock set by {hours:+} h before an ack: {report.counts}")


def test_a_process_that_was_stopped_for_longer_than_its_locks_sends_no_late_acknowledgement(
    scenario: Scenario, direct: Client, served: tuple[LocalBroker, dict[str, str]], tmp_path: Path
) -> None:
    """Stopped with an answer on its way to it; the locks of one second run out before it goes on."""
    scenario.publish(direct, 60)
    settings, path = served[1], urlsplit(served[1]["url"]).path
    env = {
        **{name: value for name, value in os.environ.items() if not name.startswith("ANYPOINT_")},
        "HOME": str(tmp_path),
        "ANYPOINT_MQ_URL": f"{scenario.proxy.url}{path}",
        "ANYPOINT_CLIENT_ID": settings["client_id"],
        "ANYPOINT_CLIENT_SECRET": settings["client_secret"],
    }
    options = ["--to", str(scenario.folder), "--lock-ttl", "1s", "--polling-time", "20ms", "--concurrency", "1", "--json"]
    before = scenario.proxy.failed_items["ack_batch"]
    started: list[subprocess.Popen[str]] = []

    def stop() -> None:
        started[0].send_signal(signal.SIGSTOP)
        threading.Timer(1.5, started[0].send_signal, [signal.SIGCONT]).start()

    told = Strike("told", "receive", every=2, times=2, value=stop)
    with scenario.proxy.striking(told):
        process = subprocess.Popen(
            [sys.executable, "-m", "courier_nb", "drain", scenario.source, *options],
            env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
        started.append(process)
        _, stderr = process.communicate(timeout=60)
    assert told.struck
    late = scenario.proxy.failed_items["ack_batch"] - before
    line = scenario.check_drained()
    print(f"\nstopped for 1.5 s with locks of 1 s, {told.struck} times: {line}; {late} acknowledgements came after a lock's end")
    assert "Traceback" not in stderr
    assert late == 0
