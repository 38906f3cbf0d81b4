"""The message browser without a page: traits, selection, filters, marks, locks, and what may be saved."""

from __future__ import annotations

import json
import traceback
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from courier_nb import FrameError, Message
from courier_nb.core.errors import InvalidArgument
from courier_nb.flows.reports import Received
from courier_nb.jupyter import MessageBrowser

from .front_end import FrontEnd

SECRET_BODY, SECRET_PROPERTY, SECRET_LOCK = "body-of-a-customer", "property-of-a-customer", "lock-of-a-message"


def frame(rows: int = 4) -> pd.DataFrame:
    now = pd.Timestamp.now("UTC").floor("s")
    return pd.DataFrame(
        {
            "message_id": pd.Series([f"m{i}" for i in range(rows)], dtype="str"),
            "delivery_count": pd.array([i % 3 + 1 for i in range(rows)], dtype="Int64"),
            "destination": "orders",
            "lock_expires_at": [now + timedelta(seconds=60 + i) for i in range(rows)],
            "lock_id": SECRET_LOCK,
            "settlement": pd.Series([None] * rows, dtype="str"),
            "prop.source": pd.Series(["web" if i % 2 else SECRET_PROPERTY for i in range(rows)], dtype="str"),
            "prop.amount": pd.array([i * 10 for i in range(rows)], dtype="Int64"),
            "body": pd.Series([f'{{"order": {i}, "who": "{"x" * 100}{SECRET_BODY}"}}' for i in range(rows)], dtype="str"),
        }
    )


@pytest.fixture
def page() -> FrontEnd:
    return FrontEnd()


@pytest.fixture
def browser(page: FrontEnd) -> MessageBrowser:
    return MessageBrowser(frame(), comm=page)


def clicked(browser: MessageBrowser, *rows: int, version: int | None = None) -> None:
    """Select as a page does: the buffer arrives as a memoryview."""
    packed = np.array([browser.version if version is None else version, *rows], dtype="<u4").tobytes()
    browser.set_state({"_selected": memoryview(packed)})


def test_a_selection_made_in_a_page_reaches_python(browser: MessageBrowser) -> None:
    heard: list[list[int]] = []
    browser.on_select(heard.append)
    clicked(browser, 1, 3)
    assert browser.selected_rows == [1, 3] and heard == [[1, 3]]
    assert list(browser.selected["message_id"]) == ["m1", "m3"]
    assert "lock_id" in browser.selected  # what ack() needs


def test_a_selection_made_in_python_reaches_every_page(browser: MessageBrowser) -> None:
    browser.select([2, 0, 2])
    assert browser.selected_rows == [0, 2]
    assert np.frombuffer(browser.get_state("_selected")["_selected"], "<u4").tolist() == [browser.version, 0, 2]
    browser.selected_rows = [1]
    assert np.frombuffer(browser.get_state("_selected")["_selected"], "<u4").tolist() == [browser.version, 1]


def test_a_click_on_rows_that_are_gone_selects_nothing(browser: MessageBrowser) -> None:
    before = browser.version
    browser.show(frame(4))
    clicked(browser, 1, 3, version=before)
    assert browser.selected_rows == []
    assert np.frombuffer(browser.get_state("_selected")["_selected"], "<u4").tolist() == [browser.version]  # and the page is told


@pytest.mark.parametrize("rows", [[4], [-1]])
def test_a_row_that_is_not_there_is_refused_by_number(browser: MessageBrowser, rows: list[int]) -> None:
    browser.select([1])
    for call in (browser.select, lambda rows: browser.mark(rows, "acked"), lambda rows: browser.message_of(rows[0])):
        with pytest.raises(InvalidArgument, match=f"no row {rows[0]}: the table has 4 rows"):
            call(rows)
    assert browser.selected_rows == [1]


def test_an_error_in_a_callback_is_shown_and_the_others_are_called(browser: MessageBrowser) -> None:
    heard: list[list[int]] = []

    def fail(rows: list[int]) -> None:
        raise ValueError("no such thing")

    browser.on_select(fail)
    browser.on_select(heard.append)
    clicked(browser, 0)
    assert heard == [[0]] and "ValueError" in browser.error and "no such thing" in str(browser.failure)


def test_other_messages_begin_without_selection_filter_query_and_marks(browser: MessageBrowser, page: FrontEnd) -> None:
    browser.select([1])
    browser.mark([1], "acked")
    browser.filter, browser.query, browser.focus, browser.sort_by = "web", "delivery_count > 1", 1, "message_id"
    browser.show(frame(2))
    assert (browser.selected_rows, browser.filter, browser.query, browser.focus) == ([], "", "", None)
    assert browser.state_of(1) == "" and browser.visible_rows == [0, 1]
    assert browser.sort_by == "message_id"
    assert page.told("data")[-1][0] == {"tell": "data", "version": browser.version, "total": 2}


def test_appended_messages_keep_the_positions_of_the_others(browser: MessageBrowser, page: FrontEnd) -> None:
    browser.select([1])
    browser.query = 'message_id == "m1"'
    browser.append(frame(2))
    assert len(browser) == 6 and browser.selected_rows == [1] and browser.visible_rows == [1, 5]
    assert page.told("more")[-1][0]["total"] == 6


def test_a_query_leaves_the_rows_for_which_it_holds(browser: MessageBrowser) -> None:
    browser.query = '`prop.source` == "web" and delivery_count > 1'
    assert browser.visible_rows == [1] and list(browser.visible["message_id"]) == ["m1"]
    browser.select([0, 1])
    assert browser.hidden_rows == [0]
    browser.query = ""
    assert browser.visible_rows == [0, 1, 2, 3]


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ("delivery_count > 1 and", "at character 23, at its end"),
        ("delivery_count > > 1", "at character 18, before '> 1'"),
        ("`prop.source` == = 1", "at character 18"),
        ("delivery_count > 1 and missing == 2", "There is no column missing at character 24"),
        ("message_id > 3", "cannot be evaluated"),
        ("@open('x')", "cannot be evaluated|There is no column"),
        ("__import__('os').getcwd()", "cannot be evaluated|There is no column"),
    ],
)
def test_a_wrong_query_is_refused_with_its_place_and_changes_nothing(browser: MessageBrowser, query: str, words: str) -> None:
    browser.query = "delivery_count == 1"
    with pytest.raises(FrameError, match=words):
        browser.query = query
    assert browser.query == "delivery_count == 1" and browser.visible_rows == [0, 3]


def test_a_wrong_query_typed_in_a_page_is_told_there(browser: MessageBrowser, page: FrontEnd) -> None:
    page.say({"do": "query", "text": "delivery_count >"})
    message, _ = page.wait(lambda: [told for told in page.told("found") if told[0].get("error")])[0]
    assert "at its end" in message["error"] and browser.query == "" and browser.error == ""
    page.say({"do": "query", "text": "delivery_count > 2"})
    message, buffers = page.wait(lambda: [told for told in page.told("found") if told[0]["text"]])[-1]
    assert np.frombuffer(buffers[0], "<u4").tolist() == [2] and message["error"] == ""
    assert browser.query == "delivery_count > 2" and browser.query_error == ""


def test_a_text_is_looked_for_in_shown_cells_and_when_asked_in_whole_bodies(browser: MessageBrowser, page: FrontEnd) -> None:
    browser.filter = "WEB"
    assert browser.visible_rows == [1, 3]
    browser.filter = SECRET_BODY.upper()  # beyond the beginning that is shown
    assert browser.visible_rows == []
    browser.in_bodies = True
    assert browser.visible_rows == [0, 1, 2, 3]
    page.say({"do": "search", "text": '"order": 2'})
    message, buffers = page.wait(lambda: [told for told in page.told("found") if told[0]["what"] == "bodies"])[-1]
    assert np.frombuffer(buffers[0], "<u4").tolist() == [2] and message["text"] == '"order": 2'


def test_what_a_page_shows_is_what_counts_as_visible(browser: MessageBrowser, page: FrontEnd) -> None:
    by = {"filter": "web", "in_bodies": False, "sort_by": "", "descending": False, "columns": [], "query": ""}
    browser.filter = "web"
    page.say({"do": "visible", "version": browser.version, "by": by, "all": False}, np.array([3], "<u4").tobytes())
    assert browser.visible_rows == [3]
    browser.filter = ""  # the page has not said anything about this yet
    assert browser.visible_rows == [0, 1, 2, 3]
    browser.filter = "web"
    page.say({"do": "visible", "version": browser.version - 1, "by": by, "all": True})  # of rows that are gone
    assert browser.visible_rows == [3]


def test_rows_are_sorted_by_numbers_texts_and_times_with_missing_ones_last() -> None:
    shown = frame(4)
    shown["prop.big"] = pd.Series([10**20, 9, None, 10**19], dtype=object)
    shown["prop.text"] = pd.Series(["b", None, "10", "9"], dtype="str")
    browser = MessageBrowser(shown, sort_by="prop.big")
    assert browser.visible_rows == [1, 3, 0, 2]
    browser.descending = True
    assert browser.visible_rows == [0, 3, 1, 2]
    browser.sort_by, browser.descending = "prop.text", False
    assert browser.visible_rows == [2, 3, 0, 1]
    browser.sort_by, browser.descending = "lock_left", True
    assert browser.visible_rows == [3, 2, 1, 0]
    browser.mark([3], "acked")
    browser.sort_by = "state"
    assert browser.visible_rows == [3, 0, 1, 2]


def test_marks_are_kept_for_pages_that_open_later(browser: MessageBrowser, page: FrontEnd) -> None:
    browser.mark([0, 2], "acked")
    browser.mark([2], "lost_lock")
    browser.flag([1, 2], "edited")
    browser.flag([1], "edited", on=False)
    assert (browser.state_of(0), browser.state_of(2), browser.flags_of(1), browser.flags_of(2)) == (
        "acked",
        "lost_lock",
        set(),
        {"edited"},
    )
    page.heard.clear()
    page.say({"do": "rows"})
    assert json.loads(page.told("marks")[-1][1][0]) == {"states": {"acked": [0], "lost_lock": [2]}, "flags": {"edited": [2]}}
    browser.mark([0, 2], "")
    assert json.loads(page.told("marks")[-1][1][0])["states"] == {}


def test_extended_locks_are_told_and_used_when_rows_are_settled(page: FrontEnd) -> None:
    given = frame()
    browser = MessageBrowser(given, comm=page)
    end = datetime.now(UTC).replace(microsecond=0) + timedelta(hours=1)
    browser.extend_locks([1, 2], end)
    told = json.loads(page.told("locks")[-1][1][0])
    assert told == {"rows": [1, 2], "ends": [round(end.timestamp() * 1000)] * 2}
    assert list(browser.frame["lock_expires_at"] == end) == [False, True, True, False]
    assert not (given["lock_expires_at"] == end).any()  # the user's own frame is as it was
    with pytest.raises(InvalidArgument, match="1 ends of locks were given for 2 rows"):
        browser.extend_locks([1, 2], [end])
    with pytest.raises(InvalidArgument, match="no time zone"):
        browser.extend_locks([1], datetime(2026, 1, 1))


def test_a_row_is_returned_as_the_message_it_shows(browser: MessageBrowser) -> None:
    message = browser.message_of(1)
    assert isinstance(message, Message)
    assert (message.message_id, message.delivery_count, message.destination) == ("m1", 2, "orders")
    assert dict(message.properties) == {"source": "web", "amount": 10}
    assert message.body == browser.body_of(1) == frame()["body"][1]


def test_what_receive_gave_is_shown_and_its_locks_are_asked_for_again(page: FrontEnd) -> None:
    now = datetime.now(UTC)
    messages = [
        Message("{}", {"n": i}, {"messageId": f"m{i}", "lockId": "l", "deliveryCount": "2"}, "orders", None, now, now)
        for i in range(3)
    ]
    received = Received("receive", "orders", messages, [None, "lost_lock", None], [])
    browser = MessageBrowser(received, comm=page)
    page.say({"do": "locks"})
    assert json.loads(page.told("locks")[-1][1][0])["rows"] == [0, 2]
    assert browser.state_of(1) == "lost_lock"
    assert browser.message_of(2).properties == {"n": 2}


def test_neither_state_nor_output_holds_bodies_properties_or_locks(browser: MessageBrowser, page: FrontEnd) -> None:
    page.say({"do": "rows"})
    browser.select([1])
    browser.focus = 1
    assert SECRET_PROPERTY in page.rows(4)["prop.source"]  # the page has it
    state = {
        name: bytes(value).decode("latin-1") if isinstance(value, bytes) else value for name, value in browser.get_state().items()
    }
    bundle, _ = browser._repr_mimebundle_()
    for saved in (json.dumps(state, default=str), json.dumps(bundle), repr(browser)):
        for secret in (SECRET_BODY, SECRET_PROPERTY, SECRET_LOCK, "m1"):
            assert secret not in saved
    assert "4 messages, 1 selected" in bundle["text/plain"]


def test_a_lock_is_not_sent_to_a_page(browser: MessageBrowser, page: FrontEnd) -> None:
    page.say({"do": "rows", "columns": ["lock_id", "message_id"]})
    page.say({"do": "rows", "only": ["lock_id"]})
    page.rows(4)
    assert not any(SECRET_LOCK.encode() in buffer for _, buffers in page.heard for buffer in buffers)


@pytest.mark.parametrize("wrong", [3, [1, 2], {"message_id": ["m"]}])
def test_what_is_no_table_of_messages_is_refused(wrong: Any) -> None:
    with pytest.raises(InvalidArgument, match=f"not {type(wrong).__name__}"):
        MessageBrowser(wrong)


def test_columns_of_the_same_name_are_refused() -> None:
    twice = pd.DataFrame([[1, 2]], columns=["a", "a"])
    with pytest.raises(InvalidArgument, match="Columns occur twice: a"):
        MessageBrowser(twice)


def test_a_failing_source_is_told_under_the_table(tmp_path: Path, page: FrontEnd) -> None:
    browser = MessageBrowser(frame(2), comm=page)
    with pytest.raises(Exception, match="no-such-capture"):
        browser.show(tmp_path / "no-such-capture")
    assert len(browser) == 2


def test_an_empty_table_is_a_table(page: FrontEnd) -> None:
    browser = MessageBrowser(comm=page)
    page.say({"do": "rows"})
    assert page.told("rows")[0][0]["total"] == 0 and browser and browser.visible_rows == []


def test_what_the_caller_does_to_its_own_frame_moves_no_row() -> None:
    frame = pd.DataFrame({"message_id": ["a", "b", "c"], "n": [3, 2, 1]})
    browser = MessageBrowser(frame)
    browser.select([0])
    frame.loc[:, "message_id"] = ["c", "b", "a"]
    given = browser.frame
    given.loc[:, "message_id"] = "x"
    assert browser.selected["message_id"].tolist() == ["a"]
    assert browser.frame["message_id"].tolist() == ["a", "b", "c"]


def test_the_error_of_a_query_quotes_no_cell() -> None:
    browser = MessageBrowser(pd.DataFrame({"message_id": ["a"], "body": ["secret-4711"]}))
    with pytest.raises(FrameError) as caught:
        browser.query = "body.astype('float') > 3"
    assert "secret-4711" not in "".join(traceback.format_exception(caught.value))
    assert "ValueError" in str(caught.value)
