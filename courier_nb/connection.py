"""What a client and its destinations share: the session, and the runs that its verbs make."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx

from courier_nb.core.runs import Run, new_run_id, running
from courier_nb.core.settings import LockTtlUnit, Settings
from courier_nb.wire.operations import Operations
from courier_nb.wire.session import Session


class Connection:
    """One connection to one environment.

    Parameters
    ----------
    settings : Settings
    transport : httpx.AsyncBaseTransport, optional
        Stands in for the network.
    lock_ttl_unit : {"s", "ms"}, optional
        Unit of ``ttl`` in lock changes, in place of what the settings say.

    Attributes
    ----------
    session : Session
    """

    def __init__(
        self, settings: Settings, *, transport: httpx.AsyncBaseTransport | None = None, lock_ttl_unit: LockTtlUnit | None = None
    ) -> None:
        self.session = Session(settings, transport=transport, lock_ttl_unit=lock_ttl_unit)

    async def operations(self) -> Operations:
        """Return the ten operations, bound to broker, organization and environment."""
        return await self.session.operations()

    @asynccontextmanager
    async def run(self, verb: str, destination: str) -> AsyncIterator[Run]:
        """Let the calls made in the block belong to one run of a verb."""
        with running(Run(new_run_id(), verb, destination)) as run:
            yield run

    async def aclose(self) -> None:
        """Close the connections; may be called again."""
        await self.session.aclose()
