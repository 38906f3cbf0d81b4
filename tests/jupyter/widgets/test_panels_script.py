"""Every action as Python: shown before it is done, and the whole script leaves an equal broker in the same state."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from courier_nb import Message
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


def state(broker: LocalBroker) -> dict[str, list[tuple[str, str, Any]]]:
    """What all queues hold: id, body, and the properties that are not of a single run."""
    return {
        queue.id: sorted(
            (message.id, message.body, sorted((k, v) for k, v in message.properties.items() if k != "courier_nb.run"))
            for message in broker.messages(queue.id, limit=10_000)
        )
        for queue in broker.queues()
    }


def select(bench: Bench, *ids: str) -> None:
    every = list(bench.browser.frame["message_id"])
    bench.browser.select(every.index(one) for one in ids)


def run_again(bench: Bench, put: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> LocalBroker:
    """Run the script of a bench against a second broker that `put` fills like the first, as another user."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "other-state"))
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "other-data"))
    second = LocalBroker(queues=queues())
    put(second)
    with connected(second) as client:
        exec(compile(bench.context.script.text, "script", "exec"), {"connect": lambda: client})
    return second


def ten_actions(bench: Bench) -> None:
    bench.context.destination = "orders-dlq"
    bench.take(20)  # 1
    select(bench, "m-000", "m-001", "m-002")
    act(bench.settle, "ack")  # 2
    select(bench, "m-003", "m-004")
    act(bench.settle, "extend")  # 3
    select(bench, "m-005", "m-006", "m-007")
    bench.replay.set(source="selected")
    act(bench.replay, "replay")  # 4
    act(bench.settle, "ack")  # 5, the same rows
    select(bench, "m-008")
    act(bench.settle, "nack")  # 6
    act(bench.settle, "release")  # 7
    bench.drain.set(limit="4")
    act(bench.drain, "drain")  # 8
    act(bench.drain, "undo")  # 9
    bench.move.set(to="repaired", empties="1")
    act(bench.move, "move")  # 10


def test_ten_actions_by_click_and_their_script_leave_the_same_state(
    bench: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def put(broker: LocalBroker) -> None:
        fill(broker, "orders-dlq", 20)

    put(bench.broker)
    ten_actions(bench)
    assert len(bench.context.script.steps) == 10
    bench.client.close()
    with run_again(bench, put, tmp_path, monkeypatch) as second:
        assert state(second) == state(bench.broker)
        assert {name: len(held) for name, held in state(second).items()} == {"orders": 3, "orders-dlq": 0, "repaired": 14}


def test_rows_of_two_receives_that_were_put_together_are_picked_again(
    bench: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def put(broker: LocalBroker) -> None:
        fill(broker, "orders", 12)

    put(bench.broker)
    bench.take(6)
    bench.receive.set(add=True)
    bench.take(6)
    select(bench, "m-000", "m-005", "m-011")
    act(bench.settle, "ack")
    select(bench, "m-001", "m-010")
    act(bench.settle, "nack")
    bench.receive.set(how="peek", add=False, count="1")
    act(bench.receive, "receive")
    act(bench.settle, "release")
    bench.client.close()
    with run_again(bench, put, tmp_path, monkeypatch) as second:
        assert state(second) == state(bench.broker)
        assert len(state(second)["orders"]) == 9


def test_rows_of_a_capture_that_is_shown_are_replayed_again(
    bench: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def put(broker: LocalBroker) -> None:
        fill(broker, "orders-dlq", 9)

    put(bench.broker)
    bench.context.destination = "orders-dlq"
    bench.drain.set(limit="9")
    act(bench.drain, "drain")
    send(bench.drain, do="offer", name="show")
    select(bench, "m-002", "m-004")
    act(bench.replay, "replay")
    bench.client.close()
    with run_again(bench, put, tmp_path, monkeypatch) as second:
        assert state(second) == state(bench.broker)
        assert [one[0] for one in state(second)["orders"]] == ["m-002", "m-004"]


def test_edited_rows_are_repaired_by_the_script_too(bench: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from courier_nb.jupyter.bodies.viewer import BodyViewer

    def put(broker: LocalBroker) -> None:
        fill(broker, "orders-dlq", 3)

    put(bench.broker)
    bench.context.destination = "orders-dlq"
    bench.take(3)
    bench.context.viewer = BodyViewer(bench.browser)
    row = list(bench.browser.frame["message_id"]).index("m-001")
    bench.context.viewer.edit(row, body="new body", properties={"source": "repaired", "checked": True})
    bench.browser.select(range(3))
    act(bench.replay, "replay")
    act(bench.settle, "ack")
    bench.client.close()
    with run_again(bench, put, tmp_path, monkeypatch) as second:
        assert state(second) == state(bench.broker)
        assert "new body" in [one[1] for one in state(second)["orders"]]


def test_a_stopped_drain_is_written_with_the_number_that_it_took(
    bench: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def put(broker: LocalBroker) -> None:
        fill(broker, "orders", 200)

    put(bench.broker)
    bench.drain.set(rate="100 msg/s")
    arm(bench.drain, "drain")
    send(bench.drain, do="confirm", name=None)
    wait_for(lambda: bench.drain.progress["done"] > 0)
    send(bench.drain, do="stop")
    until(bench.drain, "done")
    taken = bench.drain.result.report.received
    assert f"limit={taken}" in bench.context.script.steps[-1]
    bench.client.close()
    with run_again(bench, put, tmp_path, monkeypatch) as second:
        assert len(state(second)["orders"]) == 200 - taken


def test_repeated_ids_are_told_apart_by_their_places(bench: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def put(broker: LocalBroker) -> None:
        twins = [Message(f"body {n}", {}, {"messageId": f"twin-{n % 2}"}) for n in range(4)]
        with connected(broker) as client:
            for twin in twins:
                client.destination("orders").publish([twin], progress=False)

    put(bench.broker)
    bench.take(4)
    bench.browser.select([0])
    code = bench.settle.code("ack")
    assert "picked = rows.iloc[[0]]" in code
    assert "Message ids repeat here" in code
    act(bench.settle, "ack")
    bench.client.close()
    with run_again(bench, put, tmp_path, monkeypatch) as second:
        assert state(second) == state(bench.broker)


def test_the_python_is_shown_before_anything_is_done(bench: Bench) -> None:
    fill(bench.broker, "orders", 3)
    bench.receive.set(how="receive", count="2", lock_ttl="5m")
    told = send(bench.receive, do="code", action="receive")
    code = told[-1]["code"]
    assert code == "orders = client.destination('orders')\nreceived = orders.receive(2, lock_ttl='5m')\nrows = received.frame()"
    assert told[-1]["script"].startswith("import courier_nb\n\nclient = connect()\n\norders = ")
    assert told[-1]["script"].endswith("client.close()\n")
    assert bench.context.script.steps == []
    assert bench.depth("orders") == 3
    act(bench.receive, "receive")
    assert bench.context.script.steps == [code]
    assert send(bench.receive, do="code", action="ran")[-1]["code"] == code


def test_what_cannot_be_done_has_no_python_and_says_why(bench: Bench) -> None:
    told = send(bench.settle, do="code", action="ack")
    assert told[-1]["code"] == ""
    assert told[-1]["why"] == "Select rows in the table first."
    assert bench.settle.error == ""


def test_rows_are_always_named_so_that_nothing_is_settled_which_nobody_has_seen(bench: Bench) -> None:
    fill(bench.broker, "orders", 5)
    bench.take(5)
    every = [str(one) for one in bench.browser.frame["message_id"]]
    bench.browser.select(range(5))
    assert bench.settle.code("ack") == f'picked = rows[rows["message_id"].isin({every})]\norders.ack(picked)'
    others = [one for one in every if one != "m-003"]
    bench.browser.select([every.index(one) for one in others])
    assert bench.settle.code("ack") == f'picked = rows[rows["message_id"].isin({others})]\norders.ack(picked)'


def test_a_later_run_of_the_script_leaves_alone_what_nobody_has_seen(
    bench: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def put(broker: LocalBroker) -> None:
        fill(broker, "orders", 6)

    fill(bench.broker, "orders", 4)
    bench.take(10)
    bench.browser.select(range(4))
    act(bench.settle, "ack")
    bench.client.close()
    with run_again(bench, put, tmp_path, monkeypatch) as second:
        assert [one[0] for one in state(second)["orders"]] == ["m-004", "m-005"]


def test_long_lists_of_ids_are_broken_into_lines_and_stay_python(bench: Bench) -> None:
    fill(bench.broker, "orders", 100)
    bench.take(100)
    bench.browser.select(range(0, 100, 2))
    code = bench.settle.code("nack")
    assert max(map(len, code.splitlines())) <= 110
    chosen = [bench.browser.frame["message_id"].iloc[row] for row in range(0, 100, 2)]
    assert re.findall(r"m-\d{3}", code) == chosen
    compile(code, "code", "exec")


def test_a_capture_that_was_shown_by_other_code_is_opened_by_the_script(bench: Bench, tmp_path: Path) -> None:
    fill(bench.broker, "orders-dlq", 3)
    capture = bench.client.destination("orders-dlq").drain(tmp_path / "capture", limit=3, progress=False)
    bench.browser.show(capture)
    select(bench, "m-002")
    assert ast.unparse(ast.parse(bench.replay.code("replay"))).splitlines() == [  # long lines are broken
        f"capture = courier_nb.Capture({str(tmp_path / 'capture')!r})",
        "rows = capture.frame()",
        "picked = rows[rows['message_id'].isin(['m-002'])]",
        "client.replay(picked)",
    ]


def test_rows_from_elsewhere_say_that_the_script_does_not_know_them(bench: Bench) -> None:
    fill(bench.broker, "orders", 2)
    bench.take(1)
    bench.browser.show(bench.client.destination("orders").receive(1, progress=False))
    bench.browser.select([0])
    code = bench.settle.code("ack")
    assert code.startswith("# The table's rows came from elsewhere than these steps")
    assert "rows = browser.frame" in code


def test_a_failed_action_is_a_comment(bench: Bench) -> None:
    fill(bench.broker, "orders", 1)
    bench.move.set(to="nowhere")
    arm(bench.move, "move")
    send(bench.move, do="confirm", name=None)
    until(bench.move, "failed")
    step = bench.context.script.steps[-1]
    assert step.startswith("# move of 'orders' to 'nowhere' failed: ")
    assert len(step.splitlines()) == 1


def test_hostile_ids_and_names_stay_text(bench: Bench) -> None:
    nasty = "'])]; import os; os._exit(3)  # \n\u202e"
    with connected(bench.broker) as client:
        client.destination("orders").publish([Message("a", {}, {"messageId": nasty}), Message("b")], progress=False)
    bench.take(2)
    row = [str(one) for one in bench.browser.frame["message_id"]].index(nasty)
    bench.browser.select([row])
    code = bench.settle.code("ack")
    assert "\u202e" not in code
    names: dict[str, Any] = {
        "rows": bench.browser.frame,
        "orders": type("Orders", (), {"ack": staticmethod(lambda frame: frame)}),
    }
    exec(compile(code, "code", "exec"), names)
    assert list(names["picked"]["message_id"]) == [nasty]
    click(bench.settle, "ack")
    until(bench.settle, "armed")
    confirm(bench.settle)
    assert bench.depth("orders") == 1
