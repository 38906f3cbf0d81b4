"""Which rows of the table an action is for, and which it leaves out."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd

from courier_nb.core.errors import InvalidArgument
from courier_nb.flows.guard import Wiring
from courier_nb.flows.plans import messages
from courier_nb.flows.sources import held_rows
from courier_nb.jupyter.panels.context import Context


@dataclass(frozen=True)
class Selection:
    """Rows to settle.

    Attributes
    ----------
    frame : DataFrame
        All rows of the table.
    places : sequence of int
        Positions in it of the rows to settle.
    destination : str
        Where they were received.
    selected, hidden : int
        Rows that are selected, and how many of them the filter hides.
    takes_hidden : bool
        Whether those are settled too.
    lost : sequence of int
        Positions of rows whose lock is over.
    settled, unlocked : int
        Rows left out as they are settled already, or hold no lock.
    version : int
        Of the table's filling.
    """

    frame: pd.DataFrame
    places: Sequence[int]
    destination: str
    selected: int
    hidden: int
    takes_hidden: bool
    lost: Sequence[int]
    settled: int
    unlocked: int
    version: int

    def is_shown(self, context: Context) -> bool:
        """Whether the table still shows the rows that were selected."""
        return context.version == self.version

    @property
    def rows(self) -> pd.DataFrame:
        """The rows to settle."""
        return self.frame.iloc[list(self.places)]

    def last_chances(self, wiring: Wiring) -> int:
        """Return how many of the rows a return would send to the dead-letter queue."""
        counts = self.rows["delivery_count"] if "delivery_count" in self.frame.columns else ()
        return sum(wiring.is_last_chance(None if pd.isna(count) else int(count)) for count in counts)

    def lines(self, wiring: Wiring) -> list[str]:
        """Return what is selected, hidden, lost and on its last chance, in words."""
        which = "they are settled too, as you chose" if self.takes_hidden else "they are left out"
        lines = [f"Selected: {self.selected}."]
        lines.append(f"Hidden by the filter: {self.hidden}{f' ({which})' if self.hidden else ''}.")
        lines.append(f"Locks already lost: {len(self.lost)}{' (left out: these messages come again)' if self.lost else ''}.")
        last = self.last_chances(wiring)
        to = f"the dead-letter queue {wiring.dead_letter_queue!r}" if wiring.dead_letter_queue else "a dead-letter queue"
        lines.append(f"On their last chance: {last}{f' (returned, they go to {to})' if last else ''}.")
        if not wiring.is_known:
            lines[-1] = "On their last chance: not known (the Admin API was not readable)."
        if self.settled:
            lines.append(f"Settled already: {self.settled} (left out).")
        if self.unlocked:
            lines.append(f"Without a lock: {self.unlocked} (left out: only what receive gave can be settled).")
        return lines

    @property
    def left_out(self) -> list[str]:
        """What was left out, in words; for actions that ask nothing."""
        lines = []
        if self.hidden and not self.takes_hidden:
            lines.append(f"{messages(self.hidden)} that the filter hides: left out.")
        if self.lost:
            lines.append(f"{len(self.lost)} with a lock that is lost: left out.")
        return lines


def selection(context: Context, *, also_hidden: bool) -> Selection:
    """Return what is selected in the table, as it stands now.

    Raises
    ------
    InvalidArgument
        When nothing of it can be settled, in words.
    """
    browser = context.browser
    if browser is None:
        raise InvalidArgument("There is no table to select rows in: give browser=, or call the verb with a frame.")
    selected = [int(place) for place in browser.selected_rows]
    visible = {int(place) for place in browser.visible_rows}
    hidden = sum(place not in visible for place in selected)
    if not selected:
        raise InvalidArgument("Select rows in the table first.")
    chosen = sorted(place for place in selected if also_hidden or place in visible)
    if not chosen:
        raise InvalidArgument(f"All {messages(hidden)} of the selection are hidden by the filter. Select rows that you see.")
    if "lock_id" not in browser.selected.columns:  # before all rows of a capture are read
        raise InvalidArgument("These rows hold no locks: only what receive gave can be settled. Receive the messages first.")
    frame = browser.frame
    locks = frame["lock_id"].tolist()
    is_locked = frame["lock_id"].notna()
    if "settlement" in frame.columns:
        is_locked &= frame["settlement"].isna() | frame["settlement"].isin(["held", "lost_lock"])
    could_be = is_locked.tolist()
    with_lock = [place for place in chosen if could_be[place]]
    open_ = [place for place in with_lock if str(locks[place]) not in context.settled]
    if not open_:
        why = "are settled already" if with_lock else "hold no lock: only what receive gave can be settled"
        raise InvalidArgument(f"The selected rows {why}.")
    origins = sorted({str(name) for name in frame["destination"].iloc[open_].dropna()})
    if len(origins) != 1:
        raise InvalidArgument(f"The selected rows are of {', '.join(map(repr, origins)) or 'nowhere'}. Select those of one.")
    held = context.connection.keeper.known(held_rows(frame.iloc[open_], origins[0]))
    now = time.monotonic()
    lost = [place for place, lock in zip(open_, held, strict=True) if lock.deadline <= now]
    places = [place for place, lock in zip(open_, held, strict=True) if lock.deadline > now]
    if not places:
        raise InvalidArgument(f"The locks of all {messages(len(lost))} are lost: they come again, receive them then.")
    return Selection(
        frame,
        places,
        origins[0],
        len(selected),
        hidden,
        also_hidden,
        lost,
        len(with_lock) - len(open_),
        len(chosen) - len(with_lock),
        context.version,
    )
