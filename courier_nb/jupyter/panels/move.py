"""`MovePanel`: messages from queue to queue, each deleted here only after its copy is confirmed there."""

from __future__ import annotations

from typing import Any

from courier_nb.core.errors import InvalidArgument
from courier_nb.core.printable import plain
from courier_nb.flows.moving.moved import MoveReport
from courier_nb.flows.plans import Plan, messages
from courier_nb.flows.stops import STOPPED
from courier_nb.jupyter.panels.base import ActionPanel
from courier_nb.jupyter.panels.fields import CONCURRENCY, FIFO, IDS, PROVENANCE, RATE, UNKNOWN, Field, fifo_of
from courier_nb.jupyter.panels.recording import Variables
from courier_nb.jupyter.panels.telling import MOVE_WORDS, cost, counted, not_ok, plan_lines
from courier_nb.jupyter.panels.work import Action, Done, Facts, Work
from courier_nb.jupyter.script import call

_NAMES = ("limit", "unknown", "ids", "empties", "timeout", "rate", "concurrency")
_DEFAULTS = {"unknown": "report", "ids": "auto"}


class MovePanel(ActionPanel):
    """Move messages into another queue, with plan, progress, Stop and report.

    Parameters and attributes as in `ActionPanel`; `result` is a `MoveReport`.
    """

    TITLE = "Move"
    FIELDS = (
        Field("to", "text", "To", "Name of the queue or exchange."),
        Field("limit", "number", "At most", "How many messages. Empty: all."),
        RATE,
        Field("via", "text", "Folder", "Of the capture that they go through. Empty: one of your own.", is_advanced=True),
        UNKNOWN,
        IDS,
        PROVENANCE,
        FIFO,
        Field("empties", "number", "Empty answers in a row", "Then it stops. Empty: 3.", is_advanced=True),
        Field("timeout", "duration", "Stop after, in all", is_advanced=True),
        CONCURRENCY,
    )
    ACTIONS = (
        Action("plan", "Show the plan", "move", plan_of="move"),
        Action("move", "Move", "move", asks=True, style="danger"),
    )

    def why_not(self, action: Action) -> str:
        if not self.destination:
            return "pick a destination first."
        return "" if str(self.values["to"]).strip() else "name the queue to move to."

    def work(self, action: str) -> Work:
        reason = self.why_not(self.ACTIONS[1])
        if reason:
            raise InvalidArgument(reason.capitalize())
        here, given = self.destination, self.read()
        keywords = {name: given[name] for name in _NAMES if given[name] not in (None, _DEFAULTS.get(name))}
        if not given["provenance"]:
            keywords["provenance"] = False
        if given["fifo"] is not None:
            keywords["fifo"] = fifo_of(given["fifo"])
        to, via = given["to"], given["via"]
        destination = self.context.inner.destination(here)

        async def look() -> Facts:
            plan = await destination.move(to, via, dry_run=True, **keywords)
            assert isinstance(plan, Plan)  # noqa: S101  # for the type checker
            return Facts(here, plan_lines(plan))

        def run(facts: Facts, confirm: str | None) -> Any:
            return destination.move(to, via, confirm=confirm, **keywords)

        def code(variables: Variables, confirm: str | None, result: MoveReport | None) -> None:
            owner = variables.destination(here)
            now = dict(keywords)
            if result is not None and result.stopped_because == STOPPED:
                variables.add("# Stopped by the user; the same number of messages:")
                now["limit"] = result.received
            variables.add(call(f"{owner}.move", to, *([via] if via else []), **now, confirm=confirm))

        return Work(
            f"move of {here!r} to {to!r}",
            run,
            code,
            _finish,
            look,
            lambda facts: [f"Move {here!r} to {to!r}: each message is deleted here once its copy is confirmed.", *facts.lines],
            "Move",
            if_cut_off=lambda _: "What was not moved comes back. The same move goes on, and publishes nothing twice.",
            destination=here,
        )


def _finish(report: MoveReport) -> Done:
    lines = counted({kind: getattr(report, kind) for kind in MOVE_WORDS}, MOVE_WORDS)
    said = f"{messages(report.moved)} of {report.destination!r} moved to {report.target!r}; {report.stopped_because}."
    every = [*lines, f"Run {report.run}; the capture they went through: {report.path}", cost(report.calls, report.seconds)]
    return Done(plain(said), [plain(line) for line in every], not_ok(report.failed), report.ok)
