"""A proxy on a real socket that understands the API and breaks chosen calls, before or after their effect.

It knows the ten operations by method and path, so that a test can say "the third acknowledgement". A request that is not struck
is passed on as it came, and so is its answer.
"""

from __future__ import annotations

import asyncio
import gzip
import json
import random
import socket
import struct
import threading
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email.utils import formatdate
from typing import Any

from aiohttp import ClientSession, DummyCookieJar, TCPConnector, web
from yarl import URL

_RESET = struct.pack("ii", 1, 0)  # SO_LINGER without a wait: closing sends a reset
_BOMB_MEMBER = 16_000_000


@dataclass(frozen=True)
class Answer:
    """What the broker answered."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def items(self) -> list[dict[str, Any]]:
        value = json.loads(self.body) if self.body else []
        return value if isinstance(value, list) else []


@dataclass
class Strike:
    """A fault, and which requests it strikes.

    Attributes
    ----------
    kind : str
        One of `KINDS`.
    operation : str
        Such as ``ack_batch``.
    every, after, times : int
        Spares the first `after` requests, then strikes each `every`-th, at most `times` times.
    value : optional
        What the kind needs, such as the ``Retry-After`` of a 429.
    """

    kind: str
    operation: str
    every: int = 2
    after: int = 0
    times: int = 3
    value: Any = None
    seen: int = 0
    struck: int = 0

    def is_due(self, operation: str) -> bool:
        if operation != self.operation:
            return False
        self.seen += 1
        if self.struck >= self.times or self.seen <= self.after or (self.seen - self.after) % self.every:
            return False
        self.struck += 1
        return True


@dataclass
class Exchange:
    """One request on its way through the proxy."""

    request: web.Request
    operation: str
    body: bytes
    proxy: Proxy
    value: Any

    async def forward(self, body: bytes | None = None) -> Answer:
        return await self.proxy.forward(self.request, self.body if body is None else body)


Breaking = Callable[[Exchange], Awaitable[web.StreamResponse]]


@dataclass
class Proxy:
    """Passes requests on to a broker; `striking` lets something go wrong for a while.

    Attributes
    ----------
    origin : str
        Of the broker, such as ``http://127.0.0.1:1234``.
    calls : Counter
        Requests by operation.
    failed_items : Counter
        Messages whose operation the broker refused in a batch, by operation.
    """

    origin: str
    calls: Counter[str] = field(default_factory=Counter)
    failed_items: Counter[str] = field(default_factory=Counter)
    strikes: list[Strike] = field(default_factory=list)
    port: int = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @contextmanager
    def running(self) -> Iterator[Proxy]:
        """Serve on a thread of its own while the block runs."""
        loop = asyncio.new_event_loop()
        started = threading.Event()
        stop = asyncio.Event()

        async def serve() -> None:
            connector = TCPConnector(limit=0)
            async with ClientSession(connector=connector, cookie_jar=DummyCookieJar(), auto_decompress=False) as self._session:
                app = web.Application(client_max_size=64_000_000)
                app.router.add_route("*", "/{rest:.*}", self._answer)
                runner = web.AppRunner(app, access_log=None, handler_cancellation=True, shutdown_timeout=0.1)
                await runner.setup()
                site = web.TCPSite(runner, "127.0.0.1", 0)
                await site.start()
                self.port = runner.addresses[0][1]
                started.set()
                await stop.wait()
                await runner.cleanup()

        thread = threading.Thread(target=loop.run_until_complete, args=(serve(),), daemon=True)
        thread.start()
        assert started.wait(10)
        try:
            yield self
        finally:
            loop.call_soon_threadsafe(stop.set)
            thread.join(10)
            loop.close()

    @contextmanager
    def striking(self, *strikes: Strike) -> Iterator[tuple[Strike, ...]]:
        """Let faults be at work while the block runs."""
        self.strikes = list(strikes)
        try:
            yield strikes
        finally:
            self.strikes = []

    async def forward(self, request: web.Request, body: bytes) -> Answer:
        headers = {name: value for name, value in request.headers.items() if name.lower() not in _HOP}
        url = URL(self.origin + request.raw_path, encoded=True)
        async with self._session.request(request.method, url, headers=headers, data=body or None, allow_redirects=False) as got:
            return Answer(got.status, {n: v for n, v in got.headers.items() if n.lower() not in _HOP}, await got.read())

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        body = await request.read()
        operation = operation_of(request.method, request.raw_path)
        self.calls[operation] += 1
        due = [strike for strike in self.strikes if strike.is_due(operation)]
        if due:
            return await (KINDS | HARMLESS)[due[0].kind](Exchange(request, operation, body, self, due[0].value))
        answer = await self.forward(request, body)
        if operation.endswith("_batch"):
            self.failed_items[operation] += sum(item.get("status") != "successful" for item in answer.items)
        return _plain(answer)


_HOP = {"host", "connection", "keep-alive", "transfer-encoding", "content-length"}


def operation_of(method: str, raw_path: str) -> str:
    """Return the name of the operation that a request is."""
    path = raw_path.split("?", 1)[0]
    if path.endswith("/authorize"):
        return "authorize"
    if "/destinations/" not in path:
        return "other"
    rest = path.split("/destinations/", 1)[1].split("/")[1:]
    match (method, len(rest), rest[-1]):
        case ("GET", 1, _):
            return "receive"
        case ("PUT", 1, _):
            return "publish_batch"
        case ("DELETE", 1, _):
            return "ack_batch"
        case ("DELETE", 2, "locks"):
            return "nack_batch"
        case ("PATCH", 2, "locks"):
            return "extend_batch"
    return "single"


def _plain(answer: Answer) -> web.Response:
    return web.Response(status=answer.status, headers=answer.headers, body=answer.body)


def _cut(exchange: Exchange) -> web.StreamResponse:
    transport = exchange.request.transport
    if transport is not None:
        transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
        transport.abort()
    return web.Response()


async def _raw(exchange: Exchange, content: bytes, *, reset: bool) -> web.StreamResponse:
    """Write bytes of our own in place of an answer, then end the connection."""
    transport = exchange.request.transport
    if transport is None:
        return web.Response()
    transport.write(content)
    await asyncio.sleep(0.01)
    if reset:
        return _cut(exchange)
    transport.close()
    return web.Response()


async def reset_before(exchange: Exchange) -> web.StreamResponse:
    return _cut(exchange)


async def reset_after(exchange: Exchange) -> web.StreamResponse:
    await exchange.forward()
    return _cut(exchange)


def _head(answer: Answer, length: int) -> bytes:
    return b"HTTP/1.1 %d X\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % (answer.status, length)


async def truncated(exchange: Exchange) -> web.StreamResponse:
    answer = await exchange.forward()
    half = answer.body[: len(answer.body) // 2]
    return await _raw(exchange, _head(answer, len(answer.body) + 1) + half, reset=True)


async def short(exchange: Exchange) -> web.StreamResponse:
    answer = await exchange.forward()
    return await _raw(exchange, _head(answer, len(answer.body) + 50) + answer.body, reset=False)


async def garbage(exchange: Exchange) -> web.StreamResponse:
    await exchange.forward()
    return await _raw(exchange, b"\x00\xff\xfe not HTTP \x1b[31m \r\n\r\n", reset=False)


async def garbage_body(exchange: Exchange) -> web.StreamResponse:
    answer = await exchange.forward()
    return web.Response(status=answer.status, body=b"\xff\xfe{]\x00" * 20, content_type="application/json")


async def empty(exchange: Exchange) -> web.StreamResponse:
    await exchange.forward()
    return web.Response(status=200, body=b"", content_type="application/json")


async def html_page(exchange: Exchange) -> web.StreamResponse:
    await exchange.forward()
    page = "<html><script>alert('xss7f3')</script><h1>502 Bad Gateway</h1></html>"
    return web.Response(status=502, text=page, content_type="text/html")


async def html_login(exchange: Exchange) -> web.StreamResponse:
    """A proxy in between asks to log in, with status 200 and without having passed anything on."""
    return web.Response(status=200, text="<html>Please log in</html>", content_type="text/html")


async def slow(exchange: Exchange) -> web.StreamResponse:
    answer = await exchange.forward()
    response = web.StreamResponse(status=answer.status, headers=answer.headers)
    await response.prepare(exchange.request)
    size = max(1, len(answer.body) // 4)
    for start in range(0, len(answer.body), size):
        await response.write(answer.body[start : start + size])
        await asyncio.sleep(exchange.value or 0.02)
    return response


async def dripping(exchange: Exchange) -> web.StreamResponse:
    """An answer that goes on for ever, a byte at a time, often enough for any timeout between two bytes."""
    await exchange.forward()
    response = web.StreamResponse(status=200, headers={"Content-Type": "application/json"})
    await response.prepare(exchange.request)
    while True:
        await response.write(b" ")
        await asyncio.sleep(0.05)


async def hang_before(exchange: Exchange) -> web.StreamResponse:
    await asyncio.sleep(3_600)
    return web.Response()


async def hang_after(exchange: Exchange) -> web.StreamResponse:
    await exchange.forward()
    await asyncio.sleep(3_600)
    return web.Response()


async def gzip_bomb(exchange: Exchange) -> web.StreamResponse:
    """`value` megabytes of blanks, in as many members as it takes: valid gzip, a thousand times smaller."""
    await exchange.forward()
    member = gzip.compress(b" " * _BOMB_MEMBER, 1)
    response = web.StreamResponse(status=200, headers={"Content-Type": "application/json", "Content-Encoding": "gzip"})
    await response.prepare(exchange.request)
    for _ in range(int((exchange.value or 1_024) * 1_000_000 / _BOMB_MEMBER)):
        await response.write(member)
    return response


async def redirect(exchange: Exchange) -> web.StreamResponse:
    return web.Response(status=307, headers={"Location": exchange.value or "http://localhost:9/elsewhere"})


async def too_many(exchange: Exchange) -> web.StreamResponse:
    """429; `value` is the ``Retry-After``, or ``date`` for a date that is a second away."""
    return _busy(429, exchange.value)


async def unavailable(exchange: Exchange) -> web.StreamResponse:
    return _busy(503, exchange.value)


async def unavailable_after(exchange: Exchange) -> web.StreamResponse:
    await exchange.forward()
    return _busy(503, None)


def _busy(status: int, value: Any) -> web.Response:
    text = formatdate(usegmt=True) if value == "date" else value
    return web.Response(status=status, text="busy", headers={} if text is None else {"Retry-After": str(text)})


async def error_before(exchange: Exchange) -> web.StreamResponse:
    return web.Response(status=500, text="Internal server error")


async def error_after(exchange: Exchange) -> web.StreamResponse:
    await exchange.forward()
    return web.Response(status=500, text="Internal server error")


async def unauthorized(exchange: Exchange) -> web.StreamResponse:
    return web.Response(status=401, text="Unauthorized")


async def item_failures(exchange: Exchange) -> web.StreamResponse:
    """Some items of a batch are not passed on and failed; the others are done."""
    items = json.loads(exchange.body) if exchange.body else []
    failed = [item for place, item in enumerate(items) if place in (0, 4, 9)]
    rest = [item for item in items if item not in failed]
    done = (await exchange.forward(json.dumps(rest).encode())).items if rest else []
    refused = [{"messageId": _id_of(item), "status": "failure", "statusMessage": "no"} for item in failed]
    return web.json_response(refused + done)


async def items_missing(exchange: Exchange) -> web.StreamResponse:
    answer = await exchange.forward()
    return web.json_response(answer.items[1:])


async def items_reordered(exchange: Exchange) -> web.StreamResponse:
    answer = await exchange.forward()
    return web.json_response(answer.items[::-1])


async def items_unknown(exchange: Exchange) -> web.StreamResponse:
    answer = await exchange.forward()
    return web.json_response([{**item, "messageId": f"alien-{place}"} for place, item in enumerate(answer.items)])


async def delivered_twice(exchange: Exchange) -> web.StreamResponse:
    """The same delivery twice in one answer."""
    answer = await exchange.forward()
    if not answer.items:
        return _plain(answer)
    return web.json_response(answer.items + answer.items)


async def told(exchange: Exchange) -> web.StreamResponse:
    """Nothing goes wrong, but `value` is called before the client is answered."""
    answer = await exchange.forward()
    exchange.value()
    return _plain(answer)


async def sent_twice(exchange: Exchange) -> web.StreamResponse:
    """Something on the way sends the request twice; the client sees one answer."""
    await exchange.forward()
    return _plain(await exchange.forward())


def _id_of(item: dict[str, Any]) -> str:
    return str(item.get("messageId") or item.get("headers", {}).get("messageId", ""))


KINDS: dict[str, Breaking] = {
    kind.__name__: kind
    for kind in (
        reset_before, reset_after, truncated, short, garbage, garbage_body, empty, html_page, html_login, slow, dripping,
        hang_before, hang_after, gzip_bomb, redirect, too_many, unavailable, unavailable_after, error_before, error_after,
        unauthorized, item_failures, items_missing, items_reordered, items_unknown, delivered_twice, sent_twice,
    )
}  # fmt: skip

HARMLESS = {"told": told}
"""Not faults: they tell a test when something happens."""

ITEM_KINDS = {"item_failures", "items_missing", "items_reordered", "items_unknown"}
"""What only an answer with one result for each message can show."""


def random_strikes(seed: int, count: int, operations: tuple[str, ...], without: frozenset[str] = frozenset()) -> list[Strike]:
    """Return a mix of faults that is the same for the same seed."""
    lots = random.Random(seed)
    kinds = sorted(set(KINDS) - without)
    return [
        Strike(lots.choice(kinds), lots.choice(operations), every=lots.randint(2, 7), after=lots.randint(0, 5), times=2)
        for _ in range(count)
    ]
