"""Edits put into frames, and the Python that makes the same edits."""

from __future__ import annotations

from typing import Any

import pandas as pd
import pyarrow as pa
import pytest

import courier_nb
from courier_nb import Message
from courier_nb.core.errors import InvalidArgument
from courier_nb.frames.flatten import frame_of
from courier_nb.frames.publishable import messages_from_frame
from courier_nb.frames.tables import table_of
from courier_nb.jupyter import BodyViewer, MessageBrowser

from .front_end import FrontEnd

MESSAGES = [
    Message("one", {"n": 5, "s": "x"}, {"messageId": "id-1"}),
    Message("two", {"n": 6}, {"messageId": "id-2"}),
    Message("other two", {"n": 7}, {"messageId": "id-2"}),
    Message(b"\xed\xa0\x80", {"s": "y"}, {"messageId": "id-4"}),
]


@pytest.fixture
def frame() -> pd.DataFrame:
    return frame_of(pa.Table.from_batches([table_of(MESSAGES)]))


@pytest.fixture
def viewer(frame: pd.DataFrame) -> BodyViewer:
    return BodyViewer(MessageBrowser(frame))


def published(frame: pd.DataFrame) -> list[tuple[Any, dict[str, Any]]]:
    return [(message.body, dict(message.properties)) for message in messages_from_frame(frame, strict=False)]


def test_edited_rows_are_published_as_edited_and_others_as_they_were(viewer: BodyViewer, frame: pd.DataFrame) -> None:
    viewer.edit(0, body="repaired é", properties={"n": 6, "new": [1, {"a": None}]})
    viewer.edit(2, body="only this one")
    viewer.edit(3, body="text now")
    before = frame.copy()
    assert published(viewer.edited_frame(frame)) == [
        ("repaired é", {"n": 6, "new": [1, {"a": None}]}),
        ("two", {"n": 6}),
        ("only this one", {"n": 7}),
        ("text now", {"s": "y"}),
    ]
    pd.testing.assert_frame_equal(frame, before)


def test_types_of_properties_are_kept(viewer: BodyViewer, frame: pd.DataFrame) -> None:
    edited = {"n": 2**70, "s": "5", "truth": True, "number": 1.5, "nothing": courier_nb.NULL}
    viewer.edit(0, properties=edited)
    found = published(viewer.edited_frame(frame))[0][1]
    assert found == {**edited, "nothing": None}
    assert [type(found[name]) for name in ("n", "s", "truth", "number")] == [int, str, bool, float]


def test_any_part_of_the_frame_in_any_order_will_do(viewer: BodyViewer, frame: pd.DataFrame) -> None:
    viewer.edit(0, body="first")
    viewer.edit(1, body="second")
    part = frame.iloc[[2, 1]].set_index(pd.Index(["p", "q"]))
    assert [body for body, _ in published(viewer.edited_frame(part))] == ["other two", "second"]
    assert viewer.edited_frame(part).index.tolist() == ["p", "q"]


def test_a_row_whose_body_is_another_one_by_now_is_left_alone(viewer: BodyViewer, frame: pd.DataFrame) -> None:
    viewer.edit(0, body="first")
    changed = frame.assign(body=["changed", *frame["body"][1:]])
    assert published(viewer.edited_frame(changed))[0][0] == "changed"


def test_messages_without_an_id_are_found_by_their_place() -> None:
    frame = pd.DataFrame({"body": ["a", "b"]})
    viewer = BodyViewer(MessageBrowser(frame))
    viewer.edit(1, body="c", properties={"p": 1})
    assert published(viewer.edited_frame(frame)) == [("a", {}), ("c", {"p": 1})]


def test_the_python_of_the_edits_makes_the_same_frame(viewer: BodyViewer, frame: pd.DataFrame) -> None:
    viewer.edit(0, body="quotes \"' and \\ é", properties={"s": "new", "list": [1, 2], "none": courier_nb.NULL, "f": 1.5})
    viewer.edit(3, body="text", properties={"s": "it's"})
    names: dict[str, Any] = {"rows": frame, "courier_nb": courier_nb, "pd": pd}
    exec(viewer.edit_code(), names)
    assert published(names["rows"]) == published(viewer.edited_frame(frame))


def test_an_edit_of_a_message_without_an_id_goes_to_its_own_row_whatever_the_index() -> None:
    frame = pd.DataFrame({"body": ["a", "b", "c"]}, index=[2, 1, 0])
    viewer = BodyViewer(MessageBrowser(frame))
    viewer.edit(0, body="repaired")
    assert viewer.edited_frame(frame)["body"].tolist() == ["repaired", "b", "c"]
    names = {"rows": frame, "pd": pd}
    exec(viewer.edit_code("rows"), names)
    assert names["rows"]["body"].tolist() == ["repaired", "b", "c"]
    twice = pd.concat([frame, frame])
    with pytest.raises(InvalidArgument, match="index label 2"):
        viewer.edited_frame(twice)


def test_edits_of_messages_that_the_table_no_longer_shows_are_not_applied() -> None:
    browser = MessageBrowser(pd.DataFrame({"body": ["a"]}))
    viewer = BodyViewer(browser)
    viewer.edit(0, body="repaired")
    other = pd.DataFrame({"body": ["z"]})
    browser.show(other)
    assert viewer.edits == {}
    assert viewer.edited_frame(other)["body"].tolist() == ["z"]
    assert "repaired" not in viewer.edit_code("rows")


def test_an_edit_that_was_begun_for_another_message_is_not_kept() -> None:
    browser = MessageBrowser(pd.DataFrame({"message_id": ["a", "b"], "body": ["1", "2"]}))
    front = FrontEnd()
    viewer = BodyViewer(browser, comm=front)
    viewer.show(1)
    front.say({"do": "whole", "row": 1, "purpose": "edit", "view": "v", "ask": 1})
    head = next(message for message, _ in front.heard if message.get("about") == "whole")
    browser.show(pd.DataFrame({"message_id": ["c", "d"], "body": ["3", "4"]}))
    keep = {"do": "keep_body", "row": 1, "form": "text", "anyway": True, "token": head["token"], "view": "v", "ask": 2}
    front.say(keep, b"b repaired")
    assert viewer.edits == {}
    assert "nothing was kept" in viewer.error
