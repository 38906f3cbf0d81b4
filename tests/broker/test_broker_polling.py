"""Long polls: what wakes them, and that a reader that goes away leaves nothing locked."""

from __future__ import annotations

import asyncio
import threading

import anyio
import httpx
import pytest

from courier_nb.broker import LocalBroker

pytestmark = pytest.mark.anyio


async def test_a_poll_of_an_empty_queue_ends_with_its_time(api, clock, polling):
    poll = asyncio.create_task(api.poll("q", pollingTime=20_000))
    await polling()
    clock.advance(19)
    await asyncio.sleep(0)
    assert not poll.done()
    clock.advance(1)
    answer = await poll
    assert (answer.status_code, answer.content) == (204, b"")


async def test_the_default_is_to_wait_ten_seconds(api, clock, polling):
    poll = asyncio.create_task(api.call("GET", api.path("q"), timeout=30))
    await polling()
    clock.advance(10)
    assert (await poll).status_code == 204


async def test_a_poll_returns_as_soon_as_one_message_is_there(api, polling):
    poll = asyncio.create_task(api.bodies("q", pollingTime=20_000, batchSize=10))
    await polling()
    await api.publish("q", "a")
    assert await poll == ["a"]


async def test_a_nack_wakes_a_poll(api, polling):
    await api.publish("q", "a")
    (message,) = await api.receive("q")
    poll = asyncio.create_task(api.bodies("q", pollingTime=20_000))
    await polling()
    await api.nack("q", message)
    assert await poll == ["a"]


async def test_a_lock_that_runs_out_wakes_a_poll(api, clock, polling):
    await api.publish("q", "a")
    await api.receive("q", lockTtl=5000)
    poll = asyncio.create_task(api.bodies("q", pollingTime=20_000))
    await polling()
    clock.advance(5)
    assert await poll == ["a"]


async def test_a_shortened_lock_wakes_a_poll_at_its_new_end(api, clock, polling):
    await api.publish("q", "a")
    (message,) = await api.receive("q")
    poll = asyncio.create_task(api.bodies("q", pollingTime=20_000))
    await polling()
    await api.extend("q", message, 2)
    clock.advance(2)
    assert await poll == ["a"]


async def test_the_end_of_a_delay_wakes_a_poll(api, clock, polling):
    poll = asyncio.create_task(api.bodies("q", pollingTime=20_000))
    await polling()
    await api.publish("q", "a", deliveryDelay=3000)
    clock.advance(3)
    assert await poll == ["a"]


@pytest.mark.parametrize("how", ["nack", "expiry"])
async def test_a_dead_letter_wakes_a_poll_of_the_dead_letter_queue(api, clock, polling, how):
    await api.publish("work", "a")
    (message,) = await api.receive("work")
    await api.nack("work", message)
    (message,) = await api.receive("work", lockTtl=5000)
    poll = asyncio.create_task(api.bodies("dead", pollingTime=20_000))
    await polling()
    if how == "nack":
        await api.nack("work", message)
    else:
        clock.advance(5)
    assert await poll == ["a"]


async def test_a_lock_that_ends_together_with_the_poll_is_still_delivered(api, clock, polling):
    await api.publish("q", "a")
    await api.receive("q", lockTtl=5000)
    poll = asyncio.create_task(api.bodies("q", pollingTime=5000))
    await polling()
    clock.advance(5)
    assert await poll == ["a"]


async def test_real_time_wakes_a_poll_without_anybody_stepping_a_clock(open_api):
    async with LocalBroker(queues=["q"]) as broker, open_api(broker) as api:
        await api.publish("q", "a", deliveryDelay=50)
        with anyio.fail_after(5):
            assert await api.bodies("q", pollingTime=10_000) == ["a"]
            assert await api.bodies("q", pollingTime=50) == []


async def test_waiting_polls_share_what_arrives_first_come_first_served(api, polling):
    first = asyncio.create_task(api.bodies("q", pollingTime=20_000, batchSize=2))
    await polling(1)
    second = asyncio.create_task(api.bodies("q", pollingTime=20_000, batchSize=2))
    await polling(2)
    await api.publish("q", "a", "b", "c")
    assert await first == ["a", "b"]
    assert await second == ["c"]


async def test_an_acknowledgement_wakes_a_poll_that_waits_at_the_limit_in_flight(api, polling, monkeypatch):
    monkeypatch.setattr("courier_nb.broker.state.store.MAX_IN_FLIGHT", 1)
    await api.publish("q", "a", "b")
    (message,) = await api.receive("q")
    poll = asyncio.create_task(api.bodies("q", pollingTime=20_000))
    await polling()
    await api.ack("q", message)
    assert await poll == ["b"]


async def test_a_waiting_poll_asks_the_store_nothing(api, broker, polling):
    poll = asyncio.create_task(api.poll("q", pollingTime=20_000))
    await polling()
    asked: list[str] = []
    broker._engine.committer._store.connection.set_trace_callback(asked.append)
    await asyncio.sleep(0.05)
    assert asked == []
    poll.cancel()


async def test_a_reader_that_disconnects_while_waiting_leaves_nothing_locked(broker, open_api, polling):
    with broker.serving() as settings:
        address = httpx.URL(settings["url"])
        async with open_api(broker) as api:
            _, writer = await asyncio.open_connection(address.host, address.port)
            path = f"{httpx.URL(api.path('q')).path}?pollingTime=20000"
            writer.write(f"GET {path} HTTP/1.1\r\nHost: {address.host}\r\nAuthorization: Bearer {api.token}\r\n\r\n".encode())
            await writer.drain()
            await polling()
            writer.close()
            await writer.wait_closed()
            await api.publish("q", "a")
            with anyio.fail_after(5):
                while broker.depth("q") != {"messages": 1, "inflight": 0}:
                    await anyio.sleep(0.005)
            (message,) = await api.receive("q")
            assert message["headers"]["deliveryCount"] == "1"


async def test_a_reader_that_is_cancelled_while_waiting_leaves_nothing_locked(api, broker, polling):
    poll = asyncio.create_task(api.poll("q", pollingTime=20_000))
    await polling()
    poll.cancel()
    await asyncio.gather(poll, return_exceptions=True)
    await api.publish("q", "a")
    (message,) = await api.receive("q")
    assert message["headers"]["deliveryCount"] == "1"


async def test_a_receive_cancelled_at_any_moment_leaves_nothing_locked(api, broker):
    await api.publish("q", *"abcdefghij")
    cancelled = 0
    for turns in range(60):
        receiving = asyncio.create_task(api.receive("q", pollingTime=turns % 2))
        for _ in range(turns % 30):
            await asyncio.sleep(0)
        receiving.cancel()
        try:
            for message in await receiving:
                await api.nack("q", message)
        except asyncio.CancelledError:
            cancelled += 1
        with anyio.fail_after(5):  # what was cancelled on its way back is given back by work of its own
            while broker.depth("q")["inflight"]:
                await anyio.sleep(0.001)
    assert cancelled


async def test_a_poll_of_a_queue_that_is_deleted_meanwhile_ends_with_404(api, broker, polling):
    poll = asyncio.create_task(api.poll("q", pollingTime=20_000))
    await polling()
    broker.delete_queue("q")
    assert (await poll).status_code == 404


async def test_closing_the_broker_answers_waiting_polls(api, broker, polling):
    poll = asyncio.create_task(api.poll("q", pollingTime=20_000))
    await polling()
    broker.close()
    assert (await poll).status_code == 204


async def test_stopping_the_server_answers_waiting_polls(broker, open_api, polling):
    serving = broker.serving()
    settings = serving.__enter__()
    async with httpx.AsyncClient() as client, open_api(broker) as api:
        api.client, api.settings = client, settings
        poll = asyncio.create_task(api.poll("q", pollingTime=20_000))
        await polling()
        await asyncio.to_thread(serving.__exit__, None, None, None)
        assert (await poll).status_code == 204
    assert broker.depth("q") == {"messages": 0, "inflight": 0}


async def test_several_event_loops_use_one_broker_at_the_same_time(broker, open_api):
    counts: list[int] = []

    async def work(name: str) -> None:
        async with open_api(broker) as api:
            for number in range(10):
                await api.publish("q", f"{name}-{number}")
            taken = 0
            while messages := await api.receive("q", batchSize=3):
                for message in messages:
                    assert (await api.ack("q", message)).status_code == 200
                taken += len(messages)
            counts.append(taken)

    threads = [threading.Thread(target=asyncio.run, args=(work(f"t{n}"),)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        await asyncio.to_thread(thread.join)
    assert sum(counts) == 40
    assert broker.depth("q") == {"messages": 0, "inflight": 0}
