"""The peek guard: looking dead-letters nothing, says what it costs, and writes nothing where it may not."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest

from courier_nb import AsyncClient, AsyncDestination, Capture, Message
from courier_nb.broker import LocalBroker, QueueConfig
from courier_nb.client import broker_settings
from courier_nb.core.clock import ManualClock
from courier_nb.core.errors import ConfirmationNeeded, InvalidArgument, ReadOnly

from .conftest import MAX_DELIVERIES

pytestmark = pytest.mark.anyio
QUICK: dict[str, Any] = {"polling_time": "20ms", "progress": False}
Connect = Callable[..., AbstractAsyncContextManager[AsyncClient]]


@pytest.fixture
def broker(clock: ManualClock) -> Iterator[LocalBroker]:
    queues = [
        QueueConfig("dlq"),
        QueueConfig("queue", dead_letter_queue="dlq", max_deliveries=MAX_DELIVERIES),
        QueueConfig("fifo-dlq", fifo=True),
        QueueConfig("fifo", fifo=True, dead_letter_queue="fifo-dlq", max_deliveries=MAX_DELIVERIES),
    ]
    with LocalBroker(queues=queues, clock=clock) as broker:
        yield broker


@pytest.fixture
def connect(reached: tuple[dict[str, str], httpx.AsyncBaseTransport | None]) -> Connect:
    @asynccontextmanager
    async def connect(**settings: Any) -> AsyncIterator[AsyncClient]:
        announced, transport = reached
        async with AsyncClient(replace(broker_settings(announced), **settings), transport=transport) as client:
            yield client

    return connect


@pytest.fixture
async def client(connect: Connect) -> AsyncIterator[AsyncClient]:
    async with connect() as client:
        yield client


async def publish(queue: AsyncDestination, count: int) -> list[str]:
    groups = [f"g{i % 3}" for i in range(count)]
    bodies = [f"body {i} of {group}" for i, group in enumerate(groups)]
    headers = [{"messageGroupId": group} if "fifo" in queue.id else {} for group in groups]
    messages = [Message(body, {"n": i}, {"messageId": f"m{i}", **headers[i]}) for i, body in enumerate(bodies)]
    assert (await queue.publish(messages, progress=False)).ok
    return bodies


def bodies_in(broker: LocalBroker, queue: str) -> list[str]:
    return [stored.body for stored in broker.messages(queue, limit=1_000)]


def by_group(bodies: list[str]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for body in bodies:
        found.setdefault(body.split()[-1], []).append(body)
    return found


@pytest.mark.parametrize("name", ["queue", "fifo"])
async def test_five_default_peeks_by_five_clients_dead_letter_nothing(connect: Connect, broker: LocalBroker, name: str) -> None:
    count = 25 if name == "queue" else 9
    async with connect() as first:
        bodies = await publish(first.destination(name), count)
    for _ in range(5):
        async with connect() as client:
            received = await client.destination(name).peek(25, **QUICK)
            assert len(received.messages) == count
    dead_letter_queue = "dlq" if name == "queue" else "fifo-dlq"
    assert broker.depth(name) == {"messages": count, "inflight": 0}
    assert broker.depth(dead_letter_queue) == {"messages": 0, "inflight": 0}
    assert sorted(bodies_in(broker, name)) == sorted(bodies)
    if name == "fifo":
        assert by_group(bodies_in(broker, name)) == by_group(bodies)


@pytest.mark.parametrize("name", ["queue", "fifo"])
async def test_five_default_peeks_by_one_client_dead_letter_nothing(client: AsyncClient, broker: LocalBroker, name: str) -> None:
    queue = client.destination(name)
    bodies = await publish(queue, 9)
    looks = [await queue.peek(9, empties=1, **QUICK) for _ in range(5)]
    assert [len(look.messages) for look in looks] == [9, 9, 9, 0, 0]
    assert broker.depth(name) == {"messages": 0, "inflight": 9}  # on their last chance, and held
    await client.aclose()
    assert broker.depth(name) == {"messages": 9, "inflight": 0}
    assert sorted(bodies_in(broker, name)) == sorted(bodies)
    assert broker.depth("dlq" if name == "queue" else "fifo-dlq") == {"messages": 0, "inflight": 0}


async def test_a_message_on_its_last_chance_is_held_and_said_to_be(client: AsyncClient, broker: LocalBroker) -> None:
    queue = client.destination("queue")
    await publish(queue, 1)
    first = await queue.peek(1, **QUICK)
    assert first.frame()["deliveries_left"].tolist() == [2]
    assert (first.last_chance, first.notes) == ([], ())
    await queue.peek(1, **QUICK)
    assert (await queue.publish([Message("fresh", {}, {"messageId": "fresh"})], progress=False)).ok
    look = await queue.peek(2, **QUICK)
    assert set(look.frame()["settlement"]) == {"held", "returned"}
    frame = look.frame().set_index("message_id")
    on_last = look.last_chance[0].message_id
    assert frame.loc[on_last, "settlement"] == "held"
    assert frame.loc[on_last, "deliveries_left"] == 0
    assert look.ok
    assert "last chance" in repr(look)
    assert "put_back" in look.notes[0]
    assert list(queue.held()) == [on_last]
    assert [row.id for row in broker.messages("queue") if row.in_flight] == [on_last]


async def test_a_message_held_on_its_last_chance_may_be_nacked_on_purpose(client: AsyncClient, broker: LocalBroker) -> None:
    queue = client.destination("queue")
    await publish(queue, 1)
    for _ in range(MAX_DELIVERIES):
        look = await queue.peek(1, **QUICK)
    report = await queue.nack(look.frame().query("settlement == 'held'"), progress=False)
    assert report.counts == {"ok": 1}
    assert "dead-letter" in report.outcomes[0].reason
    assert broker.depth("dlq")["messages"] == 1
    assert len(queue.held()) == 0


async def test_what_the_guard_puts_back_is_on_disk_before_the_original_goes(
    client: AsyncClient, broker: LocalBroker, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    bodies = await publish(queue := client.destination("queue"), 3)
    for _ in range(MAX_DELIVERIES):
        await queue.peek(3, last_chance="put_back", **QUICK)
    (folder,) = tmp_path.glob("courier_nb/captures/*/*put-back*")
    capture = Capture(folder)
    assert sorted(str(message.body) for message in capture.messages()) == sorted(bodies)
    assert capture.settlements == {"acked": 3}
    assert capture.verify().ok
    assert bodies_in(broker, "queue") == bodies


async def test_put_back_at_once_leaves_nothing_held(client: AsyncClient, broker: LocalBroker) -> None:
    queue = client.destination("queue")
    await publish(queue, 3)
    for _ in range(MAX_DELIVERIES):
        look = await queue.peek(3, last_chance="put_back", **QUICK)
    assert set(look.frame()["settlement"]) == {"put_back"}
    assert look.ok
    assert broker.depth("queue") == {"messages": 3, "inflight": 0}
    assert {row.delivery_count for row in broker.messages("queue")} == {0}
    assert {row.id for row in broker.messages("queue")} == {"m0", "m1", "m2"}


async def test_a_body_that_was_not_received_is_not_put_back_and_stays_locked(connect: Connect, broker: LocalBroker) -> None:
    async with connect() as client:
        queue = client.destination("queue")
        await publish(queue, 1)
        for _ in range(MAX_DELIVERIES):
            await queue.peek(1, payload_visibility="none", **QUICK)
    assert broker.depth("queue") == {"messages": 0, "inflight": 1}


async def test_read_only_refuses_the_look_that_nothing_could_make_good(connect: Connect, broker: LocalBroker) -> None:
    async with connect() as client:
        await publish(client.destination("queue"), 2)
    for _ in range(MAX_DELIVERIES - 1):
        async with connect(read_only=True) as client:
            assert len((await client.destination("queue").peek(2, **QUICK)).messages) == 2
    async with connect(read_only=True) as client:
        with pytest.raises(ReadOnly, match="one delivery left"):
            await client.destination("queue").peek(2, **QUICK)
    assert broker.depth("queue") == {"messages": 2, "inflight": 0}


async def test_a_read_only_client_leaves_last_chances_locked(connect: Connect, broker: LocalBroker) -> None:
    async with connect(journal="off") as client:
        await publish(client.destination("queue"), 1)
    for _ in range(MAX_DELIVERIES):
        async with connect(read_only=True, journal="off") as client:
            await client.destination("queue").peek(1, **QUICK)
    assert broker.depth("queue") == {"messages": 0, "inflight": 1}
    assert broker.depth("dlq")["messages"] == 0


async def test_in_production_messages_are_put_back_only_where_the_name_was_typed(connect: Connect, broker: LocalBroker) -> None:
    async with connect() as client:
        await publish(client.destination("queue"), 1)
    for _ in range(MAX_DELIVERIES - 1):
        async with connect(production=True) as client:
            await client.destination("queue").peek(1, **QUICK)
    async with connect(production=True) as client:
        with pytest.raises(ConfirmationNeeded, match="confirm='queue'"):
            await client.destination("queue").peek(1, **QUICK)
        look = await client.destination("queue").peek(1, confirm="queue", **QUICK)
        assert look.frame()["settlement"].tolist() == ["held"]
    assert [row.delivery_count for row in broker.messages("queue")] == [0]
    assert broker.depth("queue") == {"messages": 1, "inflight": 0}


async def test_held_messages_can_be_put_back_by_the_user(client: AsyncClient, broker: LocalBroker, tmp_path: Path) -> None:
    queue = client.destination("queue")
    await publish(queue, 3)
    for _ in range(MAX_DELIVERIES):
        look = await queue.peek(3, **QUICK)
    report = await queue.put_back(look.frame(), tmp_path / "kept", progress=False)
    assert report.counts == {"ok": 3}
    assert len(queue.held()) == 0
    await client.aclose()
    assert broker.depth("queue") == {"messages": 3, "inflight": 0}


async def test_the_cost_is_known_before_the_look(client: AsyncClient, broker: LocalBroker) -> None:
    queue = client.destination("queue")
    await publish(queue, 2)
    cost = await queue.look_cost(25)
    assert (cost.calls, cost.max_deliveries, cost.dead_letter_queue, cost.is_fifo) == (6, MAX_DELIVERIES, "dlq", False)
    assert (cost.earlier_peeks, cost.near_the_end) == (0, 0)
    for _ in range(MAX_DELIVERIES - 1):
        await queue.peek(2, **QUICK)
    cost = await queue.look_cost(25)
    assert (cost.earlier_peeks, cost.near_the_end) == (MAX_DELIVERIES - 1, 2)
    assert cost.frame().loc[0, "near_the_end"] == 2
    assert "billed" in " ".join(cost.notes)
    assert {row.delivery_count for row in broker.messages("queue")} == {MAX_DELIVERIES - 1}  # asking spent none


async def test_a_queue_without_dead_letters_has_no_last_chance(client: AsyncClient, broker: LocalBroker) -> None:
    dlq = client.destination("dlq")
    await publish(dlq, 1)
    for _ in range(5):
        look = await dlq.peek(1, **QUICK)
        assert look.frame()["settlement"].tolist() == ["returned"]
        assert look.frame()["deliveries_left"].isna().all()
    assert (await dlq.look_cost()).dead_letters is False


async def test_max_deliveries_can_be_said_where_it_cannot_be_read(client: AsyncClient, broker: LocalBroker) -> None:
    queue = client.destination("queue")
    await publish(queue, 1)
    look = await queue.peek(1, max_deliveries=1, **QUICK)
    assert look.frame()["settlement"].tolist() == ["held"]
    with pytest.raises(InvalidArgument, match="max_deliveries is 0"):
        await queue.peek(1, max_deliveries=0, **QUICK)


async def test_an_unknown_word_is_refused(client: AsyncClient) -> None:
    with pytest.raises(InvalidArgument, match="'keep', expected 'hold', 'put_back' or 'return'"):
        await client.destination("queue").peek(1, last_chance="keep", **QUICK)  # type: ignore[arg-type]
