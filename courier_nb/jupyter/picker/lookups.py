"""What a picker asks of the service: the list and the counts. Reads only, and free of charge."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime

import anyio.to_thread
import httpx

from courier_nb.client import AsyncClient
from courier_nb.core.clock import Clock
from courier_nb.core.errors import CourierError, Forbidden, Unauthorized
from courier_nb.core.printable import plain
from courier_nb.jupyter.picker import catalog
from courier_nb.jupyter.picker.catalog import Catalog
from courier_nb.jupyter.picker.remembered import Remembered, used_lately
from courier_nb.wire.stats import Depth


@dataclass(frozen=True, slots=True)
class Listing:
    """What there is to pick from.

    Attributes
    ----------
    catalog : Catalog
    summary : str
        What it is, in words.
    note : str
        What these credentials may not do, in words; empty when they may all that is needed.
    place : str
        Names environment and broker in the list of remembered names.
    may_count : bool
        Whether counts may be asked for.
    error : CourierError or None
        Why the service gave no list although it would have; it is worth asking again.
    """

    catalog: Catalog
    summary: str
    note: str
    place: str
    may_count: bool = True
    error: CourierError | None = None


class Lookups:
    """Asks for one picker, on the background loop.

    Parameters
    ----------
    client : AsyncClient
    remembered : Remembered or None
        None when names are not remembered.
    clock : Clock
    """

    def __init__(self, client: AsyncClient, remembered: Remembered | None, clock: Clock) -> None:
        self._client = client
        self._session = client._session
        self._remembered = remembered
        self._clock = clock

    async def listing(self) -> Listing:
        """Return the destinations of the region; where they may not be listed, the names used before.

        Raises
        ------
        CourierError
            When not even a token can be had, or the place is not known.
        """
        place = (await self._session.operations()).place
        key = f"{place.environment}@{httpx.URL(place.broker_url).host}"
        if (await self._session.tokens.current()).kind == "client_app":
            why = "These are the credentials of an MQ client app, which may not list destinations or read counts."
            return await self._of_memory(key, place.environment, why)
        try:
            region = await self._session.region()
            infos = await (await self._session.admin()).destinations(region)
        except Forbidden:
            why = "These credentials may not list destinations or read counts: the right “View destinations” is missing."
            return await self._of_memory(key, place.environment, why)
        except Unauthorized as error:
            return await self._of_memory(key, place.environment, f"The list was refused: {plain(error)}")
        except CourierError as error:
            return replace(await self._of_memory(key, place.environment, ""), error=error)
        found = catalog.listed(infos)
        exchanges = sum(entry.kind == "exchange" for entry in found.values())
        queues = len(found) - exchanges
        summary = f"{_count(queues, 'queue')} and {_count(exchanges, 'exchange')} in {plain(region)}"
        return Listing(found, summary, "", key)

    def with_name(self, listing: Listing, name: str) -> Listing:
        """Return a list of names used before with one more, used now."""
        used = {entry.id: entry.used_at for entry in listing.catalog.values() if entry.used_at is not None}
        found = catalog.remembered({**used, name: self._now()})
        return replace(listing, catalog=found, summary=self._memory_in_words(len(found)))

    async def depths(self, ids: Sequence[str]) -> dict[str, Depth]:
        """Return the live depth of queues; twenty in a call.

        Raises
        ------
        CourierError
        """
        region = await self._session.region()
        return await (await self._session.stats()).depths(region, ids)

    async def _of_memory(self, key: str, environment: str, why: str) -> Listing:
        def read() -> Catalog:
            used = {} if self._remembered is None else self._remembered.names(key)
            journal = self._client.journal
            for name, at in {} if journal is None else used_lately(journal, environment, self._now()).items():
                used[name] = max(at, used.get(name, at))
            return catalog.remembered(used)

        note = f"{why} Type the name of any queue or exchange and press Enter.".strip()
        found = await anyio.to_thread.run_sync(read)
        # Counts need the same right, and a way to the platform.
        return Listing(found, self._memory_in_words(len(found)), note, key, may_count=False)

    def _now(self) -> datetime:
        return datetime.fromtimestamp(self._clock.time(), UTC)

    def _memory_in_words(self, number: int) -> str:
        if number:
            return f"{_count(number, 'name')} used before in this environment"
        return (
            "Names are not remembered, because no journal is kept" if self._remembered is None else "No name was used here before"
        )


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}" + "s" * (number != 1)
