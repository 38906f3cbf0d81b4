"""The command line as the shell sees it: output, errors in one line, exit codes."""

from __future__ import annotations

import json
import signal
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from courier_nb import Capture

from .conftest import Cli, write_jsonl

OK, PARTLY, USAGE, NOT_REACHED = 0, 1, 2, 3


def one_line(text: str) -> str:
    lines = text.strip().splitlines()
    assert len(lines) == 1, text
    assert lines[0].startswith("courier-nb: ")
    return lines[0]


def some_messages(count: int, **properties: Any) -> list[dict[str, Any]]:
    return [{"headers": {"messageId": f"m{i}"}, "properties": {"n": i, **properties}, "body": f"body {i}"} for i in range(count)]


def test_publish_peek_drain_verify_and_replay_by_command(cli: Cli, tmp_path: Path) -> None:
    source = write_jsonl(tmp_path / "in.jsonl", some_messages(25))
    assert cli.run("publish", "orders-dlq", source, "--json").json["outcomes"] == {"ok": 25}
    peeked = cli.run("peek", "orders-dlq", "-n", 3, "--json").json
    assert len(peeked["messages"]) == 3
    assert all("lockId" not in message["headers"] for message in peeked["messages"])
    drained = cli.run("drain", "orders-dlq", "--to", "cap", "--json")
    assert (drained.code, drained.json["acked"], drained.json["messages"]) == (OK, 25, 25)
    assert cli.run("verify", "cap", "--json").json["acked"] == 25
    plan = cli.run("replay", "cap", "--dry-run", "--json").json  # the target comes from the dead-letter wiring
    assert (plan["destination"], plan["to_do"], plan["calls"]) == ("orders", 25, 3)
    assert cli.depths() == {"orders-dlq": (0, 0), "orders": (0, 0)}
    assert cli.run("replay", "cap", "--json").json["outcomes"] == {"ok": 25}
    assert cli.run("replay", "cap", "--json").json["outcomes"] == {"skipped": 25}
    assert cli.depths()["orders"] == (25, 0)


def test_a_drained_parquet_file_can_be_published(cli: Cli, tmp_path: Path) -> None:
    cli.run("publish", "orders", write_jsonl(tmp_path / "in.jsonl", some_messages(3, text="€")))
    cli.run("drain", "orders", "--to", "cap")
    (part,) = (tmp_path / "cap").glob("*.parquet")
    assert cli.run("publish", "orders", part, "--json").json["outcomes"] == {"ok": 3}


def test_tables_for_people_show_control_characters_instead_of_obeying_them(cli: Cli, tmp_path: Path) -> None:
    hostile = {"headers": {"messageId": "a\x1b[2J"}, "properties": {"p\u202e": "x\x07"}, "body": "\x1b]0;title\x07"}
    cli.run("publish", "orders", write_jsonl(tmp_path / "in.jsonl", [hostile]))
    shown = cli.run("peek", "orders").out
    assert "a\\x1b[2J" in shown
    assert not set(shown) & {"\x1b", "\x07", "\u202e"}


def test_limit_takes_no_more_than_asked(cli: Cli, tmp_path: Path) -> None:
    cli.run("publish", "orders", write_jsonl(tmp_path / "in.jsonl", some_messages(30)))
    assert cli.run("drain", "orders", "--to", "cap", "--limit", 7, "--json").json["acked"] == 7
    assert cli.depths()["orders"] == (23, 0)


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["peek", "no-such-queue"], NOT_REACHED, "destination 'no-such-queue': not found (404)"),
        (["verify", "nowhere"], USAGE, "does not exist"),
        (["replay", "nowhere", "--to", "orders"], USAGE, "does not exist"),
        (["publish", "orders", "broken.jsonl"], USAGE, "line 2"),
        (["replay", "foreign.parquet", "--to", "orders"], USAGE, "message_id is missing"),
        (["replay", "text.parquet", "--to", "orders"], USAGE, "not a readable Parquet file"),
        (["drain", "orders", "--to", "."], USAGE, "holds other things"),
        (["drain", "orders", "--to", "broken.jsonl/sub"], USAGE, "Cannot write"),
        (["demo", "--keep", "."], USAGE, "exists already"),
        (["destinations", "--url", "http://example.com/api/v1"], USAGE, "plain http"),
    ],
)
def test_an_error_is_one_line_and_a_code(cli: Cli, tmp_path: Path, arguments: list[str], code: int, words: str) -> None:
    (tmp_path / "broken.jsonl").write_text('{"body": "fine"}\nnot json\n')
    (tmp_path / "text.parquet").write_text("hello")
    pq.write_table(pa.table({"a": [1]}), tmp_path / "foreign.parquet")
    ended = cli.run(*arguments)
    assert ended.code == code
    assert words in one_line(ended.err)
    assert json.loads(cli.run(*arguments, "--json").out)["exit_code"] == code


def test_a_wrong_secret_is_one_line_that_does_not_repeat_it(cli: Cli) -> None:
    cli.env["ANYPOINT_CLIENT_SECRET"] = "wrong-secret-1234"
    ended = cli.run("peek", "orders")
    assert ended.code == NOT_REACHED
    assert "were not accepted" in one_line(ended.err)
    assert "wrong-secret-1234" not in ended.err


def test_a_stopped_broker_is_one_line(cli: Cli) -> None:
    cli.env["ANYPOINT_MQ_URL"] = "http://127.0.0.1:9/api/v1"
    ended = cli.run("peek", "orders")
    assert ended.code == NOT_REACHED
    assert "cannot be reached" in one_line(ended.err)


class Truncating(BaseHTTPRequestHandler):
    """Answers every receive call with less than it promised."""

    answer: ClassVar[bytes] = b""

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", "40")
        self.end_headers()
        self.wfile.write(self.answer)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.mark.parametrize(
    ("answer", "words"),
    [(b'[{"headers": {"mes', "no complete answer"), (b'[{"headers": {"messageId": "a long id"}, "b', "is not JSON")],
    ids=["fewer bytes than announced", "JSON cut off"],
)
def test_a_truncated_answer_is_one_line(lonely_cli: Cli, answer: bytes, words: str) -> None:
    handler = type("Handler", (Truncating,), {"answer": answer[:40]})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    guid = "11111111-2222-3333-4444-555555555555"
    url = f"http://127.0.0.1:{server.server_port}"
    lonely_cli.env.update(ANYPOINT_BEARER="token", ANYPOINT_MQ_URL=url, ANYPOINT_ORG=guid, ANYPOINT_ENV=guid)
    ended = lonely_cli.run("peek", "orders")
    server.shutdown()
    server.server_close()
    assert ended.code == NOT_REACHED
    assert words in one_line(ended.err)
    assert "not known whether" in ended.err


def test_missing_settings_name_every_place(lonely_cli: Cli) -> None:
    ended = lonely_cli.run("destinations")
    assert ended.code == USAGE
    for place in ("client_id=", "ANYPOINT_CLIENT_ID", "~/.anypoint/credentials"):
        assert place in one_line(ended.err)


def test_a_wrong_option_is_a_usage_error(lonely_cli: Cli) -> None:
    ended = lonely_cli.run("drain", "orders", "--to", "cap", "--lock-ttl", "soon")
    assert ended.code == USAGE
    assert "'soon', which is not a duration" in ended.err


def test_sigterm_ends_a_drain_in_order(cli: Cli, tmp_path: Path) -> None:
    cli.run("publish", "orders", write_jsonl(tmp_path / "in.jsonl", some_messages(50)))
    drain = cli.start("drain", "orders", "--to", "cap", "--empties", "1000", "--lock-ttl", "1h")
    while not list((tmp_path / "cap").rglob("*.spool")):
        time.sleep(0.01)  # watching another process: there is no clock to move
    drain.send_signal(signal.SIGTERM)
    _, err = drain.communicate(timeout=10)
    assert drain.returncode == 130
    assert "run the same command again" in err
    messages, in_flight = cli.depths()["orders"]
    capture = Capture(tmp_path / "cap")
    assert in_flight == 0  # what was held was returned, although its lock had an hour to go
    assert capture.settlements.get("acked", 0) == 50 - messages
    assert capture.recovered_rows == 0  # the parts were finished before the end


def test_the_broker_prints_its_address_as_the_first_line(lonely_cli: Cli) -> None:
    broker = lonely_cli.start("broker")
    announced = json.loads(broker.stdout.readline())  # type: ignore[union-attr]
    assert set(announced) == {
        "url", "platform_url", "client_id", "client_secret", "organization", "environment", "region",
    }  # fmt: skip
    assert announced["url"] == f"{announced['platform_url']}/api/v1"
    broker.send_signal(signal.SIGINT)
    assert broker.wait(10) == 0


@pytest.mark.parametrize("real", [False, True], ids=["orders", "own messages"])
def test_the_demo_accounts_for_every_message(lonely_cli: Cli, tmp_path: Path, real: bool) -> None:
    own = [{"headers": {}, "properties": {"kind": f"k{i % 5}"}, "body": json.dumps({"i": i})} for i in range(60)]
    arguments = ["--messages", write_jsonl(tmp_path / "own.jsonl", own)] if real else []
    shown = lonely_cli.run("demo", *arguments)
    assert shown.code == OK, shown.err
    assert "Every message is accounted for." in shown.out
    assert "jupyter lab notebooks/00_quickstart.ipynb" in shown.out
    proof = lonely_cli.run("demo", *arguments, "--json").json
    assert proof["holds"]
    assert proof["published"] == proof["consumed"] + proof["kept"]
    assert not list(Path(lonely_cli.env["HOME"]).rglob("*.sqlite"))  # it leaves nothing behind
