"""Reading captures, and checking them."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from courier_nb import Capture, CaptureDamaged, CaptureError, FrameError
from courier_nb.storage.disk import file_stem
from courier_nb.storage.layout import Layout, create_layout

from .conftest import delivery

ANOTHER = "20260301T130000-bbbbbbbb-00001"


def test_columns_and_rows_can_be_chosen(layout: Layout, write_spool: Callable[..., str]) -> None:
    write_spool((delivery(*"abcde"), ["acked"] * 5))
    capture = Capture(layout.root)
    assert list(capture.frame(["prop.id", "message_id"]).columns) == ["prop.id", "message_id"]
    assert list(capture.frame(where='`prop.id` in ["b", "d"] and delivery_count == 1')["message_id"]) == ["b", "d"]
    assert list(capture.frame(where="`prop.none`.isna()", limit=2)["message_id"]) == ["a", "b"]
    assert list(capture.frame(["message_id"], where='`prop.id` == "c"')["message_id"]) == ["c"]
    with pytest.raises(FrameError, match="no column 'nonsense'"):
        capture.frame(["nonsense"])
    with pytest.raises(FrameError, match="cannot be evaluated"):
        capture.frame(where="nonsense > 1")


def test_a_property_that_no_message_has_is_refused_with_those_like_it(layout: Layout, write_spool: Callable[..., str]) -> None:
    assert Capture(layout.root).frame(["prop.idd"]).empty  # without messages nobody can know
    write_spool((delivery("a", "b"), ["acked"] * 2))
    write_spool((delivery("c", extra={"event": "push"}), ["acked"]), stem=ANOTHER)
    capture = Capture(layout.root)
    for name, hint in {
        "prop.evnt": "did you mean prop.event?",
        "prop.customer": "there are prop.event, prop.id, prop.n.",
    }.items():
        with pytest.raises(FrameError, match=re.escape(f"has '{name}'; {hint}")) as caught:
            capture.frame(["message_id", name], limit=1)
        assert caught.value.columns == (name,)
    with pytest.raises(FrameError, match=r"has 'header\.x-trace'; there are none"):
        capture.frame(["header.x-trace"])
    # A later message has it: the column of the first ones is there, and empty.
    shown = capture.frame(["message_id", "prop.event"], limit=2)
    assert list(shown["message_id"]) == ["a", "b"] and shown["prop.event"].isna().all()
    assert list(capture.frame(["prop.event"], where="message_id == 'a'").columns) == ["prop.event"]


@pytest.mark.parametrize(
    ("first", "second", "shown"),
    [
        ("unknown", "acked", 1),  # it came again after a crash
        ("returned", "acked", 1),
        ("lost_lock", "unknown", 1),
        ("acked", "acked", 2),  # the broker deleted the first, so the second is a message of its own
        ("acked", "unknown", 1),
    ],
)
def test_a_second_copy_is_shown_once_and_counted(
    layout: Layout, write_spool: Callable[..., str], first: str, second: str, shown: int
) -> None:
    write_spool((delivery("same", "other"), [first, "acked"]))
    write_spool((delivery("same"), [second]), stem=ANOTHER)
    capture = Capture(layout.root)
    assert list(capture.frame()["message_id"]).count("same") == shown
    assert (len(capture), capture.duplicates) == (shown + 1, 2 - shown)
    assert len(capture.frame(all_copies=True)) == 3
    assert len(list(capture.messages())) == shown + 1


@pytest.mark.parametrize(
    ("settlements", "shown"),
    [
        (["unknown", "unknown"], 2),  # two messages that are alike, and perhaps both deleted
        (["acked", "lost_lock"], 1),  # one delivery, given twice in an answer
    ],
)
def test_rows_of_one_answer_are_copies_only_where_one_of_them_was_acknowledged(
    layout: Layout, write_spool: Callable[..., str], settlements: list[str], shown: int
) -> None:
    write_spool((delivery("same", "same"), settlements))
    assert len(Capture(layout.root)) == shown


@pytest.mark.parametrize("change", [{"body": "another body"}, {"created": "Sun, 01 Mar 2026 11:00:09 GMT"}])
def test_an_equal_id_alone_does_not_make_a_copy(layout: Layout, write_spool: Callable[..., str], change: dict[str, str]) -> None:
    write_spool((delivery("same"), ["unknown"]))
    write_spool((delivery("same", **change), ["acked"]), stem=ANOTHER)
    assert len(Capture(layout.root)) == 2


def test_a_folder_that_holds_other_things_is_neither_opened_nor_written(tmp_path: Path) -> None:
    (tmp_path / "letter.txt").write_text("dear sir")
    with pytest.raises(CaptureError, match="is not a capture"):
        Capture(tmp_path)
    with pytest.raises(CaptureError, match="holds other things"):
        create_layout(tmp_path)
    with pytest.raises(CaptureError, match="does not exist"):
        Capture(tmp_path / "nowhere")


@pytest.mark.parametrize(
    "name", ["../../etc/passwd", "/abs", "C:\\x", "a\0b", "con", "x" * 500, "😀" * 127, "", "..", "orders.v1"]
)
def test_a_foreign_name_stays_inside_its_folder(tmp_path: Path, name: str) -> None:
    path = (tmp_path / file_stem(name)).resolve()
    assert path.parent == tmp_path.resolve()
    assert len(file_stem(name)) <= 60
    assert file_stem(name) != file_stem(name + "x")


def test_a_missing_part_is_said_to_be_damage_wherever_it_is_met(layout: Layout, write_spool: Callable[..., str]) -> None:
    stem = write_spool((delivery("a"), ["unknown"]))
    Capture(layout.root)
    layout.part(stem).unlink()
    capture = Capture(layout.root)
    for look in (len, repr, lambda capture: capture.frame(), lambda capture: list(capture.messages())):
        with pytest.raises(CaptureDamaged):
            look(capture)
