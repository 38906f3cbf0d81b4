"""Until when the locks of the rows last, as those who keep them know it."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pandas as pd

from courier_nb.core.errors import InvalidArgument
from courier_nb.flows.reports import Received

if TYPE_CHECKING:
    from courier_nb.blocking.client import Client

_TIME = pd.DatetimeTZDtype("us", "UTC")


class Locks:
    """Where to ask about the locks of rows.

    Parameters
    ----------
    client : Client or None
        What it holds is known by message id.
    """

    def __init__(self, client: Client | None) -> None:
        self._client = client
        self._received: list[tuple[int, Received]] = []

    @property
    def are_kept(self) -> bool:
        """Whether somebody knows more about the locks than the frame does."""
        return bool(self._received) or self._client is not None

    def begin(self, source: object) -> None:
        """Other rows are shown."""
        self._received = [(0, source)] if isinstance(source, Received) else []

    def add(self, source: object, start: int) -> None:
        """More rows are shown, from position `start` on."""
        if isinstance(source, Received):
            self._received.append((start, source))

    def now(self, frame: pd.DataFrame) -> tuple[list[int], list[datetime], dict[str, list[int]]]:
        """Return the positions whose locks are known, their ends, and the positions by what became of other messages."""
        ends: dict[int, datetime] = {}
        states: defaultdict[str, list[int]] = defaultdict(list)
        for start, received in self._received:
            fresh = received.frame()
            for row, (end, state) in enumerate(zip(fresh["lock_expires_at"], fresh["settlement"], strict=True), start):
                if isinstance(state, str):
                    states[state].append(row)
                elif not pd.isna(end):
                    ends[row] = end.to_pydatetime()
        if not self._received and self._client is not None:
            ends = _held(frame, self._client)
        return list(ends), list(ends.values()), states


def with_ends(frame: pd.DataFrame, rows: Sequence[int], ends: Sequence[datetime]) -> pd.DataFrame:
    """Return a frame with these ends of locks; the one given stays as it is."""
    if "lock_expires_at" not in frame:
        return frame
    column = frame["lock_expires_at"].astype(_TIME)
    column.iloc[list(rows)] = pd.Series(list(ends), dtype=_TIME).array
    return frame.assign(lock_expires_at=column)


def moments(expires: datetime | Sequence[datetime], count: int) -> list[datetime]:
    """Return one time for each of `count` rows.

    Raises
    ------
    InvalidArgument
        When there are more or fewer times, or one has no time zone.
    """
    ends = [expires] * count if isinstance(expires, datetime) else list(expires)
    if len(ends) != count:
        raise InvalidArgument(f"{len(ends)} ends of locks were given for {count} rows: give one for each, or one for all.")
    if any(end.tzinfo is None for end in ends):
        raise InvalidArgument(
            "The end of a lock has no time zone: give it in UTC, such as datetime.now(UTC) + timedelta(minutes=2)."
        )
    return [end.astimezone(UTC) for end in ends]


def _held(frame: pd.DataFrame, client: Client) -> dict[int, datetime]:
    """Return the ends of locks that the client holds, for messages that are in the table once."""
    if not {"message_id", "destination", "lock_id"} <= set(frame.columns):
        return {}
    held = client.held().frame()
    known = zip(held["destination"], held["message_id"], held["lock_expires_at"], strict=True)
    ends = {(destination, message): end for destination, message, end in known}
    keys = list(zip(frame["destination"], frame["message_id"], strict=True))
    times = Counter(keys)
    locked = frame["lock_id"].notna()
    return {
        row: ends[key].to_pydatetime()
        for row, key in enumerate(keys)
        if times[key] == 1 and bool(locked.iloc[row]) and key in ends
    }
