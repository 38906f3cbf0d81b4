"""The fields of a panel: described in plain values for the front end, and read back with a reason in words for what is wrong."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from courier_nb.core.errors import CourierError, InvalidArgument
from courier_nb.core.rates import as_rate
from courier_nb.core.units import milliseconds

Kind = Literal["text", "number", "duration", "rate", "choice", "select", "checkbox"]
"""``choice`` shows all its choices with their explanations; ``select`` is a drop-down list."""


@dataclass(frozen=True)
class Field:
    """One field of a form.

    Attributes
    ----------
    name : str
        Usually the argument of the verb that it becomes.
    kind : {"text", "number", "duration", "rate", "choice", "select", "checkbox"}
    label, help : str
    default : str, int or bool
        Its value at the beginning; an empty text leaves the argument out.
    choices : sequence of tuple
        Value, label and explanation of each.
    is_advanced : bool
        Whether it is folded away at first.
    needed : bool
        Whether an empty text is refused.
    shown_for : tuple of str, optional
        Name and value of another field: this one is shown only while that one has the value.
    """

    name: str
    kind: Kind
    label: str
    help: str = ""
    default: str | int | bool = ""
    choices: Sequence[tuple[str, str, str]] = ()
    is_advanced: bool = False
    needed: bool = False
    shown_for: tuple[str, str] | None = None

    def described(self) -> dict[str, Any]:
        """Return the field as the front end draws it."""
        return {
            "name": self.name,
            "kind": self.kind,
            "label": self.label,
            "help": self.help,
            "choices": [{"value": value, "label": label, "help": help_} for value, label, help_ in self.choices],
            "advanced": self.is_advanced,
            "shown_for": list(self.shown_for) if self.shown_for else None,
        }

    def read(self, value: Any) -> Any:
        """Return the value as an argument of the verb; None where it is left empty.

        Raises
        ------
        InvalidArgument
            When it cannot be used, in words.
        """
        if self.kind == "checkbox":
            return bool(value)
        text = str(value).strip()
        if not text:
            if self.needed:
                raise InvalidArgument(f"{self.label}: fill it in.")
            return None
        if self.kind == "number":
            return self._number(text)
        if self.kind in ("choice", "select"):
            if text not in [choice for choice, _, _ in self.choices]:
                raise InvalidArgument(f"{self.label} is {text!r}; choose one of the list.")
            return text
        try:
            if self.kind == "duration":
                milliseconds(text, name=self.label)
            elif self.kind == "rate":
                as_rate(text)
        except CourierError as error:
            raise InvalidArgument(str(error)) from None
        return text

    def _number(self, text: str) -> int:
        if not (text.isascii() and text.isdecimal()) or int(text[:12]) < 1:
            raise InvalidArgument(f"{self.label} is {text[:40]!r}; write a whole number of at least 1.")
        return int(text[:12])


RATE = Field(
    "rate",
    "rate",
    "Rate",
    "At most so fast, such as 100 msg/s, 5 calls/s or 2 MB/s. Empty: as fast as the service allows.",
)
CONCURRENCY = Field("concurrency", "number", "Calls at a time", is_advanced=True)
UNKNOWN = Field(
    "unknown",
    "select",
    "Messages that an earlier run sent without a certain answer",
    default="report",
    choices=[
        ("report", "show them, and send nothing", ""),
        ("resend", "send them again (a standard queue may then hold them twice)", ""),
        ("skip", "take them as arrived", ""),
    ],
    is_advanced=True,
)
IDS = Field(
    "ids",
    "select",
    "Message ids",
    default="auto",
    choices=[
        ("auto", "as the target needs it", ""),
        ("keep", "keep them", ""),
        ("new", "new ones, the same at every repetition", ""),
    ],
    is_advanced=True,
)
PROVENANCE = Field(
    "provenance",
    "checkbox",
    "Say where they came from",
    "Gives each message the properties courier_nb.run, origin_queue, origin_id and attempt.",
    default=True,
    is_advanced=True,
)
FIFO = Field(
    "fifo",
    "select",
    "The target is a FIFO queue",
    default="",
    choices=[("", "ask the Admin API", ""), ("yes", "yes", ""), ("no", "no", "")],
    is_advanced=True,
)


def fifo_of(value: str | None) -> bool | None:
    """Return the field FIFO as the argument of a verb."""
    return None if value is None else value == "yes"
