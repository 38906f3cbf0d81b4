"""``…/clients``: the MQ client apps of an environment. Whoever may see them sees their secrets."""

from __future__ import annotations

from courier_nb.broker.api.admin.entities import client_entity
from courier_nb.broker.api.admin.fields import Fields
from courier_nb.broker.api.ask import Ask
from courier_nb.broker.api.engine import Engine
from courier_nb.broker.api.values import wrong
from courier_nb.broker.api.web import Response, json_response
from courier_nb.broker.state.clients import ClientRow
from courier_nb.broker.state.store import Store

_MAX_NAME = 256


class ClientApps:
    """Answers what is asked of client apps. The broker's own credentials are none of them."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    async def all(self, ask: Ask) -> Response:
        """List the client apps, by name."""
        rows = await self._engine.committer.submit(lambda store: store.clients.all(ask.environment.pk))
        return json_response([client_entity(row) for row in rows])

    async def put(self, ask: Ask) -> Response:
        """Create a client app with random credentials; one of that name that exists stays as it is."""
        fields = await Fields.read(ask.request, ("name",), self._engine.config.switches)
        name = fields.get("name")
        if not isinstance(name, str) or not 1 <= len(name) <= _MAX_NAME or not name.isprintable():
            raise wrong("name", name, f"a text of 1 to {_MAX_NAME} characters, none of them a control character")
        environment = ask.environment.pk

        def put(store: Store) -> ClientRow:
            return store.clients.named(environment, name) or store.clients.make(environment, name)

        return json_response(client_entity(await self._engine.committer.submit(put)))

    async def regenerate(self, ask: Ask) -> Response:
        """Give a client app another secret; its token ends."""
        client_id = ask.named["client"]
        row = await self._engine.committer.submit(lambda store: store.clients.regenerate(ask.environment.pk, client_id))
        self._engine.tokens.revoke(client_id)
        return json_response(client_entity(row))

    async def delete(self, ask: Ask) -> Response:
        """Delete a client app; its token ends."""
        client_id = ask.named["client"]
        row = await self._engine.committer.submit(lambda store: store.clients.remove(ask.environment.pk, client_id))
        self._engine.tokens.revoke(client_id)
        return json_response({"name": row.name, "clientId": row.client_id})
