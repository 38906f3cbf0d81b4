"""What the path of a request to the broker API names."""

from __future__ import annotations

from dataclasses import dataclass

from courier_nb.broker.api.faults import UNTOUCHED, Strike
from courier_nb.broker.state.queues import Address


@dataclass(frozen=True, slots=True, repr=False)
class Target:
    """A destination and, where the path has them, a message id and a lock id; what a fault makes of the request."""

    at: Address
    message_id: str = ""
    lock: str = ""
    strike: Strike = UNTOUCHED
