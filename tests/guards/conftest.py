"""A broker whose requests are counted, and clients with guards."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import httpx
import pytest

from courier_nb import AsyncClient, Message
from courier_nb.broker import LocalBroker, QueueConfig
from courier_nb.client import broker_settings

QUICK: dict[str, Any] = {"polling_time": "20ms", "progress": False}


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
def broker() -> Iterator[LocalBroker]:
    queues = [QueueConfig("dlq"), QueueConfig("queue", dead_letter_queue="dlq", max_deliveries=9), QueueConfig("fifo", fifo=True)]
    with LocalBroker(queues=queues) as broker:
        yield broker


class Counting(httpx.AsyncBaseTransport):
    """The broker's transport, which notes what was sent."""

    def __init__(self, inner: httpx.AsyncBaseTransport) -> None:
        self._inner = inner
        self.sent: list[tuple[str, str]] = []

    @property
    def changing(self) -> list[tuple[str, str]]:
        """What was sent to a destination."""
        return [(method, path) for method, path in self.sent if "/messages" in path]

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        self.sent.append((request.method, request.url.path))
        return await self._inner.handle_async_request(request)


Connect = Callable[..., tuple[AsyncClient, Counting]]


@pytest.fixture
def connect(broker: LocalBroker) -> Connect:
    def connected(**guards: Any) -> tuple[AsyncClient, Counting]:
        transport = Counting(broker.transport())
        return AsyncClient(replace(broker_settings(broker.settings), **guards), transport=transport), transport

    return connected


def messages(count: int) -> list[Message]:
    return [Message(f"body {i}", {"n": i}, {"messageId": f"m{i}"}) for i in range(count)]
