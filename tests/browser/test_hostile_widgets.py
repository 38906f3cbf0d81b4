"""The hostile corpus in the workbench: its texts are shown as text, and nothing in them runs."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from playwright.sync_api import expect

from .bench import Bench
from .conftest import IN_NOTEBOOK, Opened
from .test_hostile_frames import HOOK

pytestmark = [pytest.mark.browser, IN_NOTEBOOK]
CORPUS = Path(__file__).parents[1] / "hostile" / "corpus.py"
CELLS = [
    "import sys; sys.path.insert(0, '.')\n"
    "import courier_nb, corpus\n"
    "client = courier_nb.connect()\n"
    "queue = client.destination('orders-dlq')\n"
    "messages = [m for m in corpus.small() if isinstance(m.body, str)][:400]\n"
    "queue.publish(messages, progress=False)\n"
    "rows = queue.receive(1000, progress=False, polling_time='50ms')\n"
    "kinds = {}\n"
    "for place, body in enumerate(rows.frame()['body']):\n"
    "    kinds.setdefault(str(body)[:12], place)",
    "workbench = client.browse(rows, destination=corpus.MARKUP[0])\nworkbench",
]
FORBIDDEN = [
    "script", "iframe", "img", "video", "object", "embed", "form", "a[href]", "style", "link", "meta", "base", "marquee", "math",
    "template", "xmp", "plaintext", "mjx-container", "[onerror]", "[onload]", "[ontoggle]", "[onfocus]",
    "[data-commandlinker-command]",
]  # fmt: skip
FIND = """selectors => selectors.flatMap(one => [...document.querySelectorAll(`.cnb-workbench ${one}`)])
    .map(found => found.outerHTML.slice(0, 200))"""


def test_nothing_of_the_corpus_runs_in_table_or_body_viewer(opened: Opened) -> None:
    notebook = opened(CELLS)
    shutil.copy(CORPUS, notebook.file.parent)
    page = notebook.page
    dialogs: list[str] = []
    page.on("dialog", lambda dialog: (dialogs.append(dialog.message), dialog.dismiss()))
    page.evaluate(HOOK)
    for number in range(2):
        notebook.run_cell(number)
    assert notebook.errors() == []
    bench = Bench(notebook, notebook.output(1).locator(".cnb-workbench"))
    total = notebook.python("len(workbench.browser)")
    expect(bench.counts).to_contain_text(f"{total} of {total} shown")

    def inspect() -> None:
        assert page.evaluate(FIND, FORBIDDEN) == []

    for part in range(0, total, 60):  # all rows have been drawn once
        bench.grid.evaluate("(grid, part) => { grid.scrollTop = part * 27 }", part)
        page.wait_for_timeout(60)
        inspect()
    places = notebook.python("sorted(kinds.values())")
    for number, place in enumerate(places[:: max(1, len(places) // 40)]):
        notebook.python(f"setattr(workbench.browser, 'focus', {place})")
        expect(bench.body.get_by_role("heading").first).to_contain_text(
            notebook.python(f"workbench.browser.message_of({place}).message_id")
        )
        inspect()
        if number < 3:
            forms = bench.body.locator("select option").evaluate_all("all => all.map(one => one.value)")
            assert len(forms) > 4
            for form in forms:
                bench.body.get_by_label("Show as").select_option(form)
                notebook.wait_python(f"workbench.viewer.form == {form!r}")
                inspect()
    assert page.evaluate("() => window.called") == []
    assert dialogs == []
    assert page.locator(".jp-Dialog").count() == 0
    height = bench.rows.first.evaluate("row => row.getBoundingClientRect().height")
    assert height < 60
