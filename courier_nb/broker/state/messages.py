"""Messages as the store takes and gives them: JSON fragments that are never decoded again."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from courier_nb.core import exactjson


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
    group : str or None
        Message group.
    ttl_ms, delay_ms : int or None
        What the publisher asked for; None takes the queue's.
    attributes : (mapping, mapping)
        Headers and properties as they were sent, for routing rules.
    """

    id: bytes
    headers: bytes
    properties: bytes
    body: bytes
    size: int
    group: str | None = None
    ttl_ms: int | None = None
    delay_ms: int | None = None
    attributes: tuple[Mapping[str, Any], Mapping[str, Any]] = ({}, {})


class Delivery(NamedTuple):
    """A message handed out under a lock.

    Attributes
    ----------
    member : int or None
        Number of its message group, in a FIFO queue.
    created_ms : int
        Milliseconds since the epoch.
    body : bytes or None
        None when the reader did not want it.
    """

    seq: int
    token: bytes
    member: int | None
    id: bytes
    deliveries: int
    created_ms: int
    headers: bytes
    properties: bytes
    body: bytes | None

    @property
    def size(self) -> int:
        """Bytes of the body in UTF-8; 0 of one that the reader did not want."""
        if self.body is None:
            return 0
        if b"\\" in self.body:
            return len(exactjson.loads(self.body).encode("utf-8", "surrogatepass"))
        return len(self.body) - len(b'""')

    def __repr__(self) -> str:
        return f"<Delivery no. {self.deliveries} of row {self.seq}>"
