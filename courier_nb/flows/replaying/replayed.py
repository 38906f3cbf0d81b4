"""What a replay returns: each row's state, and the run that it belongs to."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal, NamedTuple

from courier_nb.core.cards import shown_as
from courier_nb.core.messages import Outcome
from courier_nb.flows.cards import replayed_card
from courier_nb.flows.reports import Report

if TYPE_CHECKING:
    import pandas as pd

RowState = Literal["planned", "confirmed", "unknown", "refused"]


class RowEnd(NamedTuple):
    """How a replay left a row.

    Attributes
    ----------
    state : {"planned", "confirmed", "unknown", "refused"}
        ``planned`` was not sent.
    attempt : int
        How often the ledger saw the row sent.
    published_id : str or None
        The id that it was published with, where that is another than its own.
    """

    state: RowState
    attempt: int
    published_id: str | None = None


@shown_as(replayed_card)
class Replayed(Report):
    """How a replay ended, message by message.

    Attributes
    ----------
    run : str
        Identity of the run: the same for the same rows, target and choices.
    attempt : int
        How often the run was begun, this time included.
    ledger : Path
        Where it is recorded.
    warnings : tuple of str
    """

    def __init__(
        self,
        verb: str,
        destination: str,
        outcomes: Sequence[Outcome],
        ends: Sequence[RowEnd],
        *,
        run: str,
        attempt: int,
        ledger: Path,
        warnings: Sequence[str] = (),
        calls: int = 0,
        seconds: float = 0.0,
    ) -> None:
        super().__init__(verb, destination, outcomes, calls=calls, seconds=seconds)
        self.run = run
        self.attempt = attempt
        self.ledger = ledger
        self.warnings = tuple(warnings)
        self._ends = tuple(ends)

    def frame(self) -> pd.DataFrame:
        """Return the rows as a DataFrame.

        Returns
        -------
        DataFrame
            Columns ``message_id``, ``destination``, ``outcome`` and ``reason`` as in other reports, and ``state`` (str: planned,
            confirmed, unknown, refused), ``attempt`` (int: how often the row was sent), ``published_id`` (str: the id it was
            published with, where that is another) and ``run`` (str); one row a message in the order of the source.
        """
        from courier_nb.frames.display import storable

        frame = super().frame()
        frame["state"] = [end.state for end in self._ends]
        frame["attempt"] = [end.attempt for end in self._ends]
        frame["published_id"] = [None if end.published_id is None else storable(end.published_id) for end in self._ends]
        frame["run"] = self.run
        return frame.astype({"state": "str", "published_id": "str", "run": "str"})

    def with_others(self, outcomes: Sequence[Outcome]) -> Replayed:
        """Return the report with messages that the run did not concern itself with, behind the others."""
        return Replayed(
            self.verb,
            self.destination,
            [*self.outcomes, *outcomes],
            [*self._ends, *(RowEnd("planned", 0) for _ in outcomes)],
            run=self.run,
            attempt=self.attempt,
            ledger=self.ledger,
            warnings=self.warnings,
            calls=self.calls,
            seconds=self.seconds,
        )
