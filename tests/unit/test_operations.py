"""What goes over the wire for each of the ten operations, and what never does."""

from __future__ import annotations

import httpx
import pytest

from courier_nb.core.errors import BadAnswer, InvalidArgument
from courier_nb.core.messages import Message
from courier_nb.wire.operations import Operations, Place
from tests.unit.scripts import Script, item, reply, results

pytestmark = pytest.mark.anyio

BASE = "/api/v1/organizations/org/environments/env/destinations/a%2Fb/messages"
LOCK = "AQEB/+=?#%"
MESSAGE = Message("b", {"n": 1}, {"messageId": "m/1"})
SENT = {"headers": {"messageId": "m/1"}, "properties": {"n": 1}, "body": "b"}
SETTLED = {"messageId": "m/1", "lockId": LOCK}
QUOTED = "AQEB%2F%2B%3D%3F%23%25"

CALLS = [
    (lambda ops: ops.publish_batch("a/b", [MESSAGE]), "PUT", "", [SENT]),
    (lambda ops: ops.ack_batch("a/b", [("m/1", LOCK)]), "DELETE", "", [SETTLED]),
    (lambda ops: ops.extend_batch("a/b", [("m/1", LOCK)], 90_000), "PATCH", "/locks", [{**SETTLED, "ttl": 90}]),
    (lambda ops: ops.nack_batch("a/b", [("m/1", LOCK)]), "DELETE", "/locks", [SETTLED]),
    (lambda ops: ops.publish_one("a/b", MESSAGE), "PUT", "/m%2F1", SENT),
    (lambda ops: ops.ack_one("a/b", "m/1", LOCK), "DELETE", "/m%2F1", {"lockId": LOCK}),
    (lambda ops: ops.extend_one("a/b", "m/1", LOCK, 90_000), "PATCH", f"/m%2F1/locks/{QUOTED}", {"ttl": 90}),
    (lambda ops: ops.nack_one("a/b", "m/1", LOCK), "DELETE", f"/m%2F1/locks/{QUOTED}", None),
]


def path(request: httpx.Request) -> str:
    return request.url.raw_path.decode().removeprefix(BASE)


@pytest.mark.parametrize(("call", "method", "rest", "content"), CALLS)
async def test_a_call_has_the_documented_form(script, operations, call, method, rest, content):
    script.always(reply(200, {"messageId": "m/1", "status": "successful"}))
    await call(operations)
    (request,) = script.requests
    assert (request.method, path(request)) == (method, rest)
    assert request.headers["Authorization"] == "Bearer token"
    if content is None:
        assert request.content == b""
    else:
        assert script.bodies() == [content]
        assert request.headers["Content-Type"] == "application/json"


async def test_receiving_sends_every_parameter(script, operations):
    script.will(reply(200, [item("m")]))
    delivery = await operations.receive("a/b", polling_ms=500, batch_size=7, lock_ms=9_000, payload_visibility="conditional")
    assert dict(script.requests[0].url.params) == {
        "pollingTime": "500",
        "batchSize": "7",
        "lockTtl": "9000",
        "payloadVisibility": "conditional",
    }
    assert [message.message_id for message in delivery.messages] == ["m"]
    assert delivery.receipt.environment == "env"


@pytest.mark.parametrize("answer", [reply(204), reply(200), reply(200, [])])
async def test_nothing_to_receive_is_an_empty_delivery(script, operations, answer):
    script.will(answer)
    assert (await operations.receive("q", polling_ms=0)).messages == []
    assert script.requests[0].url.params["pollingTime"] == "1"  # 0 is disputed


@pytest.mark.parametrize(
    ("argument", "value"),
    [
        ("polling_ms", -1),
        ("polling_ms", 20_001),
        ("batch_size", 0),
        ("batch_size", 11),
        ("lock_ms", -1),
        ("lock_ms", 12 * 3_600_000 + 1),
        ("payload_visibility", "some"),
    ],
)
async def test_what_the_service_does_not_take_is_not_sent(script, operations, argument, value):
    with pytest.raises(InvalidArgument, match=str(value)):
        await operations.receive("q", **{argument: value})
    assert script.requests == []


@pytest.mark.parametrize("verb", ["ack_batch", "nack_batch", "publish_batch"])
@pytest.mark.parametrize("size", [0, 11])
async def test_a_batch_of_the_wrong_size_is_not_sent(script, operations, verb, size):
    with pytest.raises(InvalidArgument, match=f"A batch of {size}"):
        await getattr(operations, verb)("q", [("m", "l")] * size)
    assert script.requests == []


@pytest.mark.parametrize("lock_ms", [0, 999, 12 * 3_600_000 + 1])
@pytest.mark.parametrize("verb", ["one", "batch"])
async def test_a_lock_time_outside_the_limits_is_not_sent(script, operations, verb, lock_ms):
    with pytest.raises(InvalidArgument, match="lock time"):
        await (
            operations.extend_one("q", "m", "l", lock_ms)
            if verb == "one"
            else operations.extend_batch("q", [("m", "l")], lock_ms)
        )
    assert script.requests == []


@pytest.mark.parametrize(("unit", "ttl"), [("s", 60), ("ms", 60_000)])
async def test_the_disputed_unit_of_a_lock_change_is_a_setting(script, operations, unit, ttl):
    script.always(results)
    other = Operations(operations._sender, operations._tokens, operations.place, unit)
    await other.extend_batch("q", [("m", "l")], 60_000)
    assert script.bodies()[0][0]["ttl"] == ttl


@pytest.mark.parametrize("name", ["", ".", ".."])
async def test_a_name_that_would_change_the_path_is_refused(script, operations, name):
    for call in (operations.receive(name), operations.ack_one("q", name, "l"), operations.nack_one("q", "m", name)):
        with pytest.raises(InvalidArgument, match="cannot be part of a URL path"):
            await call
    assert script.requests == []


@pytest.mark.parametrize(
    ("message_id", "quoted"),
    [
        ("é", "%C3%A9"),
        ("💥", "%F0%9F%92%A5"),
        ("\ud800", "%ED%A0%80"),
        ("a b", "a%20b"),
        ("..%2f", "..%252f"),
        ("m/locks/l", "m%2Flocks%2Fl"),
    ],
)
async def test_an_id_of_any_characters_stays_one_part_of_the_path(script, operations, message_id, quoted):
    script.always(reply(200, {"messageId": "x", "status": "successful"}))
    await operations.ack_one("a/b", message_id, "l")
    assert path(script.requests[0]) == f"/{quoted}"


@pytest.mark.parametrize("value", [float("nan"), b"bytes", object(), {1, 2}])
@pytest.mark.parametrize("part", ["properties", "headers"])
async def test_what_json_cannot_carry_is_refused_before_it_is_sent(script, operations, part, value):
    with pytest.raises(InvalidArgument, match="nothing was sent"):
        await operations.publish_batch("q", [Message("b", **{part: {"x": value}})])
    assert script.requests == []


async def test_an_empty_answer_to_a_single_call_is_a_bad_one(script, operations):
    script.will(reply(200, []))
    with pytest.raises(BadAnswer, match="holds no result"):
        await operations.nack_one("q", "m", "l")


def test_organization_and_environment_are_parts_of_the_path_too():
    place = Place("https://mq.test/api/v1", "o/o", "e e")
    assert place.destination_url("q") == "https://mq.test/api/v1/organizations/o%2Fo/environments/e%20e/destinations/q"


async def test_calls_are_counted_for_they_are_billed(script: Script, operations):
    script.will(reply(503, Retry_After="0"), reply(204), reply(204))
    await operations.receive("q")
    await operations.receive("q")
    assert (operations.calls, operations.retries) == (3, 1)
