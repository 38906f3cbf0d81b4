"""Edits for a repair: kept in Python, by row, and put into a frame when it is asked for."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import pandas as pd

from courier_nb.core.errors import InvalidArgument
from courier_nb.core.messages import Message
from courier_nb.core.printable import plain
from courier_nb.frames.schema import PROPERTY_PREFIX
from courier_nb.frames.values import is_text

MOST_BYTES = 1_000_000


@dataclass(frozen=True, slots=True, repr=False)
class Edit:
    """One message before and after.

    Attributes
    ----------
    before, after : Message
    label : object
        Of the row in the table's frame, by which a message without an id is found.
    """

    before: Message
    after: Message
    label: Any = None

    @property
    def is_body_changed(self) -> bool:
        """Whether the body is another one."""
        return self.before.body != self.after.body

    @property
    def properties(self) -> dict[str, Any]:
        """The properties that are new or have another value or type."""
        before = self.before.properties
        return {
            name: value for name, value in self.after.properties.items() if name not in before or differs(before[name], value)
        }

    @property
    def removed(self) -> list[str]:
        """The properties that are no longer there."""
        return [name for name in self.before.properties if name not in self.after.properties]


def differs(one: Any, other: Any) -> bool:
    """Whether two values are not the same; 1, 1.0 and true are three."""
    return type(one) is not type(other) or one != other


def edited(before: Message, now: Message, body: str | None, properties: Mapping[str, Any] | None) -> Edit:
    """Return the edit that gives a message another body or other properties; None leaves what `now` has.

    Raises
    ------
    InvalidArgument
        When the body is no text that can be sent.
    """
    if body is not None and not (isinstance(body, str) and is_text(body)):
        raise InvalidArgument("The edited body holds characters that are not valid Unicode. Remove them.")
    if body is None and now.body is None:
        raise InvalidArgument("The broker withheld this body, so the message cannot be repaired here.")
    # A body that came as bytes is compared as what was typed: the same text means that it was not changed.
    after = replace(
        now,
        body=now.body if body is None else body,
        properties=dict(now.properties if properties is None else properties),
    )
    return Edit(before, after)


def labelled(edit: Edit, row: int, table: object) -> Edit:
    """Return an edit with the index label of its row in the table's frame. The rows of a capture are numbered."""
    frame = None if getattr(table, "capture", None) is not None else getattr(table, "frame", None)
    return replace(edit, label=row if frame is None else frame.index[[row]].tolist()[0])


def token_of(original: Message) -> str:
    """Return what tells a message from others: the table may show others before an edit of it is kept."""
    seen = repr((original.message_id, original.body, sorted(original.properties.items(), key=str)))
    return hashlib.blake2b(seen.encode("utf-8", "backslashreplace"), digest_size=12).hexdigest()


def refuse_other(token: object, original: Message) -> None:
    """Refuse to keep an edit of a message for another one.

    Raises
    ------
    InvalidArgument
    """
    if token != token_of(original):
        raise InvalidArgument(
            "Another message is shown now than the one that was edited; nothing was kept. Cancel, and edit it again."
        )


def apply(frame: pd.DataFrame, edits: Mapping[int, Edit]) -> pd.DataFrame:
    """Return a copy of a frame with edits in it; rows that were not edited are as they were.

    An edited row is found by its ``message_id`` and the body that it had, or by its place in the index where messages have no
    id. Rows that the frame does not have are left out. Columns of edited properties become ``object``.

    Raises
    ------
    InvalidArgument
        When several rows of messages without an id have the same index label.
    """
    result = frame.copy()
    for edit in edits.values():
        places = _places(frame, edit)
        if not places:
            continue
        if edit.is_body_changed:
            result = _set(result, "body", places, edit.after.body)
            if "body_bytes" in result.columns:
                result = _set(result, "body_bytes", places, None)
        for name, value in edit.properties.items():
            result = _set(result, column_of(name), places, value)
        for name in edit.removed:
            if column_of(name) in result.columns:
                result = _set(result, column_of(name), places, None)
    result.attrs.update(frame.attrs)
    return result


def column_of(name: str) -> str:
    """Return the column of a property."""
    return PROPERTY_PREFIX + (name if is_text(name) else json.dumps(name))


def code(edits: Mapping[int, Edit], rows_name: str) -> str:
    """Return Python that makes the same edits to a frame, by message id (or by index, where it has none).

    It holds the new bodies and properties: give it only to someone who asked for it.
    """
    lines = [f"{rows_name} = {rows_name}.copy()"]
    changes: dict[str, list[tuple[str, Any]]] = {}
    for edit in edits.values():
        message_id = edit.before.message_id
        where = f"{rows_name}.index == {edit.label!r}" if message_id is None else f"{rows_name}['message_id'] == {message_id!r}"
        here = changes.setdefault(where, [])
        if edit.is_body_changed:
            here.append(("body", edit.after.body))
            here += [("body_bytes", None)] if isinstance(edit.before.body, bytes) else []
        here += [(column_of(name), value) for name, value in edit.properties.items()]
        here += [(column_of(name), None) for name in edit.removed]
    columns = dict.fromkeys(column for found in changes.values() for column, _ in found if column != "body")
    lines += [
        f"{rows_name}[{column!r}] = {rows_name}[{column!r}].astype(object) if {column!r} in {rows_name} else None"
        for column in columns
    ]
    for where, found in changes.items():
        lines.append(f"place = {rows_name}.index[{where}]")
        for column, value in found:
            lines.append(f"{rows_name}.loc[place, {column!r}] = {_written(value)}")
    return "\n".join(lines)


def _written(value: Any) -> str:
    if repr(value) == "NULL":
        return "courier_nb.NULL"
    # A list or dict would be spread over the rows.
    return f"pd.Series([{value!r}] * len(place), place, dtype=object)" if isinstance(value, list | dict) else repr(value)


def _places(frame: pd.DataFrame, edit: Edit) -> list[int]:
    before = edit.before
    if before.message_id is None or "message_id" not in frame.columns:
        found = [int(place) for place in (frame.index == edit.label).nonzero()[0]]
        if len(found) > 1:
            raise InvalidArgument(
                f"{len(found)} rows have the index label {edit.label!r}: give each its own, frame.reset_index()."
            )
        return found
    found = [int(place) for place in (frame["message_id"] == before.message_id).to_numpy(dtype=bool, na_value=False).nonzero()[0]]
    column = "body_bytes" if isinstance(before.body, bytes) else "body"
    if column not in frame.columns:
        return found
    # The publisher chose the id: other messages may have it too, and have another body.
    return [place for place in found if frame[column].iloc[place] == before.body]


def _set(frame: pd.DataFrame, column: str, places: list[int], value: Any) -> pd.DataFrame:
    """Return `frame` with `value` in some rows of a column, which is made where it is missing."""
    cells = frame[column].astype(object) if column in frame.columns else pd.Series(None, index=frame.index, dtype=object)
    for place in places:
        cells.iat[place] = value
    dtype = frame[column].dtype if column in frame.columns else None
    if column == "body" and (dtype is None or isinstance(dtype, pd.StringDtype)):
        cells = cells.astype("str")
    return frame.assign(**{column: cells.array})


def refuse_large(size: int) -> None:
    """Refuse a body that is too large for a text field.

    Raises
    ------
    InvalidArgument
    """
    if size > MOST_BYTES:
        raise InvalidArgument(
            f"This body has {size / 1_000_000:.1f} MB; up to {plain(MOST_BYTES // 1_000_000)} MB is edited here. "
            "Download it, or change the column body of the frame in Python."
        )
