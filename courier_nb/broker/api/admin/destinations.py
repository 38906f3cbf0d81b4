"""``GET …/destinations``: queues and exchanges, in pages."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from courier_nb.broker.api.admin.entities import exchange_entity, minimal_entity, queue_entity
from courier_nb.broker.api.admin.pages import list_response, read_page, wants_all
from courier_nb.broker.api.ask import Ask
from courier_nb.broker.api.engine import Engine
from courier_nb.broker.api.values import listed
from courier_nb.broker.api.web import Response, one_word
from courier_nb.broker.state.exchanges import ExchangeRow
from courier_nb.broker.state.queues import QueueRow
from courier_nb.broker.state.store import Store


class DestinationList:
    """Lists queues and exchanges together, by name."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._config = engine.config

    async def get(self, ask: Ask) -> Response:
        """List a page of them."""
        page = read_page(ask.request, self._config.switches.admin_page_limit)
        kind = one_word(ask.request.query(), "destinationType", ("all", "queue", "exchange"))
        in_full = wants_all(ask.request, "all")
        wanted = listed(ask.request, "destinationIds")
        if not ask.is_here:
            return Response(204)

        def entities(store: Store) -> list[dict[str, Any]]:
            rows = page.of((row.id, row) for row in _rows(store, ask.environment.pk, kind, wanted))
            return [self._entity(store, row, in_full=in_full) for row in rows]

        return list_response(await self._engine.committer.submit(entities))

    def _entity(self, store: Store, row: QueueRow | ExchangeRow, *, in_full: bool) -> dict[str, Any]:
        if not in_full:
            return minimal_entity(row)
        return queue_entity(store, row, self._config) if isinstance(row, QueueRow) else exchange_entity(row)


def _rows(store: Store, environment: int, kind: str, wanted: Collection[str]) -> list[QueueRow | ExchangeRow]:
    rows: list[QueueRow | ExchangeRow] = []
    if kind != "exchange":
        rows += store.queues.all(environment)
    if kind != "queue":
        rows += store.exchanges.all(environment)
    return sorted((row for row in rows if not wanted or row.id in wanted), key=lambda row: row.id)
