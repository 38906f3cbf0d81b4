"""The ten operations of the Courier Messaging API, one coroutine each, in the order of its page."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal
from urllib.parse import quote

import httpx

from courier_nb.core import exactjson
from courier_nb.core.errors import InvalidArgument
from courier_nb.core.messages import ItemResult, Message
from courier_nb.core.settings import LockTtlUnit
from courier_nb.wire import answers, codec
from courier_nb.wire.codec import Delivery
from courier_nb.wire.retry import Operation
from courier_nb.wire.sender import AFTER_UNKNOWN, SENT_AT, Sender, Tokens

PayloadVisibility = Literal["full", "none", "conditional"]
Lock = tuple[str, str]
"""Message id and lock id."""

MAX_LOCK_MS = 12 * 3_600_000
MAX_POLL_MS = 20_000


@dataclass(frozen=True, slots=True)
class Place:
    """Where the calls go.

    Attributes
    ----------
    broker_url : str
        Ends in ``/api/v1``.
    organization, environment : str
        Ids.
    """

    broker_url: str
    organization: str
    environment: str

    def destination_url(self, destination: str) -> str:
        return (
            f"{self.broker_url}/organizations/{_segment(self.organization)}/environments/{_segment(self.environment)}"
            f"/destinations/{_segment(destination)}"
        )


class Operations:
    """Calls the broker for one environment. Operation 10 (``authorize``) is `TokenSource.authorize`.

    Parameters
    ----------
    sender : Sender
    tokens : Tokens
    place : Place
    lock_ttl_unit : {"s", "ms"}
        Unit of ``ttl`` in lock changes: the specification says seconds, and it is disputed.
    """

    def __init__(self, sender: Sender, tokens: Tokens, place: Place, lock_ttl_unit: LockTtlUnit = "s") -> None:
        self._sender = sender
        self._tokens = tokens
        self.place = place
        self._lock_unit_ms = {"s": 1_000, "ms": 1}[lock_ttl_unit]

    @property
    def calls(self) -> int:
        """Requests made so far by this client, repeats included."""
        return self._sender.calls

    @property
    def retries(self) -> int:
        """How many of them were repeats."""
        return self._sender.retries

    async def receive(
        self,
        destination: str,
        *,
        polling_ms: int = 10_000,
        batch_size: int = 1,
        lock_ms: int = 120_000,
        payload_visibility: PayloadVisibility = "full",
    ) -> Delivery:
        """Receive and lock up to ten messages (operation 1); spends a delivery of each."""
        _check_range("polling_time", polling_ms, 0, MAX_POLL_MS, "ms")
        _check_range("batch_size", batch_size, 1, 10, "messages")
        _check_range("lock_ttl", lock_ms, 0, MAX_LOCK_MS, "ms")
        if payload_visibility not in ("full", "none", "conditional"):
            raise InvalidArgument(f"payload_visibility is {payload_visibility!r}, expected 'full', 'none' or 'conditional'.")
        sent = time.monotonic()
        response = await self._sender.call(
            Operation.RECEIVE,
            "GET",
            f"{self.place.destination_url(destination)}/messages",
            where=_named(destination),
            tokens=self._tokens,
            params={
                # 0 is legal but disputed (fact sheet 9, row 5)
                "pollingTime": str(max(polling_ms, 1)),
                "batchSize": str(batch_size),
                "lockTtl": str(lock_ms),
                "payloadVisibility": payload_visibility,
            },
            poll_seconds=polling_ms / 1_000,
        )
        receipt = codec.receipt(
            destination,
            self.place.environment,
            sent_monotonic=response.extensions.get(SENT_AT, sent),
            now_monotonic=time.monotonic(),
            lock_ms=lock_ms,
        )
        if response.status_code == 204 or not response.content:
            return Delivery([], b"", receipt)
        try:
            messages = codec.messages_from_wire(response.content, receipt)
        except ValueError as error:
            raise answers.bad_answer(Operation.RECEIVE, response, f"is not JSON ({error})") from None
        return Delivery(messages, response.content, receipt)

    async def publish_batch(
        self, destination: str, messages: Sequence[Message], *, repeat_unknown: bool | None = None
    ) -> list[ItemResult]:
        """Publish one to ten messages (operation 2)."""
        codec.check_batch(messages)
        items = [codec.message_to_wire(message) for message in messages]
        return await self._batch(Operation.PUBLISH_BATCH, "PUT", destination, "messages", items, repeat_unknown=repeat_unknown)

    async def ack_batch(self, destination: str, locks: Sequence[Lock], *, give_up_at: float | None = None) -> list[ItemResult]:
        """Acknowledge one to ten messages (operation 3): the broker deletes them."""
        codec.check_batch(locks)
        items = [codec.settle_item(*lock) for lock in locks]
        return await self._batch(Operation.ACK_BATCH, "DELETE", destination, "messages", items, give_up_at=give_up_at)

    async def extend_batch(
        self, destination: str, locks: Sequence[Lock], lock_ms: int, *, give_up_at: float | None = None
    ) -> list[ItemResult]:
        """Change the lock time of one to ten messages (operation 4): the lock then ends `lock_ms` from now."""
        codec.check_batch(locks)
        ttl = self._lock_ttl(lock_ms)
        items = [{**codec.settle_item(*lock), "ttl": ttl} for lock in locks]
        return await self._batch(Operation.EXTEND_BATCH, "PATCH", destination, "messages/locks", items, give_up_at=give_up_at)

    async def nack_batch(self, destination: str, locks: Sequence[Lock], *, give_up_at: float | None = None) -> list[ItemResult]:
        """Return one to ten messages to the queue (operation 5)."""
        codec.check_batch(locks)
        items = [codec.settle_item(*lock) for lock in locks]
        return await self._batch(Operation.NACK_BATCH, "DELETE", destination, "messages/locks", items, give_up_at=give_up_at)

    async def publish_one(self, destination: str, message: Message, *, repeat_unknown: bool | None = None) -> ItemResult:
        """Publish one message (operation 6)."""
        item = codec.message_to_wire(message)
        path = f"messages/{_segment(item['headers']['messageId'])}"
        return await self._single(Operation.PUBLISH_ONE, "PUT", destination, path, item, repeat_unknown=repeat_unknown)

    async def ack_one(self, destination: str, message_id: str, lock_id: str) -> ItemResult:
        """Acknowledge one message (operation 7): the broker deletes it."""
        path = f"messages/{_segment(message_id)}"
        return await self._single(Operation.ACK_ONE, "DELETE", destination, path, {"lockId": lock_id})

    async def extend_one(self, destination: str, message_id: str, lock_id: str, lock_ms: int) -> ItemResult:
        """Change the lock time of one message (operation 8): the lock then ends `lock_ms` from now."""
        path = f"messages/{_segment(message_id)}/locks/{_segment(lock_id)}"
        return await self._single(Operation.EXTEND_ONE, "PATCH", destination, path, {"ttl": self._lock_ttl(lock_ms)})

    async def nack_one(self, destination: str, message_id: str, lock_id: str) -> ItemResult:
        """Return one message to the queue (operation 9)."""
        path = f"messages/{_segment(message_id)}/locks/{_segment(lock_id)}"
        return await self._single(Operation.NACK_ONE, "DELETE", destination, path, None)

    async def _batch(
        self,
        operation: Operation,
        method: str,
        destination: str,
        path: str,
        items: list[dict[str, Any]],
        *,
        repeat_unknown: bool | None = None,
        give_up_at: float | None = None,
    ) -> list[ItemResult]:
        response = await self._call(operation, method, destination, path, items, repeat_unknown, give_up_at)
        results = answers.item_results(operation, response)
        if response.extensions.get(AFTER_UNKNOWN):
            return [replace(result, after_unknown=True) for result in results]
        return results

    async def _single(
        self,
        operation: Operation,
        method: str,
        destination: str,
        path: str,
        content: dict[str, Any] | None,
        *,
        repeat_unknown: bool | None = None,
    ) -> ItemResult:
        response = await self._call(operation, method, destination, path, content, repeat_unknown, None)
        results = answers.item_results(operation, response)
        if not results:
            raise answers.bad_answer(operation, response, "holds no result")
        return results[0]

    async def _call(
        self,
        operation: Operation,
        method: str,
        destination: str,
        path: str,
        content: Any,
        repeat_unknown: bool | None,
        give_up_at: float | None,
    ) -> httpx.Response:
        return await self._sender.call(
            operation,
            method,
            f"{self.place.destination_url(destination)}/{path}",
            where=_named(destination),
            tokens=self._tokens,
            content=None if content is None else _json(content),
            repeat_unknown=repeat_unknown,
            give_up_at=give_up_at,
        )

    def _lock_ttl(self, lock_ms: int) -> int:
        _check_range("lock time", lock_ms, self._lock_unit_ms, MAX_LOCK_MS, "ms")
        return lock_ms // self._lock_unit_ms


def _json(content: Any) -> bytes:
    try:
        return exactjson.dumps(content)
    except (TypeError, ValueError, RecursionError) as error:
        raise InvalidArgument(f"A header or property cannot be sent as JSON ({error}); nothing was sent.") from None


def _segment(value: str) -> str:
    # Ids hold '/', '+' and '=' (lock ids always do), and a dot segment would be resolved away before it is sent.
    if value in ("", ".", ".."):
        raise InvalidArgument(f"{value!r} cannot be part of a URL path; use the batch call, which carries ids in its body.")
    return quote(value, safe="", errors="surrogatepass")


def _named(destination: str) -> str:
    return f"destination {destination!r}"


def _check_range(name: str, value: int, least: int, most: int, unit: str) -> None:
    if not least <= value <= most:
        raise InvalidArgument(f"{name} is {value} {unit}; the API takes {least} to {most} {unit}.")
