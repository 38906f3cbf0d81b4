"""`AsyncDestination`: a queue or exchange, with the verbs that are made of the API's operations."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path
from typing import get_args

from anyio import to_thread

from courier_nb.core.errors import InvalidArgument
from courier_nb.core.progress import Counter, show
from courier_nb.core.units import Duration, milliseconds
from courier_nb.flows import publish as publish_flow
from courier_nb.flows.publish import Unknown
from courier_nb.flows.reports import ReplayPlan, Report
from courier_nb.flows.settle import SettleVerb, settle
from courier_nb.flows.sources import Rows, Source, held_rows, open_source
from courier_nb.flows.stops import calls_at_a_time
from courier_nb.receiving import ReceivingVerbs
from courier_nb.storage.ledger import Ledger


class AsyncDestination(ReceivingVerbs):
    """A queue or exchange. Get one from `AsyncClient.destination`; making it asks the service nothing.

    Inherits the nine operations of the API (`DestinationCalls`) and peek, receive and drain (`ReceivingVerbs`).
    """

    async def ack(self, rows: Rows, *, concurrency: int = 8, progress: bool = True) -> Report:
        """Delete received messages for good (operation 3, in batches of ten).

        Parameters
        ----------
        rows : DataFrame, Received or sequence of Message
            What `receive` gave, or a part of it.
        concurrency : int
        progress : bool

        Returns
        -------
        Report
            One outcome a row, in order: ``ok``, ``lost_lock`` (not deleted, it will come again), ``unknown``.

        Raises
        ------
        FrameError
            When a row holds no lock or is of another destination; nothing was sent.
        Forbidden, DestinationNotFound, Unauthorized, Unreachable
            When nothing could be done at all.
        """
        return await self._settle("ack", rows, 0, concurrency, progress)

    async def nack(self, rows: Rows, *, concurrency: int = 8, progress: bool = True) -> Report:
        """Return received messages to the queue (operation 5, in batches of ten).

        A message that has used up its deliveries goes to the dead-letter queue. Parameters, result and errors as in `ack`.
        """
        return await self._settle("nack", rows, 0, concurrency, progress)

    async def extend(self, rows: Rows, lock_ttl: Duration, *, concurrency: int = 8, progress: bool = True) -> Report:
        """Let the locks of received messages end `lock_ttl` from now (operation 4, in batches of ten), at most 12 h.

        The unit of this call is disputed (``lock_ttl_unit`` of the client); where a long lock is needed, ask for it at
        `receive`. Rows, result and errors as in `ack`.
        """
        return await self._settle("extend", rows, milliseconds(lock_ttl, name="lock_ttl"), concurrency, progress)

    async def publish(self, messages: Source, *, strict: bool = True, concurrency: int = 8, progress: bool = True) -> Report:
        """Publish messages (operation 2, in batches of ten), in order inside each message group.

        Parameters
        ----------
        messages : DataFrame, Message, sequence of Message, Capture or path
            A frame needs ``body``; ``prop.<name>`` become properties. A message without an id is given one.
        strict : bool
            Refuse property values other than text, numbers and booleans.
        concurrency : int
        progress : bool

        Returns
        -------
        Report
            One outcome a message: ``ok``, ``refused``, ``unknown`` (it may have arrived), ``skipped`` (an earlier message of its
            group did not get through).

        Raises
        ------
        FrameError
            When a frame cannot be published; it names columns and rows, and nothing was sent.
        """
        source = await to_thread.run_sync(lambda: open_source(messages, strict=strict))
        operations = await self._session.operations()
        counter = Counter(f"publish {self.id}", total=source.size)
        async with show(counter, progress):
            return await publish_flow.publish(
                operations, self.id, source.messages, concurrency=calls_at_a_time(concurrency), counter=counter
            )

    async def replay(
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
        """Publish captured messages into this destination, each once however often the call is made.

        What was sent is recorded in a ledger. Running the same call again goes on where it was cut off: confirmed rows are
        skipped, rows without a certain answer are reported.

        Parameters
        ----------
        source : Capture, path, DataFrame or messages
            A capture or its folder, a Parquet file that this package wrote, or a frame, repaired or not. A row that was changed
            counts as another message.
        dry_run : bool
            Return the plan and send nothing.
        unknown : {"report", "resend"}
            What to do with messages sent by an earlier run without a certain answer: show them, or send them again (a standard
            queue may then hold them twice).
        ledger : path, optional
            Where to record what was sent (an SQLite file). Default: in the capture's folder; for other sources in a folder of the
            user's own.
        strict, concurrency, progress
            As in `publish`.

        Returns
        -------
        Report or ReplayPlan
            One outcome a message: ``ok``, ``skipped``, ``refused``, ``unknown``.

        Raises
        ------
        FrameError, CaptureError
            When the source cannot be published; nothing was sent.
        """
        if unknown not in get_args(Unknown):
            raise InvalidArgument(f"unknown is {unknown!r}, expected 'report' or 'resend'.")
        opened = await to_thread.run_sync(lambda: open_source(source, strict=strict))
        operations = await self._session.operations()
        counter = Counter(f"replay into {self.id}", total=opened.size)
        target = f"{operations.place.environment}/{self._session.region_hint or ''}/{self.id}"
        with await to_thread.run_sync(Ledger, Path(ledger or opened.ledger), target) as book:
            if dry_run:
                return await publish_flow.plan(self.id, opened.messages, book, unknown=unknown)
            async with show(counter, progress):
                return await publish_flow.replay(
                    operations,
                    self.id,
                    opened.messages,
                    book,
                    concurrency=calls_at_a_time(concurrency),
                    unknown=unknown,
                    counter=counter,
                )

    async def _settle(self, verb: SettleVerb, rows: Rows, lock_ms: int, concurrency: int, progress: bool) -> Report:
        later = self._session.extended_locks
        held = [replace(row, expires=max(row.expires, later.get(row.lock_id, 0.0))) for row in held_rows(rows, self.id)]
        operations = await self._session.operations()
        counter = Counter(f"{verb} {self.id}", total=len(held))
        async with show(counter, progress):
            report = await settle(
                operations, verb, self.id, held, lock_ms=lock_ms, concurrency=calls_at_a_time(concurrency), counter=counter
            )
        for row, outcome in zip(held, report.outcomes, strict=True):
            if outcome.kind == "ok" and verb == "extend":
                later[row.lock_id] = time.time() + lock_ms / 1_000
            elif outcome.kind == "ok":
                later.pop(row.lock_id, None)
        return report
