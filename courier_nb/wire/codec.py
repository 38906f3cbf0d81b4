"""Messages to and from the API's JSON, lenient towards what arrives and strict towards what is sent."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from courier_nb.core import exactjson
from courier_nb.core.errors import InvalidArgument
from courier_nb.core.messages import RECEIPT_HEADERS, Message
from courier_nb.core.secrets import Secret


@dataclass(frozen=True, slots=True)
class Receipt:
    """What is known about a receive call besides its answer.

    Attributes
    ----------
    destination, environment : str
    at : datetime
        When the answer came, UTC.
    lock_expires_at : datetime
        Earliest end of the locks: counted from when the call was sent, since the broker may have locked at once.
    lock_deadline : float
        The same on the monotonic clock.
    """

    destination: str
    environment: str
    at: datetime
    lock_expires_at: datetime
    lock_deadline: float


@dataclass(frozen=True, slots=True)
class Delivery:
    """The messages of one receive call, and the answer as it came over the wire."""

    messages: list[Message]
    raw: bytes
    receipt: Receipt


def receipt(destination: str, environment: str, *, sent_monotonic: float, now_monotonic: float, lock_ms: int) -> Receipt:
    """Return the receipt of a call that was sent at `sent_monotonic` and answered now."""
    at = datetime.now(UTC)
    deadline = sent_monotonic + lock_ms / 1_000
    return Receipt(destination, environment, at, at + timedelta(seconds=deadline - now_monotonic), deadline)


def messages_from_wire(raw: bytes, receipt: Receipt) -> list[Message]:
    """Return the messages of a receive answer.

    One odd item does not spoil the others: whatever is not as documented becomes a message with as much as is there. A number
    that Python cannot hold is kept as its text.

    Raises
    ------
    ValueError
        When the answer as a whole is not JSON.
    """
    value = exactjson.loads_exactly(raw, oversized=str)
    items = value if isinstance(value, list) else [value]
    return [_message(item, raw, receipt) for item in items]


def message_to_wire(message: Message) -> dict[str, Any]:
    """Return the batch item that publishes `message` (operation 2).

    Headers that only a delivery has (lock, count, creation date) are left out; a missing ``messageId`` is made up.

    Raises
    ------
    InvalidArgument
        When the body is missing or is bytes that no text can carry.
    """
    headers = {name: value for name, value in message.headers.items() if name not in RECEIPT_HEADERS}
    headers["messageId"] = message.message_id or str(uuid.uuid4())
    for name in ("deliveryDelay", "ttl"):  # received as text, published as a number (milliseconds)
        if isinstance(headers.get(name), str) and headers[name].isdecimal():
            headers[name] = int(headers[name])
    return {"headers": headers, "properties": dict(message.properties), "body": body_text(message)}


def body_text(message: Message) -> str:
    """Return the body as the JSON text that was received or is to be sent."""
    if isinstance(message.body, str):
        return message.body
    if message.body is None:
        raise InvalidArgument(
            f"Message {message.message_id!r} has no body (it was received with payload_visibility='none' or "
            "'conditional'): receive it again with its body before publishing it."
        )
    try:
        return message.body.decode("utf-8", "surrogatepass")
    except UnicodeDecodeError:
        raise InvalidArgument(
            f"The body of message {message.message_id!r} is bytes that are not text, and the API carries text only: "
            "send base64 text and say so in a property such as contentEncoding='base64'."
        ) from None


def settle_item(message_id: str, lock_id: str) -> dict[str, str]:
    """Return one item of a batch ack or nack."""
    return {"messageId": message_id, "lockId": lock_id}


def check_batch(items: Sequence[object]) -> None:
    """Refuse a batch that the API does not take."""
    if not 1 <= len(items) <= 10:
        raise InvalidArgument(f"A batch of {len(items)} was given; the API takes 1 to 10 (the bulk verbs split for you).")


def _message(item: Any, raw: bytes, receipt: Receipt) -> Message:
    if isinstance(item, dict):
        headers, properties = item.get("headers"), item.get("properties")
        body = _body(item.get("body"), raw)
    else:
        headers, properties, body = None, None, _body(item, raw)
    return Message(
        body=body,
        properties=properties if isinstance(properties, dict) else {},
        headers=_unseen_lock(headers) if isinstance(headers, dict) else {},
        destination=receipt.destination,
        environment=receipt.environment,
        received_at=receipt.at,
        lock_expires_at=receipt.lock_expires_at,
        lock_deadline=receipt.lock_deadline,
    )


def _unseen_lock(headers: dict[str, Any]) -> dict[str, Any]:
    if isinstance(headers.get("lockId"), str):
        headers["lockId"] = Secret(headers["lockId"])  # whoever reads it in a traceback could delete the message
    return headers


def _body(value: Any, raw: bytes) -> str | bytes | None:
    if value is None:
        return None
    if not isinstance(value, str):  # documented as text; one client in the field defends against objects
        value = exactjson.dumps(value).decode()
    if not _has_surrogates(value):
        return str(value)
    # Bytes of the wire that were no UTF-8 came in as surrogates too; they go out as the bytes they were.
    try:
        raw.decode("utf-8")
    except UnicodeDecodeError:
        try:
            return str(value).encode("utf-8", "surrogateescape")
        except UnicodeEncodeError:
            pass
    return str(value).encode("utf-8", "surrogatepass")


def _has_surrogates(text: str) -> bool:
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return True
    return False
