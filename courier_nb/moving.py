"""The verbs that publish messages elsewhere, or afresh, and delete the originals: move, put_back."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import get_args

import pandas as pd

from courier_nb.core.arguments import as_name
from courier_nb.core.errors import InvalidArgument
from courier_nb.core.messages import Message
from courier_nb.core.progress import Counter, show
from courier_nb.core.rates import Rate
from courier_nb.core.runs import new_run_id
from courier_nb.core.units import Duration
from courier_nb.flows.moving import move as move_flow
from courier_nb.flows.moving.moved import MoveReport
from courier_nb.flows.moving.put_back import put_back_held
from courier_nb.flows.moving.transfer import Transfer
from courier_nb.flows.plans import Plan, calls_for, headroom_of
from courier_nb.flows.replaying.provenance import Ids
from courier_nb.flows.replaying.targets import check_exists, open_ledger_in, settle_wish
from courier_nb.flows.replaying.wish import Unknown, Wish
from courier_nb.flows.reports import Received, Report
from courier_nb.flows.sources import Rows, default_capture_folder, held_rows
from courier_nb.flows.stops import calls_at_a_time, stop_after
from courier_nb.frames.publishable import messages_from_frame
from courier_nb.publishing import check_word
from courier_nb.receiving import ReceivingVerbs
from courier_nb.storage.disk import file_stem
from courier_nb.wire.operations import Operations
from courier_nb.wire.retry import Operation


class MovingVerbs(ReceivingVerbs):
    """Move and put back."""

    async def move(
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
        """Move messages into another queue: each is captured, published there, confirmed, recorded, and only then deleted here.

        Order is kept inside message groups: when a message of a group does not get through, nothing later of it is moved, and
        what was not moved goes back in reverse order. Running the same call again publishes nothing twice: the ledger knows
        messages that come again. One whose publishing had no certain answer is never deleted here, and is published again only
        when told to (a FIFO target drops repetitions for five minutes, so there that is done by itself).

        Parameters
        ----------
        to : str
            Name of the queue or exchange.
        via : path, optional
            Folder of the capture that the messages go through; the ledger is in it, so use the same to go on. Default: a folder
            of the user's own, the same for the same two queues.
        limit : int, optional
            At most so many messages.
        dry_run : bool
            Return the plan; nothing is received or sent.
        unknown : {"report", "resend", "skip"}
            What to do with messages that an earlier run published without a certain answer: leave them here, publish them again,
            or take them as arrived and delete them here.
        ids : {"auto", "keep", "new"}
            Message ids in the target; ``auto`` keeps them where the target is known to be a standard queue and gives new ones
            elsewhere, because a FIFO queue drops ids that it took less than five minutes ago.
        provenance, fifo
            As in `replay`; `fifo` is about the target.
        confirm : str, optional
            This destination's name, which production wants typed.
        lock_ttl, polling_time, empties, timeout, rate, concurrency, progress
            As in `drain`.

        Returns
        -------
        MoveReport or Plan

        Raises
        ------
        InvalidArgument
            When the target is this destination itself: `put_back` does that.
        DestinationNotFound
            When the Admin API knows no such target; nothing was received.
        CaptureError, CaptureDamaged
            When the folder or its ledger cannot be used; nothing was received.
        Refused, Unreachable, BadAnswer
            What ended it early; the same call goes on later.
        """
        _check(unknown, ids)
        if as_name(to, "to") == self.id:
            raise InvalidArgument(f"{to!r} would be moved into itself: receive() its messages and use put_back().")
        if not dry_run:
            await self._connection.permit("move", self.id, confirm)
        operations = await self._connection.operations(rate)
        root = self._folder(operations, via, f"moved-to-{file_stem(to)}")
        if dry_run:
            return await self._plan_of_move(to, root, limit, concurrency, rate)
        wish = Wish("move", unknown, ids, provenance, fifo, holds_recent=True)
        stop = stop_after(limit, empties=empties, timeout=timeout)
        counter = Counter(f"move {self.id} to {to}", total=limit)
        session = self._connection.session
        await check_exists(session, to)
        wish = await settle_wish(session, to, wish)
        ledger = await open_ledger_in(root, session, operations, to)
        run_id = new_run_id()
        with ledger:
            arguments = {"to": to, "limit": limit}
            async with (
                self._connection.run("move", self.id, id=run_id, confirm=confirm, capture=root, arguments=arguments),
                show(counter, progress),
            ):
                # Receiving is held to the rate; what is held must not wait.
                transfer = Transfer(operations.paced(None), self.id, to, ledger, wish, run_id)
                await transfer.begin()
                report = MoveReport(self.id, to, str(root), run_id)
                try:
                    await move_flow.move(
                        operations,
                        self._ask(lock_ttl, polling_time),
                        stop,
                        root,
                        transfer,
                        report,
                        concurrency=calls_at_a_time(concurrency),
                        counter=counter,
                    )
                finally:
                    await ledger.end(run_id, {"ok": report.moved, "unknown": report.unknown, "refused": report.refused})
        return report

    async def put_back(
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
        """Publish messages that are held into this queue afresh, and delete the originals, so that their deliveries count anew.

        For messages on their last delivery, which a return would send to the dead-letter queue. Each is captured first, and
        deleted only when its copy is confirmed and recorded. In a FIFO queue the copy is the last of its message group.

        Parameters
        ----------
        rows : DataFrame, Received or sequence of Message
            What `receive` gave, or a part of it. A frame is published as it is, so repairs count.
        via : path, optional
            Folder of the capture that they go through; default: one of the user's own for this queue.
        dry_run : bool
            Return the plan; nothing is sent.
        unknown, ids, provenance, fifo, confirm
            As in `move`.
        progress : bool

        Returns
        -------
        Report or Plan
            One outcome a row: ``ok``; ``lost_lock`` (published, and the original will come again); ``refused``, ``skipped`` and
            ``unknown`` rows without a copy for certain stay held.

        Raises
        ------
        FrameError
            When a row holds no lock, is of another destination, or cannot be published; nothing was sent.
        CaptureError, CaptureDamaged
            When the folder or its ledger cannot be used; nothing was sent.
        """
        _check(unknown, ids)
        locks = held_rows(rows, self.id)
        messages = _messages(rows)
        if not dry_run:
            await self._connection.permit("put_back", self.id, confirm)
        operations = await self._connection.operations()
        root = self._folder(operations, via, "put-back")
        if dry_run:
            planner = await self._connection.planner(1)
            kinds = [Operation.PUBLISH_BATCH, Operation.ACK_BATCH]
            calls = calls_for(len(locks), calls_per_batch=2)
            return await planner.plan(
                "put_back", self.id, rows=len(locks), calls=calls, kinds=kinds, details={"capture": str(root)}
            )
        keeper = self._connection.keeper
        locks = keeper.known(locks)
        counter = Counter(f"put back into {self.id}", total=len(locks))
        wish = Wish("put_back", unknown, ids, provenance, fifo, holds_recent=True)
        async with (
            self._connection.run("put_back", self.id, confirm=confirm, capture=root) as run,
            show(counter, progress),
        ):
            with keeper.settling(locks):
                report = await put_back_held(
                    self._connection.session,
                    operations,
                    self.id,
                    messages,
                    locks,
                    root,
                    wish,
                    run.id,
                    counter,
                    note=partial(keeper.settled, "ack"),
                )
            run.outcome(report.counts)
        return report

    def _folder(self, operations: Operations, via: str | Path | None, stamp: str) -> Path:
        return Path(via) if via is not None else default_capture_folder(self.id, operations.place.environment, stamp)

    async def _plan_of_move(self, to: str, root: Path, limit: int | None, concurrency: int, rate: Rate | str | None) -> Plan:
        planner = await self._connection.planner(concurrency, rate)
        headroom, depth = await headroom_of(self._connection.session, self.id)
        rows = None if depth is None else depth.messages if limit is None else min(limit, depth.messages)
        return await planner.plan(
            "move",
            self.id,
            rows=rows,
            calls=calls_for(rows, calls_per_batch=3),
            kinds=[Operation.RECEIVE, Operation.PUBLISH_BATCH, Operation.ACK_BATCH],
            looked_up=(headroom, depth),
            details={"to": to, "capture": str(root), "deliveries_spent": rows},
        )


def _messages(rows: Rows) -> Sequence[Message]:
    if isinstance(rows, pd.DataFrame):
        return messages_from_frame(rows, strict=False)
    return rows.messages if isinstance(rows, Received) else rows


def _check(unknown: Unknown, ids: Ids) -> None:
    check_word("unknown", unknown, get_args(Unknown))
    check_word("ids", ids, get_args(Ids))
