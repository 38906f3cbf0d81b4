"""The folder of a capture.

::

    DIR/
      20261123T091500-3f9a1c2e-00001.parquet    parts: complete or absent, never changed
      _courier/                                 hidden from readers of Parquet folders by its underscore
        capture.json                            what this folder is
        parts/<part>.json                       rows, settlements and checksum of each part, written before the part appears
        spool/<part>.spool                      answers of the broker as they came, flushed before anything is acknowledged
        spool/<part>.lock                       held by the process that writes the spool
        aside/                                  files being written; worth nothing after a crash
        ledger.sqlite                           what has been replayed from here
"""

from __future__ import annotations

import json
import uuid
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from courier_nb.core.errors import CaptureDamaged, CaptureError
from courier_nb.storage import disk

FORMAT = "courier_nb capture"
VERSION = 1


@dataclass(frozen=True, slots=True)
class Layout:
    """Paths inside a capture's folder."""

    root: Path

    @property
    def inner(self) -> Path:
        return self.root / "_courier"

    @property
    def identity_file(self) -> Path:
        return self.inner / "capture.json"

    @property
    def sidecars(self) -> Path:
        return self.inner / "parts"

    @property
    def spools(self) -> Path:
        return self.inner / "spool"

    @property
    def aside(self) -> Path:
        return self.inner / "aside"

    @property
    def ledger(self) -> Path:
        return self.inner / "ledger.sqlite"

    def part(self, stem: str) -> Path:
        return self.root / f"{stem}.parquet"

    def sidecar(self, stem: str) -> Path:
        return self.sidecars / f"{stem}.json"

    def spool(self, stem: str) -> Path:
        return self.spools / f"{stem}.spool"

    def lock(self, stem: str) -> Path:
        return self.spools / f"{stem}.lock"

    def part_stems(self) -> list[str]:
        """Return the names of all parts that should be there, oldest first."""
        return sorted(path.stem for path in self.sidecars.glob("*.json"))

    def spool_stems(self) -> list[str]:
        return sorted(path.stem for path in self.spools.glob("*.spool"))


@dataclass(frozen=True, slots=True)
class Sidecar:
    """What was written into a part.

    Attributes
    ----------
    stem : str
    rows : int
    size : int
        Bytes.
    sha256 : str
    settlements : dict of str to int
        Rows by what became of their message.
    """

    stem: str
    rows: int
    size: int
    sha256: str
    settlements: dict[str, int]

    def to_json(self) -> bytes:
        content = {"rows": self.rows, "size": self.size, "sha256": self.sha256, "settlements": self.settlements}
        return json.dumps(content, indent=1).encode()


def open_layout(root: Path) -> Layout:
    """Return the layout of an existing capture.

    Raises
    ------
    CaptureError
        When the folder is not there or is not a capture.
    """
    layout = Layout(root)
    if not layout.identity_file.is_file():
        what = "is not a capture of courier_nb" if root.exists() else "does not exist"
        raise CaptureError(f"{root} {what} (no _courier/capture.json in it): name a folder that drain() wrote.", path=root)
    identity = _read_json(layout.identity_file)
    if identity.get("format") != FORMAT or not isinstance(identity.get("version"), int):
        raise CaptureDamaged(f"{layout.identity_file} is damaged: it does not say {FORMAT!r}.", path=layout.identity_file)
    if identity["version"] > VERSION:
        raise CaptureError(
            f"{root} was written by a newer courier_nb (format {identity['version']}, this one reads {VERSION}): update it.",
            path=root,
        )
    return layout


def create_layout(root: Path) -> Layout:
    """Make `root` a capture, or return the one that it is.

    Raises
    ------
    CaptureError
        When the folder holds something else.
    """
    layout = Layout(root)
    if layout.identity_file.is_file():
        return open_layout(root)
    if root.exists() and (not root.is_dir() or any(path.name != "_courier" for path in root.iterdir())):
        raise CaptureError(f"{root} holds other things: name a new or empty folder, or an existing capture.", path=root)
    made = [folder for folder in (root, *root.absolute().parents) if not folder.exists()]
    for folder in (layout.inner, layout.sidecars, layout.spools, layout.aside):
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    identity = {"format": FORMAT, "version": VERSION, "id": str(uuid.uuid4()), "created": datetime.now(UTC).isoformat()}
    content = json.dumps(identity, indent=1).encode()
    disk.write_whole(layout.identity_file, content, aside=layout.aside / f"capture-{uuid.uuid4().hex}.json")
    for folder in (layout.inner, root, root.parent, *(folder.parent for folder in made)):
        disk.flush_folder(folder)
    return layout


def read_sidecar(layout: Layout, stem: str) -> Sidecar:
    """Return what should be in a part.

    Raises
    ------
    CaptureDamaged
        When its description cannot be read.
    """
    path = layout.sidecar(stem)
    content = _read_json(path)
    try:
        settlements = {str(key): int(value) for key, value in content["settlements"].items()}
        return Sidecar(stem, int(content["rows"]), int(content["size"]), str(content["sha256"]), settlements)
    except (KeyError, TypeError, ValueError, AttributeError):
        raise CaptureDamaged(f"{path} is damaged: it does not describe a part.", path=path) from None


def _read_json(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_bytes())
    except ValueError:
        raise CaptureDamaged(f"{path} is damaged: it is not JSON.", path=path) from None
    if not isinstance(content, dict):
        raise CaptureDamaged(f"{path} is damaged: it is not a JSON object.", path=path)
    return content
