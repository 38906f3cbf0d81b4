"""`AsyncDestination`: a queue or exchange, with the verbs that are made of the API's operations."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

from anyio import to_thread

from courier_nb.calls import DestinationCalls
from courier_nb.core.errors import CourierError
from courier_nb.core.progress import Counter, show
from courier_nb.core.units import Duration, milliseconds
from courier_nb.flows import drain as drain_flow
from courier_nb.flows import publish as publish_flow
from courier_nb.flows import receive as receive_flow
from courier_nb.flows.publish import Unknown
from courier_nb.flows.receive import Ask
from courier_nb.flows.reports import Received, ReplayPlan, Report
from courier_nb.flows.settle import SettleVerb, settle
from courier_nb.flows.sources import Rows, Source, default_capture_folder, held_rows, open_source
from courier_nb.flows.stops import calls_at_a_time, stop_after
from courier_nb.storage.capture import Capture
from courier_nb.storage.ledger import Ledger
from courier_nb.wire.operations import PayloadVisibility


class AsyncDestination(DestinationCalls):
    """A queue or exchange. Get one from `AsyncClient.destination`; making it asks the service nothing.

    The nine operations of the API are inherited from `DestinationCalls`.
    """

    async def peek(
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
        """Look at messages and put them back.

        The service has no free look: each message is received, which **spends one of its deliveries**, hides it from consumers
        for a moment, and is billed; then it is returned. A message whose deliveries are used up by this goes to the
        dead-letter queue.

        Parameters
        ----------
        count : int
            At most so many messages.
        lock_ttl : duration
            They come back by themselves after this, should the return fail.
        polling_time : duration
            How long one call may wait for a message.
        payload_visibility : {"full", "none", "conditional"}
        empties : int
            Give up after so many empty answers in a row; one does not mean an empty queue.
        timeout : duration, optional
            Give up after this long in all.
        concurrency : int
            Calls at a time.
        progress : bool
            Show a bar once it takes more than a second.

        Returns
        -------
        Received
            ``.frame()`` is the DataFrame of messages, ``settlement`` says whether each was returned.
        """
        return await self._collect(
            "peek", count, lock_ttl, polling_time, payload_visibility, empties, timeout, concurrency, progress
        )

    async def receive(
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
        """Receive messages and keep them locked, to be settled with `ack`, `nack` or `extend`.

        Spends one delivery of each. When the call fails or is interrupted, what it had received is returned to the queue.
        Parameters as in `peek`; the locks end after `lock_ttl`, and the messages come back by themselves then.

        Returns
        -------
        Received
            ``.frame()`` is the DataFrame of messages; its rows can be given to `ack`, `nack` and `extend`.
        """
        return await self._collect(
            "receive", count, lock_ttl, polling_time, payload_visibility, empties, timeout, concurrency, progress
        )

    async def drain(
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
        """Move messages into Parquet; each is deleted from the queue only after it is on disk and flushed.

        Parameters
        ----------
        to : path, optional
            Folder of the capture: a new one, or one to go on with (what an interrupted run left there is finished first).
            Default: a new folder of the user's own, named by the result.
        limit : int, optional
            At most so many messages.
        lock_ttl : duration
            How long a message stays locked for us; after a crash it comes back when this is over.
        polling_time : duration
            How long one call may wait for a message.
        empties : int, optional
            Stop after so many empty answers in a row; None goes on until another limit is reached.
        idle, timeout : duration, optional
            Stop after this long without a message, or in all.
        concurrency : int
            Calls at a time.
        progress : bool

        Returns
        -------
        Capture
            ``.frame()`` is the DataFrame, ``.report`` says how it went.

        Raises
        ------
        CaptureError
            When the folder is not usable or the disk is full; nothing was acknowledged that is not on disk.
        Refused, Unreachable, BadAnswer
            What ended it early; the same call goes on later.
        """
        operations = await self._session.operations()
        stamp = f"{datetime.now(UTC):%Y%m%dT%H%M%S}"
        root = Path(to) if to is not None else default_capture_folder(self.id, operations.place.environment, stamp)
        stop = stop_after(limit, empties=empties, idle=idle, timeout=timeout)
        counter = Counter(f"drain {self.id}", total=limit)
        async with show(counter, progress), self._depth_as_total(counter, progress and limit is None):
            report = await drain_flow.drain(
                operations,
                self._ask(lock_ttl, polling_time),
                stop,
                root,
                concurrency=calls_at_a_time(concurrency),
                counter=counter,
            )
        return await to_thread.run_sync(lambda: Capture(root, report=report))

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

    async def _collect(
        self,
        verb: Literal["peek", "receive"],
        count: int,
        lock_ttl: Duration,
        polling_time: Duration,
        payload_visibility: PayloadVisibility,
        empties: int,
        timeout: Duration | None,
        concurrency: int,
        progress: bool,
    ) -> Received:
        flow = receive_flow.peek if verb == "peek" else receive_flow.receive
        operations = await self._session.operations()
        counter = Counter(f"{verb} {self.id}", total=count)
        workers = min(calls_at_a_time(concurrency), -(-count // 10))
        async with show(counter, progress):
            return await flow(
                operations,
                self._ask(lock_ttl, polling_time, payload_visibility),
                stop_after(count, empties=empties, timeout=timeout),
                concurrency=workers,
                counter=counter,
            )

    async def _settle(self, verb: SettleVerb, rows: Rows, lock_ms: int, concurrency: int, progress: bool) -> Report:
        held = held_rows(rows, self.id)
        operations = await self._session.operations()
        counter = Counter(f"{verb} {self.id}", total=len(held))
        async with show(counter, progress):
            return await settle(
                operations, verb, self.id, held, lock_ms=lock_ms, concurrency=calls_at_a_time(concurrency), counter=counter
            )

    def _ask(self, lock_ttl: Duration, polling_time: Duration, payload_visibility: PayloadVisibility = "full") -> Ask:
        return Ask(
            self.id,
            milliseconds(polling_time, name="polling_time"),
            milliseconds(lock_ttl, name="lock_ttl"),
            payload_visibility=payload_visibility,
        )

    @asynccontextmanager
    async def _depth_as_total(self, counter: Counter, wanted: bool) -> AsyncIterator[None]:
        """Look up the depth beside the work, so that the bar has an end; it lags, and its failure changes nothing."""

        async def look() -> None:
            with contextlib.suppress(CourierError):
                counter.total = await self._session.depth_hint(self.id)

        looking = asyncio.create_task(look()) if wanted else None
        try:
            yield
        finally:
            if looking is not None:
                looking.cancel()
