"""Proof, without the broker, that a capture is complete: every byte of it is covered by a checksum."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from courier_nb.core.cards import shown_as
from courier_nb.core.errors import CaptureDamaged, CaptureError
from courier_nb.frames.display import foreign
from courier_nb.storage import disk, parts
from courier_nb.storage.cards import verification_card
from courier_nb.storage.chain import is_torn, read_chain
from courier_nb.storage.layout import Layout, check_identity
from courier_nb.storage.manifest import Manifest, Part, State, readable_state
from courier_nb.storage.spool import read_spool

_TRIES = 3


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
    rows: int = 0
    acked: int = 0
    what: str = ""


@shown_as(verification_card)
@dataclass(frozen=True, slots=True)
class Verification:
    """The result of checking a capture.

    Attributes
    ----------
    findings : tuple of Finding
        One for each file that belongs to the capture, and for each that does not.
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
        rows = [(f.file, f.ok, f.rows, f.acked, f.what) for f in self.findings]
        return foreign(pd.DataFrame(rows, columns=["file", "ok", "rows", "acked", "what"]))

    def __repr__(self) -> str:
        damaged = [finding.file for finding in self.findings if not finding.ok]
        state = "complete" if self.ok else f"DAMAGED: {', '.join(damaged)}"
        return f"<Verification: {self.rows} messages, {self.acked} acknowledged, {len(self.findings)} files, {state}>"


def verify_layout(layout: Layout) -> Verification:
    """Check every file of a capture; changes nothing."""
    manifest = Manifest(layout)
    for _ in range(_TRIES):
        before = readable_state(manifest)
        found = Verification(tuple(_findings(layout, before)))
        if found.ok or readable_state(manifest).parts.keys() == before.parts.keys():
            break  # otherwise another process has merged parts meanwhile
    return found


def _findings(layout: Layout, state: State) -> Iterator[Finding]:
    yield _check_identity(layout)
    manifest = _check_chain(layout, layout.manifest) if layout.manifest.exists() else None
    missing = _missing_manifest(layout)
    if missing is not None:
        yield missing
    # With a damaged manifest nobody can say which parts should be there: then only what is wrong with the others is named.
    is_whole = manifest is None or manifest.ok
    for part in state.parts.values():
        if is_whole or layout.part(part.stem).exists():
            yield _check_part(layout, part)
    for stem in layout.spool_stems():
        yield _check_spool(layout, state, stem)
    for path in sorted(layout.root.rglob("*.parquet")):
        is_part = path.parent == layout.root and path.stem in state.parts
        if is_whole and not path.is_relative_to(layout.inner) and not is_part:
            yield _check_other_part(layout, state, path)
    for path in sorted(layout.inner.rglob("*")):
        if path.is_dir() or path == layout.identity_file or (path.parent == layout.spools and path.suffix == ".spool"):
            continue
        found = _check_inner(layout, state, path)
        if found is not None:
            yield found


def _missing_manifest(layout: Layout) -> Finding | None:
    if Manifest(layout).is_missing:
        return Finding(_name(layout, layout.manifest), False, what="missing: it should name the parts that are there")
    return None


def _check_identity(layout: Layout) -> Finding:
    name = _name(layout, layout.identity_file)
    try:
        check_identity(layout)
    except FileNotFoundError:
        return Finding(name, False, what="missing")
    except CaptureError as error:
        return Finding(name, False, what=str(error))
    return Finding(name, True)


def _check_part(layout: Layout, part: Part) -> Finding:
    path, acked = layout.part(part.stem), part.settlements["acked"]
    name, what = path.name, ""
    if not path.exists():
        if layout.part_aside(part.stem).exists():
            path, what = layout.part_aside(part.stem), "unfinished: it is not yet renamed; open the capture to do so"
        elif layout.spool(part.stem).exists():
            return Finding(name, True, what="unfinished: its spool is there and will be turned into it")
        else:
            return Finding(name, False, part.rows, acked, "missing")
    try:
        if disk.sha256(path) != part.sha256:
            return Finding(name, False, part.rows, acked, "its checksum does not hold: it was changed or damaged")
        found = Counter(_outcomes(path))
    except FileNotFoundError:
        return Finding(name, False, part.rows, acked, "missing")
    except (OSError, CaptureDamaged) as error:
        return Finding(name, False, part.rows, acked, f"cannot be read: {error}")
    if found != {(run, kind): rows for run, counts in part.runs.items() for kind, rows in counts.items()}:
        return Finding(name, False, part.rows, acked, f"holds {found.total()} messages, the manifest says {part.rows}")
    return Finding(name, True, part.rows, acked, what)


def _outcomes(path: Path) -> Iterator[tuple[str, str]]:
    for batch in parts.read_batches(path, ["run", "settlement"]):
        yield from zip(batch["run"].to_pylist(), batch["settlement"].to_pylist(), strict=True)


def _check_spool(layout: Layout, state: State, stem: str) -> Finding:
    path = layout.spool(stem)
    name = _name(layout, path)
    rows = acked = 0
    try:
        for answer in read_spool(path):
            rows += len(answer.messages)
            acked += (answer.settlements or []).count("acked")
    except CaptureDamaged as error:
        return Finding(name, False, rows, acked, str(error))
    except FileNotFoundError:
        return Finding(name, True, what="turned into its part while it was looked at")
    located = state.locate(stem)
    if located is not None and layout.part(located[0].stem).exists():
        return Finding(name, True, what="already in its part; a crash left it behind")
    return Finding(name, True, rows, acked, "not yet turned into a part: open the capture to do so")


def _check_other_part(layout: Layout, state: State, path: Path) -> Finding:
    name = _name(layout, path)
    part = state.replaced.get(path.stem) if path.parent == layout.root else None
    if part is None:
        return Finding(name, False, what="not written by this capture: the manifest does not name it")
    if disk.sha256(path) != part.sha256:
        return Finding(name, False, what="its checksum does not hold: it was changed or damaged")
    return Finding(name, True, what="already merged into another part; a crash left it behind")


def _check_inner(layout: Layout, state: State, path: Path) -> Finding | None:
    name = _name(layout, path)
    if path.parent == layout.damaged and path.suffix == ".spool":
        return Finding(name, False, what="a record of it does not hold; the others are in a part")
    if path.parent == layout.aside and path.suffix in (".parquet", ".json"):
        return (
            None if path.stem in state.parts else Finding(name, True, what="was being written when it was cut off: worth nothing")
        )
    if path.parent in (layout.inner, layout.spools) and path.suffix == ".lock":
        return Finding(name, False, what="a lock has no content") if _size(path) else None
    if path.parent == layout.inner and path.suffix == ".jsonl":
        return _check_chain(layout, path)
    return Finding(name, False, what="not written by courier_nb")


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:  # whoever held the lock has let go of it
        return 0


def _check_chain(layout: Layout, path: Path) -> Finding:
    name = _name(layout, path)
    try:
        for _ in read_chain(path):
            pass
        if path == layout.manifest:
            Manifest(layout).state()
    except CaptureDamaged as error:
        return Finding(name, False, what=str(error))
    return Finding(name, True, what="its last line was cut off while it was written" if is_torn(path) else "")


def _name(layout: Layout, path: Path) -> str:
    return path.relative_to(layout.root).as_posix()
