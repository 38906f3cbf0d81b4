"""Drives panels as their front end does: by its messages, with the turn that it saw."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

from courier_nb import Client, Message
from courier_nb.broker import LocalBroker, QueueConfig
from courier_nb.client import broker_settings
from courier_nb.core.clock import ManualClock
from courier_nb.jupyter.browser.browser import MessageBrowser
from courier_nb.jupyter.panels.base import ActionPanel
from courier_nb.jupyter.panels.context import Context
from courier_nb.jupyter.panels.drain import DrainPanel
from courier_nb.jupyter.panels.move import MovePanel
from courier_nb.jupyter.panels.receive import ReceivePanel
from courier_nb.jupyter.panels.replay import ReplayPanel
from courier_nb.jupyter.panels.settle import SettlePanel
from courier_nb.jupyter.script import Script

_PATIENCE_SECONDS = 60.0


def send(panel: ActionPanel, **message: Any) -> list[dict[str, Any]]:
    """Send what the front end would, and return what the panel told it."""
    told: list[dict[str, Any]] = []
    panel.send = lambda content, buffers=None: told.append(content)  # type: ignore[method-assign]
    panel._handle_custom_msg({"turn": panel.turn, **message}, [])
    return told


def click(panel: ActionPanel, action: str, *, turn: int | None = None) -> None:
    send(panel, do="act", action=action, turn=panel.turn if turn is None else turn)


def until(panel: ActionPanel, *stages: str) -> None:
    """Wait until the panel is in one of these stages and nothing is under way."""
    wait_for(lambda: panel.stage in stages and not panel.busy, lambda: f"{panel.stage}: {panel.error} {panel.said}")


def wait_for(is_true: Callable[[], Any], what: Callable[[], str] = lambda: "it never came") -> None:
    end = time.monotonic() + _PATIENCE_SECONDS
    while not is_true():
        assert time.monotonic() < end, what()
        time.sleep(0.01)


def arm(panel: ActionPanel, action: str) -> list[str]:
    """Click an action that asks, and return what it asks."""
    click(panel, action)
    until(panel, "armed", "failed")
    assert panel.stage == "armed", panel.error
    return list(panel.lines)


def confirm(panel: ActionPanel, name: str | None = None) -> dict[str, Any]:
    """Confirm, and return the report."""
    send(panel, do="confirm", name=name)
    until(panel, "done", "failed")
    assert panel.stage == "done", panel.error
    return dict(panel.report)


def act(panel: ActionPanel, action: str, name: str | None = None) -> dict[str, Any]:
    """Do an action, confirmed where it asks, and return the report."""
    click(panel, action)
    until(panel, "armed", "done", "failed")
    if panel.stage == "armed":
        return confirm(panel, name)
    assert panel.stage == "done", panel.error
    return dict(panel.report)


@dataclass
class Bench:
    """A broker, a client, a table, and all panels of it."""

    broker: LocalBroker
    client: Client
    clock: ManualClock = field(default_factory=ManualClock)
    destination: str = "orders"

    def __post_init__(self) -> None:
        self.browser = MessageBrowser(client=self.client)
        self.context = Context(
            self.client,
            browser=self.browser,
            destination=self.destination,
            clock=self.clock,
            script=Script("connect()"),
        )
        self.receive = ReceivePanel(context=self.context)
        self.settle = SettlePanel(context=self.context)
        self.drain = DrainPanel(context=self.context)
        self.replay = ReplayPanel(context=self.context)
        self.move = MovePanel(context=self.context)

    @property
    def panels(self) -> list[ActionPanel]:
        return [self.receive, self.settle, self.drain, self.replay, self.move]

    def take(self, count: int) -> None:
        """Receive into the table by its panel."""
        self.receive.set(how="receive", count=str(count))
        act(self.receive, "receive")

    def ids(self, queue: str) -> list[str]:
        return sorted(message.id for message in self.broker.messages(queue, limit=10_000))

    def depth(self, queue: str) -> int:
        return sum(self.broker.depth(queue).values())


def fill(broker: LocalBroker, queue: str, count: int, *, start: int = 0) -> None:
    """Put messages ``m-000``, ``m-001`` … into a queue."""
    numbers = range(start, start + count)
    messages = [Message(f'{{"order": {n}}}', {"source": "web"}, {"messageId": f"m-{n:03}"}) for n in numbers]
    with connected(broker) as client:
        client.destination(queue).publish(messages, progress=False)


@contextmanager
def connected(broker: LocalBroker, **settings: Any) -> Iterator[Client]:
    with Client(replace(broker_settings(broker.settings), **settings), transport=broker.transport()) as client:
        yield client


def queues() -> list[QueueConfig]:
    return [
        QueueConfig("orders-dlq"),
        QueueConfig("orders", dead_letter_queue="orders-dlq", max_deliveries=2),
        QueueConfig("repaired"),
    ]
