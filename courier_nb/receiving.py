"""The verbs that take messages from a destination: peek, receive, drain."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Literal

from anyio import to_thread

from courier_nb.calls import DestinationCalls
from courier_nb.core.errors import CourierError, InvalidArgument
from courier_nb.core.progress import Counter, show
from courier_nb.core.units import Duration, milliseconds
from courier_nb.flows import drain as drain_flow
from courier_nb.flows import receive as receive_flow
from courier_nb.flows.receive import Ask
from courier_nb.flows.reports import Received
from courier_nb.flows.sources import default_capture_folder
from courier_nb.flows.stops import calls_at_a_time, stop_after
from courier_nb.storage.capture import Capture
from courier_nb.wire.operations import PayloadVisibility

_LEAST_LOCK_MS = 1_000


class ReceivingVerbs(DestinationCalls):
    """Peek, receive and drain."""

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
        operations = await self._connection.operations()
        stop = stop_after(limit, empties=empties, idle=idle, timeout=timeout)
        counter = Counter(f"drain {self.id}", total=limit)
        async with (
            self._connection.run("drain", self.id) as run,
            show(counter, progress),
            self._depth_as_total(counter, progress and limit is None),
        ):
            root = Path(to) if to is not None else default_capture_folder(self.id, operations.place.environment, run.id)
            report = await drain_flow.drain(
                operations,
                self._ask(lock_ttl, polling_time),
                stop,
                root,
                concurrency=calls_at_a_time(concurrency),
                counter=counter,
            )
        return await to_thread.run_sync(lambda: Capture(root, report=report))

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
        operations = await self._connection.operations()
        counter = Counter(f"{verb} {self.id}", total=count)
        workers = min(calls_at_a_time(concurrency), -(-count // 10))
        async with self._connection.run(verb, self.id), show(counter, progress):
            return await flow(
                operations,
                self._ask(lock_ttl, polling_time, payload_visibility),
                stop_after(count, empties=empties, timeout=timeout),
                concurrency=workers,
                counter=counter,
            )

    def _ask(self, lock_ttl: Duration, polling_time: Duration, payload_visibility: PayloadVisibility = "full") -> Ask:
        lock_ms = milliseconds(lock_ttl, name="lock_ttl")
        if lock_ms < _LEAST_LOCK_MS:
            raise InvalidArgument(
                f"lock_ttl is {lock_ms} ms; at least {_LEAST_LOCK_MS} ms are needed to do anything with a message."
            )
        return Ask(
            self.id,
            milliseconds(polling_time, name="polling_time"),
            lock_ms,
            payload_visibility=payload_visibility,
        )

    @asynccontextmanager
    async def _depth_as_total(self, counter: Counter, wanted: bool) -> AsyncIterator[None]:
        """Look up the depth beside the work, so that the bar has an end; it lags, and its failure changes nothing."""

        async def look() -> None:
            with contextlib.suppress(CourierError):
                counter.total = await self._connection.session.depth_hint(self.id)

        looking = asyncio.create_task(look()) if wanted else None
        try:
            yield
        finally:
            if looking is not None:
                looking.cancel()
