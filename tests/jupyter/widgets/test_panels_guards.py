"""Read-only and production: what the panels refuse, and what they want typed."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from courier_nb.broker import LocalBroker
from courier_nb.core.guards import DESTRUCTIVE

from .panel_driver import Bench, act, arm, click, confirm, connected, fill, queues, send, until


@pytest.fixture
def broker() -> Iterator[LocalBroker]:
    with LocalBroker(queues=queues()) as broker:
        yield broker


@pytest.fixture
def production(broker: LocalBroker) -> Iterator[Bench]:
    with connected(broker, production=True) as client:
        yield Bench(broker, client)


@pytest.fixture
def read_only(broker: LocalBroker) -> Iterator[Bench]:
    with connected(broker, read_only=True) as client:
        yield Bench(broker, client)


def test_read_only_refuses_what_adds_or_deletes_and_says_why(read_only: Bench) -> None:
    bench = read_only
    fill(bench.broker, "orders", 3)
    bench.take(3)
    bench.browser.select([0])
    bench.move.set(to="repaired")
    for panel in bench.panels:
        for action in panel.ACTIONS:
            reason = next(one["reason"] for one in panel.actions if one["name"] == action.name)
            refused = action.verb in DESTRUCTIVE and not action.plan_of
            assert reason.startswith("this connection is read_only") == refused, action
    click(bench.settle, "ack")
    assert "ack would delete messages of it for good" in bench.settle.said
    assert bench.settle.stage == "idle"
    assert act(bench.settle, "nack")["ok"]


def test_read_only_still_shows_plans(read_only: Bench) -> None:
    bench = read_only
    fill(bench.broker, "orders", 3)
    click(bench.drain, "plan")
    until(bench.drain, "planned")
    assert any("Would drain 3 messages" in line for line in bench.drain.lines)
    assert bench.depth("orders") == 3


@pytest.mark.parametrize("typed", ["", "Orders", "orders ", None, "orders-dlq"])
def test_production_wants_the_exact_name(production: Bench, typed: str | None) -> None:
    bench = production
    fill(bench.broker, "orders", 2)
    bench.take(2)
    bench.browser.select([0])
    arm(bench.settle, "ack")
    assert bench.settle.question["name"] == "orders"
    send(bench.settle, do="confirm", name=typed)
    assert bench.settle.stage == "armed"
    assert "type the name of the destination, 'orders', exactly" in bench.settle.said
    assert bench.depth("orders") == 2
    confirm(bench.settle, "orders")
    assert bench.depth("orders") == 1


def test_production_gives_a_minute_to_type(production: Bench) -> None:
    bench = production
    fill(bench.broker, "orders", 2)
    arm(bench.drain, "drain")
    bench.clock.advance(59)
    assert bench.drain.stage == "armed"
    send(bench.drain, do="stay")
    bench.clock.advance(59)
    assert bench.drain.stage == "armed"
    bench.clock.advance(2)
    assert bench.drain.stage == "idle"


def test_what_production_wants_typed_is_what_is_changed(production: Bench) -> None:
    bench = production
    fill(bench.broker, "orders-dlq", 2)
    bench.context.destination = "orders-dlq"
    bench.take(2)
    bench.browser.select([0, 1])
    arm(bench.replay, "replay")
    assert bench.replay.question["name"] == "orders"  # messages are put there
    confirm(bench.replay, "orders")
    assert bench.ids("orders") == ["m-000", "m-001"]
    bench.move.set(to="repaired", limit="1", empties="1")
    arm(bench.move, "move")
    assert bench.move.question["name"] == "orders-dlq"  # messages are taken from there


def test_what_deletes_nothing_needs_no_name(production: Bench) -> None:
    bench = production
    fill(bench.broker, "orders", 2)
    bench.take(2)
    bench.browser.select([0])
    arm(bench.settle, "nack")
    assert bench.settle.question["name"] == ""
    confirm(bench.settle)


def test_the_name_is_in_the_python(production: Bench) -> None:
    bench = production
    fill(bench.broker, "orders", 2)
    bench.take(2)
    bench.browser.select([0])
    assert "orders.ack(picked, confirm='orders')" in bench.settle.code("ack")
    act(bench.settle, "ack", "orders")
    assert bench.context.script.steps[-1].endswith("orders.ack(picked, confirm='orders')")


def test_a_peek_that_may_end_messages_in_production_asks_for_the_name(production: Bench) -> None:
    bench = production
    fill(bench.broker, "orders", 1)
    act(bench.receive, "receive")
    click(bench.receive, "receive")
    until(bench.receive, "failed", "done")
    assert bench.receive.stage == "failed"
    assert "one delivery left" in bench.receive.error
    bench.receive.set(confirm="orders")
    report = act(bench.receive, "receive")
    assert "last chance" in " ".join(report["lines"])
