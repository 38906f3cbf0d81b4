"""Execute the notebooks and save their outputs, cleaned: ``python -m tests.notebooks.refresh [NAME …]``."""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path

import nbformat
from nbclient import NotebookClient

NOTEBOOKS = Path(__file__).parents[2] / "notebooks"
WIDGET = "application/vnd.jupyter.widget-view+json"


def refresh(path: Path) -> None:
    notebook = nbformat.read(path, as_version=4)
    place = {"metadata": {"path": str(path.parent)}}
    NotebookClient(notebook, timeout=300, kernel_name="python3", resources=place, coalesce_streams=True).execute()
    notebook.metadata.pop("widgets", None)  # the state of widgets may hold what they showed
    for cell in notebook.cells:
        cell.metadata.pop("execution", None)
        for output in cell.get("outputs", ()):
            output.get("data", {}).pop(WIDGET, None)
    nbformat.write(notebook, path)


def chosen(names: list[str]) -> list[Path]:
    """Return the notebooks whose names begin with one of these; all of them when there are none."""
    paths = sorted(NOTEBOOKS.glob("*.ipynb"))
    for name in names:
        if not any(path.name.startswith(name) for path in paths):
            raise SystemExit(f"no notebook begins with {name!r}; there are {', '.join(path.name for path in paths)}")
    return [path for path in paths if not names or path.name.startswith(tuple(names))]


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        os.environ.update(XDG_STATE_HOME=f"{folder}/state", XDG_DATA_HOME=f"{folder}/data", TQDM_DISABLE="1")
        for found in chosen(sys.argv[1:]):
            refresh(found)
