"""The exchange table and the bindings of exchanges to queues."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from functools import lru_cache
from typing import Any, NamedTuple

from courier_nb.broker.config.destinations import Binding, ExchangeConfig
from courier_nb.broker.config.routing import RoutingRule
from courier_nb.broker.state.errors import UnknownDestination
from courier_nb.broker.state.queues import Address
from courier_nb.core import exactjson

_SELECT = "select pk, environment, id, encrypted, published, delivered from exchange"


class ExchangeRow(NamedTuple):
    """An exchange as stored.

    Attributes
    ----------
    pk, environment : int
    id, encrypted
        As in `ExchangeConfig`.
    published, delivered : int
        How many messages came in, and how many copies went into queues, since it was made.
    """

    pk: int
    environment: int
    id: str
    encrypted: int
    published: int
    delivered: int


class BoundQueue(NamedTuple):
    """One binding: the number and name of the queue, and its rule."""

    queue: int
    queue_id: str
    exchange_id: str
    rule: RoutingRule | None

    @property
    def binding(self) -> Binding:
        """The binding as it is configured."""
        return Binding(self.queue_id, self.rule)


class Exchanges:
    """Reads and writes exchanges and bindings, inside whatever transaction is open.

    Parameters
    ----------
    connection : sqlite3.Connection
    changed : set of int
        Takes the numbers of the exchanges whose counts change.
    """

    def __init__(self, connection: sqlite3.Connection, changed: set[int]) -> None:
        self._connection = connection
        self._changed = changed

    def find(self, at: Address) -> ExchangeRow | None:
        """Return an exchange, if there is one of that name."""
        found = self._connection.execute(f"{_SELECT} where environment = ? and id = ?", at).fetchone()
        return None if found is None else ExchangeRow(*found)

    def get(self, at: Address) -> ExchangeRow:
        """Return an exchange or raise `UnknownDestination`."""
        found = self.find(at)
        if found is None:
            raise UnknownDestination("exchange", at.id)
        return found

    def all(self, environment: int | None = None) -> list[ExchangeRow]:
        """Return every exchange, or every exchange of an environment, by name."""
        which, values = ("", ()) if environment is None else (" where environment = ?", (environment,))
        return [ExchangeRow(*found) for found in self._connection.execute(f"{_SELECT}{which} order by environment, id", values)]

    def put(self, environment: int, settings: ExchangeConfig) -> None:
        """Create an exchange, or change one that exists; its bindings are not touched."""
        self._connection.execute(
            "insert into exchange(environment, id, encrypted) values (?, ?, ?)"
            " on conflict(environment, id) do update set encrypted = excluded.encrypted",
            (environment, settings.id, settings.encrypted),
        )

    def remove(self, exchange: ExchangeRow) -> None:
        """Forget an exchange and its bindings."""
        for table in ("binding", "exchange_sample"):
            self._connection.execute(f"delete from {table} where exchange = ?", (exchange.pk,))  # noqa: S608  # names of ours
        self._connection.execute("delete from exchange where pk = ?", (exchange.pk,))

    def bindings(self, exchange: ExchangeRow) -> list[BoundQueue]:
        """Return the bindings of an exchange, by queue."""
        return self._bound("binding.exchange = ? order by queue.id", exchange.pk)

    def bindings_of_queue(self, queue: int) -> list[BoundQueue]:
        """Return the bindings of a queue, by exchange."""
        return self._bound("binding.queue = ? order by exchange.id", queue)

    def binding(self, exchange: ExchangeRow, queue: int) -> BoundQueue | None:
        """Return the binding of a queue to an exchange, if there is one."""
        return next(iter(self._bound("binding.exchange = ? and binding.queue = ?", exchange.pk, queue)), None)

    def bind(self, exchange: ExchangeRow, queue: int, rule: RoutingRule | None) -> None:
        """Bind a queue to an exchange, or give its binding another rule."""
        self._connection.execute(
            "insert or replace into binding(exchange, queue, rule) values (?, ?, ?)",
            (exchange.pk, queue, None if rule is None else exactjson.dumps(rule_json(rule)).decode()),
        )

    def unbind(self, exchange: ExchangeRow, queue: int) -> None:
        """Remove a binding."""
        self._connection.execute("delete from binding where exchange = ? and queue = ?", (exchange.pk, queue))

    def count(self, exchange: ExchangeRow, *, published: int, delivered: int) -> None:
        """Add to the counts of an exchange."""
        self._changed.add(exchange.pk)
        self._connection.execute(
            "update exchange set published = published + ?, delivered = delivered + ? where pk = ?",
            (published, delivered, exchange.pk),
        )

    def _bound(self, which: str, *values: int) -> list[BoundQueue]:
        found: Iterable[tuple[Any, ...]] = self._connection.execute(
            "select queue.pk, queue.id, exchange.id, rule from binding join queue on queue.pk = binding.queue"  # noqa: S608  # ours
            f" join exchange on exchange.pk = binding.exchange where {which}",
            values,
        )
        return [BoundQueue(queue, queue_id, exchange_id, _rule(text)) for queue, queue_id, exchange_id, text in found]


def rule_json(rule: RoutingRule) -> dict[str, Any]:
    """Return a rule as the Admin API writes it."""
    value = list(rule.value) if isinstance(rule.value, tuple) else rule.value
    return {
        "propertyName": rule.property_name,
        "propertyType": rule.property_type,
        "matcherType": rule.matcher,
        "value": value,
    }


@lru_cache(maxsize=1024)
def _rule(text: str | None) -> RoutingRule | None:
    if text is None:
        return None
    content = exactjson.loads(text.encode())
    return RoutingRule(content["propertyName"], content["propertyType"], content["matcherType"], content["value"])
