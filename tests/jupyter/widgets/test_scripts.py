"""The JavaScript of the widgets: modules that a browser takes, without markup made of texts, whose pure parts do as they say."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from courier_nb import jupyter
from courier_nb.jupyter.assets import bundle
from courier_nb.jupyter.widget import CourierWidget

WIDGETS = [jupyter.MessageBrowser, jupyter.BodyViewer, jupyter.DestinationPicker, jupyter.ReceivePanel, jupyter.Workbench]
MARKUP = ("innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval(")
TESTS = {
    "bodies.test.mjs": jupyter.BodyViewer,
    "panels.test.mjs": jupyter.ReceivePanel,
    "picker.test.mjs": jupyter.DestinationPicker,
    "table.test.mjs": jupyter.MessageBrowser,
    "workbench.test.mjs": jupyter.Workbench,
}


@pytest.mark.parametrize("tests", TESTS)
def test_the_pure_parts_of_a_script(tests: str, run_js_tests: Callable[[str, str], None]) -> None:
    run_js_tests(str(TESTS[tests]._esm), tests)


@pytest.mark.parametrize("widget", WIDGETS, ids=lambda widget: widget.__name__)
def test_a_script_is_a_module_that_exports_a_widget(widget: type[CourierWidget], node: str, tmp_path: Path) -> None:
    (tmp_path / "widget.mjs").write_text(str(widget._esm), encoding="utf-8")
    code = (
        'import widget from "./widget.mjs"; const made = typeof widget === "function" ? widget() : widget;'
        "console.log(typeof made.render)"
    )
    done = subprocess.run([node, "--input-type=module", "-e", code], cwd=tmp_path, capture_output=True, text=True, timeout=60)
    assert done.stdout.strip() == "function", done.stderr


@pytest.mark.parametrize("widget", WIDGETS, ids=lambda widget: widget.__name__)
def test_a_script_makes_no_markup_of_texts_and_loads_nothing(widget: type[CourierWidget]) -> None:
    script = str(widget._esm)
    assert [word for word in (*MARKUP, "http://", "https://", "import(") if word in script] == []


def test_every_script_and_style_belongs_to_a_widget() -> None:
    static = Path(jupyter.__file__).parent / "static"
    widgets = [getattr(jupyter, name) for name in jupyter.__all__ if name != "CourierWidget"]
    used = "".join(f"{widget._esm}{widget._css}" for widget in widgets)
    assert [file.name for file in sorted(static.iterdir()) if bundle(file.name) not in used] == []


def test_every_class_that_is_styled_is_used() -> None:
    static = Path(jupyter.__file__).parent / "static"
    scripts = "".join(file.read_text(encoding="utf-8") for file in static.glob("*.js"))
    styled = {
        name for file in static.glob("*.css") for name in re.findall(r"\.(cnb-[a-z0-9-]+)", file.read_text(encoding="utf-8"))
    }
    made = {name for name in styled if f"{name.rsplit('-', 1)[0]}-${{" in scripts}  # put together from parts
    assert sorted(name for name in styled - made if name not in scripts) == []
