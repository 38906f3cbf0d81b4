"""Ack, nack and lock changes, single and batch."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from courier_nb.broker.api import incoming, outgoing
from courier_nb.broker.api.engine import Engine
from courier_nb.broker.api.incoming import MAX_REQUEST_BYTES
from courier_nb.broker.api.target import Target
from courier_nb.broker.api.web import Refusal, Request, Response
from courier_nb.broker.config.checks import MAX_LOCK_TTL_MS
from courier_nb.broker.state.locks import Lock, read_lock
from courier_nb.broker.state.queues import Address
from courier_nb.broker.state.store import Store

_Settle = Callable[[Store, Address, Sequence[Lock | None]], list[bool]]


class Settling:
    """Answers what is done with messages that are locked."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._committer = engine.committer
        self._switches = engine.config.switches

    async def ack_batch(self, request: Request, target: Target) -> Response:
        """``DELETE …/messages``: delete up to ten messages."""
        return await self._settle_batch(request, target, Store.ack, outgoing.ACKNOWLEDGED)

    async def nack_batch(self, request: Request, target: Target) -> Response:
        """``DELETE …/messages/locks``: return up to ten messages."""
        return await self._settle_batch(request, target, Store.nack, outgoing.RETURNED)

    async def extend_batch(self, request: Request, target: Target) -> Response:
        """``PATCH …/messages/locks``: change up to ten locks."""
        items = incoming.read_batch(await request.body(MAX_REQUEST_BYTES))
        times_ms = [self._ttl_ms(item) for item in items]
        changes = list(zip(_locks(items, target), times_ms, strict=True))
        done = await self._committer.submit(lambda store: store.change_locks(target.at, changes))
        self._check_any(items, done, target)
        return _array(_items(items, done, outgoing.LOCK_CHANGED, target, show_locks=True))

    async def ack(self, request: Request, target: Target) -> Response:
        """``DELETE …/messages/{messageId}``: delete a message."""
        item = incoming.read_object(await request.body(MAX_REQUEST_BYTES))
        return await self._settle(target, incoming.lock_text(item), Store.ack, outgoing.ACKNOWLEDGED)

    async def nack(self, request: Request, target: Target) -> Response:
        """``DELETE …/messages/{messageId}/locks/{lockId}``: return a message."""
        return await self._settle(target, target.lock, Store.nack, outgoing.RETURNED)

    async def extend(self, request: Request, target: Target) -> Response:
        """``PATCH …/messages/{messageId}/locks/{lockId}``: change a lock."""
        ttl_ms = self._ttl_ms(incoming.read_object(await request.body(MAX_REQUEST_BYTES)))

        def change(store: Store, at: Address, locks: Sequence[Lock | None]) -> list[bool]:
            return store.change_locks(at, [(lock, ttl_ms) for lock in locks])

        return await self._settle(target, target.lock, change, outgoing.LOCK_CHANGED)

    async def _settle_batch(self, request: Request, target: Target, operation: _Settle, success: str) -> Response:
        items = incoming.read_batch(await request.body(MAX_REQUEST_BYTES))
        locks = _locks(items, target)
        done = await self._committer.submit(lambda store: operation(store, target.at, locks))
        self._check_any(items, done, target)
        results = _items(items, done, success, target)
        if self._switches.batch_settle_result == "object" or target.strike.answers_with_object:
            # one for all: the first that failed, if any did
            return Response(200, results[done.index(False) if False in done else 0])
        return _array(results)

    async def _settle(self, target: Target, lock_text: str, operation: _Settle, success: str) -> Response:
        message_id = incoming.id_fragment(target.message_id)
        lock = read_lock(message_id, incoming.lock_text({"lockId": lock_text}))
        (done,) = await self._committer.submit(lambda store: operation(store, target.at, [lock]))
        if not done:
            raise Refusal(400, outgoing.expired_text(lock_text))
        return Response(200, outgoing.result_json(message_id, True, success))

    def _check_any(self, items: list[dict[str, object]], done: list[bool], target: Target) -> None:
        """Refuse a batch in which nothing succeeded, if that is what the service does; nothing has been changed then."""
        if self._switches.bad_settle_batch == "refuse" and not any(done) and not target.strike.failing(len(items)):
            raise Refusal(400, outgoing.expired_text(str(items[0]["lockId"])))

    def _ttl_ms(self, item: dict[str, object]) -> int:
        return incoming.lock_ttl_ms(item, self._switches.lock_ttl_unit, MAX_LOCK_TTL_MS)


def _locks(items: list[dict[str, object]], target: Target) -> list[Lock | None]:
    """Return the locks that items name; an item that is to fail has none that is good for anything."""
    locks = [incoming.item_lock(item) for item in items]
    failing = target.strike.failing(len(items))
    return [None if number in failing else lock for number, lock in enumerate(locks)]


def _items(
    items: list[dict[str, object]], done: list[bool], success: str, target: Target, *, show_locks: bool = False
) -> list[bytes]:
    results = []
    failing = target.strike.failing(len(items))
    for number, (item, ok) in enumerate(zip(items, done, strict=True)):
        lock = str(item["lockId"])
        failure = target.strike.item_text if number in failing else outgoing.expired_text(lock)
        text = success if ok else failure
        results.append(outgoing.result_json(incoming.id_fragment(item["messageId"]), ok, text, lock if show_locks else None))
    return results


def _array(results: list[bytes]) -> Response:
    return Response(200, b"[%s]" % b",".join(results))
