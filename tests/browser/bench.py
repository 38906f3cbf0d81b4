"""The workbench on a page: its parts by the names that a screen reader says."""

from __future__ import annotations

import re
from dataclasses import dataclass

from playwright.sync_api import Locator

from .page import NotebookPage

CONNECT = "import courier_nb\nclient = courier_nb.connect()"
_DESTINATION = re.compile("destination|queue or exchange", re.IGNORECASE)
BROWSE = "workbench = client.browse()\nworkbench"


@dataclass
class Bench:
    """A workbench that is shown in a cell's output.

    Attributes
    ----------
    notebook : NotebookPage
    root : Locator
    name : str
        Its variable in the kernel.
    """

    notebook: NotebookPage
    root: Locator
    name: str = "workbench"

    @property
    def destination(self) -> Locator:
        return self.root.get_by_role("combobox", name=_DESTINATION)

    @property
    def grid(self) -> Locator:
        return self.root.get_by_role("grid", name="Messages")

    @property
    def rows(self) -> Locator:
        return self.grid.locator(".cnb-row")

    @property
    def counts(self) -> Locator:
        return self.root.locator(".cnb-counts")

    @property
    def filter(self) -> Locator:
        return self.root.get_by_role("searchbox", name="Filter")

    @property
    def body(self) -> Locator:
        return self.root.get_by_role("region", name="Body")

    def part(self, number: int) -> Locator:
        """Return one of the parts, from the top: the picker, the actions."""
        return self.root.locator(".cnb-part").nth(number)

    def panel(self, name: str) -> Locator:
        return self.root.get_by_role("region", name=name, exact=True)

    def row(self, words: str) -> Locator:
        """Return the first row with these words in it."""
        return self.rows.filter(has_text=words).first

    def row_at(self, place: int) -> Locator:
        """Return the row at a place (0-based) of those that are shown."""
        return self.grid.locator(f".cnb-row[aria-rowindex='{place + 2}']")

    def pick(self, destination: str) -> None:
        """Type a destination's name and take it."""
        self.destination.click()
        self.destination.fill(destination)
        self.destination.press("Enter")
        self.python(f"picker.value == {destination!r}")

    def tab(self, name: str) -> Locator:
        """Bring an action to the front; return its panel."""
        self.root.get_by_role("tab", name=name, exact=True).click()
        panel = self.panel(name)
        panel.wait_for()
        return panel

    def begin(self, tab: str, button: str) -> Locator:
        """Click a button of a panel; return the panel."""
        panel = self.tab(tab)
        panel.locator(".cnb-actions").get_by_role("button", name=button, exact=True).click()
        return panel

    def fill(self, tab: str, **fields: str) -> None:
        """Fill in text fields of a panel; a name's ``_`` is a space of the label."""
        panel = self.tab(tab)
        for label, value in fields.items():
            box = panel.get_by_role("textbox", name=label.replace("_", " "), exact=True)
            box.fill(value)
            box.press("Tab")

    def take(self, destination: str, count: int = 10, *, how: str = "Receive") -> None:
        """Receive or peek into the table, by mouse."""
        self.pick(destination)
        panel = self.tab("Receive")
        panel.get_by_role("radio", name=how).check()
        self.fill("Receive", At_most=str(count))
        self.begin("Receive", how)
        self.ended(panel)

    def confirm(self, panel: Locator) -> None:
        """Click what confirms, and wait for the report."""
        self.confirming(panel).click()
        self.ended(panel)

    def confirming(self, panel: Locator) -> Locator:
        """Return the button that confirms."""
        return panel.get_by_role("group", name="Confirm").get_by_role("button").filter(has_not_text="Cancel")

    def ended(self, panel: Locator) -> Locator:
        """Wait for the report of a panel's action; return it."""
        report = panel.get_by_role("group", name="Report")
        report.or_(panel.get_by_role("alert")).first.wait_for()
        assert panel.get_by_role("alert").all_inner_texts() == []
        self.idle()
        return report

    def python(self, expression: str) -> None:
        """Wait until something about the workbench is so in the kernel, such as ``browser.selected_rows == [0]``."""
        self.notebook.wait_python(f"{self.name}.{expression}")

    def idle(self) -> None:
        """Wait until no action is under way."""
        self.python("busy == ''")


def open_bench(notebook: NotebookPage, cell: int) -> Bench:
    """Run the cell that shows the workbench, and those before it; return it when all of its parts are there."""
    for number in range(cell + 1):
        notebook.run_cell(number)
    assert notebook.errors() == []
    root = notebook.output(cell).locator(".cnb-workbench")
    root.get_by_role("tablist", name="Actions").wait_for()
    return Bench(notebook, root)
