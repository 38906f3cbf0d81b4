"""How many messages the queues hold, when that was read, and which are worth asking next. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from courier_nb.jupyter.picker.catalog import Catalog
from courier_nb.wire.stats import Depth

FRESH_SECONDS = 29.0
"""A queue is not asked again so soon; a little less than the pace, so that a turn is not lost to rounding."""

AT_ONCE = 400
"""Queues asked in one turn: twenty calls."""


@dataclass(frozen=True, slots=True)
class Reading:
    """What a queue held.

    Attributes
    ----------
    depth : Depth or None
        None when the service knows no such queue.
    at : float
        Seconds (monotonic) when it was read.
    read_at : datetime
        The same, UTC.
    """

    depth: Depth | None
    at: float
    read_at: datetime


class Counts:
    """The readings by id."""

    def __init__(self) -> None:
        self.readings: dict[str, Reading] = {}

    def take(self, asked: Iterable[str], depths: Mapping[str, Depth], at: float, read_at: datetime) -> None:
        """Keep an answer; of what was asked and not answered it is kept that the service knows no such queue."""
        for id_ in asked:
            self.readings[id_] = Reading(depths.get(id_), at, read_at)

    def choose(self, catalog: Catalog, picked: str, on_screen: Iterable[str], *, whole: bool, now: float) -> list[str]:
        """Return which queues to ask: picked, on the screen, then dead-letter queues and others by turns, the oldest first.

        Parameters
        ----------
        catalog : Catalog
        picked : str
            Id; empty when none is.
        on_screen : iterable of str
            Ids that somebody is looking at.
        whole : bool
            Whether to go on with queues that nobody is looking at.
        now : float
            Seconds (monotonic).
        """
        first = [id_ for id_ in dict.fromkeys([picked, *on_screen]) if id_ and self._is_worth_it(catalog, id_, now)][:AT_ONCE]
        if not whole:
            return first
        chosen = set(first)
        rest = [id_ for id_ in catalog if id_ not in chosen and self._is_worth_it(catalog, id_, now)]
        rest.sort(key=self._read_at)
        dead = [id_ for id_ in rest if catalog[id_].dead_letters_of]
        others = [id_ for id_ in rest if not catalog[id_].dead_letters_of]
        room = AT_ONCE - len(first)
        # Dead-letter queues matter most, but must not keep the others waiting for ever.
        never_read = sum(id_ not in self.readings for id_ in dead)
        share = min(room, max(never_read, room - len(others), room // 2))
        return first + dead[:share] + others[: room - len(dead[:share])]

    def _is_worth_it(self, catalog: Catalog, id_: str, now: float) -> bool:
        entry = catalog.get(id_)
        return (entry is None or entry.has_depth) and now - self._read_at(id_) >= FRESH_SECONDS

    def _read_at(self, id_: str) -> float:
        reading = self.readings.get(id_)
        return float("-inf") if reading is None else reading.at
