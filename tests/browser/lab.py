"""A real JupyterLab in a real Chromium, cut off from everything but loopback."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from playwright.sync_api import Locator, Page, Route, sync_playwright

TOKEN = "a-token-for-this-test-only"
CHROMIUM_FLAGS = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync", "--disable-dev-shm-usage",
]  # fmt: skip
# Prompts, autosave and windowing make what is on the page depend on timing.
SETTINGS: dict[str, dict[str, Any]] = {
    "apputils-extension/notification": {"fetchNews": "false", "checkForUpdates": False, "doNotDisturbMode": True},
    "notebook-extension/tracker": {"windowingMode": "none", "maxNumberOutputs": 500},
    "docmanager-extension/plugin": {"autosave": False},
}


def find_chromium() -> str | None:
    """Return the browser to use: ``CHROMIUM``, or one on the path."""
    names = (os.environ.get("CHROMIUM"), "chromium", "chromium-browser", "google-chrome")
    return next((found for name in names if name and (found := shutil.which(name))), None)


@dataclass
class Lab:
    """A notebook that is open in the browser."""

    page: Page
    external: list[str] = field(default_factory=list)

    def run_all(self, *, timeout: float = 120) -> None:
        """Run all cells and return when the last one has ended."""
        self.page.evaluate("async () => { await jupyterapp.commands.execute('notebook:run-all-cells') }")
        self.page.wait_for_function(
            "() => jupyterapp.shell.currentWidget.content.widgets.filter(c => c.model.type === 'code')"
            ".every(c => c.model.executionCount !== null && c.model.executionState !== 'running')",
            timeout=timeout * 1000,
        )

    def errors(self) -> list[str]:
        """Return the errors among the cells' outputs."""
        found: list[str] = self.page.evaluate(
            "() => jupyterapp.shell.currentWidget.content.widgets.filter(c => c.model.type === 'code')"
            ".flatMap(c => c.model.outputs.toJSON()).filter(o => o.output_type === 'error').map(o => o.evalue)"
        )
        return found

    def cell(self, number: int) -> Locator:
        return self.page.locator(".jp-Notebook .jp-Cell").nth(number)


@contextmanager
def open_lab(root: Path, notebook: str, *, chromium: str) -> Iterator[Lab]:
    """Serve `root` with JupyterLab and open one of its notebooks.

    Everything that the server and the browser keep goes to folders of their own beside `root`.
    """
    with _server(root) as url, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=CHROMIUM_FLAGS)
        try:
            page = browser.new_page(viewport={"width": 1280, "height": 1000})
            lab = Lab(page)

            def gate(route: Route) -> None:
                if urlsplit(route.request.url).hostname in ("127.0.0.1", "localhost", None):
                    route.continue_()
                else:
                    lab.external.append(route.request.url)
                    route.abort()

            page.route("**/*", gate)
            page.goto(f"{url}/doc/tree/{notebook}?token={TOKEN}")
            page.wait_for_function("() => window.jupyterapp && jupyterapp.shell.currentWidget?.sessionContext", timeout=60_000)
            page.wait_for_function(
                "() => jupyterapp.shell.currentWidget.sessionContext.session?.kernel?.status === 'idle'", timeout=60_000
            )
            yield lab
        finally:
            browser.close()


@contextmanager
def _server(root: Path) -> Iterator[str]:
    home = root.parent / "home"
    settings = home / "settings" / "@jupyterlab"
    for name, values in SETTINGS.items():
        file = settings / f"{name}.jupyterlab-settings"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(json.dumps(values))
    env = {
        **os.environ,
        "HOME": str(home),
        "JUPYTERLAB_SETTINGS_DIR": str(home / "settings"),
        "JUPYTERLAB_WORKSPACES_DIR": str(home / "workspaces"),
        "JUPYTER_RUNTIME_DIR": str(home / "runtime"),
        "JUPYTER_DATA_DIR": str(home / "data"),
    }
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    options = [
        f"--ServerApp.port={port}", "--ServerApp.port_retries=0", f"--IdentityProvider.token={TOKEN}", "--no-browser",
        f"--ServerApp.root_dir={root}", "--LabApp.expose_app_in_browser=True", "--ServerApp.ip=127.0.0.1", "--allow-root",
        "--ZMQChannelsWebsocketConnection.iopub_data_rate_limit=1e9",
    ]  # fmt: skip
    with (home / "server.log").open("w") as log:
        server = subprocess.Popen(
            [sys.executable, "-m", "jupyterlab", *options], env=env, cwd=root, stdout=log, stderr=log, start_new_session=True
        )
        url = f"http://127.0.0.1:{port}"
        try:
            _wait_for(f"{url}/api/status?token={TOKEN}", server)
            yield url
        finally:
            _end_kernels(url)
            os.killpg(server.pid, signal.SIGTERM)  # the group that we made: the server and its kernels
            server.wait(20)


def _wait_for(url: str, server: subprocess.Popen[bytes]) -> None:
    end = time.monotonic() + 60
    while time.monotonic() < end and server.poll() is None:
        try:
            urllib.request.urlopen(url, timeout=2).close()
            return
        except OSError:
            time.sleep(0.2)
    raise RuntimeError("JupyterLab did not start")


def _end_kernels(url: str) -> None:
    with urllib.request.urlopen(f"{url}/api/sessions?token={TOKEN}", timeout=5) as answer:
        sessions = json.load(answer)
    for session in sessions:
        request = urllib.request.Request(f"{url}/api/sessions/{session['id']}?token={TOKEN}", method="DELETE")
        urllib.request.urlopen(request, timeout=20).close()
