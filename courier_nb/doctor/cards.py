"""What the doctor's reports show of themselves."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from courier_nb.core.cards import Card, Table, counted

if TYPE_CHECKING:
    from courier_nb.doctor.findings import ProbeReport
    from courier_nb.doctor.report import DoctorReport

_FIRST = {"problem": 0, "refused": 1, "unknown": 2, "ok": 3}


def doctor_card(report: DoctorReport) -> Card:
    """The checks, problems first."""
    checks = sorted(report.checks, key=lambda check: _FIRST[check.state])
    rows = [(check.state, check.check, check.found, check.next) for check in checks]
    counts = counted(Counter(check.state for check in checks))
    notes = []
    if report.probes is not None:
        notes.append(f"Probes of queue {report.probes.queue!r}: report.probes shows them.")
    elif report.plan is not None:
        notes.append(f"Probing {report.plan.queue!r} was not done: it needs consent=True; report.plan says what it would do.")
    table = Table(("state", "check", "found", "what to do"), rows, len(rows), "Checks, problems first")
    return Card(f"Doctor: {counts or 'no checks'}", [("calls", report.calls)], table, notes)


def probes_card(report: ProbeReport) -> Card:
    """The probes, those that differ from the switches first."""
    findings = sorted(report.findings, key=lambda item: item.verdict != "differs")
    rows = [(item.verdict, item.probe, item.answer or item.why) for item in findings]
    facts: list[tuple[str, object]] = [
        ("calls", report.calls),
        ("stopped early", report.stopped),
        ("messages of the doctor left there", report.left or None),
    ]
    table = Table(("verdict", "probe", "answer"), rows, len(rows), "Probes")
    return Card(f"Probes of queue {report.queue!r}: {counted(Counter(item.verdict for item in findings))}", facts, table)
