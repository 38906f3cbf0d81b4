"""Writes what the store gives into answers, by putting stored JSON fragments together."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from email.utils import formatdate
from functools import lru_cache

from courier_nb.broker.api.web import Response
from courier_nb.broker.state.locks import lock_id
from courier_nb.broker.state.messages import Delivery
from courier_nb.core import exactjson

SENT = "Message sent successfully"
ACKNOWLEDGED = "Acknowledgement operation successful"
RETURNED = "Negative acknowledgement operation successful"
LOCK_CHANGED = "Lock modification operation successful"
TOO_LARGE = "Payload too large"

_HIDDEN = {"absent": b"", "null": b',"body":null', "empty": b',"body":""'}


def deliveries_json(deliveries: Iterable[Delivery], hidden_body: str) -> bytes:
    """Return the answer to a receive; `hidden_body` says what stands for a body that is not shown."""
    hidden = _HIDDEN[hidden_body]
    return b"[%s]" % b",".join(_delivery(delivery, hidden) for delivery in deliveries)


def results(ids: Sequence[bytes], done: Sequence[bool], success: str, failure: str) -> Response:
    """Return the answer to a batch that was published."""
    items = (result_json(name, ok, success if ok else failure) for name, ok in zip(ids, done, strict=True))
    return Response(200, b"[%s]" % b",".join(items))


def result_json(message_id: bytes, ok: bool, text: str, lock: str | None = None) -> bytes:
    """Return one item result; `message_id` is a JSON fragment."""
    lock_part = b"" if lock is None else b',"lockId":%s' % exactjson.dumps(lock)
    status = b"successful" if ok else b"failure"
    return b'{"messageId":%s%s,"status":"%s","statusMessage":%s}' % (message_id, lock_part, status, exactjson.dumps(text))


def expired_text(lock: str) -> str:
    """Return what the service says about a lock that is over or not the message's."""
    return f"LockId: {lock} provided is expired"


def _delivery(delivery: Delivery, hidden: bytes) -> bytes:
    is_hidden = delivery.body is None
    return b'{"headers":{"messageId":%s,"lockId":"%s",%s"deliveryCount":"%d","created":"%s"%s},"properties":%s%s}' % (
        delivery.id,
        lock_id(delivery.seq, delivery.token).encode("ascii"),
        delivery.headers + b"," if delivery.headers else b"",
        delivery.deliveries,
        _date(delivery.created_ms // 1_000),
        b',"payloadHidden":"true"' if is_hidden else b"",
        delivery.properties,
        hidden if delivery.body is None else b',"body":' + delivery.body,
    )


@lru_cache(maxsize=1024)
def _date(seconds: int) -> bytes:
    return formatdate(seconds, usegmt=True).encode("ascii")
