"""The Admin API: queues, exchanges, bindings, routing rules, client apps."""

from __future__ import annotations

import json

import pytest

from courier_nb.broker import BrokerConfig, LocalBroker, QueueConfig, Switches
from tests.broker.asking import BINDINGS, EXCHANGES, HERE, QUEUES, asking, binding, refused

pytestmark = pytest.mark.anyio

DESTINATIONS = f"{HERE}/destinations"
FRESH = {
    "type": "queue",
    "fifo": False,
    "encrypted": False,
    "defaultTtl": 604_800_000,
    "defaultLockTtl": 120_000,
    "defaultDeliveryDelay": 0,
    "isFallback": False,
}


@pytest.fixture
async def platform(broker, anyio_backend):
    async with asking(broker) as ask:
        yield ask


def switched(clock, **switches):
    return LocalBroker(BrokerConfig(queues=(QueueConfig("q"),), switches=Switches(**switches)), clock=clock)


# Queues


async def test_a_queue_shows_what_applies_to_it(platform):
    assert await platform.get(f"{QUEUES}/q") == FRESH | {"queueId": "q"}
    assert await platform.get(f"{QUEUES}/dead") == FRESH | {"queueId": "dead", "deadLetterSources": ["work"]}
    assert await platform.get(f"{QUEUES}/work") == FRESH | {
        "queueId": "work",
        "defaultLockTtl": 60_000,
        "maxDeliveries": 2,
        "deadLetterQueueId": "dead",
    }


@pytest.mark.parametrize("method", ["GET", "PATCH", "DELETE"])
async def test_a_queue_that_is_not_there_is_not_found(broker, platform, method):
    broker.create_exchange("x")
    for path in (f"{QUEUES}/missing", f"{QUEUES}/x", f"{QUEUES}/%00", "regions/eu-west-1/destinations/queues/q"):
        answer = await platform("admin", path, method, {} if method == "PATCH" else None)
        assert (answer.status_code, answer.json()) == (404, {"status": 404, "message": "queue not found"})


async def test_nothing_can_be_made_in_another_region(broker, platform):
    for path in ("destinations/queues/new", "destinations/exchanges/new", "bindings/exchanges/x/queues/q"):
        assert (await platform("admin", f"regions/eu-west-1/{path}", "PUT", {})).status_code == 404
    assert [queue.id for queue in broker.queues()] == ["dead", "q", "work"]


async def test_a_queue_is_made_with_the_settings_given_and_defaults_for_the_rest(broker, platform, api):
    assert await platform.put(f"{QUEUES}/plain") == FRESH | {"queueId": "plain"}
    asked = {
        "defaultTtl": 120_000,
        "defaultLockTtl": 10_000,
        "defaultDeliveryDelay": 5_000,
        "encrypted": True,
        "deadLetterQueueId": "plain",
        "maxDeliveries": 7,
    }
    assert await platform.put(f"{QUEUES}/made.by-api", asked) == FRESH | asked | {"queueId": "made.by-api"}
    assert (await platform.get(f"{QUEUES}/plain"))["deadLetterSources"] == ["made.by-api"]
    await api.publish("made.by-api", "a")
    assert await api.bodies("made.by-api") == [], "the delay is in force"


async def test_a_queue_can_be_made_without_a_body_and_with_a_single_part_of_the_dead_letter_setting(platform):
    answer = await platform("admin", f"{QUEUES}/bare", "PUT")
    assert (answer.status_code, answer.json()) == (200, FRESH | {"queueId": "bare"})
    made = await platform.put(f"{QUEUES}/one", {"deadLetterQueueId": "dead"})
    assert (made["deadLetterQueueId"], made["maxDeliveries"]) == ("dead", 10)
    assert "maxDeliveries" not in await platform.put(f"{QUEUES}/two", {"maxDeliveries": 5})


async def test_making_a_queue_again_changes_nothing_and_keeps_its_messages(platform, api):
    asked = {"defaultTtl": 120_000, "defaultLockTtl": 10_000, "encrypted": False, "fifo": True}
    first = await platform.put(f"{QUEUES}/f", asked)
    await api.publish("f", "a")
    assert await platform.put(f"{QUEUES}/f", asked) == first
    assert await api.bodies("f") == ["a"]


async def test_putting_a_queue_replaces_its_settings_but_never_its_kind(platform):
    await platform.put(f"{QUEUES}/f", {"fifo": True, "defaultTtl": 120_000})
    assert await platform.put(f"{QUEUES}/f", {"defaultLockTtl": 5_000}) == FRESH | {
        "queueId": "f",
        "fifo": True,
        "defaultLockTtl": 5_000,
    }
    for method in ("PUT", "PATCH"):
        answer = await platform("admin", f"{QUEUES}/f", method, {"fifo": False, "defaultLockTtl": 1})
        refused(answer, "'f'", "FIFO", "cannot be changed")
    assert (await platform.get(f"{QUEUES}/f"))["defaultLockTtl"] == 5_000


async def test_what_was_read_can_be_sent_back(platform):
    for queue in ("q", "dead", "work"):
        entity = await platform.get(f"{QUEUES}/{queue}")
        assert await platform.put(f"{QUEUES}/{queue}", entity) == entity
        for version in ("v1", "v2"):
            assert (await platform("admin", f"{QUEUES}/{queue}", "PATCH", entity, version=version)).json() == entity


WITH_DLQ = FRESH | {"queueId": "work", "defaultLockTtl": 60_000, "maxDeliveries": 2, "deadLetterQueueId": "dead"}
WITHOUT_DLQ = {name: value for name, value in WITH_DLQ.items() if name not in ("maxDeliveries", "deadLetterQueueId")}


@pytest.mark.parametrize(
    ("version", "change", "expected"),
    [
        ("v1", {}, WITHOUT_DLQ),
        ("v1", {"defaultTtl": 60_000}, WITHOUT_DLQ | {"defaultTtl": 60_000}),
        ("v1", {"maxDeliveries": 5}, WITHOUT_DLQ),
        ("v1", {"deadLetterQueueId": "dead"}, WITHOUT_DLQ),
        ("v1", {"maxDeliveries": None, "deadLetterQueueId": "dead"}, WITHOUT_DLQ),
        ("v1", {"maxDeliveries": 5, "deadLetterQueueId": "q"}, WITHOUT_DLQ | {"maxDeliveries": 5, "deadLetterQueueId": "q"}),
        ("v2", {}, WITH_DLQ),
        ("v2", {"defaultTtl": 60_000, "encrypted": True}, WITH_DLQ | {"defaultTtl": 60_000, "encrypted": True}),
        ("v2", {"maxDeliveries": 5}, WITH_DLQ | {"maxDeliveries": 5}),
        ("v2", {"deadLetterQueueId": "q"}, WITH_DLQ | {"deadLetterQueueId": "q"}),
        ("v2", {"maxDeliveries": None}, WITH_DLQ),
        ("v2", {"deadLetterQueueId": None}, WITHOUT_DLQ),
        ("v2", {"deadLetterQueueId": None, "maxDeliveries": None}, WITHOUT_DLQ),
    ],
)
async def test_the_two_flavours_of_patch_differ_in_what_is_left_out(platform, version, change, expected):
    answer = await platform("admin", f"{QUEUES}/work", "PATCH", change, version=version)
    assert (answer.status_code, answer.json()) == (200, expected)
    assert await platform.get(f"{QUEUES}/work") == expected


async def test_the_second_patch_wants_a_consistent_dead_letter_setting(platform):
    for queue, change in (("q", {"maxDeliveries": 5}), ("work", {"maxDeliveries": 5, "deadLetterQueueId": None})):
        before = await platform.get(f"{QUEUES}/{queue}")
        refused(await platform("admin", f"{QUEUES}/{queue}", "PATCH", change, version="v2"), "maxDeliveries is 5", "dead")
        assert await platform.get(f"{QUEUES}/{queue}") == before
    both = {"maxDeliveries": 5, "deadLetterQueueId": "dead"}
    assert (await platform("admin", f"{QUEUES}/q", "PATCH", both, version="v2")).json() == FRESH | both | {"queueId": "q"}


async def test_a_removed_dead_letter_setting_leaves_no_number_of_deliveries_behind(platform):
    await platform("admin", f"{QUEUES}/work", "PATCH", {})
    changed = await platform("admin", f"{QUEUES}/work", "PATCH", {"deadLetterQueueId": "dead"}, version="v2")
    assert changed.json()["maxDeliveries"] == 10


async def test_version_two_has_that_patch_only(platform):
    for method in ("GET", "PUT", "DELETE"):
        answer = await platform("admin", f"{QUEUES}/q", method, version="v2")
        assert (answer.status_code, answer.headers["allow"]) == (405, "PATCH")
    assert (await platform("admin", "regions", version="v2")).status_code == 404


WRONG = [
    ({"defaultTtl": 0}, ["defaultTtl is 0", "1 to 1209600000 (ms)"]),
    ({"defaultTtl": 1_209_600_001}, ["defaultTtl is 1209600001"]),
    ({"defaultTtl": "7d"}, ["defaultTtl is '7d'", "whole number"]),
    ({"defaultTtl": 1.5}, ["defaultTtl is 1.5"]),
    ({"defaultTtl": True}, ["defaultTtl is True"]),
    ({"defaultLockTtl": -1}, ["defaultLockTtl is -1", "0 to 43200000 (ms)"]),
    ({"defaultLockTtl": 43_200_001}, ["defaultLockTtl"]),
    ({"defaultDeliveryDelay": 900_001}, ["defaultDeliveryDelay is 900001", "0 to 900000 (ms)"]),
    ({"maxDeliveries": 0, "deadLetterQueueId": "dead"}, ["maxDeliveries is 0", "1 to 1000"]),
    ({"maxDeliveries": 1_001, "deadLetterQueueId": "dead"}, ["maxDeliveries is 1001"]),
    ({"maxDeliveries": 5, "deadLetterQueueId": "missing"}, ["'missing'", "does not exist"]),
    ({"maxDeliveries": 5, "deadLetterQueueId": "q"}, ["deadLetterQueueId is 'q'", "another queue"]),
    ({"maxDeliveries": 5, "deadLetterQueueId": "f"}, ["must be a standard queue"]),
    ({"maxDeliveries": 5, "deadLetterQueueId": 7}, ["deadLetterQueueId is 7", "a text"]),
    ({"maxDeliveries": 5, "deadLetterQueueId": "x y"}, ["deadLetterQueueId is 'x y'", "1 to 127"]),
    ({"encrypted": "yes"}, ["encrypted is 'yes'", "true or false"]),
    ({"fifo": 1}, ["fifo is 1", "true or false"]),
    ({"type": "exchange"}, ["type is 'exchange'", "'queue'"]),
    ({"queueId": "other"}, ["queueId is 'other'", "'q'"]),
    ({"defaultTtl": 10**30}, ["defaultTtl is 1"]),
    ({"defaultTtl": [[[[[[[[[[]]]]]]]]]]}, ["defaultTtl is [[["]),
]


@pytest.mark.parametrize(("version", "method"), [("v1", "PUT"), ("v1", "PATCH"), ("v2", "PATCH")])
@pytest.mark.parametrize(("value", "parts"), WRONG, ids=lambda value: json.dumps(value)[:50])
async def test_a_wrong_setting_is_named_and_nothing_is_changed(platform, version, method, value, parts):
    await platform.put(f"{QUEUES}/f", {"fifo": True})
    before = await platform.get(f"{QUEUES}/q")
    refused(await platform("admin", f"{QUEUES}/q", method, {"defaultLockTtl": 77, **value}, version=version), *parts)
    assert await platform.get(f"{QUEUES}/q") == before


@pytest.mark.parametrize("content", [b"{", b"[]", b"5", b"null", b'"x"', b"\xff", b'{"a":' * 2_000, b'{"defaultTtl":NaN}'])
async def test_a_body_that_is_no_object_is_refused(platform, content):
    for path in (f"{QUEUES}/q", f"{EXCHANGES}/new", "clients", binding("x", "q", "/rules/routing")):
        assert (await platform("admin", path, "PUT", content=content)).status_code == 400
    too_long = await platform("admin", f"{QUEUES}/q", "PUT", content=b" " * 1_000_001)
    assert (too_long.status_code, too_long.json()["status"]) == (413, 413)


@pytest.mark.parametrize("name", ["a_b", "a b", "x" * 128, "ü", "a%2Fb", "q_fb", "*"])
async def test_a_new_name_holds_letters_digits_dots_and_dashes_only(platform, name):
    refused(await platform("admin", f"{QUEUES}/{name}", "PUT", {}), "queueId is", "1 to 127")
    refused(await platform("admin", f"{EXCHANGES}/{name}", "PUT", {}), "exchangeId is", "1 to 127")
    longest = "x" * 127
    assert (await platform.put(f"{QUEUES}/{longest}"))["queueId"] == longest


async def test_a_queue_of_the_configuration_may_have_an_underscore_and_can_be_changed(clock):
    with LocalBroker(BrokerConfig(queues=(QueueConfig("a_b"), QueueConfig("a_fb"))), clock=clock) as broker:
        async with asking(broker) as ask:
            assert (await ask.put(f"{QUEUES}/a_b", {"defaultTtl": 5}))["defaultTtl"] == 5
            assert (await ask.get(f"{QUEUES}/a_fb"))["isFallback"] is True
            refused(await ask("admin", f"{QUEUES}/a_fb", "DELETE"), "fallback")


async def test_an_unknown_field_is_left_alone_or_refused_by_a_switch(clock, platform):
    asked = {"defaultTTL": 5, "defaultLockTtl": 1_000}
    assert (await platform.put(f"{QUEUES}/q", asked))["defaultLockTtl"] == 1_000
    with switched(clock, unknown_parameters="refuse") as broker:
        async with asking(broker) as ask:
            refused(await ask("admin", f"{QUEUES}/q", "PUT", asked), "'defaultTTL'", "defaultTtl")
            entity = await ask.get(f"{QUEUES}/q")
            assert await ask.put(f"{QUEUES}/q", entity) == entity


async def test_the_unit_of_the_delivery_delay_is_a_switch(clock, open_api):
    with switched(clock, delay_unit="s") as broker:
        async with asking(broker) as ask, open_api(broker) as api:
            assert (await ask.put(f"{QUEUES}/q", {"defaultDeliveryDelay": 900}))["defaultDeliveryDelay"] == 900
            refused(await ask("admin", f"{QUEUES}/q", "PUT", {"defaultDeliveryDelay": 901}), "0 to 900 (s)")
            assert (await ask.get(DESTINATIONS))[0]["defaultDeliveryDelay"] == 900
            await api.publish("q", "a")
            clock.advance(899)
            assert await api.bodies("q") == []
            clock.advance(1)
            assert await api.bodies("q") == ["a"]


async def test_a_changed_time_to_live_is_in_force_for_what_is_there(platform, api, clock):
    await api.publish("q", "a")
    await platform("admin", f"{QUEUES}/q", "PATCH", {"defaultTtl": 1_000})
    clock.advance(1)
    assert await api.bodies("q") == []


async def test_a_deleted_queue_is_gone_with_its_messages_bindings_and_polls(broker, platform, api):
    broker.create_exchange("x", bindings=["q"])
    await api.publish("q", "a")
    answer = await platform("admin", f"{QUEUES}/q", "DELETE")
    assert (answer.status_code, answer.content) == (204, b"")
    assert (await platform("admin", f"{QUEUES}/q", "DELETE")).status_code == 404
    assert (await api.poll("q")).status_code == 404
    assert await platform.get(f"{BINDINGS}/exchanges/x") == []
    await platform.put(f"{QUEUES}/q")
    assert await api.bodies("q") == []
    await api.publish("x", "b")
    assert await api.bodies("q") == [], "it is another queue of that name, and not bound"


async def test_a_dead_letter_queue_in_use_is_not_deleted(platform):
    refused(await platform("admin", f"{QUEUES}/dead", "DELETE"), "'dead'", "'work'")
    await platform("admin", f"{QUEUES}/work", "PATCH", {})
    assert (await platform("admin", f"{QUEUES}/dead", "DELETE")).status_code == 204


async def test_a_purge_deletes_waiting_and_locked_messages(platform, api):
    await api.publish("q", "a", "b", "c")
    (locked,) = await api.receive("q", batchSize=1)
    answer = await platform("admin", f"{QUEUES}/q/messages", "DELETE")
    assert (answer.status_code, answer.content) == (204, b"")
    assert await api.bodies("q") == []
    assert (await api.ack("q", locked)).status_code == 400
    depth = await platform("stats", f"{HERE}/queues", params={"destinationIds": "q"})
    assert depth.json() == [{"destination": "q", "messages": 0, "inflightMessages": 0}]
    assert (await platform("admin", f"{QUEUES}/missing/messages", "DELETE")).json()["message"] == "queue not found"


# Fallback queues


async def test_a_fallback_queue_is_noted_in_the_next_region(platform):
    on = {"enabled": True, "linkedQueueName": "q_fb", "linkedQueueRegion": "us-east-2"}
    answer = await platform("admin", f"{QUEUES}/q/fallback", "PUT", {"fallbackEnabled": True})
    assert (answer.status_code, answer.json()) == (201, {"queueId": "q", "isFallback": False, "fallbackConfig": on})
    assert (await platform.get(f"{QUEUES}/q"))["fallbackConfig"] == on
    off = await platform("admin", f"{QUEUES}/q/fallback", "PUT", {"fallbackEnabled": False, "fallbackRegion": "us-east-2"})
    assert off.json()["fallbackConfig"] == on | {"enabled": False}
    assert "fallbackConfig" not in await platform.get(f"{QUEUES}/q")


async def test_failover_has_its_conditions(platform):
    await platform.put(f"{QUEUES}/f", {"fifo": True})
    on = {"fallbackEnabled": True}

    async def fallback(queue, value):
        return await platform("admin", f"{QUEUES}/{queue}/fallback", "PUT", value)

    refused(await fallback("f", on), "FIFO")
    refused(await fallback("work", on), "'dead'", "first")
    assert (await fallback("dead", on)).status_code == 201
    assert (await fallback("work", on)).status_code == 201
    refused(await fallback("q", {}), "fallbackEnabled is None", "true or false")
    refused(await fallback("q", {"fallbackEnabled": "true"}), "fallbackEnabled is 'true'")
    refused(await fallback("q", on | {"fallbackRegion": "eu-west-1"}), "fallbackRegion is 'eu-west-1'", "'us-east-2'")
    assert (await fallback("missing", on)).json()["message"] == "queue not found"


async def test_a_region_of_ones_own_has_no_failover(clock):
    with LocalBroker(BrokerConfig(queues=(QueueConfig("q"),), region="mars-1"), clock=clock) as broker:
        async with asking(broker) as ask:
            path = "regions/mars-1/destinations/queues/q/fallback"
            refused(await ask("admin", path, "PUT", {"fallbackEnabled": True}), "'mars-1'")


# The list of destinations


@pytest.fixture
async def many(broker, platform):
    """Queues page-00 to page-24 beside dead, q and work, and three exchanges in between."""
    for number in range(25):
        broker.create_queue(f"page-{number:02}")
    for name in ("dear", "page-10x", "zoo"):
        broker.create_exchange(name)
    return sorted(["dead", "q", "work", "dear", "page-10x", "zoo", *(f"page-{number:02}" for number in range(25))])


async def test_destinations_come_in_pages_of_twenty_queues_and_exchanges_together_by_name(many, platform):
    async def ids(**params):
        return [entity.get("queueId") or entity["exchangeId"] for entity in await platform.get(DESTINATIONS, **params)]

    exchanges = ["dear", "page-10x", "zoo"]
    queues = [name for name in many if name not in exchanges]
    assert await ids() == many[:20]
    assert await ids(offset=20) == many[20:]
    assert await ids(limit=500) == many
    assert await ids(offset=5, limit=3, inclusion="all") == many[5:8]
    assert await ids(destinationType="queue", limit=100) == queues
    assert await ids(destinationType="queue", offset=20, limit=3) == queues[20:23]
    assert await ids(destinationType="exchange") == exchanges
    assert await ids(startsWith="page-1") == [name for name in many if name.startswith("page-1")]
    assert await ids(startsWith="page-1", offset=1, limit=2) == ["page-10x", "page-11"]
    assert await ids(startsWith="none") == []
    assert await ids(offset=100) == []
    assert await ids(destinationIds="q,zoo,missing") == ["q", "zoo"]
    assert await ids(destinationIds=["q", "page-10x"]) == ["page-10x", "q"]
    assert await ids(destinationIds="q", destinationType="exchange") == []
    assert await ids(destinationIds="") == many[:20]
    for nothing in ({"startsWith": "none"}, {"offset": 100}):
        answer = await platform("admin", DESTINATIONS, params=nothing)
        assert (answer.status_code, answer.content) == (204, b"")
    assert (await platform("admin", "regions/eu-west-1/destinations")).status_code == 204


async def test_a_list_shows_whole_entities_or_just_their_names(broker, platform):
    broker.create_exchange("x")
    assert await platform.get(DESTINATIONS, startsWith="work", inclusion="all") == [await platform.get(f"{QUEUES}/work")]
    assert await platform.get(DESTINATIONS, destinationType="exchange") == [
        {"type": "exchange", "exchangeId": "x", "encrypted": False}
    ]
    assert await platform.get(DESTINATIONS, inclusion="minimal", destinationIds="work,x") == [
        {"type": "queue", "queueId": "work"},
        {"type": "exchange", "exchangeId": "x"},
    ]


@pytest.mark.parametrize(
    "wrong",
    [
        {"limit": 0},
        {"limit": 1_001},
        {"limit": "x"},
        {"limit": "١"},
        {"offset": -1},
        {"offset": "9" * 30},
        {"destinationType": "topic"},
        {"inclusion": "none"},
    ],
)
async def test_a_wrong_page_is_refused(platform, wrong):
    for region in ("us-east-1", "eu-west-1"):
        refused(await platform("admin", f"regions/{region}/destinations", params=wrong), next(iter(wrong)))


async def test_the_largest_page_is_a_switch(clock):
    with switched(clock, admin_page_limit=3) as broker:
        for number in range(5):
            broker.create_queue(f"q{number}")
        async with asking(broker) as ask:
            assert len(await ask.get(DESTINATIONS)) == 3
            refused(await ask("admin", DESTINATIONS, params={"limit": 4}), "limit", "3")


# Exchanges


async def test_an_exchange_is_made_changed_and_deleted(platform, api):
    entity = {"type": "exchange", "exchangeId": "x", "encrypted": False}
    assert await platform.put(f"{EXCHANGES}/x") == entity
    assert await platform.get(f"{EXCHANGES}/x") == entity
    assert await platform.put(f"{EXCHANGES}/x", {"encrypted": True}) == entity | {"encrypted": True}
    assert (await platform("admin", f"{EXCHANGES}/x", "PATCH", {})).json() == entity | {"encrypted": True}
    assert (await platform("admin", f"{EXCHANGES}/x", "PATCH", entity)).json() == entity
    await platform.put(binding("x", "q"))
    assert await platform.put(f"{EXCHANGES}/x", {}) == entity
    await api.publish("x", "a")
    assert await api.bodies("q") == ["a"], "making it again has left its binding"
    answer = await platform("admin", f"{EXCHANGES}/x", "DELETE")
    assert (answer.status_code, answer.content) == (204, b"")
    for method in ("GET", "PATCH", "DELETE"):
        answer = await platform("admin", f"{EXCHANGES}/x", method, {} if method == "PATCH" else None)
        assert (answer.status_code, answer.json()) == (404, {"status": 404, "message": "exchange not found"})
    assert await platform.get(f"{BINDINGS}/queues/q") == []
    assert (await api.call("PUT", api.path("x"), [{"headers": {"messageId": "1"}, "body": ""}])).status_code == 404


async def test_queues_and_exchanges_share_their_names(broker, platform):
    broker.create_exchange("x")
    refused(await platform("admin", f"{QUEUES}/x", "PUT", {}), "'x'", "exchange")
    refused(await platform("admin", f"{EXCHANGES}/q", "PUT", {}), "'q'", "queue")
    assert (await platform("admin", f"{EXCHANGES}/q", "GET")).json()["message"] == "exchange not found"


@pytest.mark.parametrize(
    ("value", "parts"),
    [
        ({"encrypted": "no"}, ["encrypted is 'no'"]),
        ({"exchangeId": "y"}, ["exchangeId is 'y'", "'x'"]),
        ({"type": "queue"}, ["type is 'queue'"]),
    ],
)
async def test_a_wrong_setting_of_an_exchange_is_named(broker, platform, value, parts):
    broker.create_exchange("x")
    for method in ("PUT", "PATCH"):
        refused(await platform("admin", f"{EXCHANGES}/x", method, value), *parts)
