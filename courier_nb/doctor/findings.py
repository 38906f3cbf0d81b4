"""What the probes would do, and what they found: one row a probe."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from courier_nb.core.cards import shown_as
from courier_nb.doctor.cards import probes_card

if TYPE_CHECKING:
    import pandas as pd

Verdict = Literal["agrees", "differs", "not found out", "no switch"]


@dataclass(frozen=True, slots=True)
class PlannedProbe:
    """A probe that would be made.

    Attributes
    ----------
    probe, does : str
        Its name, and what it does to the queue.
    calls : int
        Calls that it makes at most.
    """

    probe: str
    does: str
    calls: int


@dataclass(frozen=True, slots=True)
class ProbePlan:
    """What probing a queue would do.

    Attributes
    ----------
    queue : str
    probes : tuple of PlannedProbe
    not_tried : dict of str to str
        Probe -> why it would not be made.
    """

    queue: str
    probes: tuple[PlannedProbe, ...]
    not_tried: dict[str, str]

    @property
    def calls(self) -> int:
        """Calls in all, at most; calls to the broker are billed."""
        return sum(probe.calls for probe in self.probes)

    def __repr__(self) -> str:
        widest = max((len(probe.probe) for probe in self.probes), default=0)
        lines = [
            f"Probing queue {self.queue!r} publishes messages of its own (a few bytes each, marked), receives them and deletes "
            f"them again: at most {self.calls} calls.",
            "A message that anybody else sends there meanwhile may lose a delivery; it is returned, and the probing stops.",
        ]
        lines += [f"  {probe.probe:<{widest}}  {probe.does} ({probe.calls})" for probe in self.probes]
        if self.not_tried:
            lines.append("Not tried:")
            lines += [f"  {probe:<{widest}}  {why}" for probe, why in self.not_tried.items()]
        return "\n".join(lines)


@dataclass(frozen=True, slots=True)
class Finding:
    """What one probe found.

    Attributes
    ----------
    probe, question : str
    answer : str
        Empty when it could not be found out.
    switch : str or None
        The switch of the local broker that this answers.
    present : object
        What that switch says now.
    values : tuple
        What the switch may be after this answer: one value when the answer is certain.
    verdict : {"agrees", "differs", "not found out", "no switch"}
    why : str
        Why it could not be found out.
    raw : str
        Statuses and status messages as they were seen.
    """

    probe: str
    question: str
    answer: str
    switch: str | None
    present: Any
    values: tuple[Any, ...]
    verdict: Verdict
    why: str = ""
    raw: str = ""


@shown_as(probes_card, text=False)
class ProbeReport:
    """What the probes found on a throw-away queue.

    Attributes
    ----------
    queue : str
    findings : tuple of Finding
    stopped : str
        Why the probing ended early; empty when it did not.
    left : int
        Messages of its own that may still be in the queue.
    calls : int
        Requests made.
    """

    def __init__(self, queue: str, findings: Sequence[Finding], *, stopped: str = "", left: int = 0, calls: int = 0) -> None:
        self.queue = queue
        self.findings = tuple(findings)
        self.stopped = stopped
        self.left = left
        self.calls = calls

    @property
    def answers(self) -> dict[str, Any]:
        """Switch -> value, for every switch whose value is certain now."""
        return {item.switch: item.values[0] for item in self.findings if item.switch and len(item.values) == 1}

    def frame(self) -> pd.DataFrame:
        """Return the findings as a DataFrame.

        Returns
        -------
        DataFrame
            Columns ``probe``, ``question``, ``answer``, ``switch``, ``present``, ``verdict`` (agrees, differs, not found out, no
            switch), ``why`` and ``raw``, all str; one row a probe. ``present`` is what the local broker's switch says now.
        """
        from courier_nb.frames.display import foreign_frame

        names = ["probe", "question", "answer", "switch", "present", "verdict", "why", "raw"]
        rows = [
            (
                item.probe,
                item.question,
                item.answer,
                item.switch,
                None if item.switch is None else str(item.present),
                item.verdict,
                item.why,
                item.raw,
            )
            for item in self.findings
        ]
        return foreign_frame(rows, dict.fromkeys(names, "str"))

    def write_broker(self, path: str | Path) -> dict[str, Any]:
        """Write the certain answers into the ``[switches]`` of a broker's TOML file; everything else in it stays as it is.

        Parameters
        ----------
        path : path
            A new file, or one that `courier_nb.broker.load_config` reads.

        Returns
        -------
        dict
            Switch -> value, as written.

        Raises
        ------
        ConfigError
            When the file is not a broker's, or cannot be written; it is as it was then.
        """
        from courier_nb.doctor.writing import write_switches

        write_switches(Path(path), self.answers)
        return self.answers

    def write_profile(self, name: str, *, home: Path | None = None) -> str:
        """Write the unit of lock changes as ``lock_ttl_unit`` into a profile of ``~/.anypoint/credentials``.

        Parameters
        ----------
        name : str
            A profile that exists; everything else in the file stays as it is.
        home : path, optional
            Stands in for the home folder.

        Returns
        -------
        str
            The unit: ``s`` or ``ms``.

        Raises
        ------
        ConfigError
            When the unit was not found out, or there is no such profile; the file is as it was then.
        """
        from courier_nb.doctor.writing import write_lock_ttl_unit

        return write_lock_ttl_unit(name, self.answers.get("lock_ttl_unit"), home or Path.home())

    def __len__(self) -> int:
        return len(self.findings)

    def __iter__(self) -> Iterator[Finding]:
        return iter(self.findings)

    def __repr__(self) -> str:
        from courier_nb.frames.text import plain

        widest = max((len(item.probe) for item in self.findings), default=0)
        lines = []
        for item in self.findings:
            lines.append(f"{item.verdict:<13} {item.probe:<{widest}}  {plain(item.answer or item.why)}{_beside(item)}")
            if item.raw:
                lines.append(f"{'':<{widest + 16}}{plain(item.raw)}")
        lines.append(f"{len(self.findings)} probes of queue {self.queue!r}, {self.calls} calls.")
        if self.stopped:
            lines.append(f"Stopped early: {plain(self.stopped)}")
        if self.left:
            lines.append(
                f"{self.left} messages of the doctor may still be in {self.queue!r} or its dead-letter queue: purge them."
            )
        return "\n".join(lines)


def _beside(item: Finding) -> str:
    return f"  [{item.switch} = {item.present}]" if item.switch else ""
