"""Drain, replay and move: plan, progress, Stop and report; the broker and the disk say what was done."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from playwright.sync_api import expect

from courier_nb import Capture, Client, Message
from courier_nb.broker import ServedBroker

from .bench import BROWSE, CONNECT, open_bench
from .conftest import IN_NOTEBOOK, Opened

pytestmark = pytest.mark.browser
COUNT = 600


def publish(client: Client, queue: str, count: int) -> set[str]:
    ids = [f"m-{i}" for i in range(count)]
    client.destination(queue).publish([Message('{"n": 1}', {}, {"messageId": id_}) for id_ in ids], progress=False)
    return set(ids)


def test_a_drain_shows_plan_and_progress_and_stop_loses_nothing(opened: Opened, client: Client, broker: ServedBroker) -> None:
    published = publish(client, "orders-dlq", COUNT)
    bench = open_bench(opened([CONNECT, BROWSE]), 1)
    bench.pick("orders-dlq")
    bench.fill("Drain", Folder="captured", Rate="150 msg/s")

    panel = bench.begin("Drain", "Show the plan")
    expect(panel.get_by_role("group", name="Plan")).to_contain_text(str(COUNT))
    bench.idle()
    assert broker.depth("orders-dlq") == {"messages": COUNT, "inflight": 0}

    bench.begin("Drain", "Drain")
    bench.confirming(panel).click()
    bar = panel.get_by_role("progressbar")
    expect(bar).to_have_attribute("aria-valuetext", re.compile(r"^[1-9]\d+ "))
    expect(bench.root.locator(".cnb-busy")).to_contain_text("drain of 'orders-dlq'")
    panel.get_by_role("button", name="Stop", exact=True).click()
    expect(bench.ended(panel)).to_contain_text("deleted from the queue, and in the capture")

    waiting = {message.id for message in broker.messages("orders-dlq", limit=COUNT)}
    captured = {message.message_id for message in Capture(bench.notebook.file.parent / "captured").messages()}
    assert 0 < len(captured) < COUNT
    assert broker.depth("orders-dlq") == {"messages": len(waiting), "inflight": 0}
    assert captured | waiting == published
    assert captured & waiting == set()

    bench.fill("Drain", Rate="")
    bench.confirm(bench.begin("Drain", "Drain"))
    assert broker.depth("orders-dlq") == {"messages": 0, "inflight": 0}
    capture = Capture(bench.notebook.file.parent / "captured")
    assert sorted(message.message_id or "" for message in capture.messages()) == sorted(published)
    assert capture.verify().ok

    panel.get_by_role("button", name="Show in the table").click()
    expect(bench.counts).to_contain_text(f"{COUNT} of {COUNT} shown")


def test_a_capture_is_replayed_after_its_plan_and_the_report_says_what_arrived(
    opened: Opened, client: Client, broker: ServedBroker, tmp_path: Path
) -> None:
    published = publish(client, "orders-dlq", 30)
    client.destination("orders-dlq").drain(tmp_path / "dead", progress=False, polling_time="50ms")
    bench = open_bench(opened([CONNECT, f"workbench = client.browse({str(tmp_path / 'dead')!r})\nworkbench"]), 1)
    expect(bench.counts).to_contain_text("30 of 30 shown")
    panel = bench.tab("Replay")
    panel.get_by_role("radio", name="A capture").check()
    bench.fill("Replay", Folder_of_the_capture=str(tmp_path / "dead"))
    bench.begin("Replay", "Show the plan")
    expect(panel.get_by_role("group", name="Plan")).to_contain_text("30")
    bench.idle()
    assert broker.depth("orders")["messages"] == 0

    bench.begin("Replay", "Replay")
    expect(panel.get_by_role("group", name="Confirm")).to_contain_text("'orders'")  # whose dead letters they are
    bench.confirm(panel)
    expect(bench.ended(panel)).to_contain_text("30")
    assert {message.id for message in broker.messages("orders")} == published

    bench.confirm(bench.begin("Replay", "Replay"))
    assert broker.depth("orders")["messages"] == 30  # the same again sends nothing twice


@IN_NOTEBOOK
def test_selected_rows_are_repaired_in_the_body_viewer_and_replayed(opened: Opened, client: Client, broker: ServedBroker) -> None:
    publish(client, "orders-dlq", 4)
    bench = open_bench(opened([CONNECT, BROWSE]), 1)
    bench.take("orders-dlq")
    bench.row("m-2").click()
    expect(bench.body).to_contain_text("Message m-2")
    bench.body.get_by_role("button", name="Edit body").click()
    bench.body.get_by_role("textbox").fill('{"n": 2}')
    bench.body.get_by_role("button", name=re.compile("keep", re.IGNORECASE)).first.click()
    expect(bench.row("m-2")).to_contain_text("edited")
    bench.fill("Replay", Into="orders")
    bench.confirm(bench.begin("Replay", "Replay"))
    assert [message.body for message in broker.messages("orders")] == ['{"n": 2}']
    assert broker.messages("orders")[0].id == "m-2"


@IN_NOTEBOOK
def test_a_move_takes_the_messages_to_the_other_queue_and_says_why_it_cannot(
    opened: Opened, client: Client, broker: ServedBroker
) -> None:
    published = publish(client, "orders-dlq", 30)
    bench = open_bench(opened([CONNECT, BROWSE]), 1)
    bench.pick("orders-dlq")
    bench.fill("Move", To="no-such-queue")
    panel = bench.begin("Move", "Move")
    failed = panel.get_by_role("alert").filter(has_text="no-such-queue")
    confirming = bench.confirming(panel)
    failed.or_(confirming).first.wait_for()
    if confirming.is_visible():
        confirming.click()
    expect(failed).to_be_visible()
    bench.idle()
    assert broker.depth("orders-dlq")["messages"] == 30

    bench.fill("Move", To="parked")
    bench.begin("Move", "Show the plan")
    expect(panel.get_by_role("group", name="Plan")).to_contain_text("30")
    bench.idle()
    bench.confirm(bench.begin("Move", "Move"))
    assert broker.depth("orders-dlq") == {"messages": 0, "inflight": 0}
    assert {message.id for message in broker.messages("parked")} == published
