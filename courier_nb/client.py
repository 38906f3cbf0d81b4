"""`AsyncClient`: one environment of the service."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, NoReturn, Self

import httpx

from courier_nb.connection import Connection
from courier_nb.core.checks import as_folder, as_given
from courier_nb.core.errors import ConfigError, Forbidden, Unauthorized
from courier_nb.core.places import places
from courier_nb.core.secrets import secret
from courier_nb.core.settings import AuthKind, LockTtlUnit, Settings, guarded, resolve
from courier_nb.destination import AsyncDestination
from courier_nb.doctor.examine import examine
from courier_nb.doctor.report import DoctorReport
from courier_nb.flows.listing import DestinationList
from courier_nb.flows.locks.holding import Holding
from courier_nb.replaying import ReplayingVerbs
from courier_nb.showing import shows_client
from courier_nb.storage.journal.journal import Journal
from courier_nb.wire.admin import Region
from courier_nb.wire.auth import Token, broker_url_of
from courier_nb.wire.stats import Depth

if TYPE_CHECKING:
    from courier_nb.broker import LocalBroker


@shows_client
class AsyncClient(ReplayingVerbs):
    """One environment of the service, async.

    Parameters
    ----------
    settings : Settings
        See `AsyncClient.connect`, which finds them.
    transport : httpx.AsyncBaseTransport, optional
        Stands in for the network.
    lock_ttl_unit : {"s", "ms"}, optional
        Unit of ``ttl`` in lock changes, in place of what the settings say.

    Notes
    -----
    Belongs to the event loop it is first used on. Nothing is sent before the first call.
    """

    def __init__(
        self, settings: Settings, *, transport: httpx.AsyncBaseTransport | None = None, lock_ttl_unit: LockTtlUnit | None = None
    ) -> None:
        self._connection = Connection(settings, transport=transport, lock_ttl_unit=lock_ttl_unit)
        self._session = self._connection.session
        self._embedded: LocalBroker | None = None

    @classmethod
    def connect(
        cls,
        profile: str | None = None,
        *,
        client_id: str | None = None,
        client_secret: str | None = None,
        bearer: str | None = None,
        username: str | None = None,
        password: str | None = None,
        auth: AuthKind | None = None,
        organization: str | None = None,
        environment: str | None = None,
        region: str | None = None,
        host: str | None = None,
        mq_url: str | None = None,
        lock_ttl_unit: LockTtlUnit | None = None,
        read_only: bool | str | None = None,
        production: bool | str | None = None,
        journal: str | Path | None = None,
    ) -> Self:
        """Find the settings and return a client; nothing is sent yet.

        Each setting is taken from the keyword, else from its environment variable, else from the profile file; see
        ``docs/settings.md``. Credentials are a client id and secret (MQ client app or connected app, found out by itself),
        a bearer token, or user name and password.

        Parameters
        ----------
        profile : str, optional
            A profile of ``~/.anypoint/credentials``, or ``"local"`` for the embedded broker.
        read_only : bool, optional
            Refuse whatever adds or deletes messages; looking, receiving and giving back go on.
        production : bool, optional
            Let destructive verbs need the destination's name typed (``confirm=``). Default: what the Accounts API says of the
            environment.
        journal : path or "off", optional
            Folder in which every run and call is recorded; default: the user's own. See ``docs/journal.md``.

        Raises
        ------
        ConfigError
            When something is missing or wrong; it names every place where it may be given.
        """
        client_secret, password, bearer = secret(client_secret), secret(password), secret(bearer)  # unseen in a traceback too
        guards = {
            "read_only": as_given("read_only", read_only),
            "production": as_given("production", production),
            "journal": as_folder(journal),
        }
        if (profile or os.environ.get("ANYPOINT_PROFILE")) == "local":
            return cls._connect_embedded(lock_ttl_unit, guards)
        keywords = {
            "client_id": client_id,
            "client_secret": client_secret,
            "bearer": bearer,
            "username": username,
            "password": password,
            "auth": auth,
            "organization": organization,
            "environment": environment,
            "region": region,
            "host": host,
            "mq_url": mq_url,
            "lock_ttl_unit": lock_ttl_unit,
            **guards,
        }
        try:
            return cls(resolve(profile, keywords=keywords))
        except ConfigError as error:
            raise error.with_traceback(None)  # noqa: B904  # the same error, without what was read from files

    @property
    def broker(self) -> LocalBroker:
        """The embedded broker of ``connect("local")``: where queues are made."""
        if self._embedded is None:
            raise ConfigError('This client is not connected to the embedded broker; connect("local") is.', setting="profile")
        return self._embedded

    @property
    def is_embedded(self) -> bool:
        """Whether this client is connected to the embedded broker of ``connect("local")``."""
        return self._embedded is not None

    @property
    def settings(self) -> Settings:
        """The settings in force, and where each came from (``settings.sources``)."""
        return self._session.settings

    @property
    def journal(self) -> Journal | None:
        """What was done with this client and others of the same user; None where the settings want no journal."""
        return self._connection.journal

    def destination(self, id: str) -> AsyncDestination:  # noqa: A002  # the API's noun
        """Return a queue or exchange by name; the service is not asked."""
        return AsyncDestination(self._connection, id)

    def held(self) -> Holding:
        """Return what this client holds, of all destinations; ``.frame()`` has a row for each message.

        The locks of what `receive` gave are extended until it is settled, the time to hold is over or the client closes.
        """
        return self._connection.keeper.holding()

    async def authorize(self) -> Token:
        """Get a token for an MQ client app (operation 10). The other methods do this by themselves."""
        settings = self._session.settings
        if not settings.client_id or not settings.client_secret:
            raise ConfigError("authorize needs a client id and secret.", setting="client_id", places=places("client_id"))
        broker_url = settings.mq_url or broker_url_of(settings)
        return await self._session.tokens.authorize(broker_url, settings.client_id, settings.client_secret)

    async def is_production(self) -> bool | None:
        """Return whether the environment is production; None when nobody says.

        What the settings say holds; else the Accounts API is asked, once, which is free.
        """
        return await self._session.production()

    async def regions(self) -> list[Region]:
        """Return the regions of the environment (Admin API)."""
        return await (await self._session.admin()).regions()

    async def destinations(self, *, depth: bool = True) -> DestinationList:
        """Return all queues and exchanges of the region (Admin API) with their live depth (Stats API).

        Raises
        ------
        Forbidden, Unauthorized
            An MQ client app has no right to this; a connected app needs "View destinations".
        """
        region = await self._region()
        infos = await (await self._session.admin()).destinations(region)
        queues = [info.id for info in infos if info.kind != "exchange"]
        depths = await (await self._session.stats()).depths(region, queues) if depth and queues else {}
        return DestinationList(infos, depths)

    async def depth(self, destination: str) -> Depth | None:
        """Return the live depth of a queue (Stats API, up to a minute old); None if the service does not know it."""
        depths = await (await self._session.stats()).depths(await self._region(), [destination])
        return depths.get(destination)

    async def doctor(
        self,
        destination: str | None = None,
        *,
        reach: bool = True,
        probe: str | None = None,
        consent: bool = False,
        exchange: str | None = None,
        large: bool = False,
        broker_config: str | Path | None = None,
        progress: bool = True,
    ) -> DoctorReport:
        """Find out what stands between this machine and the service, and, with consent, how the service behaves.

        Without `probe` it reads only, in about a dozen calls: where each setting came from; the kind of the credentials and what
        they may do (found out with Admin and Stats reads, and with calls to the broker that cannot change anything); the
        difference of the clocks; which regions' brokers answer. It receives and publishes nothing.

        With `probe` it says what it would try on that queue, and with `consent` it does: it publishes messages of its own,
        receives them and deletes them, and puts the answers beside the switches of the local broker.

        Parameters
        ----------
        destination : str, optional
            Where the rights to subscribe and publish are tried; default: the first queue that the Admin API lists.
        reach : bool
            Whether to try each region's broker (all at once, none longer than 5 s).
        probe : str, optional
            A throw-away queue of your own, empty.
        consent : bool
            Whether to probe it; without, ``report.plan`` says what would be done.
        exchange : str, optional
            An exchange, to see how reading one is refused.
        large : bool
            Whether to upload more than 10 MB, to see how the size limit counts.
        broker_config : path, optional
            TOML file of a local broker whose switches the answers are put beside; default: the switches' defaults.
        progress : bool
            Show a bar while probing, which takes half a minute to two minutes.

        Returns
        -------
        DoctorReport
            ``.frame()`` has one row a check; ``.probes.frame()`` one row a probe. What cannot be found out is ``unknown``.

        Raises
        ------
        InvalidArgument
            When the queue to be probed is not empty or not a throw-away queue; somebody else's message that was received was
            returned.
        ConfigError
            When `broker_config` is not a broker's.
        """
        return await examine(
            self._session,
            destination,
            reach=reach,
            probe=probe,
            consent=consent,
            exchange=exchange,
            large=large,
            broker_config=broker_config,
            progress=progress,
        )

    async def aclose(self) -> None:
        """Give back what is held and close the connections; may be called again.

        It takes two seconds at the most. What could not be given back by then comes back when its lock ends.
        """
        await self._connection.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.aclose()

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self._session.settings!r}>"

    def __reduce__(self) -> NoReturn:
        raise TypeError("A client holds secrets and is not pickled: call connect() where it is needed.")

    @classmethod
    def _connect_embedded(cls, lock_ttl_unit: LockTtlUnit | None, guards: Mapping[str, str | None]) -> Self:
        from courier_nb.embedded import embedded_broker

        broker = embedded_broker()
        settings = guarded(broker_settings(broker.settings), keywords=guards)
        client = cls(settings, transport=broker.transport(), lock_ttl_unit=lock_ttl_unit)
        client._embedded = broker
        return client

    async def _region(self) -> str:
        try:
            return await self._session.region()
        except (Unauthorized, Forbidden) as error:
            if (await self._session.tokens.current()).kind == "client_app":
                error.add_note("An MQ client app may only use the broker: listing and depth need a connected app or a user.")
            raise


def broker_settings(announced: dict[str, str]) -> Settings:
    """Return the settings to reach a local broker, from what it announces."""
    return Settings(
        auth="connected_app",
        platform_url=announced["platform_url"],
        mq_url=announced["url"],
        region=announced["region"],
        organization=announced["organization"],
        environment=announced["environment"],
        client_id=announced["client_id"],
        client_secret=announced["client_secret"],
        sources={"mq_url": "local broker"},
    )
