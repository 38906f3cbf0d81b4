"""What a verb returns: one outcome for each message, as data."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from courier_nb.core.errors import PartialFailure
from courier_nb.core.messages import Message, Outcome, OutcomeKind

if TYPE_CHECKING:
    import pandas as pd


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
    """

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
        import pandas as pd

        rows = [(o.message_id, o.destination, o.kind, o.reason) for o in self.outcomes]
        return pd.DataFrame(rows, columns=["message_id", "destination", "outcome", "reason"]).astype("str")

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


class Received(Report):
    """Messages that were received: peeked at (and returned) or held.

    Attributes
    ----------
    messages : tuple of Message
    stopped_because : str
        Why no more were asked for.
    ghost_receives : int
        Receive calls without a certain answer: each may have locked up to ten messages for nobody until their lock ends.
    """

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
    ) -> None:
        super().__init__(verb, destination, outcomes, calls=calls, seconds=seconds)
        self.messages = tuple(messages)
        self.stopped_because = stopped_because
        self.ghost_receives = ghost_receives
        self._settlements = tuple(settlements)

    def frame(self) -> pd.DataFrame:
        """Return the messages as a DataFrame, headers and properties flattened into columns.

        Returns
        -------
        DataFrame
            One row a message; columns and dtypes as in ``docs/columns.md``. ``settlement`` says ``returned`` for a message
            that went back to the queue and is missing while it is held.
        """
        import pyarrow as pa

        from courier_nb.frames.flatten import frame_of
        from courier_nb.frames.tables import table_of

        return frame_of(pa.Table.from_batches([table_of(self.messages, self._settlements)]))

    def __repr__(self) -> str:
        ghosts = f", {self.ghost_receives} receives without an answer" if self.ghost_receives else ""
        return f"<{self.verb} {self.destination!r}: {len(self.messages)} messages ({self.stopped_because}){ghosts}>"


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

    @property
    def ok(self) -> bool:
        """Whether every message received was also acknowledged."""
        return self.acked == self.received

    def frame(self) -> pd.DataFrame:
        """Return one row an outcome: ``outcome`` (str) and ``messages`` (int)."""
        import pandas as pd

        kinds = ("acked", "returned", "refused", "lost_lock", "unknown")
        return pd.DataFrame({"outcome": kinds, "messages": [getattr(self, kind) for kind in kinds]})


@dataclass(slots=True)
class ReplayPlan:
    """What a replay would do; nothing was sent.

    Attributes
    ----------
    target : str
    rows : int
        Messages in the source.
    to_send : int
    already_confirmed : int
        Sent by an earlier run of the same replay, with a certain answer.
    unknown : int
        Sent by an earlier run without a certain answer; sent again only with ``unknown="resend"``.
    unpublishable : int
        Without a body (it was withheld at the receive) or with one that no text can carry.
    groups : int
        Message groups, whose order is kept.
    calls : int
        Requests at ten messages each, the least possible; the vendor bills each.
    body_bytes : int
        UTF-8 bytes of the bodies to send.
    """

    target: str
    rows: int = 0
    to_send: int = 0
    already_confirmed: int = 0
    unknown: int = 0
    unpublishable: int = 0
    groups: int = 0
    calls: int = 0
    body_bytes: int = 0

    def frame(self) -> pd.DataFrame:
        """Return the plan as a one-row DataFrame."""
        import pandas as pd

        names = ("target", "rows", "to_send", "already_confirmed", "unknown", "unpublishable", "groups", "calls", "body_bytes")
        return pd.DataFrame([{name: getattr(self, name) for name in names}])


@dataclass(slots=True)
class Tally:
    """Outcomes of a call under way, by position."""

    outcomes: dict[int, Outcome] = field(default_factory=dict)

    def add(self, outcome: Outcome) -> None:
        self.outcomes[outcome.position] = outcome

    def in_order(self) -> list[Outcome]:
        return [self.outcomes[position] for position in sorted(self.outcomes)]

    @property
    def any_done(self) -> bool:
        return any(outcome.kind in ("ok", "unknown") for outcome in self.outcomes.values())
