"""Messages as the store takes and gives them: JSON fragments that are never decoded again."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple


@dataclass(frozen=True, slots=True, repr=False)
class NewMessage:
    """A message to be stored.

    Attributes
    ----------
    id, properties, body : bytes
        JSON fragments.
    headers : bytes
        Members of a JSON object without its braces: what the publisher set, apart from the id. May be empty.
    size : int
        Bytes of the body in UTF-8.
    group : bytes or None
        Message group, a JSON fragment.
    ttl_ms, delay_ms : int or None
        What the publisher asked for; None takes the queue's.
    """

    id: bytes
    headers: bytes
    properties: bytes
    body: bytes
    size: int
    group: bytes | None = None
    ttl_ms: int | None = None
    delay_ms: int | None = None


class Delivery(NamedTuple):
    """A message handed out under a lock.

    Attributes
    ----------
    created_ms : int
        Milliseconds since the epoch.
    body : bytes or None
        None when the reader did not want it.
    """

    seq: int
    token: bytes
    id: bytes
    deliveries: int
    created_ms: int
    headers: bytes
    properties: bytes
    body: bytes | None

    def __repr__(self) -> str:
        return f"<Delivery no. {self.deliveries} of row {self.seq}>"
