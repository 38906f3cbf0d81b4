"""Messages that nobody should send, all the way from the queue into Parquet and back into a queue."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest

from courier_nb import AsyncClient, AsyncDestination, InvalidArgument, Message
from courier_nb.broker import LocalBroker
from courier_nb.client import broker_settings

pytestmark = pytest.mark.anyio
QUICK: dict[str, Any] = {"polling_time": "20ms", "progress": False}
HOSTILE = {
    "nul": Message("a\x00b\ufeff\r\n"),
    "empty": Message(""),
    "surrogate body": Message(b"a\xed\xa0\x80z"),
    "surrogate property": Message("b", {"\ud800": "\udfff", "text": "\ud800"}),
    "surrogate id": Message("b", headers={"messageId": "id \ud800"}),
    "names": Message("b", {"": 1, "a.b": 2, "a/b": 3, "body": 4, "message_id": 5, "x" * 2_000: 6, "É": 7, "E\u0301": 8}),
    "values": Message("b", {"huge": 10**40 + 1, "float": 1e-300, "true": True, "null": None, "list": [1, {"a": []}]}),
    "headers": Message("b", {}, {"custom": "h", "x.y": "\ud800", "n": "5"}),
    "markup": Message("<script>alert(1)</script>$$x$$", {"=cmd|' /C calc'!A0": "</td>"}),
    "large": Message("é" * 1_000_000),
}


def content(message: Message) -> tuple[Any, ...]:
    own = {name: value for name, value in message.headers.items() if name in ("custom", "x.y", "n")}
    return message.body, dict(message.properties), own


@pytest.fixture(params=sorted(HOSTILE))
def hostile(request: pytest.FixtureRequest) -> Message:
    return HOSTILE[request.param]


async def test_it_is_drained_and_replayed_unchanged(
    dlq: AsyncDestination, queue: AsyncDestination, hostile: Message, tmp_path: Path
) -> None:
    await dlq.publish([Message("before"), hostile, Message("after")], progress=False)
    capture = await dlq.drain(tmp_path / "capture", **QUICK)
    assert (capture.settlements, capture.verify().ok) == ({"acked": 3}, True)
    assert len(capture.frame()) == 3
    report = await queue.replay(capture, provenance=False, progress=False)
    assert report.ok  # type: ignore[union-attr]
    arrived = (await queue.receive(3, **QUICK)).messages
    assert content(hostile) in [content(message) for message in arrived]
    if hostile.message_id is not None:
        assert hostile.message_id in [message.message_id for message in arrived]


async def test_its_frame_can_be_published_again(dlq: AsyncDestination, queue: AsyncDestination, hostile: Message) -> None:
    await dlq.publish([hostile], progress=False)
    frame = (await dlq.peek(1, **QUICK)).frame()
    assert (await queue.publish(frame, strict=False, progress=False)).ok
    (arrived,) = (await queue.receive(1, **QUICK)).messages
    assert content(arrived) == content(hostile)


Answer = Callable[[httpx.Request], httpx.Response | None]


class Scripted(httpx.AsyncBaseTransport):
    """A broker's transport with other words put into its mouth."""

    def __init__(self, inner: httpx.AsyncBaseTransport, answer: Answer) -> None:
        self._inner = inner
        self._answer = answer

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        return self._answer(request) or await self._inner.handle_async_request(request)


@pytest.mark.parametrize(
    "odd",
    [
        b'{"headers": {"messageId": "odd", "lockId": "l", "deliveryCount": "--5"}, "body": "b"}',
        b'{"headers": {"messageId": "odd", "lockId": "l", "created": "Fri, 31 Dec 9999 23:59:59 -0100"}, "body": "b"}',
        b'{"headers": {"messageId": "odd", "lockId": "l"}, "properties": {"n": 1e400}, "body": "b"}',
        b'{"headers": {"messageId": "odd", "lockId": "l"}, "properties": {"n": %s}, "body": "b"}' % (b"9" * 5_000),
        b'{"headers": {"messageId": "odd", "lockId": "l"}, "body": {"no": "text"}}',
        b'{"headers": {"messageId": "odd", "lockId": "l"}, "body": "caf\xe9 \xff"}',
        b'{"headers": {"messageId": "odd"}, "body": "no lock"}',
        b'{"headers": null, "body": null}',
        b'"text"',
        b"5",
    ],
)
async def test_an_odd_item_of_an_answer_is_captured_and_spoils_no_other(broker: LocalBroker, tmp_path: Path, odd: bytes) -> None:
    given = []

    def answer(request: httpx.Request) -> httpx.Response | None:
        if request.method == "GET" and request.url.path.endswith("/messages") and not given:
            given.append(request)
            return httpx.Response(200, content=b'[{"headers": {"messageId": "m", "lockId": "l"}, "body": "fine"}, %s]' % odd)
        if request.method == "DELETE":
            items = [{"messageId": item["messageId"], "status": "successful"} for item in json.loads(request.content)]
            return httpx.Response(200, json=items)
        return None

    async with AsyncClient(broker_settings(broker.settings), transport=Scripted(broker.transport(), answer)) as client:
        capture = await client.destination("dlq").drain(tmp_path / "capture", concurrency=1, **QUICK)
    frame = capture.frame()
    assert len(frame) == 2
    assert frame["body"][0] == "fine"
    assert frame["settlement"][0] == "acked"
    assert capture.verify().ok


@pytest.mark.parametrize("verb", ["publish_one", "publish_batch", "publish"])
async def test_what_json_cannot_carry_is_refused_and_not_sent(queue: AsyncDestination, broker: LocalBroker, verb: str) -> None:
    message = Message("b", {"n": float("nan")})
    with pytest.raises(InvalidArgument, match="nothing was sent"):
        await getattr(queue, verb)(message if verb == "publish_one" else [message])
    assert broker.depth("queue")["messages"] == 0


@pytest.mark.parametrize("verb", ["ack_one", "extend_one", "nack_one"])
@pytest.mark.parametrize("message_id", ["\ud800", "a\ud800/b"])
async def test_an_id_that_is_no_unicode_goes_through_a_path_too(queue: AsyncDestination, verb: str, message_id: str) -> None:
    await queue.publish_one(Message("b", headers={"messageId": message_id}))
    (got,) = await queue.receive_batch(polling_time=0)
    assert got.message_id == message_id
    result = await getattr(queue, verb)(message_id, got.lock_id, *(["1m"] if verb == "extend_one" else []))
    assert result.ok


async def test_rows_whose_lock_was_extended_can_be_settled_after_the_first_end_of_the_lock(queue: AsyncDestination) -> None:
    await queue.publish_one(Message("b"))
    received = await queue.receive(1, **QUICK)
    assert (await queue.extend(received, "1h", progress=False)).ok
    (message,) = received.messages  # as it would be two minutes later
    later = replace(message, lock_deadline=time.monotonic() - 1)
    assert (await queue.ack([later], progress=False)).ok
