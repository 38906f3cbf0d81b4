from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from courier_nb.core.errors import CaptureError, FrameError
from courier_nb.core.messages import Message
from courier_nb.flows.reports import Received
from courier_nb.flows.sources import Source, default_capture_folder, held_rows, ledger_of_target, ledgers_folder, open_source
from courier_nb.frames.flatten import frame_of
from courier_nb.frames.tables import table_of
from courier_nb.storage.capture import Capture
from courier_nb.storage.layout import Layout
from courier_nb.storage.spool import Spool, answer_record
from tests.unit.scripts import delivery, item, received

MESSAGES = received([item("m1"), item("m2")])


def as_capture(layout: Layout) -> Capture:
    spool = Spool(layout, "20260301T120000-aaaaaaaa-00001")
    spool.write(answer_record(delivery("m1", "m2")))
    spool.close()
    spool.release()
    return Capture(layout.root)


def as_parquet(layout: Layout) -> Path:
    path = layout.root.parent / "some.parquet"
    pq.write_table(pa.Table.from_batches([table_of(MESSAGES)]), path)
    return path


def as_jsonl(layout: Layout) -> Path:
    path = layout.root.parent / "some.jsonl"
    path.write_text("".join(json.dumps({"headers": {"messageId": m.message_id}, "body": m.body}) + "\n" for m in MESSAGES))
    return path


SOURCES: list[Callable[[Layout], Source]] = [
    as_capture,
    lambda layout: as_capture(layout).path,
    lambda layout: str(as_capture(layout).path),
    as_parquet,
    as_jsonl,
    lambda layout: frame_of(pa.Table.from_batches([table_of(MESSAGES)])),
    lambda layout: MESSAGES,
    lambda layout: tuple(MESSAGES),
    lambda layout: Received("receive", "orders", MESSAGES, [None, None], []),
]


@pytest.mark.parametrize("make", SOURCES)
def test_the_same_messages_come_from_every_source(layout, make):
    opened = open_source(make(layout), strict=True)
    assert [(message.message_id, message.body) for message in opened.messages] == [("m1", "body"), ("m2", "body")]
    assert len(list(opened.messages)) == opened.size == 2  # it can be gone through again
    assert opened.origins == (frozenset() if make is as_jsonl else {"orders"})


def test_one_message_is_a_source():
    assert open_source(MESSAGES[0], strict=True).size == 1


def test_the_ledger_of_a_capture_is_beside_it_and_others_are_the_users(layout):
    assert open_source(as_capture(layout), strict=True).ledger == layout.ledger
    assert open_source(MESSAGES, strict=True).ledger is None
    assert ledger_of_target("env/region/../../orders").parent == ledgers_folder()


@pytest.mark.parametrize("make", [lambda root: root / "none", lambda root: root, lambda root: str(root / "none.parquet")])
def test_a_path_that_holds_no_messages_is_refused(tmp_path, make):
    (tmp_path / "other.txt").write_text("x")
    with pytest.raises(CaptureError):
        open_source(make(tmp_path), strict=True)


def other_columns(path: Path) -> None:
    pq.write_table(pa.table({"a": [1]}), path)


def fewer_columns(path: Path) -> None:
    pq.write_table(pa.Table.from_batches([table_of(MESSAGES)]).drop_columns(["properties"]), path)


def other_types(path: Path) -> None:
    table = pa.Table.from_batches([table_of(MESSAGES)])
    index = table.schema.get_field_index("ttl")
    pq.write_table(table.set_column(index, "ttl", pa.array(["1", "2"])), path)


@pytest.mark.parametrize(
    ("write", "words"),
    [
        (other_columns, "message_id is missing .*a is not a column of ours|message_id is missing"),
        (fewer_columns, r"properties is missing \(map<"),
        (other_types, "ttl is string, not int64"),
        (lambda path: path.write_bytes(b"no parquet"), "not a readable Parquet file"),
        (lambda path: path.write_bytes(b""), "not a readable Parquet file"),
    ],
)
def test_a_file_with_another_schema_is_refused_with_the_differences(tmp_path, write, words):
    write(tmp_path / "x.parquet")
    with pytest.raises(CaptureError, match=words):
        open_source(tmp_path / "x.parquet", strict=True)


@pytest.mark.parametrize("rows", [["text"], [None], [MESSAGES[0], {"body": "b"}]])
def test_a_list_of_other_things_is_refused_by_position(rows):
    with pytest.raises(FrameError, match=rf"{len(rows) - 1} is (str|NoneType|dict)"):
        open_source(rows, strict=True)
    with pytest.raises(FrameError, match=rf"{len(rows) - 1} is (str|NoneType|dict)"):
        held_rows(rows, "orders")


@pytest.mark.parametrize(
    "rows",
    [MESSAGES, Received("receive", "orders", MESSAGES, [None, None], []), frame_of(pa.Table.from_batches([table_of(MESSAGES)]))],
    ids=["messages", "report", "frame"],
)
def test_rows_to_settle_carry_their_locks(rows):
    assert [(row.message_id, row.lock_id) for row in held_rows(rows, "orders")] == [("m1", "AQEB/m1+="), ("m2", "AQEB/m2+=")]
    with pytest.raises(FrameError, match="'orders' were given to 'elsewhere'") as caught:
        held_rows(rows, "elsewhere")
    assert caught.value.columns == ("destination",)


def test_messages_without_a_lock_are_named():
    bare = [MESSAGES[0], replace(MESSAGES[1], headers={"messageId": "m2"})]
    with pytest.raises(FrameError, match=r"1 messages hold no lock \(first: number 1\)") as caught:
        held_rows(bare, "orders")
    assert (caught.value.columns, caught.value.rows) == (("lock_id",), (1,))


@pytest.mark.parametrize("strict", [True, False])
def test_a_frame_is_checked_before_anything_is_sent(strict):
    frame = pd.DataFrame({"body": ["b"], "prop.nested": [{"a": 1}]})
    if strict:
        with pytest.raises(FrameError, match="strict=False sends it"):
            open_source(frame, strict=True)
    else:
        (message,) = open_source(frame, strict=False).messages
        assert isinstance(message, Message)
        assert message.properties == {"nested": {"a": 1}}


@pytest.mark.parametrize("name", ["../../etc", "/abs", "a/b", "..", "", "CON", "ü" * 200])
def test_the_folder_of_a_drain_stays_inside_the_users_own(name):
    base = default_capture_folder("q", "env", "stamp").parents[2]
    folder = default_capture_folder(name, name, "stamp")
    assert folder.resolve().is_relative_to(base.resolve())
    assert len(folder.relative_to(base).parts) == 3
