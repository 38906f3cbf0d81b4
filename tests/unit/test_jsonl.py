from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from courier_nb.core.errors import FrameError
from courier_nb.storage.foreign.jsonl import is_jsonl, read_jsonl

LINE = b'{"headers": {"messageId": "m"}, "properties": {"n": 1}, "body": "b"}\n'


def write(folder: Path, content: bytes, name: str = "in.jsonl") -> Path:
    path = folder / name
    path.write_bytes(gzip.compress(content) if name.endswith(".gz") else content)
    return path


@pytest.mark.parametrize("name", ["in.jsonl", "in.jsonl.gz", "in.ndjson", "in.ndjson.gz"])
def test_every_line_is_a_message_packed_or_not(tmp_path, name):
    path = write(tmp_path, LINE + b"\n" + b'{"body": "only"}\n' + b'{"body": "last", "properties": null}', name)
    assert is_jsonl(path)
    first, second, third = read_jsonl(path)
    assert (first.message_id, first.properties, first.body) == ("m", {"n": 1}, "b")
    assert (second.headers, second.properties, second.body) == ({}, {}, "only")
    assert third.body == "last"


@pytest.mark.parametrize("name", ["in.json", "in.parquet", "jsonl", "in.jsonl.zip"])
def test_other_files_are_not_taken_for_json_lines(name):
    assert not is_jsonl(Path(name))


@pytest.mark.parametrize(
    ("line", "words", "columns"),
    [
        (b"{", "not JSON", ()),
        (b"\xff\xfe", "not JSON", ()),
        (b"NaN", "not JSON", ()),
        (b'"text"', "under 'body'", ("body",)),
        (b"{}", "under 'body'", ("body",)),
        (b'{"body": null}', "under 'body'", ("body",)),
        (b'{"body": {"a": 1}}', "under 'body'", ("body",)),
        (b'{"body": "b", "headers": [1]}', "'headers' must be an object", ("headers",)),
        (b'{"body": "b", "properties": "x"}', "'properties' must be an object", ("properties",)),
    ],
)
def test_a_line_that_is_no_message_is_named(tmp_path, line, words, columns):
    path = write(tmp_path, LINE + b"\n" + line + b"\n" + LINE)
    with pytest.raises(FrameError, match=f"line 3: .*{words}") as caught:
        list(read_jsonl(path))
    assert (caught.value.rows, caught.value.columns) == ((2,), columns)
    assert str(path) in str(caught.value)


@pytest.mark.parametrize("number", [2**64, -(2**63) - 1, 10**40 + 1])
def test_an_integer_of_any_size_is_read_exactly(tmp_path, number):
    (message,) = read_jsonl(write(tmp_path, b'{"body": "b", "properties": {"n": %d, "deep": [%d]}}' % (number, number)))
    assert message.properties == {"n": number, "deep": [number]}


def test_lines_are_read_as_they_are_needed(tmp_path):
    messages = read_jsonl(write(tmp_path, LINE + b"not a message"))
    assert next(messages).message_id == "m"


@pytest.mark.parametrize("content", [gzip.compress(LINE * 100)[:-20], b"not gzip at all"])
def test_a_damaged_archive_is_an_error_that_names_the_file(tmp_path, content):
    path = tmp_path / "in.jsonl.gz"
    path.write_bytes(content)
    with pytest.raises(FrameError, match=r"in\.jsonl\.gz cannot be read"):
        list(read_jsonl(path))


def test_a_file_that_is_not_there_is_named(tmp_path):
    with pytest.raises(FrameError, match="No such file"):
        list(read_jsonl(tmp_path / "none.jsonl"))
