"""Which columns and rows of a part a user asks for."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Sequence

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from courier_nb.core.errors import FrameError
from courier_nb.core.printable import plain
from courier_nb.frames import schema
from courier_nb.frames.flatten import frame_of

_PREFIXES = tuple(prefix for _, prefix in schema.MAPS.values())
_MOST_NAMES = 20
_QUOTED_NAME = re.compile(r"`([^`]+)`")


def stored_columns(columns: Sequence[str]) -> list[str]:
    """Return the columns to read for these columns of a frame.

    Raises
    ------
    FrameError
        When one does not exist.
    """
    stored: dict[str, None] = {}
    for name in columns:
        for map_name, (types, prefix) in schema.MAPS.items():
            if name.startswith(prefix):
                stored.update(dict.fromkeys((map_name, types)))
                break
        else:
            if name not in schema.BY_NAME or name in schema.MAPS:
                known = ", ".join(column.name for column in schema.COLUMNS if column.dtype and column.name not in schema.MAPS)
                raise FrameError(
                    f"There is no column {name!r}; there are {known}, and prop.<name> and header.<name>.", columns=[name]
                )
            stored[name] = None
    return list(stored)


def entries_of(columns: Sequence[str]) -> list[str]:
    """Return those columns that are properties and headers: ``prop.<name>`` and ``header.<name>``."""
    return [name for name in columns if name.startswith(_PREFIXES)]


def check_occurring(entries: Sequence[str], batches: Iterable[pa.RecordBatch], whose: object) -> None:
    """Refuse a property or header that no row has, where there are rows.

    Parameters
    ----------
    entries : sequence of str
        Names as in a frame.
    batches : iterable of pyarrow.RecordBatch
        With the maps of `stored_columns`; read until all have been seen.
    whose : object
        What the rows are of, for the error.

    Raises
    ------
    FrameError
        With the names that are like it.
    """
    missing = list(dict.fromkeys(entries))
    known: set[str] = set()
    rows = 0
    for batch in batches:
        for stored, (_, prefix) in schema.MAPS.items():
            if stored in batch.schema.names:
                known.update(prefix + name for name in pc.unique(batch[stored].keys).to_pylist())
        missing = [name for name in missing if name not in known]
        rows += batch.num_rows
        if not missing:
            return
    for name in missing if rows else ():
        prefix = next(prefix for prefix in _PREFIXES if name.startswith(prefix))
        there = sorted(one.removeprefix(prefix) for one in known if one.startswith(prefix))
        close = difflib.get_close_matches(name.removeprefix(prefix), there, n=3)
        listed = ", ".join(plain(prefix + one) for one in close or there[:_MOST_NAMES])
        hint = f"did you mean {listed}?" if close else f"there are {listed or 'none'}{', …' if len(there) > _MOST_NAMES else ''}."
        raise FrameError(f"No message of {whose} has {plain(name)!r}; {hint}", columns=[name])


def where(batch: pa.RecordBatch, query: str) -> pa.RecordBatch:
    """Return the rows of a batch for which a pandas query holds.

    Raises
    ------
    FrameError
        When the query is wrong.
    """
    frame = frame_of(pa.Table.from_batches([batch]))
    for name in _QUOTED_NAME.findall(query):
        if name not in frame and name.startswith(_PREFIXES):
            frame[name] = pd.NA  # a property that no message of this batch has
    try:
        kept = frame.query(query).index
    except (NameError, SyntaxError, ValueError, TypeError, KeyError, AttributeError) as error:
        raise FrameError(f"The query {query!r} cannot be evaluated: {error}. Write names with a dot in backticks.") from error
    return batch.take(pa.array(kept, pa.int64()))
