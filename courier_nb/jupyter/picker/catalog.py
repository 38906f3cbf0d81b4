"""The destinations that a picker offers. Pure: nothing is asked of anyone here."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from courier_nb.core.printable import plain
from courier_nb.wire.admin import DestinationInfo

KINDS = {"queue": "queue", "fifo-queue": "FIFO queue", "exchange": "exchange"}
"""Kind as the package names it -> in words."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A destination that can be picked.

    Attributes
    ----------
    id : str
    name : str
        The id as it is shown; no other entry of the same catalog has it.
    kind : {"queue", "FIFO queue", "exchange", ""}
        Empty when it is not known.
    dead_letter_queue : str or None
        Id of the queue that its dead letters go to.
    dead_letters_of : tuple of str
        Ids of the queues whose dead letters come here.
    max_deliveries : int or None
    is_fallback : bool
    used_at : datetime or None
        When it was last used, where only that is known of it.
    """

    id: str
    name: str
    kind: str = ""
    dead_letter_queue: str | None = None
    dead_letters_of: tuple[str, ...] = ()
    max_deliveries: int | None = None
    is_fallback: bool = False
    used_at: datetime | None = None

    @property
    def has_depth(self) -> bool:
        """Whether it can hold messages: an exchange hands them on."""
        return self.kind != "exchange"


class Catalog(Mapping[str, Entry]):
    """Entries by id, in the order in which they came.

    Parameters
    ----------
    entries : iterable of Entry
    is_whole : bool
        Whether these are all destinations of the region, as the service lists them.
    """

    def __init__(self, entries: Iterable[Entry] = (), *, is_whole: bool = False) -> None:
        self._entries = {entry.id: entry for entry in entries}
        self._ids = {entry.name: entry.id for entry in self._entries.values()}
        self.is_whole = is_whole

    def id_of(self, name: str) -> str:
        """Return the id of what is shown as `name`; what is not shown is its own id."""
        return self._ids.get(name, name)

    def name_of(self, id_: str) -> str:
        """Return how an id is shown."""
        entry = self._entries.get(id_)
        return plain(id_) if entry is None else entry.name

    def rows(self, now: datetime) -> list[dict[str, Any]]:
        """Return what a front end is told of each entry; what is not so is left out."""
        return [self._row(entry, now) for entry in self._entries.values()]

    def _row(self, entry: Entry, now: datetime) -> dict[str, Any]:
        target = entry.dead_letter_queue
        row = {
            "name": entry.name,
            "kind": entry.kind or None,
            "deadLetterQueue": None if target is None else self.name_of(target),
            "deadLettersOf": [self.name_of(source) for source in entry.dead_letters_of] or None,
            "maxDeliveries": entry.max_deliveries,
            "fallback": entry.is_fallback or None,
            "usedSecondsAgo": None if entry.used_at is None else max(0, round((now - entry.used_at).total_seconds())),
        }
        return {key: value for key, value in row.items() if value is not None}

    def __getitem__(self, id_: str) -> Entry:
        return self._entries[id_]

    def __iter__(self) -> Iterator[str]:
        return iter(self._entries)

    def __len__(self) -> int:
        return len(self._entries)


def listed(infos: Sequence[DestinationInfo]) -> Catalog:
    """Return the catalog of a listing, with the dead-letter links followed both ways."""
    sources: dict[str, dict[str, None]] = defaultdict(dict)
    for info in infos:
        if info.dead_letter_queue is not None:
            sources[info.dead_letter_queue][info.id] = None
    names = _distinct(info.id for info in infos)
    return Catalog(
        (
            Entry(
                info.id,
                names[info.id],
                KINDS[info.kind],
                info.dead_letter_queue,
                tuple(sorted({*info.dead_letter_sources, *sources[info.id]})),
                info.max_deliveries,
                info.is_fallback,
            )
            for info in sorted(infos, key=lambda info: info.id)
        ),
        is_whole=True,
    )


def remembered(used: Mapping[str, datetime]) -> Catalog:
    """Return the catalog of names that were used before, the last one first."""
    names = _distinct(used)
    latest = sorted(used.items(), key=lambda item: item[1], reverse=True)
    return Catalog(Entry(id_, names[id_], used_at=at) for id_, at in latest)


def _distinct(ids: Iterable[str]) -> dict[str, str]:
    """Return how each id is shown: what cannot be printed is replaced, so two ids might look the same."""
    names: dict[str, str] = {}
    taken: set[str] = set()
    for id_ in ids:
        name = base = plain(id_)
        number = 2
        while name in taken:
            name = f"{base} ({number})"
            number += 1
        taken.add(name)
        names[id_] = name
    return names
