"""Messages that are held in memory, as deliveries that a capture can store: the same bytes, properties and headers."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from itertools import groupby
from typing import Any

from courier_nb.core import exactjson
from courier_nb.core.messages import Message
from courier_nb.wire.codec import Delivery, Receipt, body_text

_AT_A_TIME = 10


def deliveries_of(messages: Sequence[Message], destination: str, environment: str) -> Iterator[Delivery]:
    """Yield messages of a destination as deliveries, in order.

    Bodies must be text (see `body_text`). Locks are left out: they are worth nothing on a disk.
    """
    for (place, at, expires), group in groupby(messages, key=lambda m: (m.environment, m.received_at, m.lock_expires_at)):
        alike = list(group)
        now = datetime.now(UTC)
        receipt = Receipt(destination, place or environment, at or now, expires or at or now, lock_deadline=0.0)
        for start in range(0, len(alike), _AT_A_TIME):
            part = alike[start : start + _AT_A_TIME]
            yield Delivery(part, exactjson.dumps([_item(message) for message in part]), receipt)


def _item(message: Message) -> dict[str, Any]:
    headers = {name: value for name, value in message.headers.items() if name != "lockId"}
    return {"headers": headers, "properties": dict(message.properties), "body": body_text(message)}
