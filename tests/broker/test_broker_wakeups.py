"""Long polls of FIFO queues, dead-letter queues and queues behind an exchange: what wakes them, and what does not."""

from __future__ import annotations

import asyncio

import anyio
import pytest

from courier_nb.broker import BrokerConfig, LocalBroker, Switches

pytestmark = pytest.mark.anyio

WAIT = {"pollingTime": 20_000}


@pytest.fixture
async def fifo(broker):
    broker.create_queue("grave", fifo=True)
    broker.create_queue("steps", fifo=True, dead_letter_queue="grave", max_deliveries=2, default_lock_ttl="1m")


@pytest.fixture
def start(api, polling):
    """Start a long poll; go on when it waits."""

    async def start(queue):
        task = asyncio.create_task(api.bodies(queue, **WAIT))
        await polling()
        return task

    return start


async def soon(task):
    """Return what a poll gets; it must not need its whole time for it."""
    with anyio.fail_after(10):
        return await task


async def none(task):
    """Tell that a poll still waits after everything that was to be done has been done."""
    await asyncio.sleep(0.02)
    return not task.done()


async def test_a_poll_of_an_exchanges_queue_wakes_when_something_is_published_to_the_exchange(api, broker, start):
    broker.create_exchange("events", bindings=["q"])
    task = await start("q")
    await api.publish("events", "a")
    assert await soon(task) == ["a"]


async def test_a_free_group_wakes_a_poll_of_a_fifo_queue_and_a_group_in_flight_does_not(api, fifo, start):
    await api.publish("steps", "a", messageGroupId="held")
    await api.receive("steps")
    task = await start("steps")
    await api.publish("steps", "b", messageGroupId="held")
    assert await none(task)
    await api.publish("steps", "c", messageGroupId="free")
    assert await soon(task) == ["c"]


@pytest.mark.parametrize("how", ["ack", "nack", "extend to 0", "expiry of the lock", "expiry of the message"])
async def test_a_group_that_becomes_free_wakes_a_poll(api, fifo, clock, start, how):
    await api.publish("steps", "a", messageGroupId="g", ttl=15_000)
    await api.publish("steps", "b", messageGroupId="g")
    (a,) = await api.receive("steps", batchSize=1, lockTtl=60_000 if how == "expiry of the message" else 10_000)
    task = await start("steps")
    if how == "ack":
        await api.ack("steps", a)
    elif how == "nack":
        await api.nack("steps", a)
    elif how == "extend to 0":
        await api.extend("steps", a, 0)
    else:
        clock.advance(9.999)
        assert await none(task)
        clock.advance(0.001 if how == "expiry of the lock" else 5.001)
    assert await soon(task) == (["b"] if how in ("ack", "expiry of the message") else ["a", "b"])


async def test_a_group_whose_reader_went_away_wakes_a_poll(api, broker, fifo, start):
    await api.publish("steps", "a", messageGroupId="g")
    held = broker._engine.committer.call(lambda store: store.receive(store_address("steps"), limit=1, lock_ttl_ms=None))
    task = await start("steps")
    broker._engine.committer.leave(lambda store: store.give_back(store_address("steps"), held))
    assert await soon(task) == ["a"]


def store_address(queue):
    from courier_nb.broker.state.queues import Address

    return Address(1, queue)


async def test_one_ack_of_several_of_a_group_wakes_nobody(api, fifo, start):
    await api.publish("steps", "a", "b", "c", messageGroupId="g")
    a, b = await api.receive("steps", batchSize=2)
    task = await start("steps")
    await api.ack("steps", a)
    assert await none(task)
    await api.ack("steps", b)
    assert await soon(task) == ["c"]


async def test_a_shorter_delay_of_a_fifo_queue_wakes_a_poll(api, broker, start):
    broker.create_queue("slow", fifo=True, default_delivery_delay="15m")
    await api.publish("slow", "a")
    task = await start("slow")
    broker.create_queue("slow", fifo=True)
    assert await soon(task) == ["a"]


@pytest.mark.parametrize(("source", "grave"), [("work", "dead"), ("steps", "grave")])
@pytest.mark.parametrize("how", ["nack", "expiry"])
@pytest.mark.parametrize("first", ["the receive", "the poll"])
async def test_a_death_wakes_a_poll_of_the_dead_letter_queue(api, fifo, clock, start, polling, source, grave, how, first):
    await api.publish(source, "a")
    (message,) = await api.receive(source)
    await api.nack(source, message)
    if first == "the receive":
        (message,) = await api.receive(source, lockTtl=5000)
    task = await start(grave)
    if first == "the poll":
        (message,) = await api.receive(source, lockTtl=5000)
    if how == "nack":
        await api.nack(source, message)
    else:
        clock.advance(4.999)
        assert await none(task)
        clock.advance(0.001)
    assert await soon(task) == ["a"]


async def test_a_message_in_flight_dies_into_the_queue_that_was_made_its_dead_letter_queue_meanwhile(api, broker, clock, start):
    broker.create_queue("late")
    await api.publish("late", "a")
    await api.receive("late", lockTtl=5000)
    task = await start("dead")
    broker.create_queue("late", dead_letter_queue="dead", max_deliveries=1)
    clock.advance(5)
    assert await soon(task) == ["a"]


async def test_the_end_of_a_message_in_flight_makes_room_for_a_poll_at_the_limit(api, clock, start, monkeypatch):
    monkeypatch.setattr("courier_nb.broker.state.store.MAX_IN_FLIGHT", 1)
    await api.publish("q", "a", ttl=5000)
    await api.publish("q", "b")
    await api.receive("q", batchSize=1, lockTtl=60_000)
    task = await start("q")
    clock.advance(5)
    assert await soon(task) == ["b"]


async def test_the_end_of_a_message_in_flight_makes_room_in_a_fifo_queue_with_a_limit(clock, open_api, polling, monkeypatch):
    monkeypatch.setattr("courier_nb.broker.state.store.MAX_FIFO_IN_FLIGHT", 1)
    config = BrokerConfig(switches=Switches(fifo_in_flight="queue"))
    async with LocalBroker(config, clock=clock) as broker, open_api(broker) as api:
        broker.create_queue("steps", fifo=True)
        await api.publish("steps", "a", messageGroupId="1", ttl=5000)
        await api.publish("steps", "b", messageGroupId="2")
        assert await api.bodies("steps", lockTtl=60_000) == ["a"]
        task = asyncio.create_task(api.bodies("steps", **WAIT))
        with anyio.fail_after(10):
            while broker._engine.committer.waiting != 1:
                await anyio.sleep(0.001)
        clock.advance(5)
        assert await soon(task) == ["b"]


async def test_purging_a_queue_leaves_its_polls_waiting_and_deleting_it_ends_them_with_404(api, broker, polling):
    task = asyncio.create_task(api.poll("q", **WAIT))
    await polling()
    broker.purge("q")
    assert await none(task)
    broker.delete_queue("q")
    assert (await soon(task)).status_code == 404


async def test_polls_of_other_queues_do_not_notice_a_deletion(api, broker, start):
    task = await start("q")
    broker.create_queue("other")
    broker.delete_queue("other")
    assert await none(task)
    await api.publish("q", "a")
    assert await soon(task) == ["a"]


async def test_a_poll_of_a_queue_that_is_made_anew_gets_what_the_new_one_is_sent(api, broker, polling):
    broker.delete_queue("q")
    broker.create_queue("q")
    task = asyncio.create_task(api.bodies("q", **WAIT))
    await polling()
    await api.publish("q", "a")
    assert await soon(task) == ["a"]
