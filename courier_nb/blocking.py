"""The blocking face: the same methods and arguments, run on the background loop. Works in scripts and in Jupyter cells."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, NoReturn, Self, TypeVar

from courier_nb.client import AsyncClient, DestinationList
from courier_nb.core.messages import ItemResult, Message
from courier_nb.core.portal import run
from courier_nb.core.settings import AuthKind, Settings
from courier_nb.core.units import Duration
from courier_nb.destination import AsyncDestination
from courier_nb.flows.publish import Unknown
from courier_nb.flows.reports import Received, ReplayPlan, Report
from courier_nb.flows.sources import Rows, Source
from courier_nb.storage.capture import Capture
from courier_nb.wire.admin import Region
from courier_nb.wire.auth import Token
from courier_nb.wire.operations import Lock, LockTtlUnit, PayloadVisibility
from courier_nb.wire.stats import Depth

if TYPE_CHECKING:
    import httpx

    from courier_nb.broker import LocalBroker

T = TypeVar("T")


def _documented_as(source: type) -> Callable[[type[T]], type[T]]:
    """Give a class and its methods the docstrings of the async ones."""

    def decorate(cls: type[T]) -> type[T]:
        for name, member in list(vars(cls).items()):
            if name.startswith("_") or member.__doc__:
                continue
            doc = getattr(source, name).__doc__
            if isinstance(member, property):
                setattr(cls, name, property(member.fget, doc=doc))
            else:
                getattr(member, "__func__", member).__doc__ = doc
        return cls

    return decorate


@_documented_as(AsyncDestination)
class Destination:
    """A queue or exchange. Get one from `Client.destination`; making it asks the service nothing."""

    def __init__(self, inner: AsyncDestination) -> None:
        self._inner = inner
        self.id = inner.id

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.id!r}>"

    def receive_batch(
        self,
        *,
        polling_time: Duration = "10s",
        batch_size: int = 1,
        lock_ttl: Duration = "2m",
        payload_visibility: PayloadVisibility = "full",
    ) -> list[Message]:
        return run(
            self._inner.receive_batch,
            polling_time=polling_time,
            batch_size=batch_size,
            lock_ttl=lock_ttl,
            payload_visibility=payload_visibility,
        )

    def publish_batch(self, messages: Sequence[Message]) -> list[ItemResult]:
        return run(self._inner.publish_batch, messages)

    def ack_batch(self, locks: Sequence[Lock]) -> list[ItemResult]:
        return run(self._inner.ack_batch, locks)

    def extend_batch(self, locks: Sequence[Lock], lock_ttl: Duration) -> list[ItemResult]:
        return run(self._inner.extend_batch, locks, lock_ttl)

    def nack_batch(self, locks: Sequence[Lock]) -> list[ItemResult]:
        return run(self._inner.nack_batch, locks)

    def publish_one(self, message: Message) -> ItemResult:
        return run(self._inner.publish_one, message)

    def ack_one(self, message_id: str, lock_id: str) -> ItemResult:
        return run(self._inner.ack_one, message_id, lock_id)

    def extend_one(self, message_id: str, lock_id: str, lock_ttl: Duration) -> ItemResult:
        return run(self._inner.extend_one, message_id, lock_id, lock_ttl)

    def nack_one(self, message_id: str, lock_id: str) -> ItemResult:
        return run(self._inner.nack_one, message_id, lock_id)

    def peek(
        self,
        count: int = 10,
        *,
        lock_ttl: Duration = "1m",
        polling_time: Duration = "1s",
        payload_visibility: PayloadVisibility = "full",
        empties: int = 2,
        timeout: Duration | None = None,
        concurrency: int = 4,
        progress: bool = True,
    ) -> Received:
        return run(
            self._inner.peek,
            count,
            lock_ttl=lock_ttl,
            polling_time=polling_time,
            payload_visibility=payload_visibility,
            empties=empties,
            timeout=timeout,
            concurrency=concurrency,
            progress=progress,
        )

    def receive(
        self,
        count: int = 10,
        *,
        lock_ttl: Duration = "2m",
        polling_time: Duration = "1s",
        payload_visibility: PayloadVisibility = "full",
        empties: int = 2,
        timeout: Duration | None = None,
        concurrency: int = 4,
        progress: bool = True,
    ) -> Received:
        return run(
            self._inner.receive,
            count,
            lock_ttl=lock_ttl,
            polling_time=polling_time,
            payload_visibility=payload_visibility,
            empties=empties,
            timeout=timeout,
            concurrency=concurrency,
            progress=progress,
        )

    def drain(
        self,
        to: str | Path | None = None,
        *,
        limit: int | None = None,
        lock_ttl: Duration = "2m",
        polling_time: Duration = "1s",
        empties: int | None = 3,
        idle: Duration | None = None,
        timeout: Duration | None = None,
        concurrency: int = 16,
        progress: bool = True,
    ) -> Capture:
        return run(
            self._inner.drain,
            to,
            limit=limit,
            lock_ttl=lock_ttl,
            polling_time=polling_time,
            empties=empties,
            idle=idle,
            timeout=timeout,
            concurrency=concurrency,
            progress=progress,
        )

    def ack(self, rows: Rows, *, concurrency: int = 8, progress: bool = True) -> Report:
        return run(self._inner.ack, rows, concurrency=concurrency, progress=progress)

    def nack(self, rows: Rows, *, concurrency: int = 8, progress: bool = True) -> Report:
        return run(self._inner.nack, rows, concurrency=concurrency, progress=progress)

    def extend(self, rows: Rows, lock_ttl: Duration, *, concurrency: int = 8, progress: bool = True) -> Report:
        return run(self._inner.extend, rows, lock_ttl, concurrency=concurrency, progress=progress)

    def publish(self, messages: Source, *, strict: bool = True, concurrency: int = 8, progress: bool = True) -> Report:
        return run(self._inner.publish, messages, strict=strict, concurrency=concurrency, progress=progress)

    def replay(
        self,
        source: Source,
        *,
        dry_run: bool = False,
        unknown: Unknown = "report",
        ledger: str | Path | None = None,
        strict: bool = True,
        concurrency: int = 8,
        progress: bool = True,
    ) -> Report | ReplayPlan:
        return run(
            self._inner.replay,
            source,
            dry_run=dry_run,
            unknown=unknown,
            ledger=ledger,
            strict=strict,
            concurrency=concurrency,
            progress=progress,
        )


@_documented_as(AsyncClient)
class Client:
    """One environment of the service. Usable in scripts and in Jupyter cells; get one from `connect`."""

    def __init__(
        self, settings: Settings, *, transport: httpx.AsyncBaseTransport | None = None, lock_ttl_unit: LockTtlUnit = "s"
    ) -> None:
        self._inner = AsyncClient(settings, transport=transport, lock_ttl_unit=lock_ttl_unit)

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
        lock_ttl_unit: LockTtlUnit = "s",
    ) -> Self:
        client = cls.__new__(cls)
        client._inner = AsyncClient.connect(
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
        )
        return client

    @property
    def broker(self) -> LocalBroker:
        return self._inner.broker

    @property
    def settings(self) -> Settings:
        return self._inner.settings

    def destination(self, id: str) -> Destination:  # noqa: A002  # the API's noun
        return Destination(self._inner.destination(id))

    def authorize(self) -> Token:
        return run(self._inner.authorize)

    def regions(self) -> list[Region]:
        return run(self._inner.regions)

    def destinations(self, *, depth: bool = True) -> DestinationList:
        return run(self._inner.destinations, depth=depth)

    def depth(self, destination: str) -> Depth | None:
        return run(self._inner.depth, destination)

    def replay(
        self,
        source: Source,
        *,
        to: str | None = None,
        dry_run: bool = False,
        unknown: Unknown = "report",
        ledger: str | Path | None = None,
        strict: bool = True,
        concurrency: int = 8,
        progress: bool = True,
    ) -> Report | ReplayPlan:
        return run(
            self._inner.replay,
            source,
            to=to,
            dry_run=dry_run,
            unknown=unknown,
            ledger=ledger,
            strict=strict,
            concurrency=concurrency,
            progress=progress,
        )

    def close(self) -> None:
        """Close the connections; may be called again. Messages still locked come back when their locks end."""
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
