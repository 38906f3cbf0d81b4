"""Arguments of the wrong type: refused where they come in, by name, before anything is sent."""

from __future__ import annotations

from courier_nb.core.errors import InvalidArgument


def as_name(value: object, argument: str) -> str:
    """Return the name of a destination if it is a text."""
    if not isinstance(value, str):
        raise InvalidArgument(f"{argument} is {value!r}, expected the name of a queue or exchange as text, such as 'orders'.")
    return value


def as_count(value: object, what: str, needed: str = "at least 1 is needed") -> int:
    """Return a whole number of at least 1."""
    if isinstance(value, bool) or not isinstance(value, int):
        raise InvalidArgument(f"{what} is {value!r}, expected a whole number; {needed}.")
    if value < 1:
        raise InvalidArgument(f"{what} is {value}; {needed}.")
    return value
