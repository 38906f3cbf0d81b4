"""One widget in several places: a second view, a page loaded again, a notebook that was saved."""

from __future__ import annotations

import json

import pytest
from playwright.sync_api import expect

from courier_nb import Client, Message

from .bench import BROWSE, CONNECT, Bench, open_bench
from .conftest import IN_NOTEBOOK, Opened

pytestmark = pytest.mark.browser
COUNT = 12


@pytest.fixture
def bench(opened: Opened, client: Client) -> Bench:
    messages = [
        Message(json.dumps({"password": f"body-secret-{i}"}), {"token": f"property-secret-{i}"}, {"messageId": f"m-{i}"})
        for i in range(COUNT)
    ]
    client.destination("orders-dlq").publish(messages, progress=False)
    bench = open_bench(opened([CONNECT, BROWSE, "workbench"]), 1)
    bench.take("orders-dlq", COUNT)
    return bench


def test_a_second_view_of_the_same_widget_stays_in_step(bench: Bench) -> None:
    notebook = bench.notebook
    notebook.run_cell(2)
    second = Bench(notebook, notebook.output(2).locator(".cnb-workbench"))
    expect(second.rows).to_have_count(COUNT)
    second.row("m-3").click()
    expect(bench.row("m-3")).to_have_attribute("aria-selected", "true")
    bench.filter.fill("m-1")
    expect(second.rows).to_have_count(3)
    expect(second.filter).to_have_value("m-1")
    bench.row("m-10").click()
    expect(second.body).to_contain_text("Message m-10")
    second.confirm(second.begin("Settle", "Nack: return"))
    expect(bench.panel("Settle").get_by_role("group", name="Report")).to_be_visible()
    expect(bench.row("m-10")).to_contain_text("returned")

    if notebook.app == "lab":
        third = Bench(notebook, notebook.new_view(1).locator(".cnb-workbench"))
        expect(third.row("m-10")).to_contain_text("returned")
        expect(third.rows).to_have_count(3)


def test_after_the_page_is_loaded_again_rows_and_selection_are_back(bench: Bench) -> None:
    notebook = bench.notebook
    bench.filter.fill("m-1")
    expect(bench.rows).to_have_count(3)
    bench.row("m-11").click()
    bench.python("browser.selected_rows == [11]")
    notebook.reload()
    expect(bench.rows).to_have_count(3)
    expect(bench.row("m-11")).to_have_attribute("aria-selected", "true")
    expect(bench.counts).to_contain_text("1 selected")
    expect(bench.filter).to_have_value("m-1")
    expect(bench.body).to_contain_text("body-secret-11")
    bench.row("m-10").click()
    bench.python("browser.selected_rows == [10]")
    bench.confirm(bench.begin("Settle", "Nack: return"))


@IN_NOTEBOOK
def test_a_saved_notebook_holds_neither_bodies_nor_properties(bench: Bench) -> None:
    notebook = bench.notebook
    bench.row("m-3").click()
    expect(bench.body).to_contain_text("body-secret-3")
    expect(bench.body).to_contain_text("property-secret-3")
    bench.body.get_by_role("button", name="Edit body").click()
    bench.body.get_by_role("textbox").fill('{"password": "body-secret-typed"}')
    bench.body.get_by_role("button", name="Keep").first.click()
    expect(bench.row("m-3")).to_contain_text("edited")
    bench.confirm(bench.begin("Settle", "Nack: return"))
    bench.tab("Replay").get_by_text("Python", exact=True).click()
    notebook.save()
    saved = notebook.saved()
    state = json.loads(saved)["metadata"]["widgets"]["application/vnd.jupyter.widget-state+json"]["state"]
    assert len(state) > 8  # the widgets are in it
    assert "orders-dlq" in json.dumps(state)
    assert "secret" not in saved
    lock = notebook.python("workbench.browser.frame['lock_id'][0]")
    assert lock not in saved


@IN_NOTEBOOK
def test_a_kernel_that_was_restarted_is_announced_and_the_cell_run_again_works(bench: Bench) -> None:
    notebook = bench.notebook
    gone = bench.root.get_by_role("alert").filter(has_text="Run the cell again")
    expect(gone).to_have_count(0)
    notebook.page.evaluate("async () => { await jupyterapp.shell.currentWidget.sessionContext.session.kernel.restart() }")
    expect(gone).to_be_visible()
    notebook.mistakes.clear()  # what was on its way to the kernel that has ended
    notebook.run_cell(0)
    notebook.run_cell(1)
    again = Bench(notebook, notebook.output(1).locator(".cnb-workbench"))
    expect(again.root.get_by_role("alert").filter(has_text="Run the cell again")).to_have_count(0)
    again.take("orders-dlq", 3)
    expect(again.rows).to_have_count(3)
