"""A broker with a clock that can be moved, a proxy before it, and a client that does not wait long."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from urllib.parse import urlsplit

import pytest
from tenacity import wait_random_exponential

from courier_nb import Client
from courier_nb.broker import LocalBroker
from courier_nb.core.clock import ManualClock
from courier_nb.flows import receive
from courier_nb.wire import pressure, retry, sender, transport

from .proxy import Proxy


class RunningClock(ManualClock):
    """Real time that can also be moved."""

    def time(self) -> float:
        return super().time() + time.monotonic()

    def monotonic(self) -> float:
        return super().monotonic() + time.monotonic()


@pytest.fixture(scope="session")
def clock() -> RunningClock:
    return RunningClock()


@pytest.fixture(scope="session")
def served(clock: RunningClock) -> Iterator[tuple[LocalBroker, dict[str, str]]]:
    with LocalBroker(clock=clock) as broker, broker.serving() as announced:
        yield broker, announced


@pytest.fixture(scope="session")
def broker(served: tuple[LocalBroker, dict[str, str]]) -> LocalBroker:
    return served[0]


@pytest.fixture(scope="session")
def proxy(served: tuple[LocalBroker, dict[str, str]]) -> Iterator[Proxy]:
    parts = urlsplit(served[1]["url"])
    with Proxy(f"{parts.scheme}://{parts.netloc}").running() as proxy:
        yield proxy


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Shorten every wait of the client, so that hanging calls and pauses do not take minutes."""
    for module in (sender, transport):
        monkeypatch.setattr(module, "READ_SECONDS", 0.25)
        monkeypatch.setattr(module, "LONG_POLL_MARGIN_SECONDS", 0.25)
    monkeypatch.setattr(sender, "_backoff", wait_random_exponential(multiplier=0.005, max=0.05))
    monkeypatch.setattr(retry, "RETRY_AFTER_MAX_SECONDS", 0.2)
    monkeypatch.setattr(pressure, "_PAUSE_SECONDS", 0.005)
    monkeypatch.setattr(pressure, "_PAUSE_MAX_SECONDS", 0.05)
    monkeypatch.setattr(receive, "_PAUSE_SECONDS", 0.005)


Connecting = Callable[[str], Client]


@pytest.fixture
def connecting(served: tuple[LocalBroker, dict[str, str]]) -> Iterator[Connecting]:
    """Make clients for an origin; they are closed at the end."""
    settings, made = served[1], []

    def connect(origin: str) -> Client:
        parts = urlsplit(settings["url"])
        client = Client.connect(
            client_id=settings["client_id"],
            client_secret=settings["client_secret"],
            auth="client_app",
            mq_url=f"{origin}{parts.path}",
        )
        made.append(client)
        return client

    yield connect
    for client in made:
        client.close()


@pytest.fixture
def client(connecting: Connecting, proxy: Proxy, impatient: None) -> Client:
    """A client whose calls go through the proxy."""
    return connecting(proxy.url)


@pytest.fixture
def direct(connecting: Connecting, served: tuple[LocalBroker, dict[str, str]]) -> Client:
    """A client that nothing stands in the way of."""
    parts = urlsplit(served[1]["url"])
    return connecting(f"{parts.scheme}://{parts.netloc}")
