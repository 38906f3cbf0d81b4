"""What belongs to one connection: HTTP client, tokens, and the place that the calls go to."""

from __future__ import annotations

import re
from dataclasses import replace

import anyio
import httpx

from courier_nb.core.checks import check_url
from courier_nb.core.errors import ConfigError, CourierError, Unauthorized
from courier_nb.core.places import places
from courier_nb.core.settings import LockTtlUnit, Settings
from courier_nb.wire import accounts
from courier_nb.wire.admin import Admin, Region
from courier_nb.wire.auth import TokenSource, broker_url_of
from courier_nb.wire.operations import Operations
from courier_nb.wire.place import Place
from courier_nb.wire.records import Recorder
from courier_nb.wire.sender import Sender
from courier_nb.wire.stats import Stats
from courier_nb.wire.transport import make_http

_REGION_IN_HOST = re.compile(r"^mq-([a-z0-9-]+)\.")


class Session:
    """Finds out, once, where the calls go, and hands out what makes them.

    Parameters
    ----------
    settings : Settings
    transport : httpx.AsyncBaseTransport, optional
        Stands in for the network.
    lock_ttl_unit : {"s", "ms"}, optional
        Overrides that of the settings.
    recorder : Recorder, optional
        Told of the calls to the broker.

    Attributes
    ----------
    settings : Settings
        Those in force, with what was found out since.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        transport: httpx.AsyncBaseTransport | None = None,
        lock_ttl_unit: LockTtlUnit | None = None,
        recorder: Recorder | None = None,
    ) -> None:
        self.settings = settings
        self._recorder = recorder
        self._http = make_http(transport)
        self.sender = Sender(self._http)
        self.tokens = TokenSource(settings, self.sender)
        self._lock_ttl_unit: LockTtlUnit = lock_ttl_unit or settings.lock_ttl_unit
        self.extended_locks: dict[str, float] = {}
        """Lock id -> later end (seconds, monotonic), for locks that were extended and not settled since."""
        self._finding = anyio.Lock()
        self._operations: Operations | None = None
        self._asked_for_kind = False
        self._region: str | None = None

    async def operations(self) -> Operations:
        """Return the ten operations, bound to broker, organization and environment.

        The first call gets a token and looks up what was not given.
        """
        if self._operations is None:
            async with self._finding:
                if self._operations is None:
                    place = await self._find_place()
                    self._operations = Operations(
                        self.sender,
                        self.tokens,
                        place,
                        self._lock_ttl_unit,
                        recorder=self._recorder,
                        read_only=self.settings.read_only,
                    )
        return self._operations

    async def production(self) -> bool | None:
        """Return whether the environment is production; None when nobody says.

        What the settings say holds; else the Accounts API is asked, once, which is free.
        """
        if self.settings.production is None and not self._asked_for_kind:
            place = (await self.operations()).place
            async with self._finding:
                if not self._asked_for_kind:
                    self._asked_for_kind = True
                    token = await self.tokens.current()
                    found = await accounts.is_production(self.settings, token, place, self.sender, self.tokens)
                    if found is not None:
                        sources = {**self.settings.sources, "production": "Accounts API"}
                        self.settings = replace(self.settings, production=found, sources=sources)
        return self.settings.production

    async def admin(self) -> Admin:
        """Return the Admin API's read side."""
        place = (await self.operations()).place
        return self._admin(place.organization, place.environment)

    async def stats(self) -> Stats:
        """Return the Stats API's read side."""
        place = (await self.operations()).place
        return Stats(self.sender, self.tokens, self.settings.platform_url, place.organization, place.environment)

    async def region(self) -> str:
        """Return the region that Admin and Stats are asked about."""
        if self._region is None:
            self._region = await self._find_region()
        return self._region

    @property
    def region_hint(self) -> str | None:
        """The region as far as it is known without asking."""
        in_host = _REGION_IN_HOST.match(httpx.URL(self.settings.mq_url or "").host)
        return self.settings.region or (in_host[1] if in_host else None)

    async def depth_hint(self, destination: str) -> int | None:
        """Return how many messages wait in a destination, or None where that cannot be known."""
        if (await self.tokens.current()).kind == "client_app":
            return None  # its token is not valid on the Stats API
        depths = await (await self.stats()).depths(await self.region(), [destination])
        return depths[destination].messages if destination in depths else None

    @property
    def place(self) -> Place | None:
        """Where the calls go; None as long as it was not found out."""
        return None if self._operations is None else self._operations.place

    @property
    def is_closed(self) -> bool:
        """Whether `aclose` was called."""
        return self._http.is_closed

    async def aclose(self) -> None:
        await self._http.aclose()

    def _admin(self, organization: str, environment: str) -> Admin:
        return Admin(self.sender, self.tokens, self.settings.platform_url, organization, environment)

    async def _find_place(self) -> Place:
        token = await self.tokens.current()
        organization, environment = await accounts.identify(self.settings, token, self.sender, self.tokens)
        broker_url = self.settings.mq_url
        if broker_url is None:
            # An MQ client app's token is not valid on the Admin API (fact sheet 2).
            regions = [] if token.kind == "client_app" else await self._regions(organization, environment)
            if self.settings.region is None and regions:
                raise _no_region(regions)
            urls = {region.id: region.service_url for region in regions}
            broker_url = broker_url_of(self.settings, lambda region: _checked(urls.get(region)))
        return Place(broker_url, organization, environment)

    async def _regions(self, organization: str, environment: str) -> list[Region]:
        try:
            return await self._admin(organization, environment).regions()
        except Unauthorized:
            raise
        except CourierError:
            return []  # everything but its own look-ups works without the Admin API

    async def _find_region(self) -> str:
        if self.settings.region is not None:
            return self.settings.region
        place = (await self.operations()).place
        regions = await self._admin(place.organization, place.environment).regions()
        matching = [region.id for region in regions if (region.service_url or "").rstrip("/") == place.broker_url]
        in_host = _REGION_IN_HOST.match(httpx.URL(place.broker_url).host)
        if matching:
            return matching[0]
        if in_host is not None:
            return in_host[1]
        if len(regions) == 1:
            return regions[0].id
        raise _no_region(regions)


def _checked(service_url: str | None) -> str | None:
    if not service_url:
        return None
    url = check_url(service_url, "mq_url")
    return url if "/api/" in url else f"{url}/api/v1"


def _no_region(regions: list[Region]) -> ConfigError:
    listed = ", ".join(region.id for region in regions) or "none"
    return ConfigError(f"The region is not given; this environment has: {listed}.", setting="region", places=places("region"))
