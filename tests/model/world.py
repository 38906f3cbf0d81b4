"""A broker whose clock is moved by hand, and a client whose process may die at any call.

A process that is killed leaves what it had written so far and says nothing more to the broker. So at the chosen call the
folder is copied as it stands, and from then on no call gets through; afterwards the copy takes the folder's place.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from courier_nb import Client
from courier_nb.broker import LocalBroker
from courier_nb.client import broker_settings
from courier_nb.core import moments
from courier_nb.core.clock import ManualClock


class Dead(Exception):
    """The process was killed: nothing is caught, and no clean-up reaches the broker."""


class Line(httpx.AsyncBaseTransport):
    """The way to the broker, which a test can cut for good.

    Parameters
    ----------
    broker : LocalBroker
    folder : Path
        What the client writes.
    """

    def __init__(self, broker: LocalBroker, folder: Path) -> None:
        self._inner = broker.transport()
        self._folder = folder
        self._calls_left: int | None = None
        self._after = False
        self.is_dead = False

    @property
    def snapshot(self) -> Path:
        return self._folder.with_name(self._folder.name + "-as-killed")

    def die_at(self, call: int, *, after: bool) -> None:
        """Die at the n-th call from now on: before it reaches the broker, or when the broker has done it."""
        self._calls_left, self._after = call, after

    def live(self) -> None:
        self._calls_left, self.is_dead = None, False

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        if self.is_dead:
            raise Dead
        dies = False
        if self._calls_left is not None and request.url.path.startswith("/api/"):
            self._calls_left -= 1
            dies = self._calls_left < 0
        if dies and not self._after:
            self._kill()
        # The clock stands still, so a long poll would never end.
        url = request.url.copy_merge_params({"pollingTime": "0"}) if "pollingTime" in request.url.params else request.url
        asked = httpx.Request(request.method, url, headers=request.headers, content=await request.aread())
        response = await self._inner.handle_async_request(asked)
        if dies:
            await response.aread()
            self._kill()
        return response

    def _kill(self) -> None:
        self.is_dead = True
        if self._folder.exists():
            shutil.copytree(self._folder, self.snapshot)
        raise Dead


class World:
    """A broker, and clients that come and go."""

    def __init__(self, folder: Path, queues: dict[str, bool]) -> None:
        self.clock = ManualClock()
        self.broker = LocalBroker(clock=self.clock)
        for name, fifo in queues.items():
            self.broker.create_queue(name, fifo=fifo)
        self.folder = folder
        self.line = Line(self.broker, folder)
        # The five minutes for which a FIFO queue remembers ids are judged on both sides: the clocks must agree.
        self.patch = pytest.MonkeyPatch()
        self.patch.setattr(moments, "now", lambda: moments.Moment(self.clock.time(), "a boot", self.clock.monotonic()))
        self.client = self._connect()

    def _connect(self) -> Client:
        return Client(broker_settings(self.broker.settings), transport=self.line)

    @contextmanager
    def killed_at(self, call: int, *, after: bool) -> Iterator[None]:
        """Let the client die at its n-th call to the broker API, if it makes so many; then another takes its place."""
        self.line.die_at(call, after=after)
        try:
            yield
        except Dead:
            if self.line.snapshot.exists():
                shutil.rmtree(self.folder)
                self.line.snapshot.rename(self.folder)
            self.line.live()
            self.client = self._connect()
        finally:
            self.line.live()

    def bodies(self, queue: str) -> list[str]:
        """What a queue holds, locked or not, oldest first."""
        return [message.body for message in self.broker.messages(queue, limit=100_000)]

    def close(self) -> None:
        self.patch.undo()
        self.client.close()
        self.broker.close()
