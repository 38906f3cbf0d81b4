"""The reading part of the Admin API: regions, destinations, one queue."""

from __future__ import annotations

from typing import Any

from courier_nb.broker.api.ask import Ask
from courier_nb.broker.api.engine import MQ_PATH, Engine
from courier_nb.broker.api.web import Refusal, Request, Response, decode_segment, json_response, one_word, whole_number
from courier_nb.broker.config.access import ADMINISTER, VIEW
from courier_nb.broker.state.errors import UnknownDestination
from courier_nb.broker.state.queues import Address, QueueRow
from courier_nb.broker.state.store import Store

_DEFAULT_LIMIT = 20
_MAX_LIMIT = 1_000
_MAX_OFFSET = 10**9


class Admin:
    """Answers what is below ``/mq/admin/api/v1/organizations/{org}/environments/{env}``."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    async def answer(self, ask: Ask) -> Response:
        """Answer a request."""
        request = ask.request
        match ask.path:
            case [b"regions"]:
                answer = self._regions(request)
            case [b"regions", region, b"destinations"]:
                ask.need(VIEW, ADMINISTER)
                answer = await self._destinations(ask, self._is_here(region))
            case [b"regions", region, b"destinations", b"queues", queue]:
                ask.need(VIEW, ADMINISTER)
                answer = await self._queue(Address(ask.environment.pk, decode_segment(queue)), self._is_here(region))
            case _:
                raise Refusal(404, "not found")
        if request.method != "GET":
            raise Refusal(405, "this version of the local broker only reads settings here: change queues from Python")
        return answer

    def _is_here(self, region: bytes) -> bool:
        return decode_segment(region) == self._engine.config.region

    def _regions(self, request: Request) -> Response:
        return json_response([{"regionId": self._engine.config.region, "serviceUrl": request.origin() + MQ_PATH}])

    async def _destinations(self, ask: Ask, is_here: bool) -> Response:
        query = ask.request.query()
        wanted = one_word(query, "destinationType", ("all", "queue", "exchange"))
        limit = whole_number(query, "limit", 1, _MAX_LIMIT, _DEFAULT_LIMIT)
        offset = whole_number(query, "offset", 0, _MAX_OFFSET, 0) or 0
        prefix = query.get("startsWith", "")
        if wanted == "exchange" or not is_here:
            return Response(204)

        def page(store: Store) -> list[dict[str, Any]]:
            rows = [row for row in store.queues.all(ask.environment.pk) if row.id.startswith(prefix)]
            return [_entity(store, row) for row in rows[offset:][:limit]]

        entities = await self._engine.committer.submit(page)
        return json_response(entities) if entities else Response(204)

    async def _queue(self, at: Address, is_here: bool) -> Response:
        if not is_here:
            raise Refusal(404, "queue not found")
        try:
            return json_response(await self._engine.committer.submit(lambda store: _entity(store, store.queues.get(at))))
        except UnknownDestination:
            raise Refusal(404, "queue not found") from None


def _entity(store: Store, row: QueueRow) -> dict[str, Any]:
    sources = [source.id for source in store.queues.sources(Address(row.environment, row.id))]
    entity: dict[str, Any] = {
        "type": "queue",
        "queueId": row.id,
        "fifo": bool(row.fifo),
        "encrypted": False,
        "defaultTtl": row.default_ttl_ms,
        "defaultLockTtl": row.default_lock_ttl_ms,
        "defaultDeliveryDelay": row.default_delivery_delay_ms,
    }
    # the service leaves out what does not apply
    if row.dead_letter_queue is not None:
        entity |= {"maxDeliveries": row.max_deliveries, "deadLetterQueueId": row.dead_letter_queue}
    if sources:
        entity["deadLetterSources"] = sources
    return entity
