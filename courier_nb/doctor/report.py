"""What the doctor found: one row a check."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from courier_nb.core.cards import shown_as
from courier_nb.doctor.cards import doctor_card
from courier_nb.doctor.findings import ProbePlan, ProbeReport

if TYPE_CHECKING:
    import pandas as pd

State = Literal["ok", "refused", "unknown", "problem"]


@dataclass(frozen=True, slots=True)
class Check:
    """One check.

    Attributes
    ----------
    check : str
    state : {"ok", "refused", "unknown", "problem"}
        ``refused``: these credentials may not do it. ``unknown``: it could not be found out.
    found : str
    next : str
        What to do next; may be empty.
    """

    check: str
    state: State
    found: str
    next: str = ""


@shown_as(doctor_card, text=False)
class DoctorReport:
    """What the doctor found.

    Attributes
    ----------
    checks : tuple of Check
    plan : ProbePlan or None
        What probing the queue would do; None when no probing was asked for.
    probes : ProbeReport or None
        What the probes found; None without consent.
    calls : int
        Requests made in all.
    """

    def __init__(
        self,
        checks: Sequence[Check],
        *,
        plan: ProbePlan | None = None,
        probes: ProbeReport | None = None,
        calls: int = 0,
    ) -> None:
        self.checks = tuple(checks)
        self.plan = plan
        self.probes = probes
        self.calls = calls

    @property
    def ok(self) -> bool:
        """Whether there is no problem; a right that is missing is none."""
        return all(check.state != "problem" for check in self.checks)

    def frame(self) -> pd.DataFrame:
        """Return the checks as a DataFrame.

        Returns
        -------
        DataFrame
            Columns ``check``, ``state`` (ok, refused, unknown, problem), ``found`` and ``next``, all str; one row a check. The
            probes have a frame of their own: ``report.probes.frame()``.
        """
        from courier_nb.frames.display import foreign_frame

        rows = [(check.check, check.state, check.found, check.next) for check in self.checks]
        return foreign_frame(rows, dict.fromkeys(("check", "state", "found", "next"), "str"))

    def __len__(self) -> int:
        return len(self.checks)

    def __iter__(self) -> Iterator[Check]:
        return iter(self.checks)

    def __repr__(self) -> str:
        from courier_nb.frames.text import plain

        widest = max((len(plain(check.check)) for check in self.checks), default=0)
        lines = []
        for check in self.checks:
            lines.append(f"{check.state:<8} {plain(check.check):<{widest}}  {plain(check.found)}")
            if check.next:
                lines.append(f"{'':<{widest + 11}}→ {plain(check.next)}")
        counts = ", ".join(f"{count} {state}" for state, count in Counter(check.state for check in self.checks).items())
        lines.append(f"{counts}; {self.calls} calls.")
        if self.probes is not None:
            lines += ["", repr(self.probes)]
        elif self.plan is not None:
            lines += ["", repr(self.plan), "Nothing of this was done: it needs consent=True."]
        return "\n".join(lines)
