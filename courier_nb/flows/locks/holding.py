"""What a client holds: a row for each lock, and the report of it."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Literal

from courier_nb.core.cards import shown_as
from courier_nb.core.messages import Message
from courier_nb.core.settings import LockTtlUnit
from courier_nb.flows.cards import holding_card
from courier_nb.flows.settle import Held

if TYPE_CHECKING:
    import pandas as pd

RowState = Literal["held", "unknown", "lost_lock", "acked", "returned", "put_back"]


@dataclass(slots=True, eq=False, repr=False)
class HeldRow:
    """A message whose lock we hold, or held. All times are seconds of the keeper's clock.

    Attributes
    ----------
    message : Message or None
        The message itself, where it may have to be published again.
    destination, message_id, lock_id : str
    group : str or None
    delivery_count : int or None
    lock_ms : int
        How long each extension lasts.
    certain_end : float
        The lock lives until then at least.
    possible_end : float
        It may live until then: an extension had no certain answer, or its unit is not known.
    is_kept : bool
        Whether the keeper extends it.
    hold_until : float
        When the keeper gives it back.
    due : float
        When it is extended next.
    extended : int
        How often it was.
    settling : int
        How many calls are settling it just now.
    may_be_lost : bool
        Whether losing the lock would do no harm, so that an extension of unknown effect may be tried on it.
    is_last_chance : bool
        Whether a return would send it to the dead-letter queue, so that it is put back whole instead.
    ended : {"lost_lock", "acked", "returned", "put_back"} or None
        What became of it; None while it may be ours.
    ended_at : float
    """

    message: Message | None
    destination: str
    message_id: str
    lock_id: str
    group: str | None
    delivery_count: int | None
    lock_ms: int
    certain_end: float
    possible_end: float
    is_kept: bool
    hold_until: float = float("inf")
    due: float = float("inf")
    extended: int = 0
    settling: int = 0
    may_be_lost: bool = True
    is_last_chance: bool = False
    ended: Literal["lost_lock", "acked", "returned", "put_back"] | None = None
    ended_at: float = 0.0

    def state(self, now: float) -> RowState:
        """Return what is known of the lock."""
        if self.ended is not None:
            return self.ended
        if now < self.certain_end:
            return "held"
        return "unknown" if now < self.possible_end else "lost_lock"

    def is_ours(self, now: float) -> bool:
        """Whether the lock lives, or may live."""
        return self.ended is None and now < max(self.certain_end, self.possible_end)

    def end(self, now: float) -> float:
        """Return the end of the lock that decisions go by."""
        if self.ended is not None:
            return min(self.ended_at, self.certain_end)
        return self.certain_end if now < self.certain_end else self.possible_end

    def as_held(self, now: float) -> Held:
        """Return the row as the settling flows take it."""
        return Held(self.message_id, self.lock_id, time.monotonic() + self.end(now) - now)

    def __repr__(self) -> str:
        return f"<HeldRow {self.message_id!r} of {self.destination!r}, extended {self.extended} times>"


@shown_as(holding_card)
class Holding:
    """What a client holds at one moment.

    Attributes
    ----------
    calls : int
        Calls that the keeper made so far to extend locks and to give messages back; the vendor bills each.
    lock_ttl_unit : {"s", "ms"} or None
        Unit of lock changes: as given, or as found out; None while it is not known.
    notes : tuple of str
        What is worth knowing, in words.
    """

    def __init__(
        self, rows: Sequence[HeldRow], now: float, *, calls: int, lock_ttl_unit: LockTtlUnit | None, notes: Sequence[str]
    ) -> None:
        wall = time.time()
        self.calls = calls
        self.lock_ttl_unit = lock_ttl_unit
        self.notes = tuple(notes)
        self._rows = [
            (row.message_id, row.destination, row.state(now), _moment(wall + row.end(now) - now), row.extended, row.is_kept,
             None if row.hold_until == float("inf") else _moment(wall + row.hold_until - now))
            for row in rows
        ]  # fmt: skip

    @property
    def counts(self) -> dict[str, int]:
        """Rows by state."""
        found: dict[str, int] = {}
        for row in self._rows:
            found[row[2]] = found.get(row[2], 0) + 1
        return found

    @property
    def destinations(self) -> dict[str, int]:
        """Messages that are ours, or may be, by destination."""
        found: dict[str, int] = {}
        for row in self._rows:
            if row[2] in ("held", "unknown"):
                found[row[1]] = found.get(row[1], 0) + 1
        return found

    def frame(self) -> pd.DataFrame:
        """Return one row a message, in the order in which they were received.

        Returns
        -------
        DataFrame
            ``message_id`` (str), ``destination`` (str), ``state`` (str: ``held``; ``unknown``, an extension had no certain
            answer; ``lost_lock``, it will come or has come again), ``lock_expires_at`` (UTC, earliest end), ``extended``
            (int, times), ``kept`` (bool, whether the lock is extended by itself) and ``held_until`` (UTC, when it is given
            back; missing: when the client closes).
        """
        from courier_nb.frames.display import foreign_frame

        time = "datetime64[us, UTC]"
        text = dict.fromkeys(("message_id", "destination", "state"), "str")
        return foreign_frame(
            self._rows, {**text, "lock_expires_at": time, "extended": "int64", "kept": "bool", "held_until": time}
        )

    @property
    def first_end(self) -> datetime | None:
        """The earliest end of a lock that is held (UTC); None when nothing is held."""
        return min((row[3] for row in self._rows if row[2] == "held"), default=None)

    def first(self, most: int) -> list[tuple[object, ...]]:
        """Return at most so many rows, with the cells of `frame`."""
        return list(self._rows[:most])

    def __len__(self) -> int:
        return len(self._rows)

    def __iter__(self) -> Iterator[str]:
        return (row[0] for row in self._rows)

    def __repr__(self) -> str:
        counts = ", ".join(f"{count} {state}" for state, count in self.counts.items()) or "nothing"
        return f"<holding {counts}; {self.calls} calls to keep it>"


def _moment(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)
