"""Checking a journal: which line of which file does not hold."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from courier_nb.core.cards import shown_as
from courier_nb.storage.cards import proof_card
from courier_nb.storage.chain import Head, has_seal, unsealed
from courier_nb.storage.journal.months import GAP, Months

_UNKNOWN = ""
"""Hash of a line that is damaged."""


@dataclass(frozen=True, slots=True)
class JournalFinding:
    """A damage.

    Attributes
    ----------
    file : str
        Name of the file in the journal's folder.
    line : int
        Line in that file, from 1; 0 for the file as a whole.
    what : str
    """

    file: str
    line: int
    what: str


@shown_as(proof_card)
@dataclass(frozen=True, slots=True)
class JournalProof:
    """What checking a journal found.

    Attributes
    ----------
    folder : str
    lines : int
        Number of the last line of the chain.
    hash : str
        Hash of that line; it covers all lines before it.
    files : int
    findings : tuple of JournalFinding
    """

    folder: str
    lines: int
    hash: str
    files: int
    findings: tuple[JournalFinding, ...] = ()

    @property
    def ok(self) -> bool:
        """Whether every line holds and none is missing."""
        return not self.findings

    def __repr__(self) -> str:
        state = "complete" if self.ok else f"DAMAGED ({len(self.findings)} findings)"
        return f"<JournalProof {self.folder!r}: {self.lines} lines in {self.files} files, {state}>"


def verify(months: Months) -> JournalProof:
    """Check every line of every file."""
    least = months.least()  # before the lines are read: others may be appending
    paths = months.paths()
    findings: list[JournalFinding] = []
    head = Head()
    for path in paths:
        head = _walk(path, head, least, findings, is_last=path == paths[-1])
    if least.n > head.n:
        file = paths[-1].name if paths else months.head_file.name
        findings.append(JournalFinding(file, 0, f"{_lines(head.n + 1, least.n)} of the journal are missing at its end"))
    if months.head_file.exists() and least == Head():
        findings.append(JournalFinding(months.head_file.name, 0, "it cannot be read, so that a missing end would not be noticed"))
    return JournalProof(str(months.folder), head.n, head.hash, len(paths), tuple(findings))


def _walk(path: Path, head: Head, least: Head, findings: list[JournalFinding], *, is_last: bool) -> Head:
    """Add what is wrong in a file to `findings` and return where the chain ends in it."""

    def found(position: int, what: str) -> None:
        findings.append(JournalFinding(path.name, position, what))

    with path.open("rb") as file:
        for position, line in enumerate(file, 1):
            entry = unsealed(line)
            if entry is None:
                if is_last and not line.endswith(b"\n") and not has_seal(line):
                    break  # it is being written, or was when the power went
                found(position, "its hash does not hold: it was changed or cut off")
                head = Head(head.n + 1, _UNKNOWN)
                continue
            number = entry["n"]
            if number > head.n + 1:
                found(position, f"{_lines(head.n + 1, number - 1)} of the journal are missing before it")
            elif number <= head.n or head.hash not in (_UNKNOWN, entry["prev"]):
                found(position, "it does not follow the line before it: it was moved, repeated or rewritten")
            if entry["kind"] == GAP:
                found(position, f"{_lines(entry['from'], entry['to'])} of the journal had been removed when it was written")
            if number == least.n and entry["hash"] != least.hash:
                found(position, f"another line was written as line {number} of the journal")
            head = Head(number, entry["hash"])
    return head


def _lines(first: int, last: int) -> str:
    return f"lines {first} to {last}"
