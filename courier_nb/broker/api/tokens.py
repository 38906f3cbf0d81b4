"""Bearer tokens. They live in memory only: after a restart clients ask for new ones, as they do when a token expires."""

from __future__ import annotations

import hashlib
import secrets
import threading
from dataclasses import dataclass
from typing import Literal, NamedTuple

from courier_nb.broker.config.access import PUBLISH, SCOPES, SUBSCRIBE
from courier_nb.core.clock import Clock

TokenKind = Literal["client_app", "connected_app", "user"]

LIFETIME_SECONDS = 3600


class Principal(NamedTuple):
    """Who a token stands for.

    Attributes
    ----------
    kind : {"client_app", "connected_app", "user"}
    name : str
        Client id or user name.
    environments : frozenset of int or None
        Numbers of the environments it may use; None means all.
    scopes : frozenset of str
        What it may do there.
    """

    kind: TokenKind
    name: str
    environments: frozenset[int] | None
    scopes: frozenset[str]

    def may_enter(self, environment: int) -> bool:
        """Tell whether it may do anything at all in an environment."""
        return self.environments is None or environment in self.environments


def client_app(name: str, environment: int) -> Principal:
    """Return a client app, which may do everything with the messages of one environment."""
    return Principal("client_app", name, frozenset([environment]), frozenset([SUBSCRIBE, PUBLISH]))


def everybody(kind: TokenKind, name: str) -> Principal:
    """Return somebody who may do everything everywhere."""
    return Principal(kind, name, None, frozenset(SCOPES))


@dataclass(slots=True)
class _Token:
    principal: Principal
    expires: float  # monotonic seconds


class Tokens:
    """Issues and checks tokens; used by several event loops at once."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        # By digest: finding an entry then takes a time that tells nothing about the tokens themselves.
        self._by_digest: dict[bytes, _Token] = {}
        self._of_client_apps: dict[str, str] = {}

    def issue(self, principal: Principal) -> str:
        """Return a token that is valid for an hour.

        A client app gets the same token as long as it is valid, and asking extends it; others get a new one each time.
        """
        with self._lock:
            self._forget_expired()
            text = self._of_client_apps.get(principal.name, "") if principal.kind == "client_app" else ""
            if _digest(text) not in self._by_digest:
                text = secrets.token_urlsafe(27)
            if principal.kind == "client_app":
                self._of_client_apps[principal.name] = text
            self._by_digest[_digest(text)] = _Token(principal, self._clock.monotonic() + LIFETIME_SECONDS)
            return text

    def find(self, authorization: str) -> Principal | None:
        """Return whom the token of an ``Authorization`` header stands for; None when it is not valid.

        Using a client app's token extends it.
        """
        scheme, _, text = authorization.partition(" ")
        if scheme.lower() != "bearer":
            return None
        now = self._clock.monotonic()
        with self._lock:
            token = self._by_digest.get(_digest(text.strip()))
            if token is None or token.expires <= now:
                return None
            if token.principal.kind == "client_app":
                token.expires = now + LIFETIME_SECONDS
            return token.principal

    def revoke(self, client_id: str) -> None:
        """Let a client app's token end now."""
        with self._lock:
            self._by_digest.pop(_digest(self._of_client_apps.pop(client_id, "")), None)

    def end(self, authorization: str) -> None:
        """Let the token of an ``Authorization`` header end now, whoever else uses it."""
        with self._lock:
            self._by_digest.pop(_digest(authorization.partition(" ")[2].strip()), None)

    def _forget_expired(self) -> None:
        now = self._clock.monotonic()
        self._by_digest = {digest: token for digest, token in self._by_digest.items() if token.expires > now}


def same(given: str, expected: str) -> bool:
    """Compare secrets in a time that does not depend on where they differ."""
    return secrets.compare_digest(given.encode("utf-8", "surrogatepass"), expected.encode())


def _digest(text: str) -> bytes:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()
