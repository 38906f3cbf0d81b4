"""A broker with a clock that stands still, and a client that says each operation in one word."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import quote

import anyio
import httpx
import pytest

from courier_nb.broker import LocalBroker
from courier_nb.core.clock import ManualClock


class Api:
    """Raw HTTP against one broker; every method returns the response as it came."""

    def __init__(self, client: httpx.AsyncClient, settings: dict[str, str]) -> None:
        self.client = client
        self.settings = settings
        self.token = ""

    @property
    def base(self) -> str:
        return f"/organizations/{self.settings['organization']}/environments/{self.settings['environment']}"

    def path(self, queue: str, *parts: str) -> str:
        return "/".join([f"{self.settings['url']}{self.base}/destinations", quote(queue, safe=""), "messages", *parts])

    async def authorize(self, path: str | None = None) -> str:
        fields = {key: self.settings[key] for key in ("client_id", "client_secret")} | {"grant_type": "client_credentials"}
        answer = await self.client.post(path or f"{self.settings['url']}/authorize", data=fields)
        answer.raise_for_status()
        self.token = answer.json()["access_token"]
        return self.token

    async def call(self, method: str, url: str, value: Any = None, content: bytes | None = None, **more: Any) -> httpx.Response:
        if value is not None:
            content = json.dumps(value).encode()
        for attempt in (1, 2):
            headers = {"Authorization": f"Bearer {self.token}", "Content-Type": "application/json"}
            answer = await self.client.request(method, url, content=content, headers=headers, **more)
            if answer.status_code != 401 or attempt == 2:
                return answer
            await self.authorize()  # the clock of a test may have passed the hour of a token
        raise AssertionError

    async def publish(self, queue: str, *bodies: str, **headers: Any) -> list[str]:
        items = [{"headers": {"messageId": f"id of {body}", **headers}, "body": body} for body in bodies]
        answer = await self.call("PUT", self.path(queue), items)
        assert answer.status_code == 200, answer.text
        assert [item["status"] for item in answer.json()] == ["successful"] * len(bodies)
        return [item["messageId"] for item in answer.json()]

    async def poll(self, queue: str, **params: Any) -> httpx.Response:
        return await self.call("GET", self.path(queue), params={"pollingTime": 0, "batchSize": 10, **params}, timeout=30)

    async def receive(self, queue: str, **params: Any) -> list[dict[str, Any]]:
        answer = await self.poll(queue, **params)
        assert answer.status_code in (200, 204), answer.text
        return answer.json() if answer.status_code == 200 else []

    async def bodies(self, queue: str, **params: Any) -> list[str]:
        return [message["body"] for message in await self.receive(queue, **params)]

    async def ack(self, queue: str, message: dict[str, Any]) -> httpx.Response:
        headers = message["headers"]
        return await self.call("DELETE", self.path(queue, quote(headers["messageId"], safe="")), {"lockId": headers["lockId"]})

    async def nack(self, queue: str, message: dict[str, Any]) -> httpx.Response:
        return await self.call("DELETE", self.lock_path(queue, message))

    async def extend(self, queue: str, message: dict[str, Any], ttl: int) -> httpx.Response:
        return await self.call("PATCH", self.lock_path(queue, message), {"ttl": ttl})

    def lock_path(self, queue: str, message: dict[str, Any]) -> str:
        headers = message["headers"]
        return self.path(queue, quote(headers["messageId"], safe=""), "locks", quote(headers["lockId"], safe=""))


def locks(*messages: dict[str, Any], **more: Any) -> list[dict[str, Any]]:
    """Return what names these deliveries in a batch call."""
    return [{key: message["headers"][key] for key in ("messageId", "lockId")} | more for message in messages]


@asynccontextmanager
async def open_api(broker: LocalBroker) -> AsyncIterator[Api]:
    async with httpx.AsyncClient(transport=broker.transport()) as client:
        api = Api(client, broker.settings)
        await api.authorize()
        yield api


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
async def broker(clock: ManualClock, anyio_backend: str) -> AsyncIterator[LocalBroker]:
    """Queue ``q``; queue ``work``, which gives up on a message after two deliveries and sends it to ``dead``."""
    async with LocalBroker(queues=["q", "dead"], clock=clock) as broker:
        broker.create_queue("work", dead_letter_queue="dead", max_deliveries=2, default_lock_ttl="1m")
        yield broker


@pytest.fixture
async def api(broker: LocalBroker) -> AsyncIterator[Api]:
    async with open_api(broker) as api:
        yield api


@pytest.fixture
def polling(broker: LocalBroker) -> Callable[..., Awaitable[None]]:
    """Return an async function that goes on as soon as so many long polls wait."""

    async def polling(count: int = 1) -> None:
        with anyio.fail_after(10):
            while broker._engine.committer.waiting != count:
                await anyio.sleep(0.001)

    return polling


@pytest.fixture(name="locks")
def locks_fixture() -> Callable[..., list[dict[str, Any]]]:
    return locks


@pytest.fixture(name="open_api")
def open_api_fixture() -> Callable[[LocalBroker], Any]:
    return open_api
