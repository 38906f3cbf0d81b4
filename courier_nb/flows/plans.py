"""Dry runs: what a verb would do, what it would cost and how long it would take. Nothing is sent that changes anything."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import anyio

from courier_nb.core.cards import shown_as
from courier_nb.core.errors import CourierError
from courier_nb.core.printable import plain
from courier_nb.core.rates import Rate
from courier_nb.flows.cards import plan_card
from courier_nb.flows.replaying.fifo import is_fifo
from courier_nb.flows.settle import BATCH
from courier_nb.storage.journal.journal import Journal
from courier_nb.wire.operations import Operations
from courier_nb.wire.retry import Operation
from courier_nb.wire.session import Session
from courier_nb.wire.stats import Depth

if TYPE_CHECKING:
    import pandas as pd

STANDARD_IN_FLIGHT = 120_000
FIFO_GROUP_IN_FLIGHT = 10
_LOOK_UP_SECONDS = 10

Fact = str | int | float | bool | None


@dataclass(frozen=True, slots=True)
class Pace:
    """How long it would take.

    Attributes
    ----------
    seconds : float or None
        None where nothing is known.
    source : str
        What this follows from.
    """

    seconds: float | None
    source: str


@dataclass(frozen=True, slots=True)
class Headroom:
    """How many messages may still be locked at a time.

    Attributes
    ----------
    messages : int or None
        None where it is not known. Of a FIFO queue: in each message group.
    source : str
        What this follows from, or why it is not known.
    """

    messages: int | None
    source: str


@shown_as(plan_card, text=False)
@dataclass(frozen=True, repr=False)
class Plan:
    """What a verb would do; nothing was sent.

    Attributes
    ----------
    verb, destination : str
    rows : int or None
        Messages that were given, or that wait there; None where that is not known.
    skipped : mapping of str to int
        Why -> messages that would be left alone.
    calls : int or None
        Requests to the broker, the least possible; the vendor bills each.
    pace : Pace
        How long it would take, and what that follows from.
    headroom : Headroom
        How many messages may still be in flight there.
    warnings : tuple of str
    details : mapping
        What else matters for this verb, by name.
    """

    verb: str
    destination: str
    rows: int | None = None
    skipped: Mapping[str, int] = field(default_factory=dict)
    calls: int | None = None
    pace: Pace = Pace(None, "not looked up")
    headroom: Headroom = Headroom(None, "not looked up")
    warnings: tuple[str, ...] = ()
    details: Mapping[str, Fact] = field(default_factory=dict)

    @property
    def to_do(self) -> int | None:
        """Messages that would be acted on."""
        return None if self.rows is None else max(0, self.rows - sum(self.skipped.values()))

    @property
    def minutes(self) -> float | None:
        """How long it would take; None where nothing is known."""
        return None if self.pace.seconds is None else self.pace.seconds / 60

    def document(self) -> dict[str, Any]:
        """Return the plan as one JSON object."""
        return {
            "dry_run": True,
            "verb": self.verb,
            "destination": self.destination,
            "rows": self.rows,
            "to_do": self.to_do,
            "skipped": dict(self.skipped),
            "calls": self.calls,
            "minutes": None if self.minutes is None else round(self.minutes, 3),
            "minutes_from": self.pace.source,
            "headroom": self.headroom.messages,
            "headroom_from": self.headroom.source,
            "warnings": list(self.warnings),
            **self.details,
        }

    def frame(self) -> pd.DataFrame:
        """Return the plan as a one-row DataFrame.

        Returns
        -------
        DataFrame
            Columns ``verb``, ``destination`` (str), ``rows``, ``to_do``, ``skipped``, ``calls`` (Int64), ``minutes`` (Float64),
            ``minutes_from`` (str), ``headroom`` (Int64), ``headroom_from``, ``warnings`` (str), then one column a detail.
        """
        import pandas as pd

        from courier_nb.frames.display import foreign

        row = {
            **self.document(),
            "skipped": sum(self.skipped.values()),
            "warnings": " ".join(self.warnings),
        }
        del row["dry_run"]
        frame = pd.DataFrame([row])
        counts = ("rows", "to_do", "skipped", "calls", "headroom")
        return foreign(frame.astype({**dict.fromkeys(counts, "Int64"), "minutes": "Float64"}))

    def lines(self) -> list[str]:
        """Return the plan as lines for people."""
        known = self.to_do is not None
        of = f"{self.to_do} of " if self.skipped else ""
        what = f"{of}{messages(self.rows or 0)}" if known else "an unknown number of messages"
        lines = [f"Would {self.verb} {what} ({plain(self.destination)}) {_billed(self.calls)}. Nothing was sent."]
        lines += [f"  skipped: {count} ({plain(why)})" for why, count in self.skipped.items() if count]
        if self.pace.seconds is None:
            lines.append(f"  time: not known ({self.pace.source})")
        else:
            lines.append(f"  time: about {_duration(self.pace.seconds)} ({self.pace.source})")
        room = "not known" if self.headroom.messages is None else messages(self.headroom.messages)
        lines.append(f"  in-flight headroom: {room} ({self.headroom.source})")
        lines += [f"  {name.replace('_', ' ')}: {plain(str(value))}" for name, value in self.details.items() if value is not None]
        lines += [f"  warning: {plain(warning)}" for warning in self.warnings]
        return lines

    def __repr__(self) -> str:
        return "\n".join(self.lines())


def messages(count: int) -> str:
    """Return a number of messages in words."""
    return "1 message" if count == 1 else f"{count} messages"


def calls_for(messages: int | None, *, calls_per_batch: int = 1) -> int | None:
    """Return the least number of calls for so many messages, ten in each."""
    return None if messages is None else -(-messages // BATCH) * calls_per_batch


def pace_of(
    operations: Operations,
    journal: Journal | None,
    verb: str,
    *,
    kinds: Sequence[Operation],
    calls: int | None,
    messages: int | None,
    concurrency: int,
    rate: Rate | None = None,
) -> Pace:
    """Return how long so many calls would take.

    Parameters
    ----------
    operations : Operations
        Its measured call times come first.
    journal : Journal, optional
        Its last run of the verb in this environment comes second.
    verb : str
    kinds : sequence of Operation
        The kinds of calls that it makes, the same number of each.
    calls, messages : int or None
    concurrency : int
        Calls at a time.
    rate : Rate, optional
        Held against it: the slower of both counts.
    """
    if calls is None:
        return Pace(None, "the number of messages is not known")
    if calls == 0:
        return Pace(0.0, "there is nothing to do")
    found = _measured(operations, kinds, calls, concurrency) or _recorded(journal, verb, operations.place.environment, calls)
    held = _held(rate, calls, messages or 0)
    if held is not None and (found is None or held.seconds is None or held.seconds >= (found.seconds or 0.0)):
        return held
    return found or Pace(None, "this client has made no such call yet, and the journal knows no earlier run")


async def headroom_of(session: Session, destination: str) -> tuple[Headroom, Depth | None]:
    """Return how many messages may still be locked in a queue, and its depth, by the Stats and Admin APIs (free calls)."""
    depth: Depth | None = None
    try:
        with anyio.fail_after(_LOOK_UP_SECONDS):
            if (await session.tokens.current()).kind == "client_app":
                return Headroom(None, "an MQ client app may not ask the Stats API"), None
            depths = await (await session.stats()).depths(await session.region(), [destination])
            depth = depths.get(destination)
            fifo = await is_fifo(session, destination)
    except (CourierError, TimeoutError) as error:
        return Headroom(None, f"the Stats API was asked in vain: {type(error).__name__}"), depth
    if fifo:
        return Headroom(FIFO_GROUP_IN_FLIGHT, "in each message group of a FIFO queue"), depth
    if depth is None:
        return Headroom(None, "the Stats API does not know it"), None
    left = max(0, STANDARD_IN_FLIGHT - depth.in_flight)
    what = "of a standard queue" if fifo is False else "if it is a standard queue; the Admin API does not say"
    return Headroom(left, f"{STANDARD_IN_FLIGHT} {what}, less {depth.in_flight} in flight up to a minute ago"), depth


def _measured(operations: Operations, kinds: Sequence[Operation], calls: int, concurrency: int) -> Pace | None:
    means = [operations.meter.mean(kind) for kind in kinds]
    known = [mean for mean in means if mean is not None]
    if len(known) < len(means):
        return None
    mean = sum(known) / len(known)
    at_a_time = max(1, min(concurrency, calls))
    return Pace(calls * mean / at_a_time, f"this client's calls took {mean * 1_000:.0f} ms each, {at_a_time} at a time")


def _recorded(journal: Journal | None, verb: str, environment: str, calls: int) -> Pace | None:
    last = None if journal is None else journal.last_run(verb, environment)
    if last is None or not last.get("calls") or last.get("seconds") is None:
        return None
    source = f"the last {verb} in this environment took {last['seconds']:.1f} s for {last['calls']} calls"
    return Pace(calls * last["seconds"] / last["calls"], source)


def _held(rate: Rate | None, calls: int, messages: int) -> Pace | None:
    if rate is None:
        return None
    needed = [calls / rate.calls] if rate.calls else []
    needed += [messages / rate.messages] if rate.messages else []
    return Pace(max(needed) + rate.ramp_seconds / 2, "the rate that was asked for") if needed else None


def _billed(calls: int | None) -> str:
    """Return in how many calls it would be done."""
    if calls is None:
        return "in an unknown number of calls, each billed"
    if calls == 0:
        return "without any call"
    return "in at least 1 call, which is billed" if calls == 1 else f"in at least {calls} calls, each billed"


def _duration(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.1f} s"
    return f"{seconds / 60:.1f} min"
