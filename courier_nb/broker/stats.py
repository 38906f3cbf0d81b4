"""The live part of the Stats API: how many messages wait in queues and how many are in flight."""

from __future__ import annotations

from typing import Any

from courier_nb.broker.engine import Engine
from courier_nb.broker.queues import UnknownQueue
from courier_nb.broker.store import Store
from courier_nb.broker.web import Refusal, Request, Response, decode_segment, json_response


class Stats:
    """Answers what is below ``/mq/stats/api/v1/organizations/{org}/environments/{env}``."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    async def answer(self, request: Request, path: list[bytes]) -> Response:
        """Answer a request whose token and environment have been checked; `path` is the rest of it."""
        match request.method, path:
            case "GET", [b"regions", region, b"queues"]:
                return await self._depths(request, decode_segment(region) == self._engine.config.region)
            case _, [b"regions", _, b"queues"]:
                raise Refusal(405, "statistics can only be read")
        raise Refusal(404, "not found")

    async def _depths(self, request: Request, is_here: bool) -> Response:
        wanted = request.query().get("destinationIds")
        if wanted is None:
            raise Refusal(400, "destinationIds is required")
        ids = [name for name in wanted.split(",") if name]

        def depths(store: Store) -> list[dict[str, Any]]:
            return [_depth(store, name) if is_here else _not_found(name) for name in ids]

        entries = await self._engine.committer.submit(depths)
        return json_response(entries) if entries else Response(204)


def _depth(store: Store, queue_id: str) -> dict[str, Any]:
    try:
        queue = store.queues.get(queue_id)
    except UnknownQueue:
        return _not_found(queue_id)
    return {"destination": queue_id, "messages": queue.stored - queue.locked, "inflightMessages": queue.locked}


def _not_found(queue_id: str) -> dict[str, Any]:
    return {"destination": queue_id, "message": "Destination not found"}
