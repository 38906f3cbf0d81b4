"""The quickstart notebook as a user runs it: JupyterLab, Chromium, run all."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from .lab import open_lab

pytestmark = pytest.mark.browser
NOTEBOOKS = Path(__file__).parents[2] / "notebooks"


def test_the_quickstart_runs_in_jupyterlab_without_any_network(tmp_path: Path, chromium: str) -> None:
    root = tmp_path / "root"
    shutil.copytree(NOTEBOOKS, root)
    with open_lab(root, "00_quickstart.ipynb", chromium=chromium) as lab:
        lab.page.evaluate("async () => { await jupyterapp.commands.execute('notebook:clear-all-cell-outputs') }")
        lab.run_all()
        assert lab.errors() == []
        lab.page.get_by_text("400 published = 369 consumed + 31 kept in Parquet").wait_for()
        assert lab.page.get_by_text("currency missing").count() > 0
        lab.page.locator(".jp-OutputArea .widget-html, .jp-OutputArea .jupyter-widgets").first.wait_for()  # the progress bar
        assert lab.external == []
