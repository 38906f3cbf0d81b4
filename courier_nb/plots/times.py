"""Pictures of times: arrivals, age, and what is left of locks and of lives."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from courier_nb.core.errors import InvalidArgument
from courier_nb.plots import bins, style
from courier_nb.plots.reading import Source, read_times

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Seconds = npt.NDArray[np.float64]

_MICROSECONDS = 1_000_000


def arrivals(source: Source, *, ax: Axes | None = None) -> Axes:
    """Draw how many messages the broker took over time, by their ``created`` in UTC.

    Parameters
    ----------
    source : DataFrame, Received or Capture
        Needs the column ``created``.
    ax : Axes, optional
        Where to draw; default: a new figure.

    Returns
    -------
    Axes
        Bars of equal time: seconds, minutes, hours or days, whichever gives at most 48.

    Raises
    ------
    FrameError
        When the column is missing or holds no times.
    ImportError
        When matplotlib is not installed.
    """
    created = read_times(source, ["created"])["created"]
    known = created.dropna()
    notes = _without(created, "created time")
    with style.canvas(ax) as drawn:
        if not len(known):
            style.nothing(drawn, "Arrivals", "No message with a created time.", notes=notes)
            return drawn
        stamps = known.dt.as_unit("us").astype("int64").to_numpy()
        step = bins.step_for((stamps.max() - stamps.min()) / _MICROSECONDS)
        places, counts = np.unique(stamps // (step * _MICROSECONDS), return_counts=True)
        starts = (places * step).astype("datetime64[s]")
        style.over_time(drawn, starts, np.timedelta64(step, "s"), counts)
        style.name(
            drawn,
            f"Arrivals of {len(known):,} messages",
            x="Taken by the broker (UTC)",
            y=f"messages per {bins.duration(step)}",
            notes=notes,
        )
        return drawn


def age(source: Source, *, at: datetime | None = None, ax: Axes | None = None) -> Axes:
    """Draw how old the messages were when they were received: ``received_at`` less ``created``.

    Parameters
    ----------
    source : DataFrame, Received or Capture
        Needs the columns ``created`` and ``received_at``; only the first one with `at`.
    at : datetime, optional
        How old they were at this moment in place of that.
    ax : Axes, optional
        Where to draw; default: a new figure.

    Returns
    -------
    Axes

    Raises
    ------
    FrameError
        When a column is missing or holds no times.
    InvalidArgument
        When `at` has no time zone.
    ImportError
        When matplotlib is not installed.

    Notes
    -----
    ``created`` is told by the broker's clock in whole seconds and ``received_at`` by this machine's; a message that seems to be
    from the future counts as new, and the picture says how many do.
    """
    if at is None:
        frame = read_times(source, ["created", "received_at"])
        ages, when = _seconds(frame["received_at"] - frame["created"]), "when it was received"
    else:
        frame = read_times(source, ["created"])
        ages, when = _seconds(_moment(at) - frame["created"]), _told(at)
    known = ages[~np.isnan(ages)]
    ahead = int((known < 0).sum())
    notes = [*_without(frame["created"], "created time"), *([f"{ahead:,} from the future: the clocks differ"] if ahead else [])]
    return _ranges(known, bins.AGES, f"Age of {len(known):,} messages", f"Time since the broker took it, {when}", notes, ax)


def lock_left(source: Source, *, now: datetime | None = None, ax: Axes | None = None) -> Axes:
    """Draw how long the locks of held messages have left.

    Parameters
    ----------
    source : DataFrame, Received or Capture
        Needs the column ``lock_expires_at``; with ``settlement``, what is settled or went back is left out.
    now : datetime, optional
        Default: this moment, by this machine's clock.
    ax : Axes, optional
        Where to draw; default: a new figure.

    Returns
    -------
    Axes
        The first bar, hatched, is of locks that ran out.

    Raises
    ------
    FrameError
        When the column is missing or holds no times.
    InvalidArgument
        When `now` has no time zone.
    ImportError
        When matplotlib is not installed.
    """
    moment = datetime.now(UTC) if now is None else now
    frame = read_times(source, ["lock_expires_at"], optional=["settlement"])
    held = frame
    if "settlement" in frame:
        held = frame[frame["settlement"].isna() | (frame["settlement"] == "held") | (frame["settlement"] == "lost_lock")]
    left = _seconds(held["lock_expires_at"] - _moment(moment))
    known = left[~np.isnan(left)]
    gone = len(frame) - len(held)
    notes = [*([f"{gone:,} not held any more"] if gone else []), *_without(held["lock_expires_at"], "lock")]
    title = f"Lock time left of {len(known):,} messages"
    return _ranges(known, (0, *bins.LOCKS), title, f"Time until the lock ends, {_told(moment)}", notes, ax, ended="ran out")


def ttl_left(source: Source, *, now: datetime | None = None, ax: Axes | None = None) -> Axes:
    """Draw how long the messages have to live: ``created`` and ``ttl``, less now.

    Parameters
    ----------
    source : DataFrame, Received or Capture
        Needs the columns ``created`` and ``ttl`` (ms).
    now : datetime, optional
        Default: this moment, by this machine's clock.
    ax : Axes, optional
        Where to draw; default: a new figure.

    Returns
    -------
    Axes
        The first bar, hatched, is of messages whose time is over.

    Raises
    ------
    FrameError
        When a column is missing, or ``created`` holds no times.
    InvalidArgument
        When `now` has no time zone.
    ImportError
        When matplotlib is not installed.
    """
    moment = datetime.now(UTC) if now is None else now
    frame = read_times(source, ["created"], others=["ttl"])
    lives = pd.to_numeric(frame["ttl"], errors="coerce").to_numpy(dtype=float, na_value=np.nan) / 1_000
    left = _seconds(frame["created"] - _moment(moment)) + lives
    known = left[~np.isnan(left)]
    notes = [*_without(frame["ttl"], "time to live"), *_without(frame["created"], "created time")]
    title = f"Time to live of {len(known):,} messages"
    return _ranges(known, (0, *bins.TTLS), title, f"Time until the broker drops it, {_told(moment)}", notes, ax, ended="over")


def _ranges(
    amounts: Seconds, edges: tuple[int, ...], title: str, x: str, notes: list[str], ax: Axes | None, *, ended: str = ""
) -> Axes:
    """Draw how many amounts of seconds fall into each range; `ended` names the one below 0, when there is one."""
    with style.canvas(ax) as drawn:
        if not len(amounts):
            style.nothing(drawn, title.split(" of ")[0], "No message to show.", notes=notes)
            return drawn
        inner = edges[1:] if ended else edges
        labels = [ended, *bins.duration_labels(inner)] if ended else bins.duration_labels(inner)
        style.columns(drawn, labels, bins.counted(amounts, edges), ended=1 if ended else 0)
        style.name(drawn, title, x=x, y="messages", notes=notes)
        return drawn


def _without(cells: pd.Series[Any], what: str) -> list[str]:
    missing = int(cells.isna().sum())
    return [f"{missing:,} without a {what}"] if missing else []


def _seconds(differences: pd.Series[pd.Timedelta]) -> Seconds:
    return np.asarray(differences.dt.total_seconds(), dtype=np.float64)


def _moment(at: datetime) -> pd.Timestamp:
    if at.tzinfo is None:
        raise InvalidArgument(f"{at!r} has no time zone: give one, such as datetime.now(UTC).")
    return pd.Timestamp(at).tz_convert("UTC")


def _told(at: datetime) -> str:
    return f"at {_moment(at):%Y-%m-%d %H:%M:%S} UTC"
