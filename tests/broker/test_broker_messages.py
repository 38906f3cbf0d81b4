"""What goes in comes out exactly, and what is not allowed is refused with nothing stored."""

from __future__ import annotations

import email.utils
import json
from urllib.parse import quote

import httpx
import pytest

from courier_nb.core import exactjson

pytestmark = pytest.mark.anyio

HOSTILE_IDS = [
    "a/b",
    "/locks/",
    "x/locks/y",
    "messages/locks",
    "100%",
    "%2F",
    "what?",
    "#fragment",
    "a&b=c+d e",
    'it\'s "quoted"',
    "back\\slash",
    "..",
    "🚀 emoji",
    "line\nbreak",
    "nul\x00",
    "AQEB/+==",
    "é" * 256,
]


@pytest.mark.parametrize("over", ["in process", "a socket"])
async def test_any_message_id_works_in_a_path(broker, open_api, over):
    with broker.serving() as settings:
        async with open_api(broker) as api, httpx.AsyncClient() as client:
            if over == "a socket":
                api.client, api.settings = client, settings
            for message_id in HOSTILE_IDS:
                await publish_and_settle(api, message_id)
    assert broker.depth("q") == {"messages": 0, "inflight": 0}


async def publish_and_settle(api, message_id):
    # httpx removes dot segments, as browsers do, unless they are encoded
    in_path = quote(message_id, safe="").replace(".", "%2E")
    answer = await api.call("PUT", api.path("q", in_path), {"body": "x"})
    assert (answer.status_code, answer.json()["messageId"]) == (201, message_id)
    for operation in ("nack", "extend", "ack"):
        (message,) = await api.receive("q", lockTtl=1000)
        lock_id = message["headers"]["lockId"]
        lock = api.path("q", in_path, "locks", quote(lock_id, safe=""))
        if operation == "nack":
            answer = await api.call("DELETE", lock)
        elif operation == "extend":
            answer = await api.call("PATCH", lock, {"ttl": 0})
        else:
            answer = await api.call("DELETE", api.path("q", in_path), {"lockId": lock_id})
        assert (answer.status_code, answer.json()["messageId"]) == (200, message_id), operation


async def test_lock_ids_hold_the_characters_that_must_be_encoded(api):
    await api.publish("q", *"abcdefghij")
    for message in await api.receive("q"):
        lock = message["headers"]["lockId"]
        assert lock.startswith("AQEB")
        assert {"/", "+", "="} <= set(lock)
        unencoded = api.path("q", quote(message["headers"]["messageId"]), "locks", lock)
        assert (await api.call("DELETE", unencoded)).status_code in (400, 404)


EXACT = [
    {"big": 2**64, "bigger": -(10**40), "edge": 2**63, "small": -(2**63)},
    {"float": 1.0, "int": 1, "tiny": 5e-324, "third": 1 / 3, "huge": 1.7976931348623157e308, "minus zero": -0.0},
    {"lone": "\ud800", "pair": "😀", "nul": "\x00", "quote": '"\\', "html": "</script>"},
    {"true": True, "null": None, "nested": {"list": [1, 1.0, {"deep": [2**70]}]}, "": "empty name"},
    {"\udc00": "lone surrogate as a name", "é": "é", "z": 1, "a": 2},
]


@pytest.mark.parametrize("properties", EXACT)
async def test_properties_come_back_with_value_type_and_order(api, properties):
    await api.call("PUT", api.path("q"), [{"properties": properties, "body": "x"}])
    message = exactjson.loads_slowly((await api.poll("q")).content)[0]
    assert json.dumps(message["properties"]) == json.dumps(properties)


@pytest.mark.parametrize(
    "body",
    ["", "text", "1", '{"a": [1.0, 12345678901234567890123]}', "\ud83d", "é😀\u2028\x00\x7f\ufeff", "</script>\\u0041" * 100],
)
async def test_bodies_come_back_exactly(api, body):
    await api.call("PUT", api.path("q", "m"), {"body": body})
    message = exactjson.loads((await api.poll("q")).content)[0]
    assert message["body"] == body
    assert message["properties"] == {}


async def test_headers_come_out_as_texts_and_unknown_ones_come_back(api, clock):
    sent = {
        "messageId": "m",
        "ttl": 3_600_000,
        "deliveryDelay": 0,
        "messageGroupId": "g",
        "itemSize": 5,
        "big": 2**70,
        "on": True,
    }
    await api.call("PUT", api.path("q"), [{"headers": sent | {"rate": 1.0, "x": "y", "lockId": "forged"}, "body": "x"}])
    ((headers),) = [message["headers"] for message in await api.receive("q")]
    assert headers.pop("lockId") != "forged"
    assert email.utils.parsedate_to_datetime(headers["created"]).timestamp() == int(clock.time())
    assert headers.pop("created").endswith(" GMT")
    assert headers == {
        "messageId": "m",
        "ttl": "3600000",
        "deliveryDelay": "0",
        "messageGroupId": "g",
        "itemSize": "5",
        "big": str(2**70),
        "on": "true",
        "rate": "1.0",
        "x": "y",
        "deliveryCount": "1",
    }


async def test_optional_headers_are_absent_when_nobody_set_them(api):
    await api.call("PUT", api.path("q", "m"), {"body": "x"})
    (message,) = await api.receive("q")
    assert set(message["headers"]) == {"messageId", "lockId", "deliveryCount", "created"}


async def test_an_id_is_made_up_when_a_batch_item_has_none(api):
    answer = await api.call("PUT", api.path("q"), [{"body": "a"}, {"headers": {}, "body": "b"}])
    ids = [item["messageId"] for item in answer.json()]
    assert len(set(ids)) == 2
    assert [message["headers"]["messageId"] for message in await api.receive("q")] == ids


async def test_the_id_in_the_path_wins(api):
    answer = await api.call("PUT", api.path("q", "path"), {"headers": {"messageId": "headers"}, "body": "x"})
    assert answer.json()["messageId"] == "path"


BAD_MESSAGES = [
    {},
    {"body": None},
    {"body": 5},
    {"body": {"a": 1}},
    {"body": ["a"]},
    {"body": "x", "properties": []},
    {"body": "x", "properties": None},
    {"body": "x", "properties": "a"},
    {"body": "x", "headers": []},
    {"body": "x", "headers": {"messageId": 5}},
    {"body": "x", "headers": {"messageId": ""}},
    {"body": "x", "headers": {"messageId": "m" * 257}},
    {"body": "x", "headers": {"messageGroupId": 5}},
    {"body": "x", "headers": {"messageGroupId": "g" * 129}},
    {"body": "x", "headers": {"deliveryDelay": "10"}},
    {"body": "x", "headers": {"deliveryDelay": -1}},
    {"body": "x", "headers": {"deliveryDelay": 900_001}},
    {"body": "x", "headers": {"deliveryDelay": 1.5}},
    {"body": "x", "headers": {"deliveryDelay": True}},
    {"body": "x", "headers": {"ttl": 0}},
    {"body": "x", "headers": {"ttl": "1000"}},
    {"body": "x", "headers": {"ttl": 1e400}},
    {"body": "x", "headers": {"custom": {"a": 1}}},
    {"body": "x", "headers": {"custom": None}},
    {"body": "x", "properties": {"a": float("nan")}},
    {"body": "x", "properties": {"a": float("inf")}},
]


@pytest.mark.parametrize("bad", BAD_MESSAGES)
async def test_a_batch_with_one_bad_message_is_refused_and_nothing_is_stored(api, broker, bad):
    good = {"headers": {"messageId": "good"}, "body": "x"}
    answer = await api.call("PUT", api.path("q"), [good, bad])
    assert (answer.status_code, answer.json()["status"]) == (400, "failure")
    if "messageId" not in bad.get("headers", {}):  # the path gives the single one its id
        assert (await api.call("PUT", api.path("q", "m"), bad)).status_code == 400
        assert broker.depth("q") == {"messages": 0, "inflight": 0}


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"null",
        b"{}",
        b"[]",
        b'"text"',
        b"[1]",
        b"[[]]",
        b"[null]",
        b"{",
        b'[{"body": "x"}',
        b"\xff\xfe",
        b'[{"body": "\xff"}]',
        b'[{"body": "\xed\xa0\x80"}]',
        b"\xef\xbb\xbf[]",
        b"[" * 100_000,
        b'[{"body": "x", "properties": {"a": ' + b"[" * 900 + b"]" * 900 + b"}}]",
        b'[{"body": "x", "properties": {"a": ' + b"9" * 5000 + b"}}]",
        b'[{"body": "x", "properties": {"a": NaN}}]',
        json.dumps([{"body": "x"}] * 11).encode(),
    ],
)
@pytest.mark.parametrize(("method", "parts"), [("PUT", ()), ("DELETE", ()), ("PATCH", ("locks",)), ("DELETE", ("locks",))])
async def test_garbage_for_a_batch_is_answered_with_400(api, broker, content, method, parts):
    answer = await api.call(method, api.path("q", *parts), content=content)
    assert (answer.status_code, answer.json()["status"]) == (400, "failure")
    assert broker.depth("q") == {"messages": 0, "inflight": 0}


@pytest.mark.parametrize(
    "item",
    [
        {},
        {"messageId": "m"},
        {"lockId": "l"},
        {"messageId": 1, "lockId": "l"},
        {"messageId": "m", "lockId": None},
        {"messageId": "m", "lockId": ""},
        {"messageId": "", "lockId": "l"},
    ],
)
@pytest.mark.parametrize(("method", "parts"), [("DELETE", ()), ("PATCH", ("locks",)), ("DELETE", ("locks",))])
async def test_one_malformed_item_refuses_the_whole_batch(api, locks, item, method, parts):
    await api.publish("q", "a")
    (message,) = await api.receive("q")
    answer = await api.call(method, api.path("q", *parts), [*locks(message, ttl=10), item])
    assert answer.status_code == 400
    assert (await api.ack("q", message)).status_code == 200


async def test_a_lock_of_any_length_that_is_none_of_ours_fails_alone(api, locks):
    await api.publish("q", "a")
    (message,) = await api.receive("q")
    foreign = {"messageId": "m", "lockId": "l" * 20_000}
    answer = await api.call("DELETE", api.path("q"), [foreign, *locks(message)])
    assert [item["status"] for item in answer.json()] == ["failure", "successful"]


@pytest.mark.parametrize(
    ("method", "parts", "ttl"), [("DELETE", (), {}), ("PATCH", ("locks",), {"ttl": 60}), ("DELETE", ("locks",), {})]
)
async def test_a_batch_reports_each_item(api, clock, locks, method, parts, ttl):
    await api.publish("q", "gone", "swapped", "fine")
    gone, *_ = await api.receive("q", batchSize=1, lockTtl=1000)
    clock.advance(1)
    swapped, fine, _ = await api.receive("q", lockTtl=60_000)
    swapped["headers"]["messageId"] = "another"
    items = [*locks(gone, swapped, fine, **ttl), {"messageId": "m", "lockId": "nonsense \ud800 🚀", **ttl}]
    answer = await api.call(method, api.path("q", *parts), items)
    assert answer.status_code == 200
    results = exactjson.loads(answer.content)
    assert [result["messageId"] for result in results] == [item["messageId"] for item in items]
    assert [result["status"] for result in results] == ["failure", "failure", "successful", "failure"]
    assert results[0]["statusMessage"] == f"LockId: {items[0]['lockId']} provided is expired"
    assert [result.get("lockId") for result in results] == [item["lockId"] if ttl else None for item in items]


async def test_the_same_lock_twice_in_a_batch_works_once(api, locks):
    await api.publish("q", "a")
    (message,) = await api.receive("q")
    answer = await api.call("DELETE", api.path("q"), locks(message, message))
    assert [result["status"] for result in answer.json()] == ["successful", "failure"]


@pytest.mark.parametrize(
    "params",
    [
        {"batchSize": 0},
        {"batchSize": 11},
        {"batchSize": "ten"},
        {"batchSize": "1.0"},
        {"batchSize": "+1"},
        {"batchSize": ""},
        {"batchSize": "٣"},
        {"pollingTime": -1},
        {"pollingTime": 20_001},
        {"pollingTime": "9" * 5000},
        {"lockTtl": -1},
        {"lockTtl": 86_400_001},
        {"payloadVisibility": "some"},
    ],
)
async def test_a_receive_with_a_wrong_parameter_locks_nothing(api, params):
    await api.publish("q", "a")
    answer = await api.poll("q", **params)
    assert (answer.status_code, answer.json()["status"]) == (400, "failure")
    assert next(iter(params)) in answer.json()["statusMessage"]
    assert len(await api.receive("q", poolingTime="ignored", ackMode="none")) == 1


async def test_one_message_is_received_unless_more_are_asked_for(api):
    await api.publish("q", "a", "b")
    answer = await api.call("GET", api.path("q"))
    assert [message["body"] for message in answer.json()] == ["a"]


async def test_bodies_can_be_withheld(api):
    big, small = "b" * (1024 * 1024 + 1), "s" * (1024 * 1024)
    await api.call("PUT", api.path("q"), [{"body": big}, {"body": small}])
    for visibility, hidden in (("full", [False, False]), ("none", [True, True]), ("conditional", [True, False])):
        messages = await api.receive("q", payloadVisibility=visibility, lockTtl=0)
        assert ["body" not in message for message in messages] == hidden
        assert [message["headers"].get("payloadHidden") == "true" for message in messages] == hidden


async def test_a_body_of_more_than_ten_mebibytes_is_too_large(api, broker):
    limit = 10 * 1024 * 1024
    most = "é" * (limit // 2)
    assert (await api.call("PUT", api.path("q", "most"), {"body": most})).status_code == 201
    answer = await api.call("PUT", api.path("q", "m"), {"body": most + "a"})
    assert answer.status_code == 413
    assert answer.json() == {"messageId": "m", "status": "failure", "statusMessage": "Payload too large"}
    items = [{"headers": {"messageId": "small"}, "body": "x"}, {"headers": {"messageId": "large"}, "body": most + "a"}]
    answer = await api.call("PUT", api.path("q"), items)
    assert answer.status_code == 413
    assert [(item["messageId"], item["status"]) for item in answer.json()] == [("small", "failure"), ("large", "failure")]
    assert broker.depth("q") == {"messages": 1, "inflight": 0}


@pytest.mark.parametrize("declared", [True, False])
@pytest.mark.parametrize(("parts", "shape"), [((), list), (("m",), dict)])
async def test_a_request_of_more_than_a_hundred_megabytes_is_not_read_to_its_end(api, declared, parts, shape):
    sent = 0

    async def flood():
        nonlocal sent
        for _ in range(200):
            sent += 1
            yield b" " * 1_000_000

    headers = {"Authorization": f"Bearer {api.token}"} | ({"Content-Length": "200000000"} if declared else {})
    answer = await api.client.put(api.path("q", *parts), content=flood(), headers=headers)
    assert answer.status_code == 413
    assert isinstance(answer.json(), shape)
    assert sent <= (0 if declared else 101)


@pytest.mark.parametrize(
    ("method", "parts", "value"),
    [
        ("GET", (), None),
        ("PUT", (), [{"body": "x"}]),
        ("DELETE", (), [{"messageId": "m", "lockId": "l"}]),
        ("PATCH", ("locks",), [{"messageId": "m", "lockId": "l", "ttl": 1}]),
        ("DELETE", ("locks",), [{"messageId": "m", "lockId": "l"}]),
        ("PUT", ("m",), {"body": "x"}),
        ("DELETE", ("m",), {"lockId": "l"}),
        ("PATCH", ("m", "locks", "l"), {"ttl": 1}),
        ("DELETE", ("m", "locks", "l"), None),
    ],
)
async def test_every_operation_needs_a_token_the_environment_and_the_queue(api, method, parts, value):
    path = api.path("q", *parts)
    answer = await api.client.request(method, path, json=value)
    assert (answer.status_code, answer.text, answer.headers["content-type"]) == (401, "Unauthorized", "text/plain; charset=utf-8")
    for key in ("organization", "environment"):
        other = path.replace(api.settings[key], "00000000-0000-0000-0000-000000000000")
        answer = await api.call(method, other, value)
        assert (answer.status_code, answer.json()["status"]) == (403, "failure")
    for queue in ("missing", "bad name", "é", "\x00", "q" * 200):
        answer = await api.call(method, api.path(queue, *parts), value)
        assert answer.status_code == 404
        assert answer.json() == {"status": "failure", "statusMessage": "Destination not found"}


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/", 404),
        ("GET", "", 404),
        ("GET", "/api/v1", 401),
        ("GET", "/api/v1/authorize", 405),
        ("GET", "/%ff/%", 404),
        ("GET", "//api//v1", 404),
        ("TRACE", "/mq/admin", 404),
    ],
)
async def test_paths_that_do_not_exist_are_refused_politely(broker, api, method, path, status):
    assert (await api.client.request(method, broker.platform_url + path)).status_code == status


@pytest.mark.parametrize(
    ("method", "tail", "status"),
    [
        ("POST", "/messages", 405),
        ("GET", "/messages/m", 405),
        ("PUT", "/messages/m/locks/l", 405),
        ("GET", "/messages/m/locks", 404),
        ("GET", "/messages/m/locks/l/more", 404),
        ("GET", "", 404),
        ("PUT", "/messages/%ff", 400),
        ("DELETE", "/messages/m/locks/%ff", 400),
        ("PUT", "/messages/", 400),
        ("DELETE", "/messages/m/locks/", 400),
    ],
)
async def test_other_methods_and_malformed_ids_are_refused(api, method, tail, status):
    url = f"{api.settings['url']}{api.base}/destinations/q{tail}"
    assert (await api.call(method, url, {"body": "x"})).status_code == status


async def test_without_a_raw_path_ids_without_a_slash_still_work(broker, api):
    """ASGI does not promise ``raw_path``."""

    class Plain(httpx.AsyncBaseTransport):
        async def handle_async_request(self, request):
            async def app(scope, receive, send):
                del scope["raw_path"]
                await broker._app(scope, receive, send)

            return await httpx.ASGITransport(app=app).handle_async_request(request)

    async with httpx.AsyncClient(transport=Plain()) as client:
        api.client = client
        answer = await api.call("PUT", api.path("q", quote("plain 100%é")), {"body": "x"})
        assert (answer.status_code, answer.json()["messageId"]) == (201, "plain 100%é")


async def test_a_failure_inside_says_nothing_about_itself(broker, api, caplog, monkeypatch):
    secret = "order 66"

    async def fail(*_):
        raise ZeroDivisionError(secret)

    monkeypatch.setattr(broker._app.polls, "take", fail)
    answer = await api.poll("q")
    assert (answer.status_code, answer.json()) == (500, {"status": "failure", "statusMessage": "Internal server error"})
    assert "ZeroDivisionError" in caplog.text
    assert secret not in caplog.text
