"""One action at a time: who is at work, and which clicks come too late."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable

from courier_nb.core.errors import InvalidArgument

_log = logging.getLogger("courier_nb")


class Turns:
    """The one place for which the actions of a workbench wait.

    A kernel that is busy with a cell gets all clicks when the cell ends, so that whoever clicked four times would act four times.
    Every click therefore carries the number of the turn that it saw, and only the first click of a turn counts.

    Attributes
    ----------
    number : int
        Of the turn; grows whenever an action begins or ends.
    busy_with : str
        What is being done, in words; empty when nothing is.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._listeners: list[Callable[[], None]] = []
        self.number = 0
        self.busy_with = ""

    def on_change(self, listener: Callable[[], None]) -> None:
        """Call `listener` whenever an action begins or ends, on the thread where it does."""
        self._listeners.append(listener)

    def take(self, what: str, number: int | None = None) -> None:
        """Begin an action.

        Parameters
        ----------
        what : str
            What is done, in words.
        number : int, optional
            The turn that the click saw; None for a call from Python.

        Raises
        ------
        InvalidArgument
            When another action is under way, or the click was meant for an earlier turn; nothing was begun.
        """
        with self._lock:
            if self.busy_with:
                raise InvalidArgument(f"{self.busy_with} is under way; {what} was not begun. Wait for it, or stop it.")
            if number is not None and number != self.number:
                raise InvalidArgument(
                    f"This click on {what} came from before the last action ended; nothing was done. Click again."
                )
            self.busy_with = what
            self.number += 1
        self._tell()

    def give_back(self) -> None:
        """End the action that is under way."""
        with self._lock:
            self.busy_with = ""
            self.number += 1
        self._tell()

    def _tell(self) -> None:
        for listener in self._listeners:
            try:
                listener()
            except Exception as error:  # noqa: BLE001  # the turn is taken, or free again, whoever cannot show it
                _log.error("A widget could not show whose turn it is (%s).", type(error).__name__)
