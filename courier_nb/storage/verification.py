"""Proof, without the broker, that a capture is complete."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from courier_nb.core.errors import CaptureDamaged
from courier_nb.storage import disk
from courier_nb.storage.layout import Layout, read_sidecar
from courier_nb.storage.spool import read_spool


@dataclass(frozen=True, slots=True)
class Finding:
    """What is so with one file.

    Attributes
    ----------
    file : str
        Path inside the capture.
    ok : bool
    rows : int
        Messages in it.
    acked : int
        Messages in it whose acknowledgement the broker confirmed.
    what : str
        In words; empty when all is well.
    """

    file: str
    ok: bool
    rows: int
    acked: int
    what: str = ""


@dataclass(frozen=True, slots=True)
class Verification:
    """The result of checking a capture.

    Attributes
    ----------
    findings : tuple of Finding
        One for each part, spool and foreign file.
    """

    findings: tuple[Finding, ...]

    @property
    def ok(self) -> bool:
        """Whether every acknowledged message is in a file whose checksum holds."""
        return all(finding.ok for finding in self.findings)

    @property
    def rows(self) -> int:
        """Messages in all files."""
        return sum(finding.rows for finding in self.findings)

    @property
    def acked(self) -> int:
        """Messages whose acknowledgement the broker confirmed."""
        return sum(finding.acked for finding in self.findings)

    def frame(self) -> pd.DataFrame:
        """Return one row a file: file, ok, rows, acked, what."""
        return pd.DataFrame(
            [(f.file, f.ok, f.rows, f.acked, f.what) for f in self.findings], columns=["file", "ok", "rows", "acked", "what"]
        )

    def __repr__(self) -> str:
        damaged = [finding.file for finding in self.findings if not finding.ok]
        state = "complete" if self.ok else f"DAMAGED: {', '.join(damaged)}"
        return f"<Verification: {self.rows} messages, {self.acked} acknowledged, {len(self.findings)} files, {state}>"


def verify_layout(layout: Layout) -> Verification:
    """Check every file of a capture; changes nothing."""
    stems = layout.part_stems()
    findings = [_check_part(layout, stem) for stem in stems]
    findings += [_check_spool(layout, stem) for stem in layout.spool_stems()]
    for path in sorted(layout.root.glob("*.parquet")):
        if path.stem not in stems:
            findings.append(Finding(path.name, False, 0, 0, "not written by this capture: it has no description"))
    return Verification(tuple(findings))


def _check_part(layout: Layout, stem: str) -> Finding:
    path = layout.part(stem)
    name = path.name
    try:
        sidecar = read_sidecar(layout, stem)
    except CaptureDamaged:
        return Finding(str(layout.sidecar(stem).relative_to(layout.root)), False, 0, 0, "its description is damaged")
    acked = sidecar.settlements.get("acked", 0)
    if not path.exists():
        if layout.spool(stem).exists():
            return Finding(name, True, 0, 0, "unfinished: its spool is there and will be turned into it")
        return Finding(name, False, sidecar.rows, acked, "missing")
    if disk.sha256(path) != sidecar.sha256:
        return Finding(name, False, sidecar.rows, acked, "its checksum does not hold: it was changed or damaged")
    if sum(sidecar.settlements.values()) != sidecar.rows:
        return Finding(name, False, sidecar.rows, acked, "its description does not add up")
    try:
        with pq.ParquetFile(path) as file:
            rows = file.metadata.num_rows
            settled = Counter(file.read(columns=["settlement"])["settlement"].to_pylist())
    except (OSError, pa.ArrowException):
        return Finding(name, False, sidecar.rows, acked, "cannot be read as Parquet")
    if rows != sidecar.rows or dict(settled) != sidecar.settlements:
        return Finding(name, False, sidecar.rows, acked, f"holds {rows} messages, its description says {sidecar.rows}")
    return Finding(name, True, rows, acked)


def _check_spool(layout: Layout, stem: str) -> Finding:
    path = layout.spool(stem)
    name = str(path.relative_to(layout.root))
    if layout.part(stem).exists():
        return Finding(name, True, 0, 0, "already in its part; a crash left it behind")
    rows = acked = 0
    try:
        for answer in read_spool(path):
            rows += len(answer.messages)
            acked += (answer.settlements or []).count("acked")
    except CaptureDamaged as error:
        return Finding(name, False, rows, acked, str(error))
    return Finding(name, True, rows, acked, "not yet turned into a part: open the capture to do so")
