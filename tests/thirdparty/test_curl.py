"""curl, with the calls that the vendor documents, as somebody types them at a prompt."""

from __future__ import annotations

import json
import shlex
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest


@dataclass
class Answer:
    """What curl printed."""

    status: int
    body: str

    @property
    def json(self) -> Any:
        return json.loads(self.body)


class Shell:
    """Runs curl commands; ``$NAME`` in a command stands for a value, quoted as the command quotes it."""

    def __init__(self, settings: dict[str, str], folder: Path) -> None:
        self._folder = folder
        place = f"{settings['url']}/organizations/{settings['organization']}/environments/{settings['environment']}"
        self.values = {name.upper(): value for name, value in settings.items()} | {"DESTINATIONS": f"{place}/destinations"}

    def __call__(self, command: str, **values: str) -> Answer:
        arguments = shlex.split(command)
        for name, value in sorted((self.values | values).items(), key=lambda item: -len(item[0])):
            arguments = [argument.replace(f"${name}", value) for argument in arguments]
        (self._folder / "body").unlink(missing_ok=True)
        command_line = [*arguments, "-sS", "-o", "body", "-w", "%{http_code}"]
        ended = subprocess.run(command_line, cwd=self._folder, capture_output=True, text=True, timeout=60, check=False)
        assert (ended.returncode, ended.stderr) == (0, ""), (command, ended)
        body = self._folder / "body"  # not written when there is none
        return Answer(int(ended.stdout), body.read_text("utf-8") if body.exists() else "")

    def receive(self, queue: str, query: str = "pollingTime=1000&batchSize=10") -> list[dict[str, Any]]:
        answer = self(f"curl '$DESTINATIONS/{queue}/messages?{query}' -H 'Authorization: bearer $TOKEN'")
        assert answer.status == 200
        return list(answer.json)


@pytest.fixture
def curl(settings: dict[str, str], tmp_path: Path) -> Shell:
    if shutil.which("curl") is None:
        pytest.skip("NOT RUN: curl is not installed (Debian: apt-get install curl)")
    shell = Shell(settings, tmp_path)
    form = "-d client_id=$CLIENT_ID -d client_secret=$CLIENT_SECRET -d grant_type=client_credentials"
    shell.values["TOKEN"] = shell(f"curl -X POST $URL/authorize {form}").json["access_token"]
    return shell


def locks(messages: list[dict[str, Any]], **more: Any) -> str:
    return json.dumps([{name: m["headers"][name] for name in ("messageId", "lockId")} | more for m in messages])


@pytest.mark.parametrize(
    "options",
    [
        "-d client_id=$CLIENT_ID -d client_secret=$CLIENT_SECRET -d grant_type=client_credentials",
        "-F client_id=$CLIENT_ID -F client_secret=$CLIENT_SECRET -F grant_type=client_credentials",
        "-u $CLIENT_ID:$CLIENT_SECRET -d grant_type=client_credentials",
        "-H 'Content-Type: application/x-www-form-urlencoded' "
        "-d 'client_id=$CLIENT_ID&client_secret=$CLIENT_SECRET&grant_type=client_credentials'",
    ],
    ids=["form", "multipart form", "basic", "form in one piece"],
)
def test_a_client_app_gets_its_token(curl: Shell, options: str) -> None:
    answer = curl(f"curl -X POST $URL/authorize {options}")
    assert (answer.status, answer.json) == (
        200,
        {
            "access_token": curl.values["TOKEN"],
            "token_type": "bearer",
            "simple_client": {"envId": curl.values["ENVIRONMENT"], "orgId": curl.values["ORGANIZATION"]},
        },
    )
    assert curl(f"curl -X POST $URL/authorize {options}", CLIENT_SECRET="wrong").status == 401


def test_one_message_goes_all_its_ways(curl: Shell) -> None:
    sent = curl("""
        curl -X PUT '$DESTINATIONS/orders/messages/a%20b%2Fc' -H 'Authorization: bearer $TOKEN'
             -H 'Content-Type: application/json' -d '{"properties": {"amount": 5}, "body": "hello ü"}'
    """)
    assert (sent.status, sent.json["messageId"], sent.json["status"]) == (201, "a b/c", "successful")
    (message,) = curl.receive("orders", "pollingTime=1000&batchSize=10&lockTtl=60000&payloadVisibility=full")
    assert (message["body"], message["properties"]) == ("hello ü", {"amount": 5})
    assert message["headers"]["messageId"] == "a b/c"
    lock = message["headers"]["lockId"]

    changed = curl(
        """
        curl -X PATCH '$DESTINATIONS/orders/messages/a%20b%2Fc/locks/$LOCK' -H 'Authorization: bearer $TOKEN'
             -H 'Content-Type: application/json' -d '{"ttl": 600}'
        """,
        LOCK=quote(lock, safe=""),
    )
    assert (changed.status, changed.json["status"]) == (200, "successful")
    nack = "curl -X DELETE '$DESTINATIONS/orders/messages/a%20b%2Fc/locks/$LOCK' -H 'Authorization: bearer $TOKEN'"
    assert curl(nack, LOCK=lock).status == 404, "a lock id holds '/': it has to be encoded"
    returned = curl(nack, LOCK=quote(lock, safe=""))
    assert (returned.status, returned.json["messageId"], returned.json["status"]) == (200, "a b/c", "successful")

    (message,) = curl.receive("orders")
    assert message["headers"]["deliveryCount"] == "2"
    ack = """
        curl -X DELETE '$DESTINATIONS/orders/messages/a%20b%2Fc' -H 'Authorization: bearer $TOKEN'
             -H 'Content-Type: application/json' -d '{"lockId": "$LOCK"}'
    """
    expired = curl(ack, LOCK=lock)
    assert (expired.status, expired.json) == (
        400,
        {"status": "failure", "statusMessage": f"LockId: {lock} provided is expired"},
    )
    done = curl(ack, LOCK=message["headers"]["lockId"])
    assert (done.status, done.json) == (
        200,
        {"messageId": "a b/c", "status": "successful", "statusMessage": "Acknowledgement operation successful"},
    )
    left = curl("curl '$DESTINATIONS/orders/messages?pollingTime=1' -H 'Authorization: bearer $TOKEN'")
    assert (left.status, left.body) == (204, "")


def test_a_batch_goes_all_its_ways(curl: Shell) -> None:
    batch = [{"headers": {"messageId": f"m{n}"}, "properties": {}, "body": f"body {n}"} for n in range(3)]
    end = "-H 'Authorization: bearer $TOKEN' -H 'Content-Type: application/json' -d '$BODY'"
    sent = curl(f"curl -X PUT $DESTINATIONS/orders/messages {end}", BODY=json.dumps(batch))
    assert (sent.status, [(item["messageId"], item["status"]) for item in sent.json]) == (
        200,
        [(f"m{n}", "successful") for n in range(3)],
    )
    messages = curl.receive("orders")
    assert {message["body"] for message in messages} == {"body 0", "body 1", "body 2"}
    changed = curl(f"curl -X PATCH $DESTINATIONS/orders/messages/locks {end}", BODY=locks(messages, ttl=600))
    assert (changed.status, [item["lockId"] for item in changed.json]) == (200, [m["headers"]["lockId"] for m in messages])
    returned = curl(f"curl -X DELETE $DESTINATIONS/orders/messages/locks {end}", BODY=locks(messages))
    assert (returned.status, [item["status"] for item in returned.json]) == (200, ["successful"] * 3)
    again = curl.receive("orders")
    assert {message["headers"]["deliveryCount"] for message in again} == {"2"}
    done = curl(f"curl -X DELETE $DESTINATIONS/orders/messages {end}", BODY=locks([*messages[:1], *again]))
    assert (done.status, [item["status"] for item in done.json]) == (200, ["failure", "successful", "successful", "successful"])


def test_a_large_message_comes_from_a_file(curl: Shell, tmp_path: Path) -> None:
    """From 1 MB on, curl asks before it sends (``Expect: 100-continue``); with ``-T -`` it does not know the length."""
    body = "ü" * 3_000_000
    (tmp_path / "message.json").write_text(json.dumps({"body": body}))
    end = "-H 'Authorization: bearer $TOKEN' -H 'Content-Type: application/json'"
    for upload in ("-X PUT --data-binary @message.json", "-T message.json", "-T message.json -H 'Transfer-Encoding: chunked'"):
        assert curl(f"curl {upload} $DESTINATIONS/orders/messages/large {end}").status == 201
        (message,) = curl.receive("orders")
        assert message["body"] == body
        curl(f"curl -X DELETE $DESTINATIONS/orders/messages {end} -d '$BODY'", BODY=locks([message]))
    (tmp_path / "message.json").write_text(json.dumps({"body": "x" * (10 * 1024 * 1024 + 1)}))
    refused = curl(f"curl -X PUT --data-binary @message.json $DESTINATIONS/orders/messages/large {end}")
    assert (refused.status, refused.json["status"]) == (413, "failure")


def test_what_is_wrong_is_refused(curl: Shell) -> None:
    messages = "curl $DESTINATIONS/orders/messages"
    end = "-H 'Authorization: bearer $TOKEN' -H 'Content-Type: application/json'"
    assert curl(messages).status == 401
    assert curl(f"{messages} -H 'Authorization: bearer wrong'").status == 401
    assert curl(f"{messages} -u $CLIENT_ID:$CLIENT_SECRET").status == 401
    assert curl(f"{messages} -X POST {end}").status == 405
    for body in ("", "{", "[]", '{"body": "not a batch"}', '[{"body": 5}]', "[" + ",".join(['{"body": ""}'] * 11) + "]"):
        assert curl(f"{messages} -X PUT {end} -d '$BODY'", BODY=body).status == 400, body
    missing = curl(f"curl '$DESTINATIONS/missing/messages?pollingTime=1' {end}")
    assert (missing.status, missing.json) == (404, {"status": "failure", "statusMessage": "Destination not found"})
    assert curl(f"curl '$DESTINATIONS/orders/messages?batchSize=11' {end}").status == 400
    strange = curl(f"curl $URL/organizations/$ORGANIZATION/environments/another/destinations/orders/messages {end}")
    assert strange.status == 403


@pytest.mark.parametrize("path", ["/accounts/oauth2/token", "/accounts/api/v2/oauth2/token"])
def test_a_token_of_the_control_plane_reads_too(curl: Shell, path: str) -> None:
    fields = '{"client_id": "$CLIENT_ID", "client_secret": "$CLIENT_SECRET", "grant_type": "client_credentials"}'
    token = curl(f"curl -X POST $PLATFORM_URL{path} -H 'Content-Type: application/json' -d '{fields}'").json["access_token"]
    poll = "curl '$DESTINATIONS/idle/messages?pollingTime=1' -H 'Authorization: Bearer $TOKEN'"
    assert curl(poll, TOKEN=token).status == 204
