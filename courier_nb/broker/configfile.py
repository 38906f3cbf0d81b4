"""The broker's TOML file, read into a `BrokerConfig`.

::

    [[queue]]
    id = "orders"
    dead_letter_queue = "orders-dlq"
    max_deliveries = 3
    default_lock_ttl = "30s"        # a bare number is milliseconds, as in the API

    [[queue]]
    id = "orders-dlq"

    [client]
    client_id = "local"
    client_secret = "local-secret"
"""

from __future__ import annotations

import tomllib
from collections.abc import Collection
from pathlib import Path
from typing import Any

from courier_nb.broker.config import BrokerConfig, ExchangeConfig, QueueConfig, one_of, wrong
from courier_nb.core.errors import ConfigError
from courier_nb.core.units import milliseconds

_DURATIONS = {
    "default_ttl": "default_ttl_ms",
    "default_lock_ttl": "default_lock_ttl_ms",
    "default_delivery_delay": "default_delivery_delay_ms",
}
_QUEUE_KEYS = ("id", "fifo", "dead_letter_queue", "max_deliveries", *_DURATIONS)
_EXCHANGE_KEYS = ("id", "bindings")
_PLACE_KEYS = ("organization", "environment", "region")
_CLIENT_KEYS = ("client_id", "client_secret", *_PLACE_KEYS)
_BROKER_KEYS = (
    *_PLACE_KEYS,
    "environment_name",
    "durable",
    "lock_ttl_unit",
    "credential_kinds",
    "username",
    "password",
)


def load_config(path: str | Path) -> BrokerConfig:
    """Read a broker configuration.

    Parameters
    ----------
    path : str or Path
        A TOML file with ``[[queue]]`` tables and, if wanted, ``[client]`` and ``[broker]``.

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


def _config(content: dict[str, Any]) -> BrokerConfig:
    _refuse_unknown(content, ("queue", "exchange", "client", "broker"))
    client = _table(content, "client", _CLIENT_KEYS)
    broker = _table(content, "broker", _BROKER_KEYS)
    for key in _PLACE_KEYS:
        if key in client and key in broker:
            raise ConfigError(f"{key} is given in [client] and in [broker]: give it once.", setting=key)
    if "credential_kinds" in broker:
        broker["credential_kinds"] = _texts(broker, "credential_kinds")
    queues = tuple(_entry("queue", number, table) for number, table in _tables(content, "queue"))
    exchanges = tuple(_exchange(number, table) for number, table in _tables(content, "exchange"))
    return BrokerConfig(queues=queues, exchanges=exchanges, **client, **broker)


def _entry(kind: str, number: int, table: dict[str, Any]) -> QueueConfig:
    try:
        _refuse_unknown(table, _QUEUE_KEYS)
        if "id" not in table:
            raise ConfigError("id is missing, expected the queue's name.", setting="id")
        values = {_DURATIONS.get(key, key): _value(key, value) for key, value in table.items()}
        return QueueConfig(**values)
    except ConfigError as error:
        raise _located(kind, number, table, error) from None


def _value(key: str, value: Any) -> Any:
    return milliseconds(value, name=key, bare="ms") if key in _DURATIONS else value


def _exchange(number: int, table: dict[str, Any]) -> ExchangeConfig:
    try:
        _refuse_unknown(table, _EXCHANGE_KEYS)
        if "id" not in table:
            raise ConfigError("id is missing, expected the exchange's name.", setting="id")
        return ExchangeConfig(table["id"], _texts(table, "bindings") if "bindings" in table else ())
    except ConfigError as error:
        raise _located("exchange", number, table, error) from None


def _located(kind: str, number: int, table: dict[str, Any], error: ConfigError) -> ConfigError:
    name = f" ({table['id']!r})" if isinstance(table.get("id"), str) else ""
    return ConfigError(f"[[{kind}]] no. {number}{name}: {error}", setting=error.setting)


def _refuse_unknown(table: dict[str, Any], known: Collection[str]) -> None:
    for key in table:
        if key not in known:
            raise ConfigError(f"{key} is not a known key, expected one of {one_of(known)}.", setting=key)


def _table(content: dict[str, Any], key: str, known: Collection[str]) -> dict[str, Any]:
    table = content.get(key, {})
    if not isinstance(table, dict):
        raise wrong(key, table, f"a table [{key}]")
    try:
        _refuse_unknown(table, known)
    except ConfigError as error:
        raise ConfigError(f"[{key}]: {error}", setting=error.setting) from None
    return dict(table)


def _tables(content: dict[str, Any], key: str) -> list[tuple[int, dict[str, Any]]]:
    tables = content.get(key, [])
    if not isinstance(tables, list) or not all(isinstance(table, dict) for table in tables):
        raise wrong(key, tables, f"tables [[{key}]]")
    return list(enumerate(tables, start=1))


def _texts(table: dict[str, Any], key: str) -> tuple[Any, ...]:
    values = table[key]
    if not isinstance(values, list) or not all(isinstance(value, str) for value in values):
        raise wrong(key, values, "a list of texts")
    return tuple(values)
