"""``…/destinations/exchanges/{exchange}``: one exchange's settings."""

from __future__ import annotations

from typing import Any

from courier_nb.broker.api.admin.entities import exchange_entity
from courier_nb.broker.api.admin.fields import Fields
from courier_nb.broker.api.admin.names import check_new_name
from courier_nb.broker.api.ask import Ask
from courier_nb.broker.api.engine import Engine
from courier_nb.broker.api.web import Response, json_response
from courier_nb.broker.config.destinations import ExchangeConfig
from courier_nb.broker.state.queues import Address
from courier_nb.broker.state.store import Store

_KNOWN = ("type", "exchangeId", "encrypted")


class ExchangeSettings:
    """Answers what is asked of one exchange."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    async def get(self, ask: Ask) -> Response:
        """Show an exchange."""
        at = ask.address("exchange")
        return json_response(await self._engine.committer.submit(lambda store: exchange_entity(store.exchanges.get(at))))

    async def put(self, ask: Ask) -> Response:
        """Create an exchange, or give one that exists these settings; its bindings stay."""
        at = ask.address("exchange")
        encrypted = await self._read(ask, at)

        def put(store: Store) -> dict[str, Any]:
            if store.exchanges.find(at) is None:
                check_new_name("exchange", at.id)
            return _put(store, at, encrypted or False)

        return json_response(await self._engine.committer.submit(put))

    async def patch(self, ask: Ask) -> Response:
        """Change what is given."""
        at = ask.address("exchange")
        encrypted = await self._read(ask, at)

        def patch(store: Store) -> dict[str, Any]:
            old = store.exchanges.get(at)
            return _put(store, at, bool(old.encrypted) if encrypted is None else encrypted)

        return json_response(await self._engine.committer.submit(patch))

    async def delete(self, ask: Ask) -> Response:
        """Delete an exchange with its bindings."""
        at = ask.address("exchange")
        await self._engine.committer.submit(lambda store: store.destinations.delete_exchange(at))
        return Response(204)

    async def _read(self, ask: Ask, at: Address) -> bool | None:
        fields = await Fields.read(ask.request, _KNOWN, self._engine.config.switches)
        fields.agree("type", "exchange")
        fields.agree("exchangeId", at.id)
        return fields.flag("encrypted")


def _put(store: Store, at: Address, encrypted: bool) -> dict[str, Any]:
    store.destinations.put_exchange(at.environment, ExchangeConfig(at.id, encrypted=encrypted))
    return exchange_entity(store.exchanges.get(at))
