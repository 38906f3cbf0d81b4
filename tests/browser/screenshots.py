"""Take the pictures of the README: ``python -m tests.browser.screenshots``."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

from .lab import find_chromium, open_lab

TOP = Path(__file__).parents[2]
IMAGES = TOP / "docs" / "images"


def quickstart() -> None:
    chromium = find_chromium()
    if chromium is None:
        raise SystemExit("no Chromium found: install it or name it in CHROMIUM")
    with tempfile.TemporaryDirectory() as place:
        root = Path(place) / "root"
        shutil.copytree(TOP / "notebooks", root)
        with open_lab(root, "00_quickstart.ipynb", chromium=chromium) as lab:
            lab.page.set_viewport_size({"width": 1180, "height": 1340})
            lab.run_all()
            lab.page.evaluate("async () => { await jupyterapp.commands.execute('application:toggle-mode') }")
            lab.cell(9).evaluate("cell => cell.scrollIntoView()")
            lab.page.wait_for_timeout(500)
            IMAGES.mkdir(parents=True, exist_ok=True)
            lab.page.screenshot(path=IMAGES / "quickstart.png")


if __name__ == "__main__":
    quickstart()
