"""The Python that does the same as a click, written so that it runs as a script."""

from __future__ import annotations

import keyword
import re
from collections.abc import Sequence
from typing import Any

from courier_nb.core.places import ENVIRONMENT
from courier_nb.core.settings import Settings

_SECRET = ("client_secret", "password", "bearer")
_LINE = 100


class Name(str):
    """A piece of Python that stands for itself: its ``repr`` is the text without quotes."""

    __slots__ = ()

    def __repr__(self) -> str:
        return str(self)


def call(function: str, *arguments: Any, **keywords: Any) -> str:
    """Return a call as Python; what is None is left out.

    Parameters
    ----------
    function : str
        What is called, such as ``orders.drain``.
    *arguments, **keywords
        Written by their ``repr``; see `Name` for what is a variable.
    """
    parts = [repr(value) for value in arguments]
    parts += [f"{name}={value!r}" for name, value in keywords.items() if value is not None]
    line = f"{function}({', '.join(parts)})"
    if len(line) <= _LINE or not parts:
        return line
    return f"{function}(\n" + "".join(f"    {part},\n" for part in parts) + ")"


def connecting(settings: Settings, *, is_embedded: bool = False) -> str:
    """Return the call that connects as a client of these settings did; secrets are read from environment variables.

    Settings that came from environment variables or from the default profile are found there again.
    """
    if is_embedded:
        return call("courier_nb.connect", "local")
    profile: str | None = None
    given: dict[str, Any] = {}
    for name, source in settings.sources.items():
        named = re.fullmatch(r"profile '(.+)' in .+", source)
        if source == "keyword":
            value = getattr(settings, name, None)
            given[name] = Name(f'os.environ["{ENVIRONMENT[name]}"]') if name in _SECRET else value
        elif named and named[1] != "default":
            profile = named[1]
    return call("courier_nb.connect", *([profile] if profile else []), **given)


class Script:
    """The calls of a workbench, in the order of the clicks.

    Parameters
    ----------
    connect : str
        The call that makes ``client``.

    Attributes
    ----------
    steps : list of str
        One entry an action: a few lines of Python that may use what earlier steps have named.
    """

    def __init__(self, connect: str) -> None:
        self._connect = connect
        self.steps: list[str] = []

    def add(self, *lines: str) -> str:
        """Add an action and return its code."""
        step = "\n".join(lines)
        self.steps.append(step)
        return step

    @property
    def head(self) -> str:
        """The lines that come before all steps."""
        first = ["import os", ""] if "os.environ" in self._connect else []
        if any(re.search(r"\bpd\.", step) for step in self.steps):
            first += ["import pandas as pd", ""]
        return "\n".join([*first, "import courier_nb", "", f"client = {self._connect}"])

    @property
    def text(self) -> str:
        """The whole script."""
        return "\n\n".join([self.head, *self.steps, "client.close()"]) + "\n"


def variable(destination: str, taken: Sequence[str] = ()) -> str:
    """Return a Python name for a destination: ``orders-dlq`` becomes ``orders_dlq``; another one where it is taken."""
    name = re.sub(r"\W+", "_", destination, flags=re.ASCII).strip("_").lower()
    name = name if re.match(r"[a-z]", name) else f"queue_{name}".rstrip("_")
    ours = ("client", "rows", "picked", "received", "capture", "courier_nb", "os", "report", "plan")
    if keyword.iskeyword(name) or name in ours:
        name = f"{name}_queue"
    number = 2
    found = name
    while found in taken:
        found = f"{name}_{number}"
        number += 1
    return found
