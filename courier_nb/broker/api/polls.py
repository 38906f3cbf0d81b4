"""Receives as seen from the event loop: a client that goes away must not leave locked messages behind."""

from __future__ import annotations

import asyncio
from typing import Any

from courier_nb.broker.api.web import Disconnected, Receive
from courier_nb.broker.state.committer import Committer, Undo, Work
from courier_nb.broker.state.messages import Delivery

Received = list[Delivery]


class Polls:
    """The receives of one door (a server, or the in-process transport)."""

    def __init__(self, committer: Committer) -> None:
        self._committer = committer
        self._waiting: set[asyncio.Future[Received]] = set()
        self._ended = False

    async def take(self, work: Work[Received], undo: Undo[Received]) -> Received:
        """Do a receive that does not wait."""
        future = self._committer.submit(work, undo=undo)
        try:
            return await future
        except asyncio.CancelledError:
            self._withdraw(future, undo)
            raise

    async def wait(self, work: Work[Received], undo: Undo[Received], receive: Receive) -> Received:
        """Do a receive that may wait, and withdraw it when the client goes away."""
        if self._ended:
            return []
        future = self._committer.submit(work, undo=undo)
        self._waiting.add(future)
        gone = asyncio.ensure_future(disconnected(receive))
        either: set[asyncio.Future[Any]] = {future, gone}
        try:
            await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
            if gone.done():
                self._withdraw(future, undo)
                raise Disconnected
            return [] if future.cancelled() else future.result()
        except asyncio.CancelledError:
            self._withdraw(future, undo)
            raise
        finally:
            gone.cancel()
            self._waiting.discard(future)

    def end(self) -> None:
        """Answer every waiting poll now, and let none wait from here on. Called on the loop of the polls."""
        self._ended = True
        for future in list(self._waiting):
            future.cancel()

    def _withdraw(self, future: asyncio.Future[Received], undo: Undo[Received]) -> None:
        """Cancel a receive, or give back what it has got already."""
        if not future.cancel() and not future.cancelled() and future.exception() is None:
            deliveries = future.result()
            if deliveries:
                self._committer.leave(lambda store: undo(store, deliveries))


async def disconnected(receive: Receive) -> None:
    """Wait until the client has gone away."""
    while (await receive())["type"] != "http.disconnect":
        pass
