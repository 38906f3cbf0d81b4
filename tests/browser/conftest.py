"""The browser, the two applications and a broker; or a loud word that there is no browser."""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path

import pytest

from courier_nb import Client
from courier_nb.broker import BrokerConfig, QueueConfig, ServedBroker
from courier_nb.client import broker_settings

from . import timings
from .chromium import find_chromium
from .lab import Desk, write_notebook
from .page import NotebookPage
from .server import App

IN_LAB = pytest.mark.parametrize("app", ["lab"], indirect=True)
IN_NOTEBOOK = pytest.mark.parametrize("app", ["notebook"], indirect=True)
"""For what cannot differ between the two: each page that is opened takes seconds."""
Opened = Callable[[Sequence[str]], NotebookPage]
QUEUES = (
    QueueConfig("orders", dead_letter_queue="orders-dlq", max_deliveries=10),
    QueueConfig("orders-dlq"),
    QueueConfig("parked"),
)
_numbers = itertools.count(1)


@pytest.fixture(scope="session")
def chromium() -> str:
    found = find_chromium()
    if found is None:
        message = "no Chromium found: install it (Debian: apt-get install chromium) or name it in CHROMIUM"
        if os.environ.get("CI"):
            pytest.fail(message)
        pytest.skip(f"BROWSER TESTS NOT RUN: {message}")
    return found


@pytest.fixture(scope="package")
def desk(chromium: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    """Not of the whole session: as long as Playwright runs, this thread has an event loop, which other tests cannot bear."""
    desk = Desk(chromium, tmp_path_factory.mktemp("desk"))
    yield desk
    desk.close()


@pytest.fixture(scope="package", params=["lab", "notebook"])
def app(request: pytest.FixtureRequest) -> App:
    found: App = request.param
    return found


@pytest.fixture
def broker() -> Iterator[ServedBroker]:
    """A broker of this test's own, in this process and on a socket."""
    with ServedBroker(BrokerConfig(queues=QUEUES)) as broker, broker.answering():
        yield broker


@pytest.fixture
def client(broker: ServedBroker) -> Iterator[Client]:
    """A client in this process, to prepare what the broker holds."""
    with Client(broker_settings(broker.settings)) as client:
        yield client


@pytest.fixture
def opened(desk: Desk, app: App, broker: ServedBroker, state_of_its_own: Path) -> Iterator[Opened]:
    """Open a notebook of given cells, whose kernel knows the broker by its environment variables."""
    env = {
        **broker.environ,
        "XDG_STATE_HOME": str(state_of_its_own / "state"),
        "XDG_DATA_HOME": str(state_of_its_own / "data"),
    }
    with ExitStack() as stack:

        def open_cells(cells: Sequence[str]) -> NotebookPage:
            path = f"test{next(_numbers)}/test.ipynb"
            write_notebook(desk.server(app).root / path, cells)
            return stack.enter_context(desk.open(app, path, env=env))

        yield open_cells


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    found = list(timings.lines())
    if found:
        terminalreporter.section("timings in the browser (noisy on a shared machine)")
        for line in found:
            terminalreporter.write_line(line)
