"""MQ client apps: credentials that are good for the broker API of one environment."""

from __future__ import annotations

import secrets
import sqlite3
from typing import NamedTuple

from courier_nb.broker.config.access import ClientApp
from courier_nb.broker.state.errors import UnknownDestination

_SELECT = "select client_id, environment, name, secret from client"


class ClientRow(NamedTuple):
    """A client app as stored."""

    client_id: str
    environment: int
    name: str
    secret: str

    def __repr__(self) -> str:
        return f"<ClientRow {self.name!r}>"


class Clients:
    """Reads and writes client apps, inside whatever transaction is open."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def find(self, client_id: str) -> ClientRow | None:
        """Return a client app by its id, in whichever environment."""
        if not client_id.isprintable():  # among others half a surrogate pair, which SQL cannot ask for
            return None
        found = self._connection.execute(f"{_SELECT} where client_id = ?", (client_id,)).fetchone()
        return None if found is None else ClientRow(*found)

    def all(self, environment: int) -> list[ClientRow]:
        """Return the client apps of an environment, by name."""
        return [
            ClientRow(*row) for row in self._connection.execute(f"{_SELECT} where environment = ? order by name", (environment,))
        ]

    def named(self, environment: int, name: str) -> ClientRow | None:
        """Return a client app by its name."""
        found = self._connection.execute(f"{_SELECT} where environment = ? and name = ?", (environment, name)).fetchone()
        return None if found is None else ClientRow(*found)

    def put(self, environment: int, client: ClientApp) -> None:
        """Create a client app, or give the one of that name these credentials."""
        self._connection.execute("delete from client where environment = ? and name = ?", (environment, client.name))
        self._connection.execute(
            "insert or replace into client(client_id, environment, name, secret) values (?, ?, ?, ?)",
            (client.client_id, environment, client.name, client.client_secret),
        )

    def make(self, environment: int, name: str) -> ClientRow:
        """Create a client app with random credentials; its name must be free."""
        self.put(environment, ClientApp(name, secrets.token_hex(16), secrets.token_hex(16)))
        made = self.named(environment, name)
        assert made is not None  # noqa: S101  # it was just written
        return made

    def regenerate(self, environment: int, client_id: str) -> ClientRow:
        """Give a client app another secret.

        Raises
        ------
        UnknownDestination
            When the environment has no such client app.
        """
        self._connection.execute(
            "update client set secret = ? where environment = ? and client_id = ?",
            (secrets.token_hex(16), environment, client_id),
        )
        return self._existing(environment, client_id)

    def remove(self, environment: int, client_id: str) -> ClientRow:
        """Forget a client app; return what it was."""
        found = self._existing(environment, client_id)
        self._connection.execute("delete from client where client_id = ?", (client_id,))
        return found

    def _existing(self, environment: int, client_id: str) -> ClientRow:
        found = self.find(client_id)
        if found is None or found.environment != environment:
            raise UnknownDestination("client", client_id)
        return found
