"""Locks, expiry, delivery counts, dead letters, delays and time to live."""

from __future__ import annotations

import pytest

from courier_nb.broker import BrokerConfig, LocalBroker, QueueConfig, Switches

pytestmark = pytest.mark.anyio

MINUTE = 60


async def test_a_received_message_is_locked_and_an_acknowledged_one_is_gone(api, broker):
    await api.publish("q", "a")
    (message,) = await api.receive("q")
    assert await api.receive("q") == []
    assert broker.depth("q") == {"messages": 0, "inflight": 1}
    answer = await api.ack("q", message)
    assert (answer.status_code, answer.json()["status"]) == (200, "successful")
    assert answer.json()["messageId"] == "id of a"
    assert broker.depth("q") == {"messages": 0, "inflight": 0}


async def test_an_expired_lock_makes_the_message_visible_with_a_new_lock_and_a_higher_count(api, clock):
    await api.publish("q", "a")
    (first,) = await api.receive("q", lockTtl=5000)
    clock.advance(4.999)
    assert await api.receive("q") == []
    clock.advance(0.001)
    (second,) = await api.receive("q")
    assert [m["headers"]["deliveryCount"] for m in (first, second)] == ["1", "2"]
    assert first["headers"]["lockId"] != second["headers"]["lockId"]


@pytest.mark.parametrize("operation", ["ack", "nack", "extend"])
async def test_an_expired_lock_is_refused_even_if_nobody_else_has_read_the_message(api, clock, operation):
    await api.publish("q", "a")
    (message,) = await api.receive("q", lockTtl=5000)
    clock.advance(5)
    answer = await getattr(api, operation)("q", message, *([10] if operation == "extend" else []))
    lock = message["headers"]["lockId"]
    assert answer.status_code == 400
    assert answer.json() == {"status": "failure", "statusMessage": f"LockId: {lock} provided is expired"}
    assert len(await api.receive("q")) == 1


@pytest.mark.parametrize("operation", ["ack", "nack", "extend"])
async def test_a_lock_settles_only_its_own_message_in_its_own_queue(api, operation):
    await api.publish("q", "a", "b")
    await api.publish("dead", "c")
    a, b = await api.receive("q")
    ttl = [10] if operation == "extend" else []
    swapped = {"headers": {"messageId": a["headers"]["messageId"], "lockId": b["headers"]["lockId"]}}
    assert (await getattr(api, operation)("q", swapped, *ttl)).status_code == 400
    assert (await getattr(api, operation)("dead", a, *ttl)).status_code == 400
    assert (await getattr(api, operation)("q", a, *ttl)).status_code == 200


async def test_a_lock_is_used_up_by_the_first_settlement(api):
    await api.publish("q", "a")
    (message,) = await api.receive("q")
    assert (await api.ack("q", message)).status_code == 200
    assert (await api.ack("q", message)).status_code == 400
    assert (await api.nack("q", message)).status_code == 400


async def test_a_lock_of_an_earlier_delivery_does_not_settle_a_later_one(api, clock):
    await api.publish("q", "a")
    (first,) = await api.receive("q", lockTtl=1000)
    clock.advance(1)
    (second,) = await api.receive("q")
    assert (await api.ack("q", first)).status_code == 400
    assert (await api.ack("q", second)).status_code == 200


async def test_a_nacked_message_is_visible_at_once_and_counts_as_delivered(api):
    await api.publish("q", "a")
    (message,) = await api.receive("q")
    answer = await api.nack("q", message)
    assert (answer.status_code, answer.json()["status"]) == (200, "successful")
    (again,) = await api.receive("q")
    assert again["headers"]["deliveryCount"] == "2"
    assert again["headers"]["created"] == message["headers"]["created"]


async def test_locks_do_not_hold_up_other_messages(api):
    await api.publish("q", "a", "b", "c")
    assert await api.bodies("q", batchSize=1) == ["a"]
    assert await api.bodies("q", batchSize=2) == ["b", "c"]


@pytest.mark.parametrize(("asked", "seconds"), [({}, 120), ({"lockTtl": 86_400_000}, 86_400), ({"lockTtl": 1}, 0.001)])
async def test_a_lock_lasts_as_long_as_asked_and_else_as_the_queue_says(api, clock, asked, seconds):
    await api.publish("q", "a")
    await api.receive("q", **asked)
    clock.advance(seconds - 0.0005)
    assert await api.receive("q") == []
    clock.advance(0.001)
    assert len(await api.receive("q")) == 1


async def test_a_lock_of_nothing_leaves_the_message_visible_but_spends_a_delivery(api):
    await api.publish("work", "a")
    (first,) = await api.receive("work", lockTtl=0)
    assert (await api.ack("work", first)).status_code == 400
    assert len(await api.receive("work", lockTtl=0)) == 1
    assert await api.receive("work") == []
    assert await api.bodies("dead") == ["a"]


async def test_a_lock_change_counts_from_now_and_keeps_the_lock_id(api, clock):
    await api.publish("q", "a")
    (message,) = await api.receive("q", lockTtl=10_000)
    clock.advance(9)
    assert (await api.extend("q", message, 60)).status_code == 200
    clock.advance(59)
    assert await api.receive("q") == []
    assert (await api.extend("q", message, 1)).status_code == 200
    clock.advance(1)
    assert len(await api.receive("q")) == 1


async def test_a_lock_change_to_nothing_returns_the_message(api):
    await api.publish("q", "a")
    (message,) = await api.receive("q")
    assert (await api.extend("q", message, 0)).status_code == 200
    assert len(await api.receive("q")) == 1


@pytest.mark.parametrize("ttl", [-1, 43_201, "60", 1.5, True, None])
async def test_a_lock_change_takes_whole_seconds_up_to_twelve_hours(api, ttl):
    await api.publish("q", "a")
    (message,) = await api.receive("q")
    assert (await api.call("PATCH", api.lock_path("q", message), {"ttl": ttl})).status_code == 400
    assert (await api.extend("q", message, 43_200)).status_code == 200


async def test_lock_changes_can_be_switched_to_milliseconds(clock, open_api):
    config = BrokerConfig(queues=(QueueConfig("q"),), switches=Switches(lock_ttl_unit="ms"))
    async with LocalBroker(config, clock=clock) as broker, open_api(broker) as api:
        await api.publish("q", "a")
        (message,) = await api.receive("q")
        assert (await api.extend("q", message, 43_200_001)).status_code == 400
        assert (await api.extend("q", message, 1500)).status_code == 200
        clock.advance(1.5)
        assert len(await api.receive("q")) == 1


async def test_a_message_returned_too_often_moves_to_the_dead_letter_queue(api, broker):
    await api.call("PUT", api.path("work", "a"), {"headers": {"x": "1"}, "properties": {"p": 1.0}, "body": "text"})
    for count in ("1", "2"):
        (message,) = await api.receive("work")
        assert message["headers"]["deliveryCount"] == count
        await api.nack("work", message)
    assert await api.receive("work") == []
    assert broker.depth("work") == {"messages": 0, "inflight": 0}
    (dead,) = await api.receive("dead")
    assert dead["headers"]["deliveryCount"] == "1"
    assert (dead["headers"]["messageId"], dead["headers"]["x"]) == ("a", "1")
    assert dead["headers"]["created"] == message["headers"]["created"]
    assert (dead["properties"], dead["body"]) == ({"p": 1.0}, "text")


@pytest.mark.parametrize("seen_from", ["work", "dead", "depth of work", "depth of dead"])
async def test_an_expired_last_lock_moves_the_message_whoever_looks_first(api, broker, clock, seen_from):
    await api.publish("work", "a")
    for _ in range(2):
        assert len(await api.receive("work")) == 1
        clock.advance(MINUTE)
    if seen_from == "work":
        assert await api.receive("work") == []
    elif seen_from == "depth of work":
        assert broker.depth("work") == {"messages": 0, "inflight": 0}
    elif seen_from == "depth of dead":
        assert broker.depth("dead") == {"messages": 1, "inflight": 0}
    assert await api.bodies("dead") == ["a"]
    assert await api.receive("work") == []


async def test_the_last_allowed_delivery_can_still_be_acknowledged(api, broker):
    await api.publish("work", "a")
    for _ in range(2):
        (message,) = await api.receive("work", lockTtl=1000)
        if message["headers"]["deliveryCount"] == "1":
            await api.nack("work", message)
    assert (await api.ack("work", message)).status_code == 200
    assert broker.depth("dead") == {"messages": 0, "inflight": 0}


async def test_without_a_dead_letter_queue_a_message_is_redelivered_for_ever(api):
    await api.publish("q", "a")
    for count in range(1, 31):
        (message,) = await api.receive("q")
        assert message["headers"]["deliveryCount"] == str(count)
        await api.nack("q", message)


async def test_a_lock_of_the_source_queue_is_worth_nothing_in_the_dead_letter_queue(api):
    await api.publish("work", "a")
    for _ in range(2):
        (message,) = await api.receive("work")
        await api.nack("work", message)
    assert (await api.ack("dead", message)).status_code == 400
    assert len(await api.receive("dead")) == 1


async def test_a_delayed_message_waits_but_counts_as_in_the_queue(api, broker, clock):
    await api.publish("q", "a", deliveryDelay=900_000)
    assert await api.receive("q") == []
    assert broker.depth("q") == {"messages": 1, "inflight": 0}
    clock.advance(900)
    (message,) = await api.receive("q")
    assert message["headers"]["deliveryDelay"] == "900000"


async def test_the_queues_delay_applies_unless_the_message_brings_its_own(api, broker, clock):
    broker.create_queue("slow", default_delivery_delay="10s")
    await api.publish("slow", "own", deliveryDelay=0)
    await api.publish("slow", "default")
    assert await api.bodies("slow") == ["own"]
    clock.advance(10)
    (message,) = await api.receive("slow")
    assert message["body"] == "default"
    assert "deliveryDelay" not in message["headers"]


async def test_a_message_past_its_time_to_live_is_deleted_even_when_locked(api, broker, clock):
    broker.create_queue("short", default_ttl="1m")
    await api.publish("short", "a", "b")
    await api.publish("short", "own", ttl=120_000)
    a, *_ = await api.receive("short", batchSize=1, lockTtl=600_000)
    clock.advance(MINUTE)
    assert (await api.ack("short", a)).status_code == 400
    assert broker.depth("short") == {"messages": 1, "inflight": 0}
    (own,) = await api.receive("short")
    assert (own["body"], own["headers"]["ttl"]) == ("own", "120000")


async def test_a_time_to_live_beyond_fourteen_days_is_cut(api, clock):
    await api.publish("q", "a", ttl=10**15)
    clock.advance(14 * 86_400 - 1)
    (message,) = await api.receive("q", lockTtl=500)
    assert message["headers"]["ttl"] == str(14 * 86_400_000)
    clock.advance(1)
    assert await api.receive("q") == []


async def test_a_dead_letter_keeps_the_age_it_had(api, broker, clock):
    broker.create_queue("grave", default_ttl="1h")
    broker.create_queue("source", dead_letter_queue="grave", max_deliveries=1, default_ttl="14d")
    await api.publish("source", "a")
    clock.advance(30 * MINUTE)
    (message,) = await api.receive("source")
    await api.nack("source", message)
    clock.advance(29 * MINUTE)
    assert broker.depth("grave")["messages"] == 1
    clock.advance(MINUTE)
    assert broker.depth("grave")["messages"] == 0


async def test_the_same_id_twice_makes_two_messages(api):
    await api.publish("q", "a", "a")
    await api.publish("q", "a")
    assert await api.bodies("q") == ["a", "a", "a"]


async def test_reading_stops_at_the_limit_of_messages_in_flight(api, broker, monkeypatch):
    monkeypatch.setattr("courier_nb.broker.state.store.MAX_IN_FLIGHT", 3)
    await api.publish("q", *"abcde")
    held = await api.receive("q")
    assert len(held) == 3
    assert await api.receive("q") == []
    await api.ack("q", held[0])
    assert len(await api.receive("q")) == 1


async def test_counts_agree_with_the_rows_after_every_kind_of_change(api, broker, clock, locks):
    for round_number in range(3):
        await api.publish("work", *[f"{round_number}{letter}" for letter in "abcdefghij"])
        held = await api.receive("work", lockTtl=1000 * (round_number + 1))
        await api.call("DELETE", api.path("work"), locks(*held[:3]))
        await api.call("DELETE", api.path("work", "locks"), locks(*held[3:6]))
        await api.call("PATCH", api.path("work", "locks"), locks(*held[5:8], ttl=30))
        clock.advance(1.5)
        for queue in ("work", "dead"):
            stored, locked = broker._engine.committer.call(
                lambda store, queue=queue: store.connection.execute(
                    "select count(*), count(token) from message where heap = (select heap from queue where id = ?)", (queue,)
                ).fetchone()
            )
            assert broker.depth(queue) == {"messages": stored - locked, "inflight": locked}
    assert broker.purge("work") > 0
    assert broker.depth("work") == {"messages": 0, "inflight": 0}
