"""`ReplayPanel`: messages of the table or of a capture, published again, each once however often it is begun."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd

from courier_nb.core.errors import InvalidArgument
from courier_nb.core.printable import plain
from courier_nb.flows.plans import Plan
from courier_nb.flows.replaying.replayed import Replayed
from courier_nb.flows.stops import STOPPED
from courier_nb.jupyter.panels.base import ActionPanel
from courier_nb.jupyter.panels.fields import CONCURRENCY, FIFO, IDS, PROVENANCE, RATE, UNKNOWN, Field, fifo_of
from courier_nb.jupyter.panels.originals import REPLAYED, confirmed, done_before, originals, said_of
from courier_nb.jupyter.panels.recording import Variables, picked
from courier_nb.jupyter.panels.telling import plan_lines
from courier_nb.jupyter.panels.undoing import UNDO, UNDO_PLAN, replayed_done, undo_work
from courier_nb.jupyter.panels.work import Action, Done, Facts, Work
from courier_nb.jupyter.script import Name, call

_NAMES = ("unknown", "ids", "rate", "concurrency")
_DEFAULTS = {"unknown": "report", "ids": "auto"}
_SelectedSource = tuple[pd.DataFrame | str, str, Callable[[Variables], str], Sequence[int]]


class ReplayPanel(ActionPanel):
    """Replay with plan, progress, Stop, report and ledger; undo of the last drain.

    Parameters and attributes as in `ActionPanel`; `result` is a `Replayed`.
    """

    TITLE = "Replay"
    FIELDS = (
        Field(
            "source",
            "choice",
            "What",
            default="selected",
            choices=[
                ("selected", "Selected rows", "of the table that the filter does not hide, with the edits made to them."),
                ("shown", "All rows of the table", "hidden ones too, with the edits made to them."),
                ("capture", "A capture", "all messages of a folder that a drain made."),
            ],
        ),
        Field("folder", "text", "Folder of the capture", needed=True, shown_for=("source", "capture")),
        Field("to", "text", "Into", "Empty: the queue whose dead letters they are (Admin API)."),
        RATE,
        UNKNOWN,
        IDS,
        PROVENANCE,
        FIFO,
        CONCURRENCY,
    )
    ACTIONS = (
        Action("plan", "Show the plan", "replay", plan_of="replay"),
        Action("replay", "Replay", "replay", asks=True, style="main"),
        UNDO_PLAN,
        UNDO,
    )

    def __init__(self, *args: Any, **keywords: Any) -> None:
        self._offered = ""
        super().__init__(*args, **keywords)
        self.context.observe(self._on_capture, ["capture", "last_drain"])
        self._on_capture(None)

    def why_not(self, action: Action) -> str:
        if "undo" in (action.name, action.plan_of):
            return "" if self.context.last_drain else "nothing was drained here yet."
        source, browser = self.values["source"], self.context.browser
        if source == "capture":
            return "" if str(self.values["folder"]).strip() else "name the folder of the capture."
        if browser is None:
            return "there is no table: choose a capture."
        if source == "selected":
            return "" if len(browser.selected_rows) else "select rows in the table first."
        return "" if len(browser) else "the table is empty."

    def work(self, action: str) -> Work:
        if action == "undo":
            return undo_work(self.context, self.context.last_drain, self.context.capture)
        reason = self.why_not(self.ACTIONS[1])
        if reason:
            raise InvalidArgument(reason.capitalize())
        given = self.read()
        keywords = {name: given[name] for name in _NAMES if given[name] not in (None, _DEFAULTS.get(name))}
        if not given["provenance"]:
            keywords["provenance"] = False
        if given["fifo"] is not None:
            keywords["fifo"] = fifo_of(given["fifo"])
        to, client = given["to"], self.context.inner
        source, what, write, places = self._source(given)
        browser = self.context.browser
        before = done_before(browser, places) if browser is not None else []

        async def look() -> Facts:
            plan = await client.replay(source, to=to, dry_run=True, **keywords)
            assert isinstance(plan, Plan)  # noqa: S101  # for the type checker
            return Facts(plan.destination, plan_lines(plan))

        def run(facts: Facts, confirm: str | None) -> Any:
            return client.replay(source, to=facts.destination, confirm=confirm, **keywords)

        def code(variables: Variables, confirm: str | None, result: Replayed | None) -> None:
            stopped = [one for one in result.outcomes if one.reason.startswith(STOPPED)] if result is not None else []
            if result is not None and stopped:
                sent = len(result) - len(stopped)
                variables.add(f"# Stopped by the user after {sent} of {len(result)}; this sends the others too, and none twice:")
            expression = Name(write(variables))
            variables.add(call("client.replay", expression, to=to, **keywords, confirm=confirm))

        return Work(
            f"replay of {what}",
            run,
            code,
            partial(self._finish, places, self.context.version),
            look,
            lambda facts: [f"Replay {what} into {facts.destination!r}.", *before, *facts.lines],
            "Replay",
            if_cut_off=lambda _: "The ledger knows what was sent: the same replay goes on, and sends nothing twice.",
            destination=to or "",
        )

    def _source(self, given: dict[str, Any]) -> _SelectedSource:
        """Return what is replayed, in words, what writes it as Python, and which rows of the table it is."""
        browser = self.context.browser
        if given["source"] == "capture" or browser is None:
            folder = str(Path(given["folder"]).expanduser())
            return folder, f"the capture {folder}", lambda variables: variables.captures.get(folder) or repr(folder), []
        hidden = 0
        places = list(range(len(browser)))
        rows = browser.frame if given["source"] == "shown" else browser.selected
        if given["source"] == "selected":
            visible = set(browser.visible_rows)
            seen = [place in visible for place in browser.selected_rows]
            places = [place for place, is_seen in zip(browser.selected_rows, seen, strict=True) if is_seen]
            rows = rows[seen]
            hidden = len(browser.selected_rows) - len(places)
            if not places:
                raise InvalidArgument("All selected rows are hidden by the filter. Select rows that you see.")
        viewer = self.context.viewer
        is_edited = viewer is not None and bool(viewer.edited_rows)
        edited = viewer.edited_frame(rows) if viewer is not None and is_edited else rows
        edits = viewer.edit_code("repaired") if viewer is not None and is_edited else ""

        def write(variables: Variables) -> str:
            expression = picked(variables, browser.frame, places)
            if not edits:
                return expression
            if "pd." in edits:
                variables.need("pandas", "pd")
            variables.add(f"repaired = {expression}", edits)
            return "repaired"

        return edited, f"{said_of(len(rows), hidden)}{', with edits' if edits else ''}", write, places

    def _finish(self, places: Sequence[int], version: int, report: Replayed) -> Done:
        done, browser = replayed_done(report), self.context.browser
        if browser is None or not places or self.context.version != version:  # other rows are shown by now
            return done
        arrived = confirmed(report, places)
        browser.flag(arrived, REPLAYED)
        *told, run, cost = done.lines
        return replace(done, lines=[*told, *map(plain, originals(browser, arrived)), run, cost])

    def _on_capture(self, _: Any) -> None:
        if self.values["folder"] in ("", self._offered):  # not one that somebody typed
            self.set(folder=self.context.capture)
            self._offered = self.context.capture
        self.refresh()
