"""The hostile corpus in a real JupyterLab: frames, reports and names are shown as text, and nothing in them runs."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import nbformat
import pytest

from .lab import Desk, write_notebook
from .page import NotebookPage

pytestmark = pytest.mark.browser
TESTS = Path(__file__).parents[1]

CELLS = [
    "import sys; sys.path.insert(0, '.')\n"
    "import pandas as pd, courier_nb\n"
    "import corpus\n"
    "client = courier_nb.connect('local')\n"
    "for name in ('queue', 'again'): client.broker.create_queue(name)\n"
    "queue = client.destination('queue')\n"
    "queue.publish(corpus.small(), progress=False)",
    "pd.set_option('display.max_rows', 2000, 'display.max_columns', 12)\n"
    "capture = queue.drain('capture', progress=False, polling_time='20ms')\n"
    "frame = capture.frame()\n"
    "frame[['message_id', 'body', 'prop.text', 'destination']]",
    "frame",
    "frame['body']",
    "frame.set_index('body')[['message_id']].T",
    "frame.iloc[::2].head(300)",
    "report = client.destination('again').replay(capture, progress=False)\n"
    "report.frame()",
    "report.outcomes[:40]",
    "received = client.destination('again').receive(1000, progress=False, polling_time='20ms')\n"
    "received.frame()[['message_id', 'body']]",
    "[client.destination(text) for text in corpus.TEXTS[:80] if text]",
    "client.destinations().frame()",
    "client.destination(corpus.MARKUP[0]).publish(['x'])",
    "courier_nb.Message(corpus.MARKUP[0], {}, {'messageId': corpus.MARKUP[0]})",
    "pd.DataFrame({'mine': ['$x^2$', '<b>mine</b>']})",
]  # fmt: skip
OWN_FRAME = len(CELLS) - 1
RAISES = 11

HOOK = """() => {
window.called = [];
window.xss = (...names) => { window.called.push(names.join(' ')) };
for (const name of ['alert', 'confirm', 'prompt']) {
    window[name] = (...words) => { window.called.push(`${name} ${words.join(' ')} ${new Error().stack}`) };
}
}"""


@pytest.fixture
def lab(desk: Desk, state_of_its_own: Path) -> Iterator[NotebookPage]:
    root = desk.server("lab").root / "hostile"
    notebook = write_notebook(root / "hostile.ipynb", CELLS)
    notebook.cells[RAISES].metadata["tags"] = ["raises-exception"]
    nbformat.write(notebook, root / "hostile.ipynb")
    shutil.copy(TESTS / "hostile" / "corpus.py", root)
    with desk.open("lab", "hostile/hostile.ipynb", env={"XDG_STATE_HOME": str(state_of_its_own / "state")}) as lab:
        yield lab


def test_nothing_of_the_corpus_runs_or_becomes_markup(lab: NotebookPage, tmp_path: Path) -> None:
    dialogs: list[str] = []
    lab.page.on("dialog", lambda dialog: (dialogs.append(dialog.message), dialog.dismiss()))
    lab.page.evaluate(HOOK)
    lab.run_all()
    lab.page.wait_for_timeout(3_000)  # MathJax loads and typesets when it likes
    unexpected = [error for error in lab.errors() if "messages" not in error.lower()]
    assert len(lab.errors()) == 1, unexpected

    outputs = ".jp-OutputArea-output"
    tables = lab.page.locator(f"{outputs} table.dataframe")
    assert tables.count() >= 7
    inside = [
        "script", "iframe", "img", "svg", "video", "object", "embed", "form", "input", "a", "b", "style", "link", "meta", "base",
        "details", "marquee", "math", "template", "pre", "textarea", "button", "noscript", "xmp", "plaintext", "table",
        "mjx-container", "[onerror]", "[onload]", "[data-commandlinker-command]",
    ]  # fmt: skip
    ours = lab.page.evaluate(
        "([selectors, own]) => [...document.querySelectorAll('.jp-Notebook .jp-Cell')].slice(0, own)"
        ".flatMap(cell => [...cell.querySelectorAll('table.dataframe')])"
        ".flatMap(table => selectors.flatMap(s => [...table.querySelectorAll(s)])).map(found => found.outerHTML.slice(0, 200))",
        [inside, OWN_FRAME],
    )
    assert ours == []
    text = lab.page.evaluate(
        "own => [...document.querySelectorAll('.jp-Notebook .jp-Cell')].slice(0, own)"
        ".flatMap(cell => [...cell.querySelectorAll('.jp-OutputArea-output')]).map(found => found.textContent).join('')",
        OWN_FRAME,
    )
    hidden = {character for character in text if character in "\x00\x1b\x07\u202e\u202d\u2066\u2067\u200f\u061c\ufeff\u200b"}
    assert hidden == set()
    assert "\\u202e" in text
    assert "<script>" in text
    assert lab.page.locator(f"{outputs} mjx-container").count() <= 1  # the user's own frame is displayed as ever
    assert lab.page.evaluate("() => window.called") == []
    assert dialogs == []
    assert lab.page.locator(".jp-Dialog").count() == 0

    widths = lab.page.evaluate(
        "() => [...document.querySelectorAll('.jp-Notebook table.dataframe tr')].map(row => row.getBoundingClientRect().height)"
    )
    assert max(widths) < 200  # a flood of combining marks or of lines makes no row tall
    for number, words in ((1, "x^2"), (1, "202e"), (6, "corpus-0100")):
        lab.cell(number).get_by_text(words).first.scroll_into_view_if_needed()
        lab.page.screenshot(path=tmp_path / f"hostile-{number}-{words}.png")
