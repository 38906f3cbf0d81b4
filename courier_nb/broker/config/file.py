"""The broker's TOML file, read into a `BrokerConfig`.

::

    [[queue]]
    id = "orders"
    dead_letter_queue = "orders-dlq"
    max_deliveries = 3
    default_lock_ttl = "30s"        # a bare number is milliseconds, as in the API

    [[queue]]
    id = "orders-dlq"

    [[exchange]]
    id = "events"
    bindings = ["orders"]

    [client]
    client_id = "local"
    client_secret = "local-secret"

    [[fault]]
    kind = "throttled"
    operations = ["receive"]
    every = 10
    retry_after = 1
"""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Collection
from dataclasses import fields
from pathlib import Path
from typing import Any, TypeVar

from courier_nb.broker.config.access import ClientApp, ConnectedApp, EnvironmentConfig
from courier_nb.broker.config.broker import BrokerConfig
from courier_nb.broker.config.checks import one_of, wrong
from courier_nb.broker.config.destinations import Binding, ExchangeConfig, QueueConfig
from courier_nb.broker.config.faults import read_fault
from courier_nb.broker.config.routing import RoutingRule
from courier_nb.broker.config.switches import Switches
from courier_nb.core.errors import ConfigError
from courier_nb.core.units import milliseconds

T = TypeVar("T")
Table = dict[str, Any]

_DURATIONS = {
    "default_ttl": "default_ttl_ms",
    "default_lock_ttl": "default_lock_ttl_ms",
    "default_delivery_delay": "default_delivery_delay_ms",
}
_QUEUE_KEYS = ("id", "fifo", "dead_letter_queue", "max_deliveries", *_DURATIONS, "encrypted")
_PLACE_KEYS = ("organization", "environment", "region")
_CLIENT_KEYS = ("client_id", "client_secret", *_PLACE_KEYS)
_BROKER_KEYS = (*_PLACE_KEYS, "environment_name", "durable", "credential_kinds", "username", "password", "allowed_hosts")
_TABLES = ("queue", "exchange", "client_app", "connected_app", "environment", "fault")


def load_config(path: str | Path) -> BrokerConfig:
    """Read a broker configuration.

    Parameters
    ----------
    path : str or Path
        A TOML file with ``[[queue]]`` tables and, if wanted, ``[[exchange]]``, ``[[client_app]]``, ``[[connected_app]]``,
        ``[[environment]]``, ``[[fault]]``, ``[client]``, ``[broker]`` and ``[switches]``.

    Raises
    ------
    ConfigError
        Naming the file, the key, the value and what is expected.
    """
    path = Path(path)
    try:
        content = tomllib.loads(path.read_text("utf-8"))
    except OSError as error:
        raise ConfigError(f"The broker configuration {path} cannot be read: {error.strerror}.", setting="config") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"The broker configuration {path} is not TOML: {error}.", setting="config") from None
    try:
        return _config(content)
    except ConfigError as error:
        raise ConfigError(f"{path}: {error}", setting=error.setting) from None


def _config(content: Table) -> BrokerConfig:
    _refuse_unknown(content, (*_TABLES, "client", "broker", "switches"))
    client = _section(content, "client", _CLIENT_KEYS)
    broker = _section(content, "broker", _BROKER_KEYS)
    for key in _PLACE_KEYS:
        if key in client and key in broker:
            raise ConfigError(f"{key} is given in [client] and in [broker]: give it once.", setting=key)
    for key in ("credential_kinds", "allowed_hosts"):
        if key in broker:
            broker[key] = _texts(broker, key)
    switches = _section(content, "switches", _names(Switches))
    return BrokerConfig(
        **_destinations(content),
        connected_apps=_each(content, "connected_app", "client_id", _connected_app),
        environments=_each(content, "environment", "name", _environment),
        switches=Switches(**switches),
        faults=_each(content, "fault", "kind", read_fault),
        **client,
        **broker,
    )


def _destinations(content: Table) -> dict[str, Any]:
    return {
        "queues": _each(content, "queue", "id", _queue),
        "exchanges": _each(content, "exchange", "id", _exchange),
        "clients": _each(content, "client_app", "name", _client_app),
    }


def _queue(table: Table) -> QueueConfig:
    _refuse_unknown(table, _QUEUE_KEYS)
    _need(table, "id", "the queue's name")
    return QueueConfig(**{_DURATIONS.get(key, key): _value(key, value) for key, value in table.items()})


def _value(key: str, value: Any) -> Any:
    return milliseconds(value, name=key, bare="ms") if key in _DURATIONS else value


def _exchange(table: Table) -> ExchangeConfig:
    _refuse_unknown(table, _names(ExchangeConfig))
    _need(table, "id", "the exchange's name")
    bindings = table.get("bindings", [])
    if not isinstance(bindings, list):
        raise wrong("bindings", bindings, "a list of queues, each a text or a table with queue and rule")
    return ExchangeConfig(**(table | {"bindings": tuple(_binding(binding) for binding in bindings)}))


def _binding(value: Any) -> Binding | str:
    if isinstance(value, str):
        return value
    if not isinstance(value, dict):
        raise wrong("bindings", value, "a queue's name, or a table with queue and rule")
    _refuse_unknown(value, ("queue", "rule"))
    _need(value, "queue", "a queue's name")
    if "rule" not in value:
        return Binding(value["queue"])
    rule = value["rule"]
    if not isinstance(rule, dict):
        raise wrong("rule", rule, f"a table with {one_of(_names(RoutingRule))}")
    _refuse_unknown(rule, _names(RoutingRule))
    for key in _names(RoutingRule):
        _need(rule, key, "all keys of a routing rule")
    return Binding(value["queue"], RoutingRule(**rule))


def _client_app(table: Table) -> ClientApp:
    _refuse_unknown(table, _names(ClientApp))
    return ClientApp(**{key: table.get(key) for key in _names(ClientApp)})  # type: ignore[arg-type]  # which refuses None


def _connected_app(table: Table) -> ConnectedApp:
    _refuse_unknown(table, _names(ConnectedApp))
    lists = {key: _texts(table, key) for key in ("scopes", "environments") if key in table}
    return ConnectedApp(table.get("client_id"), table.get("client_secret"), **lists)  # type: ignore[arg-type]  # as above


def _environment(table: Table) -> EnvironmentConfig:
    own = ("name", "id", "is_production")
    _refuse_unknown(table, (*own, "queue", "exchange", "client_app"))
    _need(table, "name", "the environment's name")
    return EnvironmentConfig(**{key: table[key] for key in own if key in table}, **_destinations(table))


def _each(content: Table, kind: str, name: str, read: Callable[[Table], T]) -> tuple[T, ...]:
    """Read every ``[[kind]]`` table; an error says which."""
    tables = content.get(kind, [])
    if not isinstance(tables, list) or not all(isinstance(table, dict) for table in tables):
        raise wrong(kind, tables, f"tables [[{kind}]]")
    found = []
    for number, table in enumerate(tables, start=1):
        try:
            found.append(read(table))
        except ConfigError as error:
            which = f" ({table[name]!r})" if isinstance(table.get(name), str) else ""
            raise ConfigError(f"[[{kind}]] no. {number}{which}: {error}", setting=error.setting) from None
    return tuple(found)


def _section(content: Table, key: str, known: Collection[str]) -> Table:
    table = content.get(key, {})
    if not isinstance(table, dict):
        raise wrong(key, table, f"a table [{key}]")
    try:
        _refuse_unknown(table, known)
    except ConfigError as error:
        raise ConfigError(f"[{key}]: {error}", setting=error.setting) from None
    return dict(table)


def _names(kind: Any) -> tuple[str, ...]:
    return tuple(field.name for field in fields(kind))


def _need(table: Table, key: str, what: str) -> None:
    if key not in table:
        raise ConfigError(f"{key} is missing, expected {what}.", setting=key)


def _refuse_unknown(table: Table, known: Collection[str]) -> None:
    for key in table:
        if key not in known:
            raise ConfigError(f"{key} is not a known key, expected one of {one_of(known)}.", setting=key)


def _texts(table: Table, key: str) -> tuple[Any, ...]:
    values = table[key]
    if not isinstance(values, list) or not all(isinstance(value, str) for value in values):
        raise wrong(key, values, "a list of texts")
    return tuple(values)
