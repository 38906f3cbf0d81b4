"""What captures, their checks, exports and the journal show of themselves. Never bodies, properties or lock ids."""

from __future__ import annotations

from typing import TYPE_CHECKING

from courier_nb.core.cards import Card, Table, counted
from courier_nb.core.units import human_bytes

if TYPE_CHECKING:
    from courier_nb.storage.capture import Capture
    from courier_nb.storage.foreign.export import ExportReport
    from courier_nb.storage.journal.journal import Journal
    from courier_nb.storage.journal.proof import JournalProof
    from courier_nb.storage.verification import Verification

Facts = list[tuple[str, object]]


def capture_card(capture: Capture) -> Card:
    """Where it is, how many messages, and what became of them."""
    facts: Facts = [
        ("folder", capture.path.absolute()),
        ("became", counted(dict(sorted(capture.settlements.items())))),
        ("runs", len(capture.runs)),
        ("second copies, not shown", capture.duplicates or None),
        ("finished from an earlier run", capture.recovered_rows or None),
        ("spools still being written", capture.unfinished or None),
    ]
    if capture.report is not None:
        facts += [("stopped because", capture.report.stopped_because), ("calls", capture.report.calls)]
    return Card(f"Capture of {len(capture)} messages", facts)


def verification_card(found: Verification) -> Card:
    """Whether it is whole, and the first files that are not."""
    damaged = [(finding.file, finding.what) for finding in found.findings if not finding.ok]
    facts: Facts = [("messages", found.rows), ("acknowledged", found.acked), ("files", len(found.findings))]
    state = "every checksum holds" if found.ok else f"DAMAGED, {len(damaged)} findings"
    return Card(f"Verification: {state}", facts, Table(("file", "what"), damaged, len(damaged), "Damaged"))


def export_card(report: ExportReport) -> Card:
    """Where the file is, and what it does not hold as it is."""
    facts: Facts = [
        ("file", report.path.absolute()),
        ("changed cells", counted(report.changed)),
        ("messages left out", report.left_out or None),
    ]
    notes = [] if report.ok else ["Something is missing in the file: report.cells and report.reasons say what."]
    return Card(f"Export of {report.rows} messages", facts, notes=notes)


def journal_card(journal: Journal) -> Card:
    """Where it is, and its files."""
    files = [(path.name, human_bytes(path.stat().st_size)) for path in reversed(journal.months.paths())]
    return Card("Journal", [("folder", journal.folder)], Table(("file", "size"), files, len(files), "Months, the newest first"))


def proof_card(proof: JournalProof) -> Card:
    """Whether every line holds, and the first that do not."""
    rows = [(finding.file, finding.line, finding.what) for finding in proof.findings]
    facts: Facts = [("folder", proof.folder), ("lines", proof.lines), ("files", proof.files)]
    state = "every line holds" if proof.ok else f"DAMAGED, {len(rows)} findings"
    return Card(f"Journal: {state}", facts, Table(("file", "line", "what"), rows, len(rows), "Damaged"))
