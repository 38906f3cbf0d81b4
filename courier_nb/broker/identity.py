"""Who this broker is: its credentials and the ids of its organization and environment, kept in the database."""

from __future__ import annotations

import secrets
import sqlite3
import uuid
from dataclasses import dataclass, field

from courier_nb.broker.config import BrokerConfig


@dataclass(frozen=True, slots=True)
class Identity:
    """Credentials and ids of a broker."""

    client_id: str
    organization: str
    environment: str
    client_secret: str = field(repr=False)


def load_identity(connection: sqlite3.Connection, config: BrokerConfig) -> Identity:
    """Return the broker's identity: what the configuration says, else what the database kept, else new random values."""
    kept = dict(connection.execute("select key, value from meta"))
    fresh = {
        "client_id": secrets.token_hex(16),
        "client_secret": secrets.token_hex(16),
        "organization": str(uuid.uuid4()),
        "environment": str(uuid.uuid4()),
    }
    values = {key: getattr(config, key) or kept.get(key, value) for key, value in fresh.items()}
    connection.executemany("insert or replace into meta(key, value) values (?, ?)", values.items())
    return Identity(**values)
