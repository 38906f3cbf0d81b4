"""Receive, drain, replay, undo and move by their panels: plan, progress, Stop, report."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from courier_nb import Capture, Replayed
from courier_nb.broker import LocalBroker

from .panel_driver import Bench, act, arm, click, confirm, connected, fill, queues, send, until, wait_for


@pytest.fixture
def broker() -> Iterator[LocalBroker]:
    with LocalBroker(queues=queues()) as broker:
        yield broker


@pytest.fixture
def bench(broker: LocalBroker) -> Iterator[Bench]:
    with connected(broker) as client:
        yield Bench(broker, client)


def plan(bench: Bench, panel: str) -> str:
    chosen = getattr(bench, panel)
    click(chosen, "plan")
    until(chosen, "planned", "failed")
    assert chosen.stage == "planned", chosen.error
    return " ".join(chosen.lines)


def test_what_a_look_costs_is_said_before(bench: Bench) -> None:
    wait_for(lambda: bench.receive.notes)
    assert "Each of at most 10 messages spends one delivery; at least 2 calls, which are billed." in bench.receive.notes
    assert "After 2 deliveries a message that comes back goes to 'orders-dlq'." in bench.receive.notes
    bench.receive.set(count="35")
    wait_for(lambda: "at most 35 messages" in bench.receive.notes[0])
    bench.context.destination = "repaired"
    wait_for(lambda: "no dead-letter queue" in " ".join(bench.receive.notes))
    bench.context.destination = ""
    assert bench.receive.notes == []


def test_peek_shows_and_gives_back(bench: Bench) -> None:
    fill(bench.broker, "orders", 3)
    assert bench.receive.actions[0]["label"] == "Peek"
    report = act(bench.receive, "receive")
    assert report["said"].startswith("3 messages looked at, and given back")
    assert len(bench.browser) == 3
    assert bench.broker.depth("orders") == {"messages": 3, "inflight": 0}


def test_receive_holds_and_adds_to_the_table(bench: Bench) -> None:
    fill(bench.broker, "orders", 5)
    bench.take(3)
    bench.receive.set(add=True)
    bench.take(2)
    assert sorted(bench.browser.frame["message_id"]) == bench.ids("orders")
    assert bench.broker.depth("orders") == {"messages": 0, "inflight": 5}
    assert any("are held and their locks extended" in line for line in bench.receive.report["lines"])


def test_drain_shows_its_plan_first(bench: Bench, tmp_path: Path) -> None:
    fill(bench.broker, "orders", 12)
    bench.drain.set(to=str(tmp_path / "capture"), empties="1")
    words = plan(bench, "drain")
    assert "Would drain 12 messages (orders) in at least 4 calls, each billed. Nothing was sent." in words
    assert bench.depth("orders") == 12
    assert not (tmp_path / "capture").exists()
    lines = arm(bench.drain, "drain")
    assert lines[0] == "Drain 'orders': each message is deleted from the queue once it is on disk."
    report = confirm(bench.drain)
    assert f"The capture: {tmp_path / 'capture'}" in report["lines"]
    assert sorted(Capture(tmp_path / "capture").frame()["message_id"]) == [f"m-{n:03}" for n in range(12)]
    assert bench.depth("orders") == 0


def test_a_drain_can_be_shown_in_the_table(bench: Bench) -> None:
    fill(bench.broker, "orders", 3)
    bench.drain.set(limit="3")
    assert act(bench.drain, "drain")["offers"] == [{"name": "show", "label": "Show in the table"}]
    send(bench.drain, do="offer", name="show")
    assert bench.drain.said == "The table shows the capture: 3 messages."
    assert sorted(bench.browser.frame["message_id"]) == ["m-000", "m-001", "m-002"]


def test_stop_of_a_paced_drain_leaves_every_message_in_one_place(bench: Bench) -> None:
    fill(bench.broker, "orders", 300)
    bench.drain.set(rate="100 msg/s")
    arm(bench.drain, "drain")
    send(bench.drain, do="confirm", name=None)
    wait_for(lambda: bench.drain.progress["done"] > 0)
    assert bench.drain.progress["total"] in (None, 300)
    send(bench.drain, do="stop")
    assert bench.drain.progress["stopping"]
    send(bench.drain, do="stop")  # a double click does not cut it off
    until(bench.drain, "done", "failed")
    assert bench.drain.stage == "done"
    captured = sorted(bench.drain.result.frame()["message_id"])
    assert 0 < len(captured) < 300
    assert sorted([*captured, *bench.ids("orders")]) == [f"m-{n:03}" for n in range(300)]
    assert bench.broker.depth("orders")["inflight"] == 0
    assert "stopped by the user" in bench.drain.report["said"]


def test_a_drain_that_is_ended_now_says_where_to_go_on_and_loses_nothing(bench: Bench) -> None:
    fill(bench.broker, "orders", 300)
    bench.drain.set(rate="100 msg/s", empties="1")
    arm(bench.drain, "drain")
    send(bench.drain, do="confirm", name=None)
    wait_for(lambda: bench.drain.progress["done"] > 0)
    send(bench.drain, do="stop")
    send(bench.drain, do="stop", now=True)
    until(bench.drain, "done", "failed")
    if bench.drain.stage == "failed":  # it may have come to its own end just before
        assert "before it could say what became of everything" in bench.drain.error
        assert bench.drain.values["to"] in bench.drain.error
    folder = bench.drain.values["to"] or str(bench.drain.result.path)
    captured = set(Capture(folder).frame()["message_id"])
    assert captured | set(bench.ids("orders")) == {f"m-{n:03}" for n in range(300)}
    bench.drain.set(to=folder, rate="")
    act(bench.drain, "drain")
    assert sorted(Capture(folder).frame()["message_id"]) == [f"m-{n:03}" for n in range(300)]


def test_stop_after_the_end_does_nothing_and_says_so(bench: Bench) -> None:
    fill(bench.broker, "orders", 2)
    bench.drain.set(limit="2")
    act(bench.drain, "drain")
    send(bench.drain, do="stop")
    assert bench.drain.said == "There is nothing to stop any more."


def test_undo_of_the_last_drain_puts_all_back(bench: Bench) -> None:
    fill(bench.broker, "orders", 7)
    assert [one["reason"] for one in bench.drain.actions if one["name"] == "undo"] == ["nothing was drained here yet."]
    bench.drain.set(limit="7")
    act(bench.drain, "drain")
    click(bench.drain, "undo_plan")
    until(bench.drain, "planned")
    assert "Would undo 7 messages" in " ".join(bench.drain.lines)
    assert bench.depth("orders") == 0
    report = act(bench.drain, "undo")
    assert "7 published" in report["lines"]
    assert bench.ids("orders") == [f"m-{n:03}" for n in range(7)]
    act(bench.replay, "undo")  # once, however often
    assert bench.depth("orders") == 7


def test_replay_of_selected_rows_goes_where_they_died(bench: Bench) -> None:
    fill(bench.broker, "orders-dlq", 4)
    bench.context.destination = "orders-dlq"
    bench.take(4)
    bench.browser.select([0, 2, 3])
    bench.browser.filter = "m-00"
    words = plan(bench, "replay")
    assert "Replay 3 messages of the table into 'orders'." in words
    assert bench.depth("orders") == 0
    report = act(bench.replay, "replay")
    frame = bench.browser.frame
    assert bench.ids("orders") == sorted(frame["message_id"].iloc[[0, 2, 3]])
    assert isinstance(bench.replay.result, Replayed)
    assert any(bench.replay.result.run in line and "ledger" in line for line in report["lines"])
    again = act(bench.replay, "replay")
    assert "3 not tried" in again["lines"]  # confirmed rows are not sent twice
    assert bench.depth("orders") == 3


def test_replay_leaves_hidden_rows_out_and_says_so(bench: Bench) -> None:
    fill(bench.broker, "orders-dlq", 3)
    bench.context.destination = "orders-dlq"
    bench.take(3)
    bench.browser.select([0, 1, 2])
    bench.browser.filter = "m-001"
    assert "1 message of the table (2 more are hidden by the filter and left out)" in arm(bench.replay, "replay")[0]
    confirm(bench.replay)
    assert bench.ids("orders") == ["m-001"]


def test_replay_of_all_rows_and_of_a_capture(bench: Bench, tmp_path: Path) -> None:
    fill(bench.broker, "orders-dlq", 3)
    bench.context.destination = "orders-dlq"
    bench.drain.set(to=str(tmp_path / "capture"), limit="3")
    act(bench.drain, "drain")
    assert bench.replay.values["folder"] == str(tmp_path / "capture")  # the last capture is offered
    bench.replay.set(source="capture", to="repaired", provenance=False)
    act(bench.replay, "replay")
    assert bench.ids("repaired") == ["m-000", "m-001", "m-002"]
    assert bench.broker.messages("repaired")[0].properties == {"source": "web"}
    send(bench.drain, do="offer", name="show")
    bench.replay.set(source="shown", to="", provenance=True)
    act(bench.replay, "replay")
    assert bench.ids("orders") == ["m-000", "m-001", "m-002"]
    assert "courier_nb.run" in bench.broker.messages("orders")[0].properties


def test_the_last_capture_is_offered_unless_another_was_typed(bench: Bench, tmp_path: Path) -> None:
    fill(bench.broker, "orders", 3)
    for number in range(2):
        bench.drain.set(to=str(tmp_path / str(number)), limit="1")
        act(bench.drain, "drain")
        assert bench.replay.values["folder"] == str(tmp_path / str(number))
    bench.replay.set(folder="typed")
    bench.drain.set(to=str(tmp_path / "third"))
    act(bench.drain, "drain")
    assert bench.replay.values["folder"] == "typed"


def test_a_replay_without_a_known_target_says_what_to_do(bench: Bench) -> None:
    fill(bench.broker, "repaired", 1)
    bench.context.destination = "repaired"
    bench.take(1)
    bench.browser.select([0])
    click(bench.replay, "replay")
    until(bench.replay, "failed")
    assert "name the target with to=" in bench.replay.error
    assert "Nothing was done yet." in bench.replay.error


def test_a_replay_from_nowhere_says_what_to_do(bench: Bench) -> None:
    click(bench.replay, "replay")
    assert bench.replay.said == "Nothing was done: select rows in the table first."
    bench.replay.set(source="capture")
    click(bench.replay, "replay")
    assert "fill it in" in bench.replay.said
    bench.replay.set(folder="/nowhere/at/all")
    click(bench.replay, "replay")
    until(bench.replay, "failed")
    assert "/nowhere/at/all" in bench.replay.error


def test_edits_of_the_body_viewer_are_replayed(bench: Bench) -> None:
    from courier_nb.jupyter.bodies.viewer import BodyViewer

    fill(bench.broker, "orders-dlq", 2)
    bench.context.destination = "orders-dlq"
    bench.take(2)
    bench.context.viewer = BodyViewer(bench.browser)
    row = list(bench.browser.frame["message_id"]).index("m-001")
    bench.context.viewer.edit(row, body='{"order": "repaired"}')
    bench.browser.select([0, 1])
    assert "2 messages of the table, with edits" in arm(bench.replay, "replay")[0]
    assert "repaired" in bench.replay.code("replay")
    assert '"repaired"' not in str(bench.replay.get_state())
    send(bench.replay, do="cancel")
    act(bench.replay, "replay")
    bodies = {message.id: message.body for message in bench.broker.messages("orders")}
    assert bodies == {"m-000": '{"order": 0}', "m-001": '{"order": "repaired"}'}


def test_move_shows_its_plan_and_moves(bench: Bench) -> None:
    fill(bench.broker, "orders", 5)
    assert next(one["reason"] for one in bench.move.actions) == "name the queue to move to."
    bench.move.set(to="repaired", limit="3")
    assert "Would move 3 messages" in plan(bench, "move")
    assert bench.depth("repaired") == 0
    report = act(bench.move, "move")
    assert "3 moved" in report["lines"]
    assert len(bench.ids("repaired")) == 3
    assert sorted([*bench.ids("repaired"), *bench.ids("orders")]) == [f"m-{n:03}" for n in range(5)]


def test_a_move_into_itself_or_nowhere_is_refused_in_words(bench: Bench) -> None:
    fill(bench.broker, "orders", 1)
    bench.move.set(to="orders")
    click(bench.move, "move")
    until(bench.move, "failed")
    assert "would be moved into itself" in bench.move.error
    bench.move.set(to="nowhere")
    click(bench.move, "move")
    until(bench.move, "armed")
    send(bench.move, do="confirm", name=None)
    until(bench.move, "failed")
    assert "'nowhere'" in bench.move.error
    assert bench.broker.depth("orders") == {"messages": 1, "inflight": 0}


def test_stop_of_a_paced_move_loses_and_doubles_nothing(bench: Bench) -> None:
    fill(bench.broker, "orders", 200)
    bench.move.set(to="repaired", rate="100 msg/s")
    arm(bench.move, "move")
    send(bench.move, do="confirm", name=None)
    wait_for(lambda: bench.move.progress["done"] > 0)
    send(bench.move, do="stop")
    until(bench.move, "done", "failed")
    assert bench.move.stage == "done", bench.move.error
    assert 0 < len(bench.ids("repaired")) < 200
    assert sorted([*bench.ids("repaired"), *bench.ids("orders")]) == [f"m-{n:03}" for n in range(200)]
