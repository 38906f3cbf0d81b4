"""The verbs that put messages into a destination: publish, replay."""

from __future__ import annotations

from pathlib import Path
from typing import get_args

from anyio import to_thread

from courier_nb.calls import DestinationCalls
from courier_nb.core.errors import InvalidArgument
from courier_nb.core.progress import Counter, show
from courier_nb.flows import publish as publish_flow
from courier_nb.flows.publish import Unknown
from courier_nb.flows.reports import ReplayPlan, Report
from courier_nb.flows.sources import Source, open_source
from courier_nb.flows.stops import calls_at_a_time
from courier_nb.storage.ledger import Ledger


class PublishingVerbs(DestinationCalls):
    """Publish and replay."""

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
        operations = await self._connection.operations()
        counter = Counter(f"publish {self.id}", total=source.size)
        async with self._connection.run("publish", self.id), show(counter, progress):
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
        operations = await self._connection.operations()
        counter = Counter(f"replay into {self.id}", total=opened.size)
        target = f"{operations.place.environment}/{self._connection.session.region_hint or ''}/{self.id}"
        with await to_thread.run_sync(Ledger, Path(ledger or opened.ledger), target) as book:
            if dry_run:
                return await publish_flow.plan(self.id, opened.messages, book, unknown=unknown)
            async with self._connection.run("replay", self.id), show(counter, progress):
                return await publish_flow.replay(
                    operations,
                    self.id,
                    opened.messages,
                    book,
                    concurrency=calls_at_a_time(concurrency),
                    unknown=unknown,
                    counter=counter,
                )
