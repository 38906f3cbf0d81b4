"""What a verb returns: one outcome for each message, as data."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from types import TracebackType
from typing import TYPE_CHECKING, Self

from courier_nb.core import portal
from courier_nb.core.cards import shown_as
from courier_nb.core.errors import PartialFailure
from courier_nb.core.messages import Message, Outcome, OutcomeKind
from courier_nb.core.units import human_bytes
from courier_nb.flows.cards import drain_card, received_card, report_card
from courier_nb.flows.guard import last_chance_notes

if TYPE_CHECKING:
    import pandas as pd

    from courier_nb.flows.locks.since import HeldRows

_MUCH_BYTES = 100_000_000


@shown_as(report_card)
class Report:
    """How a bulk call ended, message by message.

    Attributes
    ----------
    verb : str
        What was asked for.
    destination : str
    outcomes : tuple of Outcome
        In the order of the input.
    calls : int
        Requests made, repeats included; the vendor bills each.
    seconds : float
        Wall time.
    throttled : int
        Answers that said it was too much (429 or 503).
    """

    throttled = 0

    def __init__(self, verb: str, destination: str, outcomes: Sequence[Outcome], *, calls: int = 0, seconds: float = 0.0) -> None:
        self.verb = verb
        self.destination = destination
        self.outcomes = tuple(outcomes)
        self.calls = calls
        self.seconds = seconds

    @property
    def counts(self) -> dict[OutcomeKind, int]:
        """Messages by outcome."""
        return dict(Counter(outcome.kind for outcome in self.outcomes))

    @property
    def ok(self) -> bool:
        """Whether every message ended as asked."""
        return all(outcome.kind == "ok" for outcome in self.outcomes)

    @property
    def failed(self) -> list[Outcome]:
        """The outcomes that are not ``ok``."""
        return [outcome for outcome in self.outcomes if outcome.kind != "ok"]

    def frame(self) -> pd.DataFrame:
        """Return the outcomes as a DataFrame.

        Returns
        -------
        DataFrame
            Columns ``message_id`` (str), ``destination`` (str), ``outcome`` (str: ok, refused, lost_lock, unknown, skipped) and
            ``reason`` (str), one row a message in the order of the input.
        """
        from courier_nb.frames.display import foreign_frame

        rows = [(o.message_id, o.destination, o.kind, o.reason) for o in self.outcomes]
        return foreign_frame(rows, dict.fromkeys(("message_id", "destination", "outcome", "reason"), "str"))

    def raise_for_failed(self) -> None:
        """Raise `PartialFailure` unless every message ended as asked."""
        if not self.ok:
            raise PartialFailure(f"{self!r}; report.failed lists them.", report=self)

    def __len__(self) -> int:
        return len(self.outcomes)

    def __iter__(self) -> Iterator[Outcome]:
        return iter(self.outcomes)

    def __repr__(self) -> str:
        counts = ", ".join(f"{count} {kind}" for kind, count in self.counts.items()) or "nothing to do"
        return f"<{self.verb} {self.destination!r}: {counts}>"


@shown_as(received_card)
class Received(Report):
    """Messages that were received: peeked at (and returned) or held.

    Attributes
    ----------
    messages : tuple of Message
    stopped_because : str
        Why no more were asked for.
    ghost_receives : int
        Receive calls without a certain answer: each may have locked up to ten messages for nobody until their lock ends.
    origin : str
        Key of the client that received them, by which the verbs of its frame find it.

    Notes
    -----
    A context manager that gives back what is still held (``with orders.receive(50) as rows:``, ``async with await …``).
    """

    origin = ""

    def __init__(
        self,
        verb: str,
        destination: str,
        messages: Sequence[Message],
        settlements: Sequence[str | None],
        outcomes: Sequence[Outcome],
        *,
        stopped_because: str = "",
        ghost_receives: int = 0,
        calls: int = 0,
        seconds: float = 0.0,
        held: HeldRows | None = None,
    ) -> None:
        super().__init__(verb, destination, outcomes, calls=calls, seconds=seconds)
        self.messages = tuple(messages)
        self.stopped_because = stopped_because
        self.ghost_receives = ghost_receives
        self._settlements = tuple(settlements)
        self._held = held

    @property
    def last_chance(self) -> list[Message]:
        """The messages that a peek holds or put back, as a return would have sent them to the dead-letter queue."""
        return [m for m, settlement in zip(self.messages, self._settlements, strict=True) if settlement in ("held", "put_back")]

    @property
    def settlements(self) -> tuple[str | None, ...]:
        """What became of each message, as things stand now; None while `receive` holds it."""
        return self._settlements if self._held is None else tuple(self._held.settlements(self._settlements))

    @property
    def lock_ends(self) -> tuple[datetime | None, ...]:
        """The earliest end of each lock (UTC), as things stand now; None where it is not known."""
        return tuple(message.lock_expires_at for message in self._present())

    @property
    def deliveries_left(self) -> tuple[int | None, ...]:
        """How many deliveries each message had left; None when unknown or when there is no limit."""
        return self._held.deliveries_left if self._held is not None else (None,) * len(self.messages)

    @property
    def notes(self) -> tuple[str, ...]:
        """What is worth knowing, in words."""
        held = () if self._held is None else self._held.notes
        notes = held + last_chance_notes(self._settlements.count("held"), self._settlements.count("put_back"))
        size = sum(len(message.body or "") for message in self.messages)
        if size > _MUCH_BYTES:
            notes = (*notes, f"These messages hold {human_bytes(size)} in memory; drain() holds no more than a little at a time.")
        return notes

    def frame(self) -> pd.DataFrame:
        """Return the messages as a DataFrame, headers and properties flattened into columns.

        Returns
        -------
        DataFrame
            One row a message; columns and dtypes as in ``docs/columns.md``. ``settlement`` and ``lock_expires_at`` say how things
            stand now: ``returned`` for a message that went back to the queue, ``held`` for one that a peek holds as it was its
            last chance, ``lost_lock`` where the lock ran out, missing while `receive` holds it. ``deliveries_left`` (Int64) says
            how many deliveries a message had left; missing when unknown or when there is no limit.
        """
        import pandas as pd
        import pyarrow as pa

        from courier_nb.frames.flatten import frame_of
        from courier_nb.frames.tables import table_of
        from courier_nb.frames.verbs import of_client

        frame = frame_of(pa.Table.from_batches([table_of(self._present(), self.settlements)]))
        frame["deliveries_left"] = pd.array(self.deliveries_left, dtype="Int64")
        return of_client(frame, self.origin)

    def _present(self) -> Sequence[Message]:
        return self.messages if self._held is None else self._held.messages(self.messages)

    def __enter__(self) -> Self:
        if self._held is not None and not portal.is_own_loop(self._held.loop):
            raise TypeError("These messages belong to an AsyncClient: write 'async with' in place of 'with'.")
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None) -> None:
        if self._held is not None and self._held.loop is not None:
            portal.run(self._held.give_back)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._held is not None:
            await self._held.give_back()

    def __repr__(self) -> str:
        ghosts = f", {self.ghost_receives} receives without an answer" if self.ghost_receives else ""
        spared = f", {len(self.last_chance)} on their last chance" if self.last_chance else ""
        return f"<{self.verb} {self.destination!r}: {len(self.messages)} messages ({self.stopped_because}){spared}{ghosts}>"


OUTCOMES = ("acked", "returned", "refused", "lost_lock", "unknown")
"""What became of the messages of a drain."""


@shown_as(drain_card)
@dataclass(slots=True)
class DrainReport:
    """How a drain went.

    Attributes
    ----------
    destination : str
    path : str
        Folder of the capture.
    received : int
        Messages received and written to disk.
    acked, returned, refused, lost_lock, unknown : int
        What became of them on the broker. ``acked``: deleted there, after they were on disk. ``returned``: back in the queue.
        ``lost_lock``: the lock ran out first, they will come again. ``unknown``: no certain answer.
    ghost_receives : int
        Receive calls without a certain answer: each may have locked up to ten messages until their lock ends.
    recovered : int
        Messages that an earlier, killed run had written and this one turned into parts.
    calls, retries : int
        Requests made, and how many of them were repeats.
    seconds : float
    stopped_because : str
    throttled : int
        Answers that said it was too much (429 or 503).
    least_concurrency : int or None
        The fewest calls of a kind that this client made at a time because of such answers; None when there was no need.
    """

    destination: str
    path: str
    received: int = 0
    acked: int = 0
    returned: int = 0
    refused: int = 0
    lost_lock: int = 0
    unknown: int = 0
    ghost_receives: int = 0
    recovered: int = 0
    calls: int = 0
    retries: int = 0
    seconds: float = 0.0
    stopped_because: str = ""
    throttled: int = 0
    least_concurrency: int | None = None

    @property
    def ok(self) -> bool:
        """Whether every message received was also acknowledged."""
        return self.acked == self.received

    def frame(self) -> pd.DataFrame:
        """Return one row an outcome: ``outcome`` (str) and ``messages`` (int)."""
        import pandas as pd

        from courier_nb.frames.display import foreign

        return foreign(pd.DataFrame({"outcome": OUTCOMES, "messages": [getattr(self, kind) for kind in OUTCOMES]}))
