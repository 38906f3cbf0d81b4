"""``courier-nb doctor`` as the shell sees it, against a broker that runs on."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from courier_nb import Client, Message
from courier_nb.broker import BrokerConfig, LocalBroker, QueueConfig, Switches, load_config
from courier_nb.client import broker_settings

SECRET = "a-secret-that-nobody-sees"
OK, PARTLY, USAGE = 0, 1, 2
EMPTY = {"messages": 0, "inflight": 0}


class Shell:
    """Runs ``courier-nb doctor`` with its standard output and error apart."""

    def __init__(self, home: Path, broker: LocalBroker, announced: dict[str, str]) -> None:
        self.home = home
        self.broker = broker
        self.announced = announced
        self.seen = ""
        known = {name: value for name, value in os.environ.items() if not name.startswith(("ANYPOINT_", "XDG_"))}
        self.env = {
            **known,
            "HOME": str(home),
            "ANYPOINT_MQ_URL": announced["url"],
            "ANYPOINT_CLIENT_ID": announced["client_id"],
            "ANYPOINT_CLIENT_SECRET": announced["client_secret"],
        }

    def doctor(self, *arguments: object, stdin: str = "") -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "courier_nb", "doctor", *map(str, arguments)]
        ended = subprocess.run(command, env=self.env, cwd=self.home, input=stdin, capture_output=True, text=True, check=False)
        self.seen += ended.stdout + ended.stderr
        return ended

    def publish(self, queue: str) -> None:
        with Client(broker_settings(self.announced)) as client:
            client.destination(queue).publish([Message("theirs", {}, {"messageId": "theirs"})], progress=False)


@pytest.fixture
def shell(tmp_path: Path) -> Iterator[Shell]:
    config = BrokerConfig(
        queues=(QueueConfig("dead"), QueueConfig("probe", dead_letter_queue="dead", max_deliveries=5)),
        client_secret=SECRET,
        switches=Switches(lock_ttl_unit="ms", hidden_body="null", batch_settle_result="object"),
    )
    with LocalBroker(config) as broker, broker.serving() as announced:
        shell = Shell(tmp_path, broker, announced)
        yield shell
        assert SECRET not in shell.seen


def received(broker: LocalBroker, queue: str) -> int:
    """Return how often the oldest message of a queue has been delivered, this time included."""
    with Client(broker_settings(broker.settings), transport=broker.transport()) as client:
        (message,) = client.destination(queue).receive_batch()
        assert message.delivery_count is not None
        return message.delivery_count


def test_the_checks_are_printed_and_nothing_is_touched(shell: Shell) -> None:
    ended = shell.doctor()
    assert ended.returncode == OK, ended.stderr
    for words in ("setting client_secret", "given, not shown", "may: subscribe", "regions", "clock: 127.0.0.1"):
        assert words in ended.stdout
    document = json.loads(shell.doctor("--json", "--no-reach").stdout)
    assert document["ok"] is True
    assert document["probes"] is None
    assert {check["state"] for check in document["checks"]} <= {"ok", "refused", "unknown", "problem"}
    assert shell.broker.depth("probe") == EMPTY


@pytest.mark.parametrize("answer", ["n\n", ""], ids=["no", "nobody there"])
@pytest.mark.parametrize("options", [(), ("--json",)], ids=["text", "json"])
def test_without_consent_nothing_is_sent(shell: Shell, answer: str, options: tuple[str, ...]) -> None:
    ended = shell.doctor("--probe", "probe", "--write-broker", "broker.toml", *options, stdin=answer)
    assert ended.returncode == USAGE
    shown = ended.stderr if options else ended.stdout
    assert "at most" in shown
    assert "calls" in shown
    assert "lock_ttl_unit" in shown
    assert "Nothing was published or received" in ended.stderr
    assert not (shell.home / "broker.toml").exists()
    assert shell.broker.depth("probe") == EMPTY
    shell.publish("probe")
    assert received(shell.broker, "probe") == 1


def test_a_queue_that_is_not_empty_is_refused_and_nothing_is_lost(shell: Shell) -> None:
    shell.publish("probe")
    ended = shell.doctor("--probe", "probe", "--yes")
    assert ended.returncode == USAGE
    assert "'probe' is not empty: 1 messages wait" in ended.stderr
    assert len(ended.stderr.strip().splitlines()) == 1
    assert shell.broker.depth("probe") == {"messages": 1, "inflight": 0}
    assert received(shell.broker, "probe") == 1


def test_a_probing_writes_what_it_found_where_it_was_asked_to(shell: Shell) -> None:
    profiles = shell.home / ".anypoint" / "credentials"
    profiles.parent.mkdir()
    profiles.write_text(json.dumps({"work": {"organization": "o"}}))
    (shell.home / "broker.toml").write_text("# mine\n")
    options = ("--write-broker", "broker.toml", "--write-profile", "work", "--broker-config", "broker.toml")
    ended = shell.doctor("--probe", "probe", *options, stdin="y\n")
    assert ended.returncode == OK, ended.stderr
    assert "differs       lock_ttl_unit" in ended.stdout
    switches = load_config(shell.home / "broker.toml").switches
    assert (switches.lock_ttl_unit, switches.hidden_body, switches.batch_settle_result) == ("ms", "null", "object")
    assert (shell.home / "broker.toml").read_text().startswith("# mine\n")
    assert json.loads(profiles.read_text()) == {"work": {"organization": "o", "lock_ttl_unit": "ms"}}
    assert shell.broker.depth("probe") == shell.broker.depth("dead") == EMPTY


@pytest.mark.parametrize(
    ("option", "words"), [(("--write-profile", "nobody"), "no profile 'nobody'"), (("--write-broker", "bad.toml"), "is not TOML")]
)
def test_what_cannot_be_written_afterwards_is_refused_before_anything_is_tried(
    shell: Shell, option: tuple[str, str], words: str
) -> None:
    (shell.home / "bad.toml").write_text("[")
    ended = shell.doctor("--probe", "probe", "--yes", *option)
    assert ended.returncode == USAGE
    assert words in ended.stderr
    assert shell.broker.depth("probe") == EMPTY
    shell.publish("probe")
    assert received(shell.broker, "probe") == 1


@pytest.mark.parametrize("option", ["--yes", "--large", "--exchange=x", "--write-broker=x", "--write-profile=x"])
def test_what_needs_a_probe_says_so(shell: Shell, option: str) -> None:
    ended = shell.doctor(option)
    assert ended.returncode == USAGE
    assert f"{option.split('=')[0]} needs --probe QUEUE." in ended.stderr


def test_wrong_credentials_are_a_problem_in_the_table(shell: Shell) -> None:
    shell.env["ANYPOINT_CLIENT_SECRET"] = "wrong-secret-1234"
    ended = shell.doctor("--json")
    assert ended.returncode == PARTLY
    (problem,) = [check for check in json.loads(ended.stdout)["checks"] if check["state"] == "problem"]
    assert "were not accepted" in problem["found"]
    assert "wrong-secret-1234" not in ended.stdout + ended.stderr
