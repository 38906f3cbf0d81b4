"""The ten operations of the broker API, in the order of the vendor's page."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from functools import partial

from courier_nb.broker import incoming, outgoing
from courier_nb.broker.config import MAX_LOCK_TTL_MS
from courier_nb.broker.engine import Engine
from courier_nb.broker.incoming import MAX_BODY_BYTES
from courier_nb.broker.locks import Lock, read_lock
from courier_nb.broker.messages import Delivery, NewMessage
from courier_nb.broker.parking import NotYet
from courier_nb.broker.polls import Polls
from courier_nb.broker.store import SHOW_EVERYTHING, Store
from courier_nb.broker.web import Refusal, Request, Response, decode_segment, one_word, whole_number

MAX_POLL_MS = 20_000
MAX_RECEIVE_LOCK_MS = 86_400_000
MAX_REQUEST_BYTES = 100_000_000

_SHOW_UP_TO = {"full": SHOW_EVERYTHING, "none": -1, "conditional": 1024 * 1024}


@dataclass(frozen=True, slots=True, repr=False)
class _Target:
    """What the path of a request names."""

    queue: str
    message_id: str = ""
    lock: str = ""


_Handler = Callable[[Request, _Target], Awaitable[Response]]


class Courier:
    """Answers the broker API."""

    def __init__(self, engine: Engine, polls: Polls) -> None:
        self._engine = engine
        self._committer = engine.committer
        self._polls = polls

    async def answer(self, request: Request) -> Response:
        """Answer a request below ``/api/v1/organizations``; the token has been checked."""
        match request.segments[2:]:
            case [b"organizations", org, b"environments", env, b"destinations", queue, b"messages", *rest]:
                handler, target = self._route(request.method, decode_segment(queue), rest)
            case _:
                raise Refusal(404, "Resource not found")
        identity = self._engine.identity
        if (decode_segment(org), decode_segment(env)) != (identity.organization, identity.environment):
            raise Refusal(403, "Forbidden")
        return await handler(request, target)

    def _route(self, method: str, queue: str, rest: list[bytes]) -> tuple[_Handler, _Target]:
        operations: dict[str, _Handler]
        match rest:
            case []:
                target = _Target(queue)
                operations = {"GET": self.receive, "PUT": self.publish_batch, "DELETE": self.ack_batch}
            case [b"locks"] if method != "PUT":  # the id of a message to be published may be "locks"
                target = _Target(queue)
                operations = {"PATCH": self.extend_batch, "DELETE": self.nack_batch}
            case [message_id]:
                target = _Target(queue, decode_segment(message_id))
                operations = {"PUT": self.publish, "DELETE": self.ack}
            case [message_id, b"locks", lock]:
                target = _Target(queue, decode_segment(message_id), decode_segment(lock))
                operations = {"PATCH": self.extend, "DELETE": self.nack}
            case _:
                raise Refusal(404, "Resource not found")
        if method not in operations:
            raise Refusal(405, f"{method} is not possible here: use {' or '.join(operations)}.")
        return operations[method], target

    async def receive(self, request: Request, target: _Target) -> Response:
        query = request.query()
        poll_ms = whole_number(query, "pollingTime", 0, MAX_POLL_MS, 10_000) or 0
        work = partial(
            Store.receive,
            queue_id=target.queue,
            limit=whole_number(query, "batchSize", 1, incoming.MAX_BATCH, 1) or 1,
            lock_ttl_ms=whole_number(query, "lockTtl", 0, MAX_RECEIVE_LOCK_MS, None),
            show_up_to=_SHOW_UP_TO[one_word(query, "payloadVisibility", ("full", "none", "conditional"))],
        )

        def give_back(store: Store, deliveries: list[Delivery]) -> None:
            store.give_back(target.queue, deliveries)

        deliveries = await self._polls.take(work, give_back)
        if not deliveries and poll_ms:
            deadline = self._engine.clock.monotonic() + poll_ms / 1_000
            waiting = partial(_or_wait, work=work, queue_id=target.queue, deadline=deadline)
            deliveries = await self._polls.wait(waiting, give_back, request.receive)
        return Response(200, outgoing.deliveries_json(deliveries)) if deliveries else Response(204)

    async def publish_batch(self, request: Request, target: _Target) -> Response:
        try:
            items = incoming.read_batch(await request.body(MAX_REQUEST_BYTES))
        except Refusal as refusal:
            if refusal.status == 413:  # what was not read has no ids
                return Response(413, b"[%s]" % outgoing.result_json(b'""', False, outgoing.TOO_LARGE))
            raise
        messages = [incoming.read_message(item) for item in items]
        if any(message.size > MAX_BODY_BYTES for message in messages):
            return Response(413, _refused_batch(messages))
        await self._committer.submit(lambda store: store.publish(target.queue, messages))
        return _results([message.id for message in messages], [True] * len(messages), outgoing.SENT)

    async def ack_batch(self, request: Request, target: _Target) -> Response:
        items = incoming.read_batch(await request.body(MAX_REQUEST_BYTES))
        locks = [incoming.item_lock(item) for item in items]
        done = await self._committer.submit(lambda store: store.ack(target.queue, locks))
        return _settled(items, done, outgoing.ACKNOWLEDGED)

    async def extend_batch(self, request: Request, target: _Target) -> Response:
        items = incoming.read_batch(await request.body(MAX_REQUEST_BYTES))
        changes = [(incoming.item_lock(item), self._ttl_ms(item)) for item in items]
        done = await self._committer.submit(lambda store: store.change_locks(target.queue, changes))
        return _settled(items, done, outgoing.LOCK_CHANGED, show_locks=True)

    async def nack_batch(self, request: Request, target: _Target) -> Response:
        items = incoming.read_batch(await request.body(MAX_REQUEST_BYTES))
        locks = [incoming.item_lock(item) for item in items]
        done = await self._committer.submit(lambda store: store.nack(target.queue, locks))
        return _settled(items, done, outgoing.RETURNED)

    async def publish(self, request: Request, target: _Target) -> Response:
        message_id = incoming.id_fragment(target.message_id)
        too_large = Response(413, outgoing.result_json(message_id, False, outgoing.TOO_LARGE))
        try:
            item = incoming.read_object(await request.body(MAX_REQUEST_BYTES))
        except Refusal as refusal:
            if refusal.status == 413:
                return too_large
            raise
        message = incoming.read_message(item, target.message_id)
        if message.size > MAX_BODY_BYTES:
            return too_large
        await self._committer.submit(lambda store: store.publish(target.queue, [message]))
        return Response(201, outgoing.result_json(message_id, True, outgoing.SENT))

    async def ack(self, request: Request, target: _Target) -> Response:
        item = incoming.read_object(await request.body(MAX_REQUEST_BYTES))
        return await self._settle(target, incoming.lock_text(item), Store.ack, outgoing.ACKNOWLEDGED)

    async def extend(self, request: Request, target: _Target) -> Response:
        ttl_ms = self._ttl_ms(incoming.read_object(await request.body(MAX_REQUEST_BYTES)))

        def change(store: Store, queue_id: str, locks: Sequence[Lock | None]) -> list[bool]:
            return store.change_locks(queue_id, [(lock, ttl_ms) for lock in locks])

        return await self._settle(target, target.lock, change, outgoing.LOCK_CHANGED)

    async def nack(self, request: Request, target: _Target) -> Response:
        return await self._settle(target, target.lock, Store.nack, outgoing.RETURNED)

    async def _settle(
        self,
        target: _Target,
        lock_text: str,
        operation: Callable[[Store, str, Sequence[Lock | None]], list[bool]],
        success: str,
    ) -> Response:
        message_id = incoming.id_fragment(target.message_id)
        lock = read_lock(message_id, incoming.lock_text({"lockId": lock_text}))
        (done,) = await self._committer.submit(lambda store: operation(store, target.queue, [lock]))
        if not done:
            raise Refusal(400, outgoing.expired_text(lock_text))
        return Response(200, outgoing.result_json(message_id, True, success))

    def _ttl_ms(self, item: dict[str, object]) -> int:
        return incoming.lock_ttl_ms(item, self._engine.config.lock_ttl_unit, MAX_LOCK_TTL_MS)


def _or_wait(
    store: Store, *, work: Callable[[Store], list[Delivery]], queue_id: str, deadline: float
) -> list[Delivery] | NotYet[list[Delivery]]:
    return work(store) or NotYet(queue_id, store.next_due(queue_id), deadline, [])


def _results(ids: Sequence[bytes], done: Sequence[bool], success: str) -> Response:
    return Response(200, b"[%s]" % b",".join(outgoing.result_json(n, ok, success) for n, ok in zip(ids, done, strict=True)))


def _settled(items: list[dict[str, object]], done: list[bool], success: str, *, show_locks: bool = False) -> Response:
    results = []
    for item, ok in zip(items, done, strict=True):
        lock = str(item["lockId"])
        text = success if ok else outgoing.expired_text(lock)
        results.append(outgoing.result_json(incoming.id_fragment(item["messageId"]), ok, text, lock if show_locks else None))
    return Response(200, b"[%s]" % b",".join(results))


def _refused_batch(messages: list[NewMessage]) -> bytes:
    """Return the item results of a batch of which nothing was stored because something in it is too large."""
    return b"[%s]" % b",".join(
        outgoing.result_json(
            message.id, False, outgoing.TOO_LARGE if message.size > MAX_BODY_BYTES else "Not sent: another item is too large"
        )
        for message in messages
    )
