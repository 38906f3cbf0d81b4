"""Faults as they show on a real socket: cuts are cuts of the connection, told apart by nothing, and no error of the server."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from importlib.util import find_spec

import anyio
import httpx
import pytest

from courier_nb.broker import Fault, LocalBroker, httpserver

from .conftest import Api

pytestmark = pytest.mark.anyio

CUT = (httpx.RemoteProtocolError, httpx.ReadError)
MESSAGE = [{"headers": {"messageId": "a"}, "body": "a"}]


@pytest.fixture(params=["uvloop", "asyncio"])
def served(request: pytest.FixtureRequest, broker: LocalBroker, monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, str]]:
    """The broker on a socket, on either event loop that it may run on."""
    if request.param == "asyncio":
        monkeypatch.setattr(httpserver.importlib.util, "find_spec", lambda name: None if name == "uvloop" else find_spec(name))
    elif find_spec("uvloop") is None:
        pytest.skip("NOT RUN: uvloop is not installed")
    with broker.serving() as settings:
        yield settings


@pytest.fixture
def server_log(caplog: pytest.LogCaptureFixture) -> pytest.LogCaptureFixture:
    caplog.set_level(logging.INFO)
    return caplog


@pytest.fixture
async def api(served: dict[str, str]) -> AsyncIterator[Api]:
    async with httpx.AsyncClient() as client:
        api = Api(client, served)
        await api.authorize()
        yield api


class Wire:
    """One connection, byte by byte."""

    def __init__(self, api: Api, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._api = api
        self._reader = reader
        self._writer = writer

    async def send(self, method: str, url: str, content: bytes = b"") -> None:
        path = url.removeprefix(self._api.settings["platform_url"])
        head = f"{method} {path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {self._api.token}\r\n"
        self._writer.write(f"{head}Content-Length: {len(content)}\r\n\r\n".encode() + content)
        await self._writer.drain()

    async def rest(self) -> bytes:
        """Return what still comes until the connection ends."""
        received = b""
        with anyio.fail_after(10):
            try:
                while part := await self._reader.read(65_536):
                    received += part
            except ConnectionError:
                pass
        return received

    async def answer(self) -> bytes:
        """Return one whole answer."""
        with anyio.fail_after(10):
            head = await self._reader.readuntil(b"\r\n\r\n")
            return head + await self._reader.readexactly(length(head))


def length(head: bytes) -> int:
    lines = head.lower().split(b"\r\n")
    return next((int(line.partition(b":")[2]) for line in lines if line.startswith(b"content-length:")), 0)


@asynccontextmanager
async def wire(api: Api) -> AsyncIterator[Wire]:
    port = int(api.settings["platform_url"].rpartition(":")[2])
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        yield Wire(api, reader, writer)
    finally:
        writer.close()


@pytest.mark.parametrize("kind", ["cut_before", "cut_after"])
@pytest.mark.parametrize("size", [10, 5_000_000])
async def test_a_cut_takes_the_whole_request_and_answers_no_byte(api, broker, server_log, kind, size):
    broker.faults.add(Fault(kind))
    content = json.dumps([{"headers": {"messageId": "a"}, "body": "a" * size}]).encode()
    async with wire(api) as connection:
        await connection.send("PUT", api.path("q"), content)
        assert await connection.rest() == b""
    assert broker.depth("q")["messages"] == (1 if kind == "cut_after" else 0)
    assert [record for record in server_log.records if record.levelno > logging.INFO] == []


async def test_a_cut_ends_a_connection_that_has_worked_and_no_other(api, broker, server_log):
    await api.publish("q", "a", "b")
    async with wire(api) as first, wire(api) as second:
        for connection in (first, second):
            await connection.send("GET", api.path("q") + "?pollingTime=0")
            assert (await connection.answer()).startswith(b"HTTP/1.1 200")
        with broker.faults.during(Fault("cut_after", times=1)):
            await first.send("GET", api.path("q") + "?pollingTime=0")
            assert await first.rest() == b""
        await second.send("PUT", api.path("q"), json.dumps(MESSAGE).encode())
        assert (await second.answer()).startswith(b"HTTP/1.1 200")
    assert [record for record in server_log.records if record.levelno > logging.INFO] == []


@pytest.mark.parametrize("size", [1, 9_000_000])
async def test_of_a_truncated_answer_the_head_and_half_the_body_arrive(api, broker, server_log, size):
    await api.call("PUT", api.path("q", "m"), {"body": "a" * size})
    broker.faults.add(Fault("truncated"))
    async with wire(api) as connection:
        await connection.send("GET", api.path("q"))
        head, _, body = (await connection.rest()).partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200")
    assert length(head) > size
    assert len(body) == length(head) // 2
    assert [record for record in server_log.records if record.levelno > logging.INFO] == []


async def test_a_client_that_does_not_wait_for_a_delayed_answer_leaves_the_effect(api, broker, clock, polling, server_log):
    broker.faults.add(Fault("delay", operations=("publish_batch",), seconds=60))
    async with wire(api) as connection:
        await connection.send("PUT", api.path("q"), json.dumps(MESSAGE).encode())
        await polling()
    clock.advance(60)
    assert await api.bodies("q") == ["a"]
    assert [record for record in server_log.records if record.levelno > logging.INFO] == []


async def test_a_delayed_answer_does_not_hold_up_the_end_of_the_server(broker, clock, polling):
    broker.faults.add(Fault("delay", operations=("publish_batch",), seconds=3600))
    async with httpx.AsyncClient() as client:
        with broker.serving() as settings:
            api = Api(client, settings)
            await api.authorize()
            publishing = asyncio.create_task(api.call("PUT", api.path("q"), MESSAGE))
            await polling()
        assert (await publishing).status_code == 200


async def test_a_long_poll_is_cut_when_its_messages_come(api, broker, polling):
    broker.faults.add(Fault("cut_after", operations=("receive",)))
    poll = asyncio.create_task(api.poll("q", pollingTime=20_000))
    await polling()
    await api.publish("q", "a")
    with pytest.raises(CUT):
        await poll
    assert broker.depth("q") == {"messages": 0, "inflight": 1}
