"""The members of a request's body, checked one by one; what is wrong is named with what was expected."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from courier_nb.broker.api.incoming import read_object
from courier_nb.broker.api.values import wrong
from courier_nb.broker.api.web import Refusal, Request
from courier_nb.broker.config.checks import one_of, shortly
from courier_nb.broker.config.switches import Switches

_MAX_BYTES = 1_000_000


class Fields:
    """What a request sent. A member that is null counts as one that was not sent.

    Parameters
    ----------
    content : mapping
    """

    def __init__(self, content: Mapping[str, Any]) -> None:
        self._content = content

    @classmethod
    async def read(cls, request: Request, known: Collection[str], switches: Switches) -> Fields:
        """Read a body, of which nothing is an empty object.

        Parameters
        ----------
        request : Request
        known : collection of str
            The members that there can be; any other is left alone, or refused if a switch says so.
        switches : Switches

        Raises
        ------
        Refusal
            400, or 413 for a body beyond a million bytes.
        """
        body = await request.body(_MAX_BYTES)
        fields = cls(read_object(body) if body.strip() else {})
        fields.check_known(known, switches)
        return fields

    def check_known(self, known: Collection[str], switches: Switches) -> None:
        """Refuse members that there cannot be, if a switch says so."""
        if switches.unknown_parameters == "refuse":
            for name in self._content:
                if name not in known:
                    raise Refusal(400, f"{shortly(name)} is not a known field, expected one of {one_of(known)}.")

    def get(self, name: str) -> Any:
        """Return a member as it was sent, or None."""
        return self._content.get(name)

    def is_null(self, name: str) -> bool:
        """Tell whether a member was sent as null."""
        return name in self._content and self._content[name] is None

    def flag(self, name: str) -> bool | None:
        """Return a member that must be true or false."""
        value = self.get(name)
        if value is not None and type(value) is not bool:
            raise wrong(name, value, "true or false")
        return value

    def whole(self, name: str, low: int, high: int, unit: str = "") -> int | None:
        """Return a member that must be a whole number between two limits, in a unit."""
        value = self.get(name)
        if value is not None and (type(value) is not int or not low <= value <= high):
            raise wrong(name, value, f"a whole number from {low} to {high}{unit and f' ({unit})'}")
        return value

    def text(self, name: str) -> str | None:
        """Return a member that must be a text."""
        value = self.get(name)
        if value is not None and not isinstance(value, str):
            raise wrong(name, value, "a text")
        return value

    def agree(self, name: str, expected: str) -> None:
        """Refuse a member that says something else than the path."""
        if self.get(name) not in (None, expected):
            raise wrong(name, self.get(name), f"{expected!r}, as the path says")
