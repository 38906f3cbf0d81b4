"""What every handler shares: settings, clock, the store's thread and the tokens."""

from __future__ import annotations

from pathlib import Path

from courier_nb.broker.committer import Committer
from courier_nb.broker.config import BrokerConfig
from courier_nb.broker.identity import Identity, load_identity
from courier_nb.broker.schema import open_database
from courier_nb.broker.store import Store
from courier_nb.broker.tokens import Tokens
from courier_nb.core.clock import Clock

MQ_PATH = "/api/v1"


class Engine:
    """One broker behind any number of doors. Opens its database when first asked for something.

    Attributes
    ----------
    config : BrokerConfig
    clock : Clock
    committer : Committer
    tokens : Tokens
    """

    def __init__(self, config: BrokerConfig, db: Path | None, clock: Clock) -> None:
        self.config = config
        self.clock = clock
        self.committer = Committer(self._open_store, clock)
        self.tokens = Tokens(clock)
        self._db = db

    @property
    def identity(self) -> Identity:
        """Credentials and ids."""
        return self.committer.start().identity

    def settings(self, origin: str) -> dict[str, str]:
        """Return what a client needs to connect to this broker at `origin` (``http://host:port``)."""
        identity = self.identity
        return {
            "url": f"{origin}{MQ_PATH}",
            "platform_url": origin,
            "client_id": identity.client_id,
            "client_secret": identity.client_secret,
            "organization": identity.organization,
            "environment": identity.environment,
            "region": self.config.region,
        }

    def _open_store(self) -> Store:
        database = open_database(self._db, durable=self.config.durable)
        try:
            database.connection.execute("begin immediate")
            identity = load_identity(database.connection, self.config)
            store = Store(database, self.clock, identity)
            for queue in self.config.queues:
                store.queues.put(queue)
            database.connection.execute("commit")
            return store
        except BaseException:
            database.close()
            raise
