"""``%courier`` and ``%%courier`` in IPython, and in a real kernel."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import click
import pandas as pd
import pytest
from IPython.core.completer import provisionalcompleter
from IPython.core.error import UsageError
from IPython.core.interactiveshell import InteractiveShell

import courier_nb
from courier_nb import Capture, Client, DestinationList, Message, MoveReport, Plan, Received, Replayed, Report, Verification
from courier_nb.broker import LocalBroker, QueueConfig
from courier_nb.cli.main import cli
from courier_nb.client import broker_settings
from courier_nb.flows.guard import LookCost
from courier_nb.storage.journal.proof import JournalProof

from .conftest import Kernel


@pytest.fixture
def shell(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[InteractiveShell]:
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))
    monkeypatch.chdir(tmp_path)
    shell = InteractiveShell.instance(colors="nocolor")
    shell.history_manager.enabled = False  # its file is gone before the process ends
    shell.run_line_magic("load_ext", "courier_nb")
    yield shell
    shell.run_line_magic("unload_ext", "courier_nb")
    InteractiveShell.clear_instance()


@pytest.fixture
def local() -> Iterator[LocalBroker]:
    queues = [QueueConfig("dead"), QueueConfig("orders", dead_letter_queue="dead", max_deliveries=1000)]
    with LocalBroker(queues=queues) as broker:
        yield broker


@pytest.fixture
def connected(shell: InteractiveShell, local: LocalBroker) -> Iterator[Client]:
    with Client(broker_settings(local.settings), transport=local.transport()) as client:
        shell.user_ns["client"] = client
        yield client


@pytest.fixture
def run(shell: InteractiveShell) -> Callable[[str], Any]:
    """Runs a cell; raises what it raised."""

    def run(code: str) -> Any:
        done = shell.run_cell(code)
        done.raise_error()
        return done.result

    return run


@pytest.fixture
def refused(shell: InteractiveShell, capsys: pytest.CaptureFixture[str]) -> Callable[[str], str]:
    """Runs a cell that goes wrong; returns the one line that says so."""

    def refused(code: str) -> str:
        capsys.readouterr()
        done = shell.run_cell(code)
        assert isinstance(done.error_in_exec, UsageError), done
        said = capsys.readouterr().err.strip()
        assert said.startswith("UsageError: ")
        assert "\n" not in said
        return said.removeprefix("UsageError: ")

    return refused


def publish(client: Client, *bodies: str, queue: str = "orders") -> None:
    client.destination(queue).publish([Message(body, {"event": "push"}) for body in bodies], progress=False)


def completed(shell: InteractiveShell, typed: str) -> list[str]:
    """Return what the line becomes with each of the completions, as front ends make it."""
    with provisionalcompleter():
        return [typed[: found.start] + found.text for found in shell.Completer.completions(typed, len(typed))]


def total(broker: LocalBroker, queue: str = "orders") -> int:
    return sum(broker.depth(queue).values())


def test_a_line_gives_the_object_of_the_verb(run: Callable[[str], Any], connected: Client) -> None:
    publish(connected, "a", "b")
    found = run("found = %courier peek orders --count 2\nfound")
    assert isinstance(found, Received)
    assert sorted(found.frame()["body"]) == ["a", "b"]
    assert isinstance(run("%courier peek orders -n 2"), Received)


def test_every_verb_has_its_object(run: Callable[[str], Any], connected: Client, local: LocalBroker) -> None:
    publish(connected, "a", "b", "c")
    quick = "--polling-time 10ms"
    cases: list[tuple[str, type]] = [
        ("destinations", DestinationList),
        ("peek orders --cost", LookCost),
        ("drain orders --to captured --dry-run", Plan),
        (f"drain orders --to captured {quick}", Capture),
        ("verify captured", Verification),
        ("compact captured", Capture),
        ("export captured out.csv", courier_nb.ExportReport),
        ("export captured out.jsonl", courier_nb.ExportReport),
        ("replay captured --to orders --dry-run", Plan),
        ("replay captured --to orders", Replayed),
        ("replays --capture captured", pd.DataFrame),
        (f"move orders dead --via moved --fifo {quick} --standard", MoveReport),
        ("publish orders out.jsonl", Report),
        ("journal", pd.DataFrame),
        ("journal --verify", JournalProof),
        ("doctor --no-reach", courier_nb.DoctorReport),
    ]
    for line, kind in cases:
        assert isinstance(run(f"%courier {line}"), kind), line
    tried = {line.split()[0] for line, _ in cases}
    assert tried | {"broker", "demo", "undo"} == set(cli.commands)
    assert total(local) == 3
    assert total(local, "dead") == 3


def test_a_drain_is_undone(run: Callable[[str], Any], connected: Client, local: LocalBroker) -> None:
    publish(connected, "a")
    run("%courier drain orders --to captured --polling-time 10ms;")
    assert total(local) == 0
    run("runs = %courier journal --verb drain")
    assert isinstance(run("%courier undo {runs['run'].iloc[-1]}"), Replayed)
    assert total(local) == 1


def test_json_gives_the_document_as_plain_values(run: Callable[[str], Any], connected: Client) -> None:
    publish(connected, "a")
    document = run("%courier peek orders --json")
    assert document["messages"][0]["body"] == "a"
    assert "lockId" not in document["messages"][0]["headers"]
    json.dumps(document)
    assert isinstance(run("%courier peek orders"), Received)  # the option holds for its line only


def test_a_semicolon_keeps_the_result_from_being_shown(run: Callable[[str], Any], connected: Client) -> None:
    publish(connected, "a")
    assert run("%courier peek orders;") is None


def test_help_is_that_of_the_command_line(run: Callable[[str], Any], capsys: pytest.CaptureFixture[str]) -> None:
    run("%courier")
    listed = capsys.readouterr().out
    assert all(name in listed for name in cli.commands)
    run("%courier peek --help")
    assert "Usage: %courier peek [OPTIONS] QUEUE" in capsys.readouterr().out
    run("%%courier publish --help\nx")
    assert "--content-type" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("peek", "Missing argument 'QUEUE'. %courier peek --help says more."),
        ("peek orders --nope", "No such option '--nope'"),
        ("peek orders -n 0", "0 is not in the range x>=1"),
        ("peek orders --rate quick", "quick"),
        ("nope", "No such command 'nope'. %courier --help says more."),
        ("peek 'orders", "No closing quotation"),
        ("broker", "is not run in a kernel"),
        ("broker --port 0", "courier_nb.connect('local')"),
        ("verify nowhere", "nowhere"),
        ("drain nowhere --to captured", "nowhere"),
    ],
)
def test_what_goes_wrong_is_one_line(refused: Callable[[str], str], connected: Client, line: str, said: str) -> None:
    assert said in refused(f"%courier {line}")


def test_a_partly_failed_verb_gives_its_report_and_says_so(
    run: Callable[[str], Any], connected: Client, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    publish(connected, "a")
    run("%courier drain orders --to captured --polling-time 10ms;")
    part = next((tmp_path / "captured").glob("*.parquet"))
    part.write_bytes(part.read_bytes()[:-1])
    found = run("%courier verify captured")
    assert not found.ok
    assert "%courier verify did not do everything" in capsys.readouterr().err


def test_a_cell_is_published_as_it_stands(run: Callable[[str], Any], connected: Client) -> None:
    options = "--id m-1 --content-type application/json --property event=push --property 'note=a b' --json-property n=5"
    report = run(f'%%courier publish orders {options} --ttl 1h\n{{"order":\n  {{"total": 1}}}}\n')
    assert isinstance(report, Report)
    [message] = connected.destination("orders").peek(1).messages
    assert message.body == '{"order":\n  {"total": 1}}'
    assert message.properties == {"contentType": "application/json", "event": "push", "note": "a b", "n": 5}
    assert message.message_id == "m-1"
    assert int(message.headers["ttl"]) == 3_600_000


def test_a_cell_of_json_lines_is_many_messages(run: Callable[[str], Any], connected: Client, local: LocalBroker) -> None:
    run('%%courier publish orders --jsonl\n{"body": "a", "properties": {"event": "push"}}\n\n{"body": "b"}\n')
    assert sorted(message.body or "" for message in connected.destination("orders").peek(5).messages) == ["a", "b"]
    assert isinstance(run("%%courier publish orders --dry-run\nx"), Plan)
    assert total(local) == 2


@pytest.mark.parametrize(
    ("cell", "said"),
    [
        ("publish orders\n   \n", "The cell is empty"),
        ("publish orders --jsonl\n{}", "the cell, line 1"),
        ("publish orders --jsonl\nno json", "the cell, line 1: not JSON"),
        ("publish orders --jsonl --id x\n{}", "leave the other options out"),
        ("publish orders --property event\nx", "NAME=VALUE was expected"),
        ("publish orders --json-property n=[1]\nx", "a number, true, false"),
        ("publish orders --json-property n=NaN\nx", "a number, true, false"),
        ("publish\nx", "Missing argument 'QUEUE'"),
        ("peek orders\nx", "write %courier peek with a single %"),
        ("nope\nx", "No such command 'nope'"),
    ],
)
def test_a_cell_that_cannot_be_meant_sends_nothing(
    refused: Callable[[str], str], connected: Client, local: LocalBroker, cell: str, said: str
) -> None:
    assert said in refused(f"%%courier {cell}")
    assert total(local) == 0


def test_a_cell_of_sql_finds_frames_captures_and_folders(run: Callable[[str], Any], connected: Client) -> None:
    publish(connected, "a", "b")
    run("received = %courier peek orders")
    run("captured = %courier drain orders --to 'cap tured' --polling-time 10ms")
    run("frame = captured.frame()")
    query = "SELECT count(*) AS n FROM {} JOIN frame USING (message_id)"
    for table in ("captured", "'cap tured'", "received"):
        assert run(f"%%courier sql\n{query.format(table)}")["n"].tolist() == [2]
    assert run('%%courier sql\nWITH frame AS (SELECT "prop.event" FROM frame) FROM frame')["prop.event"].tolist() == ["push"] * 2
    assert run("%%courier sql --to counted\nSELECT body, 1 AS one FROM frame ORDER BY body") is None
    assert run("counted")["body"].tolist() == ["a", "b"]


@pytest.mark.parametrize(
    ("cell", "said"),
    [
        ("sql\nSELECT * FROM nix", "'nix' is no variable or folder of a capture. Frames and captures of this notebook: frame."),
        ("sql\nSELECT * FROM number", "'number' is a int, no table"),
        ("sql\nSELEC", "syntax error"),
        ("sql\nSELECT * FROM read_csv('x.csv')", "disabled"),
        ("sql --to 1a\nSELECT 1", "the name of a variable was expected"),
    ],
)
def test_a_wrong_query_is_one_line(refused: Callable[[str], str], shell: InteractiveShell, cell: str, said: str) -> None:
    shell.user_ns.update(frame=pd.DataFrame({"a": [1]}), number=1)
    assert said in refused(f"%%courier {cell}")


def test_the_client_of_the_notebook_is_used_whatever_its_name(
    run: Callable[[str], Any], refused: Callable[[str], str], shell: InteractiveShell, connected: Client
) -> None:
    publish(connected, "a")
    shell.user_ns["staging"] = shell.user_ns.pop("client")
    shell.user_ns["same"] = shell.user_ns["staging"]
    assert len(run("%courier peek orders")) == 1
    with courier_nb.connect("local") as other:
        shell.user_ns["other"] = other
        assert "several clients (staging, other)" in refused("%courier peek orders")
        shell.user_ns["client"] = connected
        assert len(run("%courier peek orders")) == 1
        assert len(run("%courier peek orders --profile local")) == 0


def test_an_async_client_is_not_passed_over(refused: Callable[[str], str], shell: InteractiveShell, connected: Client) -> None:
    shell.user_ns["client"] = courier_nb.AsyncClient(connected.settings)
    assert "client is an AsyncClient" in refused("%courier peek orders")


def test_without_a_client_it_connects_by_the_settings_once(
    run: Callable[[str], Any],
    refused: Callable[[str], str],
    local: LocalBroker,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("HOME", "/nonexistent")
    assert "connect in a cell" in refused("%courier peek orders")
    with local.serving() as announced:
        for name, key in {"MQ_URL": "url", "CLIENT_ID": "client_id", "CLIENT_SECRET": "client_secret"}.items():
            monkeypatch.setenv(f"ANYPOINT_{name}", announced[key])
        assert len(run("%courier peek orders --read-only")) == 0
        assert capsys.readouterr().err.count("Connected by the settings") == 0
        assert len(run("%courier peek orders")) == 0
        assert len(run("%courier peek orders")) == 0
        said = capsys.readouterr()
        assert said.err.count("Connected by the settings") == 1
        assert announced["client_secret"] not in said.err + said.out
        run("%unload_ext courier_nb")
        run("%load_ext courier_nb")


def test_read_only_and_production_hold_as_on_the_command_line(
    run: Callable[[str], Any], refused: Callable[[str], str], shell: InteractiveShell, local: LocalBroker
) -> None:
    with local.serving() as announced:
        where = {"mq_url": announced["url"], "client_id": announced["client_id"], "client_secret": announced["client_secret"]}
        with courier_nb.connect(**where, production=True) as client:
            shell.user_ns["client"] = client
            for line in ("%%courier publish orders\nx", "%courier drain orders --to captured"):
                assert "--confirm" in refused(line)
            assert total(local) == 0
            assert run("%%courier publish orders --confirm orders\nx").ok
        with courier_nb.connect(**where, read_only=True) as client:
            shell.user_ns["client"] = client
            assert "read_only" in refused("%%courier publish orders\nx")
            assert "belong to a new connection" in refused("%courier peek orders --journal off")
    assert total(local) == 1


def test_a_variable_is_put_in_by_its_name_in_braces(run: Callable[[str], Any], connected: Client, tmp_path: Path) -> None:
    publish(connected, "a")
    run("queue = 'orders'\nfolder = 'with space'")
    run("captured = %courier drain {queue} --to '{folder}' --polling-time 10ms")
    assert run("%courier verify '{captured.path}'").ok
    assert (tmp_path / "with space").is_dir()


@pytest.mark.parametrize(
    ("typed", "offered"),
    [
        ("%courier pe", ["peek"]),
        ("x = %courier des", ["destinations"]),
        ("%courier peek orders --last", ["--last-chance"]),
        ("%courier peek orders --no-b", ["--no-bodies"]),
        ("%%courier pu", ["publish"]),
        ("%%courier publish orders --cont", ["--content-type"]),
    ],
)
def test_commands_and_options_are_completed(shell: InteractiveShell, typed: str, offered: list[str]) -> None:
    assert completed(shell, typed) == [typed[: typed.rindex(" ") + 1] + text for text in offered]


def test_all_commands_but_the_blocking_one_are_offered(shell: InteractiveShell) -> None:
    assert {line.removeprefix("%courier ") for line in completed(shell, "%courier ")} == set(cli.commands) - {"broker"}


def test_other_lines_are_completed_as_ever(shell: InteractiveShell) -> None:
    shell.user_ns["peekaboo"] = 1
    assert completed(shell, "print(peeka") == ["print(peekaboo"]


def test_unloading_takes_away_what_was_added_and_nothing_else(shell: InteractiveShell) -> None:
    shell.run_line_magic("unload_ext", "courier_nb")

    def state() -> tuple[Any, ...]:
        magics = shell.magics_manager
        return (
            {kind: dict(found) for kind, found in magics.magics.items()},
            list(shell.Completer.custom_matchers),
            set(vars(magics.user_magics)),
            set(shell.user_ns),
        )

    before = state()
    for _ in range(2):
        shell.run_line_magic("load_ext", "courier_nb")
        assert state() != before
        shell.run_line_magic("unload_ext", "courier_nb")
        assert state() == before
    shell.run_line_magic("load_ext", "courier_nb")
    shell.run_line_magic("reload_ext", "courier_nb")
    shell.run_line_magic("unload_ext", "courier_nb")
    assert state() == before


def test_a_magic_of_the_user_with_that_name_comes_back(shell: InteractiveShell) -> None:
    shell.run_line_magic("unload_ext", "courier_nb")
    shell.register_magic_function(lambda line: f"mine {line}", "line", "courier")
    shell.run_line_magic("load_ext", "courier_nb")
    with pytest.raises(UsageError):
        shell.run_line_magic("courier", "nope")
    shell.run_line_magic("unload_ext", "courier_nb")
    assert shell.run_line_magic("courier", "x") == "mine x"
    shell.run_line_magic("load_ext", "courier_nb")


def test_the_client_of_the_user_stays_open_when_the_magics_go(shell: InteractiveShell, connected: Client) -> None:
    shell.run_line_magic("unload_ext", "courier_nb")
    publish(connected, "a")
    assert len(connected.destination("orders").peek(1)) == 1
    shell.run_line_magic("load_ext", "courier_nb")


def test_the_same_commands_still_print_on_the_command_line(connected: Client, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        courier_nb.cli.main.main(["journal"])
    assert "Nothing is recorded" in capsys.readouterr().out
    assert click.get_current_context(silent=True) is None


def test_the_magics_work_in_a_real_kernel(kernel: Kernel, client: Client, connecting: str, tmp_path: Path) -> None:
    publish(client, "a", "b", "c")
    folder = tmp_path / "captured"
    assert kernel.run(f"{connecting}%load_ext courier_nb").status == "ok"
    assert kernel.run("found = %courier peek orders -n 3\nprint(len(found))").text.strip().endswith("3")
    assert "3 messages" in kernel.run("%courier peek orders -n 3").text
    kernel.run(f"captured = %courier drain orders --to {folder} --polling-time 10ms")
    assert "3" in kernel.run("%%courier sql\nSELECT count(*) AS n FROM captured").text
    assert kernel.run('%%courier publish orders --id m-9\n{"order": 9}').status == "ok"
    failed = kernel.run("%courier peek")
    assert (failed.status, failed.error) == ("error", "UsageError")
    assert failed.text.strip().startswith("UsageError: Missing argument 'QUEUE'.")
    assert "Usage: %courier" in kernel.run("%courier --help").text
    assert kernel.run("%reload_ext courier_nb").status == "ok"
    assert kernel.run("%unload_ext courier_nb").status == "ok"
    assert "not found" in kernel.run("%courier peek orders").text
    [message] = client.destination("orders").peek(1).messages
    assert message.message_id == "m-9"


def test_the_stop_button_ends_a_magic(
    kernel: Kernel, client: Client, broker: LocalBroker, connecting: str, tmp_path: Path
) -> None:
    publish(client, "a")
    kernel.run(f"{connecting}%load_ext courier_nb")
    cell = kernel.start(f"print('begun', flush=True)\n%courier drain orders --to {tmp_path / 'captured'} --empties 1000")
    kernel.wait_for_text(cell, "begun")
    while total(broker):
        time.sleep(0.01)  # watching another process: there is no clock to move
    kernel.interrupt()
    ended = kernel.finish(cell)
    assert (ended.status, ended.error) == ("error", "KeyboardInterrupt")
    assert kernel.run("1 + 1").text == "2"
