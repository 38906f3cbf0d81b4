"""What the broker is told before it starts: queues, credentials, region. Every wrong value is one clear error."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Literal, get_args

from courier_nb.core.errors import ConfigError

CredentialKind = Literal["client_app", "connected_app"]
LockTtlUnit = Literal["s", "ms"]

MAX_TTL_MS = 14 * 86_400_000
MAX_LOCK_TTL_MS = 12 * 3_600_000
MAX_DELAY_MS = 15 * 60_000

# The service refuses "_" in new names but makes names with it itself (``_fb``), so a copy of a real queue may need it.
_DESTINATION = re.compile(r"[A-Za-z0-9._-]{1,127}")
_NAME_RULE = "1 to 127 letters, digits, '.', '-' or '_'"
_PATH_WORD = re.compile(r"[A-Za-z0-9._~-]{1,128}")


@dataclass(frozen=True, slots=True)
class QueueConfig:
    """Settings of one queue.

    Attributes
    ----------
    id : str
        Name: 1 to 127 letters, digits, ``.``, ``-`` or ``_``.
    fifo : bool
        Not supported by this version.
    dead_letter_queue : str or None
        Queue that takes messages after `max_deliveries` failed deliveries; None redelivers until the message expires.
    max_deliveries : int
        1 to 1000; only means something together with `dead_letter_queue`.
    default_ttl_ms : int
        How long messages are kept, in milliseconds; at most 14 days.
    default_lock_ttl_ms : int
        Length of a lock when the reader names none, in milliseconds; at most 12 hours.
    default_delivery_delay_ms : int
        How long new messages stay invisible, in milliseconds; at most 15 minutes.

    Raises
    ------
    ConfigError
        When a value is outside its limits.
    """

    id: str
    fifo: bool = False
    dead_letter_queue: str | None = None
    max_deliveries: int = 10
    default_ttl_ms: int = 604_800_000
    default_lock_ttl_ms: int = 120_000
    default_delivery_delay_ms: int = 0

    def __post_init__(self) -> None:
        check_name("id", self.id)
        if type(self.fifo) is not bool:
            raise wrong("fifo", self.fifo, "true or false")
        if self.fifo:
            raise ConfigError(
                f"fifo is true for queue {self.id!r}: this version of the local broker has standard queues only.", setting="fifo"
            )
        if self.dead_letter_queue is not None:
            check_name("dead_letter_queue", self.dead_letter_queue)
            if self.dead_letter_queue == self.id:
                raise wrong("dead_letter_queue", self.dead_letter_queue, "another queue than the queue itself")
        _check_range("max_deliveries", self.max_deliveries, 1, 1000)
        _check_range("default_ttl", self.default_ttl_ms, 1, MAX_TTL_MS, "a duration from 1 ms to 14 days")
        _check_range("default_lock_ttl", self.default_lock_ttl_ms, 0, MAX_LOCK_TTL_MS, "a duration up to 12 hours")
        _check_range("default_delivery_delay", self.default_delivery_delay_ms, 0, MAX_DELAY_MS, "a duration up to 15 minutes")


@dataclass(frozen=True, slots=True)
class ExchangeConfig:
    """Settings of one exchange. Not supported by this version.

    Attributes
    ----------
    id : str
    bindings : tuple of str
        Queues that receive what is published to the exchange.
    """

    id: str
    bindings: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        check_name("id", self.id)


@dataclass(frozen=True, slots=True)
class BrokerConfig:
    """Settings of a broker.

    Attributes
    ----------
    queues : tuple of QueueConfig
    exchanges : tuple of ExchangeConfig
        Not supported by this version.
    client_id, client_secret : str or None
        The broker's one pair of credentials; None makes a random one, which a database file then keeps.
    organization, environment : str or None
        Ids as they appear in paths; None makes random GUIDs, which a database file then keeps.
    environment_name, region : str
        What the Accounts and Admin APIs report.
    durable : bool
        Whether a database file is synced before a success is answered (SQLite ``synchronous=FULL``).
    lock_ttl_unit : {"s", "ms"}
        Unit of ``ttl`` in a lock change. The vendor's specification says seconds.
    credential_kinds : tuple of {"client_app", "connected_app"}
        As what the credentials are accepted.
    username, password : str or None
        Allow a user login with these.
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
    lock_ttl_unit: LockTtlUnit = "s"
    credential_kinds: tuple[CredentialKind, ...] = ("client_app", "connected_app")
    username: str | None = None
    password: str | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        if self.exchanges:
            raise ConfigError(
                f"exchange {self.exchanges[0].id!r} is declared: this version of the local broker has standard queues only.",
                setting="exchange",
            )
        self._check_queues()
        for name in ("client_id", "client_secret", "username", "password"):
            _check_text(name, getattr(self, name))
        for name in ("organization", "environment", "region"):
            value = getattr(self, name)
            if value is not None and not (isinstance(value, str) and _PATH_WORD.fullmatch(value)):
                raise wrong(name, value, "1 to 128 letters, digits, '.', '-', '_' or '~'")
        _check_text("environment_name", self.environment_name)
        if type(self.durable) is not bool:
            raise wrong("durable", self.durable, "true or false")
        if self.lock_ttl_unit not in get_args(LockTtlUnit):
            raise wrong("lock_ttl_unit", self.lock_ttl_unit, "'s' or 'ms'")
        if not self.credential_kinds or not set(self.credential_kinds) <= set(get_args(CredentialKind)):
            raise wrong("credential_kinds", list(self.credential_kinds), "one or both of 'client_app' and 'connected_app'")
        if (self.username is None) != (self.password is None):
            raise ConfigError("username and password must be given together.", setting="username")

    def _check_queues(self) -> None:
        names: set[str] = set()
        for queue in self.queues:
            if queue.id in names:
                raise wrong("id", queue.id, "each queue once")
            names.add(queue.id)
        for queue in self.queues:
            if queue.dead_letter_queue is not None and queue.dead_letter_queue not in names:
                raise wrong("dead_letter_queue", queue.dead_letter_queue, f"a queue that is declared too (queue {queue.id!r})")


def wrong(key: str, value: object, expected: str) -> ConfigError:
    """Return the error for a value that is not allowed; secrets are not shown."""
    shown = "given" if key in ("client_secret", "password") else repr(value)
    return ConfigError(f"{key} is {shown}, expected {expected}.", setting=key)


def check_name(key: str, value: object) -> None:
    """Refuse what cannot be the name of a destination."""
    if not isinstance(value, str) or not _DESTINATION.fullmatch(value):
        raise wrong(key, value, _NAME_RULE)


def one_of(words: Iterable[Any]) -> str:
    """Return words as a list for an error message."""
    return ", ".join(str(word) for word in words)


def _check_range(key: str, value: object, low: int, high: int, expected: str = "") -> None:
    if type(value) is not int or not low <= value <= high:
        raise wrong(key, value, expected or f"a whole number from {low} to {high}")


def _check_text(key: str, value: object) -> None:
    if value is not None and not (isinstance(value, str) and value and value.isprintable()):
        raise wrong(key, value, "a text that is not empty and has no control characters")
