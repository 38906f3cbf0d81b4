"""The parts of the accounts service that a client of Anypoint MQ needs: tokens, who am I, environments."""

from __future__ import annotations

from typing import Any

from courier_nb.broker.api.credentials import Credentials, client_credentials, user_login
from courier_nb.broker.api.engine import Engine
from courier_nb.broker.api.tokens import LIFETIME_SECONDS, Principal, client_app, everybody, same
from courier_nb.broker.api.web import TEXT, Refusal, Request, Response, decode_segment, json_response
from courier_nb.broker.state.identity import Environment

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
            case "GET", [b"api", b"organizations", organization]:
                return self._organization(request, decode_segment(organization))
            case "GET", [b"api", b"organizations", organization, b"environments"]:
                return self._environments(request, decode_segment(organization))
            case "GET", [b"api", b"organizations", organization, b"environments", environment]:
                return self._environment(request, decode_segment(organization), decode_segment(environment))
        raise Refusal(404, "Not found")

    async def authorize(self, request: Request) -> Response:
        """Give a client app its token."""
        credentials = await client_credentials(request)
        environment = await self._environment_of_client_app(credentials)
        if environment is None:
            return UNAUTHORIZED
        return json_response(
            {
                "access_token": self._engine.tokens.issue(client_app(credentials.name, environment.pk)),
                "token_type": "bearer",
                "simple_client": {"envId": environment.id, "orgId": self._engine.identity.organization},
            }
        )

    async def _environment_of_client_app(self, credentials: Credentials) -> Environment | None:
        identity = self._engine.identity
        if "client_app" in self._engine.config.credential_kinds and self._is_ours(credentials):
            return identity.environments[0]
        client = await self._engine.committer.submit(lambda store: store.clients.find(credentials.name))
        if client is None or not same(credentials.secret, client.secret):
            return None
        return next((environment for environment in identity.environments if environment.pk == client.environment), None)

    async def _connected_app(self, request: Request) -> Response:
        principal = self._principal_of(await client_credentials(request))
        if principal is None:
            return UNAUTHORIZED
        token = self._engine.tokens.issue(principal)
        return json_response({"access_token": token, "expires_in": LIFETIME_SECONDS, "token_type": "bearer"})

    def _principal_of(self, credentials: Credentials) -> Principal | None:
        if "connected_app" in self._engine.config.credential_kinds and self._is_ours(credentials):
            return everybody("connected_app", credentials.name)
        for app in self._engine.config.connected_apps:
            is_name, is_secret = same(credentials.name, app.client_id), same(credentials.secret, app.client_secret)
            if is_name and is_secret:
                pks = frozenset(self._engine.identity.named(name).pk for name in app.environments) or None
                return Principal("connected_app", app.client_id, pks, frozenset(app.scopes))
        return None

    async def _login(self, request: Request) -> Response:
        login = await user_login(request)
        config = self._engine.config
        if config.username is None or config.password is None:
            return UNAUTHORIZED
        is_name, is_password = same(login.name, config.username), same(login.secret, config.password)
        if not (is_name and is_password):
            return UNAUTHORIZED
        return json_response({"access_token": self._engine.tokens.issue(everybody("user", login.name)), "token_type": "bearer"})

    def _me(self, request: Request) -> Response:
        principal = self._asker(request)
        if principal is None:
            return UNAUTHORIZED
        organization = self._organization_entity()
        user = {
            "id": principal.name,
            "username": principal.name,
            "organization": organization,
            "memberOfOrganizations": [organization],
        }
        return json_response({"user": user})

    def _organization(self, request: Request, organization: str) -> Response:
        principal = self._asker(request)
        if principal is None:
            return UNAUTHORIZED
        return json_response({**self._organization_entity(), "environments": self._entered(principal, organization)})

    def _environments(self, request: Request, organization: str) -> Response:
        principal = self._asker(request)
        if principal is None:
            return UNAUTHORIZED
        environments = self._entered(principal, organization)
        key = self._engine.config.switches.environments_key
        return json_response({key: environments, "total": len(environments)})

    def _environment(self, request: Request, organization: str, environment: str) -> Response:
        principal = self._asker(request)
        if principal is None:
            return UNAUTHORIZED
        for entity in self._entered(principal, organization):
            if entity["id"] == environment:
                return json_response(entity)
        raise Refusal(404, "Environment not found")

    def _organization_entity(self) -> dict[str, str]:
        return {"id": self._engine.identity.organization, "name": _ORGANIZATION_NAME}

    def _entered(self, principal: Principal, organization: str) -> list[dict[str, Any]]:
        """Return the environments of an organization that somebody may enter."""
        identity = self._engine.identity
        if organization != identity.organization:
            raise Refusal(403, "Forbidden")
        return [
            {
                "id": environment.id,
                "name": environment.name,
                "organizationId": identity.organization,
                "isProduction": environment.is_production,
                "type": "production" if environment.is_production else "sandbox",
            }
            for environment in identity.environments
            if principal.may_enter(environment.pk)
        ]

    def _asker(self, request: Request) -> Principal | None:
        """Return who asks; a client app's token is for the broker only."""
        principal = self._engine.tokens.find(request.header(b"authorization"))
        return None if principal is None or principal.kind == "client_app" else principal

    def _is_ours(self, credentials: Credentials) -> bool:
        identity = self._engine.identity
        is_name, is_secret = same(credentials.name, identity.client_id), same(credentials.secret, identity.client_secret)
        return is_name and is_secret
