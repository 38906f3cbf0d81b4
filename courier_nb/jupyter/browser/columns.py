"""Which columns a table shows when nobody has chosen any."""

from __future__ import annotations

from typing import Any

import pandas as pd

from courier_nb.core.messages import NULL
from courier_nb.frames.schema import PROPERTY_PREFIX
from courier_nb.jupyter.browser.source import MADE

NEEDED = ("message_id", "created", "received_at", "delivery_count", "deliveries_left", "settlement", "lock_expires_at", *MADE)
"""Always sent: what states, lock times and last chances are told from."""

_MOST_PROPERTIES = 12
_MOST_OTHERS = 30


def default_columns(first: pd.DataFrame) -> list[str]:
    """Return the columns to show, judged by the first rows of a table: what tells one message from another."""
    there = [str(name) for name in first.columns]
    if "message_id" not in there:
        return there[:_MOST_OTHERS]
    when = "created" if "created" in there and bool(first["created"].notna().any()) else "received_at"
    wanted = ["state", "message_id", when, "delivery_count"]
    if "lock_expires_at" in there and bool(first["lock_expires_at"].notna().any()):
        wanted.append("lock_left")
    wanted.append("size")
    wanted += [name for name in there if _is_content_type(name)][:1]
    wanted.append("preview")
    varying = [name for name in there if name.startswith(PROPERTY_PREFIX) and not _is_content_type(name) and _varies(first[name])]
    made = ("state", "lock_left")
    return [name for name in (*wanted, *varying[:_MOST_PROPERTIES]) if name in there or name in made]


def _is_content_type(name: str) -> bool:
    bare = name.removeprefix("prop.").removeprefix("header.").lower().replace("-", "").replace("_", "")
    return bare == "contenttype" and "." in name


def _varies(cells: pd.Series[Any]) -> bool:
    texts = {None if cell is None or cell is pd.NA else "null" if cell is NULL else str(cell) for cell in cells}
    return len(texts) > 1
