"""The folder of a capture.

::

    DIR/
      20261123T091500123456-3f9a1c2e-00001.parquet   parts: complete or absent, never changed
      _courier/                                      hidden from readers of Parquet folders by its underscore
        capture.json                                 what this folder is
        manifest.jsonl                               which parts belong to it, and what is in them
        spool/<part>.spool                           answers of the broker as they came, flushed before anything is acknowledged
        spool/<part>.lock                            held by the process that writes the spool
        aside/                                       files being written
        damaged/                                     spools in which a record does not hold
        ledger.jsonl                                 what has been replayed from here
        *.lock                                       empty; held by whoever writes what they are named after
"""

from __future__ import annotations

import json
import uuid
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import blake2b
from pathlib import Path
from typing import Any

from filelock import FileLock

from courier_nb.core.errors import CaptureDamaged, CaptureError
from courier_nb.storage import disk

FORMAT = "courier_nb capture"
VERSION = 2


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
    def manifest(self) -> Path:
        return self.inner / "manifest.jsonl"

    @property
    def spools(self) -> Path:
        return self.inner / "spool"

    @property
    def aside(self) -> Path:
        return self.inner / "aside"

    @property
    def damaged(self) -> Path:
        return self.inner / "damaged"

    @property
    def ledger(self) -> Path:
        return self.inner / "ledger.jsonl"

    @property
    def compacting(self) -> Path:
        """Held by the process that merges parts."""
        return self.inner / "compacting.lock"

    def part(self, stem: str) -> Path:
        return self.root / f"{stem}.parquet"

    def part_aside(self, stem: str) -> Path:
        return self.aside / f"{stem}.parquet"

    def spool(self, stem: str) -> Path:
        return self.spools / f"{stem}.spool"

    def lock(self, stem: str) -> Path:
        return self.spools / f"{stem}.lock"

    def spool_stems(self) -> list[str]:
        return sorted(path.stem for path in self.spools.glob("*.spool"))


def place_of(stem: str) -> tuple[str, int]:
    """Return the run that a spool belongs to, and its number in it."""
    run, _, count = stem.rpartition("-")
    return (run, int(count)) if run and count.isdecimal() else (stem, 0)


def open_layout(root: Path) -> Layout:
    """Return the layout of an existing capture.

    Raises
    ------
    CaptureError
        When the folder is not there or is not a capture.
    CaptureDamaged
        When the file that says what it is does not hold.
    """
    layout = Layout(root)
    if not layout.identity_file.is_file():
        what = "is not a capture of courier_nb" if root.exists() else "does not exist"
        raise CaptureError(f"{root} {what} (no _courier/capture.json in it): name a folder that drain() wrote.", path=root)
    check_identity(layout)
    return layout


def check_identity(layout: Layout) -> None:
    """Check the file that says what the folder is.

    Raises
    ------
    CaptureError, CaptureDamaged
    """
    path = layout.identity_file
    content = path.read_bytes()
    try:
        identity = json.loads(content)
        version = identity["version"]
        is_ours = identity["format"] == FORMAT and isinstance(version, int)
    except (ValueError, TypeError, KeyError):
        is_ours = False
    if not is_ours:
        raise CaptureDamaged(f"{path} is damaged: it does not say {FORMAT!r}.", path=path)
    if version != VERSION:
        raise CaptureError(
            f"{layout.root} was written by another courier_nb (format {version}, this one reads {VERSION}): use that one.",
            path=layout.root,
        )
    if content != _sealed({name: value for name, value in identity.items() if name != "hash"}):
        raise CaptureDamaged(f"{path} is damaged: its hash does not hold.", path=path)


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
    for folder in (layout.inner, layout.spools, layout.aside):
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    with FileLock(layout.inner / "capture.lock", mode=0o600):
        if not layout.identity_file.is_file():
            identity = {"format": FORMAT, "version": VERSION, "id": str(uuid.uuid4()), "created": datetime.now(UTC).isoformat()}
            disk.write_whole(layout.identity_file, _sealed(identity), aside=layout.aside / "capture.json")
    for folder in (layout.inner, root, root.parent, *(folder.parent for folder in made)):
        disk.flush_folder(folder)
    return open_layout(root)


def _sealed(identity: dict[str, Any]) -> bytes:
    digest = blake2b(json.dumps(identity).encode(), digest_size=16).hexdigest()
    return json.dumps({**identity, "hash": digest}, indent=1).encode() + b"\n"
