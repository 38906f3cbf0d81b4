"""The door inside the process: an httpx transport that calls the application, and breaks off where a socket would."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any, cast

import httpx

from courier_nb.broker.api.app import App
from courier_nb.broker.api.striking import CONNECTION
from courier_nb.broker.api.web import Receive, Scope, Send


class InProcessTransport(httpx.AsyncBaseTransport):
    """Reaches a broker without a socket. A connection that is cut shows as over a socket: `httpx.RemoteProtocolError`.

    Parameters
    ----------
    app : App
    """

    def __init__(self, app: App) -> None:
        self._app = app

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Answer a request."""
        connection = _Connection(self._app)
        # httpx types the scope as dict and ours is any mutable mapping: wider is what it needs, but not what it says
        response = await httpx.ASGITransport(app=cast("Any", connection)).handle_async_request(request)
        if connection.is_cut:
            response.stream = _Truncated(cast("httpx.AsyncByteStream", response.stream))
        return response


class _Connection:
    """The application for one request, with an end that can be cut.

    Attributes
    ----------
    is_cut : bool
        Whether that happened after the answer had begun.
    """

    def __init__(self, app: App) -> None:
        self._app = app
        self.is_cut = False

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def cut(has_begun: bool) -> None:
            if not has_begun:
                raise httpx.RemoteProtocolError("Server disconnected without sending a response.")
            self.is_cut = True
            await send({"type": "http.response.body"})  # as far as httpx's transport is concerned, this is all

        scope["extensions"] = {CONNECTION: {"cut": cut}}
        await self._app(scope, receive, send)


class _Truncated(httpx.AsyncByteStream):
    """A body that breaks off."""

    def __init__(self, arriving: httpx.AsyncByteStream) -> None:
        self._arriving = arriving

    async def __aiter__(self) -> AsyncIterator[bytes]:
        async for part in self._arriving:
            yield part
        raise httpx.RemoteProtocolError("peer closed connection without sending complete message body")
