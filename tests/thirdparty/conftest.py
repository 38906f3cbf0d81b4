"""A broker as a process of its own, as a user starts it, and the vendor's description of the API."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

TOP = Path(__file__).parents[2]
SPECIFICATION = TOP.parent / "shared" / "openapi" / "anypoint-mq-broker.openapi.yaml"
CONFIG = """
[broker]
environment_name = "Testing"
username = "jane"
password = "jane's password"

[client]
client_id = "b4b4e6a4ad6a4a9e8a3d6a94a9d7b0f1"
client_secret = "62bC8fd00e4A4b6fA1d9d17Dd0cF7e3a"
organization = "f0c9b011-980e-4928-9430-e60e3a97c043"
environment = "0b4e0c0a-9d2c-4ff5-bdd7-6d7d5a4b3c8f"

[[queue]]
id = "orders-dlq"

[[queue]]
id = "orders"
dead_letter_queue = "orders-dlq"
max_deliveries = 1000

[[queue]]
id = "ledger"
fifo = true

[[queue]]
id = "idle"

[[exchange]]
id = "events"
bindings = ["orders-dlq"]
"""
LOGIN = "jane", "jane's password"


@pytest.fixture(scope="session")
def specification() -> Path:
    path = Path(os.environ.get("COURIER_NB_OPENAPI", SPECIFICATION))
    if not path.exists():
        pytest.skip(f"NOT RUN: the vendor's OpenAPI file is not at {path} (COURIER_NB_OPENAPI names another place)")
    return path


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """Run ``courier-nb broker`` and return the line that it announces."""
    folder = tmp_path_factory.mktemp("broker")
    config = folder / "broker.toml"
    config.write_text(CONFIG)
    command = [sys.executable, "-m", "courier_nb", "broker", "--config", str(config)]
    with (folder / "stderr.txt").open("w") as stderr:
        broker = subprocess.Popen(command, cwd=folder, stdout=subprocess.PIPE, stderr=stderr, text=True)
    assert broker.stdout is not None
    announced = broker.stdout.readline()
    assert announced, (folder / "stderr.txt").read_text()
    yield json.loads(announced)
    broker.terminate()
    assert broker.wait(10) == 0
    # uvicorn says that of what is not HTTP, which Schemathesis tries too; anything but a status line would be a fault
    said = (folder / "stderr.txt").read_text().splitlines()
    assert all(line == "Invalid HTTP request received." or line.startswith("courier-nb: ") for line in said), said
