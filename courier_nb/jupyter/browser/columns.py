"""Which columns a table shows when nobody has chosen any."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pandas as pd

from courier_nb.core.messages import NULL
from courier_nb.frames.schema import HEADER_PREFIX, PROPERTY_PREFIX
from courier_nb.jupyter.browser.source import MADE

NEEDED = ("message_id", "created", "received_at", "delivery_count", "deliveries_left", "settlement", "lock_expires_at", *MADE)
"""Always sent: what states, lock times and last chances are told from."""

_MOST_PROPERTIES = 4
_MOST_OTHERS = 30
_MOST_VALUES = 50


def default_columns(first: pd.DataFrame) -> list[str]:
    """Return the columns to show, judged by the first rows of a table: what tells one message from another.

    Of the properties those that differ between the rows, the most telling four: first those of a few values that come again and
    again, the more evenly spread the better.
    """
    there = [str(name) for name in first.columns]
    if "message_id" not in there:
        return there[:_MOST_OTHERS]
    when = "created" if "created" in there and bool(first["created"].notna().any()) else "received_at"
    wanted = ["state", "message_id", when, "delivery_count"]
    if "lock_expires_at" in there and bool(first["lock_expires_at"].notna().any()):
        wanted.append("lock_left")
    wanted += ["size", *_telling(first), "preview"]
    made = ("state", "lock_left")
    return [name for name in wanted if name in there or name in made]


def _telling(first: pd.DataFrame) -> list[str]:
    ranked = []
    for name in map(str, first.columns):
        if not name.startswith(PROPERTY_PREFIX) and not _is_content_type(name):
            continue
        counts = Counter(_key(cell) for cell in first[name])
        if len(counts) > 1:
            repeats = len(counts) <= _MOST_VALUES and len(counts) < len(first)
            alike = sum(count * count for count in counts.values())  # pairs of rows that it does not tell apart
            ranked.append((not repeats, alike, name))
    return [name for _, _, name in sorted(ranked, key=lambda one: one[:2])[:_MOST_PROPERTIES]]


def _is_content_type(name: str) -> bool:
    return name.removeprefix(HEADER_PREFIX).lower().replace("-", "").replace("_", "") == "contenttype" and "." in name


def _key(cell: Any) -> str | None:
    return None if cell is None or cell is pd.NA else "null" if cell is NULL else str(cell)
