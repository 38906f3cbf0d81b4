"""What the views of a table ask for, and what they are told."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any

import numpy as np
import orjson
import traitlets

from courier_nb.core.errors import FrameError
from courier_nb.core.printable import plain
from courier_nb.flows.locks.listeners import LockNews
from courier_nb.jupyter.browser import feed, finding
from courier_nb.jupyter.browser.finding import Positions
from courier_nb.jupyter.browser.hearing import rows_by_lock
from courier_nb.jupyter.browser.locks import with_ends
from courier_nb.jupyter.browser.shown import Shown
from courier_nb.jupyter.browser.source import FrameRows
from courier_nb.jupyter.widget import CourierWidget


class TableWidget(CourierWidget):
    """A widget whose views show the rows of `_shown`: they ask for them, and say what they have in sight."""

    query = traitlets.Unicode("").tag(sync=True)
    columns: traitlets.List[str] = traitlets.List(traitlets.Unicode()).tag(sync=True)
    _shown: Shown
    query_error: str

    def _do_rows(self, message: dict[str, Any], _: Sequence[memoryview]) -> None:
        with self._turn:
            rows, version = self._shown.rows, self._shown.version
        only = [str(name) for name in message.get("only", ())]
        chosen = [str(name) for name in message.get("columns", ())] or self.columns
        parts = feed.columns_of(rows, only) if only else feed.rows_from(rows, int(message.get("start", 0)), chosen)

        def tell(part: dict[str, Any], cells: bytes) -> bool:
            if self._shown.version != version:
                return False
            self.tell({**part, "version": version, "now": _now(), "refreshes": self._shown.locks.are_kept}, [cells])
            return True

        feed.send(parts, tell, self.show_error)
        if not only:
            self._tell_marks()
            self._tell_query()

    def _do_query(self, message: dict[str, Any], _: Sequence[memoryview]) -> None:
        self._in_thread(self._try_query, str(message.get("text", "")))

    def _try_query(self, text: str) -> None:
        try:
            self._shown.hits_of(text.strip())  # it may take long: the widget must not wait for it
            self.change(query=text)
        except FrameError as error:
            self.query_error = f"{error} The table shows what it did before."
        self._tell_query()

    def _do_search(self, message: dict[str, Any], _: Sequence[memoryview]) -> None:
        self._in_thread(self._search, str(message.get("text", "")))

    def _search(self, text: str) -> None:
        self._tell_found("bodies", text, finding.rows_with_body(self._shown.rows, text))

    def _in_thread(self, work: Callable[[str], None], text: str) -> None:
        def do() -> None:
            try:
                work(text)
            except Exception as error:  # noqa: BLE001  # the edge of the thread: it is shown under the table
                self.show_error(error)

        threading.Thread(target=do, name="courier_nb search", daemon=True).start()

    def _do_visible(self, message: dict[str, Any], buffers: Sequence[memoryview]) -> None:
        with self._turn:
            if message.get("version") == self._shown.version:
                self._shown.saw(message["by"], None if message.get("all") else np.frombuffer(buffers[0], dtype="<u4"))

    def _do_locks(self, _: dict[str, Any], __: Sequence[memoryview]) -> None:
        """Answer a view that sees locks near their end: they may have been extended since."""
        positions, ends, states = self._shown.locks.now(self._shown.rows.frame)
        if positions:
            self._write_locks(positions, ends)
        for state, rows in states.items():
            self._write_state([row for row in rows if row not in self._shown.marks.states], state)

    def _note_settled(self, news: LockNews) -> None:
        """Show what became of messages that were settled outside of this table."""
        try:
            with self._turn:  # the rows stay the same meanwhile
                found = rows_by_lock(self._shown.rows, news.states)
                for state in sorted(set(news.states.values())):
                    self._write_state([row for row, lock in found if news.states[lock] == state], state)
                extended = [(row, news.ends[lock]) for row, lock in found if lock in news.ends]
                if extended:
                    self._write_locks([row for row, _ in extended], [end for _, end in extended])
        except Exception as error:  # noqa: BLE001  # the edge of the thread: it is shown under the table
            self.show_error(error)

    def _write_state(self, positions: Sequence[int], state: str) -> None:
        with self._turn:
            if not self._shown.marks.set_state(positions, state):
                return
        self._tell_marks()

    def _write_locks(self, positions: Sequence[int], ends: Sequence[datetime]) -> None:
        with self._turn:
            if isinstance(self._shown.rows, FrameRows):
                self._shown.rows = FrameRows(with_ends(self._shown.rows.frame, positions, ends))
        cells = {"rows": positions, "ends": [round(end.timestamp() * 1000) for end in ends]}
        self.tell({"tell": "locks", "version": self._shown.version, "now": _now()}, [orjson.dumps(cells)])

    def _tell_marks(self) -> None:
        with self._turn:
            message = {"tell": "marks", "version": self._shown.version}
            self.tell(message, [self._shown.marks.encoded()])

    def _tell_query(self) -> None:
        self._tell_found("query", self.query, self._shown.query_hits)

    def _tell_found(self, what: str, text: str, hits: Positions | None) -> None:
        message = {"tell": "found", "what": what, "text": text, "version": self._shown.version, "all": hits is None}
        if what == "query":
            message["error"] = plain(self.query_error)
        self.tell(message, [b"" if hits is None else hits.astype("<u4").tobytes()])


def _now() -> int:
    return round(time.time() * 1000)
