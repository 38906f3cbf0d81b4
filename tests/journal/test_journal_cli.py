"""The journal as a user sees it: commands against a broker over a socket."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from courier_nb.broker import BrokerConfig, QueueConfig
from courier_nb.broker.served import ServedBroker

Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def served() -> Iterator[ServedBroker]:
    with ServedBroker(BrokerConfig(queues=(QueueConfig("orders"),))) as broker, broker.answering():
        yield broker


@pytest.fixture
def run(served: ServedBroker, tmp_path: Path) -> Run:
    env = {name: value for name, value in os.environ.items() if not name.startswith(("ANYPOINT_", "XDG_"))}
    env.update(served.environ, HOME=str(tmp_path / "home"))
    del env["ANYPOINT_MQ_JOURNAL"]

    def command(*arguments: object, **more: str) -> subprocess.CompletedProcess[str]:
        line = [sys.executable, "-m", "courier_nb", *map(str, arguments)]
        return subprocess.run(line, env={**env, **more}, cwd=tmp_path, capture_output=True, text=True, timeout=100)

    return command


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "messages.jsonl"
    path.write_text("".join(json.dumps({"headers": {"messageId": f"m{i}"}, "body": f"b{i}"}) + "\n" for i in range(12)))
    return path


def document(finished: subprocess.CompletedProcess[str]) -> Any:
    return json.loads(finished.stdout)


def test_what_was_done_is_shown_and_proved_and_a_changed_line_is_named(run: Run, file: Path, tmp_path: Path) -> None:
    assert run("publish", "orders", file).returncode == 0
    assert run("drain", "orders", "--to", "capture", "--polling-time", "50ms").returncode == 0
    shown = run("journal")
    assert "publish" in shown.stdout
    assert "12 acked" in shown.stdout
    runs = document(run("journal", "--json"))["runs"]
    assert [entry["verb"] for entry in runs] == ["publish", "drain"]
    assert runs[1]["capture"] == str(tmp_path / "capture")
    entries = document(run("journal", "--run", runs[0]["run"], "--json"))["entries"]
    assert [entry["kind"] for entry in entries][0 :: len(entries) - 1] == ["begin", "end"]
    assert document(run("journal", "--destination", "other", "--json"))["runs"] == []
    proof = document(run("journal", "--verify", "--json"))
    assert proof["ok"] is True
    path = next((tmp_path / "home").rglob("*.jsonl"))
    path.write_bytes(path.read_bytes().replace(b'"m3"', b'"m4"', 1))
    damaged = run("journal", "--verify")
    assert damaged.returncode == 1
    assert f"{path.name}, line " in damaged.stdout


def test_journal_off_and_another_folder(run: Run, file: Path, tmp_path: Path) -> None:
    assert run("publish", "orders", file, "--journal", "off").returncode == 0
    assert not (tmp_path / "home").exists()
    assert run("publish", "orders", file, "--journal", "here").returncode == 0
    assert list((tmp_path / "here").glob("*.jsonl"))
    assert document(run("journal", "--json", ANYPOINT_MQ_JOURNAL="here"))["runs"][0]["verb"] == "publish"
    off = run("journal", ANYPOINT_MQ_JOURNAL="off")
    assert off.returncode == 2
    assert "switched off" in off.stderr


def test_an_unusable_folder_is_one_clear_line_and_nothing_is_sent(
    run: Run, served: ServedBroker, file: Path, tmp_path: Path
) -> None:
    (tmp_path / "taken").write_text("a file")
    refused = run("publish", "orders", file, "--journal", tmp_path / "taken" / "journal")
    assert refused.returncode == 2
    assert "ANYPOINT_MQ_JOURNAL" in refused.stderr
    assert "Traceback" not in refused.stderr
    assert served.messages("orders") == []


def test_the_demo_leaves_the_user_s_journal_alone(run: Run, tmp_path: Path) -> None:
    finished = run("demo", "--json")
    assert finished.returncode == 0
    assert list((tmp_path / "home").rglob("*.jsonl")) == []


def test_a_killed_drain_is_a_run_without_an_end(run: Run, served: ServedBroker, file: Path, tmp_path: Path) -> None:
    assert run("publish", "orders", file).returncode == 0
    code = (
        "import os, courier_nb\n"
        "q = courier_nb.connect().destination('orders')\n"
        "q.receive_batch(polling_time='50ms')\n"
        "from courier_nb.flows import drain\n"
        "async def die(*a, **k): os._exit(9)\n"
        "drain.drain = die\n"
        "q.drain('capture', progress=False)\n"
    )
    env = {**os.environ, **served.environ, "HOME": str(tmp_path / "home")}
    del env["XDG_STATE_HOME"], env["ANYPOINT_MQ_JOURNAL"]
    killed = subprocess.run([sys.executable, "-c", code], env=env, cwd=tmp_path, capture_output=True, timeout=100)
    assert killed.returncode == 9
    runs = document(run("journal", "--json"))["runs"]
    assert [entry["ended"] is None for entry in runs] == [False, True]
    assert document(run("journal", "--verify", "--json"))["ok"] is True
