"""Undo of a drain: what it deleted is published again, where it was."""

from __future__ import annotations

from typing import Any

from courier_nb.core.errors import InvalidArgument
from courier_nb.core.printable import plain
from courier_nb.flows.plans import Plan
from courier_nb.flows.replaying.replayed import Replayed
from courier_nb.jupyter.panels.context import Context
from courier_nb.jupyter.panels.recording import Variables
from courier_nb.jupyter.panels.telling import cost, not_ok, outcome_lines, plan_lines
from courier_nb.jupyter.panels.work import Action, Done, Facts, Work
from courier_nb.jupyter.script import Name, call

UNDO_PLAN = Action("undo_plan", "Show the plan of undo", "undo", plan_of="undo")
UNDO = Action("undo", "Undo the last drain", "undo", asks=True)


def undo_work(context: Context, run: str, capture: str) -> Work:
    """Return what undoing a drain would do.

    Raises
    ------
    InvalidArgument
        When there is no run to undo.
    """
    if not run:
        raise InvalidArgument("Nothing was drained here yet: there is nothing to undo.")

    async def look() -> Facts:
        plan = await context.inner.undo(run, capture=capture or None, dry_run=True)
        assert isinstance(plan, Plan)  # noqa: S101  # for the type checker
        return Facts(plan.destination, plan_lines(plan))

    def send(facts: Facts, confirm: str | None) -> Any:
        return context.inner.undo(run, capture=capture or None, confirm=confirm)

    def code(variables: Variables, confirm: str | None, result: Any) -> None:
        name = variables.captures.get(capture)
        if name is not None:
            which: Any = Name(f'{name}.runs["run"].iloc[-1]')
            return variables.add(call("client.undo", which, capture=Name(name), confirm=confirm))
        return variables.add(call("client.undo", run, capture=capture or None, confirm=confirm))

    return Work(
        f"undo of the drain {run}",
        send,
        code,
        replayed_done,
        look,
        lambda facts: [f"Publish what run {run} deleted again, into {facts.destination!r}.", *facts.lines],
        "Undo the drain",
        if_cut_off=lambda _: "The ledger knows what was sent: the same undo goes on, and sends nothing twice.",
    )


def replayed_done(report: Replayed) -> Done:
    """Say how a replay or an undo ended."""
    lines = outcome_lines(report.outcomes, "published")
    said = f"{report.verb} into {report.destination!r}: {'; '.join(lines)}."
    every = [*lines, *report.warnings, f"Run {report.run}, attempt {report.attempt}; the ledger: {report.ledger}"]
    every.append(cost(report.calls, report.seconds))
    return Done(plain(said), [plain(line) for line in every], not_ok(report.outcomes), report.ok)
