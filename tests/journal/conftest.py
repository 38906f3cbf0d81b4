"""A broker in this process, a client whose journal is in a folder of the test's own, and what it wrote."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest

from courier_nb import AsyncClient, AsyncDestination, Message
from courier_nb.broker import LocalBroker, QueueConfig
from courier_nb.client import broker_settings

QUICK: dict[str, Any] = {"polling_time": "20ms", "progress": False}


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
def broker() -> Iterator[LocalBroker]:
    with LocalBroker(queues=[QueueConfig("dlq"), QueueConfig("queue", dead_letter_queue="dlq", max_deliveries=9)]) as broker:
        yield broker


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "journal"


class Watched(httpx.AsyncBaseTransport):
    """The broker's transport; a test may look on, or answer itself, at the moment of a request."""

    def __init__(self, inner: httpx.AsyncBaseTransport) -> None:
        self._inner = inner
        self.look: Callable[[httpx.Request], httpx.Response | None] = lambda request: None

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        answer = self.look(request) if "/destinations/" in request.url.path and "/messages" in request.url.path else None
        return answer or await self._inner.handle_async_request(request)


@pytest.fixture
def transport(broker: LocalBroker) -> Watched:
    return Watched(broker.transport())


@pytest.fixture
async def client(broker: LocalBroker, transport: Watched, folder: Path) -> AsyncIterator[AsyncClient]:
    settings = replace(broker_settings(broker.settings), journal=str(folder))
    async with AsyncClient(settings, transport=transport) as client:
        yield client


@pytest.fixture
def queue(client: AsyncClient) -> AsyncDestination:
    return client.destination("queue")


def messages(count: int, start: int = 0) -> list[Message]:
    return [Message(f"body {i}", {"n": i}, {"messageId": f"m{i}"}) for i in range(start, start + count)]


def lines(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for path in sorted(folder.glob("*.jsonl")) for line in path.read_text().splitlines()]
