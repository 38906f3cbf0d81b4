"""Reads what clients send into what the store takes; anything not allowed is refused before anything is stored."""

from __future__ import annotations

import uuid
from typing import Any

from courier_nb.broker.api.web import Refusal
from courier_nb.broker.config.checks import MAX_DELAY_MS, MAX_GROUP, MAX_TTL_MS
from courier_nb.broker.config.switches import Switches
from courier_nb.broker.state.locks import Lock, read_lock
from courier_nb.broker.state.messages import NewMessage
from courier_nb.core import exactjson
from courier_nb.core.messages import RECEIPT_HEADERS

MAX_BODY_BYTES = 10 * 1024 * 1024
MAX_REQUEST_BYTES = 100_000_000
MAX_BATCH = 10
_MAX_ID = 256


def read_json(content: bytes) -> Any:
    """Return a request's JSON with every number and text exactly as sent."""
    try:
        content.decode("utf-8")
        value = exactjson.loads(content)
        return exactjson.loads_slowly(content) if _holds_rounded(value) else value
    except UnicodeDecodeError:
        raise Refusal(400, "The request is not UTF-8.") from None
    except (ValueError, RecursionError):
        raise Refusal(400, "The request is not valid JSON.") from None


def read_batch(content: bytes) -> list[dict[str, Any]]:
    """Return the items of a batch request: 1 to 10 objects."""
    items = read_json(content)
    if not isinstance(items, list) or not 1 <= len(items) <= MAX_BATCH:
        raise Refusal(400, f"A batch must be an array of 1 to {MAX_BATCH} items.")
    for item in items:
        _check_object(item, "Each item of a batch")
    return items


def read_object(content: bytes) -> dict[str, Any]:
    """Return a request that must be one JSON object."""
    value = read_json(content)
    _check_object(value, "The request")
    return dict(value)


def read_message(item: dict[str, Any], switches: Switches, path_id: str | None = None) -> NewMessage:
    """Return a message to be stored; an id in the path wins over the one in the headers.

    The body's size is not checked here: too large is another answer than malformed.
    """
    headers = item.get("headers", {})
    properties = item.get("properties", {})
    body = item.get("body")
    _check_object(headers, "headers")
    _check_object(properties, "properties")
    if not isinstance(body, str):
        raise Refusal(400, "body must be a string.")
    message_id: object = path_id
    if path_id is None:
        if "messageId" not in headers and switches.missing_message_id == "refuse":
            raise Refusal(400, "messageId is required in the headers of each item.")
        message_id = headers["messageId"] if "messageId" in headers else str(uuid.uuid4())
    group = headers.get("messageGroupId")
    if group is not None:
        _check_text(group, "messageGroupId", MAX_GROUP)
        if not all("!" <= character <= "~" for character in group):
            raise Refusal(400, "messageGroupId must consist of ASCII letters, digits and punctuation.")
    if switches.odd_property_values == "refuse":
        _check_properties(properties)
    ttl_ms = None if switches.message_ttl == "ignore" else _milliseconds(headers, "ttl", 1, None)
    delay_ms = _milliseconds(headers, "deliveryDelay", 0, MAX_DELAY_MS)
    kept: dict[str, Any] = {name: value for name, value in headers.items() if name not in RECEIPT_HEADERS}
    if ttl_ms is not None:
        kept["ttl"] = ttl_ms = min(ttl_ms, MAX_TTL_MS)
    return NewMessage(
        id=id_fragment(message_id),
        headers=_fragment({name: _header_text(name, value) for name, value in kept.items()})[1:-1],
        properties=_fragment(properties),
        body=_fragment(body),
        size=len(body) if body.isascii() else len(body.encode("utf-8", "surrogatepass")),
        group=group,
        ttl_ms=ttl_ms,
        delay_ms=delay_ms,
        attributes=(headers, properties),
    )


def id_fragment(message_id: object) -> bytes:
    """Return a message id in the form in which ids are stored and compared."""
    _check_text(message_id, "messageId", _MAX_ID)
    return _fragment(message_id)


def lock_text(item: dict[str, Any]) -> str:
    """Return the lock id of an item."""
    text = item.get("lockId")
    if not isinstance(text, str) or not text:
        raise Refusal(400, "lockId must be a string that is not empty.")
    return text


def item_lock(item: dict[str, Any]) -> Lock | None:
    """Return the lock that an item of a batch names; None when it is none of ours."""
    return read_lock(id_fragment(item.get("messageId")), lock_text(item))


def lock_ttl_ms(item: dict[str, Any], unit: str, longest_ms: int) -> int:
    """Return the ``ttl`` of a lock change in milliseconds."""
    factor = 1_000 if unit == "s" else 1
    ttl = item.get("ttl")
    if type(ttl) is not int or not 0 <= ttl * factor <= longest_ms:
        raise Refusal(400, f"ttl must be a whole number from 0 to {longest_ms // factor} ({unit}).")
    return ttl * factor


def _fragment(value: Any) -> bytes:
    try:
        return exactjson.dumps(value)
    except (ValueError, TypeError, RecursionError):
        raise Refusal(400, "The request holds a value that JSON cannot carry.") from None


def _holds_rounded(value: Any) -> bool:
    if type(value) is dict:
        return any(_holds_rounded(item) for item in value.values())
    if type(value) is list:
        return any(_holds_rounded(item) for item in value)
    return exactjson.is_rounded(value)


def _milliseconds(headers: dict[str, Any], name: str, low: int, high: int | None) -> int | None:
    if name not in headers:
        return None
    value = headers[name]
    if type(value) is not int or value < low or (high is not None and value > high):
        limits = f"of at least {low}" if high is None else f"from {low} to {high}"
        raise Refusal(400, f"{name} must be a whole number {limits} (milliseconds).")
    return value


def _header_text(name: str, value: Any) -> str:
    """Return a header as it is delivered: always a text."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool | int | float):
        return _fragment(value).decode("ascii")
    raise Refusal(400, "Each header must be a string, a number or a boolean.")


def _check_object(value: object, what: str) -> None:
    if not isinstance(value, dict):
        raise Refusal(400, f"{what} must be an object.")


def _check_properties(properties: dict[str, Any]) -> None:
    for name, value in properties.items():
        if isinstance(value, bool) or not isinstance(value, str | int | float):
            raise Refusal(400, f"The property {name} must be a string or a number.")


def _check_text(value: object, name: str, longest: int) -> None:
    if not isinstance(value, str) or not 1 <= len(value) <= longest:
        raise Refusal(400, f"{name} must be a string of 1 to {longest} characters.")
