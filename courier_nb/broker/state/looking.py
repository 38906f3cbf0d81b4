"""A look at what a queue holds that changes nothing: no delivery is spent, no lock taken."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from courier_nb.broker.state.queues import Address
from courier_nb.broker.state.store import Store
from courier_nb.core import exactjson


@dataclass(frozen=True, slots=True)
class StoredMessage:
    """A message as a queue holds it.

    Attributes
    ----------
    id : str
    body : str
        Not shown by ``repr``, as the properties are not.
    properties, headers : dict
        As published; headers without the id.
    delivery_count : int
        How often it was given out.
    in_flight : bool
        Whether a receiver holds a lock on it.
    visible_at, expires_at : float
        When its lock or its delay ends, and when it expires: seconds since the epoch.
    """

    id: str
    body: str
    properties: dict[str, Any]
    headers: dict[str, str]
    delivery_count: int
    in_flight: bool
    visible_at: float
    expires_at: float

    def __repr__(self) -> str:
        state = "in flight" if self.in_flight else "waiting"
        return f"<StoredMessage {self.id!r}, {state}, delivered {self.delivery_count} times>"


def stored(store: Store, at: Address, limit: int) -> list[StoredMessage]:
    """Return the first messages of a queue, in the order in which they came."""
    rows = store.connection.execute(
        "select id, body, properties, headers, deliveries, token is not null and visible_at > ?, visible_at, expires_at"
        " from message where heap = ? and expires_at > ? order by seq limit ?",
        (store.now, store.queue(at).heap, store.now, limit),
    )
    return [
        StoredMessage(
            exactjson.loads_exactly(message_id),
            exactjson.loads_exactly(body),
            exactjson.loads_exactly(properties),
            exactjson.loads_exactly(b"{%s}" % headers),
            deliveries,
            bool(in_flight),
            visible_at / 1_000,
            expires_at / 1_000,
        )
        for message_id, body, properties, headers, deliveries, in_flight, visible_at, expires_at in rows
    ]
