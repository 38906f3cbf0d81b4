"""Messages that are held: their locks are extended until they are settled, and what was lost says so."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from typing import Any

import httpx
import pytest

from courier_nb import AsyncClient, AsyncDestination, Message
from courier_nb.broker import LocalBroker, QueueConfig
from courier_nb.broker.config.broker import BrokerConfig
from courier_nb.broker.config.faults import Fault
from courier_nb.broker.config.switches import Switches
from courier_nb.client import broker_settings
from courier_nb.core.settings import LockTtlUnit

# Time passes for real here, so each test runs one way only; tests/jupyter/test_keeper.py goes over a socket.
pytestmark = [pytest.mark.anyio, pytest.mark.parametrize("reached", ["in_process"], indirect=True)]
QUICK: dict[str, Any] = {"polling_time": "20ms", "progress": False}


@pytest.fixture
def unit(request: pytest.FixtureRequest) -> LockTtlUnit:
    """The unit that the broker counts lock changes in."""
    return getattr(request, "param", "s")


@pytest.fixture
def broker(unit: LockTtlUnit) -> Iterator[LocalBroker]:
    queues = [
        QueueConfig("dlq"),
        QueueConfig("queue", dead_letter_queue="dlq", max_deliveries=3),
        QueueConfig("fifo", fifo=True),
    ]
    with LocalBroker(BrokerConfig(switches=Switches(lock_ttl_unit=unit)), queues=queues) as broker:
        yield broker


@pytest.fixture
def given() -> LockTtlUnit | None:
    """The unit that the user gave."""
    return "s"


@pytest.fixture
async def client(
    reached: tuple[dict[str, str], httpx.AsyncBaseTransport | None], given: LockTtlUnit | None
) -> AsyncIterator[AsyncClient]:
    announced, transport = reached
    async with AsyncClient(broker_settings(announced), transport=transport, lock_ttl_unit=given) as client:
        yield client


async def publish(queue: AsyncDestination, count: int) -> None:
    headers = {"messageGroupId": "g"} if queue.id == "fifo" else {}
    messages = [Message("body", {}, {"messageId": f"m{i}", **headers}) for i in range(count)]
    assert (await queue.publish(messages, progress=False)).ok


async def eventually(condition: Any, seconds: float = 20.0) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it never came true"
        await asyncio.sleep(0.02)


def extended(client: AsyncClient) -> int:
    """How often every held message was extended at the least."""
    frame = client.held().frame()
    return int(frame["extended"].min()) if len(frame) else 0


async def test_held_messages_outlive_their_locks_and_are_returned_at_close(queue: AsyncDestination, broker: LocalBroker) -> None:
    await publish(queue, 35)
    received = await queue.receive(35, lock_ttl="1500ms", **QUICK)
    assert len(queue.held()) == 35
    await asyncio.sleep(3.5)
    held = queue.held()
    assert (held.counts, broker.depth("queue")) == ({"held": 35}, {"messages": 0, "inflight": 35})
    assert held.frame()["extended"].min() >= 2
    assert held.calls >= 4 * held.frame()["extended"].min()
    assert held.lock_ttl_unit == "s"
    assert held.frame().columns.tolist()[:4] == ["message_id", "destination", "state", "lock_expires_at"]
    assert (received.frame()["lock_expires_at"] > received.messages[0].lock_expires_at).all()
    assert "AQ" not in repr(held) + held.frame().to_string() + repr(list(held))
    assert (await queue.ack(received.frame().head(5), progress=False)).counts == {"ok": 5}
    assert (await queue.nack(received.messages[5:10], progress=False)).counts == {"ok": 5}
    assert len(queue.held()) == 25
    assert received.frame()["settlement"].value_counts(dropna=False).tolist() == [25, 5, 5]
    await queue._connection.aclose()
    assert broker.depth("queue") == {"messages": 30, "inflight": 0}


async def test_without_keeping_locks_end_and_the_rows_say_so(queue: AsyncDestination, broker: LocalBroker) -> None:
    await publish(queue, 3)
    received = await queue.receive(3, lock_ttl="1s", keep=False, **QUICK)
    await eventually(lambda: broker.depth("queue")["messages"] == 3)
    assert queue.held().counts == {"lost_lock": 3}
    assert set(received.frame()["settlement"]) == {"lost_lock"}
    report = await queue.ack(received, progress=False)
    assert (report.counts, report.calls) == ({"lost_lock": 3}, 0)


async def test_what_was_not_settled_in_the_block_goes_back(queue: AsyncDestination, broker: LocalBroker) -> None:
    await publish(queue, 20)
    async with await queue.receive(20, **QUICK) as rows:
        await queue.ack(rows.frame().head(5), progress=False)
    assert rows.frame()["settlement"].value_counts().to_dict() == {"returned": 15, "acked": 5}
    assert broker.depth("queue") == {"messages": 15, "inflight": 0}
    assert len(queue.held()) == 0


async def test_the_plain_block_is_refused_where_nobody_could_wait_in_it(queue: AsyncDestination) -> None:
    await publish(queue, 1)
    received = await queue.receive(1, **QUICK)
    with pytest.raises(TypeError, match="async with"), received:
        pass


async def test_the_time_to_hold_ends(queue: AsyncDestination, broker: LocalBroker) -> None:
    await publish(queue, 20)
    received = await queue.receive(20, hold="1s", **QUICK)
    assert queue.held().frame()["held_until"].notna().all()
    assert "20 messages are held" in received.notes[0]
    await eventually(lambda: broker.depth("queue") == {"messages": 20, "inflight": 0})
    await eventually(lambda: set(received.frame()["settlement"]) == {"returned"})
    assert (await queue.ack(received, progress=False)).counts == {"lost_lock": 20}
    assert broker.depth("queue") == {"messages": 20, "inflight": 0}


async def test_messages_of_a_group_go_back_in_their_order(client: AsyncClient, broker: LocalBroker) -> None:
    fifo = client.destination("fifo")
    await publish(fifo, 10)
    received = await fifo.receive(10, **QUICK)
    await client.aclose()
    order = [row.id for row in broker.messages("fifo")]
    assert order == [message.message_id for message in received.messages]


@pytest.mark.parametrize(
    ("fault", "kept"),
    [
        (Fault("unavailable", operations=("extend_batch",), every=2, retry_after=0), 40),
        (Fault("throttled", operations=("extend_batch",), every=3, retry_after=0), 40),
        (Fault("cut_before", operations=("extend_batch",), every=2), 40),
        (Fault("cut_after", operations=("extend_batch",), every=2), 40),
        (Fault("truncated", operations=("extend_batch",), every=2), 40),
        (Fault("delay", operations=("extend_batch",), every=3, seconds=0.5), 40),
        (Fault("item_failure", operations=("extend_batch",), after=1, times=1, items=(0,)), 39),
    ],
    ids=lambda value: value.kind if isinstance(value, Fault) else "",
)
async def test_locks_are_kept_through_calls_that_fail_or_dawdle(
    client: AsyncClient, queue: AsyncDestination, broker: LocalBroker, fault: Fault, kept: int
) -> None:
    await publish(queue, 40)
    received = await queue.receive(40, lock_ttl="3s", **QUICK)
    broker.faults.add(fault)
    await asyncio.sleep(5)
    counts = queue.held().counts
    assert counts.get("held", 0) == kept
    assert counts.get("lost_lock", 0) == 40 - kept
    broker.faults.clear()
    assert (await queue.ack(received, progress=False)).counts.get("ok") == kept


async def test_when_every_extension_fails_the_rows_say_that_the_lock_is_lost(
    queue: AsyncDestination, broker: LocalBroker
) -> None:
    await publish(queue, 10)
    received = await queue.receive(10, lock_ttl="1s", **QUICK)
    broker.faults.add(Fault("unavailable", operations=("extend_batch",), retry_after=0))
    await eventually(lambda: queue.held().counts == {"lost_lock": 10})
    report = await queue.ack(received, progress=False)
    assert (report.counts, report.calls) == ({"lost_lock": 10}, 0)
    assert any("extended" in note for note in queue.held().notes)


class TestUnit:
    """Whether lock changes count in seconds or milliseconds is found out with one message, or gone round."""

    @pytest.fixture
    def given(self) -> LockTtlUnit | None:
        return None

    @pytest.mark.parametrize("unit", ["s", "ms"], indirect=True)
    async def test_it_is_found_out_with_one_message(
        self, client: AsyncClient, queue: AsyncDestination, broker: LocalBroker, unit: LockTtlUnit
    ) -> None:
        await publish(queue, 30)
        received = await queue.receive(30, lock_ttl="9s", **QUICK)
        await eventually(lambda: client.held().lock_ttl_unit is not None)
        await asyncio.sleep(0.5)
        lost = 0 if unit == "s" else 1
        assert client.held().lock_ttl_unit == unit
        assert "found out" in client.held().notes[0]
        assert broker.depth("queue") == {"messages": lost, "inflight": 30 - lost}
        assert (received.frame()["settlement"] == "lost_lock").sum() == lost
        locks = [row.visible_at - time.time() for row in broker.messages("queue") if row.in_flight]
        assert max(locks) <= 9.1  # none was left with the long lock that finding out gave it
        report = await queue.extend(received, "20s", progress=False)
        assert report.counts.get("ok") == 30 - lost
        assert min(row.visible_at - time.time() for row in broker.messages("queue") if row.in_flight) > 15

    @pytest.mark.parametrize("unit", ["s", "ms"], indirect=True)
    @pytest.mark.parametrize("name", ["queue", "fifo"])
    async def test_where_nothing_may_be_risked_locks_are_kept_under_both_readings(
        self, client: AsyncClient, broker: LocalBroker, name: str
    ) -> None:
        destination = client.destination(name)
        await publish(destination, 10)
        lock = "2s" if name == "queue" else "7s"  # no time to find out, or a FIFO queue
        await destination.receive(10, lock_ttl=lock, **QUICK)
        await eventually(lambda: extended(client) > 0)
        assert client.held().lock_ttl_unit is None
        assert "not known" in client.held().notes[0]
        left = [row.visible_at - time.time() for row in broker.messages(name)]
        assert min(left) > 20
        await client.aclose()
        assert broker.depth(name) == {"messages": 10, "inflight": 0}

    @pytest.mark.parametrize("unit", ["s", "ms"], indirect=True)
    async def test_messages_delivered_before_are_not_risked(
        self, client: AsyncClient, queue: AsyncDestination, broker: LocalBroker
    ) -> None:
        await publish(queue, 5)
        await queue.peek(5, **QUICK)
        await queue.receive(5, lock_ttl="7s", **QUICK)
        await eventually(lambda: extended(client) > 0)
        assert broker.depth("queue") == {"messages": 0, "inflight": 5}
        assert client.held().lock_ttl_unit is None
