"""The guards on the command line, against a broker over a socket."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from courier_nb.broker import BrokerConfig, QueueConfig
from courier_nb.broker.served import ServedBroker

Run = Callable[..., subprocess.CompletedProcess[str]]
LIVE = {"ANYPOINT_MQ_PRODUCTION": "true"}


@pytest.fixture
def served() -> Iterator[ServedBroker]:
    with ServedBroker(BrokerConfig(queues=(QueueConfig("orders"),))) as broker, broker.answering():
        yield broker


@pytest.fixture
def env(served: ServedBroker, tmp_path: Path) -> dict[str, str]:
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("ANYPOINT_", "XDG_"))}
    return {**clean, **served.environ, "HOME": str(tmp_path / "home")}


@pytest.fixture
def run(env: dict[str, str], tmp_path: Path) -> Run:
    def command(*arguments: object, **more: str) -> subprocess.CompletedProcess[str]:
        line = [sys.executable, "-m", "courier_nb", *map(str, arguments)]
        return subprocess.run(
            line, env={**env, **more}, cwd=tmp_path, capture_output=True, text=True, timeout=100, stdin=subprocess.DEVNULL
        )

    return command


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "messages.jsonl"
    path.write_text("".join(json.dumps({"headers": {"messageId": f"m{i}"}, "body": f"b{i}"}) + "\n" for i in range(12)))
    return path


def test_production_wants_the_name_and_says_what_to_type(run: Run, served: ServedBroker, file: Path) -> None:
    refused = run("publish", "orders", file, **LIVE)
    assert refused.returncode == 2
    assert "--confirm" in refused.stderr
    assert "'orders' is in production" in refused.stderr
    assert run("publish", "orders", file, "--confirm", "order", **LIVE).returncode == 2
    assert served.messages("orders") == []
    assert run("publish", "orders", file, "--confirm", "orders", **LIVE).returncode == 0
    assert len(served.messages("orders")) == 12
    told = run("drain", "orders", "--to", "capture", "--json", **LIVE)
    assert json.loads(told.stdout)["error"] == "ConfirmationNeeded"
    assert len(served.messages("orders")) == 12


def typed(words: str, *arguments: object, env: dict[str, str], cwd: Path) -> tuple[int, str]:
    """Run a command at a terminal where somebody types `words`; return its exit code and what it showed."""
    master, slave = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "courier_nb", *map(str, arguments)], env=env, cwd=cwd, stdin=slave, stdout=slave, stderr=slave
    )
    os.close(slave)
    shown: list[bytes] = []

    def read() -> None:
        try:
            while chunk := os.read(master, 4096):
                shown.append(chunk)
                if b"to go on" in b"".join(shown) and words not in answered:
                    answered.append(words)
                    os.write(master, f"{words}\n".encode())
        except OSError:  # the other end has gone
            pass

    answered: list[str] = []
    reader = threading.Thread(target=read)
    reader.start()
    code = process.wait(100)
    reader.join(10)
    os.close(master)
    return code, b"".join(shown).decode()


@pytest.mark.parametrize(("words", "code", "left"), [("orders", 0, 12), ("yes", 2, 0)])
def test_at_a_terminal_the_name_is_asked_for(
    served: ServedBroker, env: dict[str, str], file: Path, tmp_path: Path, words: str, code: int, left: int
) -> None:
    found, shown = typed(words, "publish", "orders", file, env={**env, **LIVE}, cwd=tmp_path)
    assert "Type orders to go on" in shown
    assert (found, len(served.messages("orders"))) == (code, left)


def test_read_only_refuses_and_sends_nothing(run: Run, served: ServedBroker, file: Path) -> None:
    for refused in (run("publish", "orders", file, "--read-only"), run("publish", "orders", file, ANYPOINT_MQ_READ_ONLY="1")):
        assert refused.returncode == 2
        assert "read_only" in refused.stderr
    assert served.messages("orders") == []
    assert run("peek", "orders", "--read-only").returncode == 0


def test_a_dry_run_says_what_it_would_cost(run: Run, served: ServedBroker, file: Path, tmp_path: Path) -> None:
    plan = json.loads(run("publish", "orders", file, "--dry-run", "--json", **LIVE).stdout)
    assert (plan["dry_run"], plan["rows"], plan["calls"]) == (True, 12, 2)
    assert served.messages("orders") == []
    run("publish", "orders", file)
    shown = run("drain", "orders", "--to", "capture", "--dry-run").stdout
    assert "Would drain 12 messages (orders) in at least 4 calls" in shown
    assert "in-flight headroom: 120000" in shown
    assert not (tmp_path / "capture").exists()
    assert len(served.messages("orders")) == 12


def test_replay_wants_the_name_too(run: Run, served: ServedBroker, file: Path) -> None:
    run("publish", "orders", file)
    run("drain", "orders", "--to", "capture", "--polling-time", "50ms")
    assert run("replay", "capture", "--to", "orders", **LIVE).returncode == 2
    assert served.messages("orders") == []
    assert run("replay", "capture", "--to", "orders", "--confirm", "orders", **LIVE).returncode == 0
    assert len(served.messages("orders")) == 12
