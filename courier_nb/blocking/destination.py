"""`Destination`: the methods of `AsyncDestination`, run on the background loop."""

from __future__ import annotations

from pathlib import Path

from courier_nb.blocking.calls import Calls
from courier_nb.blocking.documented import documented_as
from courier_nb.core.portal import run
from courier_nb.core.rates import Rate
from courier_nb.core.units import Duration
from courier_nb.destination import AsyncDestination
from courier_nb.flows.guard import LastChance, LookCost
from courier_nb.flows.locks.holding import Holding
from courier_nb.flows.moving.moved import MoveReport
from courier_nb.flows.plans import Plan
from courier_nb.flows.replaying.provenance import Ids
from courier_nb.flows.replaying.replayed import Replayed
from courier_nb.flows.replaying.wish import Unknown
from courier_nb.flows.reports import Received, Report
from courier_nb.flows.sources import Rows, Source
from courier_nb.storage.capture import Capture
from courier_nb.wire.operations import PayloadVisibility


@documented_as(AsyncDestination)
class Destination(Calls):
    """A queue or exchange. Get one from `Client.destination`; making it asks the service nothing."""

    def peek(
        self,
        count: int = 10,
        *,
        lock_ttl: Duration = "1m",
        polling_time: Duration = "1s",
        payload_visibility: PayloadVisibility = "full",
        empties: int = 2,
        timeout: Duration | None = None,
        last_chance: LastChance = "hold",
        max_deliveries: int | None = None,
        confirm: str | None = None,
        rate: Rate | str | None = None,
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
            last_chance=last_chance,
            max_deliveries=max_deliveries,
            confirm=confirm,
            rate=rate,
            concurrency=concurrency,
            progress=progress,
        )

    def look_cost(self, count: int = 10, *, max_deliveries: int | None = None) -> LookCost:
        return run(self._inner.look_cost, count, max_deliveries=max_deliveries)

    def held(self) -> Holding:
        return self._inner.held()

    def receive(
        self,
        count: int = 10,
        *,
        lock_ttl: Duration = "2m",
        polling_time: Duration = "1s",
        payload_visibility: PayloadVisibility = "full",
        empties: int = 2,
        timeout: Duration | None = None,
        keep: bool = True,
        hold: Duration | None = "1h",
        rate: Rate | str | None = None,
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
            keep=keep,
            hold=hold,
            rate=rate,
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
        dry_run: bool = False,
        confirm: str | None = None,
        rate: Rate | str | None = None,
        concurrency: int = 16,
        progress: bool = True,
    ) -> Capture | Plan:
        return run(
            self._inner.drain,
            to,
            limit=limit,
            lock_ttl=lock_ttl,
            polling_time=polling_time,
            empties=empties,
            idle=idle,
            timeout=timeout,
            dry_run=dry_run,
            confirm=confirm,
            rate=rate,
            concurrency=concurrency,
            progress=progress,
        )

    def ack(
        self,
        rows: Rows,
        *,
        dry_run: bool = False,
        confirm: str | None = None,
        rate: Rate | str | None = None,
        concurrency: int = 8,
        progress: bool = True,
    ) -> Report | Plan:
        return run(self._inner.ack, rows, dry_run=dry_run, confirm=confirm, rate=rate, concurrency=concurrency, progress=progress)

    def nack(
        self,
        rows: Rows,
        *,
        dry_run: bool = False,
        rate: Rate | str | None = None,
        concurrency: int = 8,
        progress: bool = True,
    ) -> Report | Plan:
        return run(self._inner.nack, rows, dry_run=dry_run, rate=rate, concurrency=concurrency, progress=progress)

    def extend(
        self,
        rows: Rows,
        lock_ttl: Duration,
        *,
        dry_run: bool = False,
        rate: Rate | str | None = None,
        concurrency: int = 8,
        progress: bool = True,
    ) -> Report | Plan:
        return run(self._inner.extend, rows, lock_ttl, dry_run=dry_run, rate=rate, concurrency=concurrency, progress=progress)

    def publish(
        self,
        messages: Source,
        *,
        dry_run: bool = False,
        confirm: str | None = None,
        strict: bool = True,
        rate: Rate | str | None = None,
        concurrency: int = 8,
        progress: bool = True,
    ) -> Report | Plan:
        return run(
            self._inner.publish,
            messages,
            dry_run=dry_run,
            confirm=confirm,
            strict=strict,
            rate=rate,
            concurrency=concurrency,
            progress=progress,
        )

    def replay(
        self,
        source: Source,
        *,
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

    def move(
        self,
        to: str,
        via: str | Path | None = None,
        *,
        limit: int | None = None,
        dry_run: bool = False,
        unknown: Unknown = "report",
        ids: Ids = "auto",
        provenance: bool = True,
        fifo: bool | None = None,
        confirm: str | None = None,
        lock_ttl: Duration = "5m",
        polling_time: Duration = "1s",
        empties: int | None = 3,
        timeout: Duration | None = None,
        rate: Rate | str | None = None,
        concurrency: int = 8,
        progress: bool = True,
    ) -> MoveReport | Plan:
        return run(
            self._inner.move,
            to,
            via,
            limit=limit,
            dry_run=dry_run,
            unknown=unknown,
            ids=ids,
            provenance=provenance,
            fifo=fifo,
            confirm=confirm,
            lock_ttl=lock_ttl,
            polling_time=polling_time,
            empties=empties,
            timeout=timeout,
            rate=rate,
            concurrency=concurrency,
            progress=progress,
        )

    def put_back(
        self,
        rows: Rows,
        via: str | Path | None = None,
        *,
        dry_run: bool = False,
        unknown: Unknown = "report",
        ids: Ids = "auto",
        provenance: bool = True,
        fifo: bool | None = None,
        confirm: str | None = None,
        progress: bool = True,
    ) -> Report | Plan:
        return run(
            self._inner.put_back,
            rows,
            via,
            dry_run=dry_run,
            unknown=unknown,
            ids=ids,
            provenance=provenance,
            fifo=fifo,
            confirm=confirm,
            progress=progress,
        )
