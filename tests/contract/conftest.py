"""A broker with a clock of its own, reached in-process and over a real socket: every test here runs both ways."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Iterator

import httpx
import pytest

from courier_nb import AsyncClient, AsyncDestination
from courier_nb.broker import LocalBroker, QueueConfig
from courier_nb.client import broker_settings
from courier_nb.core.clock import ManualClock

MAX_DELIVERIES = 3


class RunningClock(ManualClock):
    """Real time that can also be moved: the client's shortest poll is a millisecond, which must pass by itself."""

    def time(self) -> float:
        return super().time() + time.monotonic()

    def monotonic(self) -> float:
        return super().monotonic() + time.monotonic()


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
def clock() -> ManualClock:
    return RunningClock()


@pytest.fixture
def broker(clock: ManualClock) -> Iterator[LocalBroker]:
    queues = [QueueConfig("dlq"), QueueConfig("queue", dead_letter_queue="dlq", max_deliveries=MAX_DELIVERIES)]
    with LocalBroker(queues=queues, clock=clock) as broker:
        yield broker


@pytest.fixture(params=["in_process", "socket"])
def reached(
    request: pytest.FixtureRequest, broker: LocalBroker
) -> Iterator[tuple[dict[str, str], httpx.AsyncBaseTransport | None]]:
    if request.param == "in_process":
        yield broker.settings, broker.transport()
    else:
        with broker.serving() as announced:
            yield announced, None


@pytest.fixture
async def client(reached: tuple[dict[str, str], httpx.AsyncBaseTransport | None]) -> AsyncIterator[AsyncClient]:
    announced, transport = reached
    async with AsyncClient(broker_settings(announced), transport=transport) as client:
        yield client


@pytest.fixture
def queue(client: AsyncClient) -> AsyncDestination:
    return client.destination("queue")


@pytest.fixture
def dlq(client: AsyncClient) -> AsyncDestination:
    return client.destination("dlq")
