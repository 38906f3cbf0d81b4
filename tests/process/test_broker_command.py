"""``courier-nb broker`` in a terminal and outside of one."""

from __future__ import annotations

import io
import json
import os
import pty
import re
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from rich.console import Console

from courier_nb.broker import QueueConfig
from courier_nb.broker.status import BrokerStatus, QueueStatus
from courier_nb.cli.broker_status import ROWS, line, table
from tests.process.conftest import Cli, command, write_jsonl

CONTROL = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


class Terminal:
    """A program in a terminal of its own."""

    def __init__(self, arguments: list[str], env: dict[str, str]) -> None:
        screen, inside = pty.openpty()
        env = {**env, "COLUMNS": "100", "LINES": "40", "TERM": "xterm-256color"}
        self.process = subprocess.Popen(arguments, env=env, stdin=inside, stdout=inside, stderr=inside)
        os.close(inside)
        self._screen = screen
        self.text = ""

    def read_until(self, pattern: str) -> re.Match[str]:
        """Read until the pattern has been shown; the test's time limit ends a wait in vain."""
        while not (found := re.search(pattern, self.text)):
            self.text += CONTROL.sub("", os.read(self._screen, 65_536).decode())
        return found

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        os.close(self._screen)


@pytest.fixture
def terminal(lonely_cli: Cli) -> Iterator[Terminal]:
    terminal = Terminal(command("broker"), lonely_cli.env)
    yield terminal
    terminal.close()


def test_in_a_terminal_it_says_how_to_connect_and_shows_its_queues_live(
    terminal: Terminal, lonely_cli: Cli, tmp_path: Path
) -> None:
    terminal.read_until("orders-dlq")
    exported = dict(re.findall(r"export (\w+)=(\S+)", terminal.text))
    assert set(exported) == {"ANYPOINT_MQ_URL", "ANYPOINT_CLIENT_ID", "ANYPOINT_CLIENT_SECRET"}
    lonely_cli.env.update(exported)
    messages = write_jsonl(tmp_path / "m.jsonl", [{"headers": {"messageId": f"m{n}"}, "body": "x"} for n in range(12)])
    assert lonely_cli.run("publish", "orders", messages).code == 0
    terminal.read_until(r"orders +12 +0 +orders-dlq")
    terminal.read_until(r"\d+ requests/s, [1-9]\d* in all, 0 receivers waiting")
    terminal.process.send_signal(signal.SIGINT)
    assert terminal.process.wait(10) == 0


def test_elsewhere_the_first_line_is_json_and_then_there_are_plain_lines(lonely_cli: Cli, tmp_path: Path) -> None:
    broker = lonely_cli.start("broker")
    assert broker.stdout is not None
    assert broker.stderr is not None
    announced = json.loads(broker.stdout.readline())
    lonely_cli.env.update(
        ANYPOINT_MQ_URL=announced["url"],
        ANYPOINT_CLIENT_ID=announced["client_id"],
        ANYPOINT_CLIENT_SECRET=announced["client_secret"],
    )
    first = broker.stderr.readline()
    assert re.fullmatch(
        r"courier-nb: all queues empty \(waiting\+in flight\); 0 requests/s, 0 in all, \d receivers waiting\n", first
    )
    broker.send_signal(signal.SIGINT)
    assert broker.wait(10) == 0
    assert broker.stdout.read() == ""
    assert "\x1b" not in broker.stderr.read()


def queue(number: int, messages: int) -> QueueStatus:
    settings = QueueConfig(f"queue-{number}")
    return QueueStatus("Local", settings.id, settings.fifo, messages, 1, None)


def test_the_table_shows_the_fullest_queues_and_says_how_many_it_leaves_out() -> None:
    status = BrokerStatus(tuple(queue(number, number * 1000) for number in range(ROWS + 5)), 7, 2.5, 3)
    console = Console(width=100, file=io.StringIO(), record=True)
    console.print(table(status))
    text = console.export_text()
    assert "24,000" in text
    assert "queue-4 " not in text
    assert "and 5 more queues" in text
    assert text.index("queue-24") < text.index("queue-23")


def test_a_line_names_the_queues_that_hold_something() -> None:
    status = BrokerStatus((queue(1, 12), QueueStatus("Local", "empty", False, 0, 0, None)), 1234, 40.4, 5)
    assert line(status) == "courier-nb: queue-1 12+1 (waiting+in flight); 40 requests/s, 1,234 in all, 5 receivers waiting"
