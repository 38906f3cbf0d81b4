"""What a page is sent of a frame or a capture: short harmless cells, exact numbers, no whole bodies, in parts."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import pandas as pd
import pytest

from courier_nb import NULL, Capture, Client, Message
from courier_nb.broker import LocalBroker, QueueConfig
from courier_nb.client import broker_settings
from courier_nb.jupyter import MessageBrowser
from courier_nb.jupyter.browser.cells import PREVIEW, WIDEST, cells_of
from courier_nb.jupyter.browser.columns import default_columns

from .front_end import FrontEnd

Captured = Callable[[list[Message]], Capture]


@pytest.fixture
def captured(tmp_path: Path) -> Captured:
    """Send messages through a broker and drain them."""

    def capture(messages: list[Message]) -> Capture:
        with (
            LocalBroker(queues=[QueueConfig("orders")]) as broker,
            Client(broker_settings(broker.settings), transport=broker.transport()) as client,
        ):
            orders = client.destination("orders")
            orders.publish(messages, progress=False).raise_for_failed()
            return orders.drain(tmp_path / "capture", progress=False)

    return capture


@pytest.mark.parametrize(
    ("cells", "kind", "shown"),
    [
        (pd.Series(["a", None], dtype="str"), "text", ["a", None]),
        (pd.Series(["a\x1b[31m", "\u202eabc", "\ud800"], dtype=object), "text", ["a\\x1b[31m", "\\u202eabc", "\\ud800"]),
        (pd.Series(["tab\there", "é\u202e"], dtype="str"), "text", ["tab\\x09here", "é\\u202e"]),
        (pd.Series(["x" * 5_000], dtype="str"), "text", ["x" * WIDEST + "…"]),
        (pd.Series([1, None, 2**53], dtype="Int64"), "number", [1, None, str(2**53)]),
        (pd.Series([1.5, np.nan, np.inf]), "number", [1.5, None, "inf"]),
        (pd.Series([10**20, -5, "text", None, True], dtype=object), "number", [str(10**20), -5, "text", None, "true"]),
        (pd.Series([Decimal("1.10"), NULL], dtype=object), "number", ["1.10", "null"]),
        (pd.Series([{"a": 1}, b"\xff\x00"], dtype=object), "text", ["{'a': 1}", "b'\\xff\\x00'"]),
        (pd.Series([True, None], dtype="boolean"), "text", ["true", None]),
        (pd.Series([pd.Timestamp("2026-01-01", tz="UTC"), pd.NaT]), "time", [1767225600000, None]),
        (pd.Series(pd.to_datetime(["2026-01-01 01:00"]).tz_localize("Europe/Berlin")), "time", [1767225600000]),
        (pd.Series([], dtype="str"), "text", []),
    ],
)
def test_cells_are_shown_short_and_harmless_with_exact_numbers(cells: pd.Series[Any], kind: str, shown: list[Any]) -> None:
    assert cells_of(cells) == (kind, shown)


def test_a_body_is_sent_as_its_beginning_and_its_size() -> None:
    page = FrontEnd()
    bodies = ["short", "ä" * 3_000, "\u202e" + "b" * 500, None]
    MessageBrowser(pd.DataFrame({"message_id": list("abcd"), "body": pd.Series(bodies, dtype="str")}), comm=page)
    page.say({"do": "rows"})
    rows = page.rows(4)
    assert rows["size"] == [5, 6_000, 503, None]
    assert rows["preview"] == ["short", "ä" * PREVIEW + "…", "\\u202e" + "b" * (PREVIEW - 1) + "…", None]
    assert "body" not in rows


def test_a_body_that_is_no_text_has_a_size_and_a_beginning_too() -> None:
    page = FrontEnd()
    frame = pd.DataFrame({"message_id": ["a", "b"], "body": pd.Series([None, "t"], dtype="str")})
    frame["body_bytes"] = pd.Series([b"\xed\xa0\x80" + b"x" * 300, None], dtype=object)
    MessageBrowser(frame, comm=page)
    page.say({"do": "rows"})
    rows = page.rows(2)
    assert rows["size"] == [303, 1]
    assert rows["preview"][0].startswith("\\xed\\xa0\\x80xxx") and rows["preview"][1] == "t"


def test_the_first_rows_come_at_once_and_the_others_in_larger_parts() -> None:
    page = FrontEnd()
    MessageBrowser(pd.DataFrame({"message_id": [f"m{i}" for i in range(12_000)]}), comm=page)
    page.say({"do": "rows"})
    assert page.told("rows")[0][0]["count"] == 500  # before anything else was waited for
    rows = page.rows(12_000)
    assert rows["message_id"] == [f"m{i}" for i in range(12_000)]
    assert [message["count"] for message, _ in page.told("rows")] == [500, 5_000, 5_000, 1_500]


def test_rows_that_are_replaced_meanwhile_are_not_sent_to_their_end() -> None:
    page = FrontEnd()
    old, new = (pd.DataFrame({"message_id": [f"{name}{i}" for i in range(50_000)]}) for name in ("old", "new"))
    browser = MessageBrowser(old, comm=page)
    page.say({"do": "rows"})
    browser.show(new)
    page.say({"do": "rows"})
    page.wait(lambda: [1 for message, _ in page.told("rows") if message["start"] + message["count"] == 50_000])
    for message, buffers in page.told("rows"):
        first = orjson.loads(buffers[0])["message_id"]["cells"][0]
        assert first.startswith("new" if message["version"] == browser.version else "old")


def test_a_column_is_sent_when_it_is_asked_for() -> None:
    page = FrontEnd()
    frame = pd.DataFrame({"message_id": ["a", "b"], "prop.same": ["x", "x"], "prop.other": ["y", "z"], "state": ["mine", "mine"]})
    MessageBrowser(frame, comm=page)
    page.say({"do": "rows"})
    first, _ = page.told("rows")[0]
    assert first["columns"] == ["message_id", "prop.same", "prop.other", "state (column)"]
    assert "prop.other" in first["shown"] and "prop.same" not in first["shown"] and "prop.same" not in page.rows(2)
    page.say({"do": "rows", "only": ["prop.same", "state (column)"]})
    more = page.wait(lambda: page.told("rows")[1:])
    assert orjson.loads(more[0][1][0]) == {
        "prop.same": {"kind": "text", "cells": ["x", "x"]},
        "state (column)": {"kind": "text", "cells": ["mine", "mine"]},
    }


def test_columns_shown_by_default_tell_messages_apart() -> None:
    frame = pd.DataFrame({"message_id": ["a", "b"], "created": pd.to_datetime(["2026-01-01", "2026-01-02"], utc=True)})
    frame = frame.assign(destination="q", delivery_count=[1, 2], lock_expires_at=pd.to_datetime([None, None], utc=True))
    properties = {"prop.contentType": "text/csv", "prop.varies": ["x", None], "prop.same": "x", "size": [1, 2], "preview": "x"}
    frame = frame.assign(**properties)
    wanted = ["state", "message_id", "created", "delivery_count", "size", "prop.varies", "preview"]
    assert default_columns(frame) == wanted
    frame["created"] = pd.NaT
    assert default_columns(frame.assign(received_at=frame["created"]))[2] == "received_at"
    assert default_columns(pd.DataFrame({"outcome": ["ok"], "reason": [""]})) == ["outcome", "reason"]


def test_of_the_properties_those_are_shown_that_tell_most() -> None:
    count = 200
    properties = {
        "prop.contentType": ["application/json"] * count,
        "prop.id": [f"id-{i}" for i in range(count)],  # tells each row, as its message id does already
        "prop.rare": ["x" if i == 7 else None for i in range(count)],
        "prop.event": [("created", "paid", "sent")[i % 3] for i in range(count)],
        "prop.many": [str(i % 90) for i in range(count)],
        "prop.source": [("web", "shop")[i % 2] for i in range(count)],
        "prop.region": [("eu", "us", "ap", "sa")[i % 4] for i in range(count)],
    }
    frame = pd.DataFrame({"message_id": [str(i) for i in range(count)], "preview": "x", **properties})
    shown = ["state", "message_id", "prop.region", "prop.event", "prop.source", "prop.rare", "preview"]
    assert default_columns(frame) == shown
    page = FrontEnd()
    MessageBrowser(frame.drop(columns=["preview", "prop.rare", "prop.region"]).assign(body="{}"), comm=page)
    page.say({"do": "rows"})
    assert page.told("rows")[0][0]["shown"][-5:-1] == ["prop.event", "prop.source", "prop.id", "prop.many"]


def test_a_capture_is_shown_without_reading_its_bodies_into_memory(captured: Captured) -> None:
    sent = [Message(f'{{"order": {i}}}' + " " * 500, {"n": i, "even": str(i % 2)}, {"messageId": f"m{i}"}) for i in range(1_200)]
    page = FrontEnd()
    browser = MessageBrowser(captured(sent), comm=page)
    page.say({"do": "rows"})
    rows = page.rows(1_200)
    assert sorted(rows["prop.n"]) == list(range(1_200)) and set(rows["settlement"]) == {"acked"}
    assert [f'{{"order": {n}}}' for n in rows["prop.n"]] == [text[: text.index("}") + 1] for text in rows["preview"]]
    assert browser._shown.rows._frame is None  # type: ignore[attr-defined]  # nobody asked for the frame
    for row in (0, 700, 1_199, 3):
        message = browser.message_of(row)
        assert message.properties["n"] == rows["prop.n"][row] and len(str(message.body)) > 500
    browser.query = '`prop.even` == "1" and `prop.n` >= 1_190'
    found = browser.visible_rows
    assert sorted(rows["prop.n"][row] for row in found) == [1_191, 1_193, 1_195, 1_197, 1_199]
    browser.selected_rows = found[::-1]
    assert list(browser.selected.index) == sorted(found) and len(browser.selected.iloc[0]["body"]) > 500
    assert browser._shown.rows._frame is None  # type: ignore[attr-defined]
    assert len(browser.frame) == 1_200
    assert browser.selected.equals(browser.frame.iloc[sorted(found)])


def test_a_text_in_bodies_of_a_capture_is_found_part_by_part(captured: Captured) -> None:
    sent = [Message("x" * 200 + ("Needle" if i % 500 == 7 else ""), {"n": i}) for i in range(1_100)]
    browser = MessageBrowser(captured(sent), in_bodies=True, filter="NEEDLE")
    assert [browser.message_of(row).properties["n"] for row in browser.visible_rows] != []
    assert sorted(browser.message_of(row).properties["n"] for row in browser.visible_rows) == [7, 507, 1_007]


def test_times_of_locks_are_sent_with_the_time_of_the_kernel() -> None:
    page = FrontEnd()
    end = datetime(2026, 1, 1, tzinfo=UTC)
    MessageBrowser(pd.DataFrame({"message_id": ["a"], "lock_expires_at": [pd.Timestamp(end)]}), comm=page)
    page.say({"do": "rows"})
    message, _ = page.told("rows")[0]
    assert page.rows(1)["lock_expires_at"] == [1767225600000]
    assert abs(message["now"] - datetime.now(UTC).timestamp() * 1000) < 60_000


def test_locks_that_a_client_extends_are_asked_for_also_where_only_the_frame_is_shown() -> None:
    with (
        LocalBroker(queues=[QueueConfig("orders")]) as broker,
        Client(broker_settings(broker.settings), transport=broker.transport()) as client,
    ):
        orders = client.destination("orders")
        orders.publish([Message("{}", {}, {"messageId": f"m{i}"}) for i in range(3)], progress=False)
        received = orders.receive(3, progress=False)
        frame = received.frame()
        orders.extend(frame.head(2), "30m", progress=False).raise_for_failed()
        page = FrontEnd()
        browser = MessageBrowser(frame, client=client, comm=page)
        page.say({"do": "rows"})
        assert page.told("rows")[0][0]["refreshes"]
        page.say({"do": "locks"})
        moved = (browser.frame["lock_expires_at"] - frame["lock_expires_at"]).abs() > pd.Timedelta("1s")
        assert list(moved) == [True, True, False]
