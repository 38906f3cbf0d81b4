"""``kill -9`` of a replay at random moments and at every step, then the same command to the end.

A FIFO queue ends up with each message once, in group order. A standard queue may hold a message twice, but only one that the
ledger had called unknown. In full: ``COURIER_NB_KILLS=200 COURIER_NB_MESSAGES=10000``.
"""

from __future__ import annotations

import os
import random
import signal
import time
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from courier_nb.broker import LocalBroker, QueueConfig
from courier_nb.storage.replays.ledger import runs_of

from .conftest import clean_env, write_jsonl
from .forking import Forker, forker, outcomes_in

KILLS = int(os.environ.get("COURIER_NB_KILLS", "10"))
COUNT = int(os.environ.get("COURIER_NB_MESSAGES", "600"))
GROUPS = 25
FEW = 12
SECONDS = 1200

pytestmark = pytest.mark.timeout(SECONDS)


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[LocalBroker]:
    with LocalBroker(queues=[QueueConfig("fifo", fifo=True), QueueConfig("standard")]) as broker:
        yield broker


@pytest.fixture
def replays(broker: LocalBroker, tmp_path: Path) -> Iterator[Forker]:
    """Runs commands against the broker."""
    with broker.serving() as announced:
        env = clean_env(tmp_path)
        env.update(
            ANYPOINT_MQ_URL=announced["url"],
            ANYPOINT_CLIENT_ID=announced["client_id"],
            ANYPOINT_CLIENT_SECRET=announced["client_secret"],
            ANYPOINT_MQ_JOURNAL="off",  # it has kills of its own
        )
        with forker(env, tmp_path) as process:
            yield process


def source(path: Path, count: int, *, groups: int) -> Path:
    def row(i: int) -> dict[str, Any]:
        group = {"messageGroupId": f"g{i % groups}"} if groups else {}
        return {"headers": {"messageId": f"m{i}", **group}, "properties": {"n": i}, "body": f"body {i}"}

    return write_jsonl(path, [row(i) for i in range(count)])


def arguments(path: Path, queue: str, ledger: Path, *more: str) -> Sequence[object]:
    return ["replay", path, "--to", queue, "--ledger", ledger, "--concurrency", 4, "--json", *more]


def arrived(broker: LocalBroker, queue: str) -> list[Any]:
    return broker.messages(queue, limit=1_000_000)


def check_fifo(broker: LocalBroker, queue: str, count: int, groups: int) -> None:
    found = defaultdict(list)
    for message in arrived(broker, queue):
        found[message.headers["messageGroupId"]].append(int(message.properties["n"]))
    assert found == {f"g{g}": list(range(g, count, groups)) for g in range(groups)}


def check_standard(broker: LocalBroker, queue: str, count: int, unknown: set[str]) -> int:
    """Return how many messages are there twice."""
    found = Counter(message.id for message in arrived(broker, queue))
    assert set(found) == {f"m{i}" for i in range(count)}
    twice = {message_id for message_id, times in found.items() if times > 1}
    assert twice <= unknown
    return len(twice)


@pytest.mark.parametrize("queue", ["fifo", "standard"])
def test_a_replay_that_is_killed_again_and_again(broker: LocalBroker, replays: Forker, tmp_path: Path, queue: str) -> None:
    seed = random.SystemRandom().randrange(10**6)
    dice = random.Random(seed)
    rows = source(tmp_path / "rows.jsonl", COUNT, groups=GROUPS if queue == "fifo" else 0)
    ledger, out = tmp_path / "ledger.jsonl", tmp_path / "out.txt"
    begun, midway = time.monotonic(), 0
    for left in range(KILLS, 0, -1):
        to_go = COUNT - len(arrived(broker, queue))
        midway += kill_in_the_act(replays, arguments(rows, queue, ledger), ledger, out, dice, calls=to_go // 10 / left)
    if queue == "fifo":
        status, _ = replays.run(*arguments(rows, queue, ledger), out=out)
        assert (status, outcomes_in(out)["failed"]) == (0, [])
        check_fifo(broker, queue, COUNT, GROUPS)
        result = "each once and in order"
    else:
        replays.run(*arguments(rows, queue, ledger), out=out)
        unknown = {outcome["message_id"] for outcome in outcomes_in(out)["failed"] if outcome["kind"] == "unknown"}
        there = Counter(message.id for message in arrived(broker, queue))
        assert max(there.values()) == 1  # without being told to, nothing is sent twice
        assert {f"m{i}" for i in range(COUNT)} - set(there) <= unknown
        status, _ = replays.run(*arguments(rows, queue, ledger, "--unknown", "resend"), out=out)
        assert status == 0
        twice = check_standard(broker, queue, COUNT, unknown)
        result = f"{len(unknown)} unknown, {twice} of them there twice"
    lives = len(runs_of(ledger))
    print(
        f"\n{queue}: {KILLS} kills (seed {seed}, {midway} while sending), {COUNT} messages, {lives} runs begun, {result}, "
        f"{time.monotonic() - begun:.0f} s"
    )
    assert midway >= max(1, KILLS // 10), "the kills came too early or too late to say anything"


def kill_in_the_act(
    replays: Forker, command: Sequence[object], ledger: Path, out: Path, dice: random.Random, *, calls: float
) -> bool:
    """Kill a replay, mostly after a random number of lines of its ledger; return whether it had begun to send."""
    before = ledger.stat().st_size if ledger.exists() else 0
    pid = replays.start(*command, out=out)
    if dice.random() < 0.2:
        time.sleep(dice.uniform(0, 0.6))
    else:
        lines = dice.randint(1, max(2, int(4 * calls)))
        while alive(pid) and lines_after(ledger, before) < lines:
            time.sleep(0.001)  # watching another process: there is no clock to move
        time.sleep(dice.uniform(0, 0.01))
    if alive(pid):
        os.kill(pid, signal.SIGKILL)
    status, _ = replays.wait()
    assert status in (-signal.SIGKILL, 0, 1), out.read_text()
    return status == -signal.SIGKILL and lines_after(ledger, before) > 2


def lines_after(ledger: Path, start: int) -> int:
    try:
        with ledger.open("rb") as file:
            file.seek(start)
            return file.read().count(b"\n")
    except OSError:
        return 0


def alive(pid: int) -> bool:
    try:
        return " Z " not in Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return False


@pytest.mark.parametrize("kind", ["fifo", "standard"])
def test_a_replay_that_is_killed_at_every_step(broker: LocalBroker, replays: Forker, tmp_path: Path, kind: str) -> None:
    groups = 3 if kind == "fifo" else 0
    rows = source(tmp_path / "rows.jsonl", FEW, groups=groups)
    out = tmp_path / "out.txt"
    step, twice, unknown_in_all = 0, 0, 0
    while True:
        queue, ledger = f"{kind}-{step}", tmp_path / f"ledger-{step}.jsonl"
        broker.create_queue(queue, fifo=kind == "fifo")
        command = ["replay", rows, "--to", queue, "--ledger", ledger, "--concurrency", 1, "--json"]
        status, _ = replays.run(*command, out=out, kill_at=step)
        if status == 0:
            break
        assert status == -signal.SIGKILL, out.read_text()
        status, _ = replays.run(*command, out=out)
        unknown = {outcome["message_id"] for outcome in outcomes_in(out)["failed"]}
        if kind == "fifo":
            assert (status, unknown) == (0, set()), (step, out.read_text())
            check_fifo(broker, queue, FEW, groups)
        else:
            unknown_in_all += len(unknown)
            if unknown:
                status, _ = replays.run(*command, "--unknown", "resend", out=out)
            assert status == 0, (step, out.read_text())
            twice += check_standard(broker, queue, FEW, unknown)
        step += 1
    print(f"\n{kind}: killed at each of {step} steps, {unknown_in_all} rows unknown, {twice} of them there twice, none lost")
    assert step > 20
