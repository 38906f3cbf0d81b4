"""production: destructive verbs need the destination's name typed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from courier_nb import AsyncClient, AsyncDestination, ConfirmationNeeded, Report
from courier_nb.broker import SCOPES, BrokerConfig, ConnectedApp, EnvironmentConfig, LocalBroker, QueueConfig
from courier_nb.client import broker_settings

from .conftest import QUICK, Connect, Counting, messages

pytestmark = pytest.mark.anyio

ASKED: dict[str, Callable[[AsyncClient, AsyncDestination, Path, str | None], Any]] = {
    "ack": lambda c, q, p, name: q.ack([], confirm=name, progress=False),
    "drain": lambda c, q, p, name: q.drain(p / "capture", confirm=name, **QUICK),
    "publish": lambda c, q, p, name: q.publish(messages(1), confirm=name, progress=False),
    "replay": lambda c, q, p, name: q.replay(messages(1), confirm=name, progress=False),
    "client replay": lambda c, q, p, name: c.replay(messages(1), to="queue", confirm=name, progress=False),
    "move": lambda c, q, p, name: q.move("dlq", confirm=name),
}


@pytest.mark.parametrize("typed", [None, "Queue", "", "queue "])
@pytest.mark.parametrize("name", ASKED)
async def test_without_the_name_it_is_refused_and_nothing_is_sent(
    connect: Connect, tmp_path: Path, name: str, typed: str | None
) -> None:
    client, transport = connect(production=True)
    async with client:
        with pytest.raises(ConfirmationNeeded, match=r"confirm='queue' \(command line: --confirm\)") as caught:
            await ASKED[name](client, client.destination("queue"), tmp_path, typed)
    assert transport.changing == []
    assert caught.value.destination == "queue"
    assert "Nothing was sent" in str(caught.value)


async def test_with_the_name_it_is_done(connect: Connect, tmp_path: Path) -> None:
    client, _ = connect(production=True)
    async with client:
        queue = client.destination("queue")
        report = await queue.publish(messages(12), confirm="queue", progress=False)
        assert isinstance(report, Report)
        assert report.counts == {"ok": 12}
        held = await queue.receive(2, **QUICK)
        settled = await queue.ack(held.frame(), confirm="queue", progress=False)
        assert isinstance(settled, Report)
        assert settled.counts == {"ok": 2}
        capture = await queue.drain(tmp_path / "capture", confirm="queue", **QUICK)
        assert len(capture) == 10  # type: ignore[arg-type]


async def test_what_deletes_nothing_asks_for_nothing(connect: Connect) -> None:
    client, _ = connect(production=True)
    async with client:
        queue = client.destination("queue")
        await queue.publish_batch(messages(2))  # an operation of the API names everything itself
        await queue.peek(1, **QUICK)
        held = await queue.receive(1, **QUICK)
        await queue.extend(held.frame(), "3m", progress=False)
        await queue.nack(held.frame(), progress=False)
        await queue.publish(messages(1), dry_run=True)


@pytest.fixture
def two_environments() -> BrokerConfig:
    live = EnvironmentConfig("Live", is_production=True, queues=(QueueConfig("queue"),))
    app = ConnectedApp("app-id", "app-secret", scopes=SCOPES, environments=("Live",))
    return BrokerConfig(queues=(QueueConfig("queue"),), environments=(live,), connected_apps=(app,))


async def test_the_accounts_api_says_what_is_production(two_environments: BrokerConfig) -> None:
    with LocalBroker(two_environments) as broker:
        settings = replace(
            broker_settings(broker.settings), client_id="app-id", client_secret="app-secret", environment="Live", journal="off"
        )
        transport = Counting(broker.transport())
        async with AsyncClient(settings, transport=transport) as client:
            queue = client.destination("queue")
            with pytest.raises(ConfirmationNeeded):
                await queue.publish(messages(1), progress=False)
            assert transport.changing == []
            assert client.settings.production is True
            assert client.settings.sources["production"] == "Accounts API"
            await queue.publish(messages(1), confirm="queue", progress=False)
        async with AsyncClient(replace(settings, production=False), transport=broker.transport()) as client:
            await client.destination("queue").publish(messages(1), progress=False)  # what is given holds


async def test_a_sandbox_asks_for_nothing_and_the_accounts_api_is_asked_once(connect: Connect) -> None:
    client, transport = connect()
    async with client:
        queue = client.destination("queue")
        await queue.publish(messages(1), progress=False)
        await queue.publish(messages(1), progress=False)
        assert client.settings.production is False
    assert sum(path.endswith("/environments") for _, path in transport.sent) == 1


async def test_an_mq_client_app_may_not_ask_so_it_is_not_known(broker: LocalBroker, connect: Connect) -> None:
    announced = broker.settings
    transport = Counting(broker.transport())
    settings = replace(broker_settings(announced), auth="client_app", organization=None, environment=None, journal="off")
    async with AsyncClient(settings, transport=transport) as client:
        await client.destination("queue").publish(messages(1), progress=False)
        assert client.settings.production is None
    assert not any(path.endswith("/environments") for _, path in transport.sent)
