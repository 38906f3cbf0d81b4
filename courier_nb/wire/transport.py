"""The connection pool under `httpx`.

The stock async pool of httpx grows quadratically slower with its connections, so requests travel over aiohttp through
`httpx_aiohttp`. Two habits of that stack are switched off or put right here, because in this API they lose or double
messages: aiohttp repeats GET, PUT and DELETE by itself on a reused connection that breaks, and a connection that broke
after the request was sent is reported like one that was never made.
"""

from __future__ import annotations

import logging
import re
import ssl
from importlib.metadata import version
from urllib.request import getproxies, proxy_bypass

import aiohttp
import httpx
from httpx_aiohttp import AiohttpTransport

from courier_nb.core.checks import is_loopback
from courier_nb.wire.reading import ENCODINGS

MAX_CONNECTIONS = 128
CONNECT_SECONDS = 10.0
READ_SECONDS = 30.0
LONG_POLL_MARGIN_SECONDS = 15.0

_KEEP_ALIVE_SECONDS = 30.0
_LOCK_IN_PATH = re.compile(r"(/locks/)[^?]+")
_ssl_context: ssl.SSLContext | None = None


class NeverSent(httpx.ConnectError):
    """The request did not leave this machine: no connection could be made."""


class PooledTransport(httpx.AsyncBaseTransport):
    """aiohttp connections behind httpx's interface, one pool per proxy."""

    def __init__(self) -> None:
        self._pools: dict[str | None, AiohttpTransport] = {}

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        try:
            return await self._pool(request.url).handle_async_request(request)
        except httpx.TransportError as error:
            if isinstance(error.__cause__, aiohttp.ClientConnectorError | aiohttp.ConnectionTimeoutError):
                raise NeverSent(str(error)) from error
            raise
        except aiohttp.ClientResponseError as error:
            # Its own text quotes the URL, and with it lock ids.
            raise httpx.RemoteProtocolError(f"the answer is not HTTP: {type(error.__cause__ or error).__name__}") from error

    async def aclose(self) -> None:
        for pool in self._pools.values():
            await pool.aclose()

    def _pool(self, url: httpx.URL) -> AiohttpTransport:
        proxy = _proxy_for(url)
        if proxy not in self._pools:
            self._pools[proxy] = AiohttpTransport(client=_session, proxy=httpx.Proxy(proxy) if proxy else None)
        return self._pools[proxy]


class _LockMask(logging.Filter):
    """Keeps lock ids, which travel in paths, out of httpx's log of URLs."""

    def filter(self, record: logging.LogRecord) -> bool:
        if isinstance(record.args, tuple):
            record.args = tuple(_masked(argument) for argument in record.args)
        return True


_lock_mask = _LockMask()


def _masked(argument: object) -> object:
    if not isinstance(argument, httpx.URL):
        return argument
    return _LOCK_IN_PATH.sub(r"\1…", str(argument))


def make_http(transport: httpx.AsyncBaseTransport | None = None) -> httpx.AsyncClient:
    """Return the HTTP client that everything in this package goes through.

    Redirects are never followed: httpx would drop the token but still send a body that holds the secret.
    """
    logging.getLogger("httpx").addFilter(_lock_mask)  # adding it again changes nothing
    return httpx.AsyncClient(
        transport=transport or PooledTransport(),
        follow_redirects=False,
        trust_env=False,  # proxies are read by `_proxy_for`; a ~/.netrc entry must never replace our token
        timeout=httpx.Timeout(READ_SECONDS, connect=CONNECT_SECONDS, pool=None),
        headers={"User-Agent": f"courier_nb/{version('courier_nb')}", "Accept": "application/json", "Accept-Encoding": ENCODINGS},
    )


def shared_ssl_context() -> ssl.SSLContext:
    """Return the one TLS context of the process: building one loads the certificate bundle, which takes 30 ms."""
    global _ssl_context
    if _ssl_context is None:
        _ssl_context = httpx.create_ssl_context()
    return _ssl_context


def _session() -> aiohttp.ClientSession:
    session = aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(
            limit=MAX_CONNECTIONS, keepalive_timeout=_KEEP_ALIVE_SECONDS, ssl=shared_ssl_context(), ttl_dns_cache=60
        ),
        cookie_jar=aiohttp.DummyCookieJar(),
        trust_env=False,
    )
    # Not public, and no public switch exists: without it aiohttp sends a GET, PUT or DELETE twice when a kept connection
    # breaks. tests/contract/test_transport.py holds this to account.
    session._retry_connection = False
    return session


def _proxy_for(url: httpx.URL) -> str | None:
    if is_loopback(url.host) or proxy_bypass(url.host):
        return None  # a proxy would look for a local broker on its own machine
    proxies = getproxies()
    return proxies.get(url.scheme) or proxies.get("all")
