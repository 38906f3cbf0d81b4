"""Frames of this package in IPython: harmless, and other frames as ever."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from IPython.core.interactiveshell import InteractiveShell

from courier_nb import Client, Message, Report
from courier_nb.core.messages import Outcome
from courier_nb.frames.display import foreign, harmless

QUICK: dict[str, Any] = {"polling_time": "20ms", "progress": False}
Display = Callable[[Any], dict[str, str]]


@pytest.fixture
def shell() -> Iterator[InteractiveShell]:
    shell = InteractiveShell.instance()
    shell.display_formatter.active_types = ["text/html", "text/plain"]
    yield shell
    InteractiveShell.clear_instance()


@pytest.fixture
def display(shell: InteractiveShell) -> Display:
    return lambda shown: dict(shell.display_formatter.format(shown)[0])


def hostile(rows: int = 1) -> pd.DataFrame:
    return pd.DataFrame({"a": ["$x$ $y$ \u202e\x1b<b>"] * rows, "n": [1.5] * rows})


def test_a_marked_frame_is_shown_without_codes_markup_or_typesetting(display: Display) -> None:
    shown = display(foreign(hostile()))
    assert "mathjax_ignore" in shown["text/html"]
    assert "\\u202e\\x1b&lt;b&gt;" in shown["text/html"]
    assert "\\u202e\\x1b<b>" in shown["text/plain"]
    assert not {"\u202e", "\x1b"} & set("".join(shown.values()))


@pytest.mark.parametrize(
    "change",
    [
        lambda frame: frame.head(1),
        lambda frame: frame[frame["n"] > 1],
        lambda frame: frame["a"],
        lambda frame: frame.set_index("a"),
        lambda frame: frame.set_index(["a", "n"]),
        lambda frame: frame.T,
        lambda frame: frame.rename(columns={"a": "\u202e"}),
        lambda frame: frame.assign(b=[{"\u202e": b"\x1b"}] * len(frame)),
        lambda frame: frame.astype({"a": "category"}),
        lambda frame: pd.concat([frame, frame]),
        lambda frame: frame.sort_values("a"),
    ],
)
def test_what_is_made_of_it_is_shown_harmlessly_too(display: Display, change: Callable[[pd.DataFrame], Any]) -> None:
    shown = display(change(foreign(hostile(3))))
    assert not {"\u202e", "\x1b"} & set("".join(shown.values()))
    assert "\\u202e" in shown["text/plain"]


def test_other_frames_are_displayed_as_ever(display: Display) -> None:
    own = pd.DataFrame({"a": ["$x$", "\u202e"]})
    display(foreign(hostile()))
    shown = display(own)
    assert shown["text/html"] == own._repr_html_()  # type: ignore[operator]
    assert shown["text/plain"] == repr(own)
    assert "mathjax_ignore" not in shown["text/html"]
    assert display(own["a"])["text/plain"] == repr(own["a"])


def test_a_formatter_of_the_user_s_own_is_kept_for_other_frames(shell: InteractiveShell, display: Display) -> None:
    shell.display_formatter.formatters["text/html"].for_type(pd.DataFrame, lambda frame: "<p>mine</p>")
    shell._courier_nb_displays = False
    marked = foreign(hostile())
    assert display(pd.DataFrame({"a": [1]}))["text/html"] == "<p>mine</p>"
    assert "mathjax_ignore" in display(marked)["text/html"]


@pytest.mark.parametrize("rows", [0, 1, 61, 1_500])
def test_the_shape_is_that_of_pandas(display: Display, rows: int) -> None:
    plain = pd.DataFrame({"a": ["text"] * rows, "n": range(rows)})
    expected = repr(plain)
    assert display(foreign(plain.copy()))["text/plain"] == expected


def test_the_values_themselves_are_not_touched(display: Display) -> None:
    frame = foreign(hostile())
    display(frame)
    assert frame["a"][0] == "$x$ $y$ \u202e\x1b<b>"
    assert harmless(frame) is not frame


def test_every_frame_of_the_package_is_marked_and_shows_no_lock(client: Client, display: Display, tmp_path: Path) -> None:
    queue = client.destination("queue")
    published = queue.publish([Message("\u202e$a$ $b$", {"p\u202e": "\x1b"})], progress=False)
    received = queue.receive(1, **QUICK)
    lock = received.messages[0].lock_id
    frames = [published.frame(), received.frame(), client.destinations().frame()]
    frames.append(queue.nack(received, progress=False).frame())
    frames.append(queue.drain(tmp_path / "capture", **QUICK).frame())
    pd.set_option("display.max_columns", None)
    try:
        for frame in frames:
            shown = "".join(display(frame).values())
            assert "mathjax_ignore" in shown
            assert not {"\u202e", "\x1b"} & set(shown)
            assert str(lock) not in shown
    finally:
        pd.reset_option("display.max_columns")
    assert str(lock) in frames[1]["lock_id"].tolist()


def test_ids_that_no_column_holds_are_reported_all_the_same() -> None:
    outcomes = [Outcome("a\ud800", "q", "unknown", "why\udfff"), Outcome(None, "q", "ok")]
    frame = Report("ack", "q", outcomes).frame()
    assert frame["message_id"][0] == "a\\ud800"
    assert frame["message_id"].isna().tolist() == [False, True]


def test_nothing_of_ipython_is_loaded_outside_of_it() -> None:
    code = (
        "import sys, pandas as pd\n"
        "from courier_nb.frames.display import foreign\n"
        "foreign(pd.DataFrame({'a': [1]}))\n"
        "print({'IPython', 'ipywidgets'} & set(sys.modules))\n"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip() == "set()"
