"""Several processes on one queue and one folder."""

from __future__ import annotations

import signal
import time
from pathlib import Path

from courier_nb import Capture

from .conftest import Cli, write_jsonl

COUNT = 3_000


def test_two_drains_into_one_folder_do_not_meet(cli: Cli, tmp_path: Path) -> None:
    messages = [{"headers": {"messageId": f"m{i}"}, "body": f"{i} " * 300} for i in range(COUNT)]
    cli.run("publish", "orders", write_jsonl(tmp_path / "in.jsonl", messages))
    drains = [cli.start("drain", "orders", "--to", "cap", "--polling-time", "200ms") for _ in range(2)]
    for drain in drains:
        _, err = drain.communicate(timeout=120)
        assert drain.returncode == 0, err
    capture = Capture(tmp_path / "cap")
    assert {m.message_id: m.body for m in capture.messages()} == {m["headers"]["messageId"]: m["body"] for m in messages}
    assert capture.settlements == {"acked": COUNT}
    assert capture.verify().ok


def test_a_replay_that_was_killed_goes_on_and_shows_what_is_unknown(cli: Cli, tmp_path: Path) -> None:
    messages = [{"headers": {"messageId": f"m{i}"}, "body": "x" * 2_000} for i in range(COUNT)]
    cli.run("publish", "orders-dlq", write_jsonl(tmp_path / "in.jsonl", messages))
    cli.run("drain", "orders-dlq", "--to", "cap", "--polling-time", "200ms")
    replay = cli.start("replay", "cap", "--to", "orders", "--concurrency", 4)
    ledger = tmp_path / "cap" / "_courier" / "ledger.jsonl"
    while not ledger.exists() or b'"kind":"confirmed"' not in ledger.read_bytes():
        time.sleep(0.002)  # watching another process: there is no clock to move
    replay.kill()
    replay.communicate()
    assert replay.returncode == -signal.SIGKILL, "the replay had ended before it could be killed"

    again = cli.run("replay", "cap", "--to", "orders", "--json")
    outcomes = again.json["outcomes"]
    arrived = cli.run("drain", "orders", "--to", "arrived", "--polling-time", "200ms", "--json").json["acked"]
    unknown = outcomes.get("unknown", 0)
    print(f"\nkilled in mid-replay: {outcomes}, {arrived} arrived")
    assert outcomes.get("skipped", 0) > 0
    assert outcomes.get("ok", 0) > 0
    assert sum(outcomes.values()) == COUNT
    assert unknown <= 4 * 10  # no more than was on the wire
    assert COUNT - unknown <= arrived <= COUNT
    found = [m.message_id for m in Capture(tmp_path / "arrived").messages()]
    assert len(set(found)) == len(found)  # nothing twice
    lost = {f"m{i}" for i in range(COUNT)} - set(found)
    assert lost <= {outcome["message_id"] for outcome in again.json["failed"]}  # what did not arrive is among the unknown
    assert (again.code == 1) == bool(unknown)
