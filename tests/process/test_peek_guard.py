"""``courier-nb peek`` as separate processes: looking dead-letters nothing, and a script that ends gives back what it held."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from courier_nb import Client, Message
from courier_nb.broker import LocalBroker, QueueConfig
from courier_nb.client import broker_settings

from .conftest import Cli, clean_env


@pytest.fixture
def broker() -> Iterator[LocalBroker]:
    queues = [
        QueueConfig("dlq"),
        QueueConfig("orders", dead_letter_queue="dlq", max_deliveries=3),
        QueueConfig("fifo-dlq", fifo=True),
        QueueConfig("fifo", fifo=True, dead_letter_queue="fifo-dlq", max_deliveries=3),
    ]
    with LocalBroker(queues=queues) as broker:
        yield broker


@pytest.fixture
def announced(broker: LocalBroker) -> Iterator[dict[str, str]]:
    with broker.serving() as settings:
        yield settings


@pytest.fixture
def cli(announced: dict[str, str], tmp_path: Path) -> Cli:
    env = clean_env(tmp_path)
    env.update(
        ANYPOINT_MQ_URL=announced["url"],
        ANYPOINT_CLIENT_ID=announced["client_id"],
        ANYPOINT_CLIENT_SECRET=announced["client_secret"],
    )
    return Cli(env, tmp_path)


@pytest.fixture
def client(announced: dict[str, str]) -> Iterator[Client]:
    with Client(broker_settings(announced)) as client:
        yield client


def publish(client: Client, queue: str, count: int) -> None:
    headers = {"messageGroupId": "g"} if queue == "fifo" else {}
    messages = [Message(f"body {i}", {}, {"messageId": f"m{i}", **headers}) for i in range(count)]
    assert client.destination(queue).publish(messages, progress=False).ok


@pytest.mark.parametrize("queue", ["orders", "fifo"])
def test_five_peeks_by_five_processes_dead_letter_nothing(cli: Cli, client: Client, broker: LocalBroker, queue: str) -> None:
    publish(client, queue, 6)
    looks = [cli.run("peek", queue, "--json") for _ in range(5)]
    assert [look.code for look in looks] == [0] * 5
    assert [len(look.json["messages"]) for look in looks] == [6] * 5
    third = looks[2].json
    assert {message["settlement"] for message in third["messages"]} == {"put_back"}
    assert {(message["deliveries_left"], message["last_chance"]) for message in third["messages"]} == {(0, True)}
    assert "last chance" in third["notes"][0]
    assert (third["cost"]["max_deliveries"], third["cost"]["near_the_end"]) == (3, 6)
    assert broker.depth(queue) == {"messages": 6, "inflight": 0}
    assert [row.body for row in broker.messages(queue)] == [f"body {i}" for i in range(6)]
    assert broker.depth("dlq")["messages"] == broker.depth("fifo-dlq")["messages"] == 0


def test_a_look_for_people_names_its_cost_and_those_on_their_last_chance(cli: Cli, client: Client) -> None:
    publish(client, "orders", 1)
    price = cli.run("peek", "orders", "--cost")
    assert (price.code, "billed" in price.out) == (0, True)
    looks = [cli.run("peek", "orders").out for _ in range(3)]
    assert "After 3 deliveries a message that comes back goes to 'dlq'." in looks[0]
    assert "last chance" not in looks[1]
    assert "On its last chance: m0" in looks[2]


def test_a_look_that_is_told_to_return_dead_letters(cli: Cli, client: Client, broker: LocalBroker) -> None:
    publish(client, "orders", 1)
    for _ in range(3):
        cli.run("peek", "orders", "--last-chance", "return")
    assert broker.depth("dlq")["messages"] == 1


SCRIPT = """
import os, signal, sys, time, asyncio
import courier_nb
{before}
{connect}
{after}
"""
BLOCKING = """
client = courier_nb.connect()
rows = client.destination("orders").receive(20, lock_ttl="10m", progress=False)
print(len(rows), flush=True)
"""
ASYNC = """
async def main():
    client = courier_nb.AsyncClient.connect()
    rows = await client.destination("orders").receive(20, lock_ttl="10m", progress=False)
    print(len(rows), flush=True)
    {work}
asyncio.run(main())
"""
TERM = "os.kill(os.getpid(), signal.SIGTERM)"
EXITING = "signal.signal(signal.SIGTERM, lambda *_: sys.exit(7))"
IGNORING = "signal.signal(signal.SIGTERM, signal.SIG_IGN)"
FORKING = """
if os.fork() == 0:
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(30)
os.wait()
print(len(client.held()), flush=True)
time.sleep(0.5)
client.destination("orders").ack(rows, progress=False)
"""


@pytest.mark.parametrize(
    ("before", "connect", "after", "code"),
    [
        ("", BLOCKING, "", 0),
        ("", BLOCKING, "sys.exit(3)", 3),
        ("", BLOCKING, "raise KeyboardInterrupt", None),
        ("", BLOCKING, TERM, -signal.SIGTERM),
        (EXITING, BLOCKING, TERM, 7),
        ("", BLOCKING, f"{EXITING}\n{TERM}", 7),
        (IGNORING, BLOCKING, TERM, 0),
        ("", BLOCKING, f"client.close()\nassert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL\n{TERM}", -signal.SIGTERM),
        ("", ASYNC.format(work=f"{TERM}; await asyncio.sleep(30)"), "", -signal.SIGTERM),
        ("", ASYNC.format(work="await client.aclose()"), "", 0),
    ],
    ids=["end", "exit", "interrupt", "term", "term-own-before", "term-own-after", "ignored", "closed", "async", "async-closed"],
)
def test_what_a_script_held_comes_back_when_it_ends(
    cli: Cli, client: Client, broker: LocalBroker, before: str, connect: str, after: str, code: int | None
) -> None:
    publish(client, "orders", 20)
    ended = subprocess.run(
        [sys.executable, "-X", "dev", "-c", SCRIPT.format(before=before, connect=connect, after=after)],
        env=cli.env, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert ended.stdout.strip() == "20", ended.stderr
    assert broker.depth("orders") == {"messages": 20, "inflight": 0}, ended.stderr
    assert code is None or ended.returncode == code, ended.stderr
    assert "Traceback" not in ended.stderr or code is None


def test_a_forked_child_gives_nothing_back(cli: Cli, client: Client, broker: LocalBroker) -> None:
    publish(client, "orders", 20)
    ended = subprocess.run(
        [sys.executable, "-c", SCRIPT.format(before="", connect=BLOCKING, after=FORKING)],
        env=cli.env, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert ended.stdout.split() == ["20", "20"], ended.stderr
    assert broker.depth("orders") == {"messages": 0, "inflight": 0}  # acknowledged by the parent


def test_a_killed_process_leaves_locks_that_end_by_themselves(cli: Cli, client: Client, broker: LocalBroker) -> None:
    publish(client, "orders", 20)
    connect = BLOCKING.replace('"10m"', '"2s"')
    process = subprocess.Popen(
        [sys.executable, "-c", SCRIPT.format(before="", connect=connect, after="time.sleep(60)")],
        env=cli.env,
        stdout=subprocess.PIPE,
    )
    assert process.stdout is not None
    assert process.stdout.readline().strip() == b"20"
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    process.stdout.close()
    received = client.destination("orders").receive(20, polling_time="10s", progress=False)
    assert len(received) == 20
