"""Stats API, read side: live depth. Its calls are free, and its figures may lag by a minute."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from courier_nb.core.messages import whole_number
from courier_nb.wire.answers import decode
from courier_nb.wire.retry import Operation
from courier_nb.wire.sender import Sender, Tokens

_IDS_PER_CALL = 20  # the most that is taken is not documented


@dataclass(frozen=True, slots=True)
class Depth:
    """How many messages a queue held, up to a minute ago.

    Attributes
    ----------
    messages : int
        Waiting to be received.
    in_flight : int
        Locked by consumers.
    """

    messages: int
    in_flight: int


class Stats:
    """The read side of ``/mq/stats/api/v1`` for one organization and environment."""

    def __init__(self, sender: Sender, tokens: Tokens, platform_url: str, organization: str, environment: str) -> None:
        self._sender = sender
        self._tokens = tokens
        self._base = (
            f"{platform_url}/mq/stats/api/v1/organizations/{quote(organization, safe='')}"
            f"/environments/{quote(environment, safe='')}"
        )

    async def depths(self, region: str, queues: Sequence[str]) -> dict[str, Depth]:
        """Return the live depth of `queues`; one that the service does not know is left out."""
        found: dict[str, Depth] = {}
        for start in range(0, len(queues), _IDS_PER_CALL):
            found.update(await self._chunk(region, queues[start : start + _IDS_PER_CALL]))
        return found

    async def _chunk(self, region: str, queues: Sequence[str]) -> dict[str, Depth]:
        response = await self._sender.call(
            Operation.LOOK_UP,
            "GET",
            f"{self._base}/regions/{quote(region, safe='')}/queues",
            where=f"the depths of {region}",
            tokens=self._tokens,
            params={"destinationIds": ",".join(queues)},
        )
        if response.status_code == 204 or not response.content:
            return {}
        value = decode(Operation.LOOK_UP, response)
        entries = value if isinstance(value, list) else [value]  # both are documented (fact sheet 9, row 17)
        return dict(depth for entry in entries if (depth := _depth(entry)) is not None)


def _depth(entry: Any) -> tuple[str, Depth] | None:
    if not isinstance(entry, dict) or not isinstance(entry.get("destination"), str):
        return None
    messages, in_flight = whole_number(entry.get("messages")), whole_number(entry.get("inflightMessages"))
    if messages is None:
        return None
    return entry["destination"], Depth(messages, in_flight or 0)
