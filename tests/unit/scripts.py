"""Answers as a test wants them, and messages made by the dozen."""

from __future__ import annotations

import json
import time
from collections import deque
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx

from courier_nb.core.messages import Message
from courier_nb.core.settings import Settings
from courier_nb.wire.auth import TokenSource
from courier_nb.wire.codec import Delivery, Receipt, messages_from_wire
from courier_nb.wire.operations import Operations, Place
from courier_nb.wire.sender import Sender

Answer = httpx.Response | Exception | Callable[[httpx.Request], httpx.Response]


class Script:
    """A transport that gives the answers it was told, in order, and keeps the requests.

    An answer is a response, an error to be raised, or a function of the request.
    """

    def __init__(self) -> None:
        self.requests: list[httpx.Request] = []
        self.transport = httpx.MockTransport(self._answer)
        self._answers: deque[Answer] = deque()
        self._always: Answer | None = None

    def will(self, *answers: Answer) -> Script:
        """Give these answers next."""
        self._answers.extend(answers)
        return self

    def always(self, answer: Answer) -> Script:
        """Give this answer whenever no other is left."""
        self._always = answer
        return self

    def bodies(self) -> list[Any]:
        """The JSON that was sent, call by call."""
        return [json.loads(request.content) for request in self.requests]

    def _answer(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(_as_sent(request))
        answer = self._answers.popleft() if self._answers else self._always
        if answer is None:
            raise AssertionError(f"nobody expected {request.method} {request.url}")
        if isinstance(answer, Exception):
            raise answer
        if isinstance(answer, httpx.Response):  # a response is used up by reading it, so each call gets its own
            return httpx.Response(answer.status_code, headers=answer.headers, content=answer.content)
        return answer(request)


def operations_over(transport: httpx.AsyncBaseTransport) -> Operations:
    """Return the ten operations over a transport, for organization ``org`` and environment ``env``."""
    sender = Sender(httpx.AsyncClient(transport=transport))
    settings = Settings(auth="bearer", platform_url="https://platform.test", bearer="token")
    return Operations(sender, TokenSource(settings, sender), Place("https://mq.test/api/v1", "org", "env"))


def _as_sent(request: httpx.Request) -> httpx.Request:
    """Return a copy: a call that is made again changes the headers of the request it made first."""
    return httpx.Request(
        request.method, request.url, headers=request.headers, content=request.content, extensions=request.extensions
    )


def reply(status: int, value: Any = None, **headers: str) -> httpx.Response:
    """Return an answer with a JSON value; bytes and text go as they are."""
    content = value if isinstance(value, bytes) else value.encode() if isinstance(value, str) else json.dumps(value).encode()
    names = {name.replace("_", "-"): text for name, text in headers.items()}
    return httpx.Response(status, content=b"" if value is None else content, headers=names)


def results(request: httpx.Request, *, failed: dict[str, str] | None = None) -> httpx.Response:
    """Answer a batch call item by item; `failed` maps message ids to reasons."""
    failed = failed or {}
    items = [result(item, failed) for item in json.loads(request.content)]
    return httpx.Response(200, content=json.dumps(items).encode())


def result(item: dict[str, Any], failed: dict[str, str]) -> dict[str, str]:
    message_id = item.get("messageId") or item["headers"]["messageId"]
    status = "failure" if message_id in failed else "successful"
    return {"messageId": message_id, "status": status, "statusMessage": failed.get(message_id, "")}


def receipt(destination: str = "orders") -> Receipt:
    """Return a receipt whose locks end in two minutes."""
    now = datetime.now(UTC)
    return Receipt(destination, "env", now, now + timedelta(minutes=2), time.monotonic() + 120)


def item(message_id: str, body: Any = "body", **headers: Any) -> dict[str, Any]:
    """Return a message as the service delivers it."""
    known = {"messageId": message_id, "lockId": f"AQEB/{message_id}+=", "deliveryCount": "1"}
    return {"headers": {**known, "created": "Fri, 24 Jun 2016 21:17:57 GMT", **headers}, "properties": {}, "body": body}


def delivery(*message_ids: str, body: str = "body") -> Delivery:
    """Return what a receive call gave."""
    raw = json.dumps([item(message_id, body) for message_id in message_ids]).encode()
    given = receipt()
    return Delivery(messages_from_wire(raw, given), raw, given)


def received(raw: bytes | Any) -> list[Message]:
    """Return the messages of an answer, given as bytes or as a value."""
    content = raw if isinstance(raw, bytes) else json.dumps(raw).encode()
    return messages_from_wire(content, receipt())


def one_received(**parts: Any) -> Message:
    """Return one message, received with these parts."""
    (message,) = received([{"headers": {"messageId": "m"}, "properties": {}, "body": "b", **parts}])
    return message
