"""The nine operations on a destination, one coroutine each, in the order of the API's page."""

from __future__ import annotations

from collections.abc import Sequence

from courier_nb.connection import Connection
from courier_nb.core.arguments import as_name
from courier_nb.core.messages import ItemResult, Message
from courier_nb.core.units import Duration, milliseconds
from courier_nb.showing import shows_destination
from courier_nb.wire.operations import Lock, PayloadVisibility


@shows_destination
class DestinationCalls:
    """A destination's calls as the API has them; the tenth, ``authorize``, is the client's.

    Attributes
    ----------
    id : str
        Name of the queue or exchange.
    """

    def __init__(self, connection: Connection, id: str) -> None:  # noqa: A002  # the API's noun
        self._connection = connection
        self.id = as_name(id, "destination")

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.id!r}>"

    async def receive_batch(
        self,
        *,
        polling_time: Duration = "10s",
        batch_size: int = 1,
        lock_ttl: Duration = "2m",
        payload_visibility: PayloadVisibility = "full",
    ) -> list[Message]:
        """Receive and lock messages (operation 1); spends a delivery of each.

        Parameters
        ----------
        polling_time : duration
            How long the service may wait for a message, at most 20 s.
        batch_size : int
            1 to 10.
        lock_ttl : duration
            How long the messages stay ours, at most 12 h.
        payload_visibility : {"full", "none", "conditional"}
            ``conditional`` withholds bodies over 1 MB.

        Returns
        -------
        list of Message
            Empty when none was visible, which does not mean that the queue is empty.

        Raises
        ------
        Refused, Unreachable, BadAnswer
            After an unknown outcome up to `batch_size` messages may be locked until `lock_ttl` ends.
        """
        operations = await self._connection.operations()
        delivery = await operations.receive(
            self.id,
            polling_ms=milliseconds(polling_time, name="polling_time"),
            batch_size=batch_size,
            lock_ms=milliseconds(lock_ttl, name="lock_ttl"),
            payload_visibility=payload_visibility,
        )
        return delivery.messages

    async def publish_batch(self, messages: Sequence[Message]) -> list[ItemResult]:
        """Publish one to ten messages in one call (operation 2); a message without an id is given one."""
        return await (await self._connection.operations()).publish_batch(self.id, messages)

    async def ack_batch(self, locks: Sequence[Lock]) -> list[ItemResult]:
        """Delete one to ten messages in one call (operation 3), each given as (message id, lock id)."""
        return await (await self._connection.operations()).ack_batch(self.id, locks)

    async def extend_batch(self, locks: Sequence[Lock], lock_ttl: Duration) -> list[ItemResult]:
        """Let the locks of one to ten messages end `lock_ttl` from now (operation 4)."""
        operations = await self._connection.operations()
        return await operations.extend_batch(self.id, locks, milliseconds(lock_ttl, name="lock_ttl"))

    async def nack_batch(self, locks: Sequence[Lock]) -> list[ItemResult]:
        """Return one to ten messages to the queue in one call (operation 5)."""
        return await (await self._connection.operations()).nack_batch(self.id, locks)

    async def publish_one(self, message: Message) -> ItemResult:
        """Publish one message (operation 6)."""
        return await (await self._connection.operations()).publish_one(self.id, message)

    async def ack_one(self, message_id: str, lock_id: str) -> ItemResult:
        """Delete one message (operation 7)."""
        return await (await self._connection.operations()).ack_one(self.id, message_id, lock_id)

    async def extend_one(self, message_id: str, lock_id: str, lock_ttl: Duration) -> ItemResult:
        """Let the lock of one message end `lock_ttl` from now (operation 8)."""
        operations = await self._connection.operations()
        return await operations.extend_one(self.id, message_id, lock_id, milliseconds(lock_ttl, name="lock_ttl"))

    async def nack_one(self, message_id: str, lock_id: str) -> ItemResult:
        """Return one message to the queue (operation 9)."""
        return await (await self._connection.operations()).nack_one(self.id, message_id, lock_id)
