"""The page about the broker: its table of behaviours is whole, and what it says of switches, faults and tests is so."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import fields
from functools import cache
from pathlib import Path

import pytest

from courier_nb.broker import Switches
from courier_nb.broker.config.faults import KINDS
from courier_nb.broker.config.switches import choices

TOP = Path(__file__).parents[2]
PAGE = (TOP / "docs" / "broker.md").read_text()
MARKS = re.compile(r"\b(doc|code|inf|ours)\b")


def rows(heading: str) -> Iterator[list[str]]:
    """Yield the cells of every table row below a heading of the second level."""
    _, _, section = PAGE.partition(f"\n## {heading}\n")
    section = section.partition("\n## ")[0]
    for line in section.splitlines():
        if line.startswith("| ") and not line.startswith("| ---"):
            yield [cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]]


BEHAVIOURS = [row for row in rows("Behaviours") if row[0] != "behaviour"]
SWITCHES = {row[0].strip("`"): row for row in rows("Switches")}


@cache
def names_in(path: Path) -> frozenset[str]:
    tree = ast.parse(path.read_text())
    kinds = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef
    defined = {node.name for node in ast.walk(tree) if isinstance(node, kinds)}
    # the test of a state machine is a class that is made, not written
    made = {name.id for node in tree.body if isinstance(node, ast.Assign) for name in node.targets if isinstance(name, ast.Name)}
    return frozenset(defined | made)


def test_there_is_a_table_of_behaviours() -> None:
    assert len(BEHAVIOURS) > 80


@pytest.mark.parametrize("row", BEHAVIOURS, ids=lambda row: row[0][:60])
def test_every_behaviour_has_a_source_and_a_test_that_exists(row: list[str]) -> None:
    assert len(row) == 4
    assert all(row)
    assert MARKS.search(row[1]), row[1]
    assert row[2] == "–" or set(re.findall(r"`(\w+)`", row[2])) <= {field.name for field in fields(Switches)}
    tests = re.findall(r"`([\w/]+\.py)::(\w+)`", row[3])
    assert tests, row[3]
    for path, name in tests:
        assert name in names_in(TOP / "tests" / path), f"{path}::{name}"


@pytest.mark.parametrize("switch", [field.name for field in fields(Switches)])
def test_every_switch_is_explained_with_its_values(switch: str) -> None:
    row = SWITCHES[switch]
    assert all(row)
    for value in choices().get(switch, ()):
        assert f"`{value}`" in row[1]


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_fault_is_explained(kind: str) -> None:
    assert any(row[0] == f"`{kind}`" for row in rows("Faults on demand"))
