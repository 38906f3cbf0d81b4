"""One verb on the rows of several destinations: each destination in turn, and one report of them all."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, NamedTuple

import pandas as pd

from courier_nb.core.errors import CourierError, FrameError
from courier_nb.core.messages import Outcome
from courier_nb.flows.plans import Headroom, Pace, Plan
from courier_nb.flows.reports import Report
from courier_nb.frames.display import foreign

if TYPE_CHECKING:
    from collections.abc import Iterable

_SEVERAL = "several destinations: their own plans say it"


class Part(NamedTuple):
    """The rows of one destination.

    Attributes
    ----------
    destination : str
    rows : list of int
        Their positions in the frame.
    """

    destination: str
    rows: list[int]


class ReportOfSeveral(Report):
    """How a verb on the rows of several destinations ended, in the order of the rows.

    Attributes
    ----------
    parts : tuple of Report
        The report of each destination, in the order in which they were acted on.
    """

    def __init__(self, verb: str, parts: Sequence[tuple[Part, Report]]) -> None:
        self.parts = tuple(report for _, report in parts)
        self._rows = list(itertools.chain.from_iterable(part.rows for part, _ in parts))
        placed = zip(self._rows, itertools.chain.from_iterable(self.parts), strict=True)
        outcomes = [
            Outcome(outcome.message_id, outcome.destination, outcome.kind, outcome.reason, row)
            for row, outcome in sorted(placed, key=lambda pair: pair[0])
        ]
        names = ", ".join(dict.fromkeys(report.destination for report in self.parts))
        calls, seconds = sum(report.calls for report in self.parts), sum(report.seconds for report in self.parts)
        super().__init__(verb, names, outcomes, calls=calls, seconds=seconds)
        self.throttled = sum(report.throttled for report in self.parts)

    def frame(self) -> pd.DataFrame:
        """Return the outcomes as a DataFrame, one row a message in the order of the rows; columns as the parts have them."""
        frame = pd.concat([report.frame() for report in self.parts], ignore_index=True).set_axis(self._rows, axis=0)
        return foreign(frame.sort_index().reset_index(drop=True))


def parts_of(frame: pd.DataFrame) -> list[Part]:
    """Return the rows of a frame by their destination, in the order in which the destinations first occur.

    Raises
    ------
    FrameError
        When the frame does not say where its rows came from.
    """
    if list(frame.columns).count("destination") != 1:
        raise FrameError(
            "The column destination is missing: these rows do not say where they came from. Take rows of a frame that "
            "receive(), peek() or a capture gave.",
            columns=["destination"],
        )
    found: dict[str, list[int]] = {}
    without = []
    for row, name in enumerate(frame["destination"].array.astype(object)):
        if isinstance(name, str):
            found.setdefault(str(name), []).append(row)
        else:
            without.append(row)
    if without:
        raise FrameError(
            f"{len(without)} rows have no destination (first: row {without[0]}): nothing says where they came from.",
            columns=["destination"],
            rows=without[:5],
        )
    return [Part(name, rows) for name, rows in found.items()]


def one_after_the_other(
    verb: str, parts: Sequence[Part], act: Callable[[Part], Report], ids: Callable[[Part], Iterable[str | None]]
) -> Report:
    """Act on each part and return one report. What stops one destination is the outcome of its rows, and the others go on.

    Raises
    ------
    CourierError
        When nothing could be done anywhere.
    """
    done: list[tuple[Part, Report]] = []
    failed: list[CourierError] = []
    for part in parts:
        try:
            done.append((part, act(part)))
        except CourierError as error:
            failed.append(error)
            outcomes = [Outcome(id_, part.destination, "refused", str(error), row) for row, id_ in enumerate(ids(part))]
            done.append((part, Report(verb, part.destination, outcomes)))
        except BaseException as stopped:
            for _, report in done:
                stopped.add_note(f"Before that: {report!r}")
            raise
    if len(failed) == len(parts):
        raise failed[0]
    return ReportOfSeveral(verb, done)


def plan_of_several(verb: str, plans: Sequence[Plan]) -> Plan:
    """Return one plan of several."""
    skipped: dict[str, int] = {}
    for plan in plans:
        for why, count in plan.skipped.items():
            skipped[why] = skipped.get(why, 0) + count
    times = [plan.pace.seconds for plan in plans]
    known = [seconds for seconds in times if seconds is not None]
    pace = Pace(sum(known), "one after the other") if len(known) == len(times) else Pace(None, _SEVERAL)
    return Plan(
        verb,
        ", ".join(dict.fromkeys(plan.destination for plan in plans)),
        rows=_sum([plan.rows for plan in plans]),
        skipped=skipped,
        calls=_sum([plan.calls for plan in plans]),
        pace=pace,
        headroom=Headroom(None, _SEVERAL),
        warnings=tuple(f"{plan.destination}: {warning}" for plan in plans for warning in plan.warnings),
        details={"each": "; ".join(f"{plan.destination}: {plan.to_do} of {plan.rows} messages" for plan in plans)},
    )


def _sum(counts: Sequence[int | None]) -> int | None:
    known = [count for count in counts if count is not None]
    return sum(known) if len(known) == len(counts) else None
