"""Take the pictures of README and docs from a real JupyterLab: ``python -m tests.browser.screenshots [NAME …]``.

Each picture of the workbench is taken light and dark; the quickstart's is light.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

from PIL import Image
from playwright.sync_api import Locator, Page, expect

from courier_nb import Client, Message
from courier_nb.broker import BrokerConfig, QueueConfig, ServedBroker
from courier_nb.client import broker_settings

from .bench import BROWSE, CONNECT, Bench, open_bench
from .chromium import find_chromium
from .lab import Desk, write_notebook

TOP = Path(__file__).parents[2]
IMAGES = TOP / "docs" / "images"
COLOURS = 160
WIDE, HIGH = 1240, 2100
QUEUES = (
    QueueConfig("orders", dead_letter_queue="orders-dlq", max_deliveries=5),
    QueueConfig("orders-dlq"),
    QueueConfig("invoices", dead_letter_queue="invoices-dlq", max_deliveries=3),
    QueueConfig("invoices-dlq"),
    QueueConfig("shipments.fifo", fifo=True),
    QueueConfig("parked"),
)
WRONG = ("currency missing", "total is not a number", "customer unknown")


def messages(queue: str, count: int) -> Iterator[Message]:
    for number in range(count):
        order = {"id": f"A-{1000 + number}", "total": 12.5 * number, "currency": None if number % 3 == 0 else "EUR"}
        body = {"order": order, "customer": {"id": 70 + number % 9, "country": ("DE", "FR", "SE")[number % 3]}}
        properties = {"source": ("web", "app", "batch")[number % 3], "error": WRONG[number % 3]}
        yield Message(json.dumps(body), properties, {"messageId": f"{queue}-{number:04}", "contentType": "application/json"})


def save(shown: Locator | Page, name: str) -> None:
    """Save a picture of an element or of the page, in few colours: a page of documentation holds several."""
    file = IMAGES / f"{name}.png"
    IMAGES.mkdir(parents=True, exist_ok=True)
    shown.screenshot(path=file, animations="disabled")
    with Image.open(file) as picture:
        picture.convert("RGB").quantize(COLOURS, dither=Image.Dither.NONE).save(file, optimize=True)
    print(f"{file.relative_to(TOP)}: {file.stat().st_size / 1000:.0f} kB")


def picker(bench: Bench) -> Locator:
    bench.destination.click()
    bench.root.get_by_role("listbox", name="Destinations").get_by_role("option").first.wait_for()
    return bench.part(0)


def receive(bench: Bench) -> Locator:
    bench.take("orders-dlq", 30)
    return bench.panel("Receive")


def table(bench: Bench) -> Locator:
    bench.filter.fill("total is not")
    expect(bench.counts).to_contain_text("10 of 30")
    bench.row_at(2).click()
    bench.row_at(5).click(modifiers=["Shift"])
    expect(bench.body).to_contain_text("currency")
    return bench.root.locator(".cnb-messages")


def workbench(bench: Bench) -> Locator:
    return bench.root


def body(bench: Bench) -> Locator:
    bench.filter.fill("")
    expect(bench.counts).to_contain_text("30 of 30")
    bench.row_at(4).click()
    expect(bench.body.get_by_role("heading").first).to_contain_text("0004")
    return bench.body


def differences(bench: Bench) -> Locator:
    bench.row_at(3).click()
    bench.row_at(4).click(modifiers=["Control"])
    expect(bench.body.get_by_role("heading").first).to_contain_text("0004")
    bench.python("viewer.row == 4")
    bench.body.get_by_role("button", name="Compare two selected").click()
    expect(bench.body.get_by_role("heading").first).to_contain_text("compared")
    return bench.body


def settle(bench: Bench) -> Locator:
    bench.body.get_by_role("button", name="Back to one message").click()
    bench.row_at(5).click(modifiers=["Shift"])
    panel = bench.begin("Settle", "Ack: delete")
    expect(bench.confirming(panel)).to_be_enabled()
    return panel


def settled(bench: Bench) -> Locator:
    panel = bench.panel("Settle")
    bench.confirm(panel)
    return panel


def replay(bench: Bench) -> Locator:
    bench.row_at(7).click()
    bench.row_at(12).click(modifiers=["Shift"])
    panel = bench.begin("Replay", "Show the plan")
    panel.get_by_role("group", name="Plan").wait_for()
    bench.idle()
    return panel


def move(bench: Bench) -> Locator:
    bench.fill("Move", To="parked")
    panel = bench.begin("Move", "Show the plan")
    panel.get_by_role("group", name="Plan").wait_for()
    bench.idle()
    return panel


def drain(bench: Bench) -> Locator:
    bench.pick("invoices-dlq")
    bench.fill("Drain", Folder="dead-invoices", Rate="40 msg/s")
    panel = bench.begin("Drain", "Drain")
    bench.confirming(panel).click()
    bench.python("drain.progress.get('done', 0) > 60")
    return panel


def drained(bench: Bench) -> Locator:
    panel = bench.panel("Drain")
    panel.get_by_role("button", name="Stop", exact=True).click()
    bench.ended(panel)
    return panel


def script(bench: Bench) -> Locator:
    bench.root.get_by_role("tab", name="Python", exact=True).click()
    return bench.root.get_by_role("tabpanel", name="Python")


PICTURES: tuple[Callable[[Bench], Locator], ...] = (
    picker, receive, table, workbench, body, differences, settle, settled, replay, move, drain, drained, script,
)  # fmt: skip


@contextmanager
def opened(desk: Desk, broker: ServedBroker, place: Path, theme: Literal["light", "dark"]) -> Iterator[Bench]:
    write_notebook(desk.server("lab").root / theme / "workbench.ipynb", [CONNECT, BROWSE])
    env = {**broker.environ, "XDG_STATE_HOME": str(place / theme), "XDG_DATA_HOME": str(place / theme)}
    with desk.open("lab", f"{theme}/workbench.ipynb", env=env) as notebook:
        notebook.page.set_viewport_size({"width": WIDE, "height": HIGH})
        notebook.theme(theme)
        yield open_bench(notebook, 1)


def workbenches(desk: Desk, place: Path, names: list[str]) -> None:
    for theme in ("light", "dark"):
        with ServedBroker(BrokerConfig(queues=QUEUES)) as broker, broker.answering():
            with Client(broker_settings(broker.settings)) as client:
                for queue, count in (("orders-dlq", 40), ("invoices-dlq", 300), ("orders", 12), ("shipments.fifo", 5)):
                    client.destination(queue).publish(list(messages(queue, count)), progress=False)
            with opened(desk, broker, place, theme) as bench:  # type: ignore[arg-type]
                for take in PICTURES:
                    shown = take(bench)
                    if not names or take.__name__ in names:
                        save(shown, f"{take.__name__}-{theme}")


def quickstart(desk: Desk, place: Path) -> None:
    shutil.copytree(TOP / "notebooks", desk.server("lab").root / "notebooks")
    with desk.open("lab", "notebooks/00_quickstart.ipynb", env={"XDG_STATE_HOME": str(place / "quickstart")}) as lab:
        lab.page.set_viewport_size({"width": 1180, "height": 1340})
        lab.run_all()
        lab.command("application:toggle-mode")
        lab.cell(9).evaluate("cell => cell.scrollIntoView()")
        lab.page.wait_for_timeout(500)
        save(lab.page, "quickstart")


def main(names: list[str]) -> None:
    chromium = find_chromium()
    if chromium is None:
        raise SystemExit("no Chromium found: install it or name it in CHROMIUM")
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        os.environ.update(XDG_STATE_HOME=str(place / "state"), XDG_DATA_HOME=str(place / "data"))
        desk = Desk(chromium, place / "desk")
        try:
            if not names or "quickstart" in names:
                quickstart(desk, place)
            if names != ["quickstart"]:
                workbenches(desk, place, names)
        finally:
            desk.close()


if __name__ == "__main__":
    main(sys.argv[1:])
