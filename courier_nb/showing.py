"""What clients and destinations show of themselves: what is known already. Nothing is asked of the service."""

from __future__ import annotations

from typing import Any, TypeVar

from courier_nb.connection import Connection
from courier_nb.core.cards import Card, counted, shown_as
from courier_nb.flows.locks.holding import Holding

T = TypeVar("T")
Facts = list[tuple[str, object]]


def shows_client(cls: type[T]) -> type[T]:
    """Let IPython show the clients of a class, of either face, as cards."""
    return shown_as(lambda client: client_card(type(client).__name__, _connection_of(client)))(cls)


def shows_destination(cls: type[T]) -> type[T]:
    """Let IPython show the destinations of a class, of either face, as cards."""
    return shown_as(lambda queue: destination_card(type(queue).__name__, queue.id, _connection_of(queue)))(cls)


def client_card(name: str, connection: Connection) -> Card:
    """Where it is connected, with which credentials, what is forbidden, and what is held."""
    settings = connection.session.settings
    who = f", client id …{settings.client_id[-4:]}" if settings.client_id else ""
    holding = connection.keeper.holding()
    facts: Facts = [
        *_place(connection),
        ("credentials", f"{settings.auth.replace('_', ' ')}{who}"),
        *_guards(connection),
        ("journal", "none is kept" if connection.journal is None else connection.journal.folder),
        *_held(holding),
    ]
    return Card(f"{name}{_closed(connection)}", facts, notes=holding.notes)


def destination_card(name: str, destination: str, connection: Connection) -> Card:
    """Where it is, what is forbidden, what is held, and its wiring as far as it was looked up before."""
    wiring = connection.guard.known(destination)
    facts: Facts = [
        *_place(connection),
        *_guards(connection),
        ("kind", {True: "FIFO queue", False: "standard queue", None: None}[wiring.is_fifo]),
        ("dead letters go to", wiring.dead_letter_queue),
        ("after", f"{wiring.max_deliveries} deliveries" if wiring.max_deliveries is not None else None),
        *_held(connection.keeper.holding(destination)),
    ]
    return Card(f"{name} {destination!r}{_closed(connection)}", facts)


def _connection_of(shown: Any) -> Connection:
    connection: Connection = getattr(shown, "_inner", shown)._connection  # the blocking face holds the async one
    return connection


def _place(connection: Connection) -> Facts:
    settings, place = connection.session.settings, connection.session.place
    unknown = "found out at the first call"
    return [
        ("broker", place.broker_url if place else settings.mq_url or unknown),
        ("region", connection.session.region_hint),
        ("organization", place.organization if place else settings.organization),
        ("environment", place.environment if place else settings.environment or unknown),
    ]


def _guards(connection: Connection) -> Facts:
    settings = connection.session.settings
    production = {
        True: "PRODUCTION: verbs that add or delete messages need the destination's name typed (confirm=)",
        False: "not production",
        None: "not known yet whether it is production",
    }[settings.production]
    read_only = "READ-ONLY: what adds or deletes messages is refused" if settings.read_only else None
    return [("access", read_only), ("production", production)]


def _held(holding: Holding) -> Facts:
    if not len(holding):
        return [("holds", "nothing")]
    return [("holds", counted(holding.counts)), ("first lock ends", holding.first_end)]


def _closed(connection: Connection) -> str:
    return " (closed)" if connection.session.is_closed else ""
