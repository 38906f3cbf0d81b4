"""A real kernel, and a broker over a socket that it talks to."""

from __future__ import annotations

import queue
import re
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
from jupyter_client import BlockingKernelClient, KernelManager

from courier_nb import Client
from courier_nb.broker import LocalBroker, QueueConfig
from courier_nb.client import broker_settings


@dataclass
class Cell:
    """What a cell did."""

    status: str
    error: str
    text: str
    seconds: float
    traceback: str = ""


@dataclass
class Kernel:
    """Runs cells the way a notebook does."""

    manager: KernelManager
    client: BlockingKernelClient
    outputs: list[str] = field(default_factory=list)

    def run(self, code: str, *, timeout: float = 60) -> Cell:
        return self.finish(self.start(code), timeout=timeout)

    def start(self, code: str) -> str:
        return str(self.client.execute(code))

    def interrupt(self) -> None:
        self.manager.interrupt_kernel()

    def finish(self, message_id: str, *, timeout: float = 60) -> Cell:
        began, text = time.monotonic(), []
        while True:
            message = self.client.get_iopub_msg(timeout=timeout)
            if message["parent_header"].get("msg_id") != message_id:
                continue
            kind, content = message["msg_type"], message["content"]
            if kind == "stream":
                text.append(content["text"])
            elif kind == "execute_result":
                text.append(content["data"]["text/plain"])
            elif kind == "status" and content["execution_state"] == "idle":
                break
        reply = self._reply(message_id, timeout)
        traceback = re.sub(r"\x1b\[[\d;]*m", "", "\n".join(reply.get("traceback", [])))
        return Cell(reply["status"], reply.get("ename", ""), "".join(text), time.monotonic() - began, traceback)

    def wait_for_text(self, message_id: str, words: str, *, timeout: float = 60) -> None:
        """Return when a running cell has printed `words`."""
        end = time.monotonic() + timeout
        while time.monotonic() < end:
            try:
                message = self.client.get_iopub_msg(timeout=1)
            except queue.Empty:
                continue
            if message["msg_type"] == "stream" and words in message["content"]["text"]:
                return
        raise AssertionError(f"the cell never printed {words!r}")

    def _reply(self, message_id: str, timeout: float) -> dict[str, Any]:
        while True:
            reply = self.client.get_shell_msg(timeout=timeout)
            if reply["parent_header"].get("msg_id") == message_id:
                return dict(reply["content"])


@pytest.fixture
def kernel() -> Iterator[Kernel]:
    manager = KernelManager(kernel_name="python3")
    manager.start_kernel()
    client = manager.client()
    client.start_channels()
    client.wait_for_ready(timeout=60)
    yield Kernel(manager, client)
    client.stop_channels()
    manager.shutdown_kernel(now=True)


@pytest.fixture
def broker() -> Iterator[LocalBroker]:
    queues = [QueueConfig("orders-dlq"), QueueConfig("orders", dead_letter_queue="orders-dlq", max_deliveries=1000)]
    with LocalBroker(queues=queues) as broker:
        yield broker


@pytest.fixture
def announced(broker: LocalBroker) -> Iterator[dict[str, str]]:
    with broker.serving() as settings:
        yield settings


@pytest.fixture
def client(announced: dict[str, str]) -> Iterator[Client]:
    with Client(broker_settings(announced)) as client:
        yield client


@pytest.fixture
def connecting(announced: dict[str, str]) -> str:
    """The code of a first cell."""
    return (
        "import courier_nb\n"
        f"client = courier_nb.connect(mq_url={announced['url']!r}, client_id={announced['client_id']!r}, "
        f"client_secret={announced['client_secret']!r})\n"
        "orders = client.destination('orders')\n"
    )
