"""A capture of a few messages of different shapes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from courier_nb import Capture, Client, Destination, Message
from courier_nb.broker import LocalBroker, QueueConfig
from courier_nb.client import broker_settings

SECRET = "4111-1111-1111-1111"


@pytest.fixture
def client() -> Iterator[Client]:
    with (
        LocalBroker(queues=[QueueConfig("orders")]) as broker,
        Client(broker_settings(broker.settings), transport=broker.transport()) as client,
    ):
        yield client


@pytest.fixture
def orders(client: Client) -> Destination:
    return client.destination("orders")


@pytest.fixture
def capture(orders: Destination, tmp_path: Path) -> Capture:
    """Six messages: `event` is text, `amount` sometimes a fraction, `odd` of two kinds, `big` beyond 64 bits once."""
    properties = [
        {"event": "push", "amount": 1, "odd": 1, "big": 2**70, "yes": True},
        {"event": "push", "amount": 2.5, "odd": "one"},
        {"event": "pull", "amount": 4, "big": 1, "yes": False},
        {"event": "pull", "odd.name with spaces": "x"},
        {"event": 'it\'s "quoted"'},
        {},
    ]
    bodies = [f'{{"order": {{"total": {i * 50}, "card": "{SECRET}"}}}}' for i in range(5)] + ["no json"]
    orders.publish(
        [Message(body, dict(p), {"messageId": f"m-{i}"}) for i, (body, p) in enumerate(zip(bodies, properties, strict=True))]
    )
    found = orders.drain(tmp_path / "capture", polling_time="10ms", progress=False)
    assert isinstance(found, Capture)
    return found
