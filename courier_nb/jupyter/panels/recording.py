"""The variables of a script: what the steps so far have named, so that the next one can use it."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import pandas as pd

from courier_nb.jupyter.script import call, variable

_WIDTH = 100
_OURS = ("taken", "left", "repaired", "place", "pd")
"""Names that steps use for something else than a destination."""


@dataclass
class Taken:
    """A receive or peek of the script.

    Attributes
    ----------
    name : str
        Its variable.
    destination : str
    """

    name: str
    destination: str


@dataclass
class Variables:
    """What the steps of a script have named so far.

    Attributes
    ----------
    destinations : dict of str to str
        Destination -> variable.
    rows : str
        Variable of the frame that the table shows; empty when no step made it.
    taken : list of Taken
    captures : dict of str to str
        Folder of a capture -> variable.
    names : list of str
        All names in use.
    shown_capture : str
        Folder of the capture that the table shows, where no step put it there; else empty.
    lines : list of str
        The lines of the step that is being written.
    """

    destinations: dict[str, str] = field(default_factory=dict)
    rows: str = ""
    taken: list[Taken] = field(default_factory=list)
    captures: dict[str, str] = field(default_factory=dict)
    names: list[str] = field(default_factory=list)
    shown_capture: str = ""
    lines: list[str] = field(default_factory=list)

    def copy(self) -> Variables:
        """Return the same variables, before a new step."""
        return Variables(dict(self.destinations), self.rows, list(self.taken), dict(self.captures), list(self.names))

    def add(self, *lines: str) -> None:
        """Write lines of this step."""
        self.lines.extend(lines)

    def destination(self, name: str) -> str:
        """Return the variable of a destination; the step makes it where none did before."""
        if name not in self.destinations:
            found = variable(name, [*self.names, *_OURS])
            self.names.append(found)
            self.destinations[name] = found
            self.add(f"{found} = {call('client.destination', name)}")
        return self.destinations[name]

    def new(self, stem: str) -> str:
        """Return a name that no step has used: the stem, or the stem and a number."""
        found, number = stem, 2
        while found in self.names:
            found, number = f"{stem}_{number}", number + 1
        self.names.append(found)
        return found

    def need(self, module: str, alias: str) -> str:
        """Return the name of a module; the step imports it where none did before."""
        if alias not in self.names:
            self.names.append(alias)
            self.add(f"import {module} as {alias}" if module != alias else f"import {module}")
        return alias

    def capture(self, folder: str) -> str:
        """Return the variable of a capture; the step opens it where no step made it."""
        if folder not in self.captures:
            name = self.new("capture")
            self.captures[folder] = name
            self.add(f"{name} = {call('courier_nb.Capture', folder)}")
        return self.captures[folder]

    def show(self, expression: str) -> None:
        """Let the frame of the table be this expression from now on."""
        if "rows" not in self.names:
            self.names.append("rows")
        self.rows = "rows"
        self.add(f"rows = {expression}")

    def frame(self) -> str:
        """Return the variable of the frame that the table shows."""
        if not self.rows and self.shown_capture:
            self.show(f"{self.capture(self.shown_capture)}.frame()")
        elif not self.rows:
            self.add("# The table's rows came from elsewhere than these steps: put your own frame here.")
            self.show("browser.frame")
        return self.rows


Code = Callable[[Variables], None]
"""Writes a step."""


def picked(variables: Variables, frame: pd.DataFrame, positions: Sequence[int]) -> str:
    """Write how rows of the table are picked, and return the variable that holds them.

    They are always named one by one: whoever runs the script later may get other messages, and those nobody has seen.

    Parameters
    ----------
    frame : DataFrame
        What the table shows.
    positions : sequence of int
        Places of the rows in it.
    """
    rows = variables.frame()
    ids = frame["message_id"] if "message_id" in frame.columns else pd.Series([None] * len(frame))
    chosen = ids.iloc[list(positions)]
    others = ids.drop(index=ids.index[list(positions)]) if ids.index.is_unique else ids[~ids.isin(set(chosen))]
    if "picked" not in variables.names:
        variables.names.append("picked")
    if chosen.isna().any() or not chosen.is_unique or chosen.isin(set(others)).any():
        variables.add("# Message ids repeat here, so rows are told by their places; these hold for the same order of arrival.")
        variables.add(f"picked = {rows}.iloc[{_listed(positions)}]")
    else:
        variables.add(f'picked = {rows}[{rows}["message_id"].isin({_listed(map(str, chosen))})]')
    return "picked"


def _listed(values: object) -> str:
    text = repr(list(values))  # type: ignore[call-overload]
    if len(text) <= _WIDTH - 40:
        return str(text)
    lines, line = [], "   "
    for value in re.findall(r"'(?:[^'\\]|\\.)*'|\"(?:[^\"\\]|\\.)*\"|\d+", text):
        if len(line) + len(value) + 2 > _WIDTH:
            lines.append(line)
            line = "   "
        line += f" {value},"
    return "[\n" + "\n".join([*lines, line]) + "\n]"
