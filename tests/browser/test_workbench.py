"""The workbench from picking to settling, by mouse and by keyboard; the broker says what was done."""

from __future__ import annotations

import json

import pytest
from playwright.sync_api import expect

from courier_nb import Client, Message
from courier_nb.broker import ServedBroker

from .bench import BROWSE, CONNECT, Bench, open_bench
from .conftest import IN_NOTEBOOK, Opened

pytestmark = pytest.mark.browser
COUNT = 8
FOCUSED = """() => {
    const element = document.activeElement;
    const name = element.getAttribute('aria-label') || element.labels?.[0]?.textContent || element.textContent;
    return {name, role: element.getAttribute('role')};
}"""
SELECTED_CELLS = """() => {
    const notebook = jupyterapp.shell.currentWidget.content;
    return notebook.widgets.filter(cell => notebook.isSelected(cell)).length;
}"""


def body_of(number: int) -> str:
    return json.dumps({"order": {"total": number, "currency": "EUR"}, "note": f"secret-{number}"})


@pytest.fixture
def bench(opened: Opened, client: Client) -> Bench:
    sources = ("web", "app")
    messages = [Message(body_of(i), {"source": sources[i % 2]}, {"messageId": f"m-{i}"}) for i in range(COUNT)]
    client.destination("orders-dlq").publish(messages, progress=False)
    return open_bench(opened([CONNECT, BROWSE, "x = 1"]), 1)


def left(broker: ServedBroker) -> dict[str, bool]:
    """What the queue still holds: message id, and whether it is in flight."""
    return {message.id: message.in_flight for message in broker.messages("orders-dlq")}


def test_pick_receive_filter_select_read_ack_and_return_by_mouse(bench: Bench, broker: ServedBroker) -> None:
    page = bench.notebook.page
    bench.take("orders-dlq")
    expect(bench.rows).to_have_count(COUNT)
    assert left(broker) == {f"m-{i}": True for i in range(COUNT)}

    bench.filter.fill("web")
    expect(bench.rows).to_have_count(COUNT // 2)
    bench.row("m-0").click()
    bench.row("m-4").click(modifiers=["Control"])
    expect(bench.row("m-4")).to_have_attribute("aria-selected", "true")
    bench.python("browser.selected_rows == [0, 4]")
    expect(bench.counts).to_contain_text("2 selected")

    expect(bench.body).to_contain_text("Message m-4")
    expect(bench.body).to_contain_text("secret-4")
    expect(bench.body).to_contain_text("currency")

    panel = bench.begin("Settle", "Ack: delete")
    expect(panel.get_by_role("group", name="Confirm")).to_contain_text("2 messages")
    assert len(left(broker)) == COUNT  # nothing is done before it is confirmed
    bench.confirm(panel)
    expect(bench.row("m-0")).to_contain_text("acked")

    bench.filter.fill("")
    expect(bench.rows).to_have_count(COUNT)
    bench.row("m-1").click()
    bench.row("m-3").click(modifiers=["Shift"])
    bench.python("browser.selected_rows == [1, 2, 3]")
    bench.confirm(bench.begin("Settle", "Nack: return"))
    expect(bench.row("m-2")).to_contain_text("returned")
    assert left(broker) == {"m-1": False, "m-2": False, "m-3": False, "m-5": True, "m-6": True, "m-7": True}

    bench.confirm(bench.begin("Settle", "Release all"))
    assert not any(left(broker).values())
    assert page.locator(".jp-Dialog").count() == 0


def test_the_whole_path_from_picking_to_settling_goes_by_keyboard(bench: Bench, broker: ServedBroker) -> None:
    page = bench.notebook.page
    keys = page.keyboard

    def tab_to(name: str, role: str | None = None, *, backwards: bool = False) -> None:
        """Press Tab until the element with this name and role has the focus."""
        for _ in range(80):
            keys.press("Shift+Tab" if backwards else "Tab")
            found = page.evaluate(FOCUSED)
            if found["name"].strip().startswith(name) and found["role"] == role:
                return
        raise AssertionError(f"Tab does not reach {name!r}")

    bench.destination.focus()  # as Tab from the cell leads here
    keys.type("dlq")
    keys.press("Enter")
    bench.python("picker.value == 'orders-dlq'")
    tab_to("Receive", "tab")
    tab_to("Peek")
    keys.press("ArrowDown")  # the other choice: Receive
    bench.python("receive.values['how'] == 'receive'")
    tab_to("Receive")
    keys.press("Enter")
    bench.ended(bench.panel("Receive"))

    tab_to("Filter")
    keys.type("app")
    expect(bench.rows).to_have_count(COUNT // 2)
    keys.press("ArrowDown")
    keys.press("Space")
    keys.press("ArrowDown")
    keys.press("Shift+ArrowDown")
    keys.press("ArrowDown")
    keys.press("Space")
    bench.python("browser.selected_rows == [3, 5, 7]")
    keys.press("Enter")
    expect(bench.body).to_contain_text("secret-7")

    tab_to("Receive", "tab", backwards=True)
    keys.press("ArrowRight")
    expect(bench.panel("Settle")).to_be_visible()
    tab_to("Ack")
    keys.press("Enter")
    confirming = bench.confirming(bench.panel("Settle"))
    expect(confirming).to_be_focused()
    keys.press("Enter")  # as a second press of a hasty finger: the question cannot have been read yet
    expect(confirming).to_be_enabled()
    assert len(left(broker)) == COUNT
    keys.press("Enter")
    bench.ended(bench.panel("Settle"))
    assert set(left(broker)) == {f"m-{i}" for i in (0, 1, 2, 4, 6)}
    assert bench.notebook.cell_count() == 3


def test_keys_of_the_table_do_nothing_to_the_notebook(bench: Bench) -> None:
    notebook = bench.notebook
    keys = notebook.page.keyboard
    bench.take("orders-dlq")
    bench.row("m-2").click()
    for key in ("a", "b", "d", "d", "x", "m", "i", "i", "0", "0", "z", "Enter", "Control+a"):
        keys.press(key)
    bench.python(f"browser.selected_rows == list(range({COUNT}))")
    assert notebook.cell_count() == 3
    assert notebook.page.evaluate(SELECTED_CELLS) <= 1
    assert notebook.page.locator(".jp-Dialog").count() == 0
    for button in (bench.root.get_by_role("button", name="Select all shown"), bench.root.get_by_role("tab", name="Drain")):
        button.click()
        for key in ("a", "d", "d", "x"):
            keys.press(key)
    assert notebook.cell_count() == 3
    assert notebook.python("x if 'x' in dir() else None") is None


@IN_NOTEBOOK
def test_clicks_during_a_busy_cell_act_once_and_the_outcome_is_told_when_it_ends(bench: Bench, broker: ServedBroker) -> None:
    notebook = bench.notebook
    bench.take("orders-dlq")
    bench.row("m-2").click()
    bench.python("browser.selected_rows == [2]")
    panel = bench.begin("Settle", "Nack: return")
    confirming = bench.confirming(panel)
    expect(confirming).to_be_enabled()
    notebook.set_cell(2, "import time\ntime.sleep(2)")
    notebook.run_cell(2, wait=False)
    notebook.page.wait_for_timeout(300)
    place = confirming.bounding_box()
    assert place is not None
    for _ in range(4):
        notebook.page.mouse.click(place["x"] + 10, place["y"] + 10)
    bench.ended(panel)
    notebook.page.wait_for_timeout(300)
    states = {message.id: message.delivery_count for message in broker.messages("orders-dlq")}
    assert states == {f"m-{i}": 1 for i in range(COUNT)}
    assert not left(broker)["m-2"]
    assert len(notebook.python("workbench.script.steps")) == 2


def test_a_cell_that_is_interrupted_leaves_a_panels_job_alone(bench: Bench, broker: ServedBroker, client: Client) -> None:
    notebook = bench.notebook
    more = [Message("x", {}, {"messageId": f"more-{i}"}) for i in range(300)]
    client.destination("parked").publish(more, progress=False)
    bench.pick("parked")
    bench.fill("Drain", Rate="100 msg/s")
    panel = bench.begin("Drain", "Drain")
    bench.confirming(panel).click()
    panel.get_by_role("button", name="Stop", exact=True).wait_for()
    notebook.set_cell(2, "import time\ntime.sleep(60)")
    notebook.run_cell(2, wait=False)
    notebook.page.wait_for_timeout(500)
    notebook.interrupt()
    bench.ended(panel)
    assert notebook.errors() == ["KeyboardInterrupt: "]
    assert broker.depth("parked") == {"messages": 0, "inflight": 0}
    assert notebook.python("len(workbench.drain.result.frame())") == 300
