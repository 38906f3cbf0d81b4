"""Lock ids: opaque to clients, a primary key and a secret to us."""

from __future__ import annotations

import base64
import binascii
from typing import NamedTuple

_PREFIX = "AQEB"
_SEPARATOR = "+/"
_SEQ_BYTES = 6
_PLACE_CHARACTERS = 8
TOKEN_BYTES = 16


class Lock(NamedTuple):
    """What a client presents to settle a delivery: the message's id (a JSON fragment), its row, and the delivery's token."""

    message_id: bytes
    seq: int
    token: bytes

    def __repr__(self) -> str:
        return f"<Lock of row {self.seq}>"


def lock_id(seq: int, token: bytes) -> str:
    """Return the lock id of a delivery.

    Like the real service's it begins with ``AQEB``; it always holds ``/``, ``+`` and ``=``, so that a client which
    forgets to percent-encode it fails here and not in production.
    """
    place = base64.b64encode(seq.to_bytes(_SEQ_BYTES, "big")).decode("ascii")
    return f"{_PREFIX}{place}{_SEPARATOR}{base64.b64encode(token).decode('ascii')}"


def read_lock(message_id: bytes, text: str) -> Lock | None:
    """Return the lock that a lock id stands for; None when it cannot be one of ours."""
    # cut by length: the place itself may hold the separator
    start = len(_PREFIX)
    end = start + _PLACE_CHARACTERS
    try:
        seq = int.from_bytes(base64.b64decode(text[start:end], validate=True), "big")
        token = base64.b64decode(text[end + len(_SEPARATOR) :], validate=True)
    except (binascii.Error, ValueError):
        return None
    # made again and compared, because several texts decode to the same bytes
    return Lock(message_id, seq, token) if len(token) == TOKEN_BYTES and lock_id(seq, token) == text else None
