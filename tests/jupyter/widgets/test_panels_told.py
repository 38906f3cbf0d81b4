"""What a user must know before and after a drain or a replay: originals that remain, other queues' folders, what to undo."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from courier_nb import Capture
from courier_nb.broker import LocalBroker
from courier_nb.jupyter.bodies.viewer import BodyViewer

from .panel_driver import Bench, act, arm, click, confirm, connected, fill, queues, send, until, wait_for

STILL_THERE = "The originals are still in 'orders-dlq': acknowledge them in Settle."


@pytest.fixture
def broker() -> Iterator[LocalBroker]:
    with LocalBroker(queues=queues()) as broker:
        yield broker


@pytest.fixture
def bench(broker: LocalBroker) -> Iterator[Bench]:
    with connected(broker) as client:
        yield Bench(broker, client, destination="orders-dlq")


def plan(bench: Bench, panel: str) -> str:
    chosen = getattr(bench, panel)
    click(chosen, "plan")
    until(chosen, "planned", "failed")
    assert chosen.stage == "planned", chosen.error
    return " ".join(chosen.lines)


def row_of(bench: Bench, message_id: str) -> int:
    return [str(one) for one in bench.browser.frame["message_id"]].index(message_id)


def flagged(bench: Bench, word: str) -> set[str]:
    ids = bench.browser.frame["message_id"]
    return {str(ids.iloc[row]) for row in range(len(bench.browser)) if word in bench.browser.flags_of(row)}


def test_a_replay_of_held_rows_says_that_the_originals_remain_and_flags_the_rows(bench: Bench) -> None:
    fill(bench.broker, "orders-dlq", 3)
    bench.take(3)
    bench.browser.select([row_of(bench, "m-000"), row_of(bench, "m-002")])
    lines = act(bench.replay, "replay")["lines"]
    assert lines[:2] == ["2 published", STILL_THERE]
    assert flagged(bench, "replayed") == {"m-000", "m-002"}
    assert bench.depth("orders-dlq") == 3


def test_a_replay_of_rows_that_went_back_says_that_they_are_not_locked(bench: Bench) -> None:
    fill(bench.broker, "orders-dlq", 2)
    act(bench.receive, "receive")  # a peek
    bench.browser.select([0])
    lines = act(bench.replay, "replay")["lines"]
    assert "Originals are still in 'orders-dlq', not locked for you: receive them to delete them." in lines
    assert STILL_THERE not in lines


def test_a_replay_of_acknowledged_rows_says_so_before_and_speaks_of_no_originals(bench: Bench) -> None:
    fill(bench.broker, "orders-dlq", 4)
    bench.take(4)
    bench.browser.select([0, 1, 2])
    act(bench.settle, "ack")
    bench.replay.set(source="shown")
    words = "3 of them were acknowledged already."
    assert words in plan(bench, "replay")
    assert words in arm(bench.replay, "replay")
    assert STILL_THERE in confirm(bench.replay)["lines"]  # of the fourth
    bench.replay.set(source="selected")
    bench.browser.select([0])
    asked = arm(bench.replay, "replay")
    assert "1 of them was acknowledged already." in asked
    assert "1 of them was replayed from this table already." in asked
    assert not any("riginals" in line for line in confirm(bench.replay)["lines"])


def test_a_replay_of_a_capture_speaks_of_no_originals(bench: Bench) -> None:
    fill(bench.broker, "orders-dlq", 2)
    bench.drain.set(limit="2")
    act(bench.drain, "drain")
    send(bench.drain, do="offer", name="show")
    bench.browser.select([0])
    asked = arm(bench.replay, "replay")
    assert not any("acknowledged already" in line for line in asked)
    assert not any("riginals" in line for line in confirm(bench.replay)["lines"])
    assert len(flagged(bench, "replayed")) == 1
    bench.replay.set(source="capture")
    assert not any("riginals" in line for line in act(bench.replay, "replay")["lines"])


def test_edits_stay_so_that_replaying_again_sends_nothing_twice(bench: Bench) -> None:
    fill(bench.broker, "orders-dlq", 3)
    bench.take(3)
    viewer = bench.context.viewer = BodyViewer(bench.browser)
    sent, other = row_of(bench, "m-001"), row_of(bench, "m-002")
    viewer.edit(sent, body="repaired")
    viewer.edit(other, body="not sent yet")
    bench.browser.select([sent])
    act(bench.replay, "replay")
    act(bench.replay, "replay")
    assert [message.body for message in bench.broker.messages("orders")] == ["repaired"]
    assert set(viewer.edits) == {sent, other}
    assert flagged(bench, "edited") == {"m-001", "m-002"}
    assert flagged(bench, "replayed") == {"m-001"}


def test_an_edit_made_while_the_row_was_replayed_stays(bench: Bench) -> None:
    fill(bench.broker, "orders-dlq", 1)
    bench.take(1)
    viewer = bench.context.viewer = BodyViewer(bench.browser)
    viewer.edit(0, body="first")
    bench.browser.select([0])
    arm(bench.replay, "replay")
    viewer.edit(0, body="second")
    confirm(bench.replay)
    assert [message.body for message in bench.broker.messages("orders")] == ["first"]
    assert [message.body for message in viewer.edits.values()] == ["second"]


def test_a_drain_into_the_folder_of_another_queue_says_so_before(bench: Bench, tmp_path: Path) -> None:
    fill(bench.broker, "orders-dlq", 7)
    folder = tmp_path / "capture"
    bench.drain.set(to=str(folder), limit="7")
    act(bench.drain, "drain")
    fill(bench.broker, "orders-dlq", 1, start=7)
    fill(bench.broker, "orders", 2)
    assert "already holds" not in plan(bench, "drain")  # its own folder
    bench.context.destination = "orders"
    words = "warning: This folder already holds 7 messages of 'orders-dlq'."
    assert words in plan(bench, "drain")
    assert words in arm(bench.drain, "drain")
    bench.drain.set(to=str(tmp_path / "another"))
    assert "already holds" not in plan(bench, "drain")


def test_a_folder_that_cannot_be_read_is_said_in_the_plan(bench: Bench, tmp_path: Path) -> None:
    (tmp_path / "_courier").mkdir()
    (tmp_path / "_courier" / "capture.json").write_text("nonsense")
    bench.drain.set(to=str(tmp_path))
    assert "What this folder holds already cannot be read" in plan(bench, "drain")


def end_now(bench: Bench) -> None:
    """Begin a slow drain, and end it before it can say what became of everything."""
    bench.drain.set(rate="20 msg/s", limit="", concurrency="1")
    arm(bench.drain, "drain")
    send(bench.drain, do="confirm", name=None)
    wait_for(lambda: bench.drain.progress["done"] >= 20)
    send(bench.drain, do="stop")
    send(bench.drain, do="stop", now=True)
    until(bench.drain, "failed")


def test_a_drain_that_was_ended_now_is_the_one_that_undo_takes_back(bench: Bench) -> None:
    fill(bench.broker, "orders-dlq", 200)
    bench.drain.set(limit="5")
    act(bench.drain, "drain")
    first = bench.context.last_drain
    end_now(bench)
    folder = bench.drain.values["to"]
    assert folder
    assert bench.context.capture == folder
    assert bench.context.last_drain == Capture(folder).runs["run"].iloc[-1] != first
    before = bench.depth("orders-dlq")
    act(bench.drain, "undo")
    assert bench.depth("orders-dlq") > before


def test_a_drain_that_failed_before_it_took_anything_leaves_the_one_before_it_to_undo(bench: Bench, tmp_path: Path) -> None:
    fill(bench.broker, "orders-dlq", 5)
    folder = tmp_path / "capture"
    bench.drain.set(to=str(folder), limit="5")
    act(bench.drain, "drain")
    first = bench.context.last_drain
    (tmp_path / "file").write_text("no folder")
    bench.drain.set(to=str(tmp_path / "file"))
    arm(bench.drain, "drain")
    send(bench.drain, do="confirm", name=None)
    until(bench.drain, "failed")
    assert bench.context.last_drain == first
    assert bench.context.capture == str(folder)
    assert bench.drain.busy == ""


def test_a_folder_that_the_panel_filled_in_goes_with_its_queue_and_one_that_was_typed_stays(bench: Bench) -> None:
    fill(bench.broker, "orders-dlq", 200)
    end_now(bench)
    assert bench.drain.values["to"]
    bench.context.destination = "orders"
    assert bench.drain.values["to"] == ""
    bench.drain.set(to="my-folder")
    bench.context.destination = "orders-dlq"
    assert bench.drain.values["to"] == "my-folder"


def test_the_plan_of_a_drain_says_what_this_client_holds_itself(bench: Bench) -> None:
    fill(bench.broker, "orders-dlq", 7)
    bench.take(5)
    words = plan(bench, "drain")
    assert "Of 5 in flight this client holds 5; a drain does not see what is locked." in words
    assert "by others" not in words


def test_the_plan_of_a_drain_says_what_others_hold(bench: Bench) -> None:
    fill(bench.broker, "orders-dlq", 7)
    with connected(bench.broker) as other:
        other.destination("orders-dlq").receive(1, progress=False)
        assert "1 message is locked by others; what is locked is not seen." in plan(bench, "drain")


def test_plans_count_one_message_and_one_call_as_one(bench: Bench) -> None:
    fill(bench.broker, "orders-dlq", 1)
    bench.take(1)
    bench.browser.select([0])
    bench.replay.set(to="orders")
    assert "Would replay 1 message (orders) in at least 1 call, which is billed. Nothing was sent." in plan(bench, "replay")
    act(bench.replay, "replay")
    assert "Would replay 0 of 1 message (orders) without any call. Nothing was sent." in plan(bench, "replay")
