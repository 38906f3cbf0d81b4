"""What all panels have in common: turns, late clicks, confirmations, fields, errors in words."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from courier_nb.broker import Fault, LocalBroker
from courier_nb.core.errors import InvalidArgument
from courier_nb.jupyter.panels.drain import DrainPanel
from courier_nb.jupyter.panels.settle import SettlePanel

from .panel_driver import Bench, act, arm, click, confirm, connected, fill, queues, send, until, wait_for


@pytest.fixture
def broker() -> Iterator[LocalBroker]:
    with LocalBroker(queues=queues()) as broker:
        yield broker


@pytest.fixture
def bench(broker: LocalBroker) -> Iterator[Bench]:
    with connected(broker) as client:
        yield Bench(broker, client)


def test_a_panel_needs_a_client_or_a_context() -> None:
    with pytest.raises(InvalidArgument, match="DrainPanel needs a client"):
        DrainPanel()


def test_a_panel_works_alone(broker: LocalBroker) -> None:
    fill(broker, "orders", 3)
    with connected(broker) as client:
        panel = DrainPanel(client, destination="orders")
        panel.set(limit="3")
        report = act(panel, "drain")
        assert "3 deleted from the queue, and in the capture" in report["lines"]
        assert len(panel.result) == 3
        assert report["offers"] == []  # there is no table to show it in


def test_a_settle_panel_alone_says_that_it_has_no_table(broker: LocalBroker) -> None:
    with connected(broker) as client:
        panel = SettlePanel(client, destination="orders")
        assert {one["name"]: one["reason"] for one in panel.actions}["ack"] == "there is no table to select rows in."


def test_nothing_is_done_before_it_is_confirmed(bench: Bench) -> None:
    fill(bench.broker, "orders", 3)
    bench.take(3)
    bench.browser.select([0, 1])
    lines = arm(bench.settle, "ack")
    assert lines[0] == "Delete 2 messages of 'orders'."
    assert bench.settle.question["confirm"] == "Delete 2 messages"
    assert bench.depth("orders") == 3
    confirm(bench.settle)
    assert bench.depth("orders") == 1


@pytest.mark.parametrize("seconds", [10.0, 3600.0])
def test_a_confirmation_that_nobody_gives_is_withdrawn(bench: Bench, seconds: float) -> None:
    fill(bench.broker, "orders", 1)
    bench.take(1)
    bench.browser.select([0])
    arm(bench.settle, "ack")
    bench.clock.advance(seconds)
    assert bench.settle.stage == "idle"
    assert "Not confirmed in time; nothing was done" in bench.settle.said
    send(bench.settle, do="confirm", name=None)
    assert bench.settle.stage == "idle"
    assert bench.depth("orders") == 1


def test_whoever_is_at_the_confirmation_has_more_time(bench: Bench) -> None:
    fill(bench.broker, "orders", 1)
    bench.take(1)
    bench.browser.select([0])
    arm(bench.settle, "ack")
    for _ in range(5):
        bench.clock.advance(9)
        send(bench.settle, do="stay")
    confirm(bench.settle)
    assert bench.depth("orders") == 0


def test_cancel_does_nothing(bench: Bench) -> None:
    fill(bench.broker, "orders", 1)
    bench.take(1)
    bench.browser.select([0])
    arm(bench.settle, "ack")
    send(bench.settle, do="cancel")
    assert (bench.settle.stage, bench.settle.said) == ("idle", "Not confirmed; nothing was done.")
    assert bench.depth("orders") == 1


def test_another_selection_withdraws_the_confirmation(bench: Bench) -> None:
    fill(bench.broker, "orders", 2)
    bench.take(2)
    bench.browser.select([0])
    arm(bench.settle, "ack")
    bench.browser.select([1])
    assert bench.settle.stage == "idle"
    assert "The selection changed" in bench.settle.said


def test_another_filter_withdraws_the_confirmation(bench: Bench) -> None:
    fill(bench.broker, "orders", 2)
    bench.take(2)
    bench.browser.select([0])
    arm(bench.settle, "ack")
    bench.browser.filter = "m-001"
    assert bench.settle.stage == "idle"


def test_another_field_or_destination_withdraws_the_confirmation(bench: Bench) -> None:
    fill(bench.broker, "orders", 2)
    arm(bench.drain, "drain")
    send(bench.drain, do="set", values={"limit": "1"})
    assert bench.drain.stage == "idle"
    arm(bench.drain, "drain")
    bench.context.destination = "orders-dlq"
    assert (bench.drain.stage, bench.drain.destination) == ("idle", "orders-dlq")
    assert bench.depth("orders") == 2


def test_clicks_that_waited_for_a_busy_kernel_act_once(bench: Bench) -> None:
    fill(bench.broker, "orders", 30)
    seen = bench.receive.turn
    bench.receive.set(how="receive", count="10")
    for _ in range(4):
        click(bench.receive, "receive", turn=seen)
    until(bench.receive, "done")
    assert "nothing was done" in bench.receive.said or bench.receive.report["ok"]
    assert bench.broker.depth("orders") == {"messages": 20, "inflight": 10}


def test_a_late_confirm_does_nothing_and_says_so(bench: Bench) -> None:
    fill(bench.broker, "orders", 2)
    bench.take(2)
    bench.browser.select([0])
    arm(bench.settle, "ack")
    seen = bench.settle.turn
    confirm(bench.settle)
    bench.browser.select([1])
    arm(bench.settle, "ack")
    send(bench.settle, do="confirm", name=None, turn=seen)
    assert bench.settle.stage == "armed"
    assert "came too late; nothing was done" in bench.settle.said
    assert bench.depth("orders") == 1


def test_one_action_at_a_time_over_all_panels(bench: Bench) -> None:
    fill(bench.broker, "orders", 200)
    bench.drain.set(rate="20 msg/s")
    arm(bench.drain, "drain")
    send(bench.drain, do="confirm", name=None)
    assert bench.drain.stage == "running"
    assert bench.receive.busy == "drain of 'orders'"
    assert [one["reason"] for one in bench.receive.actions] == ["drain of 'orders' is under way."]
    click(bench.receive, "receive")
    assert bench.receive.said == "Nothing was done: drain of 'orders' is under way."
    assert bench.receive.stage == "idle"
    send(bench.drain, do="stop")
    until(bench.drain, "done")
    assert bench.receive.busy == ""


def test_an_action_elsewhere_withdraws_the_confirmation(bench: Bench) -> None:
    fill(bench.broker, "orders", 5)
    arm(bench.drain, "drain")
    act(bench.receive, "receive")
    assert bench.drain.stage == "idle"
    assert "nothing was done" in bench.drain.said


@pytest.mark.parametrize(
    ("field", "value", "words"),
    [
        ("count", "ten", "whole number of at least 1"),
        ("count", "0", "whole number of at least 1"),
        ("count", "", "fill it in"),
        ("lock_ttl", "soon", "is not a duration"),
        ("rate", "fast", "rate is 'fast'"),
        ("how", "eat", "choose one of the list"),
    ],
)
def test_a_wrong_field_is_told_in_words_and_stops_the_action(bench: Bench, field: str, value: str, words: str) -> None:
    send(bench.receive, do="set", values={field: value})
    assert words in bench.receive.problems[field]
    click(bench.receive, "receive")
    assert bench.receive.said.startswith("Nothing was done: ")
    assert words in bench.receive.said


def test_fields_that_are_not_shown_stop_nothing(bench: Bench) -> None:
    send(bench.receive, do="set", values={"how": "receive", "hold": "soon"})
    assert "hold" in bench.receive.problems
    send(bench.receive, do="set", values={"how": "peek"})
    assert bench.receive.problems == {}


def test_an_unknown_field_or_action_is_refused_in_words(bench: Bench) -> None:
    with pytest.raises(InvalidArgument, match="'depth' is no field here; there are how, count"):
        bench.receive.set(depth=1)
    send(bench.receive, do="act", action="explode")
    assert "Receive has no action 'explode'" in bench.receive.error


def test_an_error_says_what_happened_what_was_done_and_what_to_do(bench: Bench) -> None:
    fill(bench.broker, "orders", 2)
    bench.take(2)
    bench.browser.select([0, 1])
    arm(bench.settle, "ack")
    bench.broker.delete_queue("orders")
    send(bench.settle, do="confirm", name=None)
    until(bench.settle, "failed", "done")
    assert bench.settle.stage == "failed"
    assert "'orders'" in bench.settle.error
    assert "what was not deleted comes again" in bench.settle.error
    assert "failed" in bench.context.script.steps[-1]
    assert bench.settle.busy == ""
    bench.browser.select([])
    click(bench.settle, "ack")
    assert bench.settle.said == "Nothing was done: select rows in the table first."


def test_a_client_that_was_closed_is_told_in_words(bench: Bench) -> None:
    fill(bench.broker, "orders", 200)
    bench.drain.set(rate="20 msg/s")
    arm(bench.drain, "drain")
    send(bench.drain, do="confirm", name=None)
    wait_for(lambda: bench.drain.progress["done"])
    bench.client.close()
    until(bench.drain, "failed", "done")
    assert bench.drain.stage == "failed"
    assert "closed" in bench.drain.error
    assert "in the capture" in bench.drain.error
    assert bench.drain.busy == ""


def test_nothing_of_a_message_is_in_the_state(bench: Bench) -> None:
    fill(bench.broker, "orders", 3)
    bench.take(3)
    bench.browser.select([0])
    act(bench.settle, "nack")
    bench.drain.set(limit="1")
    act(bench.drain, "drain")
    locks = bench.browser.frame["lock_id"]
    for panel in bench.panels:
        state = json.dumps(panel.get_state(), default=str).replace(panel._esm, "")
        assert '"order": 1' not in state
        assert "web" not in state
        assert not [lock for lock in locks if str(lock) in state]


def test_the_panel_as_text_says_what_it_is(bench: Bench) -> None:
    assert repr(bench.drain) == "<Drain of 'orders': idle>"
    assert "Drain of 'orders'" in bench.drain._repr_mimebundle_()[0]["text/plain"]


def slow_lookups(bench: Bench, seconds: float) -> None:
    """Let the service take its time over everything that is only asked."""
    bench.broker.faults.add(Fault("delay", operations=("stats", "admin"), seconds=seconds))


def test_looking_can_be_stopped_and_has_done_nothing(bench: Bench) -> None:
    fill(bench.broker, "orders", 3)
    act(bench.receive, "receive")  # connects
    slow_lookups(bench, 60)
    click(bench.drain, "drain")
    assert (bench.drain.stage, bench.receive.busy) == ("looking", "looking at what drain of 'orders' would do")
    send(bench.drain, do="stop")
    until(bench.drain, "idle")
    assert bench.drain.said == "Stopped; nothing was done. Ask again."
    assert bench.depth("orders") == 3


def test_what_changes_while_it_looks_must_be_asked_again(bench: Bench) -> None:
    fill(bench.broker, "orders", 3)
    act(bench.receive, "receive")
    slow_lookups(bench, 0.3)
    click(bench.drain, "drain")
    bench.context.destination = "orders-dlq"
    until(bench.drain, "idle", "armed", "failed")
    assert bench.drain.stage == "idle"
    assert bench.drain.said == "Something changed meanwhile; nothing was done. Ask again."
