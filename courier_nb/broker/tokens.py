"""Bearer tokens. They live in memory only: after a restart clients ask for new ones, as they do when a token expires."""

from __future__ import annotations

import hashlib
import secrets
import threading
from dataclasses import dataclass
from typing import Literal

from courier_nb.core.clock import Clock

TokenKind = Literal["client_app", "connected_app", "user"]

LIFETIME_SECONDS = 3600


@dataclass(slots=True)
class _Token:
    kind: TokenKind
    expires: float  # monotonic seconds


class Tokens:
    """Issues and checks tokens; used by several event loops at once."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        # By digest: finding an entry then takes a time that tells nothing about the tokens themselves.
        self._by_digest: dict[bytes, _Token] = {}
        self._client_app = ""

    def issue(self, kind: TokenKind) -> str:
        """Return a token that is valid for an hour.

        A client app gets the same token as long as it is valid, and asking extends it; others get a new one each time.
        """
        with self._lock:
            self._forget_expired()
            text = self._client_app if kind == "client_app" and _digest(self._client_app) in self._by_digest else ""
            if not text:
                text = secrets.token_urlsafe(27)
            if kind == "client_app":
                self._client_app = text
            self._by_digest[_digest(text)] = _Token(kind, self._clock.monotonic() + LIFETIME_SECONDS)
            return text

    def kind(self, authorization: str) -> TokenKind | None:
        """Return what the token of an ``Authorization`` header stands for; None when it is not valid.

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
            if token.kind == "client_app":
                token.expires = now + LIFETIME_SECONDS
            return token.kind

    def _forget_expired(self) -> None:
        now = self._clock.monotonic()
        self._by_digest = {digest: token for digest, token in self._by_digest.items() if token.expires > now}


def same(given: str, expected: str) -> bool:
    """Compare secrets in a time that does not depend on where they differ."""
    return secrets.compare_digest(given.encode("utf-8", "surrogatepass"), expected.encode())


def _digest(text: str) -> bytes:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()
