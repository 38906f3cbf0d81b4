"""`Client`: the methods of `AsyncClient`, run on the background loop."""

from __future__ import annotations

from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, NoReturn, Self

from courier_nb.blocking.destination import Destination
from courier_nb.blocking.documented import documented_as
from courier_nb.blocking.origins import note_client
from courier_nb.client import AsyncClient
from courier_nb.core.errors import InvalidArgument
from courier_nb.core.portal import close_with, run
from courier_nb.core.rates import Rate
from courier_nb.core.secrets import secret
from courier_nb.core.settings import AuthKind, LockTtlUnit, Settings
from courier_nb.doctor.report import DoctorReport
from courier_nb.flows.listing import DestinationList
from courier_nb.flows.locks.holding import Holding
from courier_nb.flows.plans import Plan
from courier_nb.flows.replaying.provenance import Ids
from courier_nb.flows.replaying.replayed import Replayed
from courier_nb.flows.replaying.wish import Unknown
from courier_nb.flows.reports import Received
from courier_nb.flows.sources import Source
from courier_nb.showing import shows_client
from courier_nb.storage.capture import Capture
from courier_nb.storage.journal.journal import Journal
from courier_nb.wire.admin import Region
from courier_nb.wire.auth import Token
from courier_nb.wire.stats import Depth

if TYPE_CHECKING:
    import httpx
    import pandas as pd

    from courier_nb.broker import LocalBroker
    from courier_nb.jupyter.workbench import Workbench


@shows_client
@documented_as(AsyncClient)
class Client:
    """One environment of the service. Usable in scripts and in Jupyter cells; get one from `connect`."""

    def __init__(
        self, settings: Settings, *, transport: httpx.AsyncBaseTransport | None = None, lock_ttl_unit: LockTtlUnit | None = None
    ) -> None:
        self._adopt(AsyncClient(settings, transport=transport, lock_ttl_unit=lock_ttl_unit))

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
        client_secret, password, bearer = secret(client_secret), secret(password), secret(bearer)  # unseen in a traceback too
        client = cls.__new__(cls)
        inner = AsyncClient.connect(
            profile,
            client_id=client_id,
            client_secret=client_secret,
            bearer=bearer,
            username=username,
            password=password,
            auth=auth,
            organization=organization,
            environment=environment,
            region=region,
            host=host,
            mq_url=mq_url,
            lock_ttl_unit=lock_ttl_unit,
            read_only=read_only,
            production=production,
            journal=journal,
        )
        client._adopt(inner)
        return client

    def _adopt(self, inner: AsyncClient) -> None:
        self._inner = inner
        note_client(self, inner._connection)
        close_with(self, inner.aclose)  # notebooks seldom close what they open

    @property
    def broker(self) -> LocalBroker:
        return self._inner.broker

    @property
    def is_embedded(self) -> bool:
        return self._inner.is_embedded

    @property
    def settings(self) -> Settings:
        return self._inner.settings

    @property
    def journal(self) -> Journal | None:
        return self._inner.journal

    def destination(self, id: str) -> Destination:  # noqa: A002  # the API's noun
        return Destination(self._inner.destination(id), self)

    def held(self) -> Holding:
        return self._inner.held()

    def authorize(self) -> Token:
        return run(self._inner.authorize)

    def is_production(self) -> bool | None:
        return run(self._inner.is_production)

    def regions(self) -> list[Region]:
        return run(self._inner.regions)

    def destinations(self, *, depth: bool = True) -> DestinationList:
        return run(self._inner.destinations, depth=depth)

    def depth(self, destination: str) -> Depth | None:
        return run(self._inner.depth, destination)

    def doctor(
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
        return run(
            self._inner.doctor,
            destination,
            reach=reach,
            probe=probe,
            consent=consent,
            exchange=exchange,
            large=large,
            broker_config=broker_config,
            progress=progress,
        )

    def replay(
        self,
        source: Source,
        *,
        to: str | None = None,
        dry_run: bool = False,
        unknown: Unknown = "report",
        ids: Ids = "auto",
        provenance: bool = True,
        fifo: bool | None = None,
        ledger: str | Path | None = None,
        strict: bool = True,
        confirm: str | None = None,
        rate: Rate | str | None = None,
        concurrency: int = 8,
        progress: bool = True,
    ) -> Replayed | Plan:
        return run(
            self._inner.replay,
            source,
            to=to,
            dry_run=dry_run,
            unknown=unknown,
            ids=ids,
            provenance=provenance,
            fifo=fifo,
            ledger=ledger,
            strict=strict,
            confirm=confirm,
            rate=rate,
            concurrency=concurrency,
            progress=progress,
        )

    def undo(
        self,
        run_id: str,
        *,
        capture: str | Path | Capture | None = None,
        include_unknown: bool = False,
        dry_run: bool = False,
        unknown: Unknown = "report",
        fifo: bool | None = None,
        confirm: str | None = None,
        rate: Rate | str | None = None,
        concurrency: int = 8,
        progress: bool = True,
    ) -> Replayed | Plan:
        return run(
            self._inner.undo,
            run_id,
            capture=capture,
            include_unknown=include_unknown,
            dry_run=dry_run,
            unknown=unknown,
            fifo=fifo,
            confirm=confirm,
            rate=rate,
            concurrency=concurrency,
            progress=progress,
        )

    def replays(self, capture: str | Path | Capture | None = None, *, ledger: str | Path | None = None) -> pd.DataFrame:
        return self._inner.replays(capture, ledger=ledger)

    def browse(
        self, source: pd.DataFrame | Received | Capture | str | Path | None = None, *, destination: str | None = None
    ) -> Workbench:
        """Open the workbench: pick a destination, look, select, and ack, return, repair, drain, replay or move.

        Parameters
        ----------
        source : DataFrame, Received, Capture or path of a capture, optional
            Shown in the table from the beginning.
        destination : str, optional
            Picked from the beginning.

        Returns
        -------
        Workbench
            A widget; the last expression of a cell shows it. Its parts are attributes: ``picker``, ``browser``, ``receive``, ….

        Raises
        ------
        ImportError
            When the widgets are not installed; the message says how to.

        Notes
        -----
        Making it asks the service for what is free only: the list of destinations, depths, whether it is production.
        """
        from courier_nb.jupyter import Workbench

        return Workbench(self, source, destination=destination)

    def close(self) -> None:
        """Give back what is held and close the connections; may be called again."""
        run(self._inner.aclose)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.settings!r}>"

    def __reduce__(self) -> NoReturn:
        raise TypeError("A client holds secrets and is not pickled: call connect() where it is needed.")


connect = Client.connect


def inner_of(client: Client) -> AsyncClient:
    """Return the async client that a blocking one drives, for what runs on the background loop by itself.

    Raises
    ------
    InvalidArgument
        When it is no blocking client.
    """
    if not isinstance(client, Client):
        raise InvalidArgument(f"client is {type(client).__name__}; the blocking Client of courier_nb.connect() was expected.")
    return client._inner
