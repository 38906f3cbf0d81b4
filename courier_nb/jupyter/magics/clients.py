"""Which client a magic uses."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from typing import Any

from courier_nb.blocking import Client
from courier_nb.client import AsyncClient
from courier_nb.core.errors import ConfigError

_PLACE = ("profile", "mq_url", "host", "organization", "environment", "region")
"""Options that say which service is meant; the others only say how to use it."""


class Clients:
    """The client of the notebook: ``client``, or the only one there is, or one by the settings.

    Parameters
    ----------
    namespace : mapping
        The user's variables.
    """

    def __init__(self, namespace: Mapping[str, Any]) -> None:
        self._namespace = namespace
        self._own: Client | None = None

    def choose(self, profile: str | None, settings: Mapping[str, str | None]) -> AbstractContextManager[Client]:
        """Return the client for one call; leaving the block closes it only if it was made for the call.

        Parameters
        ----------
        profile : str or None
        settings : mapping
            What the options of the call gave, by the names of `connect`'s arguments.

        Raises
        ------
        ConfigError
            When it is not clear which client is meant, or there are no settings to connect by.
        """
        given = {name for name, value in {"profile": profile, **settings}.items() if value is not None}
        if given & set(_PLACE):
            return Client.connect(profile, **settings)  # type: ignore[arg-type]  # all of these take a text or None
        found = self._of_user()
        if found is not None and given:
            raise ConfigError(
                "--read-only and --journal belong to a new connection, and the notebook's client has its own: "
                "connect() with them, or say with --profile or --url where to connect. Nothing was sent.",
                setting=", ".join(sorted(given)),
            )
        if given:
            return Client.connect(**settings)  # type: ignore[arg-type]  # all of these take a text or None
        return nullcontext(found or self._by_settings())

    def close(self) -> None:
        """Close the client that was connected by the settings; those of the user stay open."""
        if self._own is not None:
            self._own.close()
            self._own = None

    def _of_user(self) -> Client | None:
        named = self._namespace.get("client")
        if isinstance(named, AsyncClient):
            raise ConfigError(
                "client is an AsyncClient, which a magic cannot wait for: connect() gives a Client. Nothing was sent.",
                setting="client",
            )
        if isinstance(named, Client):
            return named
        # The same client may have several names, and IPython keeps outputs under names with an underscore.
        found: dict[int, tuple[str, Client]] = {}
        for name, value in self._namespace.items():
            if isinstance(value, Client) and not name.startswith("_"):
                found.setdefault(id(value), (name, value))
        if len(found) > 1:
            names = ", ".join(name for name, _ in found.values())
            raise ConfigError(
                f"There are several clients ({names}): name the one that is meant 'client'. Nothing was sent.", setting="client"
            )
        return next((value for _, value in found.values()), None)

    def _by_settings(self) -> Client:
        if self._own is None:
            try:
                self._own = Client.connect()
            except ConfigError as error:
                error.add_note("Or connect in a cell: client = courier_nb.connect(…).")
                raise
            print(f"Connected by the settings: {self._own!r}", file=sys.stderr)  # noqa: T201  # whoever acts must know where
        return self._own
