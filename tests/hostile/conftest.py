"""A broker that carries everything JSON can, and clients of it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from courier_nb import Client
from courier_nb.broker import LocalBroker, QueueConfig
from courier_nb.client import broker_settings


@pytest.fixture
def broker() -> Iterator[LocalBroker]:
    queues = [
        QueueConfig("queue"),
        QueueConfig("again"),
        QueueConfig("fifo-dlq", fifo=True),
        QueueConfig("fifo", fifo=True),
    ]
    with LocalBroker(queues=queues) as broker:
        yield broker


@pytest.fixture
def client(broker: LocalBroker) -> Iterator[Client]:
    with Client(broker_settings(broker.settings), transport=broker.transport()) as client:
        yield client
