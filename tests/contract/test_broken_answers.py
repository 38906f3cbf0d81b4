"""What a client makes of a server that misbehaves on the wire: an error of ours, which says whether it was sent."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx
import pytest

from courier_nb import BadAnswer, CourierError, Unreachable
from courier_nb.core.settings import Settings
from courier_nb.wire.auth import TokenSource
from courier_nb.wire.operations import Operations, Place
from courier_nb.wire.sender import Sender
from courier_nb.wire.transport import make_http

pytestmark = pytest.mark.anyio

EMPTY = b"HTTP/1.1 204 No Content\r\n\r\n"


class Server:
    """Gives one answer to every request, counts them, and closes the connection after it."""

    def __init__(self, *answer: bytes) -> None:
        self.heads: list[bytes] = []
        self.busy: list[asyncio.Future[None]] = []
        self._answer = answer

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        ended = asyncio.get_running_loop().create_future()
        self.busy.append(ended)
        try:
            self.heads.append(await reader.readuntil(b"\n"))  # of a TLS handshake too
            self.heads[-1] += await reader.read(10_000)
            for part in self._answer:
                writer.write(part)
                await writer.drain()
                await asyncio.sleep(0.01)  # so that each part arrives by itself
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()
        ended.set_result(None)


def operations_at(url: str, http: httpx.AsyncClient) -> Operations:
    sender = Sender(http)
    settings = Settings(auth="bearer", platform_url=url, bearer="token")
    return Operations(sender, TokenSource(settings, sender), Place(f"{url}/api/v1", "org", "env"))


@asynccontextmanager
async def serving(*answer: bytes) -> AsyncIterator[tuple[Server, Operations]]:
    server = Server(*answer)
    async with await asyncio.start_server(server.serve, "127.0.0.1", 0) as listener:
        async with make_http() as http:
            yield server, operations_at(f"http://127.0.0.1:{listener.sockets[0].getsockname()[1]}", http)
        await asyncio.gather(*server.busy)


def unused_url() -> str:
    return "http://127.0.0.1:9"


FINE = b"HTTP/1.1 200 OK\r\n"
BROKEN = {
    "closed": [],
    "half a head": [FINE + b"Content-"],
    "garbage": [b"\x00\xff\x16\x03 not http\r\n\r\n"],
    "no status": [b"HTTP/1.1\r\n\r\n"],
    "cut body": [FINE + b"Content-Length: 100\r\n\r\n[{"],
    "cut body, late": [FINE + b"Content-Length: 100\r\n\r\n", b"[{"],
    "cut chunks": [FINE + b"Transfer-Encoding: chunked\r\n\r\n", b"50\r\n[{"],
    "odd chunks": [FINE + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n[{"],
    "odd length": [FINE + b"Content-Length: many\r\n\r\n[]"],
    "bad gzip": [FINE + b"Content-Encoding: gzip\r\nContent-Length: 4\r\n\r\noops"],
    "endless header": [FINE + b"X: " + b"x" * 100_000 + b"\r\n\r\n"],
}


@pytest.mark.parametrize("kind", sorted(BROKEN))
@pytest.mark.parametrize("verb", ["receive", "nack_one"])
async def test_a_broken_answer_is_an_unknown_outcome_and_is_not_asked_for_again(kind: str, verb: str) -> None:
    async with serving(*BROKEN[kind]) as (server, operations):
        with pytest.raises((Unreachable, BadAnswer)) as caught:
            await (operations.receive("q") if verb == "receive" else operations.nack_one("q", "m", "AQEBsecret"))
    assert caught.value.outcome_unknown
    assert len(server.heads) == 1
    assert "token" not in str(caught.value)
    assert "AQEBsecret" not in str(caught.value)


async def test_a_connection_that_is_refused_was_not_sent() -> None:
    async with make_http() as http:
        with pytest.raises(Unreachable) as caught:
            await operations_at(unused_url(), http).ack_batch("q", [("m", "l")], give_up_at=0.0)
    assert not caught.value.sent
    assert not caught.value.outcome_unknown
    assert "check the URL" in str(caught.value)


async def test_a_name_that_does_not_exist_was_not_sent() -> None:
    async with make_http() as http:
        with pytest.raises(Unreachable) as caught:
            await operations_at("https://broker.invalid", http).ack_batch("q", [("m", "l")], give_up_at=0.0)
    assert not caught.value.sent


async def test_a_server_without_tls_is_an_error_and_gets_no_token() -> None:
    async with serving(EMPTY) as (server, operations):
        url = operations.place.broker_url.replace("http:", "https:").removesuffix("/api/v1")
        async with make_http() as http:
            with pytest.raises(CourierError):
                await operations_at(url, http).ack_batch("q", [("m", "l")], give_up_at=0.0)
    assert not any(b"token" in head for head in server.heads)


async def test_a_proxy_of_the_environment_does_not_come_between_us_and_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY"):
        monkeypatch.setenv(name, unused_url())
    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
    async with serving(EMPTY) as (server, operations):
        assert (await operations.receive("q")).messages == []
    assert len(server.heads) == 1


async def test_ids_travel_as_they_were_quoted() -> None:
    """Neither httpx nor aiohttp may decide that an escape was not needed."""
    answer = b'HTTP/1.1 200 OK\r\nContent-Length: 42\r\n\r\n{"messageId": "m", "status": "successful"}'
    async with serving(answer) as (server, operations):
        await operations.nack_one("q.1~x", "a/b %2F+=?#é", "AQEB/+==")
    path = server.heads[0].split(b" ")[1].replace(b"=", b"%3D")  # which may stand for itself
    assert path.endswith(b"/destinations/q.1~x/messages/a%2Fb%20%252F%2B%3D%3F%23%C3%A9/locks/AQEB%2F%2B%3D%3D")
