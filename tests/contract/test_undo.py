"""Undo: what a drain took away is where it was, once."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import httpx
import pytest

from courier_nb import AsyncClient, Capture, CaptureDamaged, InvalidArgument, Message
from courier_nb.broker import Fault, LocalBroker, QueueConfig
from courier_nb.broker.config.broker import BrokerConfig
from courier_nb.client import broker_settings
from courier_nb.core import moments
from courier_nb.core.clock import ManualClock
from courier_nb.core.errors import ReadOnly

pytestmark = pytest.mark.anyio
QUICK: dict[str, Any] = {"polling_time": "20ms", "progress": False}


@pytest.fixture
def broker() -> Iterator[LocalBroker]:
    queues = [QueueConfig("dlq"), QueueConfig("queue"), QueueConfig("fifo", fifo=True)]
    with LocalBroker(BrokerConfig(), queues=queues) as broker:
        yield broker


@pytest.fixture
async def client(broker: LocalBroker) -> AsyncIterator[AsyncClient]:
    async with AsyncClient(broker_settings(broker.settings), transport=broker.transport()) as client:
        yield client


def held_by(broker: LocalBroker, queue: str) -> list[tuple[Any, ...]]:
    return [(m.id, m.body, m.properties, m.headers.get("messageGroupId")) for m in broker.messages(queue, limit=1_000)]


def rows(count: int, groups: int = 0) -> list[Message]:
    return [
        Message(
            f"body {i} ÄÖ€\x00",
            {"n": i, "t": str(i), "f": 0.5, "courier_nb.run": "of my own"},
            {"messageId": f"m{i}", **({"messageGroupId": f"g{i % groups}"} if groups else {})},
        )
        for i in range(count)
    ]


async def drained(client: AsyncClient, queue: str, folder: Path) -> tuple[Capture, str]:
    capture = await client.destination(queue).drain(folder, **QUICK)
    assert isinstance(capture, Capture)
    return capture, str(capture.frame(["run"])["run"].iloc[-1])


async def test_an_undo_puts_back_exactly_what_was_there_and_does_it_once(
    client: AsyncClient, broker: LocalBroker, tmp_path: Path
) -> None:
    await client.destination("queue").publish(rows(35, groups=4), progress=False)
    before = held_by(broker, "queue")
    _, run = await drained(client, "queue", tmp_path / "cap")
    assert held_by(broker, "queue") == []
    plan = await client.undo(run, dry_run=True)  # the journal knows where the capture is
    assert (plan.destination, plan.to_do, plan.details["ids"]) == ("queue", 35, "keep")
    first = await client.undo(run, progress=False)
    second = await client.undo(run, progress=False)
    assert (first.counts, second.counts) == ({"ok": 35}, {"skipped": 35})
    assert sorted(map(str, held_by(broker, "queue"))) == sorted(map(str, before))
    for group in range(4):
        mine = [row for row in held_by(broker, "queue") if row[3] == f"g{group}"]
        assert mine == [row for row in before if row[3] == f"g{group}"]


async def test_only_the_run_that_is_named_is_undone(client: AsyncClient, broker: LocalBroker, tmp_path: Path) -> None:
    queue = client.destination("queue")
    await queue.publish(rows(5), progress=False)
    await drained(client, "queue", tmp_path / "cap")
    await queue.publish(rows(8)[5:], progress=False)
    capture, run = await drained(client, "queue", tmp_path / "cap")
    assert len(capture) == 8
    assert (await client.undo(run, capture=tmp_path / "cap", progress=False)).counts == {"ok": 3}
    assert [row[0] for row in held_by(broker, "queue")] == ["m5", "m6", "m7"]


async def test_what_may_still_be_in_the_queue_is_listed_and_sent_when_told(
    client: AsyncClient, broker: LocalBroker, tmp_path: Path
) -> None:
    await client.destination("queue").publish(rows(20), progress=False)
    with broker.faults.during(Fault("cut_after", ("ack_batch",), times=1)):  # it was done, and its repetition is refused
        capture, run = await drained(client, "queue", tmp_path / "cap")
    unknown = capture.settlements["unknown"]
    assert 0 < unknown < 20
    report = await client.undo(run, progress=False)
    assert report.counts == {"ok": 20 - unknown, "unknown": unknown}
    assert "may still be in the queue" in report.failed[0].reason
    assert (await client.undo(run, include_unknown=True, progress=False)).counts == {"ok": unknown, "skipped": 20 - unknown}
    assert len(held_by(broker, "queue")) == 20


async def test_what_a_fifo_queue_would_drop_is_held_back_until_it_would_not(
    client: AsyncClient, broker: LocalBroker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await client.destination("fifo").publish(rows(12, groups=3), progress=False)
    _, run = await drained(client, "fifo", tmp_path / "cap")
    early = await client.undo(run, progress=False)
    assert early.counts == {"skipped": 12}
    assert "call again a little later" in early.outcomes[0].reason
    assert set(early.frame()["state"]) == {"planned"}
    later = moments.Moment(moments.now().wall + 400)
    monkeypatch.setattr(moments, "now", lambda: later)
    assert (await client.undo(run, progress=False)).counts == {"ok": 12}


@pytest.mark.parametrize(
    "damage", [lambda content: content[:-1], lambda content: content[:100] + bytes([content[100] ^ 1]) + content[101:]]
)
async def test_a_damaged_capture_is_not_undone(client: AsyncClient, broker: LocalBroker, tmp_path: Path, damage: Any) -> None:
    await client.destination("queue").publish(rows(5), progress=False)
    _, run = await drained(client, "queue", tmp_path / "cap")
    (part,) = (tmp_path / "cap").glob("*.parquet")
    part.write_bytes(damage(part.read_bytes()))
    with pytest.raises(CaptureDamaged, match=part.name):
        await client.undo(run, progress=False)
    assert held_by(broker, "queue") == []


async def test_a_run_of_another_environment_is_refused(client: AsyncClient, tmp_path: Path) -> None:
    await client.destination("queue").publish(rows(2), progress=False)
    _, run = await drained(client, "queue", tmp_path / "cap")
    with LocalBroker(queues=["queue"]) as elsewhere:
        async with AsyncClient(broker_settings(elsewhere.settings), transport=elsewhere.transport()) as other:
            with pytest.raises(InvalidArgument, match="this client is connected to"):
                await other.undo(run, capture=tmp_path / "cap", progress=False)
            assert elsewhere.depth("queue")["messages"] == 0


async def test_what_cannot_be_undone_is_said_in_one_line(client: AsyncClient, tmp_path: Path) -> None:
    queue = client.destination("queue")
    await queue.publish(rows(2), progress=False)
    _, run = await drained(client, "queue", tmp_path / "cap")
    with pytest.raises(InvalidArgument, match="not in the journal: name the folder"):
        await client.undo("20200101T000000-00000000")
    with pytest.raises(InvalidArgument, match="holds nothing of run"):
        await client.undo("20200101T000000-00000000", capture=tmp_path / "cap")
    back = await client.undo(run, progress=False)
    with pytest.raises(InvalidArgument, match="is of undo, which takes nothing away"):
        await client.undo(back.run, capture=tmp_path / "cap")


async def test_a_read_only_connection_undoes_nothing(
    client: AsyncClient, broker: LocalBroker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await client.destination("queue").publish(rows(2), progress=False)
    _, run = await drained(client, "queue", tmp_path / "cap")
    from dataclasses import replace

    settings = replace(broker_settings(broker.settings), read_only=True)
    async with AsyncClient(settings, transport=broker.transport()) as looking:
        with pytest.raises(ReadOnly):
            await looking.undo(run, progress=False)
        assert (await looking.undo(run, dry_run=True)).to_do == 2


class SaysTheTime(httpx.AsyncBaseTransport):
    """Adds to each answer the date by the broker's clock, as servers do."""

    def __init__(self, inner: httpx.AsyncBaseTransport, clock: ManualClock) -> None:
        self._inner = inner
        self._clock = clock

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        response = await self._inner.handle_async_request(request)
        response.headers["Date"] = format_datetime(datetime.fromtimestamp(self._clock.time(), UTC), usegmt=True)
        return response


@pytest.mark.parametrize("years", [-3, 3], ids=["behind", "ahead"])
async def test_how_young_a_message_is_goes_by_the_clock_of_the_service(tmp_path: Path, years: int) -> None:
    clock = ManualClock(start=time.time() + years * 365 * 86_400)
    with LocalBroker(queues=[QueueConfig("fifo", fifo=True)], clock=clock) as broker:
        transport = SaysTheTime(broker.transport(), clock)
        async with AsyncClient(broker_settings(broker.settings), transport=transport) as client:
            await client.destination("fifo").publish(rows(6, groups=2), progress=False)
            before = held_by(broker, "fifo")
            capture = await client.destination("fifo").drain(tmp_path / "cap", limit=6, polling_time="0s", progress=False)
            assert isinstance(capture, Capture)
            run = str(capture.frame(["run"])["run"].iloc[-1])
            young = await client.undo(run, progress=False)
            assert dict(young.counts) == {"skipped": 6}, "a FIFO queue would drop them and say 'successful'"
            assert held_by(broker, "fifo") == []
            clock.advance(400)
            assert (await client.undo(run, progress=False)).ok
            assert held_by(broker, "fifo") == before
