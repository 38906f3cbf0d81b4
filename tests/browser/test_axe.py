"""axe-core over the workbench, in every state that it has, light and dark."""

from __future__ import annotations

from typing import Literal

import pytest
from playwright.sync_api import expect

from courier_nb import Client, Message

from .bench import BROWSE, CONNECT, Bench, open_bench
from .conftest import IN_LAB, Opened

pytestmark = [pytest.mark.browser, IN_LAB]
THEMES: tuple[Literal["light", "dark"], ...] = ("light", "dark")


@pytest.fixture
def bench(opened: Opened, client: Client) -> Bench:
    messages = [Message('{"total": 5, "items": [1, 2]}', {"source": "web"}, {"messageId": f"m-{i}"}) for i in range(4)]
    client.destination("orders-dlq").publish(messages, progress=False)
    return open_bench(opened([CONNECT, BROWSE]), 1)


def test_axe_finds_nothing_serious_in_any_state_of_the_workbench(bench: Bench) -> None:
    found: dict[str, list[str]] = {}

    def check(state: str) -> None:
        findings = bench.notebook.axe(".cnb-workbench")
        if findings:
            found[state] = findings

    bench.destination.click()
    check("list of destinations")
    bench.take("orders-dlq", 4)
    bench.row("m-1").click()
    expect(bench.body).to_contain_text("Message m-1")
    for theme in THEMES:
        bench.notebook.theme(theme)
        for tab in ("Receive", "Settle", "Drain", "Replay", "Move", "Python"):
            bench.root.get_by_role("tab", name=tab, exact=True).click()
            check(f"{tab}, {theme}")
    bench.begin("Settle", "Ack: delete")
    bench.confirming(bench.panel("Settle")).wait_for()
    check("confirmation")
    bench.confirm(bench.panel("Settle"))
    check("report")
    bench.row("m-2").click()
    bench.row("m-3").click(modifiers=["Control"])
    expect(bench.body).to_contain_text("Message m-3")
    bench.body.get_by_role("button", name="Compare two selected").click()
    expect(bench.body).to_contain_text("Two messages compared")
    check("differences")
    bench.body.get_by_role("button", name="Back to one message").click()
    bench.body.get_by_role("button", name="Edit body").click()
    check("edit")
    assert found == {}
