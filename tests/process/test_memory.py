"""The memory of a drain depends neither on how many messages there are nor on how large they are.

``COURIER_NB_MEMORY_MESSAGES=1000000`` runs the whole count (about a quarter of an hour); by default it is a short form.
"""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from benchmarks.broker.shapes import QUEUE, SHAPES, fill

from .conftest import Cli, Finished, clean_env, command

COUNT = int(os.environ.get("COURIER_NB_MEMORY_MESSAGES", "36000"))
FEW = max(COUNT // 10, 15_000)  # fewer would not fill the first part, and measure how long a start takes to warm up
STANDARD = next(shape for shape in SHAPES if shape.name == "standard")
MOST_GROWTH = 1.5

LARGE_BYTES = 10 * 1024 * 1024 - 1_000
LARGE_COUNT = 50 if COUNT >= 1_000_000 else 15
LARGE_MOST = 400_000_000


@contextmanager
def broker_with(folder: Path, database: Path) -> Iterator[Cli]:
    """A broker on a file that is full already, and commands against it."""
    env = clean_env(folder)
    broker = subprocess.Popen(command("broker", "--db", database), env=env, stdout=subprocess.PIPE, text=True)
    assert broker.stdout is not None
    announced = json.loads(broker.stdout.readline())
    env.update(
        ANYPOINT_MQ_URL=announced["url"],
        ANYPOINT_CLIENT_ID=announced["client_id"],
        ANYPOINT_CLIENT_SECRET=announced["client_secret"],
    )
    try:
        yield Cli(env, folder)
    finally:
        broker.terminate()
        assert broker.wait(30) == 0


def drained(folder: Path, count: int) -> Finished:
    """Drain a queue of `count` messages of 1 kB in a process of its own."""
    folder.mkdir()
    fill(folder / "broker.sqlite", STANDARD, count)
    with broker_with(folder, folder / "broker.sqlite") as cli:
        result = cli.run("drain", QUEUE, "--to", folder / "capture", "--json")
    assert result.code == 0, result.err
    assert result.json["acked"] == result.json["messages"] == count
    return result


@pytest.mark.timeout(3_600)
def test_a_drain_of_many_messages_takes_no_more_memory_than_one_of_few(tmp_path: Path) -> None:
    few = drained(tmp_path / "few", FEW)
    many = drained(tmp_path / "many", COUNT)
    growth = many.peak_rss / few.peak_rss
    print(
        f"\ndrain of {FEW:,}: peak {few.peak_rss / 1e6:.0f} MB; of {COUNT:,}: peak {many.peak_rss / 1e6:.0f} MB "
        f"({growth:.2f}x, {COUNT / many.json['seconds']:.0f} messages/s)"
    )
    assert few.peak_rss > 30_000_000, "that is not what a drain takes"
    assert growth <= MOST_GROWTH


@pytest.mark.timeout(600)
def test_large_messages_are_drained_within_a_budget(tmp_path: Path) -> None:
    """F09: no more is held at a time than fits, whatever is in the messages."""
    database = tmp_path / "broker.sqlite"
    fill(database, STANDARD, LARGE_COUNT)
    with sqlite3.connect(database) as connection:
        body = json.dumps("x" * LARGE_BYTES).encode()
        connection.execute("update message set body = ?, size = ?", (body, LARGE_BYTES))
    connection.close()
    with broker_with(tmp_path, database) as cli:
        result = cli.run("drain", QUEUE, "--to", tmp_path / "capture", "--json")
    assert result.code == 0, result.err
    print(
        f"\ndrain of {LARGE_COUNT} messages of 10 MB: peak {result.peak_rss / 1e6:.0f} MB, {result.json['seconds']:.1f} s, "
        f"{result.json['calls']} calls"
    )
    assert result.json["acked"] == LARGE_COUNT
    assert result.peak_rss <= LARGE_MOST
