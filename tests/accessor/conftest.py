"""The embedded broker with two queues and their dead-letter queues, and a client of it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

import courier_nb
from courier_nb import Client, Message, Received

QUICK: dict[str, Any] = {"polling_time": "20ms", "progress": False}
NAMES = ("shop", "bills")


@pytest.fixture
def client() -> Iterator[Client]:
    with courier_nb.connect("local", lock_ttl_unit="s") as client:
        for name in NAMES:
            client.broker.create_queue(f"{name}-dead")
            client.broker.create_queue(name, dead_letter_queue=f"{name}-dead", max_deliveries=3)
        yield client
    left = [queue.id for queue in client.broker.queues()]
    for name in (*NAMES, *(f"{name}-dead" for name in NAMES)):
        if name in left:
            client.broker.delete_queue(name)


def fill(client: Client, name: str, *bodies: str) -> Received:
    """Publish bodies into a queue and receive them."""
    queue = client.destination(name)
    queue.publish([Message(body, {}, {"messageId": f"{name}-{i}"}) for i, body in enumerate(bodies)], progress=False)
    return queue.receive(len(bodies), **QUICK)


def waiting(client: Client, name: str) -> list[str]:
    """Return the ids of the messages in a queue, locked ones included."""
    return sorted(message.id for message in client.broker.messages(name))
