"""A broker that is both in this process and on a socket, for tests."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from courier_nb.broker.local import LocalBroker

_VARIABLES = {
    "url": "ANYPOINT_MQ_URL",
    "client_id": "ANYPOINT_CLIENT_ID",
    "client_secret": "ANYPOINT_CLIENT_SECRET",
    "organization": "ANYPOINT_ORG",
    "environment": "ANYPOINT_ENV",
    "region": "ANYPOINT_REGION",
}


class ServedBroker(LocalBroker):
    """A `LocalBroker` whose `settings` are those of its socket while `answering`."""

    _served: dict[str, str] | None = None

    @contextmanager
    def answering(self) -> Iterator[None]:
        """Serve on a free port of 127.0.0.1 while the block runs."""
        with self.serving() as self._served:
            yield
        self._served = None

    @property
    def settings(self) -> dict[str, str]:
        """How to reach it, with the keys of `LocalBroker.settings`."""
        return super().settings if self._served is None else dict(self._served)

    @property
    def environ(self) -> dict[str, str]:
        """The same as environment variables, by the names of the Anypoint CLI and of this package; tests keep no journal."""
        settings = self.settings
        return {**{variable: settings[name] for name, variable in _VARIABLES.items()}, "ANYPOINT_MQ_JOURNAL": "off"}
