"""``kill -9`` of a drain at random moments, then the same command to the end: nothing lost, nothing altered."""

from __future__ import annotations

import os
import random
import signal
import time
from pathlib import Path
from typing import Any

from courier_nb import Capture

from .conftest import Cli, write_jsonl

KILLS = int(os.environ.get("COURIER_NB_KILLS", "20"))
ROUND = 600
LOCK = ["--lock-ttl", "2s", "--polling-time", "100ms", "--empties", "2"]


def message(number: int) -> dict[str, Any]:
    body = f"{number:06d} " + "payload ÄÖ€ " * (number % 200)
    return {"headers": {"messageId": f"m-{number}"}, "properties": {"n": number, "text": f"t{number}"}, "body": body}


def test_nothing_is_lost_or_altered_when_a_drain_is_killed(cli: Cli, tmp_path: Path) -> None:
    seed = random.SystemRandom().randrange(10**6)
    dice = random.Random(seed)
    folder = tmp_path / "capture"
    published: list[dict[str, Any]] = []
    killed_midway = 0
    for _ in range(KILLS):
        fresh = [message(len(published) + i) for i in range(ROUND)]
        published += fresh
        assert cli.run("publish", "orders-dlq", write_jsonl(tmp_path / "messages.jsonl", fresh)).code == 0
        drain = cli.start("drain", "orders-dlq", "--to", folder, *LOCK)
        killed_midway += kill_in_the_act(drain, folder, dice)
    runs = drain_to_the_end(cli, folder)

    capture = Capture(folder)
    frame = capture.frame()
    found = {row["message_id"]: (row["body"], row["prop.n"], row["prop.text"]) for row in frame.to_dict("records")}
    expected = {m["headers"]["messageId"]: (m["body"], m["properties"]["n"], m["properties"]["text"]) for m in published}
    lost = expected.keys() - found.keys()
    altered = [id_ for id_ in expected.keys() & found.keys() if expected[id_] != found[id_]]
    print(
        f"\n{KILLS} kills (seed {seed}, {killed_midway} while receiving), {len(published)} published, {len(lost)} lost, "
        f"{len(altered)} altered, {capture.duplicates} captured twice and shown once, {runs} runs to the end"
    )
    assert not lost
    assert not altered
    assert len(frame) == len(published)  # each is shown once
    assert capture.verify().ok
    assert capture.unfinished == 0
    assert killed_midway >= KILLS // 4, "the kills came too early or too late to say anything"


def kill_in_the_act(drain: Any, folder: Path, dice: random.Random) -> bool:
    """Kill a drain at a random moment after it has begun to write; return whether it had not ended by itself."""
    before = {path.name for path in (folder / "_courier" / "spool").glob("*.spool")}
    while drain.poll() is None and not {path.name for path in (folder / "_courier" / "spool").glob("*.spool")} - before:
        time.sleep(0.002)  # watching another process: there is no clock to move
    time.sleep(dice.uniform(0, 0.5))
    drain.send_signal(signal.SIGKILL)
    drain.communicate()
    return drain.returncode == -signal.SIGKILL


def drain_to_the_end(cli: Cli, folder: Path) -> int:
    """Run the command until the broker holds nothing any more, in flight neither."""
    for runs in range(1, 30):
        assert cli.run("drain", "orders-dlq", "--to", folder, *LOCK).code in (0, 1)
        if sum(cli.depths()["orders-dlq"]) == 0:
            return runs
    raise AssertionError("the queue does not come to an end")
