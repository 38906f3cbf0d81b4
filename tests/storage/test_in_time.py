"""A drain flushes and acknowledges as it goes: groups that are full, locks that run out, disks that are slow."""

from __future__ import annotations

import json
import os
import time
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest

from courier_nb import AsyncClient, Message
from courier_nb.broker import LocalBroker, QueueConfig
from courier_nb.client import broker_settings
from courier_nb.storage import disk

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


class Counting(httpx.AsyncBaseTransport):
    """Counts the messages that acknowledgements were sent for."""

    def __init__(self, inner: httpx.AsyncBaseTransport) -> None:
        self._inner = inner
        self.acks = 0

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        if request.method == "DELETE" and request.url.path.endswith("/messages"):
            self.acks += len(json.loads(request.content))
        return await self._inner.handle_async_request(request)


@pytest.fixture
async def counted(anyio_backend: str) -> AsyncIterator[tuple[AsyncClient, Counting]]:
    queues = [QueueConfig("fifo", fifo=True), QueueConfig("queue", max_deliveries=100)]
    with LocalBroker(queues=queues) as broker:
        transport = Counting(broker.transport())
        async with AsyncClient(broker_settings(broker.settings), transport=transport) as client:
            yield client, transport


async def test_a_fifo_queue_with_one_group_drains_to_the_end_though_ten_are_in_flight_at_most(
    counted: tuple[AsyncClient, Counting], tmp_path: Path
) -> None:
    client, transport = counted
    count = 5_000 if os.environ.get("COURIER_NB_STEPS") == "all" else 500
    queue = client.destination("fifo")
    sent = [Message(f"body {i}", {}, {"messageId": f"m{i}", "messageGroupId": "one"}) for i in range(count)]
    assert (await queue.publish(sent, progress=False)).ok
    capture = await queue.drain(tmp_path / "cap", polling_time="10ms", progress=False)
    assert capture.settlements == {"acked": count}
    assert [m.message_id for m in capture.messages()] == [f"m{i}" for i in range(count)]
    assert len(list((tmp_path / "cap").glob("*.parquet"))) == 1
    assert transport.acks == count


async def test_a_lock_that_ran_out_while_the_disk_was_slow_is_not_acknowledged_and_says_so(
    counted: tuple[AsyncClient, Counting], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    client, transport = counted
    queue = client.destination("queue")
    assert (await queue.publish([Message(f"body {i}", {}, {"messageId": f"m{i}"}) for i in range(40)], progress=False)).ok
    read_back, slow = disk.read_back, [True]

    def slow_once(descriptor: int, start: int, size: int) -> bytes:
        if slow and slow.pop():
            time.sleep(2.1)  # longer than the lock; this is the only place where a drain waits for its spool and nothing else
        return read_back(descriptor, start, size)

    monkeypatch.setattr(disk, "read_back", slow_once)
    capture = await queue.drain(tmp_path / "cap", lock_ttl="2s", polling_time="100ms", empties=30, limit=80, progress=False)
    report = capture.report
    assert report.lost_lock > 0
    assert report.refused == report.unknown == 0
    assert transport.acks == report.acked  # what was not in time was not even tried
    while len(capture) < 40 or capture.settlements["acked"] < 40:
        capture = await queue.drain(tmp_path / "cap", lock_ttl="2s", polling_time="100ms", progress=False)
    assert sorted(m.message_id for m in capture.messages()) == sorted(f"m{i}" for i in range(40))
    assert capture.settlements["lost_lock"] == capture.duplicates == report.lost_lock
    assert capture.verify().ok
