"""Which time a question about the past is about."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import NamedTuple

from courier_nb.broker.api.values import required, wrong

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)
_EXPECTED = "a date such as 'Sun, 25 Sep 2022 23:35:01 GMT' (RFC 1123) or '2022-09-25T23:35:01Z' (ISO 8601)"


class Window(NamedTuple):
    """A stretch of time, in milliseconds since the epoch."""

    start: int
    end: int


def read_window(query: Mapping[str, str]) -> Window:
    """Return the time between ``startDate`` and ``endDate``.

    Raises
    ------
    Refusal
        400 when one is missing or no date, or the end is not after the start.
    """
    window = Window(_moment(query, "startDate"), _moment(query, "endDate"))
    if window.start >= window.end:
        raise wrong("endDate", query["endDate"], "a date after startDate")
    return window


def _moment(query: Mapping[str, str], name: str) -> int:
    text = required(query, name)
    for read in (datetime.fromisoformat, parsedate_to_datetime):
        try:
            moment = read(text.strip())
        except ValueError:
            continue
        if moment.tzinfo is None:
            moment = moment.replace(tzinfo=UTC)
        return (moment - _EPOCH) // _MILLISECOND
    raise wrong(name, text, _EXPECTED)
