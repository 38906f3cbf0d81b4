"""What became of received messages since they were received."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from courier_nb.core.messages import Message, Outcome
from courier_nb.flows.locks.holding import HeldRow

if TYPE_CHECKING:
    from courier_nb.flows.locks.keeper import Keeper


class HeldRows:
    """The rows of one `Received`, as the keeper knows them now.

    Parameters
    ----------
    keeper : Keeper
    rows : sequence of HeldRow or None
        One for each message; None for one that came without id or lock.
    deliveries_left : sequence of int or None
        How many deliveries each message had left when it was received; None where that is not known.
    is_a_look : bool
        Whether they were meant to go back.
    """

    def __init__(
        self, keeper: Keeper, rows: Sequence[HeldRow | None], deliveries_left: Sequence[int | None], *, is_a_look: bool
    ) -> None:
        self._keeper = keeper
        self._rows = tuple(rows)
        self._is_a_look = is_a_look
        self.deliveries_left = tuple(deliveries_left)

    @property
    def loop(self) -> asyncio.AbstractEventLoop | None:
        """The loop that `give_back` belongs to."""
        return self._keeper.loop

    @property
    def notes(self) -> tuple[str, ...]:
        """How long they are held, in words; nothing where nothing is kept."""
        now = self._keeper.now
        kept = [row for row in self._rows if row is not None and row.is_kept and row.is_ours(now)]
        if not kept or self._is_a_look:
            return ()
        first = min(row.hold_until for row in kept)
        until = (
            "" if first == float("inf") else f"until {datetime.fromtimestamp(time.time() + first - now, UTC):%H:%M:%S} UTC, or "
        )
        return (f"{len(kept)} messages are held and their locks extended, in billed calls, {until}until the client closes.",)

    def messages(self, messages: Sequence[Message]) -> list[Message]:
        """Return the messages with the present ends of their locks."""
        now, wall = self._keeper.now, time.time()
        found = []
        for message, row in zip(messages, self._rows, strict=True):
            if row is not None and row.extended:
                message = replace(message, lock_expires_at=datetime.fromtimestamp(wall + row.end(now) - now, UTC))
            found.append(message)
        return found

    def settlements(self, before: Sequence[str | None]) -> list[str | None]:
        """Return what is known of each message now, where `before` was known at first."""
        now = self._keeper.now
        found: list[str | None] = []
        for settlement, row in zip(before, self._rows, strict=True):
            state = None if row is None else row.state(now)
            if state is None or settlement in ("returned", "refused", "unknown", "put_back"):
                found.append(settlement)
            elif state == "held":
                found.append("held" if self._is_a_look else None)
            else:
                found.append(state)
        return found

    async def give_back(self) -> list[Outcome]:
        """Return to the queue what is still ours."""
        return await self._keeper.give_back([row for row in self._rows if row is not None and row.is_ours(self._keeper.now)])
