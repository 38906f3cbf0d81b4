"""The parts of the accounts service that a client of Anypoint MQ needs: tokens, who am I, environments."""

from __future__ import annotations

from courier_nb.broker.credentials import Credentials, client_credentials, user_login
from courier_nb.broker.engine import Engine
from courier_nb.broker.tokens import LIFETIME_SECONDS, same
from courier_nb.broker.web import TEXT, Refusal, Request, Response, decode_segment, json_response

UNAUTHORIZED = Response(401, b"Unauthorized", TEXT)

_ORGANIZATION_NAME = "Local"


class Accounts:
    """Answers what is below ``/accounts``, and ``/api/v1/authorize``."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    async def answer(self, request: Request) -> Response:
        """Answer a request below ``/accounts``."""
        match request.method, request.segments[1:]:
            case "POST", [b"oauth2", b"token"]:
                return await self.authorize(request)
            case "POST", [b"api", b"v2", b"oauth2", b"token"]:
                return await self._connected_app(request)
            case "POST", [b"login"] | [b"api", b"login"]:
                return await self._login(request)
            case "GET", [b"api", b"me"]:
                return self._me(request)
            case "GET", [b"api", b"organizations", organization, b"environments"]:
                return self._environments(request, decode_segment(organization))
        raise Refusal(404, "Not found")

    async def authorize(self, request: Request) -> Response:
        """Give a client app its token."""
        credentials = await client_credentials(request)
        if "client_app" not in self._engine.config.credential_kinds or not self._is_ours(credentials):
            return UNAUTHORIZED
        identity = self._engine.identity
        return json_response(
            {
                "access_token": self._engine.tokens.issue("client_app"),
                "token_type": "bearer",
                "simple_client": {"envId": identity.environment, "orgId": identity.organization},
            }
        )

    async def _connected_app(self, request: Request) -> Response:
        credentials = await client_credentials(request)
        if "connected_app" not in self._engine.config.credential_kinds or not self._is_ours(credentials):
            return UNAUTHORIZED
        token = self._engine.tokens.issue("connected_app")
        return json_response({"access_token": token, "expires_in": LIFETIME_SECONDS, "token_type": "bearer"})

    async def _login(self, request: Request) -> Response:
        login = await user_login(request)
        config = self._engine.config
        if config.username is None or config.password is None:
            return UNAUTHORIZED
        is_name, is_password = same(login.name, config.username), same(login.secret, config.password)
        if not (is_name and is_password):
            return UNAUTHORIZED
        return json_response({"access_token": self._engine.tokens.issue("user"), "token_type": "bearer"})

    def _me(self, request: Request) -> Response:
        if self._engine.tokens.kind(request.header(b"authorization")) in (None, "client_app"):
            return UNAUTHORIZED
        organization = {"id": self._engine.identity.organization, "name": _ORGANIZATION_NAME}
        user = {
            "id": self._engine.identity.client_id,
            "username": self._engine.config.username or "local",
            "organization": organization,
            "memberOfOrganizations": [organization],
        }
        return json_response({"user": user})

    def _environments(self, request: Request, organization: str) -> Response:
        if self._engine.tokens.kind(request.header(b"authorization")) in (None, "client_app"):
            return UNAUTHORIZED
        identity = self._engine.identity
        if organization != identity.organization:
            raise Refusal(403, "Forbidden")
        environment = {
            "id": identity.environment,
            "name": self._engine.config.environment_name,
            "organizationId": identity.organization,
            "isProduction": False,
            "type": "sandbox",
        }
        return json_response({"data": [environment], "total": 1})

    def _is_ours(self, credentials: Credentials) -> bool:
        identity = self._engine.identity
        is_name, is_secret = same(credentials.name, identity.client_id), same(credentials.secret, identity.client_secret)
        return is_name and is_secret
