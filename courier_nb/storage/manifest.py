"""The manifest: which parts a capture consists of. A part is in the capture when its line is there, and not before."""

from __future__ import annotations

import contextlib
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from courier_nb.core.errors import CaptureDamaged
from courier_nb.storage.chain import ChainLog, read_chain, unsealed
from courier_nb.storage.layout import Layout

_NOT_A_PART = (KeyError, TypeError, ValueError, AttributeError)
_STEM = re.compile(r"[A-Za-z0-9][A-Za-z0-9-]{0,120}")


@dataclass(frozen=True, slots=True)
class Part:
    """What was written into a part.

    Attributes
    ----------
    stem : str
        Its file's name without the ending.
    rows : int
    size : int
        Bytes.
    sha256 : str
    runs : mapping of str to mapping of str to int
        Rows by the run that captured them, and by what became of their message.
    place : tuple of (str, int)
        Where it stands in the order of arrival: a run, and a number in it.
    replaces : tuple of str
        Parts whose rows it holds, in their order.
    """

    stem: str
    rows: int
    size: int
    sha256: str
    runs: Mapping[str, Mapping[str, int]]
    place: tuple[str, int]
    replaces: tuple[str, ...] = ()

    @property
    def settlements(self) -> Counter[str]:
        """Rows by what became of their message."""
        return sum((Counter(counts) for counts in self.runs.values()), Counter())


@dataclass(slots=True)
class State:
    """The manifest at one time.

    Attributes
    ----------
    parts : dict of str to Part
        What the capture consists of, in the order of arrival.
    replaced : dict of str to Part
        What it no longer consists of.
    """

    parts: dict[str, Part] = field(default_factory=dict)
    replaced: dict[str, Part] = field(default_factory=dict)
    _moved: dict[str, tuple[str, int]] = field(default_factory=dict)
    _ranks: dict[str, int] = field(default_factory=dict)

    def locate(self, stem: str) -> tuple[Part, int] | None:
        """Return the part that holds the rows of `stem` now, and the row there at which they begin; None if unknown."""
        start = 0
        while stem in self._moved:
            stem, offset = self._moved[stem]
            start += offset
        part = self.parts.get(stem)
        return None if part is None else (part, start)

    def add(self, part: Part) -> None:
        """Take a line in.

        Raises
        ------
        ValueError
            When it does not fit what was there before.
        """
        if part.stem in self.parts or part.stem in self.replaced or not set(part.replaces) <= self.parts.keys():
            raise ValueError(part.stem)
        start = 0
        for stem in part.replaces:
            self._moved[stem] = (part.stem, start)
            self.replaced[stem] = self.parts.pop(stem)
            start += self.replaced[stem].rows
        self.parts[part.stem] = part
        self._ranks.setdefault(part.place[0], len(self._ranks))

    def in_order(self) -> State:
        """Return the same with the parts in the order of arrival: by the first line of their run, then by their number."""
        ordered = sorted(self.parts.values(), key=lambda part: (self._ranks[part.place[0]], part.place[1], part.stem))
        self.parts = {part.stem: part for part in ordered}
        return self


class Manifest:
    """The manifest of one capture; several processes may write it."""

    def __init__(self, layout: Layout) -> None:
        self.path = layout.manifest
        self._layout = layout
        self._log = ChainLog(layout.manifest)
        self._state = State()
        self._seen: tuple[int, int] | None = None

    def state(self) -> State:
        """Return what it says now; the same object as before if nothing was added.

        Raises
        ------
        CaptureDamaged
        """
        try:
            found = self.path.stat()
        except FileNotFoundError:
            if self.is_missing:
                raise CaptureDamaged(
                    f"{self.path} is missing, and there are parts that it should name.", path=self.path
                ) from None
            return self._state
        seen = (found.st_size, found.st_mtime_ns)
        if seen != self._seen:
            state = State()
            for number, entry in enumerate(read_chain(self.path), start=1):
                try:
                    state.add(_part(entry))
                except _NOT_A_PART:
                    raise CaptureDamaged(
                        f"{self.path} is damaged at line {number}: it does not describe a part.", path=self.path
                    ) from None
            self._state, self._seen = state.in_order(), seen
        return self._state

    @property
    def is_missing(self) -> bool:
        """Whether there are parts and it is not there."""
        # A part gets its name when its line is on the disk, so no crash leaves one without the other.
        return any(self._layout.root.glob("*.parquet")) and not self.path.exists()

    def add(self, part: Part) -> None:
        """Make a part belong to the capture, in place of those that it replaces; returns when that is on the disk.

        Raises
        ------
        OSError, CaptureDamaged
        """
        self._log.append(
            [
                {
                    "part": part.stem,
                    "rows": part.rows,
                    "size": part.size,
                    "sha256": part.sha256,
                    "settlements": part.settlements,
                    "runs": part.runs,
                    "place": part.place,
                    **({"replaces": part.replaces} if part.replaces else {}),
                }
            ]
        )


def readable_state(manifest: Manifest) -> State:
    """Return what the manifest says as far as it can be read, for finding out what else is damaged."""
    state = State()
    if manifest.path.exists():
        with manifest.path.open("rb") as file:
            for line in file:
                entry = unsealed(line)
                with contextlib.suppress(*_NOT_A_PART):
                    if entry is not None:
                        state.add(_part(entry))
    return state.in_order()


def _part(entry: Mapping[str, Any]) -> Part:
    runs = {str(run): {str(kind): int(rows) for kind, rows in counts.items()} for run, counts in entry["runs"].items()}
    run, count = entry["place"]
    part = Part(
        _stem(entry["part"]),
        int(entry["rows"]),
        int(entry["size"]),
        str(entry["sha256"]),
        runs,
        (str(run), int(count)),
        _stems(entry.get("replaces", ())),
    )
    if part.rows != part.settlements.total() or entry["settlements"] != part.settlements:
        raise ValueError(part.stem)
    return part


def _stems(values: Sequence[object]) -> tuple[str, ...]:
    return tuple(_stem(value) for value in values)


def _stem(value: object) -> str:
    # It becomes the name of a file to read and to remove, so it must stay inside the folder.
    if not isinstance(value, str) or not _STEM.fullmatch(value):
        raise ValueError(value)
    return value
