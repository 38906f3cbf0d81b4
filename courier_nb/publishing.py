"""The verbs that put messages into a destination: publish, replay."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import get_args

from anyio import to_thread

from courier_nb.calls import DestinationCalls
from courier_nb.connection import Connection
from courier_nb.core.errors import InvalidArgument
from courier_nb.core.progress import Counter, show
from courier_nb.core.rates import Rate
from courier_nb.flows import publish as publish_flow
from courier_nb.flows.plans import Plan
from courier_nb.flows.replaying import replay as replay_flow
from courier_nb.flows.replaying.provenance import Ids
from courier_nb.flows.replaying.replayed import Replayed
from courier_nb.flows.replaying.targets import settle_wish, target_name
from courier_nb.flows.replaying.wish import Unknown, Wish
from courier_nb.flows.reports import Report
from courier_nb.flows.sources import OpenSource, Source, ledger_of_target, open_source
from courier_nb.flows.stops import calls_at_a_time
from courier_nb.storage.replays.ledger import Ledger


class PublishingVerbs(DestinationCalls):
    """Publish and replay."""

    async def publish(
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
        """Publish messages (operation 2, in batches of ten), in order inside each message group.

        Parameters
        ----------
        messages : DataFrame, Message, sequence of Message, Capture or path
            A frame needs ``body``; ``prop.<name>`` become properties. A message without an id is given one.
        dry_run : bool
            Return the plan and send nothing.
        confirm : str, optional
            This destination's name, which is asked for in production.
        strict : bool
            Refuse property values other than text, numbers and booleans.
        rate : Rate or str, optional
            How fast to go, such as ``"100 msg/s"`` or ``"2 MB/s, ramp-up 30s"``; see ``docs/rates.md``.
        concurrency : int
        progress : bool

        Returns
        -------
        Report or Plan
            One outcome a message: ``ok``, ``refused``, ``unknown`` (it may have arrived), ``skipped`` (an earlier message of its
            group did not get through).

        Raises
        ------
        FrameError
            When a frame cannot be published; it names columns and rows, and nothing was sent.
        ReadOnly, ConfirmationNeeded, JournalUnwritable
            When the guards or the journal forbid it; nothing was sent.
        """
        if not dry_run:
            await self._connection.permit("publish", self.id, confirm)
        source = await to_thread.run_sync(lambda: open_source(messages, strict=strict))
        if dry_run:
            return await (await self._connection.planner(concurrency, rate)).publish(self.id, source)
        operations = await self._connection.operations(rate)
        counter = Counter(f"publish {self.id}", total=source.size)
        async with self._connection.run("publish", self.id, confirm=confirm) as run, show(counter, progress):
            report = await publish_flow.publish(
                operations, self.id, source.messages, concurrency=calls_at_a_time(concurrency), counter=counter
            )
            run.outcome(report.counts)
            return report

    async def replay(
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
        """Publish captured messages into this destination, each once however often the call is made.

        What was sent is recorded in a ledger. Running the same call again goes on where it was cut off: confirmed rows are
        skipped, rows without a certain answer are reported, and nothing later of their message groups is sent until that is
        settled. A FIFO queue drops repetitions for five minutes, so there such rows are repeated by themselves in that time.

        Parameters
        ----------
        source : Capture, path, DataFrame or messages
            A capture or its folder, a Parquet file that this package wrote, or a frame, repaired or not. A row that was changed
            counts as another message.
        dry_run : bool
            Return the plan and send nothing.
        unknown : {"report", "resend", "skip"}
            What to do with messages sent by an earlier run without a certain answer: show them, send them again (a standard queue
            may then hold them twice), or take them as arrived.
        ids : {"auto", "keep", "new"}
            Publish each message with its own id, or with a new one that stays the same however often the run is begun. ``auto``
            gives new ids to a FIFO queue, which would drop a message whose id it took less than five minutes ago and yet answer
            "successful", and keeps them elsewhere.
        provenance : bool
            Give each message the properties ``courier_nb.run``, ``courier_nb.origin_queue``, ``courier_nb.origin_id`` and
            ``courier_nb.attempt``.
        fifo : bool, optional
            Whether this is a FIFO queue; default: what the Admin API says.
        ledger : path, optional
            Where to record what was sent. Default: in the capture's folder; for other sources in a folder of the user's own.
        strict, confirm, rate, concurrency, progress
            As in `publish`.

        Returns
        -------
        Replayed or Plan
            One outcome a message: ``ok``, ``skipped``, ``refused``, ``unknown``; its frame also has each row's state and attempt.

        Raises
        ------
        FrameError, CaptureError
            When the source cannot be published, or another replay is using the ledger; nothing was sent.
        CaptureDamaged
            When the ledger does not hold what was written into it; nothing was sent.
        """
        check_word("unknown", unknown, get_args(Unknown))
        check_word("ids", ids, get_args(Ids))
        opened = await to_thread.run_sync(lambda: open_source(source, strict=strict))
        return await replay_into(
            self._connection,
            self.id,
            opened,
            Wish("replay", unknown, ids, provenance, fifo),
            ledger=None if ledger is None else Path(ledger),
            dry_run=dry_run,
            rate=rate,
            concurrency=calls_at_a_time(concurrency),
            progress=progress,
            confirm=confirm,
        )


async def replay_into(
    connection: Connection,
    destination: str,
    opened: OpenSource,
    wish: Wish,
    *,
    ledger: Path | None,
    dry_run: bool,
    rate: Rate | str | None,
    concurrency: int,
    progress: bool,
    confirm: str | None = None,
) -> Replayed | Plan:
    """Publish a source again into a destination, or return the plan; see `PublishingVerbs.replay`."""
    if not dry_run:
        await connection.permit(wish.verb, destination, confirm)
    operations = await connection.operations(rate)
    wish = await settle_wish(connection.session, destination, wish)
    target = target_name(connection.session, operations, destination)
    path = ledger or opened.ledger or ledger_of_target(target)
    with await to_thread.run_sync(partial(Ledger, path, target, is_read_only=dry_run)) as book:
        if dry_run:
            planner = await connection.planner(concurrency, rate)
            return await planner.sending(wish.verb, destination, await replay_flow.plan(destination, opened.messages, book, wish))
        counter = Counter(f"{wish.verb} into {destination}", total=opened.size)
        async with connection.run(wish.verb, destination, confirm=confirm) as run, show(counter, progress):
            replayed = await replay_flow.replay(
                operations, destination, opened.messages, book, wish, concurrency=concurrency, counter=counter
            )
            run.outcome(replayed.counts)
            return replayed


def check_word(name: str, value: object, words: Sequence[str]) -> None:
    """Refuse an argument that is none of the words it may be."""
    if value not in words:
        listed = f"{', '.join(map(repr, words[:-1]))} or {words[-1]!r}"
        raise InvalidArgument(f"{name} is {value!r}, expected {listed}.")
