"""The ASGI application: which API a request is for, who may call it, and how each API words a refusal."""

from __future__ import annotations

import logging
import traceback
from functools import partial

from courier_nb.broker.api.accounts import UNAUTHORIZED, Accounts
from courier_nb.broker.api.courier import Courier
from courier_nb.broker.api.engine import Engine
from courier_nb.broker.api.faultlist import FaultList
from courier_nb.broker.api.guard import Guard
from courier_nb.broker.api.platform import Platform
from courier_nb.broker.api.polls import Polls
from courier_nb.broker.api.striking import Answering, CutShort, Striking
from courier_nb.broker.api.tokens import Principal, everybody
from courier_nb.broker.api.web import (
    Disconnected,
    Receive,
    Refusal,
    Request,
    Response,
    Scope,
    Send,
    refused,
)
from courier_nb.broker.state.committer import StoreFailed
from courier_nb.core.errors import Closed

_log = logging.getLogger("courier_nb.broker")


class App:
    """One door to a broker: an ASGI application for a server or for the in-process transport.

    Parameters
    ----------
    engine : Engine
    guard : Guard, optional
        Who keeps web pages out; a door inside the process needs none.
    """

    def __init__(self, engine: Engine, guard: Guard | None = None) -> None:
        self._engine = engine
        self._guard = guard
        self.polls = Polls(engine.committer)
        self._striking = Striking(engine, self.polls)
        self._faults = FaultList(engine)
        self._accounts = Accounts(engine)
        self._courier = Courier(engine, self.polls, self._striking)
        self._platform = Platform(engine)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            raise ValueError(f"The local broker speaks HTTP only, not {scope['type']}.")
        request = Request(scope, receive)
        try:
            response = await self._answer(request)
            if isinstance(response, CutShort):
                await response.cut(scope, receive, send)
            else:
                await response.send(send)
        except Disconnected:
            return

    async def _answer(self, request: Request) -> Response:
        try:
            if self._guard is not None:
                self._guard.check(request.scope)
            return await self._dispatch(request)
        except Refusal as refusal:
            return refused(request, refusal)
        except (StoreFailed, Closed) as error:
            _log.error("The broker's database did not do its work: %s", error)
            return refused(request, Refusal(503, "Service unavailable"))
        except Disconnected:
            raise
        except Exception as error:  # noqa: BLE001  # the last door: the client gets an answer, and no details
            # only where it happened: the error's own text may hold message content
            where = "".join(traceback.format_tb(error.__traceback__))
            _log.error("The broker failed with %s:\n%s", type(error).__name__, where)
            return refused(request, Refusal(500, "Internal server error"))

    async def _dispatch(self, request: Request) -> Response:
        match request.segments:
            case [b"api", b"v1", b"authorize"]:
                if request.method != "POST":
                    raise Refusal(405, "Use POST.", allow=["POST"])
                return await self._under_faults("authorize", request, partial(self._accounts.authorize, request))
            case [b"api", b"v1", *_]:
                principal = self._principal(request)
                return UNAUTHORIZED if principal is None else await self._courier.answer(request, principal)
            case [b"accounts", *_]:
                return await self._under_faults("accounts", request, partial(self._accounts.answer, request))
            case [b"courier-nb", b"faults"]:
                return await self._faults.answer(request)
            case [b"mq", *_]:
                return await self._platform.answer(request, self._under_faults)
        raise Refusal(404, "Not found")

    async def _under_faults(self, operation: str, request: Request, answering: Answering) -> Response:
        strike = self._engine.faults.strike(operation)
        return await answering() if strike is None else await self._striking.answer(strike, request, answering)

    def _principal(self, request: Request) -> Principal | None:
        authorization = request.header(b"authorization")
        if not authorization and self._engine.config.switches.anonymous == "allow":
            return everybody("connected_app", "anonymous")
        return self._engine.tokens.find(authorization)
