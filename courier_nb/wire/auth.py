"""Tokens: four kinds of credential, one token request however many calls wait, renewed before the end and once on 401."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import anyio
import httpx

from courier_nb.core import exactjson
from courier_nb.core.errors import BadAnswer, ConfigError, CourierError, Forbidden, Refused, Unauthorized, Unreachable
from courier_nb.core.places import places
from courier_nb.core.secrets import Secret, SecretBytes, short_tracebacks
from courier_nb.core.settings import AuthKind, Settings
from courier_nb.wire.answers import bad_answer, decode
from courier_nb.wire.retry import Operation
from courier_nb.wire.sender import Bearer, Sender

_LIFE_WHEN_UNSAID_SECONDS = 45 * 60.0  # an /authorize token lives 60 minutes and says nothing about it
_SHARE_OF_LIFE = 0.8
_FIRST_TRY_SECONDS = 5.0
_LEAST_LIFE_SECONDS = 10.0  # whatever the server says, tokens are not asked for more often than this


@dataclass(frozen=True, slots=True, repr=False)
class Token:
    """A bearer token.

    Attributes
    ----------
    kind : {"client_app", "connected_app", "user", "bearer"}
    value : str
    renew_at : float or None
        Monotonic seconds; None for a ready-made token, which cannot be renewed.
    organization, environment : str or None
        Ids that an MQ client app is bound to (``simple_client``).
    """

    kind: AuthKind
    value: str
    renew_at: float | None
    organization: str | None = None
    environment: str | None = None


@short_tracebacks
class TokenSource:
    """Gets, keeps and renews the token of one credential.

    Parameters
    ----------
    settings : Settings
    sender : Sender
    """

    def __init__(self, settings: Settings, sender: Sender) -> None:
        self._settings = settings
        self._sender = sender
        self._asking = anyio.Lock()
        self._token: Token | None = None
        self._kind: AuthKind = settings.auth

    async def current(self) -> Token:
        """Return a token that is not near its end, asking for one if needed (operation 10 or an accounts endpoint)."""
        if not self._is_fresh():
            async with self._asking:
                if not self._is_fresh():
                    self._token = await self._ask()
        assert self._token is not None  # noqa: S101  # for the type checker: set above
        return self._token

    async def renew(self, stale: Bearer) -> Token:
        """Return a token after a 401 for `stale`: asks once, whichever call comes first.

        An MQ client app gets the same text back while it is valid, which is not a failure; so tokens are told apart by
        the object, not by their text.
        """
        async with self._asking:
            if self._token is stale or self._token is None:
                self._token = await self._ask()
            return self._token

    async def authorize(self, broker_url: str, client_id: str, client_secret: str) -> Token:
        """Ask the broker for the token of an MQ client app (operation 10, ``POST /authorize``)."""
        form = {"client_id": client_id, "client_secret": client_secret, "grant_type": "client_credentials"}
        return await self._request("client_app", f"{broker_url}/authorize", "the MQ client app", form=form)

    def _is_fresh(self) -> bool:
        token = self._token
        return token is not None and (token.renew_at is None or time.monotonic() < token.renew_at)

    async def _ask(self) -> Token:
        settings = self._settings
        match self._kind:
            case "bearer":
                if self._token is not None:
                    raise Unauthorized(
                        f"The bearer token (from {settings.sources.get('bearer', 'keyword')}) was not accepted (401), and a "
                        "ready-made token cannot be renewed: get a new one.",
                        status=401,
                        operation=Operation.AUTHORIZE.value,
                    )
                return Token("bearer", Secret(settings.bearer or ""), None)
            case "user":
                return await self._log_in()
            case "client_app":
                return await self._client_app()
            case "connected_app":
                return await self._connected_app()
            case _:
                return await self._find_kind()

    async def _find_kind(self) -> Token:
        # Both kinds look alike; the one that worked is remembered for the renewals.
        try:
            # The platform may be out of reach where the broker is not, so it is not insisted on.
            token = await self._connected_app(give_up_at=time.monotonic() + _FIRST_TRY_SECONDS)
        except (Refused, Unreachable, BadAnswer) as first:
            if self._settings.mq_url is None and self._settings.region is None:
                raise
            try:
                token = await self._client_app()
            except (Unauthorized, Forbidden) as second:
                raise self._neither(first, second) from None
        self._kind = token.kind
        return token

    def _neither(self, first: CourierError, second: Refused) -> CourierError:
        source = self._settings.sources.get("client_secret", "keyword")
        tried = f"as connected app: {_brief(first)}; as MQ client app: {_brief(second)}"
        return Unauthorized(
            f"The client id and secret were not accepted ({tried}). Check both; the secret came from {source}.",
            status=second.status,
            operation=Operation.AUTHORIZE.value,
            reason=second.reason,
        )

    async def _client_app(self) -> Token:
        settings = self._settings
        broker_url = settings.mq_url or broker_url_of(settings)
        return await self.authorize(broker_url, settings.client_id or "", settings.client_secret or "")

    async def _connected_app(self, give_up_at: float | None = None) -> Token:
        settings = self._settings
        form = {
            "client_id": settings.client_id or "",
            "client_secret": settings.client_secret or "",
            "grant_type": "client_credentials",
        }
        url = f"{settings.platform_url}/accounts/api/v2/oauth2/token"
        return await self._request("connected_app", url, "the connected app", form=form, give_up_at=give_up_at)

    async def _log_in(self) -> Token:
        settings = self._settings
        content = SecretBytes(exactjson.dumps({"username": settings.username, "password": settings.password}))
        # Two paths are in use (fact sheet 9, row 11): the older one first, which more clients call.
        try:
            return await self._request("user", f"{settings.platform_url}/accounts/login", "the user", content=content)
        except (Unauthorized, Forbidden, Unreachable):
            raise
        except (Refused, BadAnswer):
            return await self._request("user", f"{settings.platform_url}/accounts/api/login", "the user", content=content)

    async def _request(
        self,
        kind: AuthKind,
        url: str,
        where: str,
        *,
        form: dict[str, str] | None = None,
        content: bytes | None = None,
        give_up_at: float | None = None,
    ) -> Token:
        response = await self._sender.call(
            Operation.AUTHORIZE, "POST", url, where=where, tokens=None, form=form, content=content, give_up_at=give_up_at
        )
        answer = decode(Operation.AUTHORIZE, response)
        return _read_token(kind, answer, response)


def broker_url_of(settings: Settings, service_url: Callable[[str], str | None] = lambda region: None) -> str:
    """Return the broker's base URL for the region of `settings`: what the Admin API says, else the documented pattern."""
    if settings.region is None:
        raise ConfigError(
            "The broker is not known: give its URL, or the region (for example us-east-1).",
            setting="mq_url or region",
            places=(*places("mq_url"), *places("region")),
        )
    found = service_url(settings.region)
    if found:
        return found
    host = httpx.URL(settings.platform_url).host
    return f"https://mq-{settings.region}.{host}/api/v1"


def _read_token(kind: AuthKind, answer: Any, response: httpx.Response) -> Token:
    if not isinstance(answer, dict) or not isinstance(answer.get("access_token"), str) or not answer["access_token"]:
        raise bad_answer(Operation.AUTHORIZE, response, "holds no access_token")
    expires_in = answer.get("expires_in")
    life = float(expires_in) * _SHARE_OF_LIFE if isinstance(expires_in, int | float) else _LIFE_WHEN_UNSAID_SECONDS
    life = max(life, _LEAST_LIFE_SECONDS)
    simple_client = answer.get("simple_client")
    bound = simple_client if isinstance(simple_client, dict) else {}
    return Token(kind, Secret(answer["access_token"]), time.monotonic() + life, bound.get("orgId"), bound.get("envId"))


def _brief(error: CourierError) -> str:
    return f"answer {error.status}" if isinstance(error, Refused) else "no usable answer"
