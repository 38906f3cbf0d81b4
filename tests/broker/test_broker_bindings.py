"""The Admin API: bindings of queues to exchanges, and their routing rules."""

from __future__ import annotations

import pytest

from courier_nb.broker import BrokerConfig, LocalBroker, Switches
from tests.broker.asking import BINDINGS, asking, binding, refused

pytestmark = pytest.mark.anyio

RULE = {"routingRules": [{"propertyName": "n", "propertyType": "NUMERIC", "matcherType": "GT", "value": 1_009}]}


@pytest.fixture
async def platform(broker, anyio_backend):
    async with asking(broker) as ask:
        yield ask


async def test_a_binding_is_made_shown_and_removed(broker, platform, api):
    broker.create_exchange("x")
    pair = {"queueId": "q", "exchangeId": "x"}
    assert (await platform("admin", binding("x", "q"))).json() == {"status": 404, "message": "binding not found"}
    answer = await platform("admin", binding("x", "q"), "PUT")
    assert (answer.status_code, answer.json()) == (200, pair), "no body is needed"
    assert await platform.get(binding("x", "q")) == pair
    await api.publish("x", "a")
    assert await api.bodies("q") == ["a"]
    answer = await platform("admin", binding("x", "q"), "DELETE")
    assert (answer.status_code, answer.content) == (204, b"")
    await api.publish("x", "b")
    assert await api.bodies("q") == []
    assert (await platform("admin", binding("x", "q"), "DELETE")).status_code == 404


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE"])
async def test_a_binding_needs_both_its_ends(broker, platform, method):
    broker.create_exchange("x")
    for exchange, queue, missing in (("x", "no", "queue"), ("no", "q", "exchange"), ("x", "x", "queue"), ("q", "q", "exchange")):
        for rest in ("", "/rules/routing") if method != "GET" else ("",):
            answer = await platform("admin", binding(exchange, queue, rest), method, RULE if method == "PUT" else None)
            assert (answer.status_code, answer.json()["message"]) == (404, f"{missing} not found")


async def test_bindings_are_listed_from_both_ends_in_pages(broker, platform):
    for name in ("x1", "x2", "y"):
        broker.create_exchange(name, bindings=["q"])
    for number in range(25):
        broker.create_queue(f"p{number:02}")
        await platform.put(binding("y", f"p{number:02}"))
    await platform.put(binding("x1", "q", "/rules/routing"), RULE)

    def pairs(exchange, *queues):
        return [{"queueId": queue, "exchangeId": exchange} for queue in queues]

    everything = pairs("y", *(f"p{number:02}" for number in range(25)), "q")
    assert await platform.get(f"{BINDINGS}/exchanges/y") == everything[:20]
    assert await platform.get(f"{BINDINGS}/exchanges/y", offset=20, limit=5) == everything[20:25]
    assert await platform.get(f"{BINDINGS}/exchanges/y", startsWith="q") == pairs("y", "q")
    to_q = [*pairs("x1", "q"), *pairs("x2", "q"), *pairs("y", "q")]
    assert await platform.get(f"{BINDINGS}/queues/q") == to_q
    assert await platform.get(f"{BINDINGS}/queues/q", startsWith="x", inclusion="minimal") == to_q[:2]
    assert await platform.get(f"{BINDINGS}/queues/q", inclusion="all", limit=2) == [to_q[0] | RULE, to_q[1]]
    assert await platform.get(f"{BINDINGS}/exchanges/x1", inclusion="all") == [to_q[0] | RULE]
    assert await platform.get(binding("x1", "q"), inclusion="all") == to_q[0] | RULE
    assert await platform.get(binding("x1", "q")) == to_q[0]


async def test_a_list_of_no_bindings_has_no_content_and_one_of_nothing_is_not_found(broker, platform):
    broker.create_exchange("x")
    for path in ("exchanges/x", "queues/q"):
        answer = await platform("admin", f"{BINDINGS}/{path}")
        assert (answer.status_code, answer.content) == (204, b"")
        refused(await platform("admin", f"{BINDINGS}/{path}", params={"limit": 0}), "limit")
    for path, message in (("exchanges/q", "exchange not found"), ("queues/x", "queue not found")):
        assert (await platform("admin", f"{BINDINGS}/{path}")).json()["message"] == message
    assert (await platform("admin", "regions/eu-west-1/bindings/queues/q")).json()["message"] == "queue not found"


async def test_a_fifo_queue_cannot_be_bound(broker, platform):
    broker.create_exchange("x")
    broker.create_queue("f", fifo=True)
    refused(await platform("admin", binding("x", "f"), "PUT"), "'f'", "FIFO")
    assert await platform.get(f"{BINDINGS}/exchanges/x") == []


async def test_an_exchange_has_450_bindings_or_ten_when_any_has_a_rule(broker, platform):
    broker.create_exchange("x")
    for number in range(451):
        broker.create_queue(f"q{number:03}")
    for number in range(10):
        await platform.put(binding("x", f"q{number:03}"))
    await platform.put(binding("x", "q000", "/rules/routing"), RULE)
    refused(await platform("admin", binding("x", "q010"), "PUT"), "'x' has 11 bindings", "450", "10")
    assert (await platform("admin", binding("x", "q000", "/rules/routing"), "DELETE")).status_code == 204
    for number in range(10, 450):
        await platform.put(binding("x", f"q{number:03}"))
    refused(await platform("admin", binding("x", "q450"), "PUT"), "'x' has 451 bindings")
    refused(await platform("admin", binding("x", "q000", "/rules/routing"), "PUT", RULE), "'x' has 450 bindings")
    assert len(await platform.get(f"{BINDINGS}/exchanges/x", limit=1_000)) == 450


# Routing rules


def rule(kind, matcher, value, name="n"):
    return {"routingRules": [{"propertyName": name, "propertyType": kind, "matcherType": matcher, "value": value}]}


@pytest.mark.parametrize(
    ("kind", "matcher", "value", "passing", "others"),
    [
        ("STRING", "EQ", "Order A", ["Order A"], ["order a", "Order AB", "", 5]),
        ("STRING", "PREFIX", "Order", ["Order", "Order A"], ["An Order", 5]),
        ("STRING", "ANY_OF", ["a", "b"], ["a", "b"], ["c", "ab", 5]),
        ("STRING", "NONE_OF", ["a", "b"], ["c", ""], ["a", "b", 5]),
        ("STRING", "EXISTS", True, ["a", "", 5], []),
        ("STRING", "EXISTS", False, [], ["a", 5]),
        ("NUMERIC", "EQ", 5.5, [5.5], [5, "5.5"]),
        ("NUMERIC", "LT", 5, [4, 4.9, -1e9], [5, 6, "4"]),
        ("NUMERIC", "LE", 5, [5, 5.0, 4], [5.1, "5"]),
        ("NUMERIC", "GT", 5, [5.1, 6], [5, 4, "6"]),
        ("NUMERIC", "GE", 5, [5, 6], [4.9, "5"]),
        ("NUMERIC", "RANGE", [1, 7.8], [1, 5, 7.8], [0.9, 7.9, "5"]),
        ("NUMERIC", "NONE_OF", [1.0, 2, 3.456], [4, 1.5], [1, 2, 3.456, "4"]),
        ("NUMERIC", "EXISTS", True, [0, "a"], []),
        ("NUMERIC", "EXISTS", False, [], [0]),
    ],
    ids=lambda value: str(value) if isinstance(value, str) else "",
)
async def test_a_rule_lets_through_what_matches_it(broker, platform, api, kind, matcher, value, passing, others):
    broker.create_exchange("x", bindings=["q"])
    wanted = rule(kind, matcher, value)
    answer = await platform("admin", binding("x", "q", "/rules/routing"), "PUT", wanted)
    assert (answer.status_code, answer.json()) == (201, {"queueId": "q", "exchangeId": "x", **wanted})
    items = [
        {"headers": {"messageId": str(number)}, "properties": {"n": found}, "body": repr(found)}
        for number, found in enumerate([*passing, *others])
    ]
    items.append({"headers": {"messageId": "without"}, "properties": {"other": "a"}, "body": "without"})
    for start in range(0, len(items), 10):
        assert (await api.call("PUT", api.path("x"), items[start : start + 10])).status_code == 200
    without = ["without"] if matcher == "EXISTS" and value is False else []
    assert sorted(await api.bodies("q")) == sorted([*map(repr, passing), *without])


async def test_a_rule_sees_headers_too(broker, platform, api):
    broker.create_exchange("x", bindings=["q"])
    await platform.put(binding("x", "q", "/rules/routing"), rule("STRING", "EQ", "large", "itemSize"))
    await api.publish("x", "a", itemSize="large")
    await api.publish("x", "b", itemSize="small")
    assert await api.bodies("q") == ["a"]


async def test_a_rule_is_replaced_kept_by_binding_again_and_taken_away(broker, platform, api):
    broker.create_exchange("x", bindings=["q"])
    path = binding("x", "q", "/rules/routing")
    await platform.put(path, rule("STRING", "EQ", "a"))
    await platform.put(path, rule("STRING", "EQ", "b"))
    await platform.put(binding("x", "q"))
    assert (await platform.get(binding("x", "q"), inclusion="all"))["routingRules"] == rule("STRING", "EQ", "b")["routingRules"]
    for _ in range(2):
        answer = await platform("admin", path, "DELETE")
        assert (answer.status_code, answer.content) == (204, b""), "there need not be one"
    assert "routingRules" not in await platform.get(binding("x", "q"), inclusion="all")
    await api.publish("x", "everything")
    assert await api.bodies("q") == ["everything"]


@pytest.mark.parametrize("method", ["PUT", "DELETE"])
async def test_a_rule_needs_a_binding(broker, platform, method):
    broker.create_exchange("x")
    answer = await platform("admin", binding("x", "q", "/rules/routing"), method, RULE if method == "PUT" else None)
    assert (answer.status_code, answer.json()) == (404, {"status": 404, "message": "binding not found"})


@pytest.mark.parametrize(
    ("value", "parts"),
    [
        ({}, ["routingRules is None"]),
        ({"routingRules": []}, ["routingRules is []", "one rule"]),
        ({"routingRules": RULE["routingRules"] * 2}, ["routingRules"]),
        ({"routingRules": {}}, ["routingRules"]),
        ({"routingRules": ["x"]}, ["routingRules"]),
        ({"value": RULE}, ["routingRules"]),
        ({"routingRules": [{"propertyName": "n", "propertyType": "NUMERIC", "matcherType": "GT"}]}, ["value is None", "all of"]),
        (rule("NUMERIC", "GT", 5, ""), ["propertyName is ''", "1 to 180 bytes"]),
        (rule("NUMERIC", "GT", 5, "ü" * 91), ["propertyName", "180"]),
        (rule("NUMERIC", "GT", 5, 5), ["propertyName is 5", "a text"]),
        (rule("BOOLEAN", "EQ", True), ["propertyType is 'BOOLEAN'", "'STRING'", "'NUMERIC'"]),
        (rule("STRING", "GT", "a"), ["matcherType", "'GT'", "'PREFIX'"]),
        (rule("NUMERIC", "PREFIX", 5), ["matcherType", "'PREFIX'", "'RANGE'"]),
        (rule("STRING", "EQ", 5), ["value is 5", "a text for EQ"]),
        (rule("STRING", "EQ", ""), ["value is ''", "a text for EQ"]),
        (rule("STRING", "EQ", "a/b"), ["value is 'a/b'", "letters, digits"]),
        (rule("STRING", "EQ", ["a"]), ["value", "EQ"]),
        (rule("STRING", "PREFIX", "ü"), ["value is 'ü'"]),
        (rule("STRING", "EQ", "a" * 50_000), ["too long to show"]),
        (rule("STRING", "ANY_OF", "a"), ["value is 'a'", "list of 1 to 150"]),
        (rule("STRING", "ANY_OF", []), ["value", "list of 1 to 150"]),
        (rule("STRING", "ANY_OF", ["a", 5]), ["value"]),
        (rule("STRING", "NONE_OF", [f"v{n}" for n in range(151)]), ["value", "150"]),
        (rule("STRING", "EXISTS", "true"), ["value is 'true'", "true or false"]),
        (rule("NUMERIC", "EQ", "5"), ["value is '5'", "a number from -10^9 to 10^9"]),
        (rule("NUMERIC", "EQ", True), ["value is True"]),
        (rule("NUMERIC", "EQ", 1_000_000_001), ["value is 1000000001"]),
        (rule("NUMERIC", "LT", -1e10), ["value"]),
        (rule("NUMERIC", "RANGE", [5, 5]), ["value", "the first less than the second"]),
        (rule("NUMERIC", "RANGE", [1, 2, 3]), ["value"]),
        (rule("NUMERIC", "RANGE", 5), ["value is 5"]),
        (rule("NUMERIC", "NONE_OF", [1, "2"]), ["value"]),
        (rule("NUMERIC", "EXISTS", 1), ["value is 1", "true or false"]),
        (rule("STRING", "EQ", {"a": 1}), ["value is {"]),
        (rule("STRING", "ANY_OF", [["a"]]), ["value is ["]),
        (rule("STRING", "EQ", "\ud800"), ["value is "]),
    ],
    ids=lambda value: "",
)
async def test_a_wrong_rule_is_named_and_the_one_before_stays(broker, platform, value, parts):
    broker.create_exchange("x", bindings=["q"])
    await platform.put(binding("x", "q", "/rules/routing"), RULE)
    refused(await platform("admin", binding("x", "q", "/rules/routing"), "PUT", value), *parts)
    assert (await platform.get(binding("x", "q"), inclusion="all"))["routingRules"] == RULE["routingRules"]


async def test_a_text_of_a_rule_may_hold_what_the_service_allows(broker, platform):
    broker.create_exchange("x", bindings=["q"])
    wanted = rule("STRING", "EQ", "aZ0 ()@!&|#$%-_;:,.'\t")
    assert (await platform.put(binding("x", "q", "/rules/routing"), wanted))["routingRules"] == wanted["routingRules"]


async def test_a_misspelt_part_of_a_rule_is_refused_by_a_switch(clock):
    with LocalBroker(BrokerConfig(switches=Switches(unknown_parameters="refuse")), queues=["q"], clock=clock) as broker:
        broker.create_exchange("x", bindings=["q"])
        async with asking(broker) as ask:
            value = {"routingRules": [{**RULE["routingRules"][0], "matchertype": "EQ"}]}
            refused(await ask("admin", binding("x", "q", "/rules/routing"), "PUT", value), "'matchertype'")
