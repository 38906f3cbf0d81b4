"""How many bytes of answers may be in memory at once, whatever is in the messages.

What does not fit is left on the connection: an answer that is not read stays with the server, and costs nothing here.
"""

from __future__ import annotations

from collections import deque

import anyio

SMALL_BYTES = 256 * 1024
"""An answer up to this size is read without asking; with 16 calls at a time that is 4 MB."""


class ByteBudget:
    """Bytes that may be held at once by all calls that share it.

    Parameters
    ----------
    most : int
        One answer alone may be larger: it is let in when nothing else is held.

    Attributes
    ----------
    held : int
        Bytes held now.
    """

    def __init__(self, most: int) -> None:
        self.most = most
        self.held = 0
        self._waiting: deque[tuple[int, anyio.Event]] = deque()
        self._outgrown: Claim | None = None
        self._outgrown_ended = anyio.Event()

    def claim(self) -> Claim:
        """Return a claim that holds nothing yet."""
        return Claim(self)

    async def room(self) -> None:
        """Wait until something may be asked for: nobody waits, and less is held than is allowed."""
        if self._waiting or self.held >= self.most:
            await self._wait_for(0)

    async def _take(self, size: int) -> None:
        if not self._waiting and self._fits(size):
            self.held += size
            return
        await self._wait_for(size)

    async def _wait_for(self, size: int) -> None:
        admitted = anyio.Event()
        entry = (size, admitted)
        self._waiting.append(entry)
        try:
            await admitted.wait()
        except BaseException:
            if admitted.is_set():
                self._change(-size)
            else:
                self._waiting.remove(entry)
                self._admit()  # it may have stood in the way of a smaller one
            raise

    async def _outgrow(self, claim: Claim) -> None:
        """Wait until no other claim is larger than it was let in for: that one waits for nobody, so it comes to an end."""
        while self._outgrown not in (None, claim):
            await self._outgrown_ended.wait()
        self._outgrown = claim

    def _end_outgrown(self, claim: Claim) -> None:
        if self._outgrown is claim:
            self._outgrown = None
            self._outgrown_ended.set()
            self._outgrown_ended = anyio.Event()

    def _change(self, by: int) -> None:
        self.held += by
        self._admit()

    def _admit(self) -> None:
        while self._waiting and self._fits(self._waiting[0][0]):
            size, admitted = self._waiting.popleft()
            self.held += size
            admitted.set()

    def _fits(self, size: int) -> bool:
        return not self.held or (self.held < self.most and self.held + size <= self.most)


class Claim:
    """What one answer holds of a budget, from the first byte that is read until it has been dealt with.

    It holds nothing while it waits for room. One that turns out larger waits for its turn to be so; whose turn it is waits for
    nothing more. So claims cannot wait for each other for ever.
    """

    def __init__(self, budget: ByteBudget) -> None:
        self._budget = budget
        self._size = 0

    async def take(self, size: int) -> None:
        """Wait for so many bytes; only for a claim that holds nothing."""
        await self._budget._take(size)
        self._size = size

    async def grow(self, size: int) -> None:
        """Wait until an answer may be larger than what was taken for it."""
        if size > self._size:
            await self._budget._outgrow(self)
            self.is_now(size)

    def is_now(self, size: int) -> None:
        """Say how large the answer has turned out to be."""
        self._budget._change(size - self._size)
        self._size = size

    def release(self) -> None:
        """Hold nothing any more. May be called again."""
        self.is_now(0)
        self._budget._end_outgrown(self)
