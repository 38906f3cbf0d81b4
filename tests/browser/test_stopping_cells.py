"""The application's own stop button, while a cell works on a queue."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from courier_nb import Capture, Client, Message
from courier_nb.broker import ServedBroker

from . import timings
from .conftest import Opened

pytestmark = pytest.mark.browser
COUNT = 900
CELLS = [
    "import courier_nb\norders = courier_nb.connect().destination('orders')",
    "orders.drain('captured', rate='300 msg/s', lock_ttl='1h')",
]


def total(broker: ServedBroker) -> int:
    return sum(broker.depth("orders").values())


def test_a_drain_in_a_cell_is_stopped_and_no_message_is_lost(opened: Opened, broker: ServedBroker, client: Client) -> None:
    published = [f"m-{number}" for number in range(COUNT)]
    client.destination("orders").publish([Message("x", {}, {"messageId": id_}) for id_ in published], progress=False)
    notebook = opened(CELLS)
    notebook.run_cell(0)
    notebook.run_cell(1, wait=False)
    end = time.monotonic() + 30
    while total(broker) > COUNT * 0.8 and time.monotonic() < end:
        notebook.page.wait_for_timeout(20)

    began = time.monotonic()
    notebook.interrupt()
    assert notebook.python("1 + 1") == 2
    timings.record(notebook.app, "stop of a drain until the kernel is free", time.monotonic() - began)

    assert notebook.errors() == ["KeyboardInterrupt: "]
    left = total(broker)
    assert 0 < left < COUNT
    assert broker.depth("orders") == {"messages": left, "inflight": 0}  # what was held went back, although the locks had an hour
    captured = {message.message_id for message in Capture(Path(notebook.file.parent, "captured")).messages()}
    waiting = {message.id for message in broker.messages("orders", limit=COUNT)}
    assert captured | waiting == set(published)
