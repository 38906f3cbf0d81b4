"""The unit of ``ttl`` in lock changes: seconds by the specification, disputed; found out without harm where nobody said it."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable

from courier_nb.core.clock import Clock
from courier_nb.core.errors import CourierError
from courier_nb.core.settings import LockTtlUnit
from courier_nb.flows.locks.holding import HeldRow
from courier_nb.flows.settle import settle_batch
from courier_nb.wire.operations import Operations

PROBE_TTL = 2_000
"""A lock of 2 s if it is milliseconds, of 33 minutes if it is seconds."""

SAFE_TTL = (30_000, 43_200)
"""Keeps a message for half a minute if it is milliseconds, for eight to twelve hours if it is seconds."""

_WAIT_SECONDS = PROBE_TTL / 1_000 + 0.5
SEARCH_SECONDS = _WAIT_SECONDS + 2.0
"""How long finding out takes at the most; the other locks must last longer."""

_AGAIN_SECONDS = 60.0


class LockUnit:
    """What is known of the unit, and how it is found out.

    Parameters
    ----------
    given : {"s", "ms"}, optional
        As the user said.
    clock : Clock

    Attributes
    ----------
    known : {"s", "ms"} or None
    note : str
        How it is known, or what is done instead.
    """

    def __init__(self, given: LockTtlUnit | None, clock: Clock) -> None:
        self._clock = clock
        self._not_before = 0.0
        self.known = given
        self.note = ""

    def ask_for(self, lock_ms: int) -> tuple[int, float]:
        """Return what to ask for to keep a lock for `lock_ms` (ms), and for how many seconds it then lasts at least."""
        if self.known is not None:
            whole = -(-lock_ms // 1_000) * 1_000
            return whole, whole / 1_000
        least, most = SAFE_TTL
        ttl = min(max(lock_ms, least), most)
        self.note = (
            f"It is not known whether a lock change counts in seconds or milliseconds: locks were extended by ttl={ttl}, "
            f"which is {ttl // 1_000} s or {ttl // 3_600} h. Should this process be killed, messages may stay away that long. "
            'Say lock_ttl_unit="s" or "ms" if you know; courier-nb doctor --probe finds it out.'
        )
        return ttl * 1_000, ttl / 1_000  # the calls are made as if it were seconds

    def row_to_try(self, rows: Iterable[HeldRow]) -> HeldRow | None:
        """Return the row to find out with, the one that has been delivered least; None where none may be risked now."""
        now = self._clock.monotonic()
        if now < self._not_before:
            return None
        mine = [row for row in rows if row.is_kept and row.state(now) == "held"]
        if not mine or min(row.certain_end for row in mine) - now < SEARCH_SECONDS + 1.0:
            return None
        may = [
            row for row in mine if row.may_be_lost and row.group is None and not row.settling and row.delivery_count is not None
        ]
        return min(may, key=lambda row: row.delivery_count or 0, default=None)

    async def find_out(self, operations: Operations, row: HeldRow) -> None:
        """Extend one lock by what may be 2 s or 33 minutes, wait for 2.5 s, and see whether it can be extended again."""
        self._not_before = self._clock.monotonic() + _AGAIN_SECONDS
        try:
            async with asyncio.timeout(SEARCH_SECONDS):
                sent = self._clock.monotonic()
                before = row.certain_end
                row.certain_end, row.possible_end = sent, max(before, sent + PROBE_TTL)
                first = await self._extend(operations, row, PROBE_TTL * 1_000)
                if first != "ok":
                    row.certain_end = before
                    return
                row.extended += 1
                row.certain_end = sent + PROBE_TTL / 1_000
                await asyncio.sleep(_WAIT_SECONDS)
                ask, lasts = -(-row.lock_ms // 1_000) * 1_000, -(-row.lock_ms // 1_000)
                sent = self._clock.monotonic()
                answers = [await self._extend(operations, row, ask)]
                if answers[0] == "lost_lock":
                    answers.append(await self._extend(operations, row, ask))  # one refusal may have had another reason
        except (CourierError, TimeoutError):
            return
        if "ok" in answers:
            self.known, self.note = "s", "A lock change counts in seconds: found out with one message."
            row.extended += 1
            row.certain_end = row.possible_end = sent + lasts
        elif answers == ["lost_lock", "lost_lock"]:
            self.known, self.note = "ms", "A lock change counts in milliseconds: found out with one message, whose lock was lost."
            row.ended, row.ended_at = "lost_lock", row.certain_end
            operations.lock_ttl_unit = "ms"

    async def _extend(self, operations: Operations, row: HeldRow, lock_ms: int) -> str:
        (outcome,) = await settle_batch(
            operations, "extend", row.destination, [row.as_held(self._clock.monotonic())], lock_ms=lock_ms
        )
        return outcome.kind
