"""`ReceivePanel`: look at messages, or take them to settle; what it costs is said before."""

from __future__ import annotations

from typing import Any

from courier_nb.core.errors import InvalidArgument
from courier_nb.core.printable import plain
from courier_nb.flows.guard import LookCost
from courier_nb.flows.plans import messages
from courier_nb.flows.reports import Received
from courier_nb.jupyter.panels.base import ActionPanel
from courier_nb.jupyter.panels.context import Browser
from courier_nb.jupyter.panels.fields import CONCURRENCY, RATE, Field
from courier_nb.jupyter.panels.recording import Taken, Variables
from courier_nb.jupyter.panels.telling import cost, not_ok
from courier_nb.jupyter.panels.work import Action, Done, Facts, Work
from courier_nb.jupyter.script import call
from courier_nb.jupyter.tasks import BackgroundTask, Ended

_PEEK, _RECEIVE = ("how", "peek"), ("how", "receive")


class ReceivePanel(ActionPanel):
    """Peek or receive (operation 1), into the table.

    Parameters and attributes as in `ActionPanel`; `result` is a `Received`.
    """

    TITLE = "Receive"
    FIELDS = (
        Field(
            "how",
            "choice",
            "How",
            default="peek",
            choices=[
                ("peek", "Peek", "Look and give back. Spends one delivery of each message; the rows cannot be settled."),
                ("receive", "Receive", "Take and hold. Spends one delivery of each message; locked until you settle them."),
            ],
        ),
        Field("count", "number", "At most", "How many messages.", default="10", needed=True),
        Field("lock_ttl", "duration", "Lock time", "How long the others do not see them; it is extended while they are held."),
        Field("add", "checkbox", "Add to the rows in the table"),
        Field(
            "last_chance",
            "select",
            "Messages on their last delivery",
            "A return would send them to the dead-letter queue.",
            default="hold",
            choices=[
                ("hold", "hold them until the client closes, then put them back whole", ""),
                ("put_back", "put them back whole at once", ""),
                ("return", "return them, to the dead-letter queue", ""),
            ],
            is_advanced=True,
            shown_for=_PEEK,
        ),
        Field(
            "confirm",
            "text",
            "Name of the destination",
            "In production: typing it allows that messages on their last delivery are put back whole.",
            is_advanced=True,
            shown_for=_PEEK,
        ),
        Field("hold", "duration", "Give back after", "Empty: 1h.", is_advanced=True, shown_for=_RECEIVE),
        RATE,
        CONCURRENCY,
    )
    ACTIONS = (Action("receive", "Receive", "receive", style="main"),)

    def __init__(self, *args: Any, **keywords: Any) -> None:
        self._asked: tuple[str, int] | None = None
        super().__init__(*args, **keywords)
        self.observe(self._show_cost, ["destination", "values"])
        self._show_cost()

    def label(self, action: Action) -> str:
        return "Peek" if self.values["how"] == "peek" else "Receive"

    def why_not(self, action: Action) -> str:
        return "" if self.destination else "pick a destination first."

    def work(self, action: str) -> Work:
        if not self.destination:
            raise InvalidArgument("Pick a destination first.")
        given = self.read()
        verb, count, adds, here = given["how"], given["count"], given["add"], self.destination
        names = ["lock_ttl", "rate", "concurrency", *(["last_chance", "confirm"] if verb == "peek" else ["hold"])]
        keywords = {name: given[name] for name in names if given[name] is not None}
        if keywords.get("last_chance") == "hold":
            del keywords["last_chance"]
        destination = self.context.inner.destination(here)

        def run(facts: Facts, confirm: str | None) -> Any:
            method = destination.peek if verb == "peek" else destination.receive
            return method(count, **keywords)

        def code(variables: Variables, confirm: str | None, result: Any) -> None:
            owner = variables.destination(here)
            name = variables.new("received")
            variables.add(f"{name} = {call(f'{owner}.{verb}', count, **keywords)}")
            variables.taken.append(Taken(name, here))
            if adds and variables.rows:
                pandas = variables.need("pandas", "pd")
                variables.show(f"{pandas}.concat([rows, {name}.frame()], ignore_index=True)")
            else:
                variables.show(f"{name}.frame()")

        return Work(
            f"{verb} of {here!r}",
            run,
            code,
            lambda result: self._finish(result, adds),
            if_cut_off=lambda _: "What was received goes back to the queue, at the latest when its lock ends.",
        )

    def _finish(self, received: Received, adds: bool) -> Done:
        browser = self.context.browser
        left = 0
        if browser is not None:
            if adds and len(browser):
                browser.append(received)
            else:
                left = self._held_in(browser)
                browser.show(received)
            self.context.shown()
        done = "looked at, and given back" if received.verb == "peek" else "received, and locked for you"
        said = f"{messages(len(received.messages))} {done}; {received.stopped_because}."
        lines = [*received.notes, cost(received.calls, received.seconds)]
        if left:
            lines.append(
                f"{messages(left)} that the table showed before: still held, their locks extended. Settle them, or Release all."
            )
        if received.ghost_receives:
            lines.append(f"{received.ghost_receives} calls had no answer: each may have locked up to ten messages for a while.")
        return Done(plain(said), [plain(line) for line in lines], not_ok(received.outcomes), received.ok)

    def _held_in(self, browser: Browser) -> int:
        """Return how many rows of the table the client still holds."""
        if "lock_id" not in browser.frame.columns:
            return 0
        keeper = self.context.connection.keeper
        held = {row.lock_id for name in self.context.client.held().destinations for row in keeper.ours(name)}
        return sum(str(lock) in held for lock in browser.frame["lock_id"])

    def _show_cost(self, _: Any = None) -> None:
        """Ask what it would cost, which is free, beside everything else."""
        try:
            count = self.read()["count"]
        except InvalidArgument:
            return
        asked = (self.destination, count)
        if asked == self._asked:
            return
        self._asked = asked
        if not self.destination:
            self.change(notes=[])
            return
        destination = self.context.inner.destination(self.destination)
        BackgroundTask(
            lambda: destination.look_cost(count), on_tick=lambda _: None, on_end=lambda ended: self._tell_cost(asked, ended)
        )

    def _tell_cost(self, asked: tuple[str, int], ended: Ended[LookCost]) -> None:
        if asked != self._asked:
            return
        if ended.result is not None:
            notes = list(ended.result.notes)
        else:
            notes = [f"What it costs is not known: {self.words_of(ended.error) if ended.error else 'the question was cut off.'}"]
        self.change(notes=[plain(note) for note in notes])
