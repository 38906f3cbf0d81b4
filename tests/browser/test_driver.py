"""The driver itself: what the other tests rely on would go unnoticed if it did not work."""

from __future__ import annotations

import pytest

from courier_nb.broker import ServedBroker

from .conftest import IN_NOTEBOOK, Opened

pytestmark = [pytest.mark.browser, IN_NOTEBOOK]


def test_a_kernel_reaches_the_tests_broker_and_is_asked_while_the_notebook_is_open(opened: Opened, broker: ServedBroker) -> None:
    publish = "client.destination('orders').publish([courier_nb.Message('hello')])"
    notebook = opened(["import courier_nb\nclient = courier_nb.connect()", publish])
    notebook.run_all()
    assert notebook.errors() == []
    assert [message.body for message in broker.messages("orders")] == ["hello"]
    assert notebook.python("client.settings.mq_url") == broker.settings["url"]
    assert notebook.wait_python("client.depth('orders').messages") == 1


def test_a_question_is_asked_again_after_an_interrupt(opened: Opened) -> None:
    notebook = opened(["import time\nbegan = True\ntime.sleep(60)"])
    notebook.run_cell(0, wait=False)
    notebook.page.locator(".jp-Notebook-ExecutionIndicator, .jp-InputPrompt", has_text="[*]").first.wait_for()
    notebook.interrupt()
    assert notebook.python("began") is True
    assert notebook.errors() == ["KeyboardInterrupt: "]


def test_what_must_not_be_is_found(opened: Opened) -> None:
    html = "<div id='wrong'><button></button></div><div id='right'><button>Go</button></div>"
    script = "export default { render({el}) { el.textContent = 'here'; setTimeout(() => { throw new Error('oh') }) } }"
    widget = f"import anywidget\nclass W(anywidget.AnyWidget):\n    _esm = {script!r}\nW()"
    notebook = opened([f"from IPython.display import HTML\nHTML({html!r})", widget])
    notebook.run_all()

    notebook.page.locator("#wrong").wait_for(state="attached")
    (finding,) = notebook.axe("#wrong")
    assert finding.startswith("critical: button-name")
    assert notebook.axe("#right") == []

    notebook.output(1).get_by_text("here").wait_for()
    notebook.page.wait_for_timeout(200)
    assert ["oh" in mistake for mistake in notebook.mistakes] == [True]
    notebook.mistakes.clear()

    refused = notebook.page.evaluate("() => fetch('https://cdn.invalid/x.js').then(() => 'loaded', () => 'refused')")
    closed = notebook.page.evaluate(
        "() => new Promise(resolve => { new WebSocket('wss://cdn.invalid/').onerror = () => resolve('refused') })"
    )
    assert (refused, closed) == ("refused", "refused")
    assert notebook.external == ["https://cdn.invalid/x.js", "wss://cdn.invalid/"]
    notebook.external.clear()


def test_themes_and_pages_change_and_the_kernel_stays(opened: Opened) -> None:
    notebook = opened(["kept = 5"])
    notebook.run_all()
    for name in ("dark", "light"):
        notebook.theme(name)
    notebook.reload()
    assert notebook.python("kept") == 5
    assert notebook.cell_count() == 1
