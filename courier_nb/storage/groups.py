"""Group commit: entries that come together share one write and one flush."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

import anyio
from anyio import to_thread

T = TypeVar("T")


class GroupCommit(Generic[T]):
    """Hands entries to a blocking writer, in a thread, in the order they came.

    Parameters
    ----------
    write : callable
        Writes a batch of entries for good, or raises.

    Notes
    -----
    After a failed write nothing more is taken: entries of a later call may have been in the batch that failed.
    """

    def __init__(self, write: Callable[[Sequence[T]], object]) -> None:
        self._write = write
        self._pending: list[T] = []
        self._taken = 0
        self._durable = 0
        self._writing = anyio.Lock()
        self._broken: Exception | None = None

    async def commit(self, entries: Sequence[T]) -> None:
        """Return when `entries` are written.

        Raises
        ------
        Exception
            What the writer raised, now or ever before.
        """
        self._pending += entries
        self._taken += 1
        ticket = self._taken
        async with self._writing:
            if ticket <= self._durable:
                return
            if self._broken is not None:
                raise self._broken
            batch, self._pending = self._pending, []
            upto = self._taken
            try:
                # Shielded: a cancelled call must not leave it open whether its entries were written.
                with anyio.CancelScope(shield=True):
                    await to_thread.run_sync(self._write, batch)
            except Exception as error:
                self._broken = error
                raise
            self._durable = upto
