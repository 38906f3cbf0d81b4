"""The quickstart notebook as a user runs it: JupyterLab or Notebook 7, Chromium, run all."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from .lab import Desk
from .server import App

pytestmark = pytest.mark.browser
NOTEBOOKS = Path(__file__).parents[2] / "notebooks"


def test_the_quickstart_runs_without_any_network(desk: Desk, app: App, state_of_its_own: Path) -> None:
    shutil.copytree(NOTEBOOKS, desk.server(app).root / "notebooks")
    with desk.open(app, "notebooks/00_quickstart.ipynb", env={"XDG_STATE_HOME": str(state_of_its_own / "state")}) as lab:
        lab.command("notebook:clear-all-cell-outputs")
        lab.run_all()
        assert lab.errors() == []
        lab.page.get_by_text("400 published = 369 consumed + 31 kept in Parquet").wait_for()
        assert lab.page.get_by_text("currency missing").count() > 0
        lab.page.locator(".jp-OutputArea .widget-html, .jp-OutputArea .jupyter-widgets").first.wait_for()  # the progress bar
