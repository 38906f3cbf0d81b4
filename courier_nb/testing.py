"""A pytest plugin: the local broker as a fixture, for projects that use Anypoint MQ.

pytest loads it by itself wherever this package is installed. Nothing is imported or started until a test asks for
`courier_broker`.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from courier_nb.broker import BrokerConfig
    from courier_nb.broker.served import ServedBroker
    from courier_nb.core.clock import Clock


@pytest.fixture
def courier_broker_config() -> BrokerConfig | str | Path:
    """The broker's settings, a `BrokerConfig` or the path of a TOML file; override it to have other queues.

    By default: a queue ``orders``, whose messages go to ``orders-dlq`` after three failed deliveries.
    """
    from courier_nb.broker import BrokerConfig, QueueConfig

    orders = QueueConfig("orders", dead_letter_queue="orders-dlq", max_deliveries=3)
    return BrokerConfig(queues=(orders, QueueConfig("orders-dlq")))


@pytest.fixture
def courier_broker_clock() -> Clock:
    """The broker's clock; override it with one that returns a `ManualClock` to step through locks, delays and expiry."""
    from courier_nb.core.clock import SystemClock

    return SystemClock()


@pytest.fixture
def courier_broker(courier_broker_config: BrokerConfig | str | Path, courier_broker_clock: Clock) -> Iterator[ServedBroker]:
    """A broker of this test's own, in memory, served on a free port of 127.0.0.1.

    Yields
    ------
    ServedBroker
        ``settings`` and ``environ`` say how to reach it; ``messages`` shows what a queue holds without spending a delivery;
        ``faults`` lets it misbehave; ``create_queue``, ``create_exchange``, ``purge`` and ``depth`` do what they say.
    """
    from courier_nb.broker import BrokerConfig, load_config
    from courier_nb.broker.served import ServedBroker

    config = courier_broker_config if isinstance(courier_broker_config, BrokerConfig) else load_config(courier_broker_config)
    with ServedBroker(config, clock=courier_broker_clock) as broker, broker.answering():
        yield broker
