"""Exchanges: copies for every bound queue, routing rules, and what cannot be done with an exchange."""

from __future__ import annotations

import json

import pytest

from courier_nb.broker import Binding, RoutingRule

pytestmark = pytest.mark.anyio


@pytest.fixture
def bind(broker):
    """Bind queue ``picky`` to exchange ``events`` with a rule, and queue ``q`` without."""
    broker.create_queue("picky")

    def bind(name, kind, matcher, value):
        broker.create_exchange("events", bindings=["q", Binding("picky", RoutingRule(name, kind, matcher, value))])

    return bind


async def send(api, exchange="events", headers=None, properties=None):
    """Publish one message to an exchange."""
    item = {"headers": headers or {}, "properties": properties or {}, "body": "x"}
    answer = await api.call("PUT", api.path(exchange, "m"), item)
    assert (answer.status_code, answer.json()["status"]) == (201, "successful")


async def passes(api, properties=None, headers=None):
    """Tell whether the rule lets a message through; the queue without a rule gets it anyway."""
    await send(api, headers=headers, properties=properties)
    assert len(await api.receive("q")) == 1
    messages = await api.receive("picky")
    for message in messages:
        await api.ack("picky", message)
    return bool(messages)


async def test_every_bound_queue_gets_a_copy_with_the_same_id(api, broker):
    broker.create_exchange("events", bindings=["q", "work"])
    item = {"headers": {"messageId": "m", "x": "1"}, "properties": {"p": 1.0}, "body": "text"}
    answer = await api.call("PUT", api.path("events"), [item, item | {"headers": {"messageId": "n"}}])
    assert answer.status_code == 200
    assert [(result["messageId"], result["status"]) for result in answer.json()] == [("m", "successful"), ("n", "successful")]
    for queue in ("q", "work"):
        first, second = await api.receive(queue)
        assert (first["headers"]["messageId"], first["headers"]["x"]) == ("m", "1")
        assert (first["properties"], first["body"]) == ({"p": 1.0}, "text")
        assert second["headers"]["messageId"] == "n"
    assert broker.depth("dead") == {"messages": 0, "inflight": 0}


async def test_copies_live_their_own_lives(api, broker):
    broker.create_exchange("events", bindings=["q", "work"])
    await api.publish("events", "a")
    (mine,), (other,) = await api.receive("q"), await api.receive("work")
    assert mine["headers"]["lockId"] != other["headers"]["lockId"]
    assert (await api.ack("work", mine)).status_code == 400
    assert (await api.ack("q", mine)).status_code == 200
    await api.nack("work", other)
    (other,) = await api.receive("work")
    await api.nack("work", other)
    assert await api.bodies("dead") == ["a"]


async def test_a_copy_takes_delay_and_time_to_live_of_its_queue_unless_the_message_brings_its_own(api, broker, clock):
    broker.create_queue("slow", default_delivery_delay="10s", default_ttl="30s")
    broker.create_exchange("events", bindings=["q", "slow"])
    await api.publish("events", "queue's")
    await api.publish("events", "own", deliveryDelay=5000, ttl=60_000)
    assert await api.bodies("q") == ["queue's"]
    assert await api.receive("slow") == []
    clock.advance(5)
    assert await api.bodies("q") == ["own"]
    (own,) = await api.receive("slow", lockTtl=1000)
    assert (own["headers"]["deliveryDelay"], own["headers"]["ttl"]) == ("5000", "60000")
    clock.advance(5)
    assert sorted(await api.bodies("slow", lockTtl=1000)) == ["own", "queue's"]
    clock.advance(20)
    assert await api.bodies("slow", lockTtl=1000) == ["own"]
    clock.advance(30)
    assert await api.receive("slow") == []


async def test_with_nothing_bound_a_message_is_accepted_and_dropped(api, broker):
    broker.create_exchange("events")
    assert await api.publish("events", "a", "b") == ["id of a", "id of b"]
    await send(api)
    broker.create_exchange("events", bindings=["q"])
    assert await api.receive("q") == []


async def test_a_message_that_no_rule_wants_is_accepted_and_dropped(api, broker):
    broker.create_exchange("events", bindings=[Binding("q", RoutingRule("kind", "STRING", "EQ", "a"))])
    await send(api, properties={"kind": "b"})
    assert await api.receive("q") == []


async def test_each_message_of_a_batch_goes_its_own_way(api, broker):
    rules = {kind: RoutingRule("kind", "STRING", "EQ", kind) for kind in "ab"}
    broker.create_exchange("events", bindings=[Binding("q", rules["a"]), Binding("work", rules["b"])])
    items = [{"properties": {"kind": kind}, "body": f"{kind}{n}"} for n, kind in enumerate("abcab")]
    assert (await api.call("PUT", api.path("events"), items)).status_code == 200
    assert await api.bodies("q") == ["a0", "a3"]
    assert await api.bodies("work") == ["b1", "b4"]


@pytest.mark.parametrize(
    ("rule", "passing", "others"),
    [
        (("STRING", "EQ", "a b"), ["a b"], ["a", "A B", "", 1]),
        (("STRING", "PREFIX", "ab"), ["ab", "abc"], ["a", "Abc", "cab", ""]),
        (("STRING", "ANY_OF", ["a", "b"]), ["a", "b"], ["c", "ab", "", 1]),
        (("STRING", "NONE_OF", ["a", "b"]), ["c", "", "A"], ["a", "b", 1, True]),
        (("STRING", "EXISTS", True), ["", "a", 1, 0, True, None], []),
        (("STRING", "EXISTS", False), [], ["", "a", 1, 0, True, None]),
        (("NUMERIC", "EQ", 5), [5, 5.0], [4, 5.1, "5", True]),
        (("NUMERIC", "EQ", 1), [1, 1.0], [True, "1"]),
        (("NUMERIC", "LT", 5), [4, -(10**20), 4.999], [5, 6, "4"]),
        (("NUMERIC", "LE", 5), [5, 4], [5.001, "5"]),
        (("NUMERIC", "GT", 5), [6, 10**20, 5.001], [5, 4, "6"]),
        (("NUMERIC", "GE", 5), [5, 6], [4.999, "5"]),
        (("NUMERIC", "RANGE", [-1, 2.5]), [-1, 0, 2.5], [-1.001, 2.501, "0", False]),
        (("NUMERIC", "NONE_OF", [1, 2]), [3, 1.5, 10**20], [1, 2.0, "3", True]),
        (("NUMERIC", "EXISTS", True), [1, "a"], []),
        (("NUMERIC", "EXISTS", False), [], [1, "a"]),
    ],
    ids=lambda value: "-".join(map(str, value)) if isinstance(value, tuple) else "",
)
async def test_a_rule_compares_values_of_its_own_type(api, bind, rule, passing, others):
    bind("kind", *rule)
    for value in passing:
        assert await passes(api, {"kind": value}), value
    for value in others:
        assert not await passes(api, {"kind": value}), value
    assert await passes(api, {"another": "a"}) is (rule[1:] == ("EXISTS", False))


async def test_a_rule_looks_at_headers_and_properties(api, bind):
    bind("itemSize", "NUMERIC", "GE", 5)
    assert await passes(api, headers={"itemSize": 5})
    assert await passes(api, properties={"itemSize": 5})
    assert not await passes(api, headers={"itemSize": "5"})
    # where both have it, the property counts
    assert await passes(api, {"itemSize": 5}, {"itemSize": 1})
    assert not await passes(api, {"itemSize": 1}, {"itemSize": 5})


async def test_a_rule_can_ask_for_the_headers_that_the_service_knows(api, bind):
    bind("messageGroupId", "STRING", "EQ", "g")
    assert await passes(api, headers={"messageGroupId": "g"})
    assert not await passes(api, headers={"messageGroupId": "h"})


@pytest.mark.parametrize(
    ("headers", "properties", "is_seen"), [(0, 499, True), (0, 500, False), (250, 249, True), (250, 250, False)]
)
async def test_a_message_with_five_hundred_headers_and_properties_is_routed_as_if_it_had_none(
    api, bind, headers, properties, is_seen
):
    bind("p0", "STRING", "EXISTS", True)
    message = {"headers": {f"h{n}": "" for n in range(headers)}, "properties": {f"p{n}": "" for n in range(properties)}}
    assert await passes(api, **message) is is_seen
    bind("p0", "STRING", "EXISTS", False)
    assert await passes(api, **message) is not is_seen


async def test_a_message_with_more_than_215_kilobytes_of_attributes_is_routed_as_if_it_had_none(api, bind):
    bind("p", "STRING", "PREFIX", "p")
    room = 215 * 1024 - len(json.dumps({"p": ""}, separators=(",", ":")))
    assert await passes(api, {"p": "p" * room})
    assert not await passes(api, {"p": "p" * (room + 1)})


async def test_only_a_rule_is_blind_for_too_many_attributes(api, broker):
    broker.create_exchange("events", bindings=["q"])
    properties = {f"p{n}": n for n in range(600)}
    await send(api, properties=properties)
    (message,) = await api.receive("q")
    assert message["properties"] == properties


async def test_a_binding_and_its_rule_are_in_force_at_once(api, broker):
    broker.create_exchange("events", bindings=[Binding("q", RoutingRule("kind", "STRING", "EQ", "a"))])
    await send(api, properties={"kind": "b"})
    broker.create_exchange("events", bindings=[Binding("q", RoutingRule("kind", "STRING", "EQ", "b"))])
    await send(api, properties={"kind": "b"})
    broker.create_exchange("events", bindings=["q"])
    await send(api, properties={"kind": "c"})
    assert [message["properties"]["kind"] for message in await api.receive("q")] == ["b", "c"]


async def test_a_deleted_queue_gets_nothing_when_it_is_made_again(api, broker):
    broker.create_exchange("events", bindings=["q", "work"])
    broker.delete_queue("q")
    await api.publish("events", "a")
    broker.create_queue("q")
    await api.publish("events", "b")
    assert await api.receive("q") == []
    assert await api.bodies("work") == ["a", "b"]


async def test_an_exchange_keeps_a_bound_queue_from_nothing_else(api, broker):
    broker.create_exchange("one", bindings=["q"])
    broker.create_exchange("two", bindings=["q"])
    await api.publish("one", "1")
    await api.publish("q", "direct")
    await api.publish("two", "2")
    assert await api.bodies("q") == ["1", "direct", "2"]


async def test_a_repeated_id_makes_another_copy(api, broker):
    broker.create_exchange("events", bindings=["q"])
    await api.publish("events", "a", "a")
    assert await api.bodies("q") == ["a", "a"]


@pytest.mark.parametrize(
    ("method", "parts", "value"),
    [
        ("GET", (), None),
        ("DELETE", (), [{"messageId": "m", "lockId": "l"}]),
        ("PATCH", ("locks",), [{"messageId": "m", "lockId": "l", "ttl": 1}]),
        ("DELETE", ("locks",), [{"messageId": "m", "lockId": "l"}]),
        ("DELETE", ("m",), {"lockId": "l"}),
        ("PATCH", ("m", "locks", "l"), {"ttl": 1}),
        ("DELETE", ("m", "locks", "l"), None),
    ],
)
async def test_nothing_can_be_done_with_an_exchange_but_publish(api, broker, method, parts, value):
    broker.create_exchange("events", bindings=["q"])
    await api.publish("events", "a")
    answer = await api.call(method, api.path("events", *parts), value)
    assert answer.status_code == 400
    assert answer.json() == {"status": "failure", "statusMessage": "The destination should be a queue."}
    assert broker.depth("q") == {"messages": 1, "inflight": 0}


async def test_a_long_poll_of_an_exchange_is_refused_at_once(api, broker):
    broker.create_exchange("events", bindings=["q"])
    answer = await api.poll("events", pollingTime=20_000)
    assert (answer.status_code, answer.json()["statusMessage"]) == (400, "The destination should be a queue.")


async def test_an_exchange_has_the_limits_of_a_queue(api, broker):
    broker.create_exchange("events", bindings=["q"])
    too_large = "x" * (10 * 1024 * 1024 + 1)
    assert (await api.call("PUT", api.path("events", "m"), {"body": too_large})).status_code == 413
    assert (await api.call("PUT", api.path("events"), [{"body": "x"}] * 11)).status_code == 400
    assert (await api.call("PUT", api.path("events"), [{"body": "good"}, {"body": 5}])).status_code == 400
    assert broker.depth("q") == {"messages": 0, "inflight": 0}
