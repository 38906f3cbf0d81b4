"""Which part of a list is wanted: page, beginning of the name, how much of each entry."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple, TypeVar

from courier_nb.broker.api.web import Request, Response, json_response, one_word, whole_number

T = TypeVar("T")

_DEFAULT_LIMIT = 20
_MAX_OFFSET = 10**9


class Page(NamedTuple):
    """A part of a list."""

    offset: int
    limit: int
    prefix: str

    def of(self, entries: Iterable[tuple[str, T]]) -> list[T]:
        """Return the entries of this page, out of pairs of a name and an entry."""
        return [entry for name, entry in entries if name.startswith(self.prefix)][self.offset :][: self.limit]


def read_page(request: Request, longest: int) -> Page:
    """Return the page that a request is for; it may hold up to `longest` entries."""
    query = request.query()
    limit = whole_number(query, "limit", 1, longest, min(_DEFAULT_LIMIT, longest))
    offset = whole_number(query, "offset", 0, _MAX_OFFSET, 0)
    return Page(offset or 0, limit or 0, query.get("startsWith", ""))


def wants_all(request: Request, default: str) -> bool:
    """Tell whether a request is for all of each entry, and not for the least that names it."""
    other = "minimal" if default == "all" else "all"
    return one_word(request.query(), "inclusion", (default, other)) == "all"


def list_response(entries: list[dict[str, Any]]) -> Response:
    """Return a list; an empty one has a status of its own."""
    return json_response(entries) if entries else Response(204)
