"""`Destination`: the methods of `AsyncDestination`, run on the background loop."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from courier_nb.blocking.documented import documented_as
from courier_nb.core.messages import ItemResult, Message
from courier_nb.core.portal import run
from courier_nb.core.units import Duration
from courier_nb.destination import AsyncDestination
from courier_nb.flows.publish import Unknown
from courier_nb.flows.reports import Received, ReplayPlan, Report
from courier_nb.flows.sources import Rows, Source
from courier_nb.storage.capture import Capture
from courier_nb.wire.operations import Lock, PayloadVisibility


@documented_as(AsyncDestination)
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
