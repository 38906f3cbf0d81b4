"""Ten actions by mouse; the Python that they were shown to equal, run as a program, leaves another broker in the same state."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import expect

from courier_nb import Client, Message
from courier_nb.broker import BrokerConfig, ServedBroker
from courier_nb.client import broker_settings

from .bench import BROWSE, CONNECT, Bench, open_bench
from .conftest import IN_LAB, QUEUES, Opened

pytestmark = [pytest.mark.browser, IN_LAB]


def prepare(broker: ServedBroker) -> None:
    with Client(broker_settings(broker.settings)) as client:
        for queue, count in (("orders-dlq", 40), ("parked", 12)):
            messages = [Message(f'{{"n": {i}}}', {"i": i}, {"messageId": f"{queue}-{i:02}"}) for i in range(count)]
            client.destination(queue).publish(messages, progress=False, concurrency=1)


def state(broker: ServedBroker) -> dict[str, list[Any]]:
    """What every queue holds, without what no two runs have alike: times, and which run a copy came from."""
    return {
        queue.id: sorted(
            [
                message.id,
                message.body,
                {name: value for name, value in message.properties.items() if name != "courier_nb.run"},
                message.delivery_count,
                message.in_flight,
            ]
            for message in broker.messages(queue.id, limit=1_000)
        )
        for queue in broker.queues()
    }


def ten_actions(bench: Bench) -> None:
    """Nothing here depends on the order in which a standard queue gives out what was returned to it: no run repeats that."""
    bench.take("orders-dlq", 20)  # 1: receive
    bench.row("orders-dlq-03").click()
    bench.row("orders-dlq-06").click(modifiers=["Shift"])
    bench.confirm(bench.begin("Settle", "Ack: delete"))  # 2
    bench.row("orders-dlq-10").click()
    bench.row("orders-dlq-12").click(modifiers=["Control"])
    bench.ended(bench.begin("Settle", "Extend locks"))  # 3
    bench.confirm(bench.begin("Settle", "Nack: return"))  # 4
    bench.row("orders-dlq-00").click()
    bench.row("orders-dlq-02").click(modifiers=["Shift"])
    bench.fill("Replay", Into="orders")
    bench.confirm(bench.begin("Replay", "Replay"))  # 5
    bench.confirm(bench.begin("Settle", "Release all"))  # 6
    bench.take("parked", 12, how="Peek")  # 7
    bench.fill("Move", To="orders")
    bench.confirm(bench.begin("Move", "Move"))  # 8
    bench.pick("orders-dlq")
    bench.fill("Drain", Folder="captured")
    bench.confirm(bench.begin("Drain", "Drain"))  # 9
    bench.confirm(bench.begin("Drain", "Undo the last drain"))  # 10


def test_the_script_of_ten_clicks_leaves_another_broker_in_the_same_state(
    opened: Opened, broker: ServedBroker, tmp_path: Path
) -> None:
    prepare(broker)
    before = state(broker)
    bench = open_bench(opened([CONNECT, BROWSE]), 1)
    ten_actions(bench)
    bench.root.get_by_role("tab", name="Python", exact=True).click()
    bench.root.get_by_role("button", name="Copy Python of all actions").click()
    expect(bench.root.get_by_text("Copied.", exact=True)).to_be_visible()
    script = bench.notebook.clipboard()
    assert len(bench.notebook.python("workbench.script.steps")) == 10
    bench.notebook.python("client.close()")

    (tmp_path / "script.py").write_text(script)
    with ServedBroker(BrokerConfig(queues=QUEUES)) as other, other.answering():
        prepare(other)
        assert state(other) == before
        env = {**os.environ, **other.environ, "XDG_STATE_HOME": str(tmp_path / "s"), "XDG_DATA_HOME": str(tmp_path / "d")}
        run = subprocess.run([sys.executable, "script.py"], cwd=tmp_path, env=env, capture_output=True, text=True, timeout=120)
        assert run.returncode == 0, f"{run.stderr[-2_000:]}\n{script}"
        assert state(other) == state(broker), script
    assert state(broker) != before
