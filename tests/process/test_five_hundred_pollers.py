"""Five hundred long polls on one broker process, over real sockets: who gets what, how soon, and what waiting costs.

The figures are printed: ``python -m pytest -s tests/process/test_five_hundred_pollers.py``.
"""

from __future__ import annotations

import asyncio
import json
import random
import statistics
import sys
import time
from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from pathlib import Path
from typing import Any, Self
from urllib.parse import quote

import aiohttp
import psutil
import pytest

from .broker_process import BrokerProcess

POLLERS = 500
PACED = 100
BURST = 1_000
MOST_IDLE = 0.05  # of one processor
WINDOW = 3.0  # seconds
CONFIG = """
[[queue]]
id = "standard"
[[queue]]
id = "fifo"
fifo = true
[[queue]]
id = "dead"
[[queue]]
id = "busy"
dead_letter_queue = "dead"
max_deliveries = 3
"""

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="NOT RUN: needs five hundred sockets in one event loop")


class Crowd:
    """A client with any number of connections to one broker.

    Attributes
    ----------
    process : psutil.Process
        The broker's.
    """

    def __init__(self, settings: dict[str, str], pid: int) -> None:
        self.process = psutil.Process(pid)
        self._settings = settings
        self._session = aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0), timeout=aiohttp.ClientTimeout(total=60))

    async def __aenter__(self) -> Self:
        fields = {key: self._settings[key] for key in ("client_id", "client_secret")} | {"grant_type": "client_credentials"}
        async with self._session.post(f"{self._settings['url']}/authorize", data=fields) as answer:
            self._session.headers["Authorization"] = f"Bearer {(await answer.json())['access_token']}"
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._session.close()

    async def publish(self, queue: str, bodies: Sequence[str], groups: int = 0) -> None:
        items = [
            {"headers": {"messageId": f"id-{body}"} | _group(body, groups), "body": json.dumps([body, time.time()])}
            for body in bodies
        ]
        results = await self._call("PUT", f"{queue}/messages", items)
        assert all(result["status"] == "successful" for result in results)

    async def receive(self, queue: str, *, seconds: float, size: int = 1) -> list[dict[str, Any]]:
        query = f"?batchSize={size}&pollingTime={int(seconds * 1_000)}&lockTtl=600000"
        messages: list[dict[str, Any]] = await self._call("GET", f"{queue}/messages{query}") or []
        return messages

    async def ack(self, queue: str, message: dict[str, Any]) -> None:
        headers = message["headers"]
        path = f"{queue}/messages/{quote(headers['messageId'], safe='')}"
        assert (await self._call("DELETE", path, {"lockId": headers["lockId"]}))["status"] == "successful"

    async def take_everything(self, queue: str) -> list[dict[str, Any]]:
        """Receive until nothing is visible any more."""
        found: list[dict[str, Any]] = []
        while messages := await self.receive(queue, seconds=0, size=10):
            found += messages
        return found

    @asynccontextmanager
    async def waiting(self, queue: str, count: int = POLLERS) -> AsyncIterator[list[asyncio.Task[list[dict[str, Any]]]]]:
        """Let so many polls of 20 seconds wait while the block runs."""
        async with AsyncExitStack() as stack:
            polls = [asyncio.create_task(self.receive(queue, seconds=20)) for _ in range(count)]
            for poll in polls:
                stack.push_async_callback(_ended, poll)
            await self.at_rest()
            yield polls

    async def at_rest(self) -> None:
        """Return when the broker has nothing more to do."""
        spent = -1.0
        while self.spent() - spent > 0.01:
            spent = self.spent()
            await asyncio.sleep(0.3)  # another process is at work: there is no clock to move

    def spent(self) -> float:
        """Return the processor time of the broker, in seconds."""
        times = self.process.cpu_times()
        return times.user + times.system

    async def idle(self) -> float:
        """Return which part of one processor the broker uses in the next seconds."""
        begun, spent = time.monotonic(), self.spent()
        await asyncio.sleep(WINDOW)
        return (self.spent() - spent) / (time.monotonic() - begun)

    async def _call(self, method: str, path: str, value: Any = None) -> Any:
        place = f"organizations/{self._settings['organization']}/environments/{self._settings['environment']}/destinations"
        async with self._session.request(method, f"{self._settings['url']}/{place}/{path}", json=value) as answer:
            assert answer.status in (200, 201, 204), await answer.text()
            return await answer.json() if answer.status != 204 else None


@asynccontextmanager
async def crowd(folder: Path) -> AsyncIterator[Crowd]:
    """Start a broker and connect to it."""
    _allow_many_connections()
    async with BrokerProcess(folder, CONFIG).running() as (process, settings), Crowd(settings, process.pid) as clients:
        yield clients


@pytest.mark.parametrize(("queue", "groups"), [("standard", 0), ("fifo", 100)])
def test_every_message_reaches_one_of_five_hundred_pollers_once(tmp_path: Path, queue: str, groups: int) -> None:
    got: Counter[str] = Counter()
    order: dict[str, list[int]] = defaultdict(list)
    latencies: list[float] = []

    async def poll(clients: Crowd) -> None:
        while got.total() < PACED + BURST:
            for message in await clients.receive(queue, seconds=20):
                number, published = json.loads(message["body"])
                got[number] += 1
                order[_group(number, groups).get("messageGroupId", "")].append(int(number))
                latencies.append(time.time() - published)
                assert message["headers"]["deliveryCount"] == "1"
                await clients.ack(queue, message)

    async def run() -> list[dict[str, Any]]:
        async with crowd(tmp_path) as clients:
            polls = [asyncio.create_task(poll(clients)) for _ in range(POLLERS)]
            await clients.at_rest()
            for number in range(PACED):
                await clients.publish(queue, [str(number)], groups)
                await asyncio.sleep(0.01)
            await _until(lambda: len(latencies) == PACED)
            for first in range(PACED, PACED + BURST, 10):
                await clients.publish(queue, [str(number) for number in range(first, first + 10)], groups)
            await _until(lambda: len(latencies) == PACED + BURST)
            await clients.at_rest()  # whatever else it may want to give out
            for task in polls:
                await _ended(task)
            return await clients.take_everything(queue)

    left = asyncio.run(run())
    paced = sorted(latencies[:PACED])
    print(
        f"\n{queue}: {POLLERS} polls; one message at a time reaches a poller in {statistics.median(paced) * 1e3:.1f} ms (median),"
        f" {paced[int(PACED * 0.99)] * 1e3:.1f} ms (99 %); of {BURST} at full speed the slowest in {max(latencies[PACED:]):.2f} s"
    )
    assert got == dict.fromkeys(map(str, range(PACED + BURST)), 1)
    assert left == []
    if groups:
        assert all(numbers == sorted(numbers) for numbers in order.values())


def test_five_hundred_waiting_pollers_cost_nothing(tmp_path: Path) -> None:
    async def run() -> float:
        async with crowd(tmp_path) as clients, clients.waiting("standard") as polls:
            idle = await clients.idle()
            assert not any(poll.done() for poll in polls)
            return idle

    idle = asyncio.run(run())
    print(f"\n{POLLERS} waiting polls use {idle:.2%} of a processor")
    assert idle < MOST_IDLE


def test_pollers_of_a_dead_letter_queue_cost_nothing_while_its_source_is_busy(tmp_path: Path) -> None:
    async def work(clients: Crowd) -> None:
        """Publish ten, take ten, ack nine: all the time there are locks in the source that end some time."""
        for number in range(1_000_000):
            await clients.publish("busy", [f"{number}-{item}" for item in range(10)])
            for message in (await clients.receive("busy", seconds=0, size=10))[:9]:
                await clients.ack("busy", message)
            await asyncio.sleep(0.25)

    async def run() -> tuple[float, float]:
        async with crowd(tmp_path) as clients:
            working = asyncio.create_task(work(clients))
            alone = await clients.idle()
            polls = [asyncio.create_task(clients.receive("dead", seconds=20)) for _ in range(POLLERS)]
            await asyncio.sleep(2)  # for their beginning, which is not what is measured
            together = await clients.idle()
            assert not any(task.done() for task in (*polls, working))
            for task in (*polls, working):
                await _ended(task)
            return alone, together

    alone, together = asyncio.run(run())
    print(f"\nthe busy source uses {alone:.2%} of a processor, with {POLLERS} polls of its dead-letter queue {together:.2%}")
    assert together - alone < MOST_IDLE


def test_pollers_that_vanish_take_no_message_with_them(tmp_path: Path) -> None:
    dice = random.Random(1)

    async def run() -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
        async with crowd(tmp_path) as clients, clients.waiting("standard") as polls:
            vanishing = dice.sample(polls, POLLERS // 2)
            staying = [poll for poll in polls if poll not in vanishing]
            for poll in vanishing:
                poll.cancel()
            numbers = range(POLLERS)  # a message for everybody who was there
            await asyncio.gather(
                *[clients.publish("standard", [str(n) for n in numbers[i : i + 10]]) for i in range(0, POLLERS, 10)]
            )
            received = [message for messages in await asyncio.gather(*staying) for message in messages]
            await clients.at_rest()
            return received, await clients.take_everything("standard")

    received, left = asyncio.run(run())
    numbers = [json.loads(message["body"])[0] for message in received + left]
    print(
        f"\n{len(received)} messages reached those who stayed, {len(left)} were left, none was locked for somebody who vanished"
    )
    assert len(received) == POLLERS - POLLERS // 2
    assert sorted(numbers, key=int) == [str(number) for number in range(POLLERS)]
    assert {message["headers"]["deliveryCount"] for message in received + left} == {"1"}


def _group(number: str, groups: int) -> dict[str, str]:
    return {"messageGroupId": f"g{int(number) % groups}"} if groups else {}


async def _ended(task: asyncio.Task[Any]) -> None:
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task


async def _until(condition: Any, seconds: float = 30) -> None:
    async with asyncio.timeout(seconds):
        while not condition():
            await asyncio.sleep(0.01)


def _allow_many_connections() -> None:
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = 4 * POLLERS if hard == resource.RLIM_INFINITY else min(4 * POLLERS, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
