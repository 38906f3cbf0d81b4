"""FIFO's deduplication: for five minutes a queue drops a message whose id it has taken, and says "successful" all the same."""

from __future__ import annotations

from datetime import UTC
from email.utils import parsedate_to_datetime

import anyio

from courier_nb.core.errors import CourierError
from courier_nb.core.messages import Message
from courier_nb.core.moments import Moment, seconds_between
from courier_nb.wire.session import Session

WINDOW_SECONDS = 300
"""How long the service remembers an id (vendor documentation)."""

REPEAT_SECONDS = 240
"""How long after it was first sent a message may be repeated with the same id: a minute is left for the call itself."""

RECENT_SECONDS = 360
"""How long the id of a message counts as remembered after the broker took it: a minute is left for clocks that differ."""

_LOOKUP_SECONDS = 10


async def is_fifo(session: Session, destination: str) -> bool | None:
    """Return whether a destination is a FIFO queue, by the Admin API; None where that cannot be read.

    Raises
    ------
    CourierError
        When no token can be had: nothing else would work either.
    """
    try:
        if (await session.tokens.current()).kind == "client_app":
            return None  # its token is not valid on the Admin API
        with anyio.move_on_after(_LOOKUP_SECONDS):
            infos = await (await session.admin()).destinations(await session.region())
            return next((info.kind == "fifo-queue" for info in infos if info.id == destination), None)
    except CourierError as error:
        if error.before_sending:
            raise
    return None


def window_left(first_sent: Moment, now: Moment) -> float:
    """Return for how many seconds a message that was first sent then may still be repeated; not positive when it may not."""
    elapsed = seconds_between(first_sent, now)
    return 0.0 if elapsed is None else REPEAT_SECONDS - elapsed


def is_recent(message: Message, now: float) -> bool:
    """Whether the broker took a message so lately that a FIFO queue may still drop its id (`now` by its own clock)."""
    created = message.headers.get("created")
    if not isinstance(created, str):
        return False
    try:
        taken = parsedate_to_datetime(created)
    except (ValueError, TypeError, OverflowError):
        return False
    taken = taken.replace(tzinfo=UTC) if taken.tzinfo is None else taken
    return now - taken.timestamp() < RECENT_SECONDS
