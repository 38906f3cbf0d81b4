"""What an action is: what it looks up before it asks, what it does, and how it says how it went."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from courier_nb.jupyter.panels.recording import Variables

MOST_ROWS = 50
"""Outcomes of a report that are shown one by one."""


@dataclass(frozen=True)
class Action:
    """A button.

    Attributes
    ----------
    name, label : str
    verb : str
        As the guards know it.
    asks : bool
        Whether it must be confirmed.
    style : {"", "main", "danger"}
    plan_of : str
        Name of the action whose dry run it shows; it does nothing else.
    """

    name: str
    label: str
    verb: str
    asks: bool = False
    style: str = ""
    plan_of: str = ""


@dataclass(frozen=True)
class Facts:
    """What was found out before asking for confirmation.

    Attributes
    ----------
    destination : str
        Whose messages are added or deleted; its name is typed in production.
    lines : sequence of str
        In words.
    found : object
        What the work itself needs of it.
    """

    destination: str
    lines: Sequence[str] = ()
    found: Any = None


@dataclass(frozen=True)
class Done:
    """How an action ended.

    Attributes
    ----------
    said : str
        In one sentence, which is announced.
    lines : sequence of str
    rows : sequence of tuple of str
        Message id, outcome and reason of each message that did not end as asked.
    ok : bool
        Whether all ended as asked.
    offers : sequence of tuple of str
        Name and label of what can be done with the result.
    """

    said: str
    lines: Sequence[str] = ()
    rows: Sequence[tuple[str, str, str]] = ()
    ok: bool = True
    offers: Sequence[tuple[str, str]] = ()

    def described(self) -> dict[str, Any]:
        """Return it as the front end draws it."""
        return {
            "said": self.said,
            "lines": list(self.lines),
            "rows": [list(row) for row in self.rows[:MOST_ROWS]],
            "more": max(0, len(self.rows) - MOST_ROWS),
            "ok": self.ok,
            "offers": [{"name": name, "label": label} for name, label in self.offers],
        }


async def _nothing() -> Facts:
    return Facts("")


@dataclass(frozen=True)
class Work:
    """An action with its fields and its selection: all that was decided when it was clicked.

    Attributes
    ----------
    what : str
        What is done, in words, such as ``drain of 'orders-dlq'``.
    run : callable
        Given the facts and the confirmed name: the awaitable of an async verb.
    code : callable
        Writes the same as Python, given the variables, the confirmed name, and the result (None before it was done).
    finish : callable
        Given the result, on a worker thread: what to say, after the table was told.
    look : callable
        Finds the facts; asks nothing that changes anything.
    words : sequence of str
        What the confirmation says besides the facts.
    confirm : str
        Label of the button that confirms.
    options : sequence of dict
        Checkboxes of the confirmation: ``name``, ``label``, ``value``.
    if_cut_off : callable
        Given the facts: what is to be done when it ends before it can say what became of everything.
    destination : str
        Whose name production wants typed, where that is known before looking.
    """

    what: str
    run: Callable[[Facts, str | None], Awaitable[Any]]
    code: Callable[[Variables, str | None, Any], None]
    finish: Callable[[Any], Done]
    look: Callable[[], Awaitable[Facts]] = _nothing
    words: Callable[[Facts], Sequence[str]] = lambda facts: facts.lines
    confirm: str = "Confirm"
    options: Sequence[dict[str, Any]] = field(default_factory=tuple)
    if_cut_off: Callable[[Facts], str] = lambda facts: ""
    destination: str = ""


@dataclass
class Armed:
    """An action that waits for its confirmation.

    Attributes
    ----------
    action : Action
    work : Work
    facts : Facts
    needs_name : bool
    number : int
        Of the turn in which it was asked for.
    deadline : float
        When it is withdrawn, by the clock of the context (seconds, monotonic).
    """

    action: Action
    work: Work
    facts: Facts
    needs_name: bool
    number: int
    deadline: float
