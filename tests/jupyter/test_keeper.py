"""Locks that do not run out while a real kernel is busy, and that are given back whatever way it ends.

The short form holds its locks for twelve seconds. ``COURIER_NB_HOLD_SECONDS=60`` is the full one: 500 locks of 20 seconds, and a
kernel that pure Python blocks for 60.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable

import pytest

from courier_nb import Client, Message
from courier_nb.broker import LocalBroker

from .conftest import Kernel

HOLD_SECONDS = int(os.environ.get("COURIER_NB_HOLD_SECONDS", "12"))
LOCK_SECONDS = HOLD_SECONDS // 3
COUNT = 500
BUSY = "import time\nend = time.monotonic() + {seconds}\nwhile time.monotonic() < end: sum(i * i for i in range(1_000))"


@pytest.fixture
def connecting(connecting: str) -> str:
    return connecting.replace("client_id=", "lock_ttl_unit='s', client_id=", 1)


def publish(client: Client, count: int = COUNT) -> None:
    messages = [Message("body", {}, {"messageId": f"m-{i}"}) for i in range(count)]
    assert client.destination("orders").publish(messages, progress=False).ok


def wait_until(condition: Callable[[], bool], *, seconds: float = 30) -> float:
    """Wait for another process; return how long it took."""
    began = time.monotonic()
    while not condition():
        assert time.monotonic() - began < seconds, "it never came true"
        time.sleep(0.01)
    return time.monotonic() - began


def all_back(broker: LocalBroker, count: int = COUNT) -> bool:
    return broker.depth("orders") == {"messages": count, "inflight": 0}


def receive(kernel: Kernel, connecting: str, *, count: int = COUNT, lock: str = f"{LOCK_SECONDS}s") -> None:
    cell = kernel.run(f"{connecting}\nrows = orders.receive({count}, lock_ttl={lock!r}, progress=False)\nprint(len(rows))")
    assert cell.text.strip() == str(count), cell


def test_no_lock_runs_out_while_pure_python_blocks_the_kernel(
    kernel: Kernel, client: Client, broker: LocalBroker, connecting: str
) -> None:
    publish(client)
    receive(kernel, connecting)
    busy = kernel.start(BUSY.format(seconds=HOLD_SECONDS))
    least = COUNT
    watched = time.monotonic()
    while time.monotonic() - watched < HOLD_SECONDS:
        least = min(least, broker.depth("orders")["inflight"])
        time.sleep(0.05)
    assert kernel.finish(busy, timeout=HOLD_SECONDS + 60).status == "ok"
    held = kernel.run("h = client.held(); print(h.counts, h.calls, h.frame().extended.min())").text.strip()
    assert least == COUNT
    assert held.startswith(f"{{'held': {COUNT}}}")
    kernel.start("client.close()")
    seconds = wait_until(lambda: all_back(broker))
    print(
        f"\n{COUNT} locks of {LOCK_SECONDS} s, kernel blocked for {HOLD_SECONDS} s: {held}; all back {seconds:.2f} s after close"
    )
    assert {row.delivery_count for row in broker.messages("orders", limit=COUNT)} == {1}
    assert seconds < 2


@pytest.mark.parametrize("ending", ["del client, orders, rows", "SIGTERM", "SIGTERM while busy", "shutdown", "restart"])
def test_what_is_held_comes_back_whatever_ends_the_kernel(
    kernel: Kernel, client: Client, broker: LocalBroker, connecting: str, ending: str
) -> None:
    publish(client)
    receive(kernel, connecting, lock="10m")
    pid = int(kernel.run("import os; print(os.getpid())").text)
    began = time.monotonic()
    if ending.startswith("del"):
        kernel.run(f"{ending}\nimport gc; gc.collect()")
    elif ending == "SIGTERM":
        os.kill(pid, signal.SIGTERM)
    elif ending == "SIGTERM while busy":
        kernel.start(BUSY.format(seconds=30))
        time.sleep(1)
        began = time.monotonic()
        os.kill(pid, signal.SIGTERM)
    elif ending == "shutdown":
        kernel.manager.shutdown_kernel(now=False)
    else:
        kernel.manager.restart_kernel(now=False)
    wait_until(lambda: all_back(broker))
    print(f"\n{ending}: {COUNT} messages back after {time.monotonic() - began:.2f} s")
    if ending.startswith("SIGTERM"):
        wait_until(lambda: not kernel.manager.is_alive())


def test_interrupts_in_between_change_nothing(kernel: Kernel, client: Client, broker: LocalBroker, connecting: str) -> None:
    publish(client, 50)
    receive(kernel, connecting, count=50, lock="3s")
    for _ in range(3):
        busy = kernel.start("print('begun', flush=True)\nimport time\nwhile True: time.sleep(0.1)")
        kernel.wait_for_text(busy, "begun")
        time.sleep(1.5)
        kernel.interrupt()
        assert kernel.finish(busy).error == "KeyboardInterrupt"
    assert broker.depth("orders") == {"messages": 0, "inflight": 50}
    assert kernel.run("print(orders.ack(rows.frame(), progress=False).counts)").text.strip() == "{'ok': 50}"


def test_after_a_stop_longer_than_the_lock_rows_say_so_and_nothing_is_settled(
    kernel: Kernel, client: Client, broker: LocalBroker, connecting: str
) -> None:
    publish(client, 30)
    receive(kernel, connecting, count=30, lock="3s")
    pid = int(kernel.run("import os; print(os.getpid())").text)
    os.kill(pid, signal.SIGSTOP)
    wait_until(lambda: all_back(broker, 30))
    time.sleep(0.5)
    os.kill(pid, signal.SIGCONT)
    settled = "r = orders.ack(rows.frame(), progress=False); print(r.counts, r.calls, set(rows.frame()['settlement']))"
    assert kernel.run(settled).text.strip() == "{'lost_lock': 30} 0 {'lost_lock'}"
    assert kernel.run("print(client.held().counts)").text.strip() == "{'lost_lock': 30}"
    assert all_back(broker, 30)
