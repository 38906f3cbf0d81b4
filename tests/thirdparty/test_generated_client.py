"""A Python client that openapi-python-client makes of the vendor's file, against the broker: told a URL and a token, no more.

By the file, a batch ack or nack answers one object. A client made of it cannot read the array that the broker answers with
(`deviations.py` says why it does), so that for these two either the broker is switched to the object, or the client is made of
the file with these two answers put right. Everything else works with the file as it is.
"""

from __future__ import annotations

import importlib
import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import yaml

from courier_nb.broker import BrokerConfig, LocalBroker, QueueConfig, Switches

from .deviations import answer_batches_with_arrays

_MESSAGES = "organizations_by_organizationid_environments_by_environmentid_destinations_by_destinationid_messages"
OPERATIONS = {
    "receive": f"get_{_MESSAGES}",
    "publish_batch": f"update_{_MESSAGES}",
    "ack_batch": f"delete_{_MESSAGES}",
    "extend_batch": f"patch_{_MESSAGES}_locks",
    "nack_batch": f"delete_{_MESSAGES}_locks",
    "publish": f"update_{_MESSAGES}_by_messageid",
    "ack": f"delete_{_MESSAGES}_by_messageid",
    "extend": f"patch_{_MESSAGES}_by_messageid_locks_by_lockid",
    "nack": f"delete_{_MESSAGES}_by_messageid_locks_by_lockid",
}
Connect = Callable[..., "Generated"]
ID = "an id: / ? # % ü"


def generate(description: Path, folder: Path, name: str) -> ModuleType:
    """Make a package of this name of a description, and import it."""
    (folder / "config.yaml").write_text("post_hooks: []\n")  # its own are formatters
    command = [sys.executable, "-m", "openapi_python_client", "generate", "--path", str(description), "--meta", "none"]
    command += ["--output-path", str(folder / name), "--config", str(folder / "config.yaml"), "--fail-on-warning"]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    sys.path.insert(0, str(folder))
    try:
        return importlib.import_module(name)
    finally:
        sys.path.remove(str(folder))


@pytest.fixture(scope="module")
def as_published(specification: Path, tmp_path_factory: pytest.TempPathFactory) -> ModuleType:
    return generate(specification, tmp_path_factory.mktemp("published"), "vendor_client")


@pytest.fixture(scope="module")
def as_amended(specification: Path, tmp_path_factory: pytest.TempPathFactory) -> ModuleType:
    folder = tmp_path_factory.mktemp("amended")
    description = yaml.safe_load(specification.read_text("utf-8"))
    answer_batches_with_arrays(description)
    (folder / "amended.json").write_text(json.dumps(description))
    return generate(folder / "amended.json", folder, "amended_client")


@dataclass
class Generated:
    """A generated client with what every call needs."""

    package: ModuleType
    settings: dict[str, str]

    def __post_init__(self) -> None:
        self.models: Any = importlib.import_module(f"{self.package.__name__}.models")
        fields = {name: self.settings[name] for name in ("client_id", "client_secret")}
        body = self.models.Authorize(**fields, grant_type="client_credentials")
        with self.package.Client(base_url=self.settings["url"]) as client:
            answer = self._module("create_authorize").sync(client=client, body=body)
        self.simple_client = answer.simple_client
        self.client = self.package.AuthenticatedClient(
            base_url=self.settings["url"], token=answer.access_token, raise_on_unexpected_status=True
        )

    def call(self, operation: str, queue: str, *ids: str, **more: Any) -> Any:
        """Call an operation; return status code and what the client made of the answer."""
        place = self.settings["organization"], self.settings["environment"], queue
        answer = self._module(OPERATIONS[operation]).sync_detailed(*place, *ids, client=self.client, **more)
        return int(answer.status_code), answer.parsed

    def receive(self, queue: str, **more: Any) -> list[dict[str, Any]]:
        status, messages = self.call("receive", queue, **{"polling_time": 0, **more})
        assert status == 200
        return [message.to_dict() for message in messages]

    def locks(self, messages: list[dict[str, Any]], model: str, **more: Any) -> list[Any]:
        """Return what names these deliveries in a batch."""
        found = [message["headers"] for message in messages]
        return [getattr(self.models, model)(message_id=h["messageId"], lock_id=h["lockId"], **more) for h in found]

    def _module(self, name: str) -> Any:
        return importlib.import_module(f"{self.package.__name__}.api.default.{name}")


@pytest.fixture
def connect() -> Iterator[Connect]:
    """Return a function that serves a broker with queue ``orders`` until the end of the test, and connects to it."""
    with ExitStack() as stack:

        def connect(package: ModuleType, **switches: Any) -> Generated:
            config = BrokerConfig(queues=(QueueConfig("orders"),), switches=Switches(**switches))
            settings = stack.enter_context(stack.enter_context(LocalBroker(config)).serving())
            api = Generated(package, settings)
            stack.enter_context(api.client)
            return api

        yield connect


def headers(message: dict[str, Any]) -> tuple[str, str]:
    return message["headers"]["messageId"], message["headers"]["lockId"]


def test_a_message_is_published_received_extended_returned_and_acknowledged(as_published: ModuleType, connect: Connect) -> None:
    api = connect(as_published)
    assert (api.simple_client.org_id, api.simple_client.env_id) == (api.settings["organization"], api.settings["environment"])
    assert api.call("receive", "orders", polling_time=0) == (204, None)

    status, sent = api.call("publish", "orders", ID, body={"properties": {"n": 5, "kind": "x"}, "body": "hello ü"})
    assert (status, sent.message_id, sent.status) == (201, ID, "successful")
    (message,) = api.receive("orders", lock_ttl=60_000)
    assert message["headers"].items() >= {("messageId", ID), ("deliveryCount", "1")}
    assert (message["properties"], message["body"]) == ({"n": 5, "kind": "x"}, "hello ü")
    first = headers(message)

    status, changed = api.call("extend", "orders", *first, body=api.models.ModifyTtl(ttl=600))
    assert (status, changed.message_id, changed.status) == (200, ID, "successful")
    status, returned = api.call("nack", "orders", *first)
    assert (status, returned.message_id, returned.status) == (200, ID, "successful")
    (message,) = api.receive("orders")
    assert message["headers"]["deliveryCount"] == "2"
    assert headers(message) != first

    assert api.call("ack", "orders", ID, body=api.models.Ack(lock_id=first[1])) == (400, None)
    status, done = api.call("ack", "orders", ID, body=api.models.Ack(lock_id=headers(message)[1]))
    assert (status, done.message_id, done.status) == (200, ID, "successful")
    assert api.call("receive", "orders", polling_time=0) == (204, None)


def test_a_batch_is_published_received_and_extended(as_published: ModuleType, connect: Connect) -> None:
    api = connect(as_published)
    _, results = api.call("publish_batch", "orders", body=batch(api, 10))
    assert [(item.message_id, item.status) for item in results] == [(f"m{n}", "successful") for n in range(10)]
    messages = api.receive("orders", batch_size=10)
    assert {message["body"] for message in messages} == {f"body {n}" for n in range(10)}
    _, results = api.call("extend_batch", "orders", body=api.locks(messages, "ModifyTtlBatchItem", ttl=600))
    assert [(item.message_id, item.lock_id) for item in results] == [headers(message) for message in messages]
    assert {item.status for item in results} == {"successful"}


def batch(api: Generated, count: int) -> list[Any]:
    ids = [f"m{n}" for n in range(count)]
    models = api.models
    return [models.SendBatchItem(headers=models.SendBatchItemHeaders(message_id=m), body=f"body {m[1:]}") for m in ids]


def test_what_is_refused_is_refused_with_a_documented_status(as_published: ModuleType, connect: Connect) -> None:
    api = connect(as_published)
    assert api.call("receive", "orders", batch_size=11) == (400, None)
    assert api.call("receive", "missing") == (404, None)
    assert api.call("publish_batch", "orders", body=batch(api, 11)) == (400, None)
    status, answer = api.call("publish", "missing", ID, body={"body": ""})
    assert (status, answer) == (404, {"status": "failure", "statusMessage": "Destination not found"})
    status, answer = api.call("publish", "orders", ID, body={"body": "x" * (10 * 1024 * 1024 + 1)})
    assert (status, answer.message_id, answer.status) == (413, ID, "failure")
    api.settings = api.settings | {"environment": "another"}
    assert api.call("receive", "orders") == (403, None)


def test_a_batch_of_one_is_settled_when_the_broker_answers_the_object_of_the_file(
    as_published: ModuleType, connect: Connect
) -> None:
    api = connect(as_published, batch_settle_result="object")
    api.call("publish", "orders", ID, body={"body": "hello"})
    _, returned = api.call("nack_batch", "orders", body=api.locks(api.receive("orders"), "AckNackBatchItem"))
    assert (returned.message_id, returned.status) == (ID, "successful")
    _, done = api.call("ack_batch", "orders", body=api.locks(api.receive("orders"), "AckNackBatchItem"))
    assert (done.message_id, done.status) == (ID, "successful")
    assert api.call("receive", "orders", polling_time=0) == (204, None)


def test_a_batch_is_settled_by_a_client_made_of_the_amended_file(as_amended: ModuleType, connect: Connect) -> None:
    api = connect(as_amended)
    api.call("publish_batch", "orders", body=batch(api, 3))
    _, returned = api.call("nack_batch", "orders", body=api.locks(api.receive("orders", batch_size=3), "AckNackBatchItem"))
    assert [item.status for item in returned] == ["successful"] * 3
    messages = api.receive("orders", batch_size=3)
    _, done = api.call("ack_batch", "orders", body=api.locks(messages, "AckNackBatchItem"))
    assert [item.message_id for item in done] == [message["headers"]["messageId"] for message in messages]
    assert [item.status for item in done] == ["successful"] * 3
    assert api.call("receive", "orders", polling_time=0) == (204, None)
