"""Where the viewer's messages come from: the table beside it, or messages handed to it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, Protocol, runtime_checkable

from courier_nb.core.errors import InvalidArgument
from courier_nb.core.messages import Message


@runtime_checkable
class RowSource(Protocol):
    """A table of messages, such as a `MessageBrowser`."""

    focus: int | None
    """The row that the cursor is on, from 0."""

    @property
    def selected_rows(self) -> Iterable[int]:
        """The chosen rows."""

    def message_of(self, row: int) -> Message:
        """Return the message of a row, with its body."""

    def flag(self, rows: Iterable[int], word: str, *, on: bool = True) -> None:
        """Put a word beside rows, or take it away."""

    def observe(self, handler: Callable[[Any], None], names: str | Sequence[str]) -> None:
        """Call `handler` when one of these traits changes."""

    def unobserve(self, handler: Callable[[Any], None], names: str | Sequence[str]) -> None:
        """No longer do so."""


class OwnMessages:
    """Messages handed to a viewer that is used alone.

    Parameters
    ----------
    messages : sequence of Message
    """

    def __init__(self, messages: Sequence[Message]) -> None:
        self._messages = list(messages)

    def message_of(self, row: int) -> Message:
        """Return the message at a position."""
        if not 0 <= row < len(self._messages):
            raise InvalidArgument(f"There is no message {row}: this viewer has {len(self._messages)}. Give it one with show().")
        return self._messages[row]
