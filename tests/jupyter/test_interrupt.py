"""The stop button, in a real kernel."""

from __future__ import annotations

import re
import time
from pathlib import Path

import pytest

from courier_nb import Capture, Client, Message
from courier_nb.broker import LocalBroker

from .conftest import Kernel

SECONDS = 1.5  # half a second is promised; the machines that run this are noisy
COUNT = 6_000


def total(broker: LocalBroker) -> int:
    return sum(broker.depth("orders").values())


def publish(client: Client, count: int) -> set[str]:
    ids = [f"m-{i}" for i in range(count)]
    client.destination("orders").publish([Message("x" * 3_000, {}, {"messageId": id_}) for id_ in ids], progress=False)
    return set(ids)


def test_an_interrupted_drain_leaves_everything_in_order(
    kernel: Kernel, client: Client, broker: LocalBroker, connecting: str, tmp_path: Path
) -> None:
    published = publish(client, COUNT)
    folder = tmp_path / "capture"
    assert kernel.run(connecting).status == "ok"
    cell = kernel.start(f"orders.drain({str(folder)!r}, concurrency=8, lock_ttl='1h')")
    while total(broker) > COUNT * 0.8:
        time.sleep(0.005)  # watching another process: there is no clock to move

    began = time.monotonic()
    kernel.interrupt()
    ended = kernel.finish(cell)
    seconds = time.monotonic() - began
    left = total(broker)

    assert (ended.status, ended.error) == ("error", "KeyboardInterrupt")
    assert re.search(r"Interrupted: drain orders: [1-9]\d* of 6000 msg done", ended.traceback), ended.traceback
    assert "threading.py" not in ended.traceback
    assert kernel.run("1 + 1").text == "2"
    time.sleep(0.5)  # an acknowledgement that went on unseen would show now
    assert total(broker) == left
    assert left > 0, "the drain had ended before it was interrupted"
    acked = {m.message_id for m in Capture(folder).messages()}
    capture = Capture(folder)
    assert capture.recovered_rows == 0  # it is in Parquet already, not in a spool
    assert COUNT - left <= capture.settlements["acked"] + capture.settlements.get("unknown", 0)
    assert broker.depth("orders")["inflight"] == 0  # what was held went back, although the locks had an hour to go

    rest = client.destination("orders").drain(tmp_path / "rest", polling_time="100ms", progress=False)
    found = acked | {m.message_id for m in rest.messages()}
    print(f"\ninterrupted after {COUNT - left} of {COUNT} messages; the cell ended {seconds:.2f} s later; {capture.settlements}")
    assert found == published
    assert seconds < SECONDS

    again = kernel.run(f"orders.drain({str(folder)!r}, polling_time='100ms').report.stopped_because")
    assert "nothing visible" in again.text


@pytest.mark.parametrize("call", ["orders.peek(10, empties=1000)", "orders.receive(10, empties=1000)", "orders.receive_batch()"])
def test_an_interrupted_look_ends_and_returns_what_it_held(
    kernel: Kernel, client: Client, broker: LocalBroker, connecting: str, call: str
) -> None:
    publish(client, 3)
    kernel.run(connecting)
    if call == "orders.receive_batch()":
        kernel.run("orders.receive(3)")  # now it waits for a message that never comes
    cell = kernel.start(f"print('begun', flush=True); {call}")
    kernel.wait_for_text(cell, "begun")
    time.sleep(0.7)
    began = time.monotonic()
    kernel.interrupt()
    ended = kernel.finish(cell)
    assert ended.error == "KeyboardInterrupt"
    assert time.monotonic() - began < SECONDS
    if call != "orders.receive_batch()":
        assert broker.depth("orders") == {"messages": 3, "inflight": 0}


def test_async_methods_work_in_a_cell_that_already_runs_a_loop(kernel: Kernel, client: Client, connecting: str) -> None:
    publish(client, 4)
    kernel.run(connecting)
    code = (
        "aclient = courier_nb.AsyncClient(client.settings)\n"
        "received = await aclient.destination('orders').peek(4)\n"
        "await aclient.aclose()\n"
        "print(len(received.messages))"
    )
    assert kernel.run(code).text.strip() == "4"


def test_a_kernel_with_an_open_client_shuts_down_at_once(kernel: Kernel, connecting: str) -> None:
    kernel.run(connecting + "client.destinations()")
    began = time.monotonic()
    kernel.manager.shutdown_kernel(now=False)
    assert time.monotonic() - began < 5
