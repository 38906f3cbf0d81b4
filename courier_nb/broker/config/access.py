"""Who may use the broker: environments, client apps, connected apps with scopes."""

from __future__ import annotations

from dataclasses import dataclass, field

from courier_nb.broker.config.checks import check_once, check_path_word, check_text, check_word, one_of, wrong
from courier_nb.broker.config.destinations import ExchangeConfig, QueueConfig, check_destinations
from courier_nb.core.errors import ConfigError

SUBSCRIBE = "subscribe:destinations"
PUBLISH = "publish:destinations"
VIEW = "view:destinations"
ADMINISTER = "administer:destinations"
CLEAR = "clear:destinations"
READ_STATS = "read:stats"
VIEW_CLIENTS = "view:clients"
MANAGE_CLIENTS = "manage:clients"

SCOPES = (SUBSCRIBE, PUBLISH, VIEW, ADMINISTER, CLEAR, READ_STATS, VIEW_CLIENTS, MANAGE_CLIENTS)


@dataclass(frozen=True, slots=True)
class ClientApp:
    """An MQ client app: may use the broker API of its one environment, and nothing else.

    Attributes
    ----------
    name, client_id, client_secret : str
    """

    name: str
    client_id: str
    client_secret: str = field(repr=False)

    def __post_init__(self) -> None:
        for name in ("name", "client_id", "client_secret"):
            _check_given(name, getattr(self, name))


@dataclass(frozen=True, slots=True)
class ConnectedApp:
    """A connected app: what its scopes allow, in its environments.

    Attributes
    ----------
    client_id, client_secret : str
    scopes : tuple of str
        By their API names, for instance ``subscribe:destinations``.
    environments : tuple of str
        Names of environments; empty means all.
    """

    client_id: str
    client_secret: str = field(repr=False)
    scopes: tuple[str, ...] = SCOPES
    environments: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for name in ("client_id", "client_secret"):
            _check_given(name, getattr(self, name))
        for scope in self.scopes:
            check_word("scopes", scope, SCOPES)


@dataclass(frozen=True, slots=True)
class EnvironmentConfig:
    """An environment besides the broker's first.

    Attributes
    ----------
    name : str
    id : str or None
        As it appears in paths; None makes a random GUID, which a database file then keeps.
    is_production : bool
    queues : tuple of QueueConfig
    exchanges : tuple of ExchangeConfig
    clients : tuple of ClientApp
    """

    name: str
    id: str | None = None
    is_production: bool = False
    queues: tuple[QueueConfig, ...] = ()
    exchanges: tuple[ExchangeConfig, ...] = ()
    clients: tuple[ClientApp, ...] = ()

    def __post_init__(self) -> None:
        _check_given("name", self.name)
        check_path_word("id", self.id)
        check_destinations(self.queues, self.exchanges)
        check_once("name", [client.name for client in self.clients], "each client app once")


def check_environments(first: str, environments: tuple[EnvironmentConfig, ...], apps: tuple[ConnectedApp, ...]) -> None:
    """Refuse environments, client apps and connected apps that do not fit together."""
    names = [first, *(environment.name for environment in environments)]
    check_once("name", names, "each environment once")
    check_once("id", [environment.id for environment in environments if environment.id], "each environment once")
    clients = [client for environment in environments for client in environment.clients]
    check_once("client_id", [client.client_id for client in clients], "each client app once")
    check_once("client_id", [app.client_id for app in apps], "each connected app once")
    for app in apps:
        for name in app.environments:
            if name not in names:
                raise wrong("environments", name, f"one of {one_of(map(repr, names))} (connected app {app.client_id!r})")


def _check_given(name: str, value: object) -> None:
    if value is None:
        raise ConfigError(f"{name} is missing, expected a text.", setting=name)
    check_text(name, value)
