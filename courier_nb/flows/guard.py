"""The peek guard: what a look costs, and which messages it brings to their last chance."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from courier_nb.core.arguments import as_count
from courier_nb.core.cards import shown_as
from courier_nb.core.errors import CourierError
from courier_nb.flows.cards import look_cost_card
from courier_nb.wire.session import Session

if TYPE_CHECKING:
    import pandas as pd

LastChance = Literal["hold", "put_back", "return"]
"""What a peek does with messages that a return would send to the dead-letter queue."""

_BATCH = 10
_REMEMBERED_SECONDS = 300.0


@dataclass(frozen=True, slots=True)
class Wiring:
    """Where the messages of a queue go when their deliveries are used up.

    Attributes
    ----------
    max_deliveries : int or None
        None when it is not known, or when there is no limit.
    dead_letter_queue : str or None
    is_known : bool
        Whether the Admin API said so; otherwise a dead-letter queue may be there or not.
    is_fifo : bool or None
        None when it is not known.
    """

    max_deliveries: int | None = None
    dead_letter_queue: str | None = None
    is_known: bool = False
    is_fifo: bool | None = None

    @property
    def dead_letters(self) -> bool | None:
        """Whether messages can be dead-lettered; None when that is not known."""
        if self.is_known:
            return self.dead_letter_queue is not None
        return None

    def deliveries_left(self, delivery_count: int | None) -> int | None:
        """Return how many deliveries a message has left after this one; None when unknown or when there is no limit."""
        if self.dead_letters is False or self.max_deliveries is None or delivery_count is None:
            return None
        return max(0, self.max_deliveries - delivery_count)

    def is_last_chance(self, delivery_count: int | None) -> bool:
        """Whether a return of a message that was delivered so often sends it to the dead-letter queue."""
        return self.deliveries_left(delivery_count) == 0


UNKNOWN = Wiring()


@shown_as(look_cost_card)
@dataclass(frozen=True, slots=True)
class LookCost:
    """What looking at messages costs here.

    Attributes
    ----------
    destination : str
    count : int
        At most so many messages are looked at, and each spends one delivery.
    calls : int
        Calls to receive and to return them, at the least; the vendor bills each.
    max_deliveries : int or None
        After so many deliveries a message that comes back goes to the dead-letter queue. None when unknown or without a limit.
    dead_letter_queue : str or None
    dead_letters : bool or None
        Whether messages can be dead-lettered; None when that is not known.
    is_fifo : bool or None
        Whether it is a FIFO queue; None when that is not known.
    earlier_peeks, earlier_calls : int or None
        How often this user peeked or received here in the last two weeks, by the journal; None without one.
    near_the_end : int or None
        Messages that the journal has seen, that were not acknowledged since, and that this look may bring to their last chance.
    """

    destination: str
    count: int
    calls: int
    max_deliveries: int | None
    dead_letter_queue: str | None
    dead_letters: bool | None
    is_fifo: bool | None
    earlier_peeks: int | None = None
    earlier_calls: int | None = None
    near_the_end: int | None = None

    @property
    def notes(self) -> tuple[str, ...]:
        """The same in words."""
        notes = [f"Each of at most {self.count} messages spends one delivery; at least {self.calls} calls, which are billed."]
        if self.dead_letters is False:
            notes.append("The queue has no dead-letter queue: deliveries are not limited.")
        elif self.max_deliveries is None:
            notes.append("maxDeliveries is unknown (the Admin API was not readable): give max_deliveries= if you know it.")
        else:
            where = f"to {self.dead_letter_queue!r}" if self.dead_letter_queue else "to a dead-letter queue, if there is one"
            notes.append(f"After {self.max_deliveries} deliveries a message that comes back goes {where}.")
        if self.is_fifo:
            notes.append("A FIFO queue: consumers of a message group wait while one of its messages is looked at.")
        if self.earlier_peeks:
            times = "once" if self.earlier_peeks == 1 else f"{self.earlier_peeks} times"
            notes.append(f"You peeked here {times} in the last two weeks.")
        if self.near_the_end:
            notes.append(f"{self.near_the_end} messages seen before have one delivery left.")
        return tuple(notes)

    def frame(self) -> pd.DataFrame:
        """Return the cost as a one-row DataFrame."""
        import pandas as pd

        from courier_nb.frames.display import foreign

        names = ["destination", "count", "calls", "max_deliveries", "dead_letter_queue", "dead_letters", "is_fifo"]
        names += ["earlier_peeks", "earlier_calls", "near_the_end"]
        frame = pd.DataFrame([[getattr(self, name) for name in names]], columns=names)
        numbers = ("count", "calls", "max_deliveries", "earlier_peeks", "earlier_calls", "near_the_end")
        flags = ("dead_letters", "is_fifo")
        return foreign(frame.astype({**dict.fromkeys(numbers, "Int64"), **dict.fromkeys(flags, "boolean")}))


class Guard:
    """Knows the wiring of destinations, as far as the Admin API may be read.

    Parameters
    ----------
    session : Session
    """

    def __init__(self, session: Session) -> None:
        self._session = session
        self._found: dict[str, tuple[float, Wiring]] = {}

    def known(self, destination: str) -> Wiring:
        """Return what was found out of a destination before; asks nobody."""
        return self._found.get(destination, (0.0, UNKNOWN))[1]

    async def wiring(self, destination: str, max_deliveries: int | None = None) -> Wiring:
        """Return where the messages of a destination go in the end; it is asked for once in five minutes.

        Parameters
        ----------
        destination : str
        max_deliveries : int, optional
            In place of what the Admin API says.
        """
        if max_deliveries is not None:
            as_count(max_deliveries, "max_deliveries", "it is the queue's setting, at least 1")
        found = await self._look_up(destination)
        if max_deliveries is None:
            return found
        return Wiring(max_deliveries, found.dead_letter_queue, found.is_known, found.is_fifo)

    async def _look_up(self, destination: str) -> Wiring:
        at, wiring = self._found.get(destination, (0.0, None))
        if wiring is None or time.monotonic() - at > _REMEMBERED_SECONDS:
            wiring = await self._ask(destination)
            self._found[destination] = time.monotonic(), wiring
        return wiring

    async def _ask(self, destination: str) -> Wiring:
        try:
            if (await self._session.tokens.current()).kind == "client_app":
                return Wiring()  # its token is not valid on the Admin API
            info = await (await self._session.admin()).queue(await self._session.region(), destination)
        except CourierError:
            return Wiring()  # what cannot be read is unknown, and looking works without it
        if info is None:
            return Wiring()
        is_wired = info.dead_letter_queue is not None
        return Wiring(info.max_deliveries if is_wired else None, info.dead_letter_queue, True, info.kind == "fifo-queue")


def calls_of_a_look(count: int) -> int:
    """Return how many calls it takes at the least to receive and to return so many messages."""
    return 2 * -(-count // _BATCH)


def last_chance_notes(held: int, put_back: int) -> tuple[str, ...]:
    """Return in words what became of messages on their last chance."""
    notes = []
    if held:
        notes.append(
            f"{held} messages were on their last chance: returned, they would go to the dead-letter queue. They are held, their "
            "locks extended, until the client closes, which puts them back whole (a client that may not publish leaves them "
            "locked instead). Before that: put_back() them, drain the queue, or nack() them on purpose."
        )
    if put_back:
        notes.append(
            f"{put_back} messages were on their last chance and were put back whole: published afresh, behind the others of the "
            "queue, and the old ones acknowledged."
        )
    return tuple(notes)
