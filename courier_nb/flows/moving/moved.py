"""What a move returns."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from courier_nb.core.cards import shown_as
from courier_nb.core.messages import Outcome
from courier_nb.flows.cards import move_card

if TYPE_CHECKING:
    import pandas as pd

_KINDS = ("moved", "came_again", "unknown", "refused", "skipped", "lost_lock")


@shown_as(move_card)
@dataclass(slots=True)
class MoveReport:
    """How a move went.

    Attributes
    ----------
    destination, target : str
        From where, and where to.
    path : str
        Folder of the capture that the messages went through, and of the ledger.
    run : str
    received : int
    moved : int
        Published, confirmed, and the originals acknowledged.
    came_again : int
        How many of them an earlier run had published already; they were only acknowledged.
    unknown : int
        Without a certain answer to their publishing (not acknowledged, and back in the queue), or to their acknowledgement.
    refused, skipped : int
        Not published, and back in the queue.
    lost_lock : int
        Their lock ran out; they will come again, and the ledger knows those whose copy has arrived.
    ghost_receives : int
        Receive calls without a certain answer: each may have locked up to ten messages until their lock ends.
    calls : int
    seconds : float
    stopped_because : str
    failed : list of Outcome
        What was not moved, with the reasons.
    """

    destination: str
    target: str
    path: str
    run: str
    received: int = 0
    moved: int = 0
    came_again: int = 0
    unknown: int = 0
    refused: int = 0
    skipped: int = 0
    lost_lock: int = 0
    ghost_receives: int = 0
    calls: int = 0
    seconds: float = 0.0
    stopped_because: str = ""
    failed: list[Outcome] = field(default_factory=list, repr=False)

    @property
    def ok(self) -> bool:
        """Whether every message received was also moved."""
        return self.moved == self.received

    def add(self, outcome: Outcome, *, has_arrived: bool, was_known: bool) -> None:
        """Count how the move of a message ended."""
        if outcome.kind == "ok":
            self.moved += 1
            self.came_again += has_arrived and was_known
        else:
            setattr(self, outcome.kind, getattr(self, outcome.kind) + 1)
            self.failed.append(outcome)

    def frame(self) -> pd.DataFrame:
        """Return one row an outcome: ``outcome`` (str) and ``messages`` (int)."""
        import pandas as pd

        from courier_nb.frames.display import foreign

        return foreign(pd.DataFrame({"outcome": _KINDS, "messages": [getattr(self, kind) for kind in _KINDS]}))
