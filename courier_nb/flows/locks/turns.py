"""Whose turn it is: rows by the time at which their locks are to be extended, ten in a call, spread over time."""

from __future__ import annotations

import heapq
import itertools

from courier_nb.flows.locks.holding import HeldRow
from courier_nb.flows.settle import BATCH

_GOLDEN = 0.618  # however many batches there are, turns a golden ratio apart never bunch


class Turns:
    """The rows that a keeper keeps, by when they are due."""

    def __init__(self) -> None:
        self._heap: list[tuple[float, int, HeldRow]] = []
        self._count = itertools.count()
        self._spread = 0.0

    def __bool__(self) -> bool:
        return bool(self._heap)

    @property
    def next_due(self) -> float:
        """When the next turn is; there must be one."""
        return self._heap[0][0]

    def new_batch(self) -> None:
        """Let what is planned from now on have its turn together, and apart from what was planned before."""
        self._spread = (self._spread + _GOLDEN) % 1

    def plan(self, row: HeldRow, lasts: float) -> None:
        """Plan the next extension of a lock that lasts for so many seconds: when a third to a half of them is over."""
        if row.is_kept:
            self.add(row, row.certain_end - lasts * (2 / 3 - self._spread / 6))

    def add(self, row: HeldRow, due: float) -> None:
        """Give a row its turn at `due`, or when it is to be given back."""
        row.due = min(due, row.hold_until)
        heapq.heappush(self._heap, (row.due, next(self._count), row))

    def next_batch(self, now: float) -> list[HeldRow]:
        """Take up to ten rows that are due and may share a call, those included that are due soon."""
        batch: list[HeldRow] = []
        while self._heap and len(batch) < BATCH:
            due, _, row = self._heap[0]
            if due == row.due and row.is_kept and row.ended is None and not row.is_ours(now) and not row.settling:
                row.ended, row.ended_at = "lost_lock", max(row.certain_end, row.possible_end)
            if due != row.due or not row.is_kept or row.ended is not None:
                heapq.heappop(self._heap)  # it was settled, or has another turn
            elif (due <= now) if not batch else _goes_with(row, batch[0], now):
                batch.append(heapq.heappop(self._heap)[2])
            else:
                break
        return batch


def _goes_with(row: HeldRow, first: HeldRow, now: float) -> bool:
    soon = row.due <= now + first.lock_ms / 12_000
    wants = (row.destination, row.lock_ms, row.hold_until <= now)
    return soon and wants == (first.destination, first.lock_ms, first.hold_until <= now)
