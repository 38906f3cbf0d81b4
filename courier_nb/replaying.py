"""The client's verbs that put messages back where they came from: replay, undo, and what was replayed before."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, get_args

from anyio import to_thread

from courier_nb.connection import Connection
from courier_nb.core.errors import ConfigError, InvalidArgument
from courier_nb.core.rates import Rate
from courier_nb.destination import AsyncDestination
from courier_nb.flows.plans import Plan
from courier_nb.flows.replaying.provenance import Ids
from courier_nb.flows.replaying.replayed import Replayed
from courier_nb.flows.replaying.replays import replays_frame
from courier_nb.flows.replaying.undo import find_undoable
from courier_nb.flows.replaying.wish import Unknown, Wish
from courier_nb.flows.sources import Source, open_source
from courier_nb.flows.stops import calls_at_a_time
from courier_nb.publishing import check_word, replay_into
from courier_nb.storage.capture import Capture

if TYPE_CHECKING:
    import pandas as pd


class ReplayingVerbs:
    """Replay, undo, and what the ledgers say."""

    _connection: Connection

    async def replay(
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
        """Publish captured messages into the queue that they died in, or into `to`.

        Without `to`, the target is the queue whose dead letters go to where the messages were received (Admin API).
        Everything else as in `AsyncDestination.replay`.

        Raises
        ------
        ConfigError
            When the wiring names no queue, or several.
        """
        target = to if to is not None else await self._queue_of_dead_letters(source, strict)
        return await AsyncDestination(self._connection, target).replay(
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

    async def undo(
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
        """Publish what a drain acknowledged again, from its capture, into the queue where it was; once, however often called.

        Each message comes back as it was: id, properties, body and message group, in order inside each group. It counts as newly
        published (``created``, delivery count, time to live). A FIFO queue drops ids that it took less than five minutes ago;
        messages that are so young are held back, and the same call a little later sends them.

        Parameters
        ----------
        run_id : str
            As the journal and the capture's column ``run`` name it.
        capture : Capture or path, optional
            Folder of the capture; default: where the journal says that it is.
        include_unknown : bool
            Also publish messages whose acknowledgement had no certain answer; they may still be in the queue. Otherwise they are
            listed as ``unknown``.
        dry_run, unknown, fifo, rate, concurrency, progress
            As in `AsyncDestination.replay`.
        confirm : str, optional
            The queue's name, which production wants typed.

        Returns
        -------
        Replayed or Plan

        Raises
        ------
        InvalidArgument
            When the run is not known, took nothing away, or belongs to another environment.
        CaptureError, CaptureDamaged
            When the capture is not there or not whole; nothing was sent.
        """
        check_word("unknown", unknown, get_args(Unknown))
        found = await to_thread.run_sync(
            partial(find_undoable, run_id, capture, self._connection.journal, include_unknown=include_unknown)
        )
        environment = (await self._connection.operations()).place.environment
        if found.environment != environment:
            raise InvalidArgument(
                f"Run {run_id!r} drained {found.destination!r} of environment {found.environment}; this client is connected to "
                f"{environment}. Connect to that one."
            )
        result = await replay_into(
            self._connection,
            found.destination,
            found.source,
            Wish("undo", unknown, "keep", provenance=False, fifo=fifo, holds_recent=True),
            ledger=None,
            dry_run=dry_run,
            rate=rate,
            concurrency=calls_at_a_time(concurrency),
            progress=progress,
            confirm=confirm,
        )
        return result.with_others(found.left_out_outcomes(len(result))) if isinstance(result, Replayed) else result

    def replays(self, capture: str | Path | Capture | None = None, *, ledger: str | Path | None = None) -> pd.DataFrame:
        """Return what was replayed, moved, put back and undone, as the ledgers record it. Asks the service nothing.

        Parameters
        ----------
        capture : Capture or path, optional
            The ledger in this capture.
        ledger : path, optional
            This ledger. Without either: those in the user's own folder, of what was replayed from elsewhere than a capture.

        Returns
        -------
        DataFrame
            One row for each attempt at a run: ``run``, ``attempt``, ``verb``, ``destination``, ``target`` (environment, region
            and destination), ``rows`` (Int64), ``started`` and ``ended`` (UTC; missing when it was cut off), ``ok``, ``skipped``,
            ``refused``, ``unknown`` (Int64, rows by outcome), and ``ledger`` (path).

        Raises
        ------
        CaptureError, CaptureDamaged
        """
        return replays_frame(capture, ledger)

    async def _queue_of_dead_letters(self, source: Source, strict: bool) -> str:
        origins = (await to_thread.run_sync(partial(open_source, source, strict=strict))).origins
        session = self._connection.session
        if (await session.tokens.current()).kind == "client_app":
            raise ConfigError(
                "An MQ client app cannot read whose dead letters these are: name the target with to= (--to).", setting="to"
            )
        infos = await (await session.admin()).destinations(await session.region())
        wired = {info.id for info in infos if info.dead_letter_queue in origins}
        wired.update(name for info in infos if info.id in origins for name in info.dead_letter_sources)
        if len(wired) == 1:
            return wired.pop()
        where = ", ".join(sorted(origins)) or "an unknown destination"
        found = f"several queues: {', '.join(sorted(wired))}" if wired else "no queue"
        raise ConfigError(
            f"The messages came from {where}, the dead-letter queue of {found}; name the target with to=.", setting="to"
        )
