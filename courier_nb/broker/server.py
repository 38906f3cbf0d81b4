"""The broker on a real socket: for a process of its own (`serve`), or on a background thread (`background`)."""

from __future__ import annotations

import errno
import socket
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from courier_nb.broker.api.app import App
from courier_nb.broker.api.engine import Engine
from courier_nb.broker.api.guard import Guard
from courier_nb.broker.config.broker import BrokerConfig
from courier_nb.broker.status import BrokerStatus, watching
from courier_nb.core.clock import SystemClock
from courier_nb.core.errors import ConfigError

_OPEN_FILES = 65_536
_LOOPBACK = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104  # where one that listens everywhere can be reached


def serve(
    config: BrokerConfig,
    *,
    host: str = "127.0.0.1",
    port: int = 0,
    db: str | Path | None = None,
    announce: Callable[[dict[str, str]], None],
    watch: Callable[[BrokerStatus], None] | None = None,
) -> None:
    """Serve a broker until SIGINT or SIGTERM, then answer what is being asked, close the store and return.

    Parameters
    ----------
    config : BrokerConfig
    host : str
        Address to listen on.
    port : int
        0 takes any free port.
    db : str or Path, optional
        SQLite file that keeps everything; None keeps it in memory.
    announce : callable
        Called with the settings a client needs (see `LocalBroker.settings`), once requests are answered.
    watch : callable, optional
        Called with a `BrokerStatus` once a second, from another thread.

    Raises
    ------
    ConfigError
        When the port or the database is in use.
    """
    from courier_nb.broker.httpserver import HttpServer

    engine = Engine(config, None if db is None else Path(db), SystemClock())
    try:
        engine.committer.start()
        _allow_many_connections()
        with listening(host, port) as listener, watching(engine, watch):
            settings = engine.settings(origin(listener))
            HttpServer(_door(engine, host, listener), started=lambda: announce(settings)).run(sockets=[listener])
    finally:
        engine.committer.close()


@contextmanager
def background(engine: Engine, host: str, port: int) -> Iterator[str]:
    """Serve a broker on a thread while the block runs; yield its origin (``http://host:port``)."""
    from courier_nb.broker.httpserver import HttpServer

    with listening(host, port) as listener:
        started = threading.Event()
        server = HttpServer(_door(engine, host, listener), started.set)

        def run() -> None:
            try:
                server.run(sockets=[listener])
            finally:
                started.set()  # also when it could not start, which then shows as a refused connection

        thread = threading.Thread(target=run, name="courier_nb broker server", daemon=True)
        thread.start()
        try:
            started.wait()
            yield origin(listener)
        finally:
            server.should_exit = True
            thread.join()


@contextmanager
def listening(host: str, port: int) -> Iterator[socket.socket]:
    """Listen on a port; from here on connections are accepted, even before they are answered."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        listener = socket.create_server((host, port), family=family, backlog=2048)
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            raise ConfigError(
                f"Port {port} on {host} is in use: stop what listens there, or give another port (0 takes any free one).",
                setting="port",
            ) from None
        raise ConfigError(f"Cannot listen on port {port} of {host}: {error.strerror or error}.", setting="port") from error
    except OverflowError:
        raise ConfigError(f"port is {port}, expected 0 to 65535.", setting="port") from None
    with listener:
        yield listener


def origin(listener: socket.socket) -> str:
    """Return a URL of a listening socket that works on this machine, without a path."""
    host, port, *_ = listener.getsockname()
    host = _LOOPBACK.get(host, host)
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def _door(engine: Engine, host: str, listener: socket.socket) -> App:
    return App(engine, Guard(host, listener.getsockname()[0], engine.config.allowed_hosts))


def _allow_many_connections() -> None:
    """Raise this process's limit of open files to what the system allows it: each connection is one."""
    if sys.platform == "win32":
        return
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _OPEN_FILES if hard == resource.RLIM_INFINITY else min(_OPEN_FILES, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        with suppress(ValueError, OSError):  # macOS names a limit that it does not grant
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
