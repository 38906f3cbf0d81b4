"""The columns that a picture needs, and no others."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from courier_nb.core.errors import FrameError, InvalidArgument
from courier_nb.flows.reports import Received
from courier_nb.frames import schema
from courier_nb.storage.capture import Capture

Source = pd.DataFrame | Received | Capture
"""Messages to draw: a frame, what was received, or a capture."""

Sizes = npt.NDArray[np.float64]


def read(source: Source, columns: Sequence[str], *, optional: Sequence[str] = ()) -> pd.DataFrame:
    """Return these columns; an optional one that a frame does not have is left out.

    Raises
    ------
    FrameError
        When a column is missing.
    InvalidArgument
        When the source is none.
    """
    if isinstance(source, Capture):
        return source.frame([*columns, *optional])
    frame = source.frame() if isinstance(source, Received) else source
    if not isinstance(frame, pd.DataFrame):
        raise InvalidArgument(f"A frame, a capture or what was received was expected, not {type(source).__name__}.")
    missing = [name for name in columns if name not in frame]
    if missing and isinstance(source, Received) and all(name.startswith(schema.PROPERTY_PREFIX) for name in missing):
        frame = frame.reindex(columns=[*frame.columns, *missing])  # a property that no message has
    elif missing:
        raise FrameError(
            f"The frame has no column {', '.join(map(repr, missing))}, which this picture is made from.", columns=missing
        )
    return frame[[*columns, *(name for name in optional if name in frame)]]


def read_times(source: Source, times: Sequence[str], *, others: Sequence[str] = (), optional: Sequence[str] = ()) -> pd.DataFrame:
    """Return columns of times, in UTC, and others.

    Raises
    ------
    FrameError
        When a column is missing, or holds no times.
    """
    frame = read(source, [*times, *others], optional=optional).copy(deep=False)
    for name in times:
        if not len(frame) and not pd.api.types.is_datetime64_any_dtype(frame[name].dtype):
            frame[name] = frame[name].astype("datetime64[us, UTC]")
        if not isinstance(frame[name].dtype, pd.DatetimeTZDtype):
            raise FrameError(
                f"Column {name!r} is {frame[name].dtype}; times with their zone were expected: pd.to_datetime(…, utc=True).",
                columns=[name],
            )
        frame[name] = frame[name].dt.tz_convert("UTC")
    return frame


def body_sizes(source: Source) -> Sizes:
    """Return the size of each body in bytes of UTF-8, NaN where there is none. A capture is read batch by batch."""
    parts = [_sizes(batch["body"], batch["body_bytes"]) for batch in _body_batches(source)]
    return np.concatenate(parts) if parts else np.empty(0)


def _body_batches(source: Source) -> Iterator[Any]:
    columns = ["body", "body_bytes"]
    if isinstance(source, Capture):
        yield from source.batches(columns)
        return
    frame = read(source, ["body"], optional=["body_bytes"])
    texts = [cell if isinstance(cell, str) else None for cell in frame["body"].astype(object)]
    raws = frame["body_bytes"].astype(object) if "body_bytes" in frame else [None] * len(frame)
    lengths = [None if text is None else text.encode("utf-8", "surrogatepass") for text in texts]
    yield {
        "body": pa.array(lengths, pa.large_binary()),
        "body_bytes": pa.array([raw if isinstance(raw, bytes) else None for raw in raws], pa.large_binary()),
    }


def _sizes(texts: pa.Array, raws: pa.Array) -> Sizes:
    found = pc.coalesce(pc.cast(pc.binary_length(texts), pa.float64()), pc.cast(pc.binary_length(raws), pa.float64()))
    sizes: Sizes = found.to_numpy(zero_copy_only=False)
    return sizes
