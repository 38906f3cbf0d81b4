"""Admin API, read side: regions, destinations, dead-letter wiring."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal
from urllib.parse import quote

from courier_nb.core.messages import whole_number
from courier_nb.wire.answers import bad_answer, decode
from courier_nb.wire.retry import Operation
from courier_nb.wire.sender import Sender, Tokens

_PAGE = 100
_DEFAULT_PAGE = 20


@dataclass(frozen=True, slots=True)
class Region:
    """A region of the messaging service (``GET regions``).

    Attributes
    ----------
    id : str
    service_url : str or None
        The broker's base URL there, as the Admin API gives it.
    """

    id: str
    service_url: str | None


@dataclass(frozen=True, slots=True)
class DestinationInfo:
    """A queue or exchange, as the Admin API describes it.

    Attributes
    ----------
    id : str
    kind : {"queue", "fifo-queue", "exchange"}
    dead_letter_queue : str or None
        Where messages go after `max_deliveries` failed deliveries.
    dead_letter_sources : tuple of str
        The queues whose dead letters end here.
    max_deliveries : int or None
    default_ttl_ms, default_lock_ttl_ms : int or None
        Milliseconds.
    is_fallback : bool
    raw : mapping
        The entity as answered; `defaultDeliveryDelay` is only here, because its unit is disputed.
    """

    id: str
    kind: Literal["queue", "fifo-queue", "exchange"]
    dead_letter_queue: str | None = None
    dead_letter_sources: tuple[str, ...] = ()
    max_deliveries: int | None = None
    default_ttl_ms: int | None = None
    default_lock_ttl_ms: int | None = None
    is_fallback: bool = False
    raw: Mapping[str, Any] | None = None


class Admin:
    """The read side of ``/mq/admin/api/v1`` for one organization and environment."""

    def __init__(self, sender: Sender, tokens: Tokens, platform_url: str, organization: str, environment: str) -> None:
        self._sender = sender
        self._tokens = tokens
        self._base = (
            f"{platform_url}/mq/admin/api/v1/organizations/{quote(organization, safe='')}"
            f"/environments/{quote(environment, safe='')}"
        )

    async def regions(self) -> list[Region]:
        """Return the regions of this environment."""
        found = []
        for entry in await self._list(f"{self._base}/regions", "the regions", {}):
            name = entry.get("regionId") or entry.get("id")  # two shapes are documented (fact sheet 9, row 15)
            if isinstance(name, str):
                url = entry.get("serviceUrl")
                found.append(Region(name, url if isinstance(url, str) and url else None))
        return found

    async def destinations(self, region: str) -> list[DestinationInfo]:
        """Return all queues and exchanges of a region, page by page."""
        url = f"{self._base}/regions/{quote(region, safe='')}/destinations"
        found: dict[str, DestinationInfo] = {}
        offset = 0
        while True:
            params = {"destinationType": "all", "offset": str(offset), "limit": str(_PAGE), "inclusion": "all"}
            page = await self._list(url, f"the destinations of {region}", params)
            infos = [info for info in map(_destination, page) if info is not None]
            fresh = [info for info in infos if info.id not in found]
            found.update((info.id, info) for info in fresh)
            offset += len(page)
            # The largest page size is not documented: a server may cap ours, but not below its own default.
            if len(page) < _DEFAULT_PAGE or not fresh:
                return list(found.values())

    async def queue(self, region: str, name: str) -> DestinationInfo | None:
        """Return the settings of one queue; None when the answer does not describe one."""
        url = f"{self._base}/regions/{quote(region, safe='')}/destinations/queues/{quote(name, safe='')}"
        response = await self._sender.call(Operation.LOOK_UP, "GET", url, where=f"queue {name!r}", tokens=self._tokens)
        value = decode(Operation.LOOK_UP, response)
        return _destination(value) if isinstance(value, dict) else None

    async def _list(self, url: str, where: str, params: dict[str, str]) -> list[dict[str, Any]]:
        response = await self._sender.call(Operation.LOOK_UP, "GET", url, where=where, tokens=self._tokens, params=params or None)
        if response.status_code == 204 or not response.content:
            return []
        value = decode(Operation.LOOK_UP, response)
        if not isinstance(value, list):
            raise bad_answer(Operation.LOOK_UP, response, "is not a list")
        return [entry for entry in value if isinstance(entry, dict)]


def _destination(entry: dict[str, Any]) -> DestinationInfo | None:
    if isinstance(entry.get("exchangeId"), str):
        return DestinationInfo(entry["exchangeId"], "exchange", raw=entry)
    name = entry.get("queueId")
    if not isinstance(name, str):
        return None
    sources = entry.get("deadLetterSources")
    return DestinationInfo(
        name,
        "fifo-queue" if entry.get("fifo") is True else "queue",
        dead_letter_queue=entry.get("deadLetterQueueId") or None,
        dead_letter_sources=tuple(str(item) for item in sources) if isinstance(sources, list) else (),
        max_deliveries=whole_number(entry.get("maxDeliveries")),
        default_ttl_ms=whole_number(entry.get("defaultTtl")),
        default_lock_ttl_ms=whole_number(entry.get("defaultLockTtl")),
        is_fallback=entry.get("isFallback") is True,
        raw=entry,
    )
