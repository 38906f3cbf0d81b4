"""Exported files: harmless for whoever opens them, whole or absent, and honest about what was changed."""

from __future__ import annotations

import csv
import os
import re
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import openpyxl
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from courier_nb import Capture, CaptureError, Client, FrameError, InvalidArgument, Message, export_frame
from courier_nb.frames.exporting import EXCEL_CHARACTERS, for_csv, for_excel
from courier_nb.storage.foreign import sheets
from courier_nb.storage.foreign.export import export_batches

from . import corpus

QUICK: dict[str, Any] = {"polling_time": "20ms", "progress": False}
STARTS_FORMULA = re.compile(r"[\s\"'`\u200b\ufeff]*[=+\-@＝＋－＠]|[\t\r\n]")
NUMBER = re.compile(r"[+-]?[0-9]+(\.[0-9]+)?([eE][+-]?[0-9]+)?")
HIDDEN = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069\ufeff\ud800-\udfff]")


def is_dangerous(text: str) -> bool:
    return bool(STARTS_FORMULA.match(text)) and not NUMBER.fullmatch(text) and not text.startswith("'")


@pytest.fixture
def make_capture(client: Client, tmp_path: Path) -> Callable[[list[Message]], Capture]:
    def make(messages: list[Message]) -> Capture:
        queue = client.destination("queue")
        queue.publish(messages, strict=False, progress=False)
        return queue.drain(tmp_path / "capture", **QUICK)

    return make


def read_csv(path: Path) -> list[list[str]]:
    csv.field_size_limit(100_000_000)
    with path.open(encoding="utf-8-sig", newline="") as file:
        return list(csv.reader(file))


def test_no_cell_of_a_csv_file_is_a_formula_or_hides_something(
    make_capture: Callable[[list[Message]], Capture], tmp_path: Path
) -> None:
    capture = make_capture(corpus.small())
    report = capture.export(tmp_path / "all.csv")
    rows = read_csv(tmp_path / "all.csv")
    assert len(rows) == 1 + len(corpus.small()) == 1 + report.rows
    assert {len(row) for row in rows} == {len(rows[0])}
    cells = [cell for row in rows for cell in row]
    print(f"{len(cells):,} cells, {sum(report.changed.values())} changed, {sum(map(is_dangerous, cells))} formulas")
    assert [cell for cell in cells if is_dangerous(cell)] == []
    assert [cell for cell in cells if HIDDEN.search(cell) or "\n" in cell] == []
    assert report.ok
    assert report.changed["formula"] > 40


def test_a_csv_file_has_no_formula_where_the_separator_is_a_semicolon(
    make_capture: Callable[[list[Message]], Capture], tmp_path: Path
) -> None:
    make_capture(corpus.small()).export(tmp_path / "all.csv")
    text = (tmp_path / "all.csv").read_text(encoding="utf-8-sig")
    pieces = [piece for line in text.splitlines() for piece in line.split(";")]
    assert [piece for piece in pieces if is_dangerous(piece) and not piece.startswith("\"'")] == []


def test_no_cell_of_a_workbook_is_a_formula_or_an_error(make_capture: Callable[[list[Message]], Capture], tmp_path: Path) -> None:
    capture = make_capture(corpus.small())
    report = capture.export(tmp_path / "all.xlsx")
    book = openpyxl.load_workbook(tmp_path / "all.xlsx", read_only=True)
    rows = list(book["messages"].iter_rows())
    assert len(rows) == 1 + len(corpus.small())
    cells = [cell for row in rows for cell in row if cell.value is not None]
    assert {cell.data_type for cell in cells} <= {"s", "n", "b"}
    texts = [cell.value for cell in cells if isinstance(cell.value, str)]
    assert [text for text in texts if is_dangerous(text)] == []
    assert [text for text in texts if HIDDEN.search(text)] == []
    assert max(len(text.encode("utf-16-le")) // 2 for text in texts) <= EXCEL_CHARACTERS
    assert report.changed["cut"] >= 3
    assert not report.ok
    changed = [row[-1].value for row in rows[1:]]
    assert sum("cut from" in (text or "") for text in changed) >= 2
    listed = [cell for cell in report.cells if "cut from 100,000 characters" in cell.what]
    assert listed
    assert "body: cut from 100,000 characters" in changed[listed[0].row]


def test_a_raw_workbook_holds_exact_texts_and_still_no_formula(
    make_capture: Callable[[list[Message]], Capture], tmp_path: Path
) -> None:
    texts = ["=1+1", "+x", "@x", " =1", "#N/A", "plain", "\u202e"]
    make_capture([Message(text) for text in texts]).export(tmp_path / "raw.xlsx", raw=True, columns=["body"])
    cells = [row[0] for row in openpyxl.load_workbook(tmp_path / "raw.xlsx")["messages"].iter_rows(min_row=2)]
    assert [cell.value for cell in cells] == texts
    assert {cell.data_type for cell in cells} == {"s"}
    assert cells[0].quotePrefix


def test_a_raw_csv_file_holds_exact_texts(make_capture: Callable[[list[Message]], Capture], tmp_path: Path) -> None:
    texts = [text for text in corpus.TEXTS if text]
    capture = make_capture([Message(text) for text in texts])
    report = capture.export(tmp_path / "raw.csv", raw=True, columns=["body"])
    with (tmp_path / "raw.csv").open(encoding="utf-8", newline="") as file:
        assert [row[0] for row in csv.reader(file)][1:] == texts
    assert report.changed == {}


def test_what_was_changed_is_said_in_the_report_and_in_the_row(
    make_capture: Callable[[list[Message]], Capture], tmp_path: Path
) -> None:
    report = make_capture([Message("fine"), Message("=1", {"@p": "a\x00b"})]).export(
        tmp_path / "x.csv", columns=["body", "prop.@p"]
    )
    rows = read_csv(tmp_path / "x.csv")
    assert rows[0] == ["body", "prop.@p", "changed_cells"]
    assert rows[1] == ["fine", "", ""]
    assert rows[2][:2] == ["'=1", "a\\x00b"]
    assert rows[2][2] == "body: apostrophe put in front of a formula; prop.@p: characters written as their codes"
    assert report.changed == {"formula": 1, "unprintable": 1}
    assert [(cell.row, cell.column) for cell in report.cells] == [(1, "body"), (1, "prop.@p")]


def test_headings_are_neutralised_too(tmp_path: Path) -> None:
    frame = pd.DataFrame({"=1+1": [1], "\u202ex": [2], " @y": ["z"]})
    export_frame(frame, tmp_path / "x.csv")
    assert read_csv(tmp_path / "x.csv")[0][:3] == ["'=1+1", "\\u202ex", "' @y"]
    export_frame(frame, tmp_path / "x.xlsx")
    headings = [cell.value for cell in next(openpyxl.load_workbook(tmp_path / "x.xlsx")["messages"].iter_rows())]
    assert headings[:3] == ["'=1+1", "\\u202ex", "' @y"]


def test_numbers_stay_numbers_and_large_ones_keep_their_digits(tmp_path: Path) -> None:
    values = [-5, 1.5, 10**14, 10**20, "-5", "+1.5e3", "-5 apples", True]
    frame = pd.DataFrame({"v": pd.Series(values, dtype=object)})
    report = export_frame(frame, tmp_path / "x.xlsx")
    cells = [row[0].value for row in openpyxl.load_workbook(tmp_path / "x.xlsx")["messages"].iter_rows(min_row=2)]
    assert cells == [-5, 1.5, 10**14, str(10**20), "-5", "+1.5e3", "'-5 apples", True]
    assert report.changed == {"number as text": 1, "formula": 1}
    export_frame(frame, tmp_path / "x.csv")
    assert [row[0] for row in read_csv(tmp_path / "x.csv")][1:] == [
        "-5", "1.5", "100000000000000", "100000000000000000000", "-5", "+1.5e3", "'-5 apples", "true",
    ]  # fmt: skip


def test_more_rows_than_a_sheet_holds_go_on_in_the_next(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sheets, "EXCEL_ROWS", 4)
    export_frame(pd.DataFrame({"n": range(7)}), tmp_path / "x.xlsx")
    book = openpyxl.load_workbook(tmp_path / "x.xlsx")
    found = {sheet.title: [row[0] for row in sheet.iter_rows(values_only=True)] for sheet in book}
    assert found == {"messages": ["n", 0, 1, 2], "messages 2": ["n", 3, 4, 5], "messages 3": ["n", 6]}


@pytest.mark.parametrize("convert", [for_csv, for_excel])
@given(
    text=st.text(st.characters(exclude_categories=[]), max_size=30) | st.from_regex(r"[\s\"'\u200b]*[=+@＝-].*", fullmatch=True)
)
def test_no_text_at_all_becomes_a_formula(convert: Callable[..., tuple[Any, list[str]]], text: str) -> None:
    cell, kinds = convert(text, raw=False)
    assert not is_dangerous(cell)
    assert not HIDDEN.search(cell)
    cell.encode("utf-8")
    assert bool(kinds) == (cell.replace("_x005F_", "_") != text)


@pytest.mark.parametrize("name", ["x.csv", "x.xlsx", "x.jsonl", "x.jsonl.gz", "x.parquet"])
def test_a_file_is_private_and_never_replaced_unless_told(
    make_capture: Callable[[list[Message]], Capture], tmp_path: Path, name: str
) -> None:
    capture = make_capture([Message("b")])
    old_umask = os.umask(0)
    try:
        capture.export(tmp_path / name)
    finally:
        os.umask(old_umask)
    assert stat.S_IMODE((tmp_path / name).stat().st_mode) == 0o600
    before = (tmp_path / name).read_bytes()
    with pytest.raises(InvalidArgument, match="exists already"):
        capture.export(tmp_path / name)
    assert (tmp_path / name).read_bytes() == before
    assert capture.export(tmp_path / name, overwrite=True).rows == 1
    assert sorted(path.name for path in tmp_path.iterdir()) == ["capture", name]


@pytest.mark.parametrize("name", ["x.csv", "x.xlsx", "x.jsonl", "x.jsonl.gz", "x.parquet"])
def test_a_lock_is_never_exported(client: Client, tmp_path: Path, name: str) -> None:
    queue = client.destination("queue")
    queue.publish([Message("b")], progress=False)
    received = queue.receive(1, **QUICK)
    frame = received.frame()
    lock = frame["lock_id"][0]
    export_frame(frame, tmp_path / name)
    export_frame(frame, tmp_path / f"raw-{name}", raw=True)
    for path in tmp_path.iterdir():
        content = path.read_bytes() if path.suffix not in (".gz", ".xlsx", ".parquet") else _unpacked(path)
        assert content
        assert lock.encode() not in content
    queue.nack(frame, progress=False)


def _unpacked(path: Path) -> bytes:
    if path.suffix == ".gz":
        import gzip

        return gzip.decompress(path.read_bytes())
    if path.suffix == ".xlsx":
        import zipfile

        with zipfile.ZipFile(path) as archive:
            return b"".join(archive.read(name) for name in archive.namelist())
    return repr(pq.read_table(path).to_pylist()).encode()


def test_an_export_that_fails_leaves_nothing_behind(
    make_capture: Callable[[list[Message]], Capture], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    capture = make_capture([Message("b"), Message("c")])

    def fails(self: object, values: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(sheets.CsvRows, "add", fails)
    with pytest.raises(CaptureError, match="No space left"):
        capture.export(tmp_path / "x.csv")
    assert [path.name for path in tmp_path.iterdir()] == ["capture"]
    with pytest.raises(CaptureError, match="cannot be written"):
        capture.export(tmp_path / "no such folder" / "x.csv")


def test_a_column_that_does_not_exist_a_lock_and_a_wrong_ending_are_refused(
    make_capture: Callable[[list[Message]], Capture], tmp_path: Path
) -> None:
    capture = make_capture([Message("b")])
    with pytest.raises(FrameError, match="no column"):
        capture.export(tmp_path / "x.csv", columns=["nothing"])
    with pytest.raises(InvalidArgument, match="never exported"):
        capture.export(tmp_path / "x.csv", columns=["lock_id"])
    with pytest.raises(InvalidArgument, match="names no format"):
        capture.export(tmp_path / "x.docx")
    with pytest.raises(InvalidArgument, match="whole messages"):
        capture.export(tmp_path / "x.jsonl", columns=["body"])
    with pytest.raises(InvalidArgument, match="inside the capture"):
        capture.export(capture.path / "x.parquet")
    assert [path.name for path in tmp_path.iterdir()] == ["capture"]


def test_where_and_columns_choose_what_is_written(make_capture: Callable[[list[Message]], Capture], tmp_path: Path) -> None:
    capture = make_capture([Message(f"b{n}", {"n": n}) for n in range(20)])
    assert capture.export(tmp_path / "x.csv", columns=["prop.n"], where="`prop.n` >= 18").rows == 2
    assert [row[0] for row in read_csv(tmp_path / "x.csv")] == ["prop.n", "18", "19"]
    assert capture.export(tmp_path / "x.jsonl", where="`prop.n` < 3").rows == 3


def test_a_message_that_json_lines_cannot_carry_is_left_out_and_said_to_be(
    client: Client, make_capture: Callable[[list[Message]], Capture], tmp_path: Path
) -> None:
    frame = pd.DataFrame({"body": ["fine"]})
    assert export_frame(frame, tmp_path / "x.jsonl").left_out == 0
    capture = make_capture([Message("fine")])
    part = pq.read_table(next(capture.path.glob("*.parquet")))
    column = part.schema.get_field_index("body")
    hidden = part.set_column(column, "body", pa.nulls(part.num_rows, pa.string()))  # the broker withheld it
    report = export_batches(
        lambda names: iter(hidden.to_batches()), tmp_path / "y.jsonl", columns=None, raw=False, overwrite=False
    )
    assert (report.rows, report.left_out, report.ok) == (0, 1, False)
    assert "no body" in report.reasons[0][1]


def test_the_command_writes_a_file_and_says_what_was_changed(
    make_capture: Callable[[list[Message]], Capture], tmp_path: Path
) -> None:
    make_capture([Message("=1+1"), Message("\x1b[2J")])

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "courier_nb", "export", "capture", *arguments]
        return subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)

    first = run("x.csv")
    assert first.returncode == 0, first.stderr
    assert "2 messages written to x.csv" in first.stdout
    assert "formula: 1 cells" in first.stdout
    second = run("x.csv")
    assert (second.returncode, "--overwrite" in second.stderr) == (2, True)
    assert run("x.csv", "--overwrite", "--raw", "--column", "body").returncode == 0
    with (tmp_path / "x.csv").open(newline="") as file:
        assert list(csv.reader(file)) == [["body"], ["=1+1"], ["\x1b[2J"]]


def test_memory_does_not_grow_with_the_rows(tmp_path: Path) -> None:
    code = (
        "import resource, sys\n"
        "import pyarrow as pa\n"
        "from pathlib import Path\n"
        "from courier_nb import Message\n"
        "from courier_nb.frames.tables import table_of\n"
        "from courier_nb.storage.foreign.export import export_batches\n"
        "batch = table_of([Message('x' * 5_000, {'n': i}, {'messageId': str(i)}) for i in range(1_000)])\n"
        "rows = int(sys.argv[1])\n"
        "def batches(names):\n"
        "    for _ in range(rows // 1_000): yield batch\n"
        "export_batches(batches, Path(sys.argv[2]), columns=None, raw=False, overwrite=True)\n"
        "lines = Path('/proc/self/status').read_text().splitlines()\n"
        "print(next(line.split()[1] for line in lines if line.startswith('VmHWM')))\n"
    )
    for name in ("x.csv", "x.jsonl", "x.parquet"):
        peaks = []
        for rows in (2_000, 20_000):
            ended = subprocess.run(
                [sys.executable, "-c", code, str(rows), str(tmp_path / name)], capture_output=True, text=True, check=True
            )
            peaks.append(int(ended.stdout) / 1024)
        print(f"{name}: {peaks[0]:.0f} MB for 10 MB, {peaks[1]:.0f} MB for 100 MB")
        assert peaks[1] < peaks[0] + 40
