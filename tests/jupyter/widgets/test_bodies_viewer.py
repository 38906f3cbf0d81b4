"""The viewer as its page and its user see it: what is asked, what is answered, and what is never kept."""

from __future__ import annotations

import json
from typing import Any

import pandas as pd
import pytest
import traitlets

from courier_nb import Message
from courier_nb.core.errors import InvalidArgument
from courier_nb.jupyter import BodyViewer, MessageBrowser

SECRET = "body-of-nobody's-business"


class Table(traitlets.HasTraits):
    """The least that a viewer needs of a table."""

    focus = traitlets.Int(None, allow_none=True)
    selected_rows: traitlets.List[int] = traitlets.List()

    def __init__(self, messages: list[Message]) -> None:
        super().__init__()
        self.messages = messages
        self.flags: dict[int, bool] = {}

    def message_of(self, row: int) -> Message:
        if row >= len(self.messages):
            raise InvalidArgument(f"There is no row {row}.")
        return self.messages[row]

    def flag(self, rows: Any, word: str, *, on: bool = True) -> None:
        self.flags.update(dict.fromkeys(rows, on))


MESSAGES = [
    Message(
        f'{{"a": 1, "b": "{SECRET}"}}', {"n": 5, "secret": SECRET, "big": 2**70}, {"messageId": "one", "lockId": f"lock {SECRET}"}
    ),
    Message('{"a": 2}', {"n": 5}, {"messageId": "two"}),
    Message(None, {}, {"messageId": "three", "payloadHidden": "true"}),
    Message(b"\xff", {}, {"messageId": "four"}),
]


class Page:
    """The page's side of a viewer."""

    def __init__(self, viewer: BodyViewer) -> None:
        self.viewer = viewer
        self.answers: list[tuple[dict[str, Any], list[bytes]]] = []
        viewer.send = lambda content, buffers=(): self.answers.append((content, [bytes(buffer) for buffer in buffers]))

    def ask(self, do: str, *buffers: bytes, row: int = 0, **more: Any) -> tuple[dict[str, Any], Any]:
        if do in ("keep_body", "keep_properties"):  # what is kept was opened before
            opened = self.ask("whole", row=row, purpose="edit") if do == "keep_body" else self.ask("properties", row=row)
            more["token"] = opened[0]["token"]
        self.answers.clear()
        self.viewer._answer(None, {"do": do, "view": "v", "ask": 1, "row": row, **more}, [memoryview(one) for one in buffers])
        assert self.answers.pop()[0] == {"about": "done", "view": "v", "ask": 1}
        if not self.answers:
            return {}, None
        head, found = self.answers[-1]
        return head, json.loads(found[0]) if found and do != "whole" else (found or [None])[0]


@pytest.fixture
def table() -> Table:
    return Table(list(MESSAGES))


@pytest.fixture
def page(table: Table) -> Page:
    table.focus = 0
    return Page(BodyViewer(table))


def test_a_row_is_followed_and_its_body_sent_when_asked_for(page: Page, table: Table) -> None:
    assert page.viewer.row == 0
    head, content = page.ask("body", form="auto", part=0)
    assert (head["form"], head["found"], head["edited"], head["missing"]) == ("json", "json", False, "")
    assert [node[3] for node in content["body"]["nodes"]] == ["", "1", f'"{SECRET}"']
    assert ["lockId", "(held; not shown)"] in content["headers"]
    table.focus = 1
    assert page.viewer.row == 1
    table.focus = None
    assert page.viewer.row is None


def test_neither_state_nor_saved_output_holds_anything_of_a_message(page: Page) -> None:
    for form in ("auto", "json", "xml", "csv", "text", "hex", "raw"):
        page.ask("body", form=form)
    page.ask("whole", purpose="copy")
    page.ask("compare", rows=[0, 1])
    page.viewer.edit(0, body=f"new {SECRET}", properties={"p": SECRET})
    page.viewer.compare(0, 1)
    kept = json.dumps([page.viewer.get_state(), page.viewer._repr_mimebundle_(), repr(page.viewer)], default=str)
    kept = kept.replace(json.dumps(page.viewer._esm), "")
    assert SECRET not in kept
    assert "lock " + SECRET not in kept
    # The part of an answer that is not a buffer may be logged by a front end.
    assert SECRET not in json.dumps([head for head, _ in page.answers])


def test_any_form_can_be_chosen_and_what_is_not_possible_is_said(page: Page) -> None:
    head, content = page.ask("body", form="hex")
    assert (head["form"], content["body"]["text"][:8]) == ("hex", "00000000")
    head, _ = page.ask("body", form="xml")
    assert head["form"] == "text"
    assert "Not shown as XML" in head["words"]


def test_a_content_type_that_is_wrong_is_said_to_be_wrong() -> None:
    head, _ = Page(BodyViewer(Message('{"a": }', {"contentType": "application/json"}))).ask("body", form="auto")
    assert head["form"] == "text"
    assert head["words"] == "its content type says JSON, which it is not: A value is missing at line 1, column 7"


def test_a_missing_body_is_said_in_words(page: Page) -> None:
    assert "withheld" in page.ask("body", row=2)[0]["missing"]
    assert "withheld" in Page(BodyViewer(Message("", {}, {"payloadHidden": True}))).ask("body")[0]["missing"]
    assert Page(BodyViewer(Message(""))).ask("body")[0]["missing"] == ""
    page.ask("whole", row=2, purpose="download")
    assert "withheld" in page.viewer.error


def test_the_whole_body_comes_with_a_safe_file_name(page: Page) -> None:
    head, content = page.ask("whole", purpose="download")
    assert (head["name"], content) == ("message-one.json", MESSAGES[0].body.encode())  # type: ignore[union-attr]
    assert page.ask("whole", row=3, purpose="download")[1] == b"\xff"


@pytest.mark.parametrize(("body", "words"), [("x" * 1_000_001, "1.0 MB"), (b"\xff", "not valid Unicode")])
def test_what_a_text_field_cannot_hold_is_not_edited(body: str | bytes, words: str) -> None:
    page = Page(BodyViewer(Message(body)))
    assert page.ask("whole", purpose="edit") == ({}, None)
    assert words in page.viewer.error


def test_an_edit_is_checked_first_and_kept_on_purpose(page: Page, table: Table) -> None:
    told: list[tuple[int, Message | None]] = []
    page.viewer.on_edit(lambda row, message: told.append((row, message)))
    head, _ = page.ask("keep_body", '{"é": "😀",\n "b": }'.encode(), form="json")
    assert (head["about"], head["words"]) == ("fault", "Not JSON: A value is missing at line 2, column 7")
    assert head["position"] == len('{"é": "😀",\n "b": }'.encode("utf-16-le")) // 2 - 1
    assert page.viewer.edits == {}
    assert page.ask("keep_body", b'{"b": }', form="json", anyway=True)[0]["about"] == "kept"
    assert page.viewer.edits[0].body == '{"b": }'
    assert page.viewer.message(0).message_id == "one"
    assert (page.viewer.edited_rows, table.flags, told[-1][0]) == ([0], {0: True}, 0)
    assert page.ask("body")[0]["edited"]
    page.ask("undo")
    assert (page.viewer.edits, page.viewer.edited_rows, table.flags, told[-1]) == ({}, [], {0: False}, (0, None))


def test_an_edit_that_changes_nothing_is_none(page: Page) -> None:
    page.ask("keep_body", MESSAGES[0].body.encode(), form="json")  # type: ignore[union-attr]
    assert page.viewer.edits == {}


def test_properties_keep_their_types_and_what_was_not_touched_its_value(page: Page) -> None:
    rows = page.ask("properties")[1]
    assert [(row["name"], row["kind"]) for row in rows] == [("n", "int"), ("secret", "text"), ("big", "int")]
    rows[0]["text"] = "7"
    del rows[1]
    rows.append({"name": "new", "kind": "bool", "text": "true", "was": None})
    assert page.ask("keep_properties", json.dumps(rows).encode())[0]["about"] == "kept"
    assert page.viewer.edits[0].properties == {"n": 7, "big": 2**70, "new": True}
    assert page.viewer.edits[0].properties["big"] is MESSAGES[0].properties["big"]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"text": "five"}, "'n' is not of the type 'whole number'"),
        ({"text": "1e999", "kind": "float"}, "'n' is not of the type 'number'"),
        ({"text": "perhaps", "kind": "bool"}, "true or false"),
        ({"text": "{", "kind": "json"}, "JSON"),
        ({"kind": "nonsense"}, "one of"),
        ({"name": ""}, "no name"),
        ({"name": "secret"}, "there twice"),
    ],
)
def test_a_property_that_is_not_of_its_type_is_refused_without_its_value(page: Page, change: dict[str, str], words: str) -> None:
    rows = page.ask("properties")[1]
    rows[0].update(change)
    page.ask("keep_properties", json.dumps(rows).encode())
    assert words in page.viewer.error
    assert SECRET not in page.viewer.error
    assert page.viewer.edits == {}


def test_a_text_is_indented_for_editing(page: Page) -> None:
    assert page.ask("indent", b'{"a":[1]}', form="json")[1] == '{\n  "a": [\n    1\n  ]\n}'
    assert page.ask("indent", b"<a><b/></a>", form="xml")[1] == "<a>\n  <b/>\n</a>"
    assert "line 1" in page.ask("indent", b"{", form="json")[0]["words"]


def test_an_edit_belongs_to_its_message_and_not_to_the_row(page: Page, table: Table) -> None:
    page.viewer.edit(0, body="new")
    table.messages = [MESSAGES[1], MESSAGES[0]]
    assert page.viewer.message(0) is MESSAGES[1]
    assert page.viewer.edits == {}
    table.messages = []
    assert page.viewer.edits == {}
    table.messages = list(MESSAGES)
    assert page.viewer.edits[0].body == "new"


def test_two_selected_messages_are_compared(page: Page, table: Table) -> None:
    page.ask("compare_selected")
    assert "0 are selected" in page.viewer.error
    table.selected_rows = [0, 1]
    page.ask("compare_selected")
    assert (page.viewer.pair, page.viewer.error) == ((0, 1), "")
    head, content = page.ask("compare", rows=[0, 1])
    assert head["differences"] == sum(part["differences"] for part in content["parts"])
    assert content["sides"] == ["first: one", "second: two"]
    table.focus = 1
    assert page.viewer.pair == ()


def test_an_edited_message_is_compared_with_what_was_received(page: Page) -> None:
    page.viewer.edit(0, body='{"a": 2}')
    head, content = page.ask("compare", rows=[0])
    assert content["sides"] == ["as received: one", "as edited: one"]
    assert head["differences"] == 2


def test_the_viewer_works_alone() -> None:
    viewer = BodyViewer(MESSAGES[0])
    assert viewer.message() is MESSAGES[0]
    viewer.edit(body="x")
    viewer.show(MESSAGES[1])
    assert (viewer.message(), viewer.edits) == (MESSAGES[1], {})
    assert [part.name for part in viewer.compare(MESSAGES[0], MESSAGES[1])] == ["Headers", "Properties", "Body"]
    assert viewer.pair == (0, 1)


def test_a_viewer_that_was_closed_or_given_messages_no_longer_follows_the_table(page: Page, table: Table) -> None:
    other = BodyViewer(table)
    other.show(MESSAGES[1])
    page.viewer.close()
    page.viewer.close()
    table.focus = 2
    assert (page.viewer.row, other.row, other.message()) == (0, 0, MESSAGES[1])


def test_what_cannot_be_shown_is_refused(page: Page) -> None:
    with pytest.raises(InvalidArgument, match="not int"):
        BodyViewer(5)  # type: ignore[arg-type]
    with pytest.raises(InvalidArgument, match="no row 9"):
        page.viewer.show(9)
    with pytest.raises(InvalidArgument, match="not one of each"):
        page.viewer.compare(0, MESSAGES[1])
    with pytest.raises(InvalidArgument, match="No message is chosen"):
        BodyViewer().message()
    with pytest.raises(InvalidArgument, match="withheld"):
        page.viewer.edit(2, properties={})
    with pytest.raises(InvalidArgument, match="Unicode"):
        page.viewer.edit(0, body="\ud800")
    page.ask("body", row=99)
    assert "There is no row 99" in page.viewer.error
    page.ask("body")
    assert page.viewer.error == ""


def test_the_rows_of_a_real_table_are_read_and_flagged() -> None:
    frame = pd.DataFrame({"message_id": ["a", "b"], "body": ['{"x": 1}', "text"], "prop.n": pd.array([1, None], "Int64")})
    browser = MessageBrowser(frame)
    viewer = BodyViewer(browser)
    browser.focus = 1
    assert viewer.message().body == "text"
    viewer.edit(body="repaired")
    assert browser.flags_of(1) == {"edited"}
    viewer.undo_edit()
    assert browser.flags_of(1) == set()
