"""Operations of the Admin and Stats APIs as rows of a table, and how a request finds its row."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import NamedTuple

from courier_nb.broker.api.ask import Ask
from courier_nb.broker.api.limits import Budget
from courier_nb.broker.api.web import Refusal, Response, decode_name

Handler = Callable[[Ask], Awaitable[Response]]


class Route(NamedTuple):
    """One operation.

    Attributes
    ----------
    method : str
    path : str
        Below the environment or organization; ``{name}`` stands for one part.
    scopes : tuple of str
        A connected app needs one of these; with none of them in the list it needs none.
    budget : Budget
        What its calls are counted against.
    handler : callable
    """

    method: str
    path: str
    scopes: tuple[str, ...]
    budget: Budget
    handler: Handler


class Routes:
    """The operations of one version of an API."""

    def __init__(self, routes: Iterable[Route] = ()) -> None:
        self._routes = [([part for part in route.path.split("/") if part], route) for route in routes]

    def find(self, method: str, path: Sequence[bytes]) -> tuple[Route, dict[str, str]]:
        """Return the operation that a request is for, and what the path names.

        Parameters
        ----------
        method : str
        path : sequence of bytes
            Still percent-encoded.

        Raises
        ------
        Refusal
            404 when there is no such path, 405 when it has no such method.
        """
        found = [(route, named) for pattern, route in self._routes if (named := _named(pattern, path)) is not None]
        for route, named in found:
            if route.method == method:
                return route, {name: decode_name(value) for name, value in named.items()}
        if not found:
            raise Refusal(404, "not found")
        methods = [route.method for route, _ in found]
        raise Refusal(405, f"{method} is not possible here: use {' or '.join(methods)}", allow=methods)


def _named(pattern: Sequence[str], path: Sequence[bytes]) -> dict[str, bytes] | None:
    """Return what the placeholders of a pattern stand for in a path; None when the path does not fit."""
    if len(pattern) != len(path):
        return None
    named = {}
    for expected, part in zip(pattern, path, strict=True):
        if expected.startswith("{") and part:
            named[expected[1:-1]] = part
        elif expected.encode("ascii") != part:
            return None
    return named
