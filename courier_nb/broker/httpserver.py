"""uvicorn, with a shutdown that answers waiting long polls first, and connections that can be cut.

Imported only when a socket is wanted: it is slow to load.
"""

from __future__ import annotations

import importlib.util
import signal
import socket
from collections.abc import Callable
from types import FrameType

import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from courier_nb.broker.api.app import App
from courier_nb.broker.api.striking import CONNECTION

_KEEP_ALIVE_SECONDS = 90  # longer than clients keep idle connections, so that they and not we close them
_GRACE_SECONDS = 5
_BACKLOG = 2048
_MAX_HEAD_BYTES = 64 * 1024


class Connection(HttpToolsProtocol):
    """A connection that the application can cut, and that does not take in a head without end."""

    _is_in_head = False
    _head_bytes = 0

    def on_message_begin(self) -> None:
        """Begin a request."""
        super().on_message_begin()
        self._is_in_head = True
        self._head_bytes = 0
        self.scope["extensions"] = {CONNECTION: {"cut": self._cut}}

    def on_headers_complete(self) -> None:
        """Begin to answer a request."""
        self._is_in_head = False
        if len(self.url) + sum(len(name) + len(value) + 4 for name, value in self.headers) > _MAX_HEAD_BYTES:
            raise ValueError("The head of the request is too large.")  # which the caller answers with 400
        super().on_headers_complete()

    def data_received(self, data: bytes) -> None:
        """Take in what has arrived."""
        super().data_received(data)
        if self._is_in_head:
            self._head_bytes += len(data)
            if self._head_bytes > _MAX_HEAD_BYTES and not self.transport.is_closing():
                self.send_400_response("The head of the request is too large.")

    async def _cut(self, has_begun: bool) -> None:
        if has_begun:
            self.transport.close()  # after what was written has left
        else:
            self.transport.abort()


class HttpServer(uvicorn.Server):
    """Serves one `App` on one socket.

    Parameters
    ----------
    app : App
    started : callable
        Called once connections are answered and signals are handled.
    """

    def __init__(self, app: App, started: Callable[[], None]) -> None:
        config = uvicorn.Config(
            app,
            http=Connection,
            loop="uvloop" if importlib.util.find_spec("uvloop") else "asyncio",
            ws="none",
            lifespan="off",
            access_log=False,
            log_config=None,
            server_header=False,
            backlog=_BACKLOG,
            timeout_keep_alive=_KEEP_ALIVE_SECONDS,
            timeout_graceful_shutdown=_GRACE_SECONDS,
        )
        super().__init__(config)
        self._app = app
        self._call_started = started

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start to answer, then say so."""
        await super().startup(sockets)
        self._call_started()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Answer the waiting polls, then close."""
        self._app.polls.end()
        await super().shutdown(sockets)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Begin to shut down; a second interrupt does not wait for anybody.

        Unlike uvicorn's own, the signal is not raised again afterwards: our caller still has a database to close.
        """
        if self.should_exit and sig == signal.SIGINT:
            self.force_exit = True
        self.should_exit = True
