"""What a served broker does not let in: web pages, foreign hosts, and what is not a request."""

from __future__ import annotations

import json
import logging
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from pathlib import Path

import httpx
import pytest

from courier_nb import Message, connect
from courier_nb.broker import BrokerConfig, LocalBroker, QueueConfig, load_config
from courier_nb.broker.api.guard import Guard
from courier_nb.broker.api.web import Refusal
from courier_nb.broker.server import listening, origin
from courier_nb.core.errors import ConfigError

Raw = Callable[..., tuple[int, bytes]]


def receive_all(connection: socket.socket) -> bytes:
    received = b""
    try:
        while part := connection.recv(65_536):
            received += part
    except ConnectionError:
        pass
    return received


@pytest.fixture(scope="module")
def broker() -> Iterator[LocalBroker]:
    with LocalBroker(BrokerConfig(queues=(QueueConfig("q"),), username="ada", password="hush")) as broker:
        yield broker


@pytest.fixture(scope="module")
def settings(broker: LocalBroker) -> Iterator[dict[str, str]]:
    with broker.serving() as settings:
        yield settings


@pytest.fixture(scope="module")
def token(settings: dict[str, str]) -> str:
    fields = {key: settings[key] for key in ("client_id", "client_secret")} | {"grant_type": "client_credentials"}
    return str(httpx.post(f"{settings['platform_url']}/accounts/api/v2/oauth2/token", data=fields).json()["access_token"])


@pytest.fixture
def path(settings: dict[str, str]) -> str:
    place = f"/api/v1/organizations/{settings['organization']}/environments/{settings['environment']}"
    return f"{place}/destinations/q/messages"


@pytest.fixture
def raw(settings: dict[str, str]) -> Raw:
    """Send bytes, close that direction, and return the status of the answer and the rest of it."""

    def send(content: bytes) -> tuple[int, bytes]:
        port = int(settings["platform_url"].rpartition(":")[2])
        with socket.create_connection(("127.0.0.1", port), timeout=20) as connection:
            with suppress(ConnectionError):  # it may be refused before it is at its end
                connection.sendall(content)
            answer = receive_all(connection)
        status, _, rest = answer.partition(b"\r\n")
        return int(status.split(b" ")[1]) if status else 0, rest

    return send


@pytest.fixture
def ask(raw: Raw, token: str) -> Raw:
    """Send a request with a token, and headers of one's own in place of the usual ``Host``."""

    def send(method: str, target: str, *headers: str, content: bytes = b"", version: str = "1.1") -> tuple[int, bytes]:
        lines = [f"{method} {target} HTTP/{version}", *headers, f"Authorization: Bearer {token}", "Connection: close"]
        head = "\r\n".join([*lines, f"Content-Length: {len(content)}", "", ""])
        return raw(head.encode("latin-1") + content)

    return send


BODY = json.dumps([{"headers": {"messageId": "a"}, "body": "a"}]).encode()


# Hosts


@pytest.mark.parametrize(
    "host", ["localhost", "LOCALHOST:80", "localhost.", "127.0.0.1", "127.0.0.1:65535", "127.8.9.10", "[::1]", "[::1]:8099"]
)
def test_names_and_addresses_of_loopback_are_this_broker(ask: Raw, path: str, host: str) -> None:
    assert ask("GET", f"{path}?pollingTime=0", f"Host: {host}")[0] == 204


@pytest.mark.parametrize(
    "host",
    [
        "evil.example",
        "localhost.evil.example",
        "127.0.0.1.evil.example",
        "evil.localhost",
        "0.0.0.0:80",
        "192.168.1.7",
        "10.0.0.1:8099",
        "[::]:80",
        "[2001:db8::1]",
        "2130706433",
        socket.gethostname() if "." in socket.gethostname() else "this-machine",
    ],
)
def test_another_host_is_refused_with_what_to_do_and_nothing_is_stored(
    broker: LocalBroker, ask: Raw, path: str, host: str
) -> None:
    status, answer = ask("PUT", path, f"Host: {host}", content=BODY)
    assert status == 403
    assert b"--allow-host" in answer
    assert broker.depth("q")["messages"] == 0


@pytest.mark.parametrize(
    "headers", [[], ["Host: localhost", "Host: localhost"], ["Host: a b"], ["Host: user@localhost"], ["Host:"]]
)
def test_a_host_that_is_missing_doubled_or_malformed_is_400(ask: Raw, path: str, headers: list[str]) -> None:
    assert ask("GET", f"{path}?pollingTime=0", *headers)[0] == 400


def test_before_http_1_1_no_host_is_needed_but_a_foreign_one_is_refused(ask: Raw, path: str) -> None:
    assert ask("GET", f"{path}?pollingTime=0", version="1.0")[0] == 204
    assert ask("GET", f"{path}?pollingTime=0", "Host: evil.example", version="1.0")[0] == 403


def test_a_url_in_place_of_a_path_does_not_get_round_the_host(ask: Raw, path: str) -> None:
    assert ask("GET", f"http://localhost{path}?pollingTime=0", "Host: evil.example")[0] == 403


def test_names_that_are_allowed_are_accepted_and_no_other(token: str) -> None:
    with (
        LocalBroker(BrokerConfig(allowed_hosts=("Broker", "[2001:DB8::1]", "192.0.2.7"))) as broker,
        broker.serving() as settings,
    ):
        url = f"{settings['platform_url']}/accounts/api/me"
        found = {
            host: httpx.get(url, headers={"Host": host}).status_code
            for host in ("broker", "BROKER.:8099", "[2001:db8:0::1]:1", "192.0.2.7", "192.0.2.8", "brokers", "localhost")
        }
    assert found == dict.fromkeys(found, 401) | {"192.0.2.8": 403, "brokers": 403}


def test_bound_beyond_loopback_every_address_and_this_machines_name_are_accepted() -> None:
    with LocalBroker() as broker, broker.serving("0.0.0.0") as settings:
        assert settings["url"].startswith("http://127.0.0.1:")
        url = f"{settings['platform_url']}/accounts/api/me"
        own = socket.gethostname()
        hosts = [own, own.partition(".")[0], "192.168.1.7", "[2001:db8::1]:80", "localhost", "evil.example"]
        found = [httpx.get(url, headers={"Host": host}).status_code for host in hosts]
    assert found == [401, 401, 401, 401, 401, 403]


def test_the_guard_takes_the_name_it_was_bound_to() -> None:
    def is_let_in(guard: Guard, host: bytes) -> bool:
        try:
            guard.check({"headers": [(b"host", host)], "http_version": "1.1"})
        except Refusal:
            return False
        return True

    on_a_name = Guard("queue.lan", "192.168.1.7")
    assert [is_let_in(on_a_name, host) for host in (b"queue.lan:80", b"192.168.1.8", b"evil.example")] == [True, True, False]
    on_loopback = Guard("alias", "127.0.0.2")
    assert [is_let_in(on_loopback, host) for host in (b"alias", b"127.0.0.1", b"192.168.1.8")] == [True, True, False]


@pytest.mark.parametrize("host", ["0.0.0.0", "::"])
def test_the_announced_url_works_when_listening_everywhere(host: str) -> None:
    if host == "::":
        with closing(socket.socket(socket.AF_INET6)) as probe:
            try:
                probe.bind(("::1", 0))
            except OSError:
                pytest.skip("NOT RUN: this machine has no IPv6")
    with listening(host, 0) as listener:
        url = origin(listener)
    assert url.startswith("http://127.0.0.1:" if host == "0.0.0.0" else "http://[::1]:")
    with LocalBroker(queues=["q"]) as broker, broker.serving(host) as settings:
        assert httpx.get(f"{settings['platform_url']}/accounts/api/me").status_code == 401


# Web pages


@pytest.mark.parametrize(
    "header",
    [
        "Origin: https://evil.example",
        "Origin: null",
        "Origin: http://localhost:8888",
        "Sec-Fetch-Site: cross-site",
        "Sec-Fetch-Site: same-site",
        "sec-fetch-site: CROSS-SITE",
    ],
)
@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "POST", "OPTIONS"])
def test_what_comes_from_a_web_page_is_refused_before_its_token_is_looked_at(
    broker: LocalBroker, ask: Raw, path: str, settings: dict[str, str], method: str, header: str
) -> None:
    for target in (path, "/api/v1/authorize", "/accounts/login", "/courier-nb/faults", "/"):
        status, answer = ask(method, target, "Host: localhost", header, content=BODY)
        assert status == 403
        assert b"web page" in answer
        assert b"access-control" not in answer.lower()
    assert broker.depth("q") == {"messages": 0, "inflight": 0}


@pytest.mark.parametrize("value", ["none", "same-origin"])
def test_what_a_person_types_into_a_browser_is_no_web_page(ask: Raw, path: str, value: str) -> None:
    assert ask("GET", f"{path}?pollingTime=0", "Host: localhost", f"Sec-Fetch-Site: {value}")[0] == 204


@pytest.mark.anyio
async def test_the_door_inside_the_process_needs_no_guard(broker: LocalBroker) -> None:
    async with httpx.AsyncClient(transport=broker.transport(), base_url="http://any.example") as client:
        answer = await client.get("/accounts/api/me", headers={"Origin": "https://any.example"})
        assert answer.status_code == 401


def test_our_own_client_is_let_in(broker: LocalBroker, settings: dict[str, str]) -> None:
    keys = ("client_id", "client_secret", "organization", "environment", "region")
    broker.purge("q")
    with connect(mq_url=settings["url"], **{key: settings[key] for key in keys}) as client:
        assert client.destination("q").publish([Message("hello")], progress=False).ok
        assert [m.body for m in client.destination("q").peek(1, polling_time="50ms", progress=False).messages] == ["hello"]
        assert {info.id for info in client.destinations()} == {"q"}


# Garbage


@pytest.fixture
def empty(broker: LocalBroker, caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """Nothing of what follows may be stored, or fail in the broker."""
    broker.purge("q")
    yield
    assert broker.depth("q") == {"messages": 0, "inflight": 0}
    assert [record for record in caplog.records if record.levelno >= logging.ERROR] == []


HEAD = "Host: localhost"


@pytest.mark.parametrize(
    "content",
    [
        b"\x00\xff\x16\x03\x01 not http\r\n\r\n",
        b"GET\r\n\r\n",
        b"GET / HTTP/9.9\r\nHost: localhost\r\n\r\n",
        b"FROBNICATE / HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"GET /a b HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost localhost\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: localhost\r\nX : y\r\n\r\n",
        b"GET /\xff\xfe HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"PUT / HTTP/1.1\r\nHost: localhost\r\nContent-Length: many\r\n\r\n",
        b"PUT / HTTP/1.1\r\nHost: localhost\r\nContent-Length: -1\r\n\r\n",
        b"PUT / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab",
        b"PUT / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"CONNECT localhost:80 HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"OPTIONS * HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n",
    ],
)
def test_what_is_not_a_request_is_400_or_404(raw: Raw, empty: None, content: bytes) -> None:
    status, _ = raw(content)
    assert status in (400, 404)


@pytest.mark.parametrize("where", ["one header", "many headers", "the url", "no end"])
def test_a_head_without_measure_is_refused(raw: Raw, empty: None, where: str) -> None:
    start = b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
    content = {
        "one header": start + b"X: " + b"x" * 70_000 + b"\r\n\r\n",
        "many headers": start + b"X: y\r\n" * 20_000 + b"\r\n",
        "the url": b"GET /" + b"x" * 70_000 + b" HTTP/1.1\r\nHost: localhost\r\n\r\n",
        "no end": start + b"X: " + b"x" * 2_000_000,
    }[where]
    status, _ = raw(content)
    assert status in (0, 400)  # 0: it was still sending when it was refused, and the answer was lost with the connection
    if where != "no end":
        assert status == 400


def test_a_head_within_measure_is_answered(ask: Raw, path: str) -> None:
    assert ask("GET", f"{path}?pollingTime=0", HEAD, "X-Long: " + "x" * 60_000)[0] == 204


@pytest.mark.parametrize(
    "content_type",
    [
        "text/plain",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x",
        "application/xml",
        "nonsense",
        "text/json",
    ],
)
def test_a_message_of_another_content_type_is_refused(ask: Raw, path: str, empty: None, content_type: str) -> None:
    for method, target in (("PUT", path), ("PUT", f"{path}/a"), ("DELETE", path), ("PATCH", f"{path}/locks")):
        assert ask(method, target, HEAD, f"Content-Type: {content_type}", content=BODY)[0] == 400


@pytest.mark.parametrize("content_type", ["application/json", "Application/JSON; charset=utf-8", "application/vnd.api+json"])
def test_json_by_any_of_its_names_is_taken(broker: LocalBroker, ask: Raw, path: str, content_type: str) -> None:
    assert ask("PUT", path, HEAD, f"Content-Type: {content_type}", content=BODY)[0] == 200
    assert ask("PUT", path, HEAD, content=BODY)[0] == 200  # nor need it be said
    assert broker.purge("q") == 2


@pytest.mark.parametrize(
    "content",
    [
        b"[" * 100_000,
        b"[" * 100_000 + b"]" * 100_000,
        b'[{"headers":{"messageId":"a"},"properties":' + b'{"a":' * 50_000 + b"1" + b"}" * 50_000 + b',"body":"b"}]',
        b'[{"headers":{"messageId":"a"},"properties":' + b'{"a":' * 900 + b"1" + b"}" * 899 + b',"body":"b"}]',
        b'[{"headers":{"messageId":"a"},"body":"\xff\xfe"}]',
        b'[{"headers":{"messageId":"a"},"body":"a"}',
        b'{"headers":{"messageId":"a"},"body":"a"}',
        b"\x00" * 1000,
        b"NaN",
        b"1e999999",
        b"",
        "[{“body”: “a”}]".encode(),
        json.dumps([{"headers": {"messageId": "a"}, "body": "a"}]).encode("utf-16"),
    ],
)
def test_a_body_that_is_no_batch_is_400(ask: Raw, path: str, empty: None, content: bytes) -> None:
    assert ask("PUT", path, HEAD, content=content)[0] == 400
    assert ask("DELETE", path, HEAD, content=content)[0] == 400


@pytest.mark.parametrize(
    "content", [b"[" * 50_000, b"{" * 50_000, b"", b"\xff" * 100, b'{"grant_type": 1}', b"grant_type=%ff&client_id=%00"]
)
@pytest.mark.parametrize(
    "content_type", ["application/json", "application/x-www-form-urlencoded", "multipart/form-data; boundary=", ""]
)
def test_a_request_for_a_token_that_is_garbage_gives_none(ask: Raw, empty: None, content: bytes, content_type: str) -> None:
    for target in ("/api/v1/authorize", "/accounts/oauth2/token", "/accounts/api/v2/oauth2/token", "/accounts/login"):
        status, answer = ask("POST", target, HEAD, f"Content-Type: {content_type}", content=content)
        assert 400 <= status < 500
        assert b"access_token" not in answer


FORM = '--x\r\nContent-Disposition: form-data; name="grant_type"; {}\r\n\r\nclient_credentials\r\n--x--\r\n'
NESTED = "".join(f"--{n}\r\nContent-Type: multipart/mixed; boundary={n + 1}\r\n\r\n" for n in range(1000))


@pytest.mark.parametrize(
    ("boundary", "content"),
    [
        ("x", FORM.format("filename*=utf\x00-8''x")),
        ("x", FORM.format("a*0*=iso-8859-1'en'b; a*;a*1=c")),
        ("x", FORM.format("=?utf-8?q?x?=")),
        ("0", NESTED),
    ],
)
def test_a_form_that_no_parser_expects_gives_no_token(ask: Raw, empty: None, boundary: str, content: str) -> None:
    headers = (HEAD, f"Content-Type: multipart/form-data; boundary={boundary}")
    status, _ = ask("POST", "/api/v1/authorize", *headers, content=content.encode())
    assert status in (400, 401)


@pytest.mark.parametrize("name", ["%ff%fe", "%c3%28", "%f5", "%80", "%e2%82"])
def test_a_path_that_is_not_utf_8_is_400(ask: Raw, path: str, empty: None, name: str) -> None:
    assert ask("PUT", f"{path}/{name}", HEAD, content=b'{"body": "a"}')[0] == 400
    assert ask("GET", path.replace("/q/", f"/{name}/"), HEAD)[0] == 400
    assert ask("DELETE", f"{path}/a/locks/{name}", HEAD)[0] == 400


@pytest.mark.parametrize("name", ["%00", "%", "%zz", "..", ".", "%2e%2e%2f", "a%0d%0aX:%20y", "\u00e9", "'%20or%201=1"])
def test_a_name_that_no_queue_can_have_is_not_found(ask: Raw, path: str, empty: None, name: str) -> None:
    status, answer = ask("GET", path.replace("/q/", f"/{name}/"), HEAD)
    assert status in (400, 404)
    assert b"\r\nX: y" not in answer


@pytest.mark.parametrize(
    "query",
    ["pollingTime=-1", "pollingTime=%ff", "batchSize=99999999999999999999", "lockTtl=1e3", "payloadVisibility=%00", "batchSize="],
)
def test_a_parameter_out_of_measure_is_400(ask: Raw, path: str, empty: None, query: str) -> None:
    assert ask("GET", f"{path}?{query}", HEAD)[0] == 400


@pytest.mark.parametrize("value", ["", "Bearer", "Bearer " + "x" * 50_000, "Basic \xff\xfe", "Bearer \xe9", "Negotiate =="])
def test_an_authorization_that_is_none_is_401(raw: Raw, path: str, empty: None, value: str) -> None:
    head = f"GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nAuthorization: {value}\r\n\r\n"
    assert raw(head.encode("latin-1"))[0] == 401


def test_a_client_that_goes_away_in_the_middle_of_a_body_stores_nothing(
    broker: LocalBroker, settings: dict[str, str], token: str, path: str, empty: None
) -> None:
    port = int(settings["platform_url"].rpartition(":")[2])
    head = f"PUT {path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {token}\r\nContent-Length: {len(BODY) + 9}\r\n\r\n"
    with socket.create_connection(("127.0.0.1", port)) as connection:
        connection.sendall(head.encode() + BODY)
    assert httpx.get(f"{settings['platform_url']}/accounts/api/me").status_code == 401  # and the broker goes on


def test_a_chunk_that_is_none_stores_nothing(raw: Raw, token: str, path: str, empty: None) -> None:
    head = f"PUT {path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {token}\r\nTransfer-Encoding: chunked\r\n\r\n"
    status, _ = raw(head.encode() + f"{len(BODY):x}\r\n".encode() + BODY + b"\r\nzz\r\n")
    assert status == 400


# Settings


@pytest.mark.parametrize("host", ["", "*", "http://broker", "broker:8099", "a b", "-broker", "[::g]", 7])
def test_a_host_that_cannot_be_one_is_refused_in_the_configuration(host: object) -> None:
    with pytest.raises(ConfigError, match=r"allowed_hosts is .*, expected a host name or an address, without scheme and port"):
        BrokerConfig(allowed_hosts=(host,))  # type: ignore[arg-type]


def test_the_file_names_allowed_hosts(tmp_path: Path) -> None:
    file = tmp_path / "broker.toml"
    file.write_text('[broker]\nallowed_hosts = ["broker", "192.0.2.7"]\n')
    assert load_config(file).allowed_hosts == ("broker", "192.0.2.7")
    file.write_text('[broker]\nallowed_hosts = "broker"\n')
    with pytest.raises(ConfigError, match="allowed_hosts is 'broker', expected a list of texts"):
        load_config(file)


def test_the_command_allows_hosts_says_what_is_beyond_loopback_and_announces_what_works(tmp_path: Path) -> None:
    config = tmp_path / "broker.toml"
    config.write_text('[broker]\nallowed_hosts = ["from-the-file"]\n')
    command = [sys.executable, "-m", "courier_nb", "broker", "--host", "0.0.0.0", "--config", str(config), "--json"]
    command += ["--allow-host", "broker", "--allow-host", "other"]
    broker = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        assert broker.stdout is not None
        url = json.loads(broker.stdout.readline())["platform_url"]
        assert url.startswith("http://127.0.0.1:")
        hosts = ("broker", "other", "from-the-file", "evil.example")
        found = [httpx.get(f"{url}/accounts/api/me", headers={"Host": host}).status_code for host in hosts]
    finally:
        broker.terminate()
        _, errors = broker.communicate(timeout=20)
    assert found == [401, 401, 401, 403]
    assert "0.0.0.0, beyond this machine" in errors
