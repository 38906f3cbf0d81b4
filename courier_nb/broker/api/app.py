"""The ASGI application: which API a request is for, who may call it, and how each API words a refusal."""

from __future__ import annotations

import logging
import traceback
from collections.abc import Awaitable, Callable

from courier_nb.broker.api.accounts import UNAUTHORIZED, Accounts
from courier_nb.broker.api.admin import Admin
from courier_nb.broker.api.ask import Ask
from courier_nb.broker.api.courier import Courier
from courier_nb.broker.api.engine import Engine
from courier_nb.broker.api.polls import Polls
from courier_nb.broker.api.stats import Stats
from courier_nb.broker.api.tokens import Principal, everybody
from courier_nb.broker.api.web import (
    Disconnected,
    Receive,
    Refusal,
    Request,
    Response,
    Scope,
    Send,
    decode_segment,
    json_response,
)
from courier_nb.broker.state.committer import StoreFailed
from courier_nb.core.errors import Closed

_log = logging.getLogger("courier_nb.broker")

_PlatformHandler = Callable[[Ask], Awaitable[Response]]


class App:
    """One door to a broker: an ASGI application for a server or for the in-process transport."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self.polls = Polls(engine.committer)
        self._accounts = Accounts(engine)
        self._courier = Courier(engine, self.polls)
        self._platform: dict[bytes, _PlatformHandler] = {b"admin": Admin(engine).answer, b"stats": Stats(engine).answer}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            raise ValueError(f"The local broker speaks HTTP only, not {scope['type']}.")
        request = Request(scope, receive)
        try:
            response = await self._answer(request)
        except Disconnected:
            return
        await response.send(send)

    async def _answer(self, request: Request) -> Response:
        try:
            return await self._dispatch(request)
        except Refusal as refusal:
            return _refused(request, refusal)
        except (StoreFailed, Closed) as error:
            _log.error("The broker's database did not do its work: %s", error)
            return _refused(request, Refusal(503, "Service unavailable"))
        except Disconnected:
            raise
        except Exception as error:  # noqa: BLE001  # the last door: the client gets an answer, and no details
            # only where it happened: the error's own text may hold message content
            where = "".join(traceback.format_tb(error.__traceback__))
            _log.error("The broker failed with %s:\n%s", type(error).__name__, where)
            return _refused(request, Refusal(500, "Internal server error"))

    async def _dispatch(self, request: Request) -> Response:
        match request.segments:
            case [b"api", b"v1", b"authorize"]:
                if request.method != "POST":
                    raise Refusal(405, "Use POST.", allow=["POST"])
                return await self._accounts.authorize(request)
            case [b"api", b"v1", *_]:
                principal = self._principal(request)
                return UNAUTHORIZED if principal is None else await self._courier.answer(request, principal)
            case [b"accounts", *_]:
                return await self._accounts.answer(request)
            case [b"mq", api, b"api", b"v1", b"organizations", org, b"environments", env, *path] if api in self._platform:
                return await self._ask_platform(request, self._platform[api], org, env, path)
        raise Refusal(404, "Not found")

    async def _ask_platform(
        self, request: Request, handler: _PlatformHandler, org: bytes, env: bytes, path: list[bytes]
    ) -> Response:
        principal = self._engine.tokens.find(request.header(b"authorization"))
        if principal is None or principal.kind == "client_app":  # whose tokens are for the broker only
            return UNAUTHORIZED
        environment = self._engine.environment(decode_segment(org), decode_segment(env))
        if environment is None or not principal.may_enter(environment.pk):
            raise Refusal(403, "forbidden")
        return await handler(Ask(request, principal, environment, path))

    def _principal(self, request: Request) -> Principal | None:
        authorization = request.header(b"authorization")
        if not authorization and self._engine.config.switches.anonymous == "allow":
            return everybody("connected_app", "anonymous")
        return self._engine.tokens.find(authorization)


def _refused(request: Request, refusal: Refusal) -> Response:
    headers = ((b"allow", ", ".join(refusal.allow).encode("ascii")),) if refusal.allow else ()
    if request.segments[:2] == [b"api", b"v1"]:
        return json_response({"status": "failure", "statusMessage": refusal.reason}, refusal.status, headers)
    return json_response({"status": refusal.status, "message": refusal.reason}, refusal.status, headers)
