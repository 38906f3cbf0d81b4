"""What requests to the Admin and Stats APIs say: parameters that must be there, lists, and how a wrong value is refused."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import parse_qsl

from courier_nb.broker.api.web import Refusal, Request
from courier_nb.broker.config.checks import shortly


def wrong(name: str, value: object, expected: str) -> Refusal:
    """Return the refusal of a value: 400 with its name, the value in short, and what was expected."""
    return Refusal(400, f"{name} is {shortly(value)}, expected {expected}.")


def required(query: Mapping[str, str], name: str) -> str:
    """Return a query parameter, or refuse its absence."""
    if name not in query:
        raise Refusal(400, f"{name} is required.")
    return query[name]


def listed(request: Request, name: str) -> list[str]:
    """Return the values of a query parameter that is a list, with commas or given several times."""
    pairs = parse_qsl(request.query_string.decode("latin-1"))
    return [value for key, text in pairs if key == name for value in text.split(",") if value]
