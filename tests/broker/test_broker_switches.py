"""The switches that act on the broker API: what is unknown or disputed, with the default and every other value."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from dataclasses import fields
from email.utils import parsedate_to_datetime

import pytest

from courier_nb.broker import BrokerConfig, LocalBroker, QueueConfig, Switches

pytestmark = pytest.mark.anyio

HOUR_MS = 3_600_000
MEBIBYTE = 1024 * 1024

# Switches of the Accounts, Admin and Stats APIs, and of calls beyond a limit: tests of theirs are beside those APIs.
OF_THE_PLATFORM = {
    "delay_unit",
    "purge_scope",
    "region_entity",
    "environments_key",
    "live_depth",
    "history_shape",
    "platform_limits",
    "stats_calls_per_minute",
    "admin_page_limit",
    "stats_ids",
}
QUEUES = (
    QueueConfig("q", default_lock_ttl_ms=30_000),
    QueueConfig("dead", default_ttl_ms=10 * 60_000),
    QueueConfig("work", dead_letter_queue="dead", max_deliveries=2, default_ttl_ms=60 * 60_000),
    QueueConfig("line", fifo=True),
    QueueConfig("grave", fifo=True, default_ttl_ms=10 * 60_000),
    QueueConfig("steps", fifo=True, dead_letter_queue="grave", max_deliveries=2, default_ttl_ms=60 * 60_000),
)


@pytest.fixture
def switched(clock, open_api):
    """Open a broker with some switches set; get what talks to it, and the broker."""

    @asynccontextmanager
    async def switched(**switches):
        config = BrokerConfig(QUEUES, switches=Switches(**switches))
        async with LocalBroker(config, clock=clock) as broker, open_api(broker) as api:
            yield api, broker

    return switched


def test_every_switch_of_the_broker_api_has_a_test_here():
    missing = {field.name for field in fields(Switches)} - OF_THE_PLATFORM
    missing = {name for name in missing if not any(test.startswith(f"test_{name}_") for test in globals())}
    assert missing == set()


@pytest.mark.parametrize(("value", "longest", "two"), [({}, 43_200, 2000), ({"lock_ttl_unit": "ms"}, 43_200_000, 2)])
async def test_lock_ttl_unit_is_seconds_or_milliseconds_in_lock_changes(switched, clock, locks, value, longest, two):
    async with switched(**value) as (api, _):
        await api.publish("q", "a", "b")
        a, b = await api.receive("q")
        assert (await api.extend("q", a, longest + 1)).status_code == 400
        assert (await api.extend("q", a, longest)).status_code == 200
        assert (await api.extend("q", a, 2)).status_code == 200
        answer = await api.call("PATCH", api.path("q", "locks"), locks(b, ttl=2))
        assert [item["status"] for item in answer.json()] == ["successful"]
        clock.advance((two - 1) / 1000)
        assert await api.receive("q") == []
        clock.advance(0.001)
        assert await api.bodies("q") == ["a", "b"]


@pytest.mark.parametrize(("value", "longest"), [({}, 24 * HOUR_MS), ({"receive_lock_limit": "12h"}, 12 * HOUR_MS)])
async def test_receive_lock_limit_is_the_longest_lock_of_a_receive(switched, clock, value, longest):
    async with switched(**value) as (api, _):
        await api.publish("q", "a")
        assert (await api.poll("q", lockTtl=longest + 1)).status_code == 400
        assert await api.bodies("q", lockTtl=longest) == ["a"]
        clock.advance((longest - 1) / 1000)
        assert await api.receive("q") == []
        clock.advance(0.001)
        assert await api.bodies("q") == ["a"]


@pytest.mark.parametrize(("value", "seconds"), [({}, 30), ({"receive_lock_default": "2m"}, 120)])
async def test_receive_lock_default_is_the_queues_or_two_minutes(switched, clock, value, seconds):
    async with switched(**value) as (api, _):
        await api.publish("q", "a")
        await api.receive("q")
        clock.advance(seconds - 0.001)
        assert await api.receive("q") == []
        clock.advance(0.001)
        assert await api.bodies("q") == ["a"]


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ({}, 0),
        ({"zero_lock": "default"}, 30),
        ({"zero_lock": "default", "receive_lock_default": "2m"}, 120),
    ],
)
async def test_zero_lock_leaves_the_message_visible_or_takes_the_default(switched, clock, value, seconds):
    async with switched(**value) as (api, broker):
        await api.publish("q", "a")
        (message,) = await api.receive("q", lockTtl=0)
        assert broker.depth("q")["inflight"] == (1 if seconds else 0)
        if seconds:
            clock.advance(seconds - 0.001)
            assert await api.receive("q") == []
            clock.advance(0.001)
        assert (await api.ack("q", message)).status_code == 400
        (message,) = await api.receive("q")
        assert message["headers"]["deliveryCount"] == "2"


async def test_zero_polling_answers_at_once_or_after_ten_seconds(switched, clock):
    async with switched() as (api, _):
        assert (await api.poll("q", pollingTime=0)).status_code == 204
    async with switched(zero_polling="default") as (api, broker):
        poll = asyncio.create_task(api.poll("q", pollingTime=0))
        while broker._engine.committer.waiting != 1:
            await asyncio.sleep(0.001)
        clock.advance(9.999)
        await asyncio.sleep(0.01)
        assert not poll.done()
        clock.advance(0.001)
        assert (await poll).status_code == 204


@pytest.mark.parametrize("name", ["poolingTime", "ackMode", "lockttl"])
async def test_unknown_parameters_are_ignored_or_refused(switched, name):
    async with switched() as (api, _):
        await api.publish("q", "a")
        assert await api.bodies("q", **{name: "1000"}) == ["a"]
    async with switched(unknown_parameters="refuse") as (api, _):
        await api.publish("q", "a")
        answer = await api.poll("q", **{name: "1000"})
        assert (answer.status_code, answer.json()["status"]) == (400, "failure")
        assert name in answer.json()["statusMessage"]
        assert await api.bodies("q", lockTtl=1000, payloadVisibility="full") == ["a"]


@pytest.mark.parametrize("parts", [(), ("locks",)])
async def test_batch_settle_result_is_an_array_or_one_object(switched, locks, parts):
    async with switched() as (api, _):
        await api.publish("q", "a", "b")
        answer = await api.call("DELETE", api.path("q", *parts), locks(*await api.receive("q")))
        assert [item["status"] for item in answer.json()] == ["successful", "successful"]
    async with switched(batch_settle_result="object") as (api, _):
        await api.publish("q", "a", "b", "c")
        a, b, c = await api.receive("q")
        answer = await api.call("DELETE", api.path("q", *parts), locks(a, b))
        assert (answer.status_code, answer.json()["messageId"], answer.json()["status"]) == (200, "id of a", "successful")
        c["headers"]["lockId"], lost = a["headers"]["lockId"], c["headers"]["lockId"]
        answer = await api.call("DELETE", api.path("q", *parts), [*locks(c), {"messageId": "id of c", "lockId": lost}])
        assert (answer.json()["messageId"], answer.json()["status"]) == ("id of c", "failure")


async def test_batch_settle_result_is_no_matter_of_lock_changes_and_publishing(switched, locks):
    async with switched(batch_settle_result="object") as (api, _):
        await api.publish("q", "a", "b")
        answer = await api.call("PATCH", api.path("q", "locks"), locks(*await api.receive("q"), ttl=60))
        assert [item["status"] for item in answer.json()] == ["successful", "successful"]


@pytest.mark.parametrize(
    ("method", "parts", "more"), [("DELETE", (), {}), ("DELETE", ("locks",), {}), ("PATCH", ("locks",), {"ttl": 9})]
)
async def test_bad_settle_batch_is_answered_item_by_item_or_refused(switched, locks, method, parts, more):
    for value, status in (({}, 200), ({"bad_settle_batch": "refuse"}, 400)):
        async with switched(**value) as (api, _):
            await api.publish("q", "a", "b")
            a, b = await api.receive("q")
            a["headers"]["lockId"], good = "AQEBnone", a["headers"]["lockId"]
            b["headers"]["messageId"] = "another"
            answer = await api.call(method, api.path("q", *parts), locks(a, b, **more))
            text = "LockId: AQEBnone provided is expired"
            assert answer.status_code == status
            if status == 200:
                assert [item["status"] for item in answer.json()] == ["failure", "failure"]
                assert answer.json()[0]["statusMessage"] == text
            else:
                assert answer.json() == {"status": "failure", "statusMessage": text}
            # with one good item it is no longer wholly bad
            a["headers"]["lockId"] = good
            answer = await api.call(method, api.path("q", *parts), locks(a, b, **more))
            assert [item["status"] for item in answer.json()] == ["successful", "failure"]


@pytest.mark.parametrize("headers", [{}, {"headers": {}}, {"headers": {"x": "1"}}])
async def test_missing_message_id_is_made_up_or_refused(switched, headers):
    async with switched() as (api, _):
        answer = await api.call("PUT", api.path("q"), [{"body": "x"} | headers])
        (message,) = await api.receive("q")
        assert answer.json()[0]["messageId"] == message["headers"]["messageId"] != ""
    async with switched(missing_message_id="refuse") as (api, broker):
        answer = await api.call("PUT", api.path("q"), [{"headers": {"messageId": "m"}, "body": "x"}, {"body": "x"} | headers])
        assert answer.status_code == 400
        assert "messageId" in answer.json()["statusMessage"]
        assert broker.depth("q") == {"messages": 0, "inflight": 0}
        assert (await api.call("PUT", api.path("q", "m"), {"body": "x"} | headers)).status_code == 201


async def test_message_ttl_is_honoured_or_a_header_like_any_other(switched, clock):
    async with switched() as (api, _):
        await api.publish("q", "a", ttl=1000)
        clock.advance(1)
        assert await api.receive("q") == []
        assert (await api.call("PUT", api.path("q", "m"), {"headers": {"ttl": "soon"}, "body": "x"})).status_code == 400
    async with switched(message_ttl="ignore") as (api, _):
        await api.publish("q", "a", ttl=1000)
        await api.publish("q", "b", ttl="soon")
        clock.advance(1)
        assert [message["headers"]["ttl"] for message in await api.receive("q")] == ["1000", "soon"]


@pytest.mark.parametrize("odd", [True, False, None, [1], {"a": 1}])
async def test_odd_property_values_are_accepted_or_refused(switched, odd):
    async with switched() as (api, _):
        assert (await api.call("PUT", api.path("q", "m"), {"properties": {"p": odd}, "body": "x"})).status_code == 201
        (message,) = await api.receive("q")
        assert message["properties"] == {"p": odd}
    async with switched(odd_property_values="refuse") as (api, broker):
        good = {"properties": {"text": "", "whole": 2**70, "part": 1.5}, "body": "x"}
        answer = await api.call("PUT", api.path("q"), [good, {"properties": {"p": odd}, "body": "x"}])
        assert answer.status_code == 400
        assert "p must be a string or a number" in answer.json()["statusMessage"]
        assert broker.depth("q") == {"messages": 0, "inflight": 0}
        assert (await api.call("PUT", api.path("q"), [good])).status_code == 200


async def test_fifo_message_delay_is_refused_or_ignored(switched):
    late = [{"headers": {"messageId": "m", "deliveryDelay": 900_000}, "body": "x"}]
    async with switched() as (api, broker):
        answer = await api.call("PUT", api.path("line"), late)
        assert (answer.status_code, "deliveryDelay" in answer.json()["statusMessage"]) == (400, True)
        assert broker.depth("line") == {"messages": 0, "inflight": 0}
    async with switched(fifo_message_delay="ignore") as (api, _):
        assert (await api.call("PUT", api.path("line"), late)).status_code == 200
        assert await api.bodies("line") == ["x"]
        late[0]["headers"]["deliveryDelay"] = 900_001
        assert (await api.call("PUT", api.path("line"), late)).status_code == 400


async def test_fifo_in_flight_is_limited_per_group_or_per_queue_too(switched, monkeypatch):
    monkeypatch.setattr("courier_nb.broker.state.store.MAX_FIFO_IN_FLIGHT", 4)
    groups = ["a", "b", "c", "d", "e", "f"]
    async with switched() as (api, _):
        for group in groups:
            await api.publish("line", group, messageGroupId=group)
        assert await api.bodies("line") == groups
    async with switched(fifo_in_flight="queue") as (api, _):
        for group in groups:
            await api.publish("line", group, messageGroupId=group)
        held = await api.receive("line")
        assert [message["body"] for message in held] == groups[:4]
        assert await api.receive("line") == []
        await api.ack("line", held[0])
        assert await api.bodies("line") == ["e"]
        # another queue has its own count
        await api.publish("steps", "x")
        assert await api.bodies("steps") == ["x"]


@pytest.mark.parametrize("value", ["absent", "null", "empty"])
@pytest.mark.parametrize("visibility", ["none", "conditional"])
async def test_hidden_body_is_absent_or_null_or_empty(switched, value, visibility):
    async with switched(hidden_body=value) as (api, _):
        await api.call("PUT", api.path("q", "m"), {"body": "x" * (MEBIBYTE + 1)})
        (message,) = await api.receive("q", payloadVisibility=visibility, lockTtl=0)
        assert message["headers"]["payloadHidden"] == "true"
        assert message.get("body", "absent") == {"absent": "absent", "null": None, "empty": ""}[value]
        (message,) = await api.receive("q", payloadVisibility="full")
        assert "payloadHidden" not in message["headers"]
        assert len(message["body"]) == MEBIBYTE + 1


async def test_hidden_body_is_absent_unless_switched(switched):
    async with switched() as (api, _):
        await api.publish("q", "a")
        (message,) = await api.receive("q", payloadVisibility="none")
        assert "body" not in message


async def test_expired_lock_is_refused_or_good_for_an_ack_while_nobody_has_read_the_message(switched, clock, locks):
    async with switched() as (api, _):
        await api.publish("q", "a")
        (message,) = await api.receive("q", lockTtl=1000)
        clock.advance(1)
        assert (await api.ack("q", message)).status_code == 400
    async with switched(expired_lock="ack-if-unread") as (api, broker):
        await api.publish("q", "unread", "read", "batch")
        unread, read, batch = await api.receive("q", lockTtl=1000)
        clock.advance(1)
        assert (await api.nack("q", unread)).status_code == 400
        assert (await api.extend("q", unread, 10)).status_code == 400
        assert (await api.ack("q", unread)).status_code == 200
        assert (await api.ack("q", unread)).status_code == 400
        answer = await api.call("DELETE", api.path("q"), locks(batch))
        assert answer.json()[0]["status"] == "successful"
        (again,) = await api.receive("q")
        assert (await api.ack("q", read)).status_code == 400
        assert (await api.nack("q", again)).status_code == 200
        # what was given up is not what ran out
        assert (await api.ack("q", again)).status_code == 400
        assert broker.depth("q") == {"messages": 1, "inflight": 0}


async def test_expired_lock_of_a_fifo_queue_or_of_a_dead_letter_is_always_refused(switched, clock):
    async with switched(expired_lock="ack-if-unread") as (api, _):
        await api.publish("line", "a")
        (message,) = await api.receive("line", lockTtl=1000)
        clock.advance(1)
        assert (await api.ack("line", message)).status_code == 400
        await api.publish("work", "a")
        for _ in range(2):
            (message,) = await api.receive("work", lockTtl=1000)
            clock.advance(1)
        assert (await api.ack("work", message)).status_code == 400
        assert (await api.ack("dead", message)).status_code == 400
        assert await api.bodies("dead") == ["a"]


@pytest.mark.parametrize(("value", "expected"), [({}, "1"), ({"dead_letter_count": "continue"}, "3")])
@pytest.mark.parametrize(("source", "grave"), [("work", "dead"), ("steps", "grave")])
async def test_dead_letter_count_starts_again_or_goes_on(switched, value, expected, source, grave):
    async with switched(**value) as (api, _):
        await api.publish(source, "a")
        for _ in range(2):
            (message,) = await api.receive(source)
            await api.nack(source, message)
        (dead,) = await api.receive(grave)
        assert dead["headers"]["deliveryCount"] == expected


@pytest.mark.parametrize(
    ("value", "source", "is_kept"),
    [
        ({}, "work", True),
        ({}, "steps", False),
        ({"dead_letter_created": "keep"}, "steps", True),
        ({"dead_letter_created": "keep"}, "work", True),
        ({"dead_letter_created": "reset"}, "work", False),
        ({"dead_letter_created": "reset"}, "steps", False),
    ],
)
async def test_dead_letter_created_and_the_start_of_its_life_are_kept_or_set_anew(switched, clock, value, source, is_kept):
    grave = {"work": "dead", "steps": "grave"}[source]
    async with switched(**value) as (api, broker):
        await api.publish(source, "a")
        begin = clock.time()
        clock.advance(5 * 60)
        for _ in range(2):
            (message,) = await api.receive(source)
            await api.nack(source, message)
        (dead,) = await api.receive(grave, lockTtl=0)
        created = parsedate_to_datetime(dead["headers"]["created"]).timestamp()
        assert created == (begin if is_kept else begin + 5 * 60)
        clock.advance((5 if is_kept else 10) * 60 - 0.001)
        assert broker.depth(grave)["messages"] == 1
        clock.advance(0.001)
        assert broker.depth(grave)["messages"] == 0


async def test_changed_ttl_applies_to_all_messages_or_to_new_ones(switched, clock):
    for value, seconds in (({}, 60), ({"changed_ttl": "new"}, 3600)):
        async with switched(**value) as (api, broker):
            await api.publish("work", "old")
            await api.publish("work", "own", ttl=7_200_000)
            broker.create_queue("work", default_ttl="1m")
            await api.publish("work", "new")
            clock.advance(59.999)
            assert await api.bodies("work", lockTtl=0) == ["old", "own", "new"]
            clock.advance(0.001)
            assert await api.bodies("work", lockTtl=0) == (["own"] if seconds == 60 else ["old", "own"])
            clock.advance(3540)
            assert await api.bodies("work", lockTtl=0) == ["own"]


async def test_changed_fifo_delay_applies_to_all_messages_or_to_new_ones(switched, clock):
    for value in ({}, {"changed_fifo_delay": "new"}):
        async with switched(**value) as (api, broker):
            await api.publish("line", "old", messageGroupId="a")
            broker.create_queue("line", fifo=True, default_delivery_delay="10s")
            await api.publish("line", "new", messageGroupId="b")
            assert await api.bodies("line", lockTtl=0) == ([] if value == {} else ["old"])
            broker.create_queue("line", fifo=True, default_delivery_delay="5s")
            clock.advance(5)
            assert sorted(await api.bodies("line", lockTtl=0)) == (["new", "old"] if value == {} else ["old"])
            clock.advance(5)
            assert sorted(await api.bodies("line", lockTtl=0)) == ["new", "old"]


@pytest.mark.parametrize("status", [400, 404, 405])
async def test_exchange_read_status_is_that_of_a_receive_from_an_exchange(switched, status):
    async with switched(exchange_read_status=status) as (api, broker):
        broker.create_exchange("events")
        answer = await api.poll("events")
        assert answer.status_code == status
        assert answer.json() == {"status": "failure", "statusMessage": "The destination should be a queue."}


async def test_size_limit_counts_each_item_or_the_whole_batch(switched):
    items = [{"headers": {"messageId": name}, "body": "x" * 5 * MEBIBYTE} for name in "abc"]
    async with switched() as (api, broker):
        assert (await api.call("PUT", api.path("q"), items)).status_code == 200
        assert broker.depth("q")["messages"] == 3
    async with switched(size_limit_counts="batch") as (api, broker):
        answer = await api.call("PUT", api.path("q"), items)
        assert answer.status_code == 413
        assert [(item["messageId"], item["status"]) for item in answer.json()] == [(name, "failure") for name in "abc"]
        assert broker.depth("q")["messages"] == 0
        assert (await api.call("PUT", api.path("q"), items[:2])).status_code == 200
        assert (await api.call("PUT", api.path("q", "m"), items[2])).status_code == 201


async def test_anonymous_requests_are_refused_or_allowed(switched):
    async with switched() as (api, _):
        assert (await api.client.get(api.path("q"), params={"pollingTime": 0})).status_code == 401
    async with switched(anonymous="allow") as (api, broker):
        assert (await api.client.put(api.path("q", "m"), json={"body": "x"})).status_code == 201
        (message,) = (await api.client.get(api.path("q"), params={"pollingTime": 0})).json()
        lock = {"lockId": message["headers"]["lockId"]}
        assert (await api.client.request("DELETE", api.path("q", "m"), json=lock)).status_code == 200
        # a wrong token is still wrong
        answer = await api.client.get(api.path("q"), headers={"Authorization": "Bearer nonsense"})
        assert answer.status_code == 401
        assert broker.depth("q") == {"messages": 0, "inflight": 0}
