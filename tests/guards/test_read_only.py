"""read_only: what adds or deletes messages is refused before anything is sent; the rest goes on."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from courier_nb import AsyncClient, AsyncDestination, Client, ConfigError, Plan, ReadOnly
from courier_nb.broker import LocalBroker
from courier_nb.client import broker_settings
from courier_nb.core.settings import resolve

from .conftest import QUICK, Connect, messages

pytestmark = pytest.mark.anyio
APP = {"client_id": "i", "client_secret": "s"}

REFUSED: dict[str, Callable[[AsyncClient, AsyncDestination, Path], Any]] = {
    "ack": lambda c, q, p: q.ack(messages(1), progress=False),
    "drain": lambda c, q, p: q.drain(p / "capture", **QUICK),
    "publish": lambda c, q, p: q.publish(messages(1), progress=False),
    "replay": lambda c, q, p: q.replay(messages(1), progress=False),
    "client replay": lambda c, q, p: c.replay(messages(1), to="queue", progress=False),
    "publish_batch": lambda c, q, p: q.publish_batch(messages(1)),
    "publish_one": lambda c, q, p: q.publish_one(messages(1)[0]),
    "ack_batch": lambda c, q, p: q.ack_batch([("m0", "lock")]),
    "ack_one": lambda c, q, p: q.ack_one("m0", "lock"),
    "move": lambda c, q, p: q.move("dlq", progress=False),
    "probe": lambda c, q, p: c.doctor(probe="queue", consent=True, progress=False),
}


@pytest.mark.parametrize("name", REFUSED)
async def test_what_adds_or_deletes_messages_is_refused_and_nothing_is_sent(connect: Connect, tmp_path: Path, name: str) -> None:
    client, transport = connect(read_only=True)
    async with client:
        with pytest.raises(ReadOnly, match="read_only") as caught:
            await REFUSED[name](client, client.destination("queue"), tmp_path)
    assert transport.changing == []
    assert caught.value.destination == "queue"
    assert not (tmp_path / "capture").exists()


async def test_looking_receiving_returning_and_extending_go_on(broker: LocalBroker, connect: Connect) -> None:
    writer, _ = connect()
    async with writer:
        await writer.destination("queue").publish(messages(6), progress=False)
    client, _ = connect(read_only=True)
    async with client:
        queue = client.destination("queue")
        assert len(await queue.peek(3, **QUICK)) == 3
        held = await queue.receive(6, **QUICK)
        assert (await queue.extend(held.frame(), "3m", progress=False)).counts == {"ok": 6}
        assert (await queue.nack(held.frame(), progress=False)).counts == {"ok": 6}
        assert isinstance(await queue.publish(messages(1), dry_run=True), Plan)
        assert "read-only" in repr(client)


@pytest.mark.parametrize(
    ("text", "is_on"),
    [("true", True), ("1", True), ("YES", True), ("on", True), ("false", False), ("0", False), ("no", False), ("off", False)],
)
def test_the_switches_are_read_from_text(tmp_path: Path, text: str, is_on: bool) -> None:
    environ = {"ANYPOINT_MQ_READ_ONLY": text, "ANYPOINT_MQ_PRODUCTION": text}
    found = resolve(keywords=APP, environ=environ, home=tmp_path)
    assert (found.read_only, found.production) == (is_on, is_on)
    assert found.sources["read_only"] == "environment variable ANYPOINT_MQ_READ_ONLY"


def test_a_profile_may_hold_json_s_own_words(tmp_path: Path) -> None:
    (tmp_path / ".anypoint").mkdir()
    profile = {**APP, "read_only": True, "production": False}
    (tmp_path / ".anypoint" / "credentials").write_text(json.dumps({"p": profile}))
    found = resolve("p", environ={}, home=tmp_path)
    assert (found.read_only, found.production) == (True, False)
    assert resolve("p", keywords={"read_only": "false"}, environ={}, home=tmp_path).read_only is False


def test_a_wrong_word_is_one_clear_error(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"read_only is .maybe., expected true or false.*ANYPOINT_MQ_READ_ONLY"):
        resolve(keywords={**APP, "read_only": "maybe"}, environ={}, home=tmp_path)


def test_the_embedded_broker_takes_the_guards_too(monkeypatch: pytest.MonkeyPatch) -> None:
    with Client.connect("local", read_only=True) as client, pytest.raises(ReadOnly):
        client.destination("orders").publish(messages(1), progress=False)
    monkeypatch.setenv("ANYPOINT_MQ_JOURNAL", "off")
    with Client.connect("local") as client:
        assert client.journal is None
        assert client.settings.sources["journal"] == "environment variable ANYPOINT_MQ_JOURNAL"


async def test_the_doctor_shows_the_guards(broker: LocalBroker) -> None:
    settings = replace(broker_settings(broker.settings), read_only=True, sources={"read_only": "keyword"})
    async with AsyncClient(settings, transport=broker.transport()) as client:
        report = await client.doctor(reach=False)
    found = {check.check: check.found for check in report.checks}
    assert found["setting read_only"] == "True (keyword)"
    assert found["setting journal"].startswith("not given: the user's own")
    assert found["production"] == "no: destructive verbs ask for nothing (Accounts API)"
