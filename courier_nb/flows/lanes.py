"""Publishing many messages: side by side, but in order inside each message group.

Every group belongs to one lane, and a lane sends one batch after the other; messages without a group go to whichever lane is
next.
"""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from typing import Any

import anyio
from anyio.streams.memory import MemoryObjectReceiveStream, MemoryObjectSendStream

from courier_nb.flows.batches import AfterSending, BatchSender, BeforeSending, Row, Veto
from courier_nb.flows.settle import BATCH
from courier_nb.flows.together import together
from courier_nb.wire.operations import Operations

_BATCH_BYTES = 8 * 1024 * 1024
_BATCHES_PER_LANE = 1


class Lanes(BatchSender):
    """Publishes rows to one destination.

    Parameters
    ----------
    operations : Operations
    target : str
    concurrency : int
        Lanes, each with one call at a time.
    before, after : callable
        Awaited before a batch is sent and after its outcomes are known.
    veto : callable, optional
    """

    def __init__(
        self,
        operations: Operations,
        target: str,
        *,
        concurrency: int,
        before: BeforeSending,
        after: AfterSending,
        veto: Veto | None = None,
    ) -> None:
        super().__init__(operations, target, before=before, after=after, veto=veto)
        self._concurrency = concurrency

    async def run(self, rows: AsyncIterator[Row]) -> None:
        """Publish all `rows`."""
        streams = [anyio.create_memory_object_stream[list[Row]](_BATCHES_PER_LANE) for _ in range(self._concurrency)]
        inlets = [inlet for inlet, _ in streams]

        async def feed() -> None:
            try:
                await self._feed(rows, inlets)
            finally:
                for inlet in inlets:
                    inlet.close()

        def lane(outlet: MemoryObjectReceiveStream[list[Row]]) -> Callable[[], Coroutine[Any, Any, None]]:
            async def work() -> None:
                async with outlet:
                    async for batch in outlet:
                        await self.send(batch)

            return work

        await together([feed, *(lane(outlet) for _, outlet in streams)])

    async def _feed(self, rows: AsyncIterator[Row], inlets: Sequence[MemoryObjectSendStream[list[Row]]]) -> None:
        """Deal the rows out in full batches, for each call is billed; what is left over at the end goes in short ones."""
        batches: list[list[Row]] = [[] for _ in inlets]
        sizes = [0] * len(inlets)
        turn = 0

        async def send(lane: int) -> None:
            batch, batches[lane], sizes[lane] = batches[lane], [], 0
            await inlets[lane].send(batch)

        async for row in rows:
            group = row.message.message_group_id
            lane = turn % len(inlets) if group is None else _lane_of(group, len(inlets))
            size = len(row.message.body or "")
            if batches[lane] and sizes[lane] + size > _BATCH_BYTES:
                await send(lane)
            batches[lane].append(row)
            sizes[lane] += size
            if len(batches[lane]) == BATCH:
                await send(lane)
                turn += 1
        for lane, batch in enumerate(batches):
            if batch:
                await send(lane)


def _lane_of(group: str, lanes: int) -> int:
    return int.from_bytes(hashlib.blake2b(group.encode("utf-8", "surrogatepass"), digest_size=4).digest()) % lanes
