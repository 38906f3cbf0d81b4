"""uvicorn, with a shutdown that answers waiting long polls first. Imported only when a socket is wanted: it is slow to load."""

from __future__ import annotations

import importlib.util
import signal
import socket
from collections.abc import Callable
from types import FrameType

import uvicorn

from courier_nb.broker.api.app import App

_KEEP_ALIVE_SECONDS = 90  # longer than clients keep idle connections, so that they and not we close them
_GRACE_SECONDS = 5
_BACKLOG = 2048


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
            http="httptools",
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
