"""Opens notebooks in a real JupyterLab or Notebook 7: one server for each, one browser, a fresh profile every time."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import nbformat
from playwright.sync_api import Browser

from .chromium import fresh_context, open_browser
from .page import NotebookPage
from .server import App, JupyterServer


@dataclass
class Desk:
    """The browser and the servers, each started when it is first needed.

    Parameters
    ----------
    chromium : str
        The browser's program.
    place : Path
        An empty folder for all that they keep.
    """

    chromium: str
    place: Path
    _stack: ExitStack = field(default_factory=ExitStack)
    _servers: dict[App, JupyterServer] = field(default_factory=dict)
    _browser: Browser | None = None

    def server(self, app: App) -> JupyterServer:
        if app not in self._servers:
            server = self._servers[app] = JupyterServer(app, self.place / app)
            self._stack.callback(server.stop)
        if self._browser is None:  # takes as long as the server, which starts meanwhile
            self._browser = self._stack.enter_context(open_browser(self.chromium))
        self._servers[app].wait()
        return self._servers[app]

    @contextmanager
    def open(self, app: App, path: str, *, env: Mapping[str, str]) -> Iterator[NotebookPage]:
        """Open a notebook below the server's root; its kernel has these environment variables.

        Afterwards the kernel is ended, and it is an error if the page asked for anything outside this machine, or if a script of
        ours failed in it.
        """
        server = self.server(app)
        assert self._browser is not None
        server.restore_settings()
        file = server.root / path
        kernel = server.add_kernel(path, env)
        notebook = nbformat.read(file, as_version=4)
        notebook.metadata["kernelspec"] = {"name": kernel, "display_name": path, "language": "python"}
        nbformat.write(notebook, file)
        server.start_kernel(path, kernel)
        external: list[str] = []
        try:
            with fresh_context(self._browser, external) as context:
                page = NotebookPage(context.new_page(), app, file, external)
                page.open(server.address(path))
                yield page
                assert page.mistakes == []
                assert page.external == []
        finally:
            server.end_kernels()

    def close(self) -> None:
        self._stack.close()


def write_notebook(file: Path, cells: Sequence[str]) -> nbformat.NotebookNode:
    """Write code cells to a file as a notebook."""
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(source) for source in cells])
    file.parent.mkdir(parents=True, exist_ok=True)
    nbformat.write(notebook, file)
    return notebook
