"""TLS is on and checked: a certificate that does not hold ends the call before a secret or a message leaves the machine."""

from __future__ import annotations

import asyncio
import datetime
import json
import os
import ssl
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from pathlib import Path

import pytest
import trustme

from courier_nb import Client, ConfigError, Unreachable
from courier_nb.core.settings import Settings

SECRET = "a-secret-that-must-not-leave"


class Server:
    """An HTTPS server that keeps what it is sent, and answers a token or an empty queue."""

    def __init__(self) -> None:
        self.received = b""
        self.port = 0
        self.location = ""

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while head := await reader.read(65_536):
            self.received += head
            if self.location:
                writer.write(f"HTTP/1.1 307 Moved\r\nLocation: {self.location}\r\nContent-Length: 0\r\n\r\n".encode())
            elif b"/authorize" in head:
                token = {"access_token": "t", "token_type": "bearer", "simple_client": {"orgId": "o", "envId": "e"}}
                body = json.dumps(token).encode()
                writer.write(
                    b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(body) + body
                )
            else:
                writer.write(b"HTTP/1.1 204 No Content\r\nContent-Length: 0\r\n\r\n")
            await writer.drain()
        writer.close()


@contextmanager
def serving(certificate: trustme.LeafCert) -> Iterator[Server]:
    server, ready = Server(), Future[tuple[asyncio.AbstractEventLoop, asyncio.Event]]()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    certificate.configure_cert(context)

    async def main() -> None:
        over = asyncio.Event()
        listening = await asyncio.start_server(server.answer, "127.0.0.1", 0, ssl=context)
        server.port = listening.sockets[0].getsockname()[1]
        ready.set_result((asyncio.get_running_loop(), over))
        await over.wait()
        listening.close()

    thread = threading.Thread(target=asyncio.run, args=(main(),))
    thread.start()
    loop, over = ready.result(10)
    yield server
    loop.call_soon_threadsafe(over.set)
    thread.join(10)


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


def settings(server: Server, host: str = "localhost") -> Settings:
    url = f"https://{host}:{server.port}"
    return Settings(auth="client_app", platform_url=url, mq_url=f"{url}/api/v1", client_id="id", client_secret=SECRET)


EXPIRED = datetime.datetime(2020, 1, 1, tzinfo=datetime.UTC)


@pytest.mark.parametrize("trouble", ["unknown authority", "expired", "another name"])
def test_a_certificate_that_does_not_hold_ends_the_call(authority: trustme.CA, trouble: str) -> None:
    name = "mq.example.test" if trouble == "another name" else "localhost"
    certificate = authority.issue_cert(name, not_after=EXPIRED if trouble == "expired" else None)
    with serving(certificate) as server, Client(settings(server)) as client, pytest.raises(Unreachable) as caught:
        client.destination("q").receive_batch(polling_time="1s")
    assert server.received == b""
    assert "certificate" in str(caught.value).lower()
    assert not caught.value.sent
    assert SECRET not in str(caught.value)


def run(server: Server, home: Path, bundle: Path) -> subprocess.CompletedProcess[str]:
    env = {name: value for name, value in os.environ.items() if not name.startswith(("ANYPOINT_", "XDG_", "SSL_"))}
    env |= {"ANYPOINT_MQ_URL": f"https://localhost:{server.port}/api/v1", "ANYPOINT_CLIENT_ID": "id", "HOME": str(home)}
    env |= {"ANYPOINT_CLIENT_SECRET": SECRET, "ANYPOINT_AUTH": "client_app", "SSL_CERT_FILE": str(bundle)}
    return subprocess.run(
        [sys.executable, "-m", "courier_nb", "peek", "q", "--json"], env=env, capture_output=True, text=True, timeout=60
    )


def test_a_bundle_of_the_users_own_is_obeyed(authority: trustme.CA, tmp_path: Path) -> None:
    bundle, other = tmp_path / "bundle.pem", tmp_path / "other.pem"
    authority.cert_pem.write_to_path(str(bundle))
    trustme.CA().cert_pem.write_to_path(str(other))
    with serving(authority.issue_cert("localhost")) as server:
        assert run(server, tmp_path, other).returncode == 3
        assert server.received == b""
        finished = run(server, tmp_path, bundle)
    assert finished.returncode == 0, finished.stderr
    assert json.loads(finished.stdout)["messages"] == []
    assert b"GET /api/v1/organizations/o/environments/e/destinations/q/messages" in server.received


def test_a_redirect_is_not_followed(authority: trustme.CA, tmp_path: Path) -> None:
    bundle = tmp_path / "bundle.pem"
    authority.cert_pem.write_to_path(str(bundle))
    with serving(authority.issue_cert("localhost")) as target, serving(authority.issue_cert("localhost")) as server:
        server.location = f"https://localhost:{target.port}/api/v1/authorize"
        assert run(server, tmp_path, bundle).returncode == 3
    assert server.received
    assert target.received == b""


@pytest.mark.parametrize("url", ["http://mq.example.test/api/v1", "http://10.0.0.1:8080", "http://[2001:db8::1]/api/v1"])
def test_plain_http_beyond_this_machine_is_refused(url: str) -> None:
    with pytest.raises(ConfigError, match="in clear"):
        Client.connect(mq_url=url, client_id="id", client_secret=SECRET)
