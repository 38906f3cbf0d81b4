"""Pictures of counts: deliveries, sizes, values of a property."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from courier_nb.core.errors import InvalidArgument
from courier_nb.core.printable import plain
from courier_nb.frames import schema
from courier_nb.plots import bins, style
from courier_nb.plots.reading import Source, body_sizes, read
from courier_nb.storage.capture import Capture

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_MOST_COUNTS = 15
_WIDEST = 36


def delivery_count(source: Source, *, ax: Axes | None = None) -> Axes:
    """Draw how often the messages had been delivered.

    Parameters
    ----------
    source : DataFrame, Received or Capture
        Needs the column ``delivery_count``.
    ax : Axes, optional
        Where to draw; default: a new figure.

    Returns
    -------
    Axes
        One bar a count; those of 15 and more share the last one.

    Raises
    ------
    FrameError
        When the column is missing.
    ImportError
        When matplotlib is not installed.
    """
    cells = pd.to_numeric(read(source, ["delivery_count"])["delivery_count"], errors="coerce")
    known = cells.dropna().to_numpy(dtype=np.int64)
    missing = len(cells) - len(known)
    notes = [f"{missing:,} without a delivery count"] if missing else []
    with style.canvas(ax) as drawn:
        if not len(known):
            style.nothing(drawn, "Deliveries", "No message with a delivery count.", notes=notes)
            return drawn
        low, high = int(min(known.min(), 1)), int(known.max())
        last = min(high, low + _MOST_COUNTS - 1)
        counts = np.bincount(np.clip(known, low, last) - low, minlength=last - low + 1)
        labels = [str(count) for count in range(low, last + 1)]
        if high > last:
            labels[-1] = f"{last}–{high}"
            notes.insert(0, f"the last bar holds {counts[-1]:,} messages of {last} to {high:,} deliveries")
        style.columns(drawn, labels, [int(count) for count in counts])
        title = f"Deliveries of {len(known):,} messages"
        style.name(drawn, title, x="Deliveries so far, this one included", y="messages", notes=notes)
        return drawn


def size(source: Source, *, ax: Axes | None = None) -> Axes:
    """Draw how large the bodies are, in bytes of UTF-8. A capture is read batch by batch.

    Parameters
    ----------
    source : DataFrame, Received or Capture
        Needs the column ``body``; ``body_bytes`` where there is one.
    ax : Axes, optional
        Where to draw; default: a new figure.

    Returns
    -------
    Axes

    Raises
    ------
    FrameError
        When the column is missing.
    ImportError
        When matplotlib is not installed.
    """
    sizes = body_sizes(source)
    known = sizes[~np.isnan(sizes)]
    missing = len(sizes) - len(known)
    notes = [f"{missing:,} without a body"] if missing else []
    with style.canvas(ax) as drawn:
        if not len(known):
            style.nothing(drawn, "Body size", "No message with a body.", notes=notes)
            return drawn
        style.columns(drawn, bins.size_labels(bins.SIZES), bins.counted(known, bins.SIZES))
        notes.insert(0, f"median {np.median(known):,.0f} B, largest {known.max():,.0f} B, all {known.sum():,.0f} B")
        style.name(drawn, f"Body size of {len(known):,} messages", x="Bytes of UTF-8", y="messages", notes=notes)
        return drawn


def top_values(source: Source, property: str, *, most: int = 10, ax: Axes | None = None) -> Axes:  # noqa: A002  # the API's noun
    """Draw the most frequent values of a property.

    Parameters
    ----------
    source : DataFrame, Received or Capture
    property : str
        Its name, as ``event`` or ``prop.event``; any other column of the frame too, as ``message_group_id``.
    most : int
        How many values to show.
    ax : Axes, optional
        Where to draw; default: a new figure.

    Returns
    -------
    Axes
        One bar a value, the most frequent on top; below it how many values were left out, and how many messages have none.

    Raises
    ------
    FrameError
        When the frame has no such column.
    InvalidArgument
        When `most` is not positive.
    ImportError
        When matplotlib is not installed.
    """
    if most < 1:
        raise InvalidArgument(f"most is {most}; 1 or more values can be shown.")
    column = _column_of(source, property)
    cells = read(source, [column])[column]
    counts = Counter(_value(cell) for cell in cells.dropna().astype(object))
    missing = len(cells) - counts.total()
    notes = [f"{missing:,} without {column}"] if missing else []
    with style.canvas(ax) as drawn:
        if not counts:
            style.nothing(drawn, f"Values of {column}", f"No message with {column}.", notes=notes)
            return drawn
        top = sorted(counts.items(), key=lambda item: (-item[1], item[0]))[:most]
        if len(counts) > len(top):
            others = counts.total() - sum(count for _, count in top)
            notes.insert(0, f"top {len(top):,} of {len(counts):,} values; {others:,} messages have another")
        style.rows(drawn, [_cut(value) for value, _ in top], [count for _, count in top])
        style.name(drawn, f"Values of {column}", x="messages", y="", notes=notes)
        if ax is None:
            style.give_height(drawn, len(top))
        return drawn


def _column_of(source: Source, name: str) -> str:
    prefixes = tuple(prefix for _, prefix in schema.MAPS.values())
    if name.startswith(prefixes):
        return name
    is_column = name in schema.BY_NAME if isinstance(source, Capture) else isinstance(source, pd.DataFrame) and name in source
    return name if is_column or name in schema.BY_NAME else schema.PROPERTY_PREFIX + name


def _value(cell: Any) -> str:
    return plain(cell if isinstance(cell, str) else repr(cell))


def _cut(text: str) -> str:
    return text if len(text) <= _WIDEST else f"{text[: _WIDEST - 1]}…"
