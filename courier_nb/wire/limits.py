"""What is allowed to one call: time and memory."""

from __future__ import annotations

from dataclasses import dataclass

from courier_nb.wire.budget import Claim
from courier_nb.wire.reading import ANSWER_BYTES


@dataclass(frozen=True, slots=True)
class Limits:
    """What is allowed to one call.

    Attributes
    ----------
    poll_seconds : float
        How long the server may hold the answer back; the read timeout is this plus a margin.
    give_up_at : float or None
        Monotonic time (seconds) after which nothing is sent any more that had to wait, such as the end of the lock that the
        call is about.
    answer_bytes : int
        The most that the answer may hold.
    claim : Claim or None
        Asked for room before a large answer is read.
    """

    poll_seconds: float = 0.0
    give_up_at: float | None = None
    answer_bytes: int = ANSWER_BYTES
    claim: Claim | None = None
