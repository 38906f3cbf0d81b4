"""`DrainPanel`: messages into a capture on disk, each deleted from the queue only after that."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

from courier_nb.core.errors import CourierError, InvalidArgument
from courier_nb.core.printable import plain
from courier_nb.core.runs import new_run_id
from courier_nb.flows.plans import Plan, messages
from courier_nb.flows.reports import DrainReport
from courier_nb.flows.stops import STOPPED
from courier_nb.jupyter.panels.base import ActionPanel
from courier_nb.jupyter.panels.fields import CONCURRENCY, RATE, Field
from courier_nb.jupyter.panels.recording import Variables
from courier_nb.jupyter.panels.telling import DRAIN_WORDS, cost, counted, plan_lines
from courier_nb.jupyter.panels.undoing import UNDO, UNDO_PLAN, undo_work
from courier_nb.jupyter.panels.work import Action, Done, Facts, Work
from courier_nb.jupyter.script import call
from courier_nb.storage.capture import Capture

_NAMES = ("limit", "lock_ttl", "empties", "idle", "timeout", "rate", "concurrency")


class DrainPanel(ActionPanel):
    """Drain into Parquet, with plan, progress, Stop and report; undo.

    Parameters and attributes as in `ActionPanel`; `result` is a `Capture`.
    """

    TITLE = "Drain"
    FIELDS = (
        Field("to", "text", "Folder", "Of the capture: a new one, or one to go on with. Empty: a new folder of your own."),
        Field("limit", "number", "At most", "How many messages. Empty: all."),
        RATE,
        Field("empties", "number", "Empty answers in a row", "Then it stops. Empty: 3.", is_advanced=True),
        Field("idle", "duration", "Stop after no message for", is_advanced=True),
        Field("timeout", "duration", "Stop after, in all", is_advanced=True),
        Field("lock_ttl", "duration", "Lock time", "After a crash, messages in hand come back after this.", is_advanced=True),
        CONCURRENCY,
    )
    ACTIONS = (
        Action("plan", "Show the plan", "drain", plan_of="drain"),
        Action("drain", "Drain", "drain", asks=True, style="danger"),
        UNDO_PLAN,
        UNDO,
    )

    def __init__(self, *args: Any, **keywords: Any) -> None:
        self._filled_in = ""
        self._before = ""
        """Comes before the run of the last drain, as runs are named by the time."""
        super().__init__(*args, **keywords)

    def why_not(self, action: Action) -> str:
        if "undo" in (action.name, action.plan_of):
            return "" if self.context.last_drain else "nothing was drained here yet."
        return "" if self.destination else "pick a destination first."

    def work(self, action: str) -> Work:
        if action == "undo":
            return undo_work(self.context, self.context.last_drain, self.context.capture)
        if not self.destination:
            raise InvalidArgument("Pick a destination first.")
        here, given = self.destination, self.read()
        keywords = {name: given[name] for name in _NAMES if given[name] is not None}
        to = given["to"]
        destination = self.context.inner.destination(here)

        async def look() -> Facts:
            plan = await destination.drain(to, dry_run=True, **keywords)
            assert isinstance(plan, Plan)  # noqa: S101  # for the type checker
            return Facts(here, plan_lines(plan), found=str(plan.details["capture"]))

        def run(facts: Facts, confirm: str | None) -> Any:
            self._before = new_run_id()
            return destination.drain(facts.found, confirm=confirm, **keywords)

        def code(variables: Variables, confirm: str | None, result: Capture | None) -> None:
            owner = variables.destination(here)
            name = variables.new("capture")
            now = dict(keywords)
            if result is not None and result.report.stopped_because == STOPPED:
                variables.add("# Stopped by the user; the same number of messages:")
                now["limit"] = result.report.received
            variables.add(f"{name} = {call(f'{owner}.drain', *([to] if to else []), **now, confirm=confirm)}")
            if result is not None:
                variables.captures[str(result.path)] = name

        return Work(
            f"drain of {here!r}",
            run,
            code,
            self._finish,
            look,
            lambda facts: [f"Drain {here!r}: each message is deleted from the queue once it is on disk.", *facts.lines],
            "Drain",
            if_cut_off=lambda facts: (
                f"What was deleted is in the capture {facts.found}; the rest comes back. The same drain into that folder goes on."
            ),
            destination=here,
        )

    def _finish(self, capture: Capture) -> Done:
        report: DrainReport = capture.report
        runs = capture.runs["run"]
        self.context.set(capture=str(capture.path), last_drain=str(runs.iloc[-1]) if report.received and len(runs) else "")
        lines = counted({kind: getattr(report, kind) for kind in DRAIN_WORDS}, DRAIN_WORDS)
        said = f"{messages(report.received)} of {report.destination!r} drained; {report.stopped_because}."
        where = f"The capture: {capture.path}"
        if report.recovered:
            lines.append(f"{report.recovered} that an earlier, killed run had written were taken over.")
        if report.ghost_receives:
            lines.append(f"{report.ghost_receives} calls had no answer: each may have locked up to ten messages for a while.")
        offers = [("show", "Show in the table")] if self.context.browser is not None else []
        every = [*lines, where, cost(report.calls, report.seconds)]
        return Done(plain(said), [plain(line) for line in every], ok=report.ok, offers=offers)

    def after_trouble(self, facts: Facts) -> None:
        if not facts.found:
            return
        new = [run for run in _runs_of(facts.found) if run > self._before]
        if new:
            self.context.set(capture=facts.found, last_drain=new[-1])
        if facts.destination == self.destination:  # not where another queue was picked meanwhile
            self._filled_in = facts.found
            self.set(to=facts.found)

    def _on_destination(self, change: Any) -> None:
        super()._on_destination(change)
        if self._filled_in and self.values["to"] == self._filled_in:  # it is of the queue of before
            self.set(to="")

    def offer(self, name: str) -> str:
        if name != "show" or self.context.browser is None or not isinstance(self.result, Capture):
            return super().offer(name)
        capture = self.result
        self.context.browser.show(capture)

        def code(variables: Variables) -> None:
            variables.show(f"{variables.capture(str(capture.path))}.frame()")

        self.context.record(code)
        self.context.shown()
        return f"The table shows the capture: {messages(len(capture))}."


def _runs_of(folder: str) -> list[str]:
    """Return the runs that a capture holds messages of, in their order; none when it is no capture, or cannot be read."""
    with suppress(CourierError, OSError):
        return [str(run) for run in Capture(folder).runs["run"]]
    return []
