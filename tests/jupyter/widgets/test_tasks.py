"""Work that a click starts: Stop ends it with a report, and its end is always told."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

import courier_nb
from courier_nb.blocking.client import inner_of
from courier_nb.broker import LocalBroker
from courier_nb.core.errors import DestinationNotFound, InvalidArgument
from courier_nb.jupyter.tasks import BackgroundTask, Ended
from courier_nb.jupyter.turns import Turns

from .panel_driver import connected


@pytest.fixture
def client() -> Iterator[courier_nb.Client]:
    with LocalBroker(queues=["orders", "copy"]) as broker, connected(broker) as client:
        yield client


class Heard:
    """What a task said."""

    def __init__(self) -> None:
        self.ends: list[Ended] = []
        self.done: list[int] = []
        self.ticked = threading.Event()

    def tick(self, counters) -> None:
        self.done += [counter.done for counter in counters]
        if self.done and self.done[-1]:
            self.ticked.set()


def fill(client: courier_nb.Client, count: int) -> courier_nb.Destination:
    orders = client.destination("orders")
    orders.publish([courier_nb.Message(f"body {number}", {}, {"messageId": str(number)}) for number in range(count)])
    return orders


def test_a_stopped_drain_ends_with_a_report_and_every_message_is_in_one_place(client: courier_nb.Client, tmp_path: Path) -> None:
    orders, heard = fill(client, 400), Heard()
    inner = inner_of(client).destination("orders")
    task = BackgroundTask(lambda: inner.drain(tmp_path / "c", rate="100 msg/s"), on_tick=heard.tick, on_end=heard.ends.append)
    assert heard.ticked.wait(20)
    task.stop()
    assert task.wait(20)
    (ended,) = heard.ends
    report = ended.result.report
    assert report.stopped_because == "stopped by the user"
    assert report.acked == report.received < 400
    kept = set(ended.result.frame()["message_id"])
    left = {message.message_id for message in orders.receive(400, polling_time="20ms", progress=False).messages}
    assert kept.isdisjoint(left)
    assert kept | left == {str(number) for number in range(400)}


def test_a_stopped_settle_says_which_messages_were_not_sent(client: courier_nb.Client) -> None:
    received, heard = fill(client, 300).receive(300, polling_time="20ms", progress=False), Heard()
    inner = inner_of(client).destination("orders")
    task = BackgroundTask(lambda: inner.ack(received, rate="50 msg/s"), on_tick=heard.tick, on_end=heard.ends.append)
    assert heard.ticked.wait(20)
    task.stop()
    assert task.wait(20)
    report = heard.ends[0].result
    assert report.counts["ok"] + report.counts["skipped"] == 300
    assert {outcome.reason for outcome in report.outcomes if outcome.kind == "skipped"} == {
        "stopped by the user before it was sent"
    }
    assert len(client.held()) == report.counts["skipped"]


def test_a_stopped_publish_leaves_the_rest_unsent(client: courier_nb.Client) -> None:
    frame = fill(client, 300).receive(300, polling_time="20ms", progress=False).frame()
    heard, inner = Heard(), inner_of(client).destination("copy")
    task = BackgroundTask(lambda: inner.replay(frame, rate="50 msg/s"), on_tick=heard.tick, on_end=heard.ends.append)
    assert heard.ticked.wait(20)
    task.stop()
    assert task.wait(20)
    report = heard.ends[0].result
    there = client.destination("copy").receive(300, polling_time="20ms", progress=False)
    assert len(there.messages) == report.counts["ok"] < 300
    again = client.destination("copy").replay(frame, progress=False)  # the rest is still to be sent, and only the rest
    assert sum(outcome.kind == "ok" for outcome in again.outcomes) == 300 - report.counts["ok"]


def test_stop_again_ends_it_at_once_and_says_that_it_was_abandoned(client: courier_nb.Client, tmp_path: Path) -> None:
    heard, inner = Heard(), inner_of(client).destination("orders")
    task = BackgroundTask(lambda: inner.drain(tmp_path / "c", polling_time="20s"), on_tick=heard.tick, on_end=heard.ends.append)
    task.stop()
    task.stop()
    assert task.wait(10)
    assert heard.ends == [Ended(is_abandoned=True)]


def test_an_error_is_told_and_not_raised_into_nothing(client: courier_nb.Client) -> None:
    heard, inner = Heard(), inner_of(client).destination("no-such-queue")
    task = BackgroundTask(lambda: inner.receive(1, polling_time="20ms"), on_tick=heard.tick, on_end=heard.ends.append)
    assert task.wait(20)
    assert isinstance(heard.ends[0].error, DestinationNotFound)


def test_one_action_at_a_time_and_late_clicks_do_nothing() -> None:
    turns, told = Turns(), []
    turns.on_change(lambda: told.append((turns.number, turns.busy_with)))
    turns.take("ack of orders", 0)
    with pytest.raises(InvalidArgument, match="ack of orders is under way"):
        turns.take("drain of orders", 1)
    turns.give_back()
    with pytest.raises(InvalidArgument, match="before the last action ended"):
        turns.take("ack of orders", 0)
    turns.take("drain of orders", 2)
    assert told == [(1, "ack of orders"), (2, ""), (3, "drain of orders")]


def test_work_goes_on_when_its_progress_cannot_be_shown(client: courier_nb.Client) -> None:
    received, heard = fill(client, 100).receive(100, polling_time="20ms", progress=False), Heard()
    inner, ticked = inner_of(client).destination("orders"), threading.Event()

    def tick(_: object) -> None:
        ticked.set()
        raise ValueError("the observer of a trait")

    task = BackgroundTask(lambda: inner.ack(received, rate="100 msg/s"), on_tick=tick, on_end=heard.ends.append)
    assert task.wait(30)
    assert ticked.is_set()
    (ended,) = heard.ends
    assert ended.result.counts["ok"] == 100


def test_a_turn_can_be_taken_and_given_back_when_somebody_cannot_be_told() -> None:
    turns, told = Turns(), []

    def fail() -> None:
        raise ValueError("the observer of a trait")

    turns.on_change(fail)
    turns.on_change(lambda: told.append(turns.busy_with))
    turns.take("ack")
    turns.give_back()
    turns.take("nack")
    assert told == ["ack", "", "nack"]
