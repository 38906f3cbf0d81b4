"""What an earlier click left behind does not mix with what is asked for now."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from courier_nb.broker import LocalBroker

from .panel_driver import Bench, arm, click, connected, fill, queues, send, until, wait_for


@pytest.fixture
def bench() -> Iterator[Bench]:
    with LocalBroker(queues=queues()) as broker, connected(broker) as client:
        yield Bench(broker, client)


def test_words_of_an_earlier_click_do_not_stand_beside_a_new_error(bench: Bench) -> None:
    fill(bench.broker, "orders", 2)
    bench.take(2)
    bench.browser.select([0])
    arm(bench.settle, "ack")
    bench.context.destination = "repaired"
    assert "Another destination was picked" in bench.settle.said
    click(bench.settle, "release")
    assert bench.settle.error == "This client holds nothing of 'repaired'."
    assert bench.settle.said == ""


def test_the_folder_of_a_drain_that_was_cut_off_is_not_filled_in_for_another_queue(bench: Bench) -> None:
    fill(bench.broker, "orders", 300)
    bench.drain.set(rate="50 msg/s")
    arm(bench.drain, "drain")
    send(bench.drain, do="confirm", name=None)
    wait_for(lambda: bench.drain.progress["done"] > 0)
    bench.context.destination = "repaired"
    send(bench.drain, do="stop")
    send(bench.drain, do="stop", now=True)
    until(bench.drain, "failed")
    assert "The same drain into that folder goes on" in bench.drain.error
    assert bench.drain.values["to"] == ""


def test_a_selection_that_changes_while_its_facts_arrive_is_not_asked_about(bench: Bench) -> None:
    fill(bench.broker, "orders", 3)
    bench.take(3)
    bench.browser.select([0, 1])
    panel = bench.settle
    ask = panel._confirmation.ask

    def ask_late(armed) -> None:
        panel.context.browser.select([2])
        ask(armed)

    panel._confirmation.ask = ask_late
    click(panel, "ack")
    wait_for(lambda: "changed meanwhile" in panel.said)
    assert (panel.stage, panel._confirmation.waiting) == ("idle", None)
    send(panel, do="confirm", name=None)
    assert len(bench.client.held()) == 3


def test_a_choice_that_cannot_be_had_withdraws_the_question(bench: Bench) -> None:
    fill(bench.broker, "orders", 1)
    fill(bench.broker, "repaired", 1)
    bench.take(1)
    bench.browser.append(bench.client.destination("repaired").receive(1, polling_time="20ms", progress=False))
    bench.browser.query = "destination == 'orders'"
    bench.browser.select([0, 1])
    arm(bench.settle, "ack")
    send(bench.settle, do="choose", name="also_hidden", value=True)
    assert bench.settle.stage == "idle"
    assert "Select those of one" in bench.settle.said
    send(bench.settle, do="confirm", name=None)
    assert len(bench.client.held()) == 2
