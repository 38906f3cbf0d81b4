"""The form of a panel: its fields, its buttons, and what is synced with the front end."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import traitlets

from courier_nb.blocking.client import Client
from courier_nb.core.clock import Clock
from courier_nb.core.errors import InvalidArgument
from courier_nb.core.guards import DESTRUCTIVE
from courier_nb.core.printable import plain
from courier_nb.jupyter.assets import bundle
from courier_nb.jupyter.panels.context import Browser, Context
from courier_nb.jupyter.panels.fields import Field
from courier_nb.jupyter.panels.work import Action, Facts, Work
from courier_nb.jupyter.widget import CourierWidget


class PanelForm(CourierWidget):
    """What `ActionPanel` shows and is filled in by; see there for parameters and attributes."""

    _esm = bundle("common.js", "panelparts.js", "panel.js")
    _css = bundle("theme.css", "panel.css")

    TITLE: ClassVar[str] = ""
    FIELDS: ClassVar[Sequence[Field]] = ()
    ACTIONS: ClassVar[Sequence[Action]] = ()

    title = traitlets.Unicode("").tag(sync=True)
    destination = traitlets.Unicode("").tag(sync=True)
    notes: traitlets.List[str] = traitlets.List().tag(sync=True)
    fields: traitlets.List[Any] = traitlets.List().tag(sync=True)
    values = traitlets.Dict().tag(sync=True)
    problems = traitlets.Dict().tag(sync=True)
    actions: traitlets.List[Any] = traitlets.List().tag(sync=True)
    stage = traitlets.Unicode("idle").tag(sync=True)
    lines: traitlets.List[str] = traitlets.List().tag(sync=True)
    question = traitlets.Dict().tag(sync=True)
    progress = traitlets.Dict().tag(sync=True)
    report = traitlets.Dict().tag(sync=True)
    said = traitlets.Unicode("").tag(sync=True)
    turn = traitlets.Int(0).tag(sync=True)
    busy = traitlets.Unicode("").tag(sync=True)

    def __init__(
        self,
        client: Client | None = None,
        *,
        destination: str = "",
        browser: Browser | None = None,
        clock: Clock | None = None,
        context: Context | None = None,
    ) -> None:
        if context is None:
            if client is None:
                raise InvalidArgument(f"{type(self).__name__} needs a client: {type(self).__name__}(client, destination=...).")
            context = Context(client, destination=destination, browser=browser, clock=clock)
        self.context = context
        self.result: Any = None
        self.options: dict[str, bool] = {}
        self._ran = ""
        super().__init__(
            title=self.TITLE,
            fields=[field.described() for field in self.FIELDS],
            values={field.name: field.default for field in self.FIELDS},
            destination=context.destination,
        )

    # What a panel is made of; each says what it does in its own module.

    def work(self, action: str) -> Work:
        """Return what an action would do now.

        Raises
        ------
        InvalidArgument
            When it can do nothing as things stand, in words.
        """
        raise NotImplementedError

    def why_not(self, action: Action) -> str:
        """Return why an action is not possible now, in words; empty when it is."""
        return ""

    def label(self, action: Action) -> str:
        """Return what is written on an action's button."""
        return action.label

    def after_trouble(self, facts: Facts) -> None:
        """Make it easy to go on after an action that failed."""

    def offer(self, name: str) -> str:
        """Do what the report offers, and return in words what was done."""
        raise InvalidArgument(f"{self.TITLE} offers no {name!r}.")

    def code(self, action: str) -> str:
        """Return the Python that does the same as an action would do now.

        Parameters
        ----------
        action : str
            Its name, such as ``drain``.

        Raises
        ------
        InvalidArgument
            When there is no such action, or it can do nothing as things stand.
        """
        chosen = self._action(action)
        work = self.work(chosen.plan_of or chosen.name)
        confirm = self.context.confirm(work.destination) if work.destination and chosen.verb in DESTRUCTIVE else None
        return self.context.write(lambda variables: work.code(variables, confirm, None))

    def set(self, **values: Any) -> None:
        """Fill in fields, by name."""
        unknown = values.keys() - self.values.keys()
        if unknown:
            raise InvalidArgument(f"{min(unknown)!r} is no field here; there are {', '.join(self.values)}.")
        merged = {**self.values, **values}
        problems = {}
        for field in self._fields_of(merged):
            try:
                field.read(merged[field.name])
            except InvalidArgument as error:
                problems[field.name] = plain(str(error))
        self.change(values=merged, problems=problems)
        self.refresh()

    def read(self) -> dict[str, Any]:
        """Return the fields as arguments, None for what is left empty.

        Raises
        ------
        InvalidArgument
        """
        given: dict[str, Any] = dict.fromkeys(self.values)
        given.update((field.name, field.read(self.values[field.name])) for field in self._fields_of(self.values))
        return given

    def refresh(self) -> None:
        """Bring up to date which actions are possible, and why others are not."""
        self.change(
            actions=[
                {
                    "name": one.name,
                    "label": self.label(one),
                    "style": one.style,
                    "plan": bool(one.plan_of),
                    "reason": plain(self._reason(one)),
                }
                for one in self.ACTIONS
            ]
        )

    def say(self, words: str) -> None:
        """Announce something."""
        self.change(said=plain(words))

    def _do_offer(self, message: dict[str, Any], _: object) -> None:
        self.say(f"{self.busy} is under way." if self.busy else self.offer(str(message.get("name"))))

    def _do_code(self, message: dict[str, Any], _: object) -> None:
        name = str(message.get("action"))
        try:
            code, why = (self._ran if name == "ran" else self.code(name)), ""
        except InvalidArgument as error:
            code, why = "", plain(str(error))
        steps = self.context.script.steps
        whole = [self.context.script.head, *steps, *([code] if name != "ran" and code else []), "client.close()"]
        self.tell({"tell": "code", "action": name, "code": code, "why": why, "script": "\n\n".join(whole) + "\n"})

    def _fields_of(self, values: Mapping[str, Any]) -> list[Field]:
        """Return the fields that are shown for these values."""
        return [field for field in self.FIELDS if field.shown_for is None or values[field.shown_for[0]] == field.shown_for[1]]

    def _action(self, name: str) -> Action:
        for action in self.ACTIONS:
            if action.name == name:
                return action
        raise InvalidArgument(f"{self.TITLE} has no action {name!r}; there are {', '.join(one.name for one in self.ACTIONS)}.")

    def _reason(self, action: Action) -> str:
        """Return why an action is not possible now, in words; empty when it is."""
        if self.busy:
            return f"{self.busy} is under way."
        if action.verb in DESTRUCTIVE and not action.plan_of and self.context.client.settings.read_only:
            return f"this connection is read_only, and {action.verb} would {DESTRUCTIVE[action.verb]}."
        if self.problems:
            return str(next(iter(self.problems.values())))
        return self.why_not(action)

    def _words(self) -> list[str]:
        where = f" of {self.destination!r}" if self.destination else ""
        return [f"{self.TITLE}{where}: {self.stage}", *self.report.get("lines", []), *([self.error] if self.error else [])]
