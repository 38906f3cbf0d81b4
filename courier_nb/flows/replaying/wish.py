"""How messages are to be published again, and what that means for each row."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from courier_nb.core.messages import Message
from courier_nb.flows.replaying.fifo import RECENT_SECONDS, WINDOW_SECONDS, is_recent, window_left
from courier_nb.flows.replaying.provenance import Ids
from courier_nb.flows.replaying.survey import Choices, Survey
from courier_nb.storage.replays.index import ARRIVED, Known
from courier_nb.storage.replays.ledger import Ledger

Unknown = Literal["report", "resend", "skip"]
"""What to do with messages that an earlier run sent without a certain answer: show, send again, or take as arrived."""

Decision = Literal["send", "again", "skip", "assume", "report", "wait"]
"""``again`` repeats a message inside FIFO's window, ``wait`` holds one back whose id a FIFO queue would still drop."""


@dataclass(frozen=True, slots=True)
class Wish:
    """How messages are to be published again.

    Attributes
    ----------
    verb : str
        ``replay`` or ``undo``.
    unknown : {"report", "resend", "skip"}
    ids : {"auto", "keep", "new"}
    provenance : bool
        Whether messages get properties that say where they come from.
    fifo : bool or None
        Whether the target is a FIFO queue; None where that is not known. Only what is known is relied on: a group id on the rows
        leads to new ids, but never to repeating an uncertain call.
    holds_recent : bool
        Hold back, rather than warn of, what a FIFO queue would drop.
    clock_ahead : float
        By how many seconds the service's clock, by which messages were created, is ahead of this machine's.
    """

    verb: str = "replay"
    unknown: Unknown = "report"
    ids: Ids = "auto"
    provenance: bool = True
    fifo: bool | None = None
    holds_recent: bool = False
    clock_ahead: float = 0.0

    def choices(self, found: Survey) -> Choices:
        """Return what is done, now that the rows are known."""
        ids = self.ids
        if ids == "auto":
            ids = "new" if self.fifo or (self.fifo is None and found.has_groups) else "keep"
        return Choices(self.verb, ids, self.provenance)

    def warnings(self, found: Survey, choices: Choices) -> list[str]:
        """Return what the user should know before anything is sent."""
        may_be_fifo = self.fifo or (self.fifo is None and found.has_groups)
        if choices.ids == "new" or not may_be_fifo or not found.recent:
            return []
        rows = ", ".join(map(str, found.first_recent)) + (", …" if found.recent > len(found.first_recent) else "")
        then = "they are held back" if self.holds_recent else f"wait {WINDOW_SECONDS // 60} minutes, or give ids='new'"
        return [
            f"{found.recent} messages (rows {rows}) came less than {RECENT_SECONDS // 60} minutes ago, so a FIFO queue may "
            f"drop them as repetitions of their ids, although it answers 'successful'; {then}."
        ]


def decide(message: Message, known: Known | None, wish: Wish, choices: Choices, ledger: Ledger) -> Decision:
    """Return what is to be done with a row."""
    if known is not None and known.state in ARRIVED:
        return "skip"
    if known is not None and known.state != "refused":
        if wish.fifo and window_left(known.window, ledger.now()) > 0:
            return "again"
        return {"report": "report", "resend": "send", "skip": "assume"}[wish.unknown]  # type: ignore[return-value]
    may_be_dropped = wish.fifo is not False and choices.ids == "keep"
    if wish.holds_recent and may_be_dropped and is_recent(message, ledger.now().wall + wish.clock_ahead):
        return "wait"
    return "send"
