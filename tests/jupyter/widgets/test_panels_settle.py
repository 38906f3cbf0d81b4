"""Settling what is selected in the table: what the confirmation says, and what becomes of the rows."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from courier_nb.broker import Fault, LocalBroker

from .panel_driver import Bench, act, arm, click, confirm, connected, fill, queues, send, until


@pytest.fixture
def broker() -> Iterator[LocalBroker]:
    with LocalBroker(queues=queues()) as broker:
        yield broker


@pytest.fixture
def bench(broker: LocalBroker) -> Iterator[Bench]:
    with connected(broker) as client:
        yield Bench(broker, client)


def position(bench: Bench, message: str) -> int:
    return list(bench.browser.frame["message_id"]).index(message)


def test_ack_deletes_the_selected_rows_and_marks_them(bench: Bench) -> None:
    fill(bench.broker, "orders", 4)
    bench.take(4)
    rows = [position(bench, "m-001"), position(bench, "m-003")]
    bench.browser.select(rows)
    report = act(bench.settle, "ack")
    assert "2 deleted from the queue for good" in report["lines"]
    assert report["ok"]
    assert bench.ids("orders") == ["m-000", "m-002"]
    assert [bench.browser.state_of(row) for row in rows] == ["acked", "acked"]


def test_nack_returns_the_selected_rows(bench: Bench) -> None:
    fill(bench.broker, "orders", 3)
    bench.take(3)
    bench.browser.select([1])
    act(bench.settle, "nack")
    assert bench.broker.depth("orders") == {"messages": 1, "inflight": 2}
    assert bench.browser.state_of(1) == "returned"


def test_extend_asks_nothing_and_tells_the_table(bench: Bench) -> None:
    fill(bench.broker, "orders", 2)
    bench.take(2)
    before = bench.browser.frame["lock_expires_at"].iloc[0]
    bench.settle.set(lock_ttl="30m")
    bench.browser.select([0])
    report = act(bench.settle, "extend")
    assert "1 extended" in report["lines"]
    assert bench.browser.frame["lock_expires_at"].iloc[0] > before + timedelta(minutes=20)
    assert bench.browser.state_of(0) == ""


def test_hidden_rows_are_counted_and_left_out(bench: Bench) -> None:
    fill(bench.broker, "orders", 4)
    bench.take(4)
    bench.browser.select([0, 1, 2, 3])
    bench.browser.filter = "m-002"
    lines = arm(bench.settle, "ack")
    assert lines[:3] == ["Delete 1 message of 'orders'.", "Selected: 4.", "Hidden by the filter: 3 (they are left out)."]
    confirm(bench.settle)
    assert bench.ids("orders") == ["m-000", "m-001", "m-003"]


def test_hidden_rows_are_settled_too_when_chosen(bench: Bench) -> None:
    fill(bench.broker, "orders", 4)
    bench.take(4)
    bench.browser.select([0, 1, 2, 3])
    bench.browser.filter = "m-002"
    arm(bench.settle, "ack")
    assert bench.settle.question["options"] == [
        {"name": "also_hidden", "label": "Also the 3 that the filter hides", "value": False}
    ]
    send(bench.settle, do="choose", name="also_hidden", value=True)
    assert bench.settle.lines[0] == "Delete 4 messages of 'orders'."
    assert "as you chose" in bench.settle.lines[2]
    confirm(bench.settle)
    assert bench.ids("orders") == []


def test_the_choice_of_hidden_rows_is_for_one_action_only(bench: Bench) -> None:
    fill(bench.broker, "orders", 2)
    bench.take(2)
    bench.browser.select([0, 1])
    bench.browser.filter = "m-000"
    arm(bench.settle, "ack")
    send(bench.settle, do="choose", name="also_hidden", value=True)
    send(bench.settle, do="cancel")
    assert "(they are left out)" in arm(bench.settle, "ack")[2]


def test_a_selection_that_is_all_hidden_is_refused(bench: Bench) -> None:
    fill(bench.broker, "orders", 2)
    bench.take(2)
    bench.browser.select([0, 1])
    bench.browser.filter = "nothing like it"
    click(bench.settle, "ack")
    assert "hidden by the filter" in bench.settle.error
    assert bench.settle.stage != "armed"


def test_lost_locks_are_counted_left_out_and_marked(bench: Bench) -> None:
    fill(bench.broker, "orders", 3)
    with connected(bench.broker) as other:
        frame = other.destination("orders").receive(3, keep=False, progress=False).frame()
        frame.loc[0, "lock_expires_at"] = datetime.now(UTC) - timedelta(seconds=1)
        bench.browser.show(frame)
        bench.browser.select([0, 1, 2])
        lines = arm(bench.settle, "ack")
        assert lines[0] == "Delete 2 messages of 'orders'."
        assert "Locks already lost: 1 (left out: these messages come again)." in lines
        confirm(bench.settle)
    assert bench.ids("orders") == [frame["message_id"].iloc[0]]
    assert [bench.browser.state_of(row) for row in range(3)] == ["lost_lock", "acked", "acked"]


def test_a_lock_that_the_broker_took_back_is_told_row_by_row(bench: Bench) -> None:
    fill(bench.broker, "orders", 2)
    bench.take(2)
    with connected(bench.broker) as other:  # this client does not hear of it
        other.destination("orders").nack(bench.browser.frame.iloc[[0]], progress=False)
    bench.browser.select([0, 1])
    report = act(bench.settle, "ack")
    assert not report["ok"]
    assert [row[0] for row in report["rows"]] == [bench.browser.frame["message_id"].iloc[0]]
    assert "lock lost" in report["rows"][0][1]
    assert [bench.browser.state_of(row) for row in range(2)] == ["lost_lock", "acked"]


def test_last_chances_are_counted_and_said_to_go_to_the_dead_letter_queue(bench: Bench) -> None:
    fill(bench.broker, "orders", 1)
    bench.take(1)
    bench.browser.select([0])
    assert "On their last chance: 0." in arm(bench.settle, "nack")
    confirm(bench.settle)
    fill(bench.broker, "orders", 1, start=1)
    bench.take(2)
    bench.browser.select([0, 1])
    lines = arm(bench.settle, "nack")
    assert "On their last chance: 1 (returned, they go to the dead-letter queue 'orders-dlq')." in lines
    confirm(bench.settle)
    assert bench.ids("orders") == ["m-001"]
    assert bench.ids("orders-dlq") == ["m-000"]


def test_rows_that_were_settled_are_left_out_later(bench: Bench) -> None:
    fill(bench.broker, "orders", 3)
    bench.take(3)
    bench.browser.select([0])
    act(bench.settle, "nack")
    bench.browser.select([0, 1])
    lines = arm(bench.settle, "ack")
    assert lines[0] == "Delete 1 message of 'orders'."
    assert "Settled already: 1 (left out)." in lines
    bench.browser.select([0])
    click(bench.settle, "ack")
    assert "settled already" in bench.settle.error


def test_rows_of_a_peek_cannot_be_settled(bench: Bench) -> None:
    fill(bench.broker, "orders", 2)
    act(bench.receive, "receive")  # a peek, by default
    bench.browser.select([0, 1])
    click(bench.settle, "ack")
    assert "hold no lock: only what receive gave can be settled" in bench.settle.error
    assert bench.depth("orders") == 2


def test_rows_of_two_destinations_are_not_settled_together(bench: Bench) -> None:
    fill(bench.broker, "orders", 1)
    fill(bench.broker, "repaired", 1, start=5)
    bench.take(1)
    bench.context.destination = "repaired"
    bench.receive.set(add=True)
    bench.take(1)
    bench.browser.select([0, 1])
    click(bench.settle, "ack")
    assert "'orders', 'repaired'. Select those of one" in bench.settle.error
    bench.browser.select([0])
    assert arm(bench.settle, "ack")[0] == "Delete 1 message of 'orders'."  # where they came from, not what is picked


def test_release_returns_what_is_held_selected_or_not(bench: Bench) -> None:
    fill(bench.broker, "orders", 5)
    bench.take(3)
    bench.take(2)  # the table shows only these
    lines = arm(bench.settle, "release")
    assert lines[0] == "Return 5 messages of 'orders' that this client holds, selected or not."
    confirm(bench.settle)
    assert bench.broker.depth("orders") == {"messages": 5, "inflight": 0}
    assert [bench.browser.state_of(row) for row in range(2)] == ["returned", "returned"]
    click(bench.settle, "release")
    assert "holds nothing of 'orders'" in bench.settle.error


def test_release_keeps_those_on_their_last_chance_unless_chosen(bench: Bench) -> None:
    fill(bench.broker, "orders", 1)
    bench.client.destination("orders").peek(1, progress=False)
    fill(bench.broker, "orders", 1, start=1)
    bench.take(2)
    lines = arm(bench.settle, "release")
    assert lines[0].startswith("Return 1 message")
    assert lines[1] == "On their last chance: 1 (they stay held until the client closes)."
    confirm(bench.settle)
    assert bench.broker.depth("orders") == {"messages": 1, "inflight": 1}
    arm(bench.settle, "release")
    send(bench.settle, do="choose", name="last_chance", value=True)
    assert bench.settle.lines[1] == "On their last chance: 1 (they go to the dead-letter queue)."
    confirm(bench.settle)
    assert bench.ids("orders-dlq") == ["m-000"]


def test_stop_of_settling_says_which_rows_were_not_tried(bench: Bench) -> None:
    fill(bench.broker, "orders", 100)
    bench.take(100)
    bench.settle.set(rate="10 msg/s", concurrency="1")
    bench.browser.select(range(100))
    arm(bench.settle, "ack")
    send(bench.settle, do="confirm", name=None)
    send(bench.settle, do="stop")
    until(bench.settle, "done")
    gone = 100 - bench.depth("orders")
    assert gone < 100
    assert f"{100 - gone} not tried" in bench.settle.report["lines"]
    assert len(bench.settle.report["rows"]) == 50
    assert bench.settle.report["more"] == 100 - gone - 50
    assert sum(bench.browser.state_of(row) == "acked" for row in range(100)) == gone


def test_other_rows_shown_meanwhile_are_not_marked(bench: Bench) -> None:
    fill(bench.broker, "orders", 40)
    bench.take(40)
    bench.settle.set(rate="10 msg/s", concurrency="1")
    bench.browser.select(range(40))
    arm(bench.settle, "ack")
    send(bench.settle, do="confirm", name=None)
    bench.browser.show(bench.browser.frame.head(3))
    send(bench.settle, do="stop")
    until(bench.settle, "done")
    assert [bench.browser.state_of(row) for row in range(3)] == ["", "", ""]


def test_outcomes_that_are_not_ok_are_told_row_by_row(bench: Bench) -> None:
    fill(bench.broker, "orders", 4)
    bench.take(4)
    bench.broker.faults.add(Fault("item_failure", operations=("ack_batch",), items=(1,), text="$x$ <b>no</b>"))
    bench.browser.select(range(4))
    report = act(bench.settle, "ack")
    assert (report["ok"], report["more"]) == (False, 0)
    assert len(report["rows"]) == 1
    message, outcome, reason = report["rows"][0]
    assert message == bench.browser.frame["message_id"].iloc[1]
    assert outcome in ("refused by the service", "lock lost before it was settled: it will come again")
    assert "<b>no</b>" in reason
    assert [bench.browser.state_of(row) for row in (0, 2, 3)] == ["acked"] * 3
    assert bench.browser.state_of(1) != "acked"


def test_no_certain_answer_is_said_to_be_none(bench: Bench) -> None:
    fill(bench.broker, "orders", 2)
    bench.take(2)
    bench.broker.faults.add(Fault("cut_after", operations=("ack_batch",)))
    bench.browser.select(range(2))
    report = act(bench.settle, "ack")
    assert "2 no certain answer" in report["lines"]
    assert [bench.browser.state_of(row) for row in range(2)] == ["unknown", "unknown"]
