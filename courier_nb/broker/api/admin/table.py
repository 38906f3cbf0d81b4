"""The operations of the Admin API: each with its path, and with the scopes of which it needs one."""

from __future__ import annotations

from courier_nb.broker.api import rights
from courier_nb.broker.api.admin.bindings import Bindings
from courier_nb.broker.api.admin.clients import ClientApps
from courier_nb.broker.api.admin.destinations import DestinationList
from courier_nb.broker.api.admin.exchanges import ExchangeSettings
from courier_nb.broker.api.admin.queues import QueueSettings
from courier_nb.broker.api.admin.regions import Regions
from courier_nb.broker.api.engine import Engine
from courier_nb.broker.api.rights import ANYBODY, CHANGE_CLIENTS, CHANGE_DESTINATIONS, SEE_CLIENTS, SEE_DESTINATIONS
from courier_nb.broker.api.routes import Handler, Route

_REGION = "regions/{region}"
_DESTINATIONS = f"{_REGION}/destinations"
_QUEUE = f"{_DESTINATIONS}/queues/{{queue}}"
_EXCHANGE = f"{_DESTINATIONS}/exchanges/{{exchange}}"
_BINDINGS = f"{_REGION}/bindings"
_BINDING = f"{_BINDINGS}/exchanges/{{exchange}}/queues/{{queue}}"
_RULE = f"{_BINDING}/rules/routing"
_CLIENT = "clients/{client}"


def admin_routes(engine: Engine) -> list[Route]:
    """Return the operations below ``/mq/admin/api/v1/organizations/{org}/environments/{env}``."""
    regions, clients, bindings = Regions(engine), ClientApps(engine), Bindings(engine)
    destinations, queues, exchanges = DestinationList(engine), QueueSettings(engine), ExchangeSettings(engine)
    return [
        _route("GET", "regions", ANYBODY, regions.all),
        _route("GET", _REGION, ANYBODY, regions.get),
        _route("GET", _DESTINATIONS, SEE_DESTINATIONS, destinations.get),
        _route("GET", _QUEUE, SEE_DESTINATIONS, queues.get),
        _route("PUT", _QUEUE, CHANGE_DESTINATIONS, queues.put),
        _route("PATCH", _QUEUE, CHANGE_DESTINATIONS, queues.patch),
        _route("DELETE", _QUEUE, CHANGE_DESTINATIONS, queues.delete),
        _route("DELETE", f"{_QUEUE}/messages", rights.purge(engine.config.switches), queues.purge),
        _route("PUT", f"{_QUEUE}/fallback", CHANGE_DESTINATIONS, queues.put_fallback),
        _route("GET", _EXCHANGE, SEE_DESTINATIONS, exchanges.get),
        _route("PUT", _EXCHANGE, CHANGE_DESTINATIONS, exchanges.put),
        _route("PATCH", _EXCHANGE, CHANGE_DESTINATIONS, exchanges.patch),
        _route("DELETE", _EXCHANGE, CHANGE_DESTINATIONS, exchanges.delete),
        _route("GET", f"{_BINDINGS}/exchanges/{{exchange}}", SEE_DESTINATIONS, bindings.of_exchange),
        _route("GET", f"{_BINDINGS}/queues/{{queue}}", SEE_DESTINATIONS, bindings.of_queue),
        _route("GET", _BINDING, SEE_DESTINATIONS, bindings.get),
        _route("PUT", _BINDING, CHANGE_DESTINATIONS, bindings.put),
        _route("DELETE", _BINDING, CHANGE_DESTINATIONS, bindings.delete),
        _route("PUT", _RULE, CHANGE_DESTINATIONS, bindings.put_rule),
        _route("DELETE", _RULE, CHANGE_DESTINATIONS, bindings.delete_rule),
        _route("GET", "clients", SEE_CLIENTS, clients.all),
        _route("PUT", "clients", CHANGE_CLIENTS, clients.put),
        _route("POST", _CLIENT, CHANGE_CLIENTS, clients.regenerate),
        _route("DELETE", _CLIENT, CHANGE_CLIENTS, clients.delete),
    ]


def admin_v2_routes(engine: Engine) -> list[Route]:
    """Return the operations below ``/mq/admin/api/v2/organizations/{org}/environments/{env}``."""
    return [_route("PATCH", _QUEUE, CHANGE_DESTINATIONS, QueueSettings(engine).patch_given)]


def _route(method: str, path: str, scopes: tuple[str, ...], handler: Handler) -> Route:
    return Route(method, path, scopes, "admin", handler)
