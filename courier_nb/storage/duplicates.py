"""Which rows of a capture are second copies of the same message.

A row whose acknowledgement was confirmed is a message of its own: the broker deleted it, so a later one with the same id is
another message. A row that was returned, refused or is unknown may have come again: it is a copy if another row has the same
environment, destination, id, creation time and content. Rows of one answer are no copies of each other: each has a lock of its
own.
"""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from courier_nb.frames import values
from courier_nb.storage.manifest import Part

_MAPS = ["properties", "property_types", "headers", "header_types"]
_CONTENT = ["body", "body_bytes", "message_group_id", "ttl", "delivery_delay", *_MAPS]
_COLUMNS = ["environment", "destination", "message_id", "created", "run", "received_at", "settlement", *_CONTENT]

Read = Callable[[Part, list[str]], Iterable[pa.RecordBatch]]
"""Yields the rows of a part, of these columns."""


def find_duplicates(parts: Iterable[Part], read: Read) -> dict[str, set[int]]:
    """Return the rows to hide, by part: positions in the part, 0-based.

    What is held in memory grows with the rows that were not acknowledged, not with the capture.

    Raises
    ------
    CaptureDamaged
        When a part is missing or cannot be read.
    """
    parts = list(parts)
    unsure = _unsure_ids(parts, read)
    if not unsure:
        return {}
    rows: dict[bytes, list[tuple[bool, str, int]]] = defaultdict(list)
    alike: Counter[tuple[bytes, str]] = Counter()
    for part, place, row in _with_ids(parts, read, unsure):
        # Of the same settlement: an answer may also hold one delivery twice, of which only one can be acknowledged.
        key, answer = _key(row), f"{row['run']} {row['received_at']} {row['settlement']}"
        nth = alike[key, answer]
        alike[key, answer] += 1
        rows[key + nth.to_bytes(4)].append((row["settlement"] == "acked", part.stem, place))
    hidden: dict[str, set[int]] = defaultdict(set)
    for copies in rows.values():
        is_acked = any(acked for acked, _, _ in copies)
        unsure_copies = [(stem, place) for acked, stem, place in copies if not acked]
        for stem, place in unsure_copies if is_acked else unsure_copies[1:]:
            hidden[stem].add(place)
    return dict(hidden)


def _unsure_ids(parts: Iterable[Part], read: Read) -> set[str | None]:
    """Return the ids of what was not certainly acknowledged, and None for what could not be kept as one."""
    found: set[str | None] = set()
    for part in parts:
        if set(part.settlements) <= {"acked"}:
            continue
        for batch in read(part, ["message_id", "settlement"]):
            unsure = batch.filter(pc.not_equal(pc.fill_null(batch["settlement"], ""), "acked"))
            found.update(unsure["message_id"].to_pylist())
    return {*found, None} if found else found


def _with_ids(parts: Iterable[Part], read: Read, ids: set[str | None]) -> Iterator[tuple[Part, int, dict[str, Any]]]:
    """Yield part, position and content of each row whose id is one of `ids`."""
    for part in parts:
        wanted = pa.array(_places(part, read, ids), pa.int64())
        if not len(wanted):
            continue
        first = 0
        for batch in read(part, _COLUMNS):
            mine = wanted.filter(pc.and_(pc.greater_equal(wanted, first), pc.less(wanted, first + batch.num_rows)))
            for place, row in zip(mine.to_pylist(), batch.take(pc.subtract(mine, first)).to_pylist(), strict=True):
                yield part, place, row
            first += batch.num_rows


def _places(part: Part, read: Read, ids: set[str | None]) -> Iterator[int]:
    first = 0
    for batch in read(part, ["message_id"]):
        yield from (first + i for i, id_ in enumerate(batch["message_id"].to_pylist()) if id_ in ids)
        first += batch.num_rows


def _key(row: dict[str, Any]) -> bytes:
    content = [
        str(row[name])
        for name in ("environment", "destination", "message_id", "created", "message_group_id", "ttl", "delivery_delay")
    ]
    content += [values.encode(sorted(row[name] or [])) for name in _MAPS]
    digest = hashlib.blake2b(digest_size=16)
    for part in (*content, row["body"] or ""):
        digest.update(part.encode("utf-8", "surrogatepass") + b"\x00")
    digest.update(row["body_bytes"] or b"")
    return digest.digest()
