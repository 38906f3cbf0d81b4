"""A broker and commands as processes of their own, as a user runs them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

CONFIG = """
[[queue]]
id = "orders-dlq"
[[queue]]
id = "orders"
dead_letter_queue = "orders-dlq"
max_deliveries = 1000
"""


def command(*arguments: object) -> list[str]:
    return [sys.executable, "-m", "courier_nb", *map(str, arguments)]


@dataclass
class Finished:
    """A command that has ended, and the most memory it held (bytes)."""

    code: int
    out: str
    err: str
    peak_rss: int

    @property
    def json(self) -> Any:
        return json.loads(self.out)


@dataclass
class Cli:
    """Runs commands against one broker."""

    env: dict[str, str]
    folder: Path

    def start(self, *arguments: object) -> subprocess.Popen[str]:
        return subprocess.Popen(
            command(*arguments), env=self.env, cwd=self.folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )

    def run(self, *arguments: object) -> Finished:
        out, err = self.folder / "stdout.txt", self.folder / "stderr.txt"
        with out.open("w") as stdout, err.open("w") as stderr:
            process = subprocess.Popen(command(*arguments), env=self.env, cwd=self.folder, stdout=stdout, stderr=stderr)
            peak = 0
            while process.poll() is None:
                peak = max(peak, high_water(process.pid))
                time.sleep(0.02)  # watching another process: there is no clock to move
        return Finished(process.returncode, out.read_text(), err.read_text(), peak)

    def depths(self) -> dict[str, tuple[int, int]]:
        rows = self.run("destinations", "--json").json["destinations"]
        return {row["destination"]: (row["messages"], row["in_flight"]) for row in rows}


def high_water(pid: int) -> int:
    """Return the most memory (bytes) that a process has held since it was executed.

    Not ``ru_maxrss``, which also counts what its parent held when it forked.
    """
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return 0
    return next((int(line.split()[1]) * 1024 for line in status.splitlines() if line.startswith("VmHWM")), 0)


def clean_env(tmp_path: Path) -> dict[str, str]:
    """The environment without any connection setting, with a home of its own."""
    env = {name: value for name, value in os.environ.items() if not name.startswith(("ANYPOINT_", "XDG_"))}
    return {**env, "HOME": str(tmp_path / "home"), "PYTHONFAULTHANDLER": "1"}


@pytest.fixture
def cli(tmp_path: Path) -> Iterator[Cli]:
    config = tmp_path / "broker.toml"
    config.write_text(CONFIG)
    env = clean_env(tmp_path)
    broker = subprocess.Popen(
        command("broker", "--db", tmp_path / "broker.sqlite", "--config", config), env=env, stdout=subprocess.PIPE, text=True
    )
    assert broker.stdout is not None
    announced = json.loads(broker.stdout.readline())
    env.update(
        ANYPOINT_MQ_URL=announced["url"],
        ANYPOINT_CLIENT_ID=announced["client_id"],
        ANYPOINT_CLIENT_SECRET=announced["client_secret"],
    )
    yield Cli(env, tmp_path)
    broker.terminate()
    assert broker.wait(10) == 0


@pytest.fixture
def lonely_cli(tmp_path: Path) -> Cli:
    """A command line without any settings."""
    return Cli(clean_env(tmp_path), tmp_path)


def write_jsonl(path: Path, messages: Sequence[dict[str, Any]]) -> Path:
    path.write_text("".join(json.dumps(message) + "\n" for message in messages))
    return path
