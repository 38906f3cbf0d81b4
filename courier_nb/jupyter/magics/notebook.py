"""The notebook as the place where commands run."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from contextlib import AbstractContextManager
from typing import Any

import click

from courier_nb.blocking import Client
from courier_nb.cli.host import Host
from courier_nb.cli.output import json_is_wanted
from courier_nb.jupyter.magics.clients import Clients


class Notebook(Host):
    """Takes the results of commands as objects, in place of their printed form.

    Parameters
    ----------
    clients : Clients
    namespace : dict
        The user's variables.
    cell : str
        Text of the cell; empty for a line magic.

    Attributes
    ----------
    result : object
        What the command gave; with ``--json`` its document as plain Python values.
    """

    def __init__(self, clients: Clients, namespace: dict[str, Any], cell: str = "") -> None:
        self._clients = clients
        self.namespace = namespace
        self.cell = cell
        self.result: object = None

    @property
    def can_ask(self) -> bool:  # type: ignore[override]  # an attribute of the command line, found out here
        return sys.stdin.isatty()

    @property
    def shows_bars(self) -> bool:
        return True

    def connect(self, profile: str | None, settings: Mapping[str, str | None]) -> AbstractContextManager[Client]:
        return self._clients.choose(profile, settings)

    def takes(self, result: object, document: Mapping[str, Any]) -> bool:
        taken = dict(document) if json_is_wanted() else result
        if taken is None:
            return False
        self.result = taken
        return True


pass_notebook = click.make_pass_decorator(Notebook)
"""Gives a command of a cell the notebook as its first argument."""
