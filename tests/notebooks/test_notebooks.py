"""The notebooks read well where they are not run, and are safe to share."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

import nbformat
import pytest

TOP = Path(__file__).parents[2]
NOTEBOOKS = sorted((TOP / "notebooks").glob("*.ipynb"))
ABSOLUTE = re.compile(
    r"(?<![\w.:~/-])/(?:tmp|home|root|Users|work|var|usr|opt|mnt|private)/|[A-Za-z]:\\\\?Users|site-packages|ipykernel_\d"
)
LOADED = re.compile(r"!\[[^]]*]\(\w+://|<(?:img|script|link|iframe)[^>]+(?:src|href)=[\"']?(?:\w+:)?//|@import|url\((?!data:|#)")
LONGEST_CELL = 20

every_notebook = pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.name)


def cells(path: Path, kind: str) -> list[nbformat.NotebookNode]:
    return [cell for cell in nbformat.read(path, as_version=4).cells if cell.cell_type == kind]


def outputs(path: Path) -> Iterator[nbformat.NotebookNode]:
    for cell in cells(path, "code"):
        yield from cell.outputs


def said(path: Path) -> str:
    """Everything that the notebook's author wrote for its reader."""
    return "\n\n".join(cell.source for cell in cells(path, "markdown"))


def shown(output: nbformat.NotebookNode) -> str:
    """What a page would show of an output, pictures aside."""
    data = {kind: value for kind, value in output.get("data", {}).items() if not kind.startswith("image/png")}
    return json.dumps([data, output.get("text"), output.get("traceback"), output.get("evalue")], ensure_ascii=False)


def test_they_are_numbered_without_a_gap() -> None:
    assert [path.name[:3] for path in NOTEBOOKS] == [f"{number:02}_" for number in range(len(NOTEBOOKS))]


@every_notebook
def test_it_begins_with_a_title_what_one_learns_and_how_long_it_takes(path: Path) -> None:
    first = nbformat.read(path, as_version=4).cells[0]
    assert first.cell_type == "markdown"
    assert re.match(r"# \S", first.source)
    assert "**You learn**" in first.source
    assert re.search(r"\*\*It takes\*\* \w+ minutes", first.source)


@every_notebook
def test_it_ends_with_the_way_to_another_one(path: Path) -> None:
    last = nbformat.read(path, as_version=4).cells[-1]
    assert last.cell_type == "markdown"
    assert re.search(r"]\(\d\d_\w+\.ipynb\)", last.source)


@every_notebook
def test_its_cells_are_short(path: Path) -> None:
    long = [cell.source for cell in cells(path, "code") if len(cell.source.splitlines()) > LONGEST_CELL]
    assert long == []


@every_notebook
def test_its_outputs_were_saved_in_one_go(path: Path) -> None:
    counts = [cell.execution_count for cell in cells(path, "code")]
    assert counts == list(range(1, len(counts) + 1))


@every_notebook
def test_cells_that_fail_are_those_that_say_so(path: Path) -> None:
    for cell in cells(path, "code"):
        is_expected = "raises-exception" in cell.metadata.get("tags", ())
        has_failed = any(output.output_type == "error" for output in cell.outputs)
        assert has_failed == is_expected, cell.source


@every_notebook
def test_nothing_in_it_names_a_place_of_one_machine(path: Path) -> None:
    texts = [cell.source for cell in cells(path, "code")] + [shown(output) for output in outputs(path)]
    assert [found.group() for text in texts if (found := ABSOLUTE.search(text))] == []


@every_notebook
def test_nothing_in_it_loads_from_elsewhere(path: Path) -> None:
    texts = [said(path)] + [shown(output) for output in outputs(path)]
    assert [found.group() for text in texts if (found := LOADED.search(text))] == []


@every_notebook
def test_no_state_of_widgets_is_saved(path: Path) -> None:
    assert "widgets" not in nbformat.read(path, as_version=4).metadata
    assert not any("widget" in kind for output in outputs(path) for kind in output.get("data", {}))


@every_notebook
def test_what_it_links_to_is_there(path: Path) -> None:
    missing = []
    for target in re.findall(r"]\(([^)\s]+)\)", said(path)):
        name, _, heading = target.partition("#")
        found = path.parent / name
        if "://" not in target and (not found.exists() or (heading and heading not in headings(found))):
            missing.append(target)
    assert missing == []


@every_notebook
def test_it_is_listed_where_one_looks_for_it(path: Path) -> None:
    assert f"]({path.name})" in (path.parent / "README.md").read_text()
    assert path == NOTEBOOKS[0] or f"]({path.name})" in said(NOTEBOOKS[0])


def test_the_patterns_find_what_they_are_for() -> None:
    for place in ("/tmp/x", "'/home/ada/y'", "(/root/.cache)", "C:\\Users\\ada", "lib/site-packages/x"):
        assert ABSOLUTE.search(place), place
    for loaded in ("![a](https://host/a.png)", '<img src="//host/a.png">', "<script src='http://host/a.js'>"):
        assert LOADED.search(loaded), loaded
    for harmless in ("http://127.0.0.1/api/v1", "../docs/images/a.png", "https://anypoint.mulesoft.com/tmp"):
        assert not ABSOLUTE.search(harmless), harmless
        assert not LOADED.search(harmless), harmless


def headings(path: Path) -> set[str]:
    """The anchors that a repository page makes of the headings of a text."""
    titles = re.findall(r"^#+ (.+)$", path.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}
