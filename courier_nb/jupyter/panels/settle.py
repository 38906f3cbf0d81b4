"""`SettlePanel`: acknowledge, return or extend what is selected in the table, and release all that is held."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

from courier_nb.core.errors import InvalidArgument
from courier_nb.core.messages import Message, Outcome
from courier_nb.core.units import seconds
from courier_nb.flows.guard import Wiring
from courier_nb.flows.locks.holding import HeldRow
from courier_nb.flows.locks.listeners import state_after
from courier_nb.flows.plans import messages
from courier_nb.flows.reports import Report
from courier_nb.flows.stops import STOPPED
from courier_nb.jupyter.panels.base import ActionPanel
from courier_nb.jupyter.panels.fields import CONCURRENCY, RATE, Field
from courier_nb.jupyter.panels.recording import Variables, picked
from courier_nb.jupyter.panels.selection import Selection, selection
from courier_nb.jupyter.panels.telling import cost, not_ok, outcome_lines
from courier_nb.jupyter.panels.work import Action, Done, Facts, Work
from courier_nb.jupyter.script import Name, call

_WORDS = {"ack": "deleted from the queue for good", "nack": "back in the queue", "extend": "extended"}


def _later(_: Facts) -> str:
    return "What had no answer yet may or may not be settled: its lock ends by itself, and what was not deleted comes again."


class SettlePanel(ActionPanel):
    """Ack, nack and extend (operations 3, 5 and 4) of what is selected in the table; release all.

    Parameters and attributes as in `ActionPanel`; `result` is a `Report`.
    """

    TITLE = "Settle"
    FIELDS = (
        Field("lock_ttl", "duration", "Extend by", "From now on, at most 12h.", default="10m", needed=True),
        RATE,
        CONCURRENCY,
    )
    ACTIONS = (
        Action("ack", "Ack: delete", "ack", asks=True, style="danger"),
        Action("nack", "Nack: return", "nack", asks=True, style="main"),
        Action("extend", "Extend locks", "extend"),
        Action("release", "Release all", "nack", asks=True),
    )

    def why_not(self, action: Action) -> str:
        if action.name == "release":
            return "" if self.destination else "pick a destination first."
        browser = self.context.browser
        if browser is None:
            return "there is no table to select rows in."
        return "" if len(browser.selected_rows) else "select rows in the table first."

    def work(self, action: str) -> Work:
        given = self.read()
        keywords = {name: given[name] for name in ("rate", "concurrency") if given[name] is not None}
        if action == "release":
            return self._release()
        chosen = selection(self.context, also_hidden=self.options.get("also_hidden", False))
        destination = self.context.inner.destination(chosen.destination)
        arguments = [given["lock_ttl"]] if action == "extend" else []
        rows = chosen.rows

        def run(facts: Facts, confirm: str | None) -> Any:
            more = {"confirm": confirm} if confirm is not None else {}
            return getattr(destination, action)(rows, *arguments, **keywords, **more)

        def code(variables: Variables, confirm: str | None, result: Report | None) -> None:
            places = _done_places(chosen.places, result)
            if not places:
                return variables.add("# Stopped by the user before the first was settled.")
            owner = variables.destination(chosen.destination)
            expression = Name(picked(variables, chosen.frame, places))
            return variables.add(call(f"{owner}.{action}", expression, *arguments, **keywords, confirm=confirm))

        verb = {"ack": "Delete", "nack": "Return", "extend": "Extend"}[action]
        options = []
        if chosen.hidden:
            label = f"Also the {chosen.hidden} that the filter hides"
            options = [{"name": "also_hidden", "label": label, "value": chosen.takes_hidden}]
        return Work(
            f"{action} of {messages(len(chosen.places))} of {chosen.destination!r}",
            run,
            code,
            partial(self._finish, action, chosen, given["lock_ttl"]),
            partial(self._wiring, chosen.destination),
            lambda facts: [f"{verb} {messages(len(chosen.places))} of {chosen.destination!r}.", *chosen.lines(facts.found)],
            f"{verb} {messages(len(chosen.places))}",
            options,
            _later,
            chosen.destination,
        )

    async def _wiring(self, destination: str) -> Facts:
        return Facts(destination, found=await self.context.connection.guard.wiring(destination))

    def _finish(self, action: str, chosen: Selection, lock_ttl: str, report: Report) -> Done:
        self._mark(chosen, report.outcomes, action)
        if action == "extend" and self.context.browser is not None and chosen.is_shown(self.context):
            places = [place for place, one in zip(chosen.places, report.outcomes, strict=True) if one.kind == "ok"]
            until = datetime.now(UTC) + timedelta(seconds=seconds(lock_ttl) - report.seconds)
            self.context.browser.extend_locks(places, until)
        return self._done(report, action, chosen.left_out if action == "extend" else [])

    def _done(self, report: Report, action: str, more: Sequence[str] = ()) -> Done:
        lines = outcome_lines(report.outcomes, _WORDS[action])
        said = f"{action} of {report.destination!r}: {'; '.join(lines)}."
        return Done(said, [*lines, *more, cost(report.calls, report.seconds)], not_ok(report.outcomes), report.ok)

    def _mark(self, chosen: Selection, outcomes: Sequence[Outcome], action: str) -> None:
        """Tell the table what became of its rows; one of the client's own has heard it already."""
        states: dict[str, list[int]] = {"lost_lock": list(chosen.lost)}
        for place, one in zip(chosen.places, outcomes, strict=True):
            state = state_after(action, one)
            if state is not None:
                states.setdefault(state, []).append(place)
        for state, places in states.items():
            if places and self.context.browser is not None and chosen.is_shown(self.context):
                self.context.browser.mark(places, state)

    # Release all: what the client holds of the destination, selected or not.

    def _release(self) -> Work:
        if not self.destination:
            raise InvalidArgument("Pick a destination first.")
        here = self.destination
        held = self.context.connection.keeper.ours(here)
        takes_last = self.options.get("last_chance", False)
        if not held:
            raise InvalidArgument(f"This client holds nothing of {here!r}.")

        def taken(wiring: Wiring) -> list[HeldRow]:
            """Return what is released; all but those on their last chance, unless the user wants them too."""
            return [row for row in held if takes_last or not wiring.is_last_chance(row.delivery_count)]

        def run(facts: Facts, confirm: str | None) -> Any:
            rows = [_message(row, self.context.connection.keeper.now) for row in taken(facts.found)]
            at_a_time = 1 if facts.found.is_fifo else 8  # the last received first: an earlier one is never passed
            return self.context.inner.destination(here).nack(rows, concurrency=at_a_time)

        def words(facts: Facts) -> list[str]:
            last = len(held) - len([row for row in held if not facts.found.is_last_chance(row.delivery_count)])
            lines = [f"Return {messages(len(taken(facts.found)))} of {here!r} that this client holds, selected or not."]
            kept = "they go to the dead-letter queue" if takes_last else "they stay held until the client closes"
            return [*lines, f"On their last chance: {last}{f' ({kept})' if last else ''}."]

        def code(variables: Variables, confirm: str | None, result: Any) -> None:
            owner = variables.destination(here)
            names = [one.name for one in reversed(variables.taken) if one.destination == here]
            if not names:
                variables.add(f"# Nothing that these steps received of {here!r} is held: it came from elsewhere.")
                return
            variables.add(f"for taken in [{', '.join(names)}]:", "    left = taken.frame()")
            variables.add(f'    left = left[left["message_id"].isin(list({owner}.held()))]')
            if not takes_last:
                variables.add('    left = left[left["deliveries_left"].ne(0).fillna(True)]  # not those on their last chance')
            variables.add(f"    {owner}.nack(left)")

        option = {"name": "last_chance", "label": "Also those on their last chance", "value": takes_last}
        return Work(
            f"release of what is held of {here!r}",
            run,
            code,
            lambda report: self._released(held, report),
            partial(self._wiring, here),
            words,
            "Return them",
            [option],
            _later,
        )

    def _released(self, held: Sequence[HeldRow], report: Report) -> Done:
        browser = self.context.browser
        states = {one.message_id: state_after("nack", one) for one in report.outcomes if one.kind == "ok"}
        gone = {str(row.lock_id): states.get(row.message_id) for row in held if row.ended == "returned"}
        if browser is not None and gone and "lock_id" in browser.frame.columns:
            locks = browser.frame["lock_id"].astype(str).tolist()
            for state in {state for state in gone.values() if state}:
                places = [place for place, lock in enumerate(locks) if gone.get(lock) == state]
                if places:
                    browser.mark(places, state)
        return self._done(report, "nack")


def _message(row: HeldRow, now: float) -> Message:
    held = row.as_held(now)
    headers = {"messageId": held.message_id, "lockId": held.lock_id}
    return Message(None, {}, headers, destination=row.destination, lock_deadline=held.deadline)


def _done_places(places: Sequence[int], report: Report | None) -> list[int]:
    """Return the rows that were tried: all of them, unless the user stopped it."""
    if report is None:
        return list(places)
    tried = [not (one.kind == "skipped" and one.reason.startswith(STOPPED)) for one in report.outcomes]
    return [place for place, was in zip(places, tried, strict=True) if was]
