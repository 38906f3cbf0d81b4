"""The nine operations on a destination, run on the background loop."""

from __future__ import annotations

from collections.abc import Sequence

from courier_nb.blocking.documented import documented_as
from courier_nb.core.messages import ItemResult, Message
from courier_nb.core.portal import run
from courier_nb.core.units import Duration
from courier_nb.destination import AsyncDestination
from courier_nb.showing import shows_destination
from courier_nb.wire.operations import Lock, PayloadVisibility


@shows_destination
@documented_as(AsyncDestination)
class Calls:
    """A destination's calls as the API has them."""

    def __init__(self, inner: AsyncDestination, client: object = None) -> None:
        self._inner = inner
        self._client = client  # in use as long as this is: a client that nobody uses is closed
        self.id = inner.id

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.id!r}>"

    def receive_batch(
        self,
        *,
        polling_time: Duration = "10s",
        batch_size: int = 1,
        lock_ttl: Duration = "2m",
        payload_visibility: PayloadVisibility = "full",
    ) -> list[Message]:
        return run(
            self._inner.receive_batch,
            polling_time=polling_time,
            batch_size=batch_size,
            lock_ttl=lock_ttl,
            payload_visibility=payload_visibility,
        )

    def publish_batch(self, messages: Sequence[Message]) -> list[ItemResult]:
        return run(self._inner.publish_batch, messages)

    def ack_batch(self, locks: Sequence[Lock]) -> list[ItemResult]:
        return run(self._inner.ack_batch, locks)

    def extend_batch(self, locks: Sequence[Lock], lock_ttl: Duration) -> list[ItemResult]:
        return run(self._inner.extend_batch, locks, lock_ttl)

    def nack_batch(self, locks: Sequence[Lock]) -> list[ItemResult]:
        return run(self._inner.nack_batch, locks)

    def publish_one(self, message: Message) -> ItemResult:
        return run(self._inner.publish_one, message)

    def ack_one(self, message_id: str, lock_id: str) -> ItemResult:
        return run(self._inner.ack_one, message_id, lock_id)

    def extend_one(self, message_id: str, lock_id: str, lock_ttl: Duration) -> ItemResult:
        return run(self._inner.extend_one, message_id, lock_id, lock_ttl)

    def nack_one(self, message_id: str, lock_id: str) -> ItemResult:
        return run(self._inner.nack_one, message_id, lock_id)
