"""The connection pool against a server that breaks connections on purpose."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import pytest

from courier_nb.wire.transport import NeverSent, make_http

pytestmark = pytest.mark.anyio
FINE = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


class Server:
    """Answers the first request of a connection, and does to the second what it is told."""

    def __init__(self, second: bytes) -> None:
        self.requests: list[bytes] = []
        self._second = second

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for answer in (FINE, self._second):
            try:
                head = await reader.readuntil(b"\r\n\r\n")
            except asyncio.IncompleteReadError:
                break
            self.requests.append(head)
            writer.write(answer)
            await writer.drain()
            if answer is not FINE:
                break
        writer.close()


@asynccontextmanager
async def serving(second: bytes) -> AsyncIterator[tuple[Server, str]]:
    server = Server(second)
    listener = await asyncio.start_server(server.serve, "127.0.0.1", 0)
    async with listener:
        yield server, f"http://127.0.0.1:{listener.sockets[0].getsockname()[1]}"


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "PATCH", "POST"])
async def test_a_broken_kept_connection_is_not_tried_again_behind_our_back(method: str) -> None:
    async with serving(b"") as (server, url), make_http() as http:
        assert (await http.request(method, url)).text == "ok"
        with pytest.raises(httpx.TransportError) as caught:
            await http.request(method, url)
        assert not isinstance(caught.value, NeverSent)  # it was sent, so what became of it is unknown
        assert len(server.requests) == 2


async def test_a_refused_connection_was_never_sent() -> None:
    async with make_http() as http:
        with pytest.raises(NeverSent):
            await http.get("http://127.0.0.1:9")


async def test_a_truncated_body_is_an_error_after_sending() -> None:
    async with serving(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n[{") as (_, url), make_http() as http:
        await http.get(url)
        with pytest.raises(httpx.TransportError) as caught:
            await http.get(url)
        assert not isinstance(caught.value, NeverSent)


async def test_redirects_are_not_followed() -> None:
    async with (
        serving(b"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:9/\r\nContent-Length: 0\r\n\r\n") as (_, url),
        make_http() as http,
    ):
        await http.get(url)
        assert (await http.get(url)).status_code == 302


async def test_a_netrc_entry_never_replaces_our_token(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login somebody password else\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))
    async with serving(b"") as (server, url), make_http() as http:
        await http.get(url, headers={"Authorization": "Bearer ours"})
    assert b"authorization: bearer ours" in server.requests[0].lower()


async def test_a_proxy_of_the_environment_is_used_and_can_be_bypassed(monkeypatch: pytest.MonkeyPatch) -> None:
    async with serving(b"") as (server, url), make_http() as http:
        monkeypatch.setenv("http_proxy", url)
        monkeypatch.setenv("no_proxy", "127.0.0.1")
        assert (await http.get("http://broker.invalid/path")).text == "ok"
        assert server.requests[0].startswith(b"GET http://broker.invalid/path")
        with pytest.raises(NeverSent):
            await http.get("http://127.0.0.1:9")
