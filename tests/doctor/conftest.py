"""A broker whose clock runs only while somebody waits: a minute of waiting takes no time, and a slow machine changes nothing."""

from __future__ import annotations

import threading
import time
from collections.abc import AsyncIterator, Collection, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import replace
from typing import Any

import httpx
import pytest

from courier_nb import AsyncClient, Message, ProbeReport
from courier_nb.broker import BrokerConfig, ClientApp, LocalBroker, QueueConfig, Switches
from courier_nb.client import broker_settings
from courier_nb.core.clock import ManualClock
from courier_nb.doctor import probing
from courier_nb.doctor.bench import Pace
from courier_nb.doctor.caller import Caller
from courier_nb.doctor.subject import look_at

_STEP_SECONDS = 0.25


class Hurry(Pace):
    """Lets a manual clock jump instead of waiting."""

    def __init__(self, clock: ManualClock) -> None:
        super().__init__(clock)
        self._clock: ManualClock = clock

    async def sleep(self, seconds: float) -> None:
        self._clock.advance(seconds)


class HurriedBroker:
    """A broker on a socket; while a long poll waits in it, its clock runs."""

    def __init__(self, config: BrokerConfig) -> None:
        self.clock = ManualClock()
        self.broker = LocalBroker(config, clock=self.clock)

    @contextmanager
    def serving(self) -> Iterator[dict[str, str]]:
        ended = threading.Event()
        runner = threading.Thread(target=self._run, args=(ended,), daemon=True)
        with self.broker, self.broker.serving() as announced:
            runner.start()
            try:
                yield announced
            finally:
                ended.set()
                runner.join()

    def _run(self, ended: threading.Event) -> None:
        while not ended.is_set():
            if self.broker._engine.committer.waiting:
                self.clock.advance(_STEP_SECONDS)
            time.sleep(0.002)


class Clinic:
    """A broker, its clock, and a client of it."""

    def __init__(self, broker: LocalBroker, clock: ManualClock, client: AsyncClient) -> None:
        self.broker = broker
        self.clock = clock
        self.client = client

    @asynccontextmanager
    async def with_client_app(self) -> AsyncIterator[Clinic]:
        """The same with the credentials of the broker's MQ client app."""
        settings = replace(self.client.settings, auth="client_app", client_id="app", client_secret="app-secret-1")
        async with AsyncClient(settings) as client:
            yield Clinic(self.broker, self.clock, client)

    def watch(self) -> list[httpx.Request]:
        """Return the list that every request of the client from now on is added to."""
        seen: list[httpx.Request] = []

        async def note(request: httpx.Request) -> None:
            seen.append(request)

        self.client._session._http.event_hooks["request"].append(note)
        return seen

    async def probe(
        self, queue: str = "probe", *, only: Collection[str] | None = None, exchange: str | None = None, large: bool = False
    ) -> ProbeReport:
        """Probe a queue as `doctor` does, but without waiting."""
        session = self.client._session
        caller = Caller(session, (await session.operations()).place)
        subject = await look_at(caller, queue, exchange=exchange, large=large)
        return await probing.probe(session, caller, subject, Switches(), pace=Hurry(self.clock), only=only)

    async def publish(self, queue: str, *ids: str) -> None:
        """Publish messages that are not the doctor's."""
        await self.client.destination(queue).publish_batch([Message("not the doctor's", {}, {"messageId": name}) for name in ids])


@asynccontextmanager
async def open_clinic(config: BrokerConfig) -> AsyncIterator[Clinic]:
    hurried = HurriedBroker(config)
    with hurried.serving() as announced:
        async with AsyncClient(broker_settings(announced)) as client:
            yield Clinic(hurried.broker, hurried.clock, client)


def throw_away(**settings: Any) -> BrokerConfig:
    """Return a broker with a queue ``probe``, whose dead letters go to ``dead``."""
    dead = QueueConfig("dead", fifo=settings.get("fifo", False))
    queue = QueueConfig("probe", **{"dead_letter_queue": "dead", "max_deliveries": 5, **settings})
    return BrokerConfig(queues=(dead, queue), clients=(ClientApp("app", "app", "app-secret-1"),))


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"
