"""`ActionPanel`: from the click to the plan, the confirmation, the progress and the report; one way for all panels."""

from __future__ import annotations

import time
from collections.abc import Sequence
from functools import partial
from typing import Any

from courier_nb.blocking.client import Client
from courier_nb.core.clock import Clock
from courier_nb.core.errors import InvalidArgument
from courier_nb.core.guards import DESTRUCTIVE
from courier_nb.core.printable import plain
from courier_nb.core.progress import Counter
from courier_nb.jupyter.panels.confirming import Confirmation, question_of
from courier_nb.jupyter.panels.context import Browser, Context
from courier_nb.jupyter.panels.form import PanelForm
from courier_nb.jupyter.panels.work import Action, Armed, Facts, Work
from courier_nb.jupyter.tasks import BackgroundTask, Ended


class ActionPanel(PanelForm):
    """A form, its actions, and how they went. Not used itself: see the panels that are made of it.

    Parameters
    ----------
    client : Client, optional
        Blocking client; needed where there is no `context`.
    destination : str
        Name of the queue or exchange.
    browser : MessageBrowser, optional
        Table that the panel takes rows from, and fills.
    clock : Clock, optional
        By which a confirmation that nobody gives is withdrawn.
    context : Context, optional
        Shared with other panels, of which only one acts at a time; in place of all the others.

    Attributes
    ----------
    title : str
    destination : str
        What it acts on.
    values : dict
        The fields' values, by name: text, number or bool.
    problems : dict of str to str
        What is wrong with fields, in words.
    stage : {"idle", "looking", "planned", "armed", "running", "done", "failed"}
    said : str
        What was announced last.
    report : dict
        How the last action ended: ``said``, ``lines``, ``rows`` (message id, outcome, reason; the first 50), ``more``, ``ok``.
    result : object
        What the verb returned.

    Raises
    ------
    InvalidArgument
        When there is neither a client nor a context.
    """

    def __init__(
        self,
        client: Client | None = None,
        *,
        destination: str = "",
        browser: Browser | None = None,
        clock: Clock | None = None,
        context: Context | None = None,
    ) -> None:
        self._task: BackgroundTask[Any] | None = None
        self._began = 0.0
        self._changes = 0
        super().__init__(client, destination=destination, browser=browser, clock=clock, context=context)
        self._confirmation = Confirmation(self.context.clock, self._too_late)
        self.context.turns.on_change(self._on_turn)
        self.context.observe(self._on_destination, "destination")
        if self.context.browser is not None:
            self.context.browser.observe(self._on_selection, ["selected_rows", "filter", "query"])
        self._on_turn()

    def set(self, **values: Any) -> None:
        self._something_changed("A field was changed")
        super().set(**values)

    # The front end's messages.

    def _do_set(self, message: dict[str, Any], _: object) -> None:
        self.set(**message.get("values", {}))

    def _do_act(self, message: dict[str, Any], _: object) -> None:
        try:
            self._act(self._action(str(message.get("action"))), message.get("turn"))
        finally:
            self.tell({"tell": "heard"})

    def _do_choose(self, message: dict[str, Any], _: object) -> None:
        armed = self._confirmation.waiting
        if armed is None or message.get("turn") not in (None, armed.number):
            return self.say("This click came too late; nothing was done.")
        self.options[str(message.get("name"))] = bool(message.get("value"))
        try:
            armed.work = self.work(armed.action.name)
        except InvalidArgument as error:  # what is asked for would no longer be what the choice says
            return self._withdraw(f"{error} Nothing was done.")
        self._confirmation.stay()
        return self._ask(armed)

    def _do_stay(self, message: dict[str, Any], _: object) -> None:
        self._confirmation.stay()

    def _do_cancel(self, message: dict[str, Any], _: object) -> None:
        self._withdraw("Not confirmed; nothing was done.")
        if self.stage == "planned":
            self.change(stage="idle", lines=[])

    def _do_confirm(self, message: dict[str, Any], _: object) -> None:
        try:
            self._confirm(message.get("name"), message.get("turn"))
        finally:
            self.tell({"tell": "heard"})

    def _do_stop(self, message: dict[str, Any], _: object) -> None:
        task = self._task
        if task is None or self.stage not in ("looking", "running") or message.get("turn") not in (None, self.turn):
            return self.say("There is nothing to stop any more.")
        if self.stage == "looking":  # it changes nothing, so it may be cut off anywhere
            task.stop()
            task.stop()
            return None
        if not task.is_stopping:
            task.stop()
            self.change(progress={**self.progress, "stopping": True})
            return self.say("Stopping: what is in hand is finished first, and then the report says what was done.")
        if message.get("now"):
            task.stop()
            return self.say("Ending now.")
        return self.say("It is stopping already.")

    # The way of an action.

    def _act(self, action: Action, number: int | None) -> None:
        if number not in (None, self.context.turns.number):
            return self.say("This click came from before the last action began or ended; nothing was done. Click again.")
        reason = self._reason(action)
        if reason:
            return self.say(f"Nothing was done: {reason}")
        self._withdraw("")
        self.options = {}
        self.change(error="", said="")  # what was said of an earlier click is not meant for this one
        work = self.work(action.plan_of or action.name)
        if action.plan_of or action.asks:
            return self._look(action, work, number)
        return self._start(action, work, Facts(self.destination), None, number)

    def _look(self, action: Action, work: Work, number: int | None) -> None:
        """Find out what the action would do, on the background loop; then show it, or ask for confirmation."""

        async def look() -> tuple[Facts, bool]:
            facts = await work.look()
            return facts, action.verb in DESTRUCTIVE and await self.context.needs_name()

        if not self._take(f"looking at what {work.what} would do", number):
            return
        self.change(stage="looking", lines=[], report={}, said="Finding out what it would do …")
        self._begin(look, lambda _: None, partial(self._looked, action, work, self._changes))

    def _looked(self, action: Action, work: Work, changes: int, ended: Ended[tuple[Facts, bool]]) -> None:
        self._give_back()
        if ended.error is not None:
            return self.change(stage="failed", error=plain(f"{self.words_of(ended.error)} Nothing was done yet."), said="")
        if ended.result is None or changes != self._changes:
            why = "Stopped" if ended.result is None else "Something changed meanwhile"
            return self.change(stage="idle", said=f"{why}; nothing was done. Ask again.")
        facts, needs_name = ended.result
        if action.plan_of:
            lines = [plain(line) for line in work.words(facts)]
            self.change(stage="planned", lines=lines, report={}, said="This is the plan; nothing was done.")
            return self.refresh()
        armed = Armed(action, work, facts, needs_name, self.context.turns.number, 0.0)
        with self._turn:  # what changes from here on finds it waiting, and withdraws it
            self._confirmation.ask(armed)
            if changes == self._changes:
                return self._ask(armed)
        return self._withdraw("Something changed meanwhile; nothing was done. Ask again.")

    def _ask(self, armed: Armed) -> None:
        lines = [plain(line) for line in armed.work.words(armed.facts)]
        said = f"Confirm or cancel: {armed.work.what}."
        self.change(stage="armed", lines=lines, question=question_of(armed), report={}, said=plain(said))
        self.refresh()

    def _confirm(self, name: Any, number: int | None) -> None:
        self._confirmation.check()
        armed = self._confirmation.waiting
        if armed is None or number not in (None, armed.number):
            return self.say("This click on Confirm came too late; nothing was done. Ask again.")
        if armed.needs_name and name != armed.facts.destination:
            self._confirmation.stay()
            return self.say(f"Nothing was done: type the name of the destination, {armed.facts.destination!r}, exactly.")
        if self._confirmation.take() is not armed:
            return self.say("Not confirmed in time; nothing was done. Ask again.")
        confirm = armed.facts.destination if armed.needs_name else None
        return self._start(armed.action, armed.work, armed.facts, confirm, armed.number)

    def _start(self, action: Action, work: Work, facts: Facts, confirm: str | None, number: int | None) -> None:
        if not self._take(work.what, number):
            return
        self._began = time.monotonic()
        progress = {
            "what": plain(work.what),
            "done": 0,
            "total": None,
            "unit": "msg",
            "note": "",
            "seconds": 0,
            "stopping": False,
        }
        self.change(stage="running", lines=[], question={}, report={}, progress=progress, said=f"Begun: {plain(work.what)}.")
        self.refresh()
        self._begin(lambda: work.run(facts, confirm), self._tick, partial(self._end, work, facts, confirm))

    def _begin(self, run: Any, tick: Any, end: Any) -> None:
        try:
            self._task = BackgroundTask(run, on_tick=tick, on_end=end)
        except BaseException:
            self._give_back()
            raise

    def _tick(self, counters: Sequence[Counter]) -> None:
        if self.stage != "running":
            return
        found: dict[str, Any] = {}
        for one in counters[-1:]:
            found = {"done": one.done, "total": one.total, "unit": one.unit, "note": plain(one.note)}
        progress = {**self.progress, **found, "seconds": int(time.monotonic() - self._began)}
        if progress != self.progress:
            self.change(progress=progress)

    def _end(self, work: Work, facts: Facts, confirm: str | None, ended: Ended[Any]) -> None:
        """Say how the action ended; on a worker thread."""
        try:
            shown = self._told(work, facts, confirm, ended)
        except Exception as error:  # noqa: BLE001  # what was done was done; only the telling of it failed
            shown = self._trouble(work, facts, error)
        self._give_back()
        self.change(**shown)
        self.refresh()

    def _told(self, work: Work, facts: Facts, confirm: str | None, ended: Ended[Any]) -> dict[str, Any]:
        if ended.error is not None:
            return self._trouble(work, facts, ended.error)
        if ended.is_abandoned:
            cut_off = InvalidArgument(f"{work.what} was ended before it could say what became of everything.")
            return self._trouble(work, facts, cut_off)
        self.result = ended.result
        self._ran = self.context.record(lambda variables: work.code(variables, confirm, ended.result))
        done = work.finish(ended.result)
        return {"stage": "done", "report": done.described(), "said": done.said, "lines": []}

    def _trouble(self, work: Work, facts: Facts, error: BaseException) -> dict[str, Any]:
        """Return what is shown when an action failed: what happened, what was done until then, and what to do."""
        counters = [] if self._task is None else self._task.counters
        words = self.words_of(error)
        if counters:  # it had begun
            done, total = counters[-1].done, counters[-1].total
            words += f" Until then: {done}{f' of {total}' if total else ''} messages. {work.if_cut_off(facts)}"
            self.after_trouble(facts)
        words = plain(words.strip())
        self._ran = self.context.record(lambda variables: variables.add(f"# {plain(work.what)} failed: {words}"))
        return {"stage": "failed", "error": words, "said": "", "lines": []}

    # The turn, the time, and what changes meanwhile.

    def _take(self, what: str, number: int | None) -> bool:
        """Take the turn; where that cannot be, say so and return False."""
        try:
            self.context.turns.take(plain(what), number)
        except InvalidArgument as error:
            self.say(str(error))
            return False
        return True

    def _give_back(self) -> None:
        self._task = None
        self.context.turns.give_back()

    def _on_turn(self) -> None:
        turns = self.context.turns
        armed = self._confirmation.waiting
        if armed is not None and turns.number != armed.number:
            self._withdraw(f"Not confirmed before {turns.busy_with or 'another action'} began; nothing was done.")
        with self._turn:  # turns begin and end on several threads: what is read last is shown last
            self.change(turn=turns.number, busy=turns.busy_with)
        self.refresh()

    def _on_destination(self, change: Any) -> None:
        self._something_changed("Another destination was picked")
        self.change(destination=change["new"])
        self.refresh()

    def _on_selection(self, _: Any) -> None:
        self._something_changed("The selection changed")
        self.refresh()

    def _something_changed(self, what: str) -> None:
        """Withdraw what was asked for before: it was meant for how things stood then."""
        self._changes += 1
        self._withdraw(f"{what}, so nothing was done. Ask again.")

    def _too_late(self) -> None:
        self._withdraw("Not confirmed in time; nothing was done. Ask again.")

    def _withdraw(self, words: str) -> None:
        """Withdraw what waits for its confirmation."""
        with self._turn:
            if self._confirmation.take() is not None:
                self.change(stage="idle", lines=[], question={}, said=plain(words))
