"""Which client the rows of a frame came through."""

from __future__ import annotations

import weakref
from typing import TYPE_CHECKING

import pandas as pd

from courier_nb.connection import Connection
from courier_nb.core.errors import Closed, InvalidArgument
from courier_nb.core.portal import run
from courier_nb.core.printable import plain
from courier_nb.frames.verbs import ORIGIN

if TYPE_CHECKING:
    from courier_nb.blocking.client import Client

_clients: weakref.WeakValueDictionary[str, Client] = weakref.WeakValueDictionary()
_connections: weakref.WeakKeyDictionary[Client, Connection] = weakref.WeakKeyDictionary()


def note_client(client: Client, connection: Connection) -> None:
    """Remember a client for as long as it is in use, so that the frames of what it receives find it."""
    _clients[connection.key] = client
    _connections[client] = connection


def client_of(frame: pd.DataFrame, given: object) -> Client:
    """Return the client that was given, or else the one that received the rows of a frame.

    Raises
    ------
    InvalidArgument
        When none was given and the frame knows none that is still in use, or rows are of another environment than its own.
    Closed
        When it is closed.
    """
    from courier_nb.blocking.client import Client

    client = _clients.get(str(frame.attrs.get(ORIGIN, ""))) if given is None else given
    if client is None:
        raise InvalidArgument(
            "No client is known for these rows: they come from a file or from a client that is no longer in use (or that is an "
            "AsyncClient). Give one: client=courier_nb.connect(...)."
        )
    if not isinstance(client, Client):
        raise InvalidArgument(f"client is of type {type(client).__name__}, expected a Client, as courier_nb.connect() gives it.")
    if _connections[client].session.is_closed:
        raise Closed("The client of these rows is closed: give one that is not, client=courier_nb.connect(...).")
    if given is None:
        _check_environment(frame, client)
    return client


def _check_environment(frame: pd.DataFrame, client: Client) -> None:
    """Refuse rows of elsewhere: a concatenation of what two clients received names that of its first rows only."""
    place = _connections[client].session.place
    if place is None or list(frame.columns).count("environment") != 1:
        return
    others = sorted({str(name) for name in frame["environment"].dropna()} - {place.environment})
    if others:
        raise InvalidArgument(
            f"Some rows are of environment {plain(others[0])!r}, and the client that they name is connected to "
            f"{place.environment!r}: act on the rows of each by themselves, or give a client, client=. Nothing was sent."
        )


def permit(client: Client, verb: str, destination: str, confirm: str | None) -> None:
    """Refuse a verb that the guards do not allow, before anything is done.

    Raises
    ------
    ReadOnly, ConfirmationNeeded
    """
    run(_connections[client].permit, verb, destination, confirm)
