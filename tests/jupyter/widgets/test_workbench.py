"""The workbench as a whole: its parts work on the same things, and what it saves is harmless."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import ipywidgets
import pytest

import courier_nb
from courier_nb.blocking.client import Client
from courier_nb.broker import LocalBroker
from courier_nb.client import broker_settings
from courier_nb.core.errors import InvalidArgument
from courier_nb.jupyter import Workbench

from .front_end import FrontEnd
from .panel_driver import act, fill, queues, wait_for

SECRETS = ('"order"', "a-property-value", "AQEB")


@pytest.fixture
def broker() -> Iterator[LocalBroker]:
    with LocalBroker(queues=queues()) as broker:
        yield broker


def connected(broker: LocalBroker, **settings: object) -> Client:
    return Client(replace(broker_settings(broker.settings), **settings), transport=broker.transport())


@pytest.fixture
def client(broker: LocalBroker) -> Iterator[Client]:
    with connected(broker) as client:
        yield client


def test_all_parts_act_on_what_is_picked_and_shown(broker: LocalBroker, client: Client, tmp_path: Path) -> None:
    fill(broker, "orders", 12)
    bench = client.browse(destination="orders")
    assert [panel.destination for panel in (bench.receive, bench.settle, bench.drain, bench.replay, bench.move)] == ["orders"] * 5
    bench.receive.set(how="receive", count="12")
    act(bench.receive, "receive")
    assert len(bench.browser.frame) == 12
    bench.browser.select([0, 1, 2])
    report = act(bench.settle, "ack")
    assert "3" in report["said"]
    assert sum(broker.depth("orders").values()) == 9
    assert bench.steps == 2
    assert "orders.receive(12" in bench.script.text
    assert "orders.ack(" in bench.script.text
    compile(bench.script.text, "script", "exec")


def test_what_is_held_is_said_whether_the_table_shows_it_or_not(broker: LocalBroker, client: Client) -> None:
    fill(broker, "orders", 5)
    fill(broker, "repaired", 2)
    bench = client.browse(destination="orders")
    assert bench.held == ""
    bench.receive.set(how="receive", count="5")
    act(bench.receive, "receive")
    assert bench.held == "Holding 5 messages: 5 of orders"
    bench.picker.value = "repaired"
    report = act(bench.receive, "receive")
    assert bench.held == "Holding 7 messages: 5 of orders, 2 of repaired"
    assert any("5 messages that the table showed before: still held" in line for line in report["lines"])
    client.destination("repaired").ack(bench.browser.frame)  # by a cell
    wait_for(lambda: bench.held == "Holding 5 messages: 5 of orders")
    bench.picker.value = "orders"
    act(bench.settle, "release")
    wait_for(lambda: bench.held == "")


def test_messages_on_their_last_chance_are_said_to_be_dead_lettered(broker: LocalBroker, client: Client) -> None:
    fill(broker, "orders", 2)
    client.destination("orders").peek(2, polling_time="20ms", progress=False)
    bench = client.browse(destination="orders")
    bench.receive.set(how="receive", count="2")
    act(bench.receive, "receive")
    bench.browser.select([0])
    report = act(bench.settle, "nack")
    assert "1 gone to the dead-letter queue" in report["said"]
    assert bench.browser.state_of(0) == "dead-lettered"
    report = act(bench.settle, "release")
    assert "there was nothing to do" in report["said"]
    assert sum(broker.depth("orders-dlq").values()) == 1


def test_what_is_under_way_and_the_mode_are_always_said(broker: LocalBroker) -> None:
    with connected(broker, production=True, read_only=True) as client:
        bench = client.browse()
        assert (bench.mode["production"], bench.mode["read_only"]) == (True, True)
        assert "production, read only" in bench._words()[0]
        bench.turns.take("a drain of orders")
        assert bench.busy == "a drain of orders"
        bench.turns.give_back()
        assert bench.busy == ""


def test_production_that_nobody_knows_is_said_to_be_unknown(tmp_path: Path) -> None:
    nobody = courier_nb.connect(
        mq_url="http://127.0.0.1:9/api/v1", client_id="x", client_secret="y", environment="e", organization="o"
    )
    bench = nobody.browse()
    assert bench.mode["production"] is None
    wait_for(lambda: bench.mode["production_note"] != "production: not known (asking …)")
    assert bench.mode["production_note"].startswith("production: not known (")


def test_neither_state_nor_fallback_holds_bodies_properties_locks_or_secrets(broker: LocalBroker, client: Client) -> None:
    queue = client.destination("orders")
    queue.publish([courier_nb.Message('{"order": 1}', {"p": "a-property-value"}, {"messageId": "m-1"})], progress=False)
    received = queue.receive(1, polling_time="20ms", progress=False)
    bench = client.browse(received, destination="orders")
    bench.browser.select([0])
    bench.browser.focus = 0
    act(bench.settle, "extend")
    widgets = [bench, *bench._parts.values()]
    saved = json.dumps(ipywidgets.Widget.get_manager_state(widgets=widgets), default=str)
    shown = json.dumps([widget._repr_mimebundle_() for widget in widgets], default=str) + "".join(map(repr, widgets))
    lock = received.messages[0].lock_id
    for secret in (*SECRETS, lock, client.settings.client_secret):
        assert secret not in saved
        assert secret not in shown
    assert "text/html" in bench._repr_mimebundle_()[0]
    assert "m-1" not in bench._repr_mimebundle_()[0]["text/html"]


def test_the_script_is_told_when_asked_and_not_kept_in_the_state(client: Client) -> None:
    bench = client.browse()
    bench.script.add("# a step of a test")
    bench.comm = front = FrontEnd()
    bench._do_script({}, [])
    ((message, _),) = front.told("script")
    assert "# a step of a test" in message["text"]
    assert "# a step of a test" not in json.dumps(bench.get_state(), default=str)


def test_closing_closes_every_part_and_leaves_the_client(broker: LocalBroker, client: Client) -> None:
    bench = client.browse()
    parts = list(bench._parts.values())
    bench.close()
    assert [part.comm for part in parts] == [None] * len(parts)
    assert client.depth("orders") is not None


def test_a_wrong_keyword_or_client_is_one_clear_error(client: Client) -> None:
    with pytest.raises(InvalidArgument, match="BodyViewer has no 'colour'"):
        courier_nb.jupyter.BodyViewer(colour="red")
    with pytest.raises(TypeError):
        Workbench(client, colour="red")
    with pytest.raises(InvalidArgument, match="blocking Client"):
        Workbench("a client")
