"""The viewer of one message: headers, properties, and the body on demand."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any, cast

import pandas as pd
import traitlets

from courier_nb.core.errors import InvalidArgument
from courier_nb.core.messages import Message
from courier_nb.core.printable import plain
from courier_nb.jupyter.assets import bundle
from courier_nb.jupyter.bodies import answers, details, edits, forms, jsontext
from courier_nb.jupyter.bodies import compare as comparing
from courier_nb.jupyter.bodies.edits import Edit
from courier_nb.jupyter.bodies.naming import file_name
from courier_nb.jupyter.bodies.source import OwnMessages, RowSource
from courier_nb.jupyter.widget import CourierWidget

SCRIPTS = (
    "common.js",
    "bodies_logic.js",
    "bodies_tree.js",
    "bodies_forms.js",
    "bodies_details.js",
    "bodies_edit.js",
    "bodies_compare.js",
    "bodies.js",
)


_FOLLOWED = ["focus", "selected_rows"]


class BodyViewer(CourierWidget):
    """Shows one message, or two side by side; edits are kept in Python until somebody replays them.

    A body goes to the page when it is looked at, 256 kB at a time, and is neither in the widget's state nor in a saved notebook.

    Parameters
    ----------
    source : MessageBrowser, Message, or None
        The table whose row is shown, or one message.

    Attributes
    ----------
    row : int or None
        The row that is shown, from 0.
    pair : tuple of int
        The two rows that are compared; empty when none are.
    form : str
        ``auto`` (by content type and by looking), ``json``, ``xml``, ``csv``, ``text``, ``hex`` or ``raw``.

    Raises
    ------
    InvalidArgument
        When `source` is neither.

    Notes
    -----
    Nothing here calls the service.
    """

    _esm = bundle(*SCRIPTS)
    _css = bundle("theme.css", "bodies.css")

    row = traitlets.Int(None, allow_none=True).tag(sync=True)
    pair = traitlets.Tuple(()).tag(sync=True)
    form = traitlets.Enum(["auto", *forms.FORMS], "auto").tag(sync=True)
    edited_rows = traitlets.List(traitlets.Int()).tag(sync=True)
    _chosen = traitlets.Int(0).tag(sync=True)
    _is_alone = traitlets.Bool(False).tag(sync=True)
    _version = traitlets.Int(0).tag(sync=True)

    def __init__(self, source: RowSource | Message | None = None, **traits: Any) -> None:
        self._edits: dict[int, Edit] = {}
        self._listeners: list[Callable[[int, Message | None], None]] = []
        self._table: RowSource | None = None
        self._own = OwnMessages([])
        super().__init__(**traits)
        if isinstance(source, Message):
            self.show(source)
        elif isinstance(source, RowSource):
            self._table = source
            source.observe(self._follow, _FOLLOWED)
            self._follow(None)
        elif source is not None:
            raise InvalidArgument(f"A BodyViewer shows a MessageBrowser's row or a Message, not {type(source).__name__}.")
        else:
            self._is_alone = True

    def show(self, what: Message | int) -> None:
        """Show a message, or a row of the table."""
        row = self._rows_of(what)[0]
        self.change(row=row, pair=(), _version=self._version + 1, error="")

    def compare(self, one: Message | int, other: Message | int) -> list[comparing.Part]:
        """Show two messages, or rows of the table, with their differences; return these."""
        rows = self._rows_of(one, other)
        parts = comparing.compare(self.message(rows[0]), self.message(rows[1]))
        self.change(pair=rows, _version=self._version + 1, error="")
        return parts

    def message(self, row: int | None = None) -> Message:
        """Return the message of a row, as it was edited; by default of the row that is shown."""
        row = self._shown_row(row)
        edit = self._edit_of(row)
        return self._original(row) if edit is None else edit.after

    @property
    def edits(self) -> dict[int, Message]:
        """The edited messages by row, a copy; without those of messages that the table no longer shows."""
        return {row: edit.after for row, edit in self._current().items()}

    def on_edit(self, callback: Callable[[int, Message | None], None]) -> None:
        """Call ``callback(row, message)`` after each edit, with None when it was undone."""
        self._listeners.append(callback)

    def edit(self, row: int | None = None, *, body: str | None = None, properties: Mapping[str, Any] | None = None) -> Message:
        """Keep another body or other properties for a row; nothing is sent.

        Parameters
        ----------
        row : int, optional
            By default the row that is shown.
        body : str, optional
        properties : mapping, optional
            All properties of the message, with their values as they are to be sent.

        Returns
        -------
        Message
            As edited.

        Raises
        ------
        InvalidArgument
        """
        row = self._shown_row(row)
        before = self._original(row)
        made = edits.edited(before, self.message(row), body, properties)
        if not (made.is_body_changed or made.properties or made.removed):
            self.undo_edit(row)
            return before
        self._edits[row] = edits.labelled(made, row, self._table)
        self._edits_changed(row, made.after)
        return made.after

    def undo_edit(self, row: int | None = None) -> None:
        """Forget the edit of a row, by default of the one that is shown."""
        row = self._shown_row(row)
        if self._edits.pop(row, None) is not None:
            self._edits_changed(row, None)

    def edited_frame(self, frame: pd.DataFrame) -> pd.DataFrame:
        """Return a copy of a frame of these messages with the edits in it, ready for ``replay`` or ``publish``.

        An edited row is found by its ``message_id`` and the body that it had, so that any part of the table's frame will do.
        """
        return edits.apply(frame, self._current())

    def edit_code(self, rows_name: str = "rows") -> str:
        """Return Python that makes the same edits to the frame `rows_name`. It holds the new bodies and properties.

        Rows are found by ``message_id``; where two have the same one, both get the edit.
        """
        return edits.code(self._current(), rows_name)

    def close(self) -> None:
        """Close the widget; edits can still be read."""
        if self._table is not None and self.comm is not None:
            self._table.unobserve(self._follow, _FOLLOWED)
        super().close()

    def _words(self) -> list[str]:
        shown = "no message chosen" if self.row is None else f"row {self.row}"
        return [f"BodyViewer: {shown}, {len(self._edits)} edited"]

    def _follow(self, _: object) -> None:
        if self._table is not None:
            self.change(row=self._table.focus, pair=(), _chosen=len(list(self._table.selected_rows)), _is_alone=False)

    def _rows_of(self, *what: Message | int) -> tuple[int, ...]:
        messages = [item for item in what if isinstance(item, Message)]
        if len(messages) == len(what):
            if self._table is not None:
                self._table.unobserve(self._follow, _FOLLOWED)
            self._table, self._own = None, OwnMessages(messages)
            self._edits = {}
            self.change(_is_alone=True, edited_rows=[])
            return tuple(range(len(messages)))
        rows = tuple(item for item in what if isinstance(item, int))
        if len(rows) != len(what):
            raise InvalidArgument("Either rows of the table or messages are shown, not one of each.")
        for row in rows:
            self._original(row)
        return rows

    def _shown_row(self, row: int | None) -> int:
        row = self.row if row is None else row
        if row is None:
            raise InvalidArgument("No message is chosen. Choose a row of the table, or name one.")
        return row

    def _original(self, row: int) -> Message:
        return (self._table or self._own).message_of(row)

    def _current(self) -> dict[int, Edit]:
        return {row: edit for row, edit in self._edits.items() if self._edit_of(row) is edit}

    def _edit_of(self, row: int) -> Edit | None:
        edit = self._edits.get(row)
        if edit is None:
            return None
        try:
            now = self._original(row)
        except InvalidArgument:  # the table has fewer rows by now
            return None
        # The table may show other messages by now: an edit belongs to its message, not to a place.
        return edit if (now.message_id, now.body) == (edit.before.message_id, edit.before.body) else None

    def _edits_changed(self, row: int, message: Message | None) -> None:
        self.change(edited_rows=sorted(self._edits), _version=self._version + 1, error="")
        if self._table is not None:
            self._table.flag([row], "edited", on=message is not None)
        for listener in list(self._listeners):
            listener(row, message)

    def _answer(self, widget: object, message: dict[str, Any], buffers: Sequence[memoryview]) -> None:
        super()._answer(widget, message, buffers)
        # Also where nothing else was told, the page learns that the kernel is not busy.
        self.tell({"about": "done", "view": message.get("view"), "ask": message.get("ask")})

    def _answer_to(self, message: Mapping[str, Any], head: dict[str, Any], content: object | None = None) -> None:
        # All that is foreign travels as a buffer: it never becomes part of a saved notebook.
        self._answer_with(message, head, [] if content is None else [json.dumps(content).encode()])

    def _answer_with(self, message: Mapping[str, Any], head: dict[str, Any], buffers: Sequence[bytes]) -> None:
        if self.error:
            self.change(error="")
        self.tell({"view": message.get("view"), "ask": message.get("ask"), **head}, buffers)

    def _do_body(self, message: dict[str, Any], _: Sequence[memoryview]) -> None:
        row = int(message["row"])
        head, content = answers.of_body(self.message(row), str(message.get("form", "auto")), int(message.get("part", 0)))
        self._answer_to(message, {**head, "row": row, "edited": self._edit_of(row) is not None}, content)

    def _do_whole(self, message: dict[str, Any], _: Sequence[memoryview]) -> None:
        row = int(message["row"])
        shown = self.message(row)
        if shown.body is None:
            raise InvalidArgument(f"There is no body: {answers.why_missing(shown)}.")
        content = forms.bytes_of(shown.body)
        head = {"about": "whole", "row": row, "purpose": message.get("purpose"), "name": file_name(shown)}
        if message.get("purpose") == "edit":
            edits.refuse_large(len(content))
            if isinstance(shown.body, bytes):
                raise InvalidArgument("This body is not valid Unicode text, so a text field cannot hold it. Download it instead.")
            head |= {"form": forms.form_of(shown), "token": edits.token_of(self._original(row))}
        self._answer_with(message, head, [content])

    def _do_properties(self, message: dict[str, Any], _: Sequence[memoryview]) -> None:
        row = int(message["row"])
        rows = [{**entry, "called": plain(entry["name"])} for entry in details.property_rows(self.message(row))]
        self._answer_to(message, {"about": "properties", "row": row, "token": edits.token_of(self._original(row))}, rows)

    def _do_keep_body(self, message: dict[str, Any], buffers: Sequence[memoryview]) -> None:
        row = int(message["row"])
        edits.refuse_other(message.get("token"), self._original(row))
        text = bytes(buffers[0]).decode("utf-8", "surrogatepass")
        form = cast(forms.Form, message.get("form", "text"))
        if not message.get("anyway"):
            try:
                forms.check(text, form)
            except jsontext.SyntaxFault as fault:
                words = f"Not {form.upper()}: {fault}"
                units = len(text[: fault.position].encode("utf-16-le", "surrogatepass")) // 2
                self._answer_to(message, {"about": "fault", "row": row, "words": words, "position": units})
                return
        self.edit(row, body=text)
        self._answer_to(message, {"about": "kept", "row": row})

    def _do_indent(self, message: dict[str, Any], buffers: Sequence[memoryview]) -> None:
        text = bytes(buffers[0]).decode("utf-8", "surrogatepass")
        try:
            self._answer_to(message, {"about": "indented"}, forms.indented(text, str(message.get("form"))))
        except ValueError as why:
            self._answer_to(message, {"about": "indented", "words": f"Not laid out: {why}"})

    def _do_keep_properties(self, message: dict[str, Any], buffers: Sequence[memoryview]) -> None:
        row = int(message["row"])
        edits.refuse_other(message.get("token"), self._original(row))
        rows = cast("list[details.PropertyRow]", json.loads(bytes(buffers[0])))
        now = self.message(row)
        self.edit(row, properties=details.properties_of(rows, now.properties))
        self._answer_to(message, {"about": "kept", "row": row})

    def _do_undo(self, message: dict[str, Any], _: Sequence[memoryview]) -> None:
        self.undo_edit(int(message["row"]))

    def _do_compare(self, message: dict[str, Any], _: Sequence[memoryview]) -> None:
        """Answer with the differences of the pair, or of one row before and after its edit."""
        rows = [int(row) for row in message["rows"]]
        if len(rows) == 1:
            sides = [("as received", self._original(rows[0])), ("as edited", self.message(rows[0]))]
        else:
            sides = [(words, self.message(row)) for words, row in zip(("first", "second"), rows, strict=True)]
        self._answer_to(message, *answers.of_comparison(sides))

    def _do_compare_selected(self, _: dict[str, Any], __: Sequence[memoryview]) -> None:
        rows = [] if self._table is None else list(self._table.selected_rows)
        if len(rows) != 2:
            raise InvalidArgument(f"Two messages are compared, and {len(rows)} are selected. Select two.")
        self.compare(rows[0], rows[1])

    def _do_code(self, message: dict[str, Any], _: Sequence[memoryview]) -> None:
        self._answer_to(message, {"about": "code"}, self.edit_code())
