"""The message browser: messages as a table that is sorted, filtered and selected from."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import traitlets

from courier_nb.blocking.client import inner_of
from courier_nb.core.messages import Message
from courier_nb.flows.reports import Received
from courier_nb.jupyter.assets import bundle
from courier_nb.jupyter.browser.hearing import Hearing
from courier_nb.jupyter.browser.locks import moments
from courier_nb.jupyter.browser.shown import Shown
from courier_nb.jupyter.browser.source import CaptureRows, Source
from courier_nb.jupyter.browser.views import TableWidget

if TYPE_CHECKING:
    import pandas as pd

    from courier_nb.blocking.client import Client

_ARRANGED_BY = ("filter", "in_bodies", "sort_by", "descending", "columns", "query")


class MessageBrowser(TableWidget):
    """Messages as a table: sorted, filtered, selected by mouse and keyboard; thousands of rows at once.

    Rows are identified by their position (0-based) in `frame`, whatever they are sorted or filtered by. No body, property or lock
    is in the widget's state: the front end asks for what it shows.

    Parameters
    ----------
    source : DataFrame, Received, Capture or path of a capture, optional
        What to show; see `show`.
    client : Client, optional
        Whose locks they are: then the times of locks that it extends by itself stay true, and rows that a cell settles are marked
        as if `mark` and `extend_locks` had been called.
    **traits
        Values of the traits below.

    Attributes
    ----------
    selected_rows : list of int
        Positions of the selected rows, ascending; may be set.
    focus : int or None
        Position of the row that was activated last.
    filter : str
        Only rows of which a shown cell contains this text are shown; upper and lower case are the same.
    in_bodies : bool
        Whether `filter` also looks into whole bodies.
    query : str
        Only rows for which this pandas query holds are shown, such as ``delivery_count > 2 and `prop.source` == "web"``. It must
        judge each row by itself.
    sort_by : str
        Column that the rows are sorted by; empty for the order in which they came.
    descending : bool
    columns : list of str
        Columns shown, in order: those of the frame, and ``state``, ``lock_left``, ``size`` (bytes) and ``preview``. Empty shows
        those that tell one message from another.
    widths : dict of str to int
        Widths of columns in pixels, where somebody has changed them.
    height : int
        Of the rows, in pixels.
    query_error : str
        What was wrong with the query that was typed last; empty when nothing was.
    """

    _esm = bundle(
        "common.js", "table_model.js", "table_store.js", "table_rows.js", "table_header.js", "table_tools.js", "table.js"
    )
    _css = bundle("theme.css", "table.css")

    selected_rows: traitlets.List[int] = traitlets.List()
    focus = traitlets.Int(None, allow_none=True).tag(sync=True)
    filter = traitlets.Unicode("").tag(sync=True)
    in_bodies = traitlets.Bool(False).tag(sync=True)
    sort_by = traitlets.Unicode("").tag(sync=True)
    descending = traitlets.Bool(False).tag(sync=True)
    widths: traitlets.Dict[str, int] = traitlets.Dict(key_trait=traitlets.Unicode(), value_trait=traitlets.Int()).tag(sync=True)
    height = traitlets.Int(380).tag(sync=True)
    # The version of the rows, then the positions: a click on rows that have since been replaced must not select others. What the
    # browser sends is a memoryview, which Bytes would refuse without a word.
    _selected = traitlets.CBytes(b"").tag(sync=True)

    def __init__(self, source: Source | None = None, *, client: Client | None = None, **traits: Any) -> None:
        self._shown = Shown(client)
        self._listeners: list[Callable[[list[int]], None]] = []
        self.query_error = ""
        if source is not None:
            self._shown.open(source)
        super().__init__(**traits)
        self._hearing = Hearing(self._note_settled)
        if client is not None:
            inner_of(client)._connection.keeper.on_settled(self._hearing.hear)

    def show(self, source: Source) -> None:
        """Show other messages in this table.

        Selection, marks, filter and query begin anew; sorting and columns stay.

        Parameters
        ----------
        source : DataFrame, Received, Capture or path of a capture
            Of a capture, only the beginnings of bodies are read.

        Raises
        ------
        InvalidArgument
            When it is none of these, two columns have the same name, or there are more than 500,000 rows.
        CaptureError
            When a path is no capture.
        """
        with self._turn:
            self._shown.open(source)
            self.query_error = ""
            self.change(filter="", query="", focus=None, _selected=self._shown.packed([]))
        self.tell({"tell": "data", "version": self._shown.version, "total": len(self)})

    def append(self, source: pd.DataFrame | Received) -> None:
        """Show more messages below those that are shown; the positions of these do not change."""
        with self._turn:
            self._shown.append(source, self.query)
        self.tell({"tell": "more", "version": self._shown.version, "total": len(self)})
        self._tell_query()

    @property
    def version(self) -> int:
        """Grows whenever other messages are shown: positions of before are then no longer those of the same messages."""
        return self._shown.version

    @property
    def capture(self) -> Path | None:
        """Folder of the capture whose rows are shown; None when they come from elsewhere, or rows were added to them."""
        rows = self._shown.rows
        return rows.path if isinstance(rows, CaptureRows) else None

    def __len__(self) -> int:
        return len(self._shown.rows)

    def __bool__(self) -> bool:
        return True  # a table without rows is a table

    @property
    def frame(self) -> pd.DataFrame:
        """All rows with all columns, bodies included, a copy; of a capture, read when it is first asked for."""
        return self._shown.rows.frame.copy(deep=False)

    @property
    def selected(self) -> pd.DataFrame:
        """The selected rows with all columns, in the order of their positions."""
        return self._shown.rows.take(self.selected_rows)

    @property
    def visible_rows(self) -> list[int]:
        """Positions of the rows that filter and query leave, in the order shown."""
        return self._shown.visible(self._arrangement())

    @property
    def visible(self) -> pd.DataFrame:
        """The rows that filter and query leave with all columns, in the order shown."""
        return self._shown.rows.take(self.visible_rows)

    @property
    def hidden_rows(self) -> list[int]:
        """Positions of the selected rows that filter or query hide."""
        shown = set(self.visible_rows)
        return [row for row in self.selected_rows if row not in shown]

    def select(self, rows: Iterable[int]) -> None:
        """Select these rows (positions) and no others.

        Raises
        ------
        InvalidArgument
            When there is no such row; the selection stays as it was.
        """
        self.change(selected_rows=sorted({int(row) for row in rows}))

    def on_select(self, callback: Callable[[list[int]], None]) -> None:
        """Call `callback` with the positions of the selected rows whenever they change."""
        self._listeners.append(callback)

    def message_of(self, row: int) -> Message:
        """Return the message of a row (position), body and all."""
        return self._shown.rows.message(self._shown.checked([row])[0])

    def body_of(self, row: int) -> str | bytes | None:
        """Return the body of a row (position); None when the broker withheld it."""
        return self.message_of(row).body

    def mark(self, rows: Iterable[int], state: str) -> None:
        """Say what became of the messages of these rows.

        Parameters
        ----------
        rows : iterable of int
            Positions.
        state : str
            A word such as ``acked``, ``returned``, ``lost_lock``, ``refused``, ``unknown``; empty takes it back.
        """
        positions = self._shown.checked(rows)
        self._write_state(positions, state)

    def flag(self, rows: Iterable[int], word: str, *, on: bool = True) -> None:
        """Put a word such as ``edited`` beside the state of these rows (positions), or take it away."""
        positions = self._shown.checked(rows)
        with self._turn:
            self._shown.marks.set_flag(positions, word, on=on)
        self._tell_marks()

    def state_of(self, row: int) -> str:
        """Return the state that `mark` gave a row; empty when none."""
        return self._shown.marks.states.get(row, "")

    def flags_of(self, row: int) -> set[str]:
        """Return the flags of a row."""
        return set(self._shown.marks.flags.get(row, ()))

    def extend_locks(self, rows: Iterable[int], expires: datetime | Sequence[datetime]) -> None:
        """Say until when the locks of these rows (positions) last now: one time for all (UTC), or one for each."""
        positions = self._shown.checked(rows)
        self._write_locks(positions, moments(expires, len(positions)))

    def _arrangement(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in _ARRANGED_BY}

    @traitlets.validate("selected_rows")
    def _check_selection(self, proposal: Any) -> list[int]:
        return sorted(set(self._shown.checked(proposal["value"])))

    @traitlets.observe("selected_rows")
    def _pass_selection_on(self, change: Any) -> None:
        packed = self._shown.packed(change["new"])
        if packed != self._selected:
            self._selected = packed
        for listener in self._listeners:
            try:
                listener(list(change["new"]))
            except Exception as error:  # noqa: BLE001  # the edge: a click has no cell in which it could appear
                self.show_error(error)

    @traitlets.observe("_selected")
    def _take_selection(self, change: Any) -> None:
        rows = self._shown.unpacked(change["new"])
        if rows is None:  # it was meant for rows that are no longer shown
            self._selected = self._shown.packed(self.selected_rows)
        else:
            self.selected_rows = rows

    @traitlets.validate("query")
    def _ask_query(self, proposal: Any) -> str:
        query: str = proposal["value"].strip()
        self._shown.ask(query)
        self.query_error = ""
        return query

    @traitlets.observe("query")
    def _show_query(self, change: Any) -> None:
        self._tell_query()

    def _words(self) -> list[str]:
        seen = self._shown.seen_count(self._arrangement())
        shown = "" if seen is None else f", {seen} shown"
        return [f"Message browser: {len(self)} messages, {len(self.selected_rows)} selected{shown}"]
