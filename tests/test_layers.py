"""Imports point one way, and importing the package does nothing."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

TOP = Path(__file__).parents[1]
PACKAGE = TOP / "courier_nb"
MODULES = sorted(PACKAGE.rglob("*.py"))
LONGEST = 320

DOWNWARDS = [
    "core",
    "wire",
    "frames",
    "storage",
    "flows",
    "connection",
    "showing",
    "calls",
    "settling",
    "publishing",
    "looking",
    "receiving",
]
DOWNWARDS += ["moving", "destination", "replaying", "doctor", "client", "blocking"]
ALLOWED = {
    **{layer: set(DOWNWARDS[: i + 1]) for i, layer in enumerate(DOWNWARDS)},
    "broker": {"broker", "core"},
    "embedded": {"broker"},
    "accessor": {*DOWNWARDS, "accessor"},
    "demo": {*DOWNWARDS, "demo", "broker"},
    "cli": {*DOWNWARDS, "cli", "demo", "broker"},
    "plots": {"core", "frames", "storage", "flows", "plots"},
    "querying": {"core", "frames", "storage", "flows", "querying"},
    "jupyter": {*DOWNWARDS, "accessor", "plots", "querying", "cli", "jupyter", "broker"},
    "testing": {"broker", "core"},
    "__init__": set(DOWNWARDS),
    "__main__": {"cli"},
}
# connect("local") makes the embedded broker when it is asked for; its type is named in signatures.
ALLOWED["client"] |= {"embedded", "broker"}
ALLOWED["blocking"] |= {"broker", "jupyter"}  # browse() opens the workbench, when it is asked for
ALLOWED["doctor"] |= {"broker"}  # its answers are put beside the broker's switches, when it is asked for them


def layer_of(module: Path) -> str:
    first = module.relative_to(PACKAGE).parts[0]
    return first.removesuffix(".py")


def imported(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module:
            yield from (f"{node.module}.{name.name}" for name in node.names)
        elif isinstance(node, ast.Import):
            yield from (name.name for name in node.names)


@pytest.mark.parametrize("module", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_imports_point_downwards(module: Path) -> None:
    ours = {name.split(".")[1] for name in imported(ast.parse(module.read_text())) if name.startswith("courier_nb.")}
    wrong = ours - ALLOWED[layer_of(module)]
    assert not wrong, f"{layer_of(module)} must not import {sorted(wrong)}"


def test_no_import_is_relative() -> None:
    relative = [
        str(module)
        for module in MODULES
        for node in ast.walk(ast.parse(module.read_text()))
        if isinstance(node, ast.ImportFrom) and node.level
    ]
    assert relative == []


def test_no_module_is_too_long() -> None:
    lengths = {str(module.relative_to(PACKAGE)): len(module.read_text().splitlines()) for module in MODULES}
    assert {name: length for name, length in lengths.items() if length > LONGEST} == {}


def test_importing_opens_no_socket_starts_no_thread_and_loads_no_widget() -> None:
    code = (
        "import sys, threading\n"
        "events = []\n"
        "sys.addaudithook(lambda event, args: events.append(event) if event.startswith('socket.') else None)\n"
        "import courier_nb\n"
        "opened = [e for e in events if e in ('socket.__new__', 'socket.connect', 'socket.bind')]\n"
        "heavy = {'ipywidgets', 'anywidget', 'IPython', 'matplotlib', 'duckdb', 'uvicorn', 'courier_nb.broker', 'tqdm'}\n"
        "heavy &= set(sys.modules)\n"
        "print(opened, threading.active_count(), sorted(heavy))\n"
    )
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert answer.stdout.strip() == "[] 1 []"
