"""What refreshing a notebook saves of it."""

from __future__ import annotations

from pathlib import Path

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_notebook

from .refresh import chosen, refresh


def test_of_a_widget_only_its_text_is_saved(tmp_path: Path) -> None:
    path = tmp_path / "notebook.ipynb"
    cells = [new_code_cell("import ipywidgets\nipywidgets.Text('a body')"), new_code_cell("print(1)\nprint(2)")]
    nbformat.write(new_notebook(cells=cells), path)
    refresh(path)
    saved = nbformat.read(path, as_version=4)
    (widget,), (stream,) = (cell.outputs for cell in saved.cells)
    assert list(widget.data) == ["text/plain"]
    assert "widgets" not in saved.metadata
    assert stream.text == "1\n2\n"


def test_notebooks_are_chosen_by_the_beginning_of_their_names() -> None:
    assert [path.name for path in chosen(["00"])] == ["00_quickstart.ipynb"]
    assert len(chosen([])) > 1
    with pytest.raises(SystemExit, match="no notebook begins with '99'"):
        chosen(["00", "99"])
