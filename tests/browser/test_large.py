"""Thousands of rows: how soon they are seen, and how soon a selection reaches Python."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest
from playwright.sync_api import expect

from courier_nb.core import exactjson
from courier_nb.core.portal import run
from courier_nb.storage.writer import CaptureWriter
from courier_nb.wire.codec import Delivery, Receipt, messages_from_wire

from . import timings
from .bench import Bench
from .conftest import IN_NOTEBOOK, Opened

pytestmark = pytest.mark.browser
NOISE = 5  # how much longer things may take on a machine that does other things too
PROMISED = {10_000: 0.5, 100_000: 1.0}
SELECTION = 0.2
FRAME = """import numpy as np, pandas as pd
from courier_nb.jupyter import MessageBrowser
def frame(count):
    numbers = np.arange(count)
    sent = pd.Timestamp('2026-01-01', tz='UTC') + pd.to_timedelta(numbers, unit='s')
    return pd.DataFrame({
        'message_id': [f'id-{n:06}' for n in numbers],
        'delivery_count': numbers % 7,
        'published_at': sent,
        'prop.source': np.array(['web', 'app', 'batch'])[numbers % 3],
        'body': ['{"order": {"id": %d, "total": %d, "note": "%s"}}' % (n, n % 500, 'x' * 60) for n in numbers],
    })
frames = {count: frame(count) for count in (10_000, 100_000)}
import time
heard = []"""
PRESSED = """() => {
    window.pressed = 0;
    addEventListener('pointerdown', event => { window.pressed = (performance.timeOrigin + event.timeStamp) / 1000 }, true);
}"""
LISTEN = """table.on_select(lambda rows: heard.append(time.time()))"""
CELLS = [
    FRAME,
    "table = MessageBrowser(frames[10_000])\ntable",
    "table = MessageBrowser(frames[100_000])\ntable",
    LISTEN,
]


def test_the_first_row_is_there_at_once_and_a_selection_reaches_python(opened: Opened) -> None:
    notebook = opened(CELLS)
    notebook.run_cell(0)
    assert notebook.errors() == []
    for cell, count in ((1, 10_000), (2, 100_000)):
        what = f"first of {count:,} rows after running the cell"
        for _ in range(4):
            timings.record(notebook.app, what, notebook.first_row(cell))
        assert timings.median(notebook.app, what) < PROMISED[count] * NOISE
    notebook.run_cell(3)

    bench = Bench(notebook, notebook.output(2))
    expect(bench.counts).to_contain_text("100,000 of 100,000 shown")
    notebook.page.evaluate(PRESSED)
    what = "selection by mouse among 100,000 until Python knows"
    for number in range(8):
        notebook.python("heard.clear()")
        bench.row(f"id-{number:06}").click()
        notebook.wait_python(f"table.selected_rows == [{number}]")
        heard = notebook.wait_python("heard[-1:]")[0]
        timings.record(notebook.app, what, heard - notebook.page.evaluate("() => window.pressed"))
    assert timings.median(notebook.app, what) < SELECTION * NOISE


async def write_capture(folder: Path, count: int) -> None:
    """Write a capture as a drain does, in large answers."""
    now = datetime.now(UTC)
    receipt = Receipt("orders-dlq", "environment", now, now, 0.0)
    async with CaptureWriter(folder) as writer:
        for start in range(0, count, 1_000):
            items = [
                {
                    "headers": {"messageId": f"id-{n:06}", "lockId": f"lock-{n}", "deliveryCount": str(n % 7)},
                    "properties": {"source": ("web", "app", "batch")[n % 3]},
                    "body": f'{{"order": {n}}}',
                }
                for n in range(start, start + 1_000)
            ]
            raw = exactjson.dumps(items)
            stored = await writer.store(Delivery(messages_from_wire(raw, receipt), raw, receipt))
            await writer.settled(stored, ["acked"] * 1_000)


@IN_NOTEBOOK
def test_a_capture_of_a_hundred_thousand_is_filtered_sorted_and_selected(opened: Opened, tmp_path: Path) -> None:
    run(write_capture, tmp_path / "capture", 100_000)
    notebook = opened(
        ["from courier_nb.jupyter import MessageBrowser", f"table = MessageBrowser({str(tmp_path / 'capture')!r})\ntable"]
    )
    notebook.run_cell(0)
    what = "first of a capture of 100,000 after running the cell"
    timings.record(notebook.app, what, notebook.first_row(1))
    bench = Bench(notebook, notebook.output(1))
    expect(bench.counts).to_contain_text("100,000 of 100,000 shown")
    assert bench.rows.count() < 200  # only what is in sight is in the page

    bench.filter.fill("batch")
    expect(bench.counts).to_contain_text("33,333 of 100,000 shown")
    bench.row_at(0).click()
    notebook.page.keyboard.press("Control+a")
    notebook.wait_python("len(table.selected_rows) == 33333")
    bench.filter.fill("")
    expect(bench.counts).to_contain_text("33,333 selected")
    bench.root.get_by_role("textbox", name="pandas query").fill("delivery_count == 6 and `prop.source` == 'web'")
    bench.root.get_by_role("textbox", name="pandas query").press("Enter")
    expect(bench.counts).to_contain_text("33,333 hidden")
    visible = notebook.wait_python("len(table.visible_rows) < 100_000 and table.visible_rows[:3]")
    assert visible == notebook.python("table.frame.query(\"delivery_count == 6 and `prop.source` == 'web'\").index[:3].tolist()")
    bench.root.get_by_role("textbox", name="pandas query").fill("")
    bench.root.get_by_role("textbox", name="pandas query").press("Enter")
    expect(bench.counts).to_contain_text("100,000 of 100,000 shown")

    heading = bench.grid.get_by_role("button", name="delivery_count")
    heading.click()
    heading.click()
    expect(bench.row_at(0)).to_contain_text("id-000006")
    assert notebook.wait_python("table.descending and table.visible_rows[:3]") == [6, 13, 20]
    heading.click()
    expect(bench.row_at(0)).to_contain_text("id-000000")

    bench.row_at(0).click()
    notebook.page.keyboard.press("End")
    expect(bench.row("id-099999")).to_be_focused()
    notebook.page.keyboard.press("Space")
    notebook.wait_python("99_999 in table.selected_rows")
