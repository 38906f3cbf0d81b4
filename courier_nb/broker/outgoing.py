"""Writes what the store gives into answers, by putting stored JSON fragments together."""

from __future__ import annotations

from collections.abc import Iterable
from email.utils import formatdate
from functools import lru_cache

from courier_nb.broker.locks import lock_id
from courier_nb.broker.messages import Delivery
from courier_nb.core import exactjson

SENT = "Message sent successfully"
ACKNOWLEDGED = "Acknowledgement operation successful"
RETURNED = "Negative acknowledgement operation successful"
LOCK_CHANGED = "Lock modification operation successful"
TOO_LARGE = "Payload too large"


def deliveries_json(deliveries: Iterable[Delivery]) -> bytes:
    """Return the answer to a receive."""
    return b"[%s]" % b",".join(_delivery(delivery) for delivery in deliveries)


def result_json(message_id: bytes, ok: bool, text: str, lock: str | None = None) -> bytes:
    """Return one item result; `message_id` is a JSON fragment."""
    lock_part = b"" if lock is None else b',"lockId":%s' % exactjson.dumps(lock)
    status = b"successful" if ok else b"failure"
    return b'{"messageId":%s%s,"status":"%s","statusMessage":%s}' % (message_id, lock_part, status, exactjson.dumps(text))


def expired_text(lock: str) -> str:
    """Return what the service says about a lock that is over or not the message's."""
    return f"LockId: {lock} provided is expired"


def _delivery(delivery: Delivery) -> bytes:
    hidden = delivery.body is None
    return b'{"headers":{"messageId":%s,"lockId":"%s",%s"deliveryCount":"%d","created":"%s"%s},"properties":%s%s}' % (
        delivery.id,
        lock_id(delivery.seq, delivery.token).encode("ascii"),
        delivery.headers + b"," if delivery.headers else b"",
        delivery.deliveries,
        _date(delivery.created_ms // 1_000),
        b',"payloadHidden":"true"' if hidden else b"",
        delivery.properties,
        b"" if delivery.body is None else b',"body":' + delivery.body,
    )


@lru_cache(maxsize=1024)
def _date(seconds: int) -> bytes:
    return formatdate(seconds, usegmt=True).encode("ascii")
