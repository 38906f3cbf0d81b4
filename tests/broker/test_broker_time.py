"""Fourteen days without sleeping: times to live, delays, locks, tokens and limits, each to the millisecond."""

from __future__ import annotations

from email.utils import parsedate_to_datetime

import pytest

from courier_nb.broker import BrokerConfig, EnvironmentConfig, LocalBroker, QueueConfig

pytestmark = pytest.mark.anyio

MILLISECOND, MINUTE, HOUR, DAY = 0.001, 60, 3_600, 86_400


async def is_there(api, queue, body):
    """Tell whether a message can be received; it stays visible."""
    return body in await api.bodies(queue, lockTtl=0)


async def lasts(api, clock, queue, body, seconds):
    """Check that a message can be received until so many seconds from now, and not after."""
    clock.advance(seconds - MILLISECOND)
    assert await is_there(api, queue, body)
    clock.advance(MILLISECOND)
    assert not await is_there(api, queue, body)


async def begins(api, clock, queue, body, seconds):
    """Check that a message can be received after so many seconds from now, and not before."""
    clock.advance(seconds - MILLISECOND)
    assert not await is_there(api, queue, body)
    clock.advance(MILLISECOND)
    assert await is_there(api, queue, body)


@pytest.mark.parametrize("fifo", [False, True])
@pytest.mark.parametrize(
    ("settings", "seconds"),
    [({}, 7 * DAY), ({"default_ttl": "14d"}, 14 * DAY), ({"default_ttl": "1m"}, 60), ({"default_ttl": 1}, MILLISECOND)],
)
async def test_a_message_lives_as_long_as_its_queue_says(api, broker, clock, fifo, settings, seconds):
    broker.create_queue("kept", fifo=fifo, **settings)
    await api.publish("kept", "a")
    await lasts(api, clock, "kept", "a", seconds)
    assert broker.depth("kept") == {"messages": 0, "inflight": 0}


@pytest.mark.parametrize("fifo", [False, True])
@pytest.mark.parametrize(
    ("ttl", "seconds"), [(1, MILLISECOND), (120_000, 120), (14 * DAY * 1000, 14 * DAY), (14 * DAY * 1000 + 1, 14 * DAY)]
)
async def test_a_message_may_bring_its_own_time_to_live_of_up_to_fourteen_days(api, broker, clock, fifo, ttl, seconds):
    broker.create_queue("kept", fifo=fifo, default_ttl="1h")
    await api.publish("kept", "a", ttl=ttl)
    await lasts(api, clock, "kept", "a", seconds)


async def test_redelivery_does_not_make_a_message_live_longer(api, clock):
    await api.publish("q", "a")
    first = (await api.receive("q", lockTtl=0))[0]["headers"]["created"]
    for day in range(7):
        (message,) = await api.receive("q", lockTtl=12 * HOUR * 1000)
        assert message["headers"]["created"] == first
        assert message["headers"]["deliveryCount"] == str(day + 2)
        clock.advance(DAY)
    assert await api.receive("q") == []


async def test_created_is_the_second_of_publishing(api, clock):
    clock.advance(0.999)
    published = int(clock.time())
    await api.publish("q", "a")
    clock.advance(5 * DAY)
    (message,) = await api.receive("q")
    assert message["headers"]["created"].endswith(" GMT")
    assert parsedate_to_datetime(message["headers"]["created"]).timestamp() == published


async def test_a_changed_time_to_live_counts_from_publishing(api, broker, clock):
    broker.create_queue("kept", default_ttl="14d")
    await api.publish("kept", "a")
    clock.advance(10 * DAY)
    broker.create_queue("kept", default_ttl="11d")
    await lasts(api, clock, "kept", "a", DAY)


@pytest.mark.parametrize("fifo", [False, True])
@pytest.mark.parametrize(("delay", "seconds"), [("1ms", MILLISECOND), ("15m", 15 * MINUTE)])
async def test_a_message_begins_after_the_delay_of_its_queue(api, broker, clock, fifo, delay, seconds):
    broker.create_queue("slow", fifo=fifo, default_delivery_delay=delay)
    await api.publish("slow", "a")
    assert broker.depth("slow") == {"messages": 1, "inflight": 0}
    await begins(api, clock, "slow", "a", seconds)


@pytest.mark.parametrize(("delay", "seconds"), [(1, MILLISECOND), (900_000, 15 * MINUTE)])
async def test_a_message_may_bring_its_own_delay(api, broker, clock, delay, seconds):
    broker.create_queue("slow", default_delivery_delay="1m")
    await api.publish("slow", "now", deliveryDelay=0)
    assert await is_there(api, "slow", "now")
    await api.publish("slow", "a", deliveryDelay=delay)
    await begins(api, clock, "slow", "a", seconds)


async def test_a_delay_is_part_of_the_time_to_live(api, broker, clock):
    broker.create_queue("slow", default_delivery_delay="15m", default_ttl="20m")
    await api.publish("slow", "a")
    await begins(api, clock, "slow", "a", 15 * MINUTE)
    await lasts(api, clock, "slow", "a", 5 * MINUTE)
    await api.publish("slow", "never", ttl=60_000)
    clock.advance(15 * MINUTE)
    assert await api.receive("slow") == []


async def test_a_delay_is_over_for_good_once_a_message_was_delivered(api, broker, clock):
    broker.create_queue("slow", default_delivery_delay="15m")
    await api.publish("slow", "a")
    clock.advance(15 * MINUTE)
    (message,) = await api.receive("slow")
    await api.nack("slow", message)
    assert await is_there(api, "slow", "a")


async def test_a_changed_delay_of_a_standard_queue_is_for_new_messages(api, broker, clock):
    await api.publish("q", "visible")
    broker.create_queue("q", default_delivery_delay="10m")
    await api.publish("q", "later")
    assert await api.bodies("q", lockTtl=0) == ["visible"]
    broker.create_queue("q")
    assert await api.bodies("q", lockTtl=0) == ["visible"]
    await begins(api, clock, "q", "later", 10 * MINUTE)


async def test_a_changed_delay_of_a_fifo_queue_is_for_all_that_were_never_delivered(api, broker, clock):
    broker.create_queue("slow", fifo=True)
    for group in ("held", "returned", "fresh"):
        await api.publish("slow", group, messageGroupId=group)
    held, returned = await api.receive("slow", batchSize=2)
    await api.nack("slow", returned)
    clock.advance(MINUTE)
    broker.create_queue("slow", fifo=True, default_delivery_delay="10m")
    assert await api.bodies("slow", lockTtl=0) == ["returned"]
    assert (await api.ack("slow", held)).status_code == 200
    await begins(api, clock, "slow", "fresh", 9 * MINUTE)


@pytest.mark.parametrize("seconds", [MILLISECOND, 120, 12 * HOUR, 24 * HOUR])
async def test_a_lock_holds_for_its_whole_time(api, clock, seconds):
    await api.publish("q", "a", "b")
    a, b = await api.receive("q", lockTtl=round(seconds * 1000))
    clock.advance(seconds - MILLISECOND)
    assert await api.receive("q") == []
    assert (await api.ack("q", a)).status_code == 200
    clock.advance(MILLISECOND)
    assert (await api.ack("q", b)).status_code == 400
    assert await api.bodies("q") == ["b"]


async def test_a_lock_can_be_extended_for_as_long_as_the_message_lives(api, broker, clock):
    await api.publish("q", "a")
    (message,) = await api.receive("q", lockTtl=1000)
    for _ in range(13):
        assert (await api.extend("q", message, 12 * HOUR)).status_code == 200
        clock.advance(12 * HOUR - 1)
        assert await api.receive("q") == []
    assert broker.depth("q") == {"messages": 0, "inflight": 1}
    assert (await api.extend("q", message, 12 * HOUR)).status_code == 200
    clock.advance(12 * HOUR + 14)
    assert broker.depth("q") == {"messages": 0, "inflight": 0}
    assert (await api.ack("q", message)).status_code == 400


async def test_a_queues_own_lock_time_goes_up_to_twelve_hours(api, broker, clock):
    broker.create_queue("long", default_lock_ttl="12h")
    await api.publish("long", "a")
    await api.receive("long")
    await begins(api, clock, "long", "a", 12 * HOUR)


async def test_an_id_may_come_again_after_fourteen_days_or_five_minutes(api, broker, clock):
    broker.create_queue("line", fifo=True, default_ttl="14d")
    await api.publish("line", "a")
    for _ in range(14):
        await api.publish("line", "a")
        clock.advance(DAY)
    # one a day, of which the first has just expired
    assert broker.depth("line") == {"messages": 13, "inflight": 0}
    clock.advance(5 * MINUTE - MILLISECOND)
    await api.publish("line", "b")
    clock.advance(5 * MINUTE - MILLISECOND)
    await api.publish("line", "b")
    assert broker.depth("line") == {"messages": 14, "inflight": 0}
    clock.advance(MILLISECOND)
    await api.publish("line", "b")
    assert broker.depth("line") == {"messages": 15, "inflight": 0}


async def test_a_token_ends_an_hour_after_its_last_use(api, clock):
    for _ in range(3):
        clock.advance(HOUR - MILLISECOND)
        assert (await get(api)).status_code == 204
    clock.advance(HOUR)
    answer = await get(api)
    assert (answer.status_code, answer.text) == (401, "Unauthorized")


async def get(api):
    """Receive with the token that there is, and no other."""
    return await api.client.get(api.path("q"), params={"pollingTime": 0}, headers={"Authorization": f"Bearer {api.token}"})


async def test_a_message_that_is_only_looked_at_dies_after_its_last_delivery(api, broker, clock):
    broker.create_queue("looked", dead_letter_queue="dead", max_deliveries=1000, default_ttl="14d")
    await api.publish("looked", "a")
    for _ in range(999):
        await api.receive("looked", lockTtl=0)
    assert broker.depth("dead") == {"messages": 0, "inflight": 0}
    (message,) = await api.receive("looked", lockTtl=1)
    assert message["headers"]["deliveryCount"] == "1000"
    clock.advance(MILLISECOND)
    assert broker.depth("looked") == {"messages": 0, "inflight": 0}
    assert broker.depth("dead") == {"messages": 1, "inflight": 0}


@pytest.mark.parametrize("fifo", [False, True])
async def test_a_standard_queue_has_a_limit_in_flight_and_a_fifo_queue_only_by_group(api, broker, clock, fifo, monkeypatch):
    monkeypatch.setattr("courier_nb.broker.state.store.MAX_IN_FLIGHT", 12)
    broker.create_queue("busy", fifo=fifo)
    broker.create_queue("other", fifo=fifo)
    for number in range(15):
        for queue in ("busy", "other"):
            await api.publish(queue, str(number), messageGroupId=str(number))
    await api.receive("busy", lockTtl=10_000)
    assert len(await api.receive("busy", lockTtl=20_000)) == (5 if fifo else 2)
    assert await api.receive("busy") == []
    assert len(await api.receive("other")) == 10
    clock.advance(10)
    assert len(await api.receive("busy")) == 10


def test_the_limits_in_flight_are_those_of_the_service():
    from courier_nb.broker.api.incoming import MAX_BATCH
    from courier_nb.broker.state import store

    assert (store.MAX_IN_FLIGHT, store.MAX_FIFO_IN_FLIGHT) == (120_000, 20_000)
    assert MAX_BATCH == 10, "so a group has ten in flight at most: it gives out nothing while any of it is"


async def test_two_environments_with_the_same_queues_do_not_see_each_other(clock, open_api):
    queues = (QueueConfig("q"), QueueConfig("line", fifo=True))
    config = BrokerConfig(queues, environments=(EnvironmentConfig("Other", "other-id", queues=queues),))
    async with LocalBroker(config, clock=clock) as broker, open_api(broker) as api:
        await api.publish("q", "a")
        await api.publish("line", "a")
        (message,) = await api.receive("q")
        await api.authorize(f"{broker.platform_url}/accounts/api/v2/oauth2/token")  # good for every environment
        api.settings = api.settings | {"environment": "other-id"}
        assert await api.receive("q") == await api.receive("line") == []
        assert (await api.ack("q", message)).status_code == 400
        await api.publish("line", "a")  # is no repeat here
        assert await api.bodies("line") == ["a"]
        assert broker.depth("q") == {"messages": 0, "inflight": 1}
        assert broker.depth("line", environment="Other") == {"messages": 0, "inflight": 1}
