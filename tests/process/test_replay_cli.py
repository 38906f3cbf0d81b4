"""``replay``, ``undo``, ``move`` and ``replays`` as commands."""

from __future__ import annotations

from pathlib import Path

from courier_nb import Capture

from .conftest import Cli, write_jsonl

COUNT = 25


def test_what_was_drained_is_undone_replayed_and_moved_by_command(cli: Cli, tmp_path: Path) -> None:
    rows = [{"headers": {"messageId": f"m{i}"}, "properties": {"n": i}, "body": f"body {i}"} for i in range(COUNT)]
    assert cli.run("publish", "orders-dlq", write_jsonl(tmp_path / "in.jsonl", rows)).code == 0
    assert cli.run("drain", "orders-dlq", "--to", "cap", "--polling-time", "100ms").code == 0
    run = str(Capture(tmp_path / "cap").frame(["run"])["run"].iloc[0])

    plan = cli.run("undo", run, "--dry-run", "--json").json
    assert (plan["destination"], plan["to_do"]) == ("orders-dlq", COUNT)
    undone = cli.run("undo", run, "--json")
    assert (undone.code, undone.json["outcomes"], undone.json["run"]) == (0, {"ok": COUNT}, plan["run"])
    assert cli.run("undo", run, "--json").json["outcomes"] == {"skipped": COUNT}

    moved = cli.run("move", "orders-dlq", "orders", "--via", "via", "--polling-time", "100ms", "--json")
    assert (moved.code, moved.json["moved"]) == (0, COUNT)
    assert cli.depths() == {"orders-dlq": (0, 0), "orders": (COUNT, 0)}
    again = cli.run("undo", moved.json["run"])
    assert (again.code, "is a move" in again.err, again.out) == (2, True, "")

    assert cli.run("replay", "cap", "--to", "orders", "--ids", "new", "--no-provenance", "--json").json["outcomes"] == {
        "ok": COUNT
    }
    listed = cli.run("replays", "--capture", "cap", "--json").json["runs"]
    assert [(row["verb"], row["attempt"], row["ok"]) for row in listed] == [
        ("undo", 1, COUNT),
        ("undo", 2, 0),
        ("replay", 1, COUNT),
    ]
    assert "undo" in cli.run("replays", "--capture", "cap").out
