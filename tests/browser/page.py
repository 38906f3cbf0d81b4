"""A notebook that is open in JupyterLab or Notebook 7, driven as a user would, and asked what it holds."""

from __future__ import annotations

import ast
import json
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from playwright.sync_api import ConsoleMessage, Error, Locator, Page

from . import axe
from .server import App

_CELLS = "jupyterapp.shell.currentWidget.content.widgets"
_IDLE = """() => {
    const status = window.jupyterapp?.shell.currentWidget?.sessionContext?.session?.kernel?.status;
    return status === 'idle';
}"""
_ASK = """async code => {
    const kernel = jupyterapp.shell.currentWidget.sessionContext.session.kernel;
    const asked = kernel.requestExecute({
        code: '', silent: true, store_history: false, stop_on_error: false, user_expressions: {answer: code},
    });
    const reply = await asked.done;
    return reply.content;
}"""
_EVERY_SECONDS = 0.05
_PATIENCE_SECONDS = 20.0
_OPEN_SECONDS = 90.0


@dataclass
class NotebookPage:
    """What a test does with an open notebook.

    Attributes
    ----------
    page : Page
    app : {"lab", "notebook"}
    file : Path
        The notebook on disk.
    external : list of str
        Addresses outside this machine that the page asked for; refused.
    mistakes : list of str
        Errors of our own scripts.
    """

    page: Page
    app: App
    file: Path
    external: list[str]
    mistakes: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.page.on("pageerror", self._keep_error)
        self.page.on("console", self._keep_console)

    def open(self, address: str) -> None:
        """Go to the notebook's page and wait for its kernel."""
        self.page.goto(address)
        self._wait_idle()

    def reload(self) -> None:
        """Save, then load the page again; the kernel goes on."""
        self.save()
        self.page.reload()
        self._wait_idle()

    def command(self, name: str, arguments: dict[str, Any] | None = None) -> None:
        """Run a command of the application, as its menu does, to its end."""
        self.page.evaluate("async ([name, given]) => { await jupyterapp.commands.execute(name, given) }", [name, arguments or {}])

    def save(self) -> None:
        self.command("docmanager:save")

    def saved(self) -> str:
        """Return the saved file's text."""
        return self.file.read_text()

    def run_all(self, *, timeout: float = 120) -> None:
        """Run all cells and return when the last one has ended."""
        self.command("notebook:run-all-cells")
        self.page.wait_for_function(
            f"() => {_CELLS}.filter(c => c.model.type === 'code')"
            ".every(c => c.model.executionCount !== null && c.model.executionState !== 'running')",
            timeout=timeout * 1000,
        )

    def run_cell(self, number: int, *, wait: bool = True) -> None:
        """Run a cell, and unless told otherwise wait for its end."""
        self.page.evaluate(
            "async ([number, wait]) => { const notebook = jupyterapp.shell.currentWidget.content;"
            " notebook.deselectAll(); notebook.activeCellIndex = number;"
            " const running = jupyterapp.commands.execute('notebook:run-cell'); if (wait) await running; }",
            [number, wait],
        )

    def first_row(self, number: int, selector: str = ".cnb-row") -> float:
        """Run a cell and return the time (seconds) until something of its output is painted, as the browser sees it."""
        milliseconds = self.page.evaluate(
            """([number, selector]) => new Promise(resolve => {
                const notebook = jupyterapp.shell.currentWidget.content;
                const output = notebook.widgets[number].node;
                notebook.deselectAll();
                notebook.activeCellIndex = number;
                const begun = performance.now();
                void jupyterapp.commands.execute('notebook:run-cell');
                const look = () => {
                    const found = output.querySelector(selector);
                    if (found && found.getBoundingClientRect().height > 0) {
                        requestAnimationFrame(() => resolve(performance.now() - begun));
                    } else {
                        requestAnimationFrame(look);
                    }
                };
                requestAnimationFrame(look);
            })""",
            [number, selector],
        )
        return float(milliseconds) / 1000

    def set_cell(self, number: int, source: str) -> None:
        """Write a cell anew."""
        self.page.evaluate(f"([number, source]) => {_CELLS}[number].model.sharedModel.setSource(source)", [number, source])

    def cell_count(self) -> int:
        return int(self.page.evaluate(f"() => {_CELLS}.length"))

    def interrupt(self) -> None:
        """Press Stop."""
        self.command("notebook:interrupt-kernel")

    def errors(self) -> list[str]:
        """Return the errors among the cells' outputs, each as ``Name: words``."""
        found: list[str] = self.page.evaluate(
            f"() => {_CELLS}.filter(c => c.model.type === 'code').flatMap(c => c.model.outputs.toJSON())"
            ".filter(o => o.output_type === 'error').map(o => `${o.ename}: ${o.evalue}`)"
        )
        return found

    def cell(self, number: int) -> Locator:
        return self.page.locator(".jp-Notebook .jp-Cell").nth(number)

    def output(self, number: int) -> Locator:
        return self.cell(number).locator(".jp-OutputArea")

    def new_view(self, number: int) -> Locator:
        """Show the output of a cell a second time, beside the notebook (JupyterLab only)."""
        self.page.evaluate("number => { jupyterapp.shell.currentWidget.content.activeCellIndex = number; }", number)
        self.command("notebook:create-output-view")
        return self.page.locator(".jp-LinkedOutputView")

    def theme(self, name: Literal["light", "dark"]) -> None:
        self.command("apputils:change-theme", {"theme": f"JupyterLab {name.title()}"})
        self.page.locator(f"body[data-jp-theme-light={'true' if name == 'light' else 'false'}]").wait_for(state="attached")

    def python(self, expression: str, *, timeout: float = _PATIENCE_SECONDS) -> Any:
        """Return the value of an expression in the notebook's kernel, as JSON gives it.

        After an error or an interrupt a kernel refuses what was already waiting; such a question is asked again.

        Raises
        ------
        AssertionError
            When the expression fails; when the kernel does not answer in `timeout` seconds.
        """
        code = f"__import__('json').dumps(({expression}), default=str)"
        end = time.monotonic() + timeout
        while time.monotonic() < end:
            reply = self.page.evaluate(_ASK, code)
            answer = reply.get("user_expressions", {}).get("answer")
            if answer is not None:
                assert answer["status"] == "ok", f"{expression}: {answer.get('ename')}: {answer.get('evalue')}"
                return json.loads(ast.literal_eval(answer["data"]["text/plain"]))
            self.page.wait_for_timeout(_EVERY_SECONDS * 1000)
        raise AssertionError(f"the kernel did not answer {expression!r}")

    def wait_python(self, expression: str, *, timeout: float = _PATIENCE_SECONDS) -> Any:
        """Ask until the expression is true; return its value."""
        end = time.monotonic() + timeout
        while True:
            found = self.python(expression, timeout=timeout)
            if found:
                return found
            assert time.monotonic() < end, f"{expression} was not true within {timeout:g} s: {found!r}"
            self.page.wait_for_timeout(_EVERY_SECONDS * 1000)

    def clipboard(self) -> str:
        return str(self.page.evaluate("() => navigator.clipboard.readText()"))

    def axe(self, selector: str) -> list[str]:
        """Return the serious and critical findings of axe-core inside an element."""
        return axe.findings(self.page, selector)

    def screenshot(self, path: Path, shown: Locator | None = None) -> None:
        """Take a picture of an element, or of the page."""
        path.parent.mkdir(parents=True, exist_ok=True)
        (shown or self.page).screenshot(path=path)

    def _wait_idle(self) -> None:
        self.page.wait_for_function(_IDLE, timeout=_OPEN_SECONDS * 1000)

    def _keep_error(self, error: Error) -> None:
        # Applications have errors of their own; ours come from a widget's script, which is loaded from a blob.
        if "blob:" in (error.stack or "") or "cnb" in str(error):
            self.mistakes.append(error.stack or str(error))

    def _keep_console(self, message: ConsoleMessage) -> None:
        if message.type == "error" and ("[anywidget]" in message.text or "blob:" in message.location.get("url", "")):
            self.mistakes.append(message.text)
