"""The live part of the Stats API: how many messages wait in queues and how many are in flight."""

from __future__ import annotations

from typing import Any

from courier_nb.broker.api.ask import Ask
from courier_nb.broker.api.engine import Engine
from courier_nb.broker.api.web import Refusal, Response, decode_segment, json_response
from courier_nb.broker.config.access import ADMINISTER, VIEW
from courier_nb.broker.state.queues import Address
from courier_nb.broker.state.store import Store


class Stats:
    """Answers what is below ``/mq/stats/api/v1/organizations/{org}/environments/{env}``."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    async def answer(self, ask: Ask) -> Response:
        """Answer a request."""
        match ask.request.method, ask.path:
            case "GET", [b"regions", region, b"queues"]:
                ask.need(VIEW, ADMINISTER)
                return await self._depths(ask, decode_segment(region) == self._engine.config.region)
            case _, [b"regions", _, b"queues"]:
                raise Refusal(405, "statistics can only be read")
        raise Refusal(404, "not found")

    async def _depths(self, ask: Ask, is_here: bool) -> Response:
        wanted = ask.request.query().get("destinationIds")
        if wanted is None:
            raise Refusal(400, "destinationIds is required")
        ids = [name for name in wanted.split(",") if name]

        def depths(store: Store) -> list[dict[str, Any]]:
            return [_depth(store, Address(ask.environment.pk, name)) if is_here else _not_found(name) for name in ids]

        entries = await self._engine.committer.submit(depths)
        return json_response(entries) if entries else Response(204)


def _depth(store: Store, at: Address) -> dict[str, Any]:
    queue = store.queues.find(at)
    if queue is None:
        return _not_found(at.id)
    return {"destination": at.id, "messages": queue.stored - queue.locked, "inflightMessages": queue.locked}


def _not_found(queue_id: str) -> dict[str, Any]:
    return {"destination": queue_id, "message": "Destination not found"}
