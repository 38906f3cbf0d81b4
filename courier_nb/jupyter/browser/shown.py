"""What one table shows at the moment: its rows, what became of them, and which of them a view has in sight."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from courier_nb.core.errors import InvalidArgument
from courier_nb.flows.reports import Received
from courier_nb.jupyter.browser import feed, finding
from courier_nb.jupyter.browser.finding import Positions
from courier_nb.jupyter.browser.locks import Locks
from courier_nb.jupyter.browser.marks import Marks
from courier_nb.jupyter.browser.source import FrameRows, Rows, Source, open_rows

if TYPE_CHECKING:
    from courier_nb.blocking.client import Client

_U4 = np.dtype("<u4")


class Shown:
    """The rows of a table.

    Parameters
    ----------
    client : Client or None
        Whose locks they are.

    Attributes
    ----------
    rows : Rows
    version : int
        Grows whenever other rows take the place of these: what a view says of earlier ones is not meant for these.
    marks : Marks
    locks : Locks
    query_hits : array of uint32 or None
        Positions that the query leaves; None when there is none.
    """

    def __init__(self, client: Client | None) -> None:
        self.rows: Rows = FrameRows(pd.DataFrame())
        self.version = 1
        self.marks = Marks()
        self.locks = Locks(client)
        self.query_hits: Positions | None = None
        self._answered: tuple[str, Rows, Positions | None] = ("", self.rows, None)
        self._seen: tuple[Mapping[str, Any], Positions] | None = None

    def open(self, source: Source) -> None:
        """Show other rows."""
        self.rows = open_rows(source)
        self.version += 1
        self.marks.clear()
        self.locks.begin(source)
        self.query_hits, self._seen = None, None

    def append(self, source: pd.DataFrame | Received, query: str) -> None:
        """Show more rows behind those that are there."""
        more = open_rows(source)
        start = len(self.rows)
        frames = [frame for frame in (self.rows.frame, more.frame) if len(frame)]
        self.rows = FrameRows(pd.concat(frames, ignore_index=True) if len(frames) > 1 else (frames or [more.frame])[0])
        self.locks.add(source, start)
        self._seen = None
        self.ask(query)

    def ask(self, query: str) -> None:
        """Find the rows for which a pandas query holds.

        Raises
        ------
        FrameError
            When the query is wrong; then everything is as it was.
        """
        self.query_hits = self.hits_of(query)

    def hits_of(self, query: str) -> Positions | None:
        """Return the positions of the rows for which a pandas query holds; None for all. The last answer is remembered."""
        rows, (asked, found_for, hits) = self.rows, self._answered
        if found_for is rows and asked == query:
            return hits
        hits = finding.rows_of_query(rows, query) if query else None
        self._answered = query, rows, hits
        return hits

    def saw(self, by: Mapping[str, Any], positions: Positions | None) -> None:
        """A view says what it shows (None: all), arranged by these values of the table's traits."""
        self._seen = by, np.arange(len(self.rows), dtype=_U4) if positions is None else positions

    def seen_count(self, by: Mapping[str, Any]) -> int | None:
        """Return how many rows a view shows; None when none has said so."""
        return len(self._seen[1]) if self._seen is not None and self._seen[0] == by else None

    def visible(self, by: Mapping[str, Any]) -> list[int]:
        """Return the positions that are shown, in order, when a table is arranged by these values of its traits."""
        seen = self._seen
        positions = seen[1] if seen is not None and seen[0] == by else self._arranged(by)
        found: list[int] = positions.tolist()
        return found

    def checked(self, rows: Iterable[int]) -> list[int]:
        """Return positions as a list.

        Raises
        ------
        InvalidArgument
            When there is no such row.
        """
        positions = [int(row) for row in rows]
        wrong = [row for row in positions if not 0 <= row < len(self.rows)]
        if wrong:
            raise InvalidArgument(f"There is no row {wrong[0]}: the table has {len(self.rows)} rows, and the first is 0.")
        return positions

    def packed(self, rows: Sequence[int]) -> bytes:
        """Return a selection as views send it: the version of the rows, then the positions."""
        return np.array([self.version, *rows], dtype=_U4).tobytes()

    def unpacked(self, selection: bytes) -> list[int] | None:
        """Return the positions of a selection; None when it was meant for rows that are no longer shown."""
        found = np.frombuffer(selection, dtype=_U4) if len(selection) % _U4.itemsize == 0 else np.empty(0, _U4)
        if not len(found) or found[0] != self.version or bool((found[1:] >= len(self.rows)).any()):
            return None
        rows: list[int] = found[1:].tolist()
        return rows

    def _arranged(self, by: Mapping[str, Any]) -> Positions:
        """Filter and sort as a view does."""
        states = self.marks.states
        shown: Positions = np.arange(len(self.rows), dtype=_U4) if self.query_hits is None else self.query_hits
        if by["filter"]:
            columns = by["columns"] or feed.shown_by_default(self.rows)
            hits = finding.rows_with_cell(self.rows, by["filter"], columns, states)
            if by["in_bodies"]:
                hits = np.union1d(hits, finding.rows_with_body(self.rows, by["filter"]))
            shown = np.intersect1d(shown, hits)
        if by["sort_by"]:
            shown = finding.in_order(self.rows, shown, by["sort_by"], descending=by["descending"], states=states)
        return shown
