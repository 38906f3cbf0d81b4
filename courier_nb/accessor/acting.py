"""The verbs for the rows of a frame that send something."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import pandas as pd

from courier_nb.accessor.together import Part, one_after_the_other, parts_of, plan_of_several
from courier_nb.blocking.client import Client
from courier_nb.blocking.destination import Destination
from courier_nb.blocking.origins import client_of, permit
from courier_nb.core.rates import Rate
from courier_nb.core.units import Duration
from courier_nb.flows.plans import Plan
from courier_nb.flows.replaying.provenance import Ids
from courier_nb.flows.replaying.wish import Unknown
from courier_nb.flows.reports import Report
from courier_nb.frames.publishable import locks_from_frame

Confirm = str | Sequence[str] | None


class ActingVerbs:
    """Ack, nack, extend, publish and replay."""

    _frame: pd.DataFrame

    def ack(
        self,
        *,
        client: Client | None = None,
        dry_run: bool = False,
        confirm: Confirm = None,
        rate: Rate | str | None = None,
        concurrency: int = 8,
        progress: bool = True,
    ) -> Report | Plan:
        """Delete the messages of these rows for good (operation 3); see `Destination.ack`.

        Parameters
        ----------
        client : Client, optional
            Default: the one that received the rows.
        confirm : str or sequence of str, optional
            The destination's name, which is asked for in production; all their names where the rows come from several.
        dry_run, rate, concurrency, progress
            As in `Destination.ack`.

        Returns
        -------
        Report or Plan
            One outcome a row, in order. Where one of several destinations refuses, its rows are ``refused`` and the others go on.

        Raises
        ------
        FrameError
            When a row holds no lock, or does not say where it came from; nothing was sent.
        InvalidArgument, Closed
            When no client is known for the rows, or it is closed; nothing was sent.
        ReadOnly, ConfirmationNeeded, JournalUnwritable
            When the guards or the journal forbid it; nothing was sent.
        """

        def call(queue: Destination, rows: pd.DataFrame, name: str | None) -> Report | Plan:
            return queue.ack(rows, dry_run=dry_run, confirm=name, rate=rate, concurrency=concurrency, progress=progress)

        return self._settle("ack", call, client, confirm, dry_run)

    def nack(
        self,
        *,
        client: Client | None = None,
        dry_run: bool = False,
        rate: Rate | str | None = None,
        concurrency: int = 8,
        progress: bool = True,
    ) -> Report | Plan:
        """Return the messages of these rows to their queues (operation 5); see `Destination.nack`.

        Parameters, result and errors as in `ack`.
        """

        def call(queue: Destination, rows: pd.DataFrame, name: str | None) -> Report | Plan:
            return queue.nack(rows, dry_run=dry_run, rate=rate, concurrency=concurrency, progress=progress)

        return self._settle("nack", call, client, None, dry_run)

    def extend(
        self,
        lock_ttl: Duration,
        *,
        client: Client | None = None,
        dry_run: bool = False,
        rate: Rate | str | None = None,
        concurrency: int = 8,
        progress: bool = True,
    ) -> Report | Plan:
        """Let the locks of these rows end `lock_ttl` from now (operation 4); see `Destination.extend`.

        Other parameters, result and errors as in `ack`.
        """

        def call(queue: Destination, rows: pd.DataFrame, name: str | None) -> Report | Plan:
            return queue.extend(rows, lock_ttl, dry_run=dry_run, rate=rate, concurrency=concurrency, progress=progress)

        return self._settle("extend", call, client, None, dry_run)

    def publish(
        self,
        to: str,
        *,
        client: Client | None = None,
        dry_run: bool = False,
        confirm: str | None = None,
        strict: bool = True,
        rate: Rate | str | None = None,
        concurrency: int = 8,
        progress: bool = True,
    ) -> Report | Plan:
        """Publish the rows into a destination (operation 2); see `Destination.publish`.

        Parameters
        ----------
        to : str
            Name of the queue or exchange.
        client : Client, optional
            Default: the one that received the rows.
        dry_run, confirm, strict, rate, concurrency, progress
            As in `Destination.publish`, which also says what is returned and raised.
        """
        queue = client_of(self._frame, client).destination(to)
        return queue.publish(
            self._frame,
            dry_run=dry_run,
            confirm=confirm,
            strict=strict,
            rate=rate,
            concurrency=concurrency,
            progress=progress,
        )

    def replay(
        self,
        to: str | None = None,
        *,
        client: Client | None = None,
        dry_run: bool = False,
        unknown: Unknown = "report",
        ids: Ids = "auto",
        provenance: bool = True,
        fifo: bool | None = None,
        ledger: str | Path | None = None,
        strict: bool = True,
        confirm: Confirm = None,
        rate: Rate | str | None = None,
        concurrency: int = 8,
        progress: bool = True,
    ) -> Report | Plan:
        """Publish the rows into the queues that they died in, or all into `to`, each once however often called.

        Parameters
        ----------
        to : str, optional
            Default: for each destination of the rows, the queue whose dead letters go there (Admin API).
        client : Client, optional
            Default: the one that received the rows.
        confirm : str or sequence of str, optional
            The target's name, which is asked for in production; all their names where there are several.
        dry_run, unknown, ids, provenance, fifo, ledger, strict, rate, concurrency, progress
            As in `Destination.replay`, which also says what is raised.

        Returns
        -------
        Replayed, Report or Plan
            One outcome a row, in order; a `Replayed` where there is one target.
        """
        found = client_of(self._frame, client)

        def call(rows: pd.DataFrame, target: str | None, name: Confirm, is_a_plan: bool) -> Report | Plan:
            return found.replay(
                rows,
                to=target,
                dry_run=is_a_plan,
                unknown=unknown,
                ids=ids,
                provenance=provenance,
                fifo=fifo,
                ledger=ledger,
                strict=strict,
                confirm=name if isinstance(name, str) or name is None else ", ".join(name),
                rate=rate,
                concurrency=concurrency,
                progress=progress,
            )

        parts = parts_of(self._frame) if to is None and len(self._frame) else []
        if len(parts) < 2:
            return call(self._frame, to, confirm, dry_run)
        plans = [call(self._rows(part), None, None, True) for part in parts]  # refuses what cannot be replayed before any is sent
        targets = {part.destination: plan.destination for part, plan in zip(parts, plans, strict=True)}
        if dry_run:
            return plan_of_several("replay", [plan for plan in plans if isinstance(plan, Plan)])
        names = {target: _confirmed(confirm, target) for target in targets.values()}
        for target, name in names.items():
            permit(found, "replay", target, name)

        def act(part: Part) -> Report:
            target = targets[part.destination]
            return _report(call(self._rows(part), target, names[target], False))

        return one_after_the_other("replay", parts, act, self._ids)

    def _settle(
        self,
        verb: str,
        call: Callable[[Destination, pd.DataFrame, str | None], Report | Plan],
        client: Client | None,
        confirm: Confirm,
        dry_run: bool,
    ) -> Report | Plan:
        found = client_of(self._frame, client)
        parts = parts_of(self._frame)
        if not parts:
            return Plan(verb, "", rows=0, calls=0) if dry_run else Report(verb, "", ())
        if len(parts) == 1:
            name = parts[0].destination
            return call(found.destination(name), self._frame, _confirmed(confirm, name))
        if dry_run:
            plans = [call(found.destination(part.destination), self._rows(part), None) for part in parts]
            return plan_of_several(verb, [plan for plan in plans if isinstance(plan, Plan)])
        locks_from_frame(self._frame)  # every row is looked at before anything is sent
        for part in parts:
            permit(found, verb, part.destination, _confirmed(confirm, part.destination))

        def act(part: Part) -> Report:
            name = part.destination
            return _report(call(found.destination(name), self._rows(part), _confirmed(confirm, name)))

        return one_after_the_other(verb, parts, act, self._ids)

    def _rows(self, part: Part) -> pd.DataFrame:
        return self._frame.iloc[part.rows]

    def _ids(self, part: Part) -> Iterable[str | None]:
        if "message_id" not in self._frame.columns:
            return [None] * len(part.rows)
        cells = self._frame["message_id"].array.astype(object)
        return [str(cells[row]) if isinstance(cells[row], str) else None for row in part.rows]


def _confirmed(confirm: Confirm, name: str) -> str | None:
    """Return what was typed for a destination: its name, where it is among those given."""
    if confirm is None or isinstance(confirm, str):
        return confirm
    given = list(confirm)
    return name if name in given else ", ".join(map(str, given)) or None


def _report(result: Report | Plan) -> Report:
    if not isinstance(result, Report):
        raise TypeError(f"expected a report, not {type(result).__name__}")
    return result
