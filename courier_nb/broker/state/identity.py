"""Who this broker is: its own credentials, its organization and environments, kept in the database."""

from __future__ import annotations

import secrets
import sqlite3
import uuid
from dataclasses import dataclass, field

from courier_nb.broker.config.broker import BrokerConfig
from courier_nb.broker.config.checks import wrong


@dataclass(frozen=True, slots=True)
class Environment:
    """An environment: its number in the database, its id in paths, and what people call it."""

    pk: int
    id: str
    name: str
    is_production: bool


@dataclass(frozen=True, slots=True)
class Identity:
    """The broker's own credentials, its organization and its environments, of which the first is the default."""

    client_id: str
    organization: str
    environments: tuple[Environment, ...]
    client_secret: str = field(repr=False)

    @property
    def environment(self) -> str:
        """Id of the default environment."""
        return self.environments[0].id

    def named(self, name: str) -> Environment:
        """Return an environment by its name.

        Raises
        ------
        ConfigError
            When there is none of that name.
        """
        for environment in self.environments:
            if environment.name == name:
                return environment
        raise wrong("environment", name, "one of " + ", ".join(repr(environment.name) for environment in self.environments))


def load_identity(connection: sqlite3.Connection, config: BrokerConfig) -> Identity:
    """Return the broker's identity: what the configuration says, else what the database kept, else new random values."""
    kept = dict(connection.execute("select key, value from meta"))
    fresh = {"client_id": secrets.token_hex(16), "client_secret": secrets.token_hex(16), "organization": str(uuid.uuid4())}
    values = {key: getattr(config, key) or kept.get(key, value) for key, value in fresh.items()}
    connection.executemany("insert or replace into meta(key, value) values (?, ?)", values.items())
    return Identity(**values, environments=_environments(connection, config))


def _environments(connection: sqlite3.Connection, config: BrokerConfig) -> tuple[Environment, ...]:
    """Bring the table up to date; environments that are no longer configured keep their messages but are not reachable."""
    found = []
    for number, wanted in enumerate(config.all_environments):
        # the first keeps its place under another name, because queues are declared without naming it
        key, value = ("pk", 1) if number == 0 else ("name", wanted.name)
        kept = connection.execute(f"select pk, id from environment where {key} = ?", (value,)).fetchone()  # noqa: S608
        pk, old_id = kept or (1 if number == 0 else None, None)
        connection.execute(
            "insert into environment(pk, id, name, production) values (?, ?, ?, ?) on conflict(pk) do update set"
            " id = excluded.id, name = excluded.name, production = excluded.production",
            (pk, wanted.id or old_id or str(uuid.uuid4()), wanted.name, wanted.is_production),
        )
        row = connection.execute("select pk, id, name, production from environment where name = ?", (wanted.name,)).fetchone()
        found.append(Environment(row[0], row[1], row[2], bool(row[3])))
    return tuple(found)
