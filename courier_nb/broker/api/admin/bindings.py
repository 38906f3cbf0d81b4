"""``…/bindings``: which queues get what is published to an exchange, and by which rule."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from courier_nb.broker.api.admin.entities import binding_entity
from courier_nb.broker.api.admin.fields import Fields
from courier_nb.broker.api.admin.pages import list_response, read_page, wants_all
from courier_nb.broker.api.admin.rules import read_rule
from courier_nb.broker.api.ask import Ask
from courier_nb.broker.api.engine import Engine
from courier_nb.broker.api.web import Response, json_response
from courier_nb.broker.config.routing import RoutingRule
from courier_nb.broker.state.exchanges import BoundQueue
from courier_nb.broker.state.store import Store


class Bindings:
    """Answers what is asked of bindings and their routing rules."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._switches = engine.config.switches

    async def of_exchange(self, ask: Ask) -> Response:
        """List the queues that are bound to an exchange, by name."""
        at = ask.address("exchange")
        return await self._list(
            ask,
            lambda store: [(bound.queue_id, bound) for bound in store.exchanges.bindings(store.exchanges.get(at))],
        )

    async def of_queue(self, ask: Ask) -> Response:
        """List the exchanges that a queue is bound to, by name."""
        at = ask.address("queue")
        return await self._list(
            ask,
            lambda store: [(bound.exchange_id, bound) for bound in store.exchanges.bindings_of_queue(store.queues.get(at).pk)],
        )

    async def get(self, ask: Ask) -> Response:
        """Show a binding."""
        with_rule = wants_all(ask.request, "minimal")
        bound = await self._engine.committer.submit(lambda store: _binding(store, ask))
        return json_response(binding_entity(bound, with_rule=with_rule))

    async def put(self, ask: Ask) -> Response:
        """Bind a queue to an exchange; a binding that exists stays as it is."""
        at, queue = ask.address("exchange"), ask.address("queue")

        def put(store: Store) -> BoundQueue:
            known = store.destinations.find_binding(at, queue.id)
            if known is not None:
                return known
            store.destinations.bind(at, queue.id, None)
            return _binding(store, ask)

        return json_response(binding_entity(await self._engine.committer.submit(put), with_rule=False))

    async def delete(self, ask: Ask) -> Response:
        """Remove a binding with its rule."""
        at, queue = ask.address("exchange"), ask.address("queue")
        await self._engine.committer.submit(lambda store: store.destinations.unbind(at, queue.id))
        return Response(204)

    async def put_rule(self, ask: Ask) -> Response:
        """Give a binding a rule, in the place of one that it may have."""
        fields = await Fields.read(ask.request, ("routingRules",), self._switches)
        rule = read_rule(fields, self._switches)
        bound = await self._engine.committer.submit(lambda store: _set_rule(store, ask, rule))
        return json_response(binding_entity(bound, with_rule=True), 201)

    async def delete_rule(self, ask: Ask) -> Response:
        """Take a binding's rule away, if it has one: its queue gets everything then."""
        await self._engine.committer.submit(lambda store: _set_rule(store, ask, None))
        return Response(204)

    async def _list(self, ask: Ask, bindings: Callable[[Store], list[tuple[str, BoundQueue]]]) -> Response:
        page = read_page(ask.request, self._switches.admin_page_limit)
        with_rule = wants_all(ask.request, "minimal")

        def entities(store: Store) -> list[dict[str, Any]]:
            return [binding_entity(bound, with_rule=with_rule) for bound in page.of(bindings(store))]

        return list_response(await self._engine.committer.submit(entities))


def _binding(store: Store, ask: Ask) -> BoundQueue:
    return store.destinations.get_binding(ask.address("exchange"), ask.address("queue").id)


def _set_rule(store: Store, ask: Ask, rule: RoutingRule | None) -> BoundQueue:
    bound = _binding(store, ask)
    store.destinations.bind(ask.address("exchange"), bound.queue_id, rule)
    return _binding(store, ask)
