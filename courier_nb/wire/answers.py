"""What an HTTP answer means: a value, or the right error. Classes are chosen by status and operation, never by text."""

from __future__ import annotations

import email.utils
import re
import time
from typing import Any

import httpx

from courier_nb.core import exactjson
from courier_nb.core.errors import (
    BadAnswer,
    DestinationNotFound,
    Forbidden,
    LockLost,
    Refused,
    Throttled,
    TooLarge,
    Unauthorized,
    Unavailable,
)
from courier_nb.core.messages import ItemResult
from courier_nb.core.printable import plain
from courier_nb.wire.retry import SETTLING, Operation

_REASON_CHARACTERS = 300
# A refusal quotes the lock it refuses, and whoever reads a lock id can delete the message.
_LOCK_ID = re.compile(r"(?i)(lock\s*id:?\s*)\S+|[A-Za-z0-9+/=_%-]{40,}")
_SECONDS = re.compile(r"[0-9]+")
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u200b-\u200f\u202a-\u202e\u2060-\u2069]")


def refusal(operation: Operation, response: httpx.Response, where: str) -> Refused:
    """Return the error for an answer that is not a success."""
    status = response.status_code
    reason = _reason(response.content)
    data: dict[str, Any] = {"status": status, "operation": operation.value, "reason": reason}
    call = _call(operation, where)
    said = f" (the service says: {reason})" if reason else ""
    match status:
        case 401:
            return Unauthorized(f"{call}: the credentials or the token were not accepted (401).{said}", **data)
        case 403:
            return Forbidden(f"{call} is not allowed with these credentials (403).{said}{_scope(operation)}", **data)
        case 404:
            return DestinationNotFound(f"{call}: not found (404): check the name, environment and region.{said}", **data)
        case 413:
            return TooLarge(f"{call}: too large for the service (413); a message may hold 10 MB.{said}", **data)
        case 429:
            return Throttled(f"{call}: too many calls (429).{said}", retry_after=_retry_after(response), **data)
        case 400 if operation in SETTLING:
            return LockLost(f"{call}: the lock has run out or is not ours (400).{said}", **data)
    if status >= 500:
        return Unavailable(f"{call}: the service failed ({status}).{said}", retry_after=_retry_after(response), **data)
    hint = " A redirect is never followed: check the URL." if 300 <= status < 400 else ""
    return Refused(f"{call} was refused ({status}).{said}{hint}", **data)


def decode(operation: Operation, response: httpx.Response) -> Any:
    """Return the JSON value of a successful answer, or raise `BadAnswer`."""
    try:
        return exactjson.loads(response.content)
    except ValueError as error:
        raise bad_answer(operation, response, f"is not JSON ({error})") from None


def bad_answer(operation: Operation, response: httpx.Response, what: str) -> BadAnswer:
    """Return the error for an answer whose content is not what the API promises; the content itself is not quoted."""
    size = len(response.content)
    return BadAnswer(
        f"{operation}: the answer ({response.status_code}, {size} bytes) {what}. It is not known whether the call took effect.",
        operation=operation.value,
        status=response.status_code,
        size=size,
    )


def item_results(operation: Operation, response: httpx.Response) -> list[ItemResult]:
    """Return the item results of a batch answer; a single object is taken as a batch of one (fact sheet 9, row 6)."""
    value = decode(operation, response)
    items = value if isinstance(value, list) else [value]
    results = []
    for item in items:
        if not isinstance(item, dict) or not isinstance(item.get("status"), str):
            raise bad_answer(operation, response, "has an item without a status")
        reason = clean(str(item.get("statusMessage") or ""))
        results.append(ItemResult(str(item.get("messageId", "")), item["status"].lower() == "successful", reason))
    return results


def clean(text: str) -> str:
    """Return foreign text fit for an error message: one line, short, without lock ids or control characters."""
    text = _LOCK_ID.sub(lambda match: f"{match[1] or ''}…", text)
    text = plain(_CONTROL.sub(" ", text).strip())
    return text if len(text) <= _REASON_CHARACTERS else f"{text[:_REASON_CHARACTERS]}…"


def _reason(content: bytes) -> str:
    try:
        value = exactjson.loads(content)
    except ValueError:
        return clean(content[:_REASON_CHARACTERS].decode("utf-8", "replace"))
    if isinstance(value, list):
        value = next((item for item in value if isinstance(item, dict) and item.get("status") != "successful"), None)
    if not isinstance(value, dict):
        return ""
    text = value.get("statusMessage") or value.get("message") or value.get("error_description") or value.get("error")
    return clean(str(text)) if text else ""


def _retry_after(response: httpx.Response) -> float | None:
    """Return the seconds that the server named: as a number, or as a date by its own clock; None when it named none."""
    text = response.headers.get("Retry-After", "").strip()
    if _SECONDS.fullmatch(text):
        return float(text)
    until = _http_date(text)
    now = _http_date(response.headers.get("Date", ""))
    return None if until is None else max(0.0, until - (time.time() if now is None else now))


def clock_ahead(response: httpx.Response) -> float | None:
    """Return by how many seconds the server's clock is ahead of this machine's, to the second; None if it does not say."""
    now = _http_date(response.headers.get("Date", ""))
    return None if now is None else now - time.time()


def _http_date(text: str) -> float | None:
    try:
        return email.utils.parsedate_to_datetime(text).timestamp()
    except (ValueError, TypeError, OverflowError):
        return None


def _call(operation: Operation, where: str) -> str:
    match operation:
        case Operation.LOOK_UP:
            return f"reading {where}"
        case Operation.AUTHORIZE:
            return f"asking for a token for {where}"
    return f"{operation} on {where}"


def _scope(operation: Operation) -> str:
    if operation is Operation.LOOK_UP:
        return " A connected app needs the scope 'View destinations'."
    # The lock changes stand under the publisher scope in the vendor's own specification (fact sheet 1.1).
    publisher = operation.startswith(("publish", "extend"))
    return f" A connected app needs the scope 'Destination {'publisher' if publisher else 'subscriber'} for given environment'."
