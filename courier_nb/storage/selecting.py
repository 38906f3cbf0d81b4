"""Which columns and rows of a part a user asks for."""

from __future__ import annotations

import re
from collections.abc import Sequence

import pandas as pd
import pyarrow as pa

from courier_nb.core.errors import FrameError
from courier_nb.frames import schema
from courier_nb.frames.flatten import frame_of

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


def where(batch: pa.RecordBatch, query: str) -> pa.RecordBatch:
    """Return the rows of a batch for which a pandas query holds.

    Raises
    ------
    FrameError
        When the query is wrong.
    """
    frame = frame_of(pa.Table.from_batches([batch]))
    for name in _QUOTED_NAME.findall(query):
        if name not in frame and name.startswith(tuple(prefix for _, prefix in schema.MAPS.values())):
            frame[name] = pd.NA  # a property that no message of this batch has
    try:
        kept = frame.query(query).index
    except (NameError, SyntaxError, ValueError, TypeError, KeyError, AttributeError) as error:
        raise FrameError(f"The query {query!r} cannot be evaluated: {error}. Write names with a dot in backticks.") from error
    return batch.take(pa.array(kept, pa.int64()))
