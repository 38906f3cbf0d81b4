"""Style sheets of widgets are global to a page: each touches its own widget and no other."""

from __future__ import annotations

import re
from importlib.resources import files

import pytest

ROOTS = {
    "bodies.css": ".cnb-bodies",
    "panel.css": ".cnb-panel",
    "picker.css": ".cnb-pick",
    "table.css": ".cnb-table",
    "workbench.css": ".cnb-workbench",
}
STATIC = files("courier_nb.jupyter") / "static"


def selectors(sheet: str) -> list[str]:
    text = re.sub(r"/\*.*?\*/", "", (STATIC / sheet).read_text(encoding="utf-8"), flags=re.DOTALL)
    heads = [head.strip() for head in re.findall(r"([^{}]+)\{", text)]
    return [one.strip() for head in heads if not head.startswith("@") for one in head.split(",")]


def test_there_is_no_other_style_sheet() -> None:
    sheets = {file.name for file in STATIC.iterdir() if file.name.endswith(".css")}
    assert sheets == {"theme.css", *ROOTS}


@pytest.mark.parametrize("sheet", ROOTS)
def test_every_rule_is_for_elements_of_its_own_widget(sheet: str) -> None:
    found = selectors(sheet)
    assert found
    assert [one for one in found if not re.match(re.escape(ROOTS[sheet]) + r"(?![\w-])", one)] == []


def test_rules_of_the_theme_are_for_widgets_of_ours() -> None:
    assert [one for one in selectors("theme.css") if not re.match(r"(body[.\[][^ ]+ )?\.cnb(?![\w])", one)] == []


def test_the_workbench_does_not_restyle_its_parts() -> None:
    named = {name for one in selectors("workbench.css") for name in re.findall(r"\.(cnb-[\w-]+)", one)} - {"cnb-workbench"}
    assert named
    for script in STATIC.iterdir():
        if script.name.endswith(".js") and script.name != "workbench.js":
            words = set(re.findall(r"cnb-[\w-]+", script.read_text(encoding="utf-8")))
            assert not named & words, f"{script.name} uses {sorted(named & words)}"
