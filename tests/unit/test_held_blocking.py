"""Holding with the blocking face, on the thread that nobody sees."""

from __future__ import annotations

import gc
import signal
import threading
import time
from collections.abc import Iterator

import pytest

from courier_nb import Client, Message
from courier_nb.broker import LocalBroker
from courier_nb.client import broker_settings


@pytest.fixture
def broker() -> Iterator[LocalBroker]:
    with LocalBroker(queues=["orders"]) as broker:
        yield broker


def connect(broker: LocalBroker) -> Client:
    client = Client(broker_settings(broker.settings), transport=broker.transport(), lock_ttl_unit="s")
    client.destination("orders").publish([Message("b", {}, {"messageId": f"m{i}"}) for i in range(20)], progress=False)
    return client


def test_what_is_not_settled_in_the_block_goes_back(broker: LocalBroker) -> None:
    with connect(broker) as client:
        orders = client.destination("orders")
        with orders.receive(20, progress=False) as rows:
            orders.ack(rows.frame().head(5), progress=False)
            assert len(client.held()) == len(orders.held()) == 15
        assert rows.frame()["settlement"].value_counts().to_dict() == {"returned": 15, "acked": 5}
        assert broker.depth("orders") == {"messages": 15, "inflight": 0}


def test_a_block_that_fails_gives_back_and_keeps_its_error(broker: LocalBroker) -> None:
    with connect(broker) as client:
        with pytest.raises(ZeroDivisionError), client.destination("orders").receive(20, progress=False):
            1 / 0  # noqa: B018
        assert broker.depth("orders") == {"messages": 20, "inflight": 0}


def test_a_client_that_nobody_uses_gives_back_and_one_whose_queue_is_used_does_not(broker: LocalBroker) -> None:
    orders = connect(broker).destination("orders")
    gc.collect()
    rows = orders.receive(20, progress=False)
    assert len(orders.held()) == len(rows) == 20
    del orders
    gc.collect()
    end = time.monotonic() + 20
    while broker.depth("orders")["inflight"]:
        assert time.monotonic() < end
        time.sleep(0.01)
    assert broker.depth("orders")["messages"] == 20


def test_the_signal_is_handled_only_while_something_is_held(broker: LocalBroker) -> None:
    with connect(broker) as client:
        orders = client.destination("orders")
        before = signal.getsignal(signal.SIGTERM)
        rows = orders.receive(5, progress=False)
        assert signal.getsignal(signal.SIGTERM) is not before
        orders.ack(rows, progress=False)
        assert signal.getsignal(signal.SIGTERM) is before
        orders.receive(5, progress=False)
    assert signal.getsignal(signal.SIGTERM) is before


def test_another_thread_may_hold_and_leaves_the_signal_alone(broker: LocalBroker) -> None:
    before = signal.getsignal(signal.SIGTERM)
    seen: list[object] = []

    def work() -> None:
        with connect(broker) as client:
            client.destination("orders").receive(5, progress=False)
            seen.append(signal.getsignal(signal.SIGTERM))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join(30)
    assert seen == [before]
    assert broker.depth("orders") == {"messages": 20, "inflight": 0}
