"""A real Jupyter server, JupyterLab's or Notebook 7's, that keeps everything in folders of its own."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.parse
import urllib.request
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

App = Literal["lab", "notebook"]

TOKEN = "a-token-for-this-test-only"
_START_SECONDS = 90
_MODULES = {"lab": "jupyterlab", "notebook": "notebook"}
_CLASSES = {"lab": "LabApp", "notebook": "JupyterNotebookApp"}
# Prompts, autosave and windowing make what is on the page depend on timing. Widget state is saved, so that leaks would be seen.
_SETTINGS: dict[str, dict[str, Any]] = {
    "@jupyterlab/apputils-extension/notification": {"fetchNews": "false", "checkForUpdates": False, "doNotDisturbMode": True},
    "@jupyterlab/notebook-extension/tracker": {"windowingMode": "none", "maxNumberOutputs": 500},
    "@jupyterlab/docmanager-extension/plugin": {"autosave": False},
    "@jupyter-widgets/jupyterlab-manager/plugin": {"saveState": True},
    "@jupyterlab/apputils-extension/themes": {"theme": "JupyterLab Light"},
}


class JupyterServer:
    """Serves a folder on a free port of loopback until `stop`.

    Parameters
    ----------
    app : {"lab", "notebook"}
    place : Path
        An empty folder; the notebooks are in its ``root``, all else that Jupyter keeps is beside it.

    Attributes
    ----------
    url : str
    root : Path
    """

    def __init__(self, app: App, place: Path) -> None:
        self.app = app
        self.root = place / "root"
        self._home = place / "home"
        self.root.mkdir(parents=True)
        self.restore_settings()
        port = _free_port()
        self.url = f"http://127.0.0.1:{port}"
        options = [
            f"--ServerApp.port={port}", "--ServerApp.port_retries=0", "--ServerApp.ip=127.0.0.1", "--no-browser", "--allow-root",
            f"--ServerApp.root_dir={self.root}", f"--IdentityProvider.token={TOKEN}",
            f"--{_CLASSES[app]}.expose_app_in_browser=True", "--ZMQChannelsWebsocketConnection.iopub_data_rate_limit=1e9",
        ]  # fmt: skip
        with (self._home / "server.log").open("w") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", _MODULES[app], *options],
                env=self._environment(),
                cwd=self.root,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def wait(self) -> None:
        """Return when it answers.

        Raises
        ------
        RuntimeError
            When it has ended, or is silent for too long; with the end of its log.
        """
        end = time.monotonic() + _START_SECONDS
        while time.monotonic() < end and self._process.poll() is None:
            try:
                self._ask("api/status")
                return
            except OSError:
                time.sleep(0.1)
        log = (self._home / "server.log").read_text()
        raise RuntimeError(f"{_MODULES[self.app]} did not start: {log[-2_000:]}")

    def restore_settings(self) -> None:
        """Write the settings of the user anew; pages that are opened later have them."""
        for name, values in _SETTINGS.items():
            file = self._home / "settings" / f"{name}.jupyterlab-settings"
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(json.dumps(values))

    def address(self, notebook: str) -> str:
        """Return the page of a notebook (relative to `root`); each has a layout of its own, so that none restores another's."""
        path = urllib.parse.quote(notebook)
        if self.app == "notebook":
            return f"{self.url}/notebooks/{path}?token={TOKEN}"
        return f"{self.url}/doc/workspaces/{_slug(notebook)}/tree/{path}?token={TOKEN}"

    def add_kernel(self, name: str, env: Mapping[str, str]) -> str:
        """Add a kind of Python kernel that starts with these environment variables; return its name."""
        folder = self._home / "data" / "kernels" / _slug(name)
        folder.mkdir(parents=True)
        begin = "--IPKernelApp.exec_lines=__import__('courier_nb.jupyter.workbench')"  # while the page comes up
        argv = [sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}", begin]
        spec = {"argv": argv, "display_name": name, "language": "python", "env": dict(env)}
        (folder / "kernel.json").write_text(json.dumps(spec))
        return folder.name

    def start_kernel(self, notebook: str, kernel: str) -> None:
        """Start the kernel of a notebook, so that it comes up while the page does."""
        wanted = {"path": notebook, "name": notebook, "type": "notebook", "kernel": {"name": kernel}}
        self._ask("api/sessions", "POST", wanted)

    def end_kernels(self) -> None:
        """End what notebooks have started."""
        for session in json.loads(self._ask("api/sessions")):
            self._ask(f"api/sessions/{session['id']}", "DELETE")

    def stop(self) -> None:
        """End the kernels, then the server: the process group that was made for it."""
        try:
            if self._process.poll() is None:
                self.end_kernels()
        finally:
            os.killpg(self._process.pid, signal.SIGTERM)
            self._process.wait(20)

    def _environment(self) -> dict[str, str]:
        env = {name: value for name, value in os.environ.items() if not name.startswith(("ANYPOINT_", "JUPYTER"))}
        folders = {
            "JUPYTERLAB_SETTINGS_DIR": "settings",
            "JUPYTERLAB_WORKSPACES_DIR": "workspaces",
            "JUPYTER_RUNTIME_DIR": "runtime",
            "JUPYTER_DATA_DIR": "data",
            "JUPYTER_CONFIG_DIR": "config",
            "IPYTHONDIR": "ipython",
        }
        return {**env, "HOME": str(self._home), **{name: str(self._home / folder) for name, folder in folders.items()}}

    def _ask(self, path: str, method: str = "GET", body: object = None) -> bytes:
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(f"{self.url}/{path}", data, {"Authorization": f"token {TOKEN}"}, method=method)
        with urllib.request.urlopen(request, timeout=30) as answer:
            return bytes(answer.read())


def _slug(name: str) -> str:
    return "".join(character if character.isalnum() else "-" for character in name).lower()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
