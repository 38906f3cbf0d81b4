"""What a probe is, and what it says."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from courier_nb.doctor.bench import CLEARING_CALLS, Bench
from courier_nb.doctor.subject import Subject


@dataclass(frozen=True, slots=True)
class Seen:
    """The answer to one question.

    Attributes
    ----------
    answer : str
        Empty when it could not be found out.
    values : tuple
        What the switch may be after this; empty when no value of it says what was seen.
    why : str
        Why it could not be found out.
    """

    answer: str
    values: tuple[Any, ...] = ()
    why: str = ""

    @classmethod
    def nothing(cls, why: object) -> Seen:
        """Return that it could not be found out."""
        return cls("", why=str(why))


Run = Callable[[Bench], Awaitable[tuple[Seen, ...]]]


@dataclass(frozen=True, slots=True)
class Question:
    """What a probe asks.

    Attributes
    ----------
    switch : str or None
        The switch of the local broker that the answer belongs to.
    text : str
    """

    switch: str | None
    text: str


@dataclass(frozen=True, slots=True)
class Probe:
    """One thing to try out.

    Attributes
    ----------
    name : str
    questions : tuple of Question
        In the order in which `run` answers them.
    does : str
        What it does, for the plan.
    calls : int
        Calls that it makes at most, without the clearing up.
    run : callable
    obstacle : callable
        Why it cannot be made with this queue; empty when it can.
    clears : bool
        Whether it leaves something to clear up.
    """

    name: str
    questions: tuple[Question, ...]
    does: str
    calls: int
    run: Run
    obstacle: Callable[[Subject], str]
    clears: bool = True

    @property
    def most_calls(self) -> int:
        """Calls that it makes at most."""
        return self.calls + (CLEARING_CALLS if self.clears else 0)


def is_refusal(status: int | None) -> bool:
    """Whether a status says that the content was not accepted, rather than that something else went wrong."""
    return status in (400, 409, 413, 422)
