"""The ten operations of the Courier Messaging API, one coroutine each, in the order of its page."""

from __future__ import annotations

import copy
import time
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Literal

import httpx

from courier_nb.core import exactjson
from courier_nb.core.errors import InvalidArgument
from courier_nb.core.messages import ItemResult, Message
from courier_nb.core.rates import Pacer, Rate
from courier_nb.core.secrets import short_tracebacks
from courier_nb.core.settings import LockTtlUnit
from courier_nb.wire import answers, codec, records
from courier_nb.wire.budget import Claim
from courier_nb.wire.codec import Delivery
from courier_nb.wire.meter import CallMeter
from courier_nb.wire.place import Place, segment
from courier_nb.wire.reading import ANSWER_BYTES, MESSAGE_BYTES
from courier_nb.wire.records import Recorder
from courier_nb.wire.retry import Operation
from courier_nb.wire.sender import AFTER_UNKNOWN, SENT_AT, Sender, Tokens
from courier_nb.wire.watch import Watch

PayloadVisibility = Literal["full", "none", "conditional"]
Lock = tuple[str, str]
"""Message id and lock id."""

MAX_LOCK_MS = 12 * 3_600_000
MAX_POLL_MS = 20_000


@short_tracebacks
class Operations:
    """Calls the broker for one environment. Operation 10 (``authorize``) is `TokenSource.authorize`.

    Parameters
    ----------
    sender : Sender
    tokens : Tokens
    place : Place
    lock_ttl_unit : {"s", "ms"}
        Unit of ``ttl`` in lock changes: the specification says seconds, and it is disputed.
    recorder : Recorder, optional
        Told of each call before it is sent, and how it ended.
    read_only : bool
        Refuse to publish and to acknowledge.
    """

    def __init__(
        self,
        sender: Sender,
        tokens: Tokens,
        place: Place,
        lock_ttl_unit: LockTtlUnit = "s",
        *,
        recorder: Recorder | None = None,
        read_only: bool = False,
    ) -> None:
        self._sender = sender
        self._tokens = tokens
        self.place = place
        self._watch = Watch(place.environment, recorder, read_only=read_only)
        self.lock_ttl_unit = lock_ttl_unit  # changed when it was found out
        self._pacer: Pacer | None = None

    @property
    def calls(self) -> int:
        """Requests made so far by this client, repeats included."""
        return self._sender.calls

    @property
    def meter(self) -> CallMeter:
        """How long calls have taken."""
        return self._watch.meter

    @property
    def retries(self) -> int:
        """How many of them were repeats."""
        return self._sender.retries

    @property
    def throttled(self) -> int:
        """Answers so far that said it was too much (429 or 503)."""
        return self._sender.pressure.throttled

    @property
    def least_concurrency(self) -> int | None:
        """The fewest calls of a kind that were made at a time because of such answers; None when there was no need."""
        return self._sender.pressure.least_concurrency

    def paced(self, rate: Rate | None) -> Operations:
        """Return the same operations, held to a rate where the work waits for its `turn`."""
        if rate is None:
            return self
        copied = copy.copy(self)
        copied._pacer = Pacer(rate)
        return copied

    async def turn(self, *, calls: int = 1, messages: int = 0, size: int = 0) -> None:
        """Wait until the rate allows so many calls, messages and bytes of bodies, and take them.

        The calls themselves do not wait: what is written down before a call must be followed by it at once.
        """
        if self._pacer is not None:
            await self._pacer.turn(calls=calls, messages=messages, size=size)

    def charge(self, *, calls: int = 0, messages: int = 0, size: int = 0) -> None:
        """Count what did not wait against the rate; negative numbers give back."""
        if self._pacer is not None:
            self._pacer.charge(calls=calls, messages=messages, size=size)

    async def receive(
        self,
        destination: str,
        *,
        polling_ms: int = 10_000,
        batch_size: int = 1,
        lock_ms: int = 120_000,
        payload_visibility: PayloadVisibility = "full",
        claim: Claim | None = None,
    ) -> Delivery:
        """Receive and lock up to ten messages (operation 1); spends a delivery of each.

        With a `claim`, a large answer is read only when there is room for it.
        """
        _check_range("polling_time", polling_ms, 0, MAX_POLL_MS, "ms")
        _check_range("batch_size", batch_size, 1, 10, "messages")
        _check_range("lock_ttl", lock_ms, 0, MAX_LOCK_MS, "ms")
        if payload_visibility not in ("full", "none", "conditional"):
            raise InvalidArgument(f"payload_visibility is {payload_visibility!r}, expected 'full', 'none' or 'conditional'.")

        async def send() -> Delivery:
            sent = time.monotonic()
            response = await self._sender.call(
                Operation.RECEIVE,
                "GET",
                f"{self.place.destination_url(destination)}/messages",
                where=f"destination {destination!r}",
                tokens=self._tokens,
                params={
                    # 0 is legal but disputed (fact sheet 9, row 5)
                    "pollingTime": str(max(polling_ms, 1)),
                    "batchSize": str(batch_size),
                    "lockTtl": str(lock_ms),
                    "payloadVisibility": payload_visibility,
                },
                poll_seconds=polling_ms / 1_000,
                answer_bytes=ANSWER_BYTES + batch_size * MESSAGE_BYTES,
                claim=claim,
                pacer=self._pacer,
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

        return await self._watch.call(
            Operation.RECEIVE, destination, send, lambda delivery: records.of_delivery(delivery.messages), asked=batch_size
        )

    async def publish_batch(
        self,
        destination: str,
        messages: Sequence[Message],
        *,
        repeat_unknown: bool | None = None,
        give_up_at: float | None = None,
    ) -> list[ItemResult]:
        """Publish one to ten messages (operation 2)."""
        codec.check_batch(messages)
        items = [codec.message_to_wire(message) for message in messages]
        return await self._batch(
            Operation.PUBLISH_BATCH, "PUT", destination, "messages", items, repeat_unknown=repeat_unknown, give_up_at=give_up_at
        )

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
        id_ = item["headers"]["messageId"]
        path = f"messages/{segment(id_)}"
        return await self._single(
            Operation.PUBLISH_ONE, "PUT", destination, path, item, message_id=id_, repeat_unknown=repeat_unknown
        )

    async def ack_one(self, destination: str, message_id: str, lock_id: str) -> ItemResult:
        """Acknowledge one message (operation 7): the broker deletes it."""
        path = f"messages/{segment(message_id)}"
        return await self._single(Operation.ACK_ONE, "DELETE", destination, path, {"lockId": lock_id}, message_id=message_id)

    async def extend_one(self, destination: str, message_id: str, lock_id: str, lock_ms: int) -> ItemResult:
        """Change the lock time of one message (operation 8): the lock then ends `lock_ms` from now."""
        path = f"messages/{segment(message_id)}/locks/{segment(lock_id)}"
        content = {"ttl": self._lock_ttl(lock_ms)}
        return await self._single(Operation.EXTEND_ONE, "PATCH", destination, path, content, message_id=message_id)

    async def nack_one(self, destination: str, message_id: str, lock_id: str) -> ItemResult:
        """Return one message to the queue (operation 9)."""
        path = f"messages/{segment(message_id)}/locks/{segment(lock_id)}"
        return await self._single(Operation.NACK_ONE, "DELETE", destination, path, None, message_id=message_id)

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
        async def send() -> list[ItemResult]:
            response = await self._call(operation, method, destination, path, items, repeat_unknown, give_up_at)
            results = answers.item_results(operation, response)
            if response.extensions.get(AFTER_UNKNOWN):
                return [replace(result, after_unknown=True) for result in results]
            return results

        message_ids = [item["headers"]["messageId"] if "headers" in item else item["messageId"] for item in items]
        return await self._watch.call(operation, destination, send, records.of_results, message_ids=message_ids)

    async def _single(
        self,
        operation: Operation,
        method: str,
        destination: str,
        path: str,
        content: dict[str, Any] | None,
        *,
        message_id: str,
        repeat_unknown: bool | None = None,
    ) -> ItemResult:
        async def send() -> ItemResult:
            response = await self._call(operation, method, destination, path, content, repeat_unknown, None)
            results = answers.item_results(operation, response)
            if not results:
                raise answers.bad_answer(operation, response, "holds no result")
            return results[0]

        return await self._watch.call(
            operation, destination, send, lambda result: records.of_results([result]), message_ids=[message_id]
        )

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
            where=f"destination {destination!r}",
            tokens=self._tokens,
            content=None if content is None else _json(content),
            repeat_unknown=repeat_unknown,
            give_up_at=give_up_at,
            pacer=self._pacer,
        )

    def _lock_ttl(self, lock_ms: int) -> int:
        unit_ms = {"s": 1_000, "ms": 1}[self.lock_ttl_unit]
        _check_range("lock time", lock_ms, unit_ms, MAX_LOCK_MS, "ms")
        return lock_ms // unit_ms


def _json(content: Any) -> bytes:
    try:
        return exactjson.dumps(content)
    except (TypeError, ValueError, RecursionError) as error:
        raise InvalidArgument(f"A header or property cannot be sent as JSON ({error}); nothing was sent.") from None


def _check_range(name: str, value: int, least: int, most: int, unit: str) -> None:
    if not least <= value <= most:
        raise InvalidArgument(f"{name} is {value} {unit}; the API takes {least} to {most} {unit}.")
