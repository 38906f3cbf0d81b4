"""``GET …/queues?destinationIds=``: how many messages wait in queues and how many are in flight."""

from __future__ import annotations

from typing import Any

from courier_nb.broker.api.ask import Ask
from courier_nb.broker.api.engine import Engine
from courier_nb.broker.api.values import listed, required
from courier_nb.broker.api.web import Refusal, Response, json_response
from courier_nb.broker.state.queues import Address
from courier_nb.broker.state.store import Store


class Depths:
    """Tells the live depth of queues."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._switches = engine.config.switches

    async def get(self, ask: Ask) -> Response:
        """Show the depth of each queue that is named; a name that is none says so in its entry."""
        required(ask.request.query(), "destinationIds")
        names = listed(ask.request, "destinationIds")
        if len(names) > self._switches.stats_ids:
            raise Refusal(400, f"destinationIds holds {len(names)} names, expected at most {self._switches.stats_ids}.")

        def depths(store: Store) -> list[dict[str, Any]]:
            environment = ask.environment.pk
            return [_depth(store, Address(environment, name)) if ask.is_here else _not_found(name) for name in names]

        entries = await self._engine.committer.submit(depths)
        if not entries:
            return Response(204)
        return json_response(entries[0] if len(entries) == 1 and self._switches.live_depth == "object" else entries)


def _depth(store: Store, at: Address) -> dict[str, Any]:
    queue = store.queues.find(at)
    if queue is None:
        return _not_found(at.id)
    return {"destination": at.id, "messages": queue.stored - queue.locked, "inflightMessages": queue.locked}


def _not_found(name: str) -> dict[str, Any]:
    return {"destination": name, "message": "Destination not found"}
