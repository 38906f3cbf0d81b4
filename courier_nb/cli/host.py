"""Where commands run: a command line, unless a notebook takes its place."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from contextlib import AbstractContextManager
from typing import Any

import click

from courier_nb.blocking import Client


class Host:
    """What a command asks of the place where it runs; given to click as the context's object.

    Attributes
    ----------
    can_ask : bool
        Whether a question may be put on the terminal.
    """

    can_ask = True

    @property
    def shows_bars(self) -> bool:
        """Whether progress bars make sense: somebody is watching."""
        return sys.stderr.isatty()

    def connect(self, profile: str | None, settings: Mapping[str, str | None]) -> AbstractContextManager[Client]:
        """Return the client for one command, by the settings that its options gave."""
        return Client.connect(profile, **settings)  # type: ignore[arg-type]  # all of these take a text or None

    def takes(self, result: object, document: Mapping[str, Any]) -> bool:
        """Whether the place shows a result by itself, so that it is not printed."""
        return False


def current_host() -> Host:
    """Return the place where the running command runs."""
    context = click.get_current_context(silent=True)
    found = None if context is None else context.find_object(Host)
    return found or Host()
