"""Which rows of a capture are second copies of the same message.

A row whose acknowledgement was confirmed is a message of its own: the broker deleted it, so a later one with the same id is
another message. A row that was returned, refused or is unknown may have come again: it is a copy if another row has the same
destination, id, creation time and content.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from courier_nb.core.errors import CaptureDamaged
from courier_nb.frames import values
from courier_nb.storage.layout import Layout

_IDENTITY = ["destination", "message_id", "created", "settlement"]
_MAPS = ["properties", "property_types", "headers", "header_types"]
_CONTENT = ["body", "body_bytes", "message_group_id", "ttl", "delivery_delay", *_MAPS]


def find_duplicates(layout: Layout) -> dict[str, set[int]]:
    """Return the rows to hide, by part: positions in the part, 0-based.

    Raises
    ------
    CaptureDamaged
        When a part is missing or cannot be read.
    """
    try:
        return _find(layout)
    except (OSError, pa.ArrowException) as error:
        raise CaptureDamaged(
            f"A part of {layout.root} cannot be read ({type(error).__name__}): verify() names it.", path=layout.root
        ) from error


def _find(layout: Layout) -> dict[str, set[int]]:
    unsure = _unsure_ids(layout)
    if not unsure:
        return {}
    rows: dict[bytes, list[tuple[bool, str, int]]] = defaultdict(list)
    for stem in layout.part_stems():
        table = pq.read_table(layout.part(stem), columns=_IDENTITY, partitioning=None)
        mask = pc.fill_null(pc.is_in(table["message_id"], value_set=pa.array(sorted(unsure), pa.string())), True)
        places = pc.indices_nonzero(mask)
        if not len(places):
            continue
        picked = pq.read_table(layout.part(stem), columns=_IDENTITY + _CONTENT, partitioning=None).take(places)
        for place, row in zip(places.to_pylist(), picked.to_pylist(), strict=True):
            rows[_key(row)].append((row["settlement"] == "acked", stem, place))
    hidden: dict[str, set[int]] = defaultdict(set)
    for copies in rows.values():
        is_acked = any(acked for acked, _, _ in copies)
        unsure_copies = [(stem, place) for acked, stem, place in copies if not acked]
        for stem, place in unsure_copies if is_acked else unsure_copies[1:]:
            hidden[stem].add(place)
    return dict(hidden)


def _unsure_ids(layout: Layout) -> set[str]:
    found: set[str] = set()
    for stem in layout.part_stems():
        table = pq.read_table(layout.part(stem), columns=["message_id", "settlement"], partitioning=None)
        unsure = table.filter(pc.not_equal(pc.fill_null(table["settlement"], ""), "acked"))
        found.update(id_ for id_ in unsure["message_id"].to_pylist() if id_ is not None)
    return found


def _key(row: dict[str, Any]) -> bytes:
    content = [str(row[name]) for name in ("destination", "message_id", "created", "message_group_id", "ttl", "delivery_delay")]
    content += [values.encode(sorted(row[name] or [])) for name in _MAPS]
    digest = hashlib.blake2b(digest_size=16)
    for part in (*content, row["body"] or ""):
        digest.update(part.encode("utf-8", "surrogatepass") + b"\x00")
    digest.update(row["body_bytes"] or b"")
    return digest.digest()
