"""What every handler shares: settings, clock, the store's thread, the tokens and the meter."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from courier_nb.broker.api.faults import Faults
from courier_nb.broker.api.limits import Limits
from courier_nb.broker.api.tokens import Tokens
from courier_nb.broker.config.broker import BrokerConfig
from courier_nb.broker.state.committer import Committer
from courier_nb.broker.state.errors import Unacceptable
from courier_nb.broker.state.identity import Environment, Identity, load_identity
from courier_nb.broker.state.meter import Meter
from courier_nb.broker.state.queues import Address
from courier_nb.broker.state.schema import open_database
from courier_nb.broker.state.store import Store
from courier_nb.core.clock import Clock
from courier_nb.core.errors import ConfigError

MQ_PATH = "/api/v1"


class Engine:
    """One broker behind any number of doors. Opens its database when first asked for something.

    Attributes
    ----------
    config : BrokerConfig
    clock : Clock
    committer : Committer
    tokens : Tokens
    meter : Meter
    faults : Faults
    limits : Limits
    """

    def __init__(self, config: BrokerConfig, db: Path | None, clock: Clock) -> None:
        self.config = config
        self.clock = clock
        self.committer = Committer(self._open_store, clock)
        self.tokens = Tokens(clock)
        self.meter = Meter(clock)
        self.faults = Faults(config.faults)
        self.limits = Limits(clock, self.committer, config.switches)
        self._db = db
        self._identity: Identity | None = None
        self._by_id: dict[str, Environment] = {}

    @property
    def identity(self) -> Identity:
        """Credentials and ids."""
        self.committer.start()
        assert self._identity is not None  # noqa: S101  # read when the store was opened
        return self._identity

    def environment(self, organization: str, environment: str) -> Environment | None:
        """Return the environment of that id, if this broker has it."""
        if organization != self.identity.organization:
            return None
        return self._by_id.get(environment)

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
            self._identity = load_identity(database.connection, self.config)
            self._by_id = {environment.id: environment for environment in self._identity.environments}
            store = Store(database, self.clock, self.meter, self.config.switches)
            self._declare(store, self._identity)
            database.connection.execute("commit")
            return store
        except Unacceptable as error:
            database.close()
            raise ConfigError(
                f"The configuration does not fit the broker's database {self._db}: {error}", setting="config"
            ) from None
        except BaseException:
            database.close()
            raise

    def _declare(self, store: Store, identity: Identity) -> None:
        """Make the destinations and client apps of the configuration; what the database has besides stays."""
        store.now = int(self.clock.time() * 1_000)
        for environment, wanted in zip(identity.environments, self.config.all_environments, strict=True):
            # first without dead-letter queues, because each may be another's
            for queue in wanted.queues:
                if store.queues.find(Address(environment.pk, queue.id)) is None:
                    store.destinations.put_queue(environment.pk, replace(queue, dead_letter_queue=None))
            for queue in wanted.queues:
                store.destinations.put_queue(environment.pk, queue)
            for exchange in wanted.exchanges:
                store.destinations.put_exchange(environment.pk, exchange)
            for client in wanted.clients:
                store.clients.put(environment.pk, client)
