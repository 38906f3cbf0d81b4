"""What the broker is told before it starts. Every wrong value is one clear error."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from ipaddress import ip_address
from typing import Literal, get_args

from courier_nb.broker.config.access import ClientApp, ConnectedApp, EnvironmentConfig, check_environments
from courier_nb.broker.config.checks import check_flag, check_path_word, check_text, wrong
from courier_nb.broker.config.destinations import ExchangeConfig, QueueConfig
from courier_nb.broker.config.faults import Fault
from courier_nb.broker.config.switches import Switches
from courier_nb.core.errors import ConfigError

CredentialKind = Literal["client_app", "connected_app"]

_HOST_NAME = re.compile(r"[A-Za-z0-9_]([A-Za-z0-9_.-]{0,251}[A-Za-z0-9_])?")


@dataclass(frozen=True, slots=True)
class BrokerConfig:
    """Settings of a broker.

    Attributes
    ----------
    queues : tuple of QueueConfig
    exchanges : tuple of ExchangeConfig
    client_id, client_secret : str or None
        The broker's own pair of credentials, which may do everything; None makes a random one, which a database file then
        keeps.
    organization, environment : str or None
        Ids as they appear in paths; None makes random GUIDs, which a database file then keeps.
    environment_name, region : str
        What the Accounts and Admin APIs report.
    durable : bool
        Whether a database file is synced before a success is answered (SQLite ``synchronous=FULL``). False survives
        ``kill -9`` too, but may lose the last moments when the machine loses power.
    credential_kinds : tuple of {"client_app", "connected_app"}
        As what the broker's own credentials are accepted.
    username, password : str or None
        Allow a user login with these; a user may do everything.
    clients : tuple of ClientApp
        More client apps of the first environment.
    environments : tuple of EnvironmentConfig
        More environments; `queues`, `exchanges` and `clients` belong to the first.
    connected_apps : tuple of ConnectedApp
        More connected apps, with the scopes they have.
    switches : Switches
        What is unknown or disputed about the real service.
    faults : tuple of Fault
        What goes wrong on purpose, from the start.
    allowed_hosts : tuple of str
        Names and addresses by which clients may reach a served broker, besides this machine's own: for instance a container's
        name.

    Raises
    ------
    ConfigError
        When a value is outside its limits, or two contradict each other.
    """

    queues: tuple[QueueConfig, ...] = ()
    exchanges: tuple[ExchangeConfig, ...] = ()
    client_id: str | None = None
    client_secret: str | None = field(default=None, repr=False)
    organization: str | None = None
    environment: str | None = None
    environment_name: str = "Local"
    region: str = "us-east-1"
    durable: bool = True
    credential_kinds: tuple[CredentialKind, ...] = ("client_app", "connected_app")
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    clients: tuple[ClientApp, ...] = ()
    environments: tuple[EnvironmentConfig, ...] = ()
    connected_apps: tuple[ConnectedApp, ...] = ()
    switches: Switches = field(default_factory=Switches)
    faults: tuple[Fault, ...] = ()
    allowed_hosts: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for name in ("client_id", "client_secret", "username", "password"):
            check_text(name, getattr(self, name))
        for name in ("organization", "environment", "region"):
            check_path_word(name, getattr(self, name))
        check_flag("durable", self.durable)
        if not self.credential_kinds or not set(self.credential_kinds) <= set(get_args(CredentialKind)):
            raise wrong("credential_kinds", list(self.credential_kinds), "one or both of 'client_app' and 'connected_app'")
        if (self.username is None) != (self.password is None):
            raise ConfigError("username and password must be given together.", setting="username")
        check_environments(self.environment_name, self.all_environments[1:], self.connected_apps)
        for fault in self.faults:
            if not isinstance(fault, Fault):
                raise wrong("faults", fault, "a Fault")
        for host in self.allowed_hosts:
            _check_host(host)

    @property
    def all_environments(self) -> tuple[EnvironmentConfig, ...]:
        """The environments, first the one that `queues` and `exchanges` belong to."""
        first = EnvironmentConfig(self.environment_name, self.environment, False, self.queues, self.exchanges, self.clients)
        return (first, *self.environments)


def _check_host(host: str) -> None:
    """Refuse what cannot stand before the port in a ``Host`` header."""
    if isinstance(host, str) and _HOST_NAME.fullmatch(host):
        return
    try:
        ip_address(host.removeprefix("[").removesuffix("]"))
    except (ValueError, AttributeError):
        raise wrong("allowed_hosts", host, "a host name or an address, without scheme and port") from None
