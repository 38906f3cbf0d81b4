"""The Admin and Stats APIs: who may ask, and which operation a request is for."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import partial
from typing import NamedTuple

from courier_nb.broker.api.accounts import UNAUTHORIZED
from courier_nb.broker.api.admin.table import admin_routes, admin_v2_routes
from courier_nb.broker.api.ask import Ask
from courier_nb.broker.api.engine import Engine
from courier_nb.broker.api.routes import Routes
from courier_nb.broker.api.stats.table import organization_routes, stats_routes
from courier_nb.broker.api.tokens import Principal
from courier_nb.broker.api.web import Refusal, Request, Response, decode_segment
from courier_nb.broker.state.errors import Unacceptable, UnknownDestination
from courier_nb.broker.state.identity import Environment
from courier_nb.core.errors import ConfigError

Doing = Callable[[str, Request, Callable[[], Awaitable[Response]]], Awaitable[Response]]


class _Api(NamedTuple):
    """One version of an API: its operations below an environment, and below the organization."""

    name: str
    environment: Routes
    organization: Routes


class _Place(NamedTuple):
    """What is asked about: an environment, or (number None) the organization with all that the asker may enter."""

    number: int | None
    environments: tuple[Environment, ...]
    routes: Routes
    path: list[bytes]


class Platform:
    """Answers what is below ``/mq``."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._apis = {
            (b"admin", b"v1"): _Api("admin", Routes(admin_routes(engine)), Routes()),
            (b"admin", b"v2"): _Api("admin", Routes(admin_v2_routes(engine)), Routes()),
            (b"stats", b"v1"): _Api("stats", Routes(stats_routes(engine)), Routes(organization_routes(engine))),
        }

    async def answer(self, request: Request, doing: Doing) -> Response:
        """Answer a request.

        Parameters
        ----------
        request : Request
        doing : callable
            Gets the name of the API, the request, and what is to be done; does it, and returns the answer.
        """
        match request.segments:
            case [b"mq", name, b"api", version, b"organizations", organization, *path] if (name, version) in self._apis:
                api = self._apis[name, version]
            case _:
                raise Refusal(404, "not found")
        principal = self._engine.tokens.find(request.header(b"authorization"))
        if principal is None or principal.kind == "client_app":  # whose tokens are for the broker only
            return UNAUTHORIZED
        if path[-1:] == [b""]:  # a slash at the end, which the vendor's own examples have
            path.pop()
        place = self._enter(api, principal, decode_segment(organization), path)
        return await doing(api.name, request, partial(self._answer, request, principal, place))

    def _enter(self, api: _Api, principal: Principal, organization: str, path: list[bytes]) -> _Place:
        """Return what is asked about, unless the asker may not know of it."""
        identity = self._engine.identity
        open_to_them = tuple(environment for environment in identity.environments if principal.may_enter(environment.pk))
        match path:
            case [b"environments", id_segment, *rest]:
                environment = self._engine.environment(organization, decode_segment(id_segment))
                if environment in open_to_them:
                    return _Place(environment.pk, (environment,), api.environment, rest)
            case _ if organization == identity.organization:
                return _Place(None, open_to_them, api.organization, path)
        raise Refusal(403, "forbidden")

    async def _answer(self, request: Request, principal: Principal, place: _Place) -> Response:
        route, named = place.routes.find(request.method, place.path)
        if route.scopes and not principal.scopes.intersection(route.scopes):
            raise Refusal(403, "forbidden")
        self._engine.limits.admit(route.budget, place.number)
        here = self._engine.config.region
        try:
            return await route.handler(Ask(request, place.environments, named, named.get("region", here) == here))
        except UnknownDestination as error:
            raise Refusal(404, f"{error.kind} not found") from None
        except (Unacceptable, ConfigError) as error:
            raise Refusal(400, str(error)) from None
