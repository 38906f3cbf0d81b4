"""What the commands print of the corpus: characters that a terminal only shows, in tables that stay aligned."""

from __future__ import annotations

import json
import os
import pty
import re
import subprocess
import sys
import unicodedata
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from courier_nb import ConfigError, Message, Refused
from courier_nb.broker import LocalBroker, QueueConfig
from courier_nb.client import broker_settings
from courier_nb.core.printable import MOST_MARKS, plain, plain_json
from courier_nb.frames.text import cut, table

from . import corpus

OBEYED = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}
ANY = st.text(st.characters(exclude_categories=[]), max_size=40)


def obeyed_in(text: str, *, but: str = "\n\r") -> set[str]:
    return {character for character in text if character not in but and unicodedata.category(character) in OBEYED}


@given(ANY | st.sampled_from(corpus.TEXTS))
def test_every_text_is_made_printable(text: str) -> None:
    shown = plain(text)
    assert obeyed_in(shown, but="") == set()
    assert not re.search(f"[\u0300-\u036f]{{{MOST_MARKS + 1}}}", shown)
    assert plain(shown) == shown


@given(ANY)
def test_text_that_is_printable_is_left_alone(text: str) -> None:
    assert (plain(text) == text) or obeyed_in(text, but="") or any(unicodedata.combining(c) for c in text) or "\\" in plain(text)


@given(st.recursive(ANY | st.integers() | st.none(), lambda inner: st.lists(inner) | st.dictionaries(ANY, inner), max_leaves=5))
def test_json_is_printable_and_means_the_same(value: Any) -> None:
    shown = plain_json(json.dumps(value, ensure_ascii=False))
    assert json.loads(shown) == value
    assert shown.isprintable()


@given(st.lists(st.tuples(ANY, ANY | st.integers()), min_size=1, max_size=5))
def test_the_columns_of_a_table_stay_aligned(rows: list[tuple[Any, Any]]) -> None:
    frame = pd.DataFrame({"id": pd.Series(["|" for _ in rows], dtype=object), "a": pd.Series([a for a, _ in rows], dtype=object)})
    frame["end"] = "|"
    frame["b"] = pd.Series([b for _, b in rows], dtype=object)
    lines = table(frame, widest=20).split("\n")
    assert len(lines) == 1 + len(rows)
    places = {cell_len(line[: line.index("|", 1)]) for line in lines[1:] if "|" not in plain(rows[lines.index(line) - 1][0])}
    assert len(places) <= 1


@given(ANY, st.integers(2, 30))
def test_a_cut_text_fits_its_cells(text: str, widest: int) -> None:
    shown = cut(plain(text), widest)
    assert cell_len(shown) <= widest


def test_wide_characters_are_counted_as_two_cells() -> None:
    frame = pd.DataFrame({"a": ["漢字", "ab", "ｆｕｌｌ", "e\u0301"], "b": ["|"] * 4})
    lines = table(frame).split("\n")
    assert {cell_len(line[: line.index("|")]) for line in lines[1:]} == {10}


def test_a_flood_of_marks_takes_no_more_room_than_a_cell() -> None:
    (line,) = table(
        pd.DataFrame(
            {
                "z": [
                    "Z" + "\u0301" * 400,
                ]
            }
        )
    ).split("\n")[1:]
    assert cell_len(line) <= 60
    assert sum(unicodedata.combining(character) > 0 for character in line) <= MOST_MARKS


@pytest.mark.parametrize("error", [ConfigError, lambda text: Refused(text, status=400, operation="x")])
def test_an_error_message_with_foreign_text_is_printed_harmlessly(capsys: pytest.CaptureFixture[str], error: Any) -> None:
    from courier_nb.cli.output import emit_error

    for text in corpus.TERMINAL + corpus.DIRECTION:
        found = error(f"destination {text}: no")
        found.add_note(text)
        emit_error(found, 2)
    captured = capsys.readouterr()
    assert obeyed_in(captured.out + captured.err) == set()


@pytest.fixture(scope="module")
def env(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    home = str(tmp_path_factory.mktemp("home"))
    queues = [QueueConfig("queue", max_deliveries=1_000), QueueConfig("empty")]
    with LocalBroker(queues=queues) as broker, broker.serving() as announced:
        from courier_nb import Client

        with Client(broker_settings(announced)) as client:
            client.destination("queue").publish(
                [m for m in corpus.small() if len(m.body or "") < 10_000], strict=False, progress=False
            )
        yield {
            **os.environ, "HOME": home, "XDG_STATE_HOME": home, "XDG_DATA_HOME": home, "ANYPOINT_MQ_URL": announced["url"],
            "ANYPOINT_CLIENT_ID": announced["client_id"], "ANYPOINT_CLIENT_SECRET": announced["client_secret"], "COLUMNS": "200",
        }  # fmt: skip


def in_terminal(arguments: list[str], env: dict[str, str], folder: Path) -> str:
    """Run a command in a pseudo-terminal and return everything it wrote."""
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "courier_nb", *arguments], env=env, cwd=folder, stdin=theirs, stdout=theirs, stderr=theirs
    )
    os.close(theirs)
    written = b""
    while True:
        try:
            read = os.read(ours, 65_536)
        except OSError:  # how a terminal ends on Linux
            break
        if not read:
            break
        written += read
    process.wait(60)
    os.close(ours)
    return written.decode("utf-8", "surrogateescape")


@pytest.mark.parametrize(
    "arguments",
    [
        ["peek", "queue", "-n", "400"],
        ["peek", "queue", "-n", "400", "--json"],
        ["destinations"],
        ["peek", "no such \x1b[2J\u202equeue"],
        ["verify", "no such \x1b[2J\u202efolder"],
        ["publish", "\x1b]0;x\x07queue", "no such \u202efile"],
    ],
    ids=["peek", "peek --json", "destinations", "no queue", "no folder", "no file"],
)
def test_nothing_that_a_command_writes_to_a_terminal_is_obeyed(env: dict[str, str], tmp_path: Path, arguments: list[str]) -> None:
    shown = in_terminal(arguments, env, tmp_path)
    without_bars = re.sub(r"\x1b\[A|\r", "", shown)  # tqdm moves its own cursor
    assert len(shown) > 20
    assert obeyed_in(without_bars) == set()
    if arguments[0] == "peek" and len(arguments) == 4:
        assert "\\x1b[31mred" in shown


def test_a_message_s_repr_shows_no_control_character() -> None:
    for text in corpus.TEXTS:
        message = Message(text, {text[:50]: 1}, {"messageId": text[:50]}, destination=text[:50])
        assert obeyed_in(repr(message), but="") == set()
