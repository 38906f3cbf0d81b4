"""Drains that are killed: a broker in memory, the process that forks them, and what must hold afterwards."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from courier_nb import Client, Message
from courier_nb.storage.layout import Layout
from courier_nb.storage.verification import verify_layout

from .conftest import clean_env, command

QUEUE = "drained"
CONFIG = f'[[queue]]\nid = "{QUEUE}"\nmax_deliveries = 1000\n'


class Drains:
    """Publishes into one queue of a broker and drains it in processes that may be killed.

    Attributes
    ----------
    client : Client
        Of this process.
    """

    def __init__(self, client: Client, forking: subprocess.Popen[str]) -> None:
        self.client = client
        self._forking = forking

    def publish(self, messages: list[Message]) -> None:
        report = self.client.destination(QUEUE).publish(messages, progress=False)
        assert report.ok, report

    def run(self, folder: Path, **job: Any) -> dict[str, Any]:
        """Drain in a process of its own; return how it ended (`code`) and its `steps`."""
        fixed = {"folder": str(folder), "queue": QUEUE, "polling_ms": 20}
        return self._do({**fixed, "lock_ms": 300, "concurrency": 1, "sizes": {}, **job})

    def open(self, folder: Path, **job: Any) -> dict[str, Any]:
        """Open a capture and compact it in a process of its own."""
        return self._do({"folder": str(folder), **job})

    def _do(self, job: dict[str, Any]) -> dict[str, Any]:
        assert self._forking.stdin is not None
        assert self._forking.stdout is not None
        self._forking.stdin.write(json.dumps(job) + "\n")
        self._forking.stdin.flush()
        return json.loads(self._forking.stdout.readline())

    def depth(self) -> int:
        """Return how many messages the broker holds, in flight too."""
        depth = self.client.depth(QUEUE)
        assert depth is not None
        return depth.messages + depth.in_flight


@contextmanager
def drains(folder: Path) -> Iterator[Drains]:
    """Start a broker and the process that forks drains."""
    config = folder / "broker.toml"
    config.write_text(CONFIG)
    env = clean_env(folder)
    with (folder / "errors.txt").open("w") as errors:
        broker = subprocess.Popen(
            command("broker", "--config", config, "--json"), env=env, stdout=subprocess.PIPE, stderr=errors, text=True
        )
        assert broker.stdout is not None
        announced = json.loads(broker.stdout.readline())
        env.update(
            ANYPOINT_MQ_URL=announced["url"],
            ANYPOINT_CLIENT_ID=announced["client_id"],
            ANYPOINT_CLIENT_SECRET=announced["client_secret"],
        )
        forking = subprocess.Popen(
            [sys.executable, "-m", "tests.process.stepping"],
            env=env,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
        )
        try:
            with Client.connect(
                mq_url=announced["url"], client_id=announced["client_id"], client_secret=announced["client_secret"]
            ) as client:
                yield Drains(client, forking)
        finally:
            assert forking.stdin is not None
            forking.stdin.close()
            forking.wait(10)
            broker.terminate()
            broker.wait(10)


def check_what_is_there(folder: Path) -> None:
    """Check a capture as a kill left it: no file is named as damaged, whatever was cut off."""
    layout = Layout(folder)
    if layout.identity_file.exists():
        result = verify_layout(layout)
        assert result.ok, result.frame().to_string()
