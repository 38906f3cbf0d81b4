"""Two messages: what is missing, new and changed."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings

from courier_nb import Message
from courier_nb.jupyter.bodies import compare, jsoncompare, jsontext

from .test_bodies_syntax import values


def changes(left: str, right: str) -> list[tuple[str, str]]:
    found = jsoncompare.compare(jsontext.read(left).root, jsontext.read(right).root)
    return [(change.mark, change.path) for change in found.changes]


@pytest.mark.parametrize(
    ("left", "right", "expected"),
    [
        ('{"a": 1, "b": 2}', '{"b": 2, "a": 1}', []),
        ('{"a": 1}', '{"a": 2}', [("≠", "$.a")]),
        ('{"a": 1}', '{"a": "1"}', [("≠", "$.a")]),
        ('{"a": 1.0}', '{"a": 1.00}', [("≠", "$.a")]),
        ('{"a": {"b": 1}}', '{"a": {}, "c": null}', [("−", "$.a.b"), ("+", "$.c")]),
        ('{"a": 12345678901234567890}', '{"a": 12345678901234567891}', [("≠", "$.a")]),
        ('{"a": 1, "a": 2}', '{"a": 1}', [("−", "$.a (occurrence 2)")]),
        ('{"odd key": 1}', "{}", [("−", '$["odd key"]')]),
        ("[1, 2, 3]", "[2, 3]", [("−", "$[0]")]),
        ("[1, 3]", "[1, 2, 3]", [("+", "$[1]")]),
        ('[{"a": 1}, {"b": 2}]', '[{"a": 1}, {"b": 3}]', [("≠", "$[1].b")]),
        ("[]", "{}", [("≠", "$")]),
    ],
)
def test_json_is_compared_by_path(left: str, right: str, expected: list[tuple[str, str]]) -> None:
    assert changes(left, right) == expected


@settings(deadline=None)
@given(values, values)
def test_there_are_differences_exactly_where_documents_differ(one: Any, other: Any) -> None:
    left, right = json.dumps(one, sort_keys=True), json.dumps(other, sort_keys=True)
    assert bool(changes(left, right)) == (left != right)
    assert changes(left, left) == []


@pytest.mark.parametrize("size", [150, 3000])
def test_a_long_array_with_another_beginning_is_compared_in_time(size: int) -> None:
    left, right = json.dumps([i % 2 for i in range(size)]), json.dumps([i % 3 for i in range(size)])
    assert changes(left, right)


def test_documents_of_any_depth_are_compared() -> None:
    deep = "[" * 50_000 + "1" + "]" * 50_000
    assert len(changes(deep, deep.replace("1", "2"))) == 1


def test_headers_and_properties_are_compared_with_their_types() -> None:
    left = Message("same", {"n": 5, "gone": "x", "same": True}, {"messageId": "1", "lockId": "SECRET-1"})
    right = replace(left, properties={"n": 5.0, "new": "y", "same": True}, headers={"messageId": "2", "lockId": "SECRET-2"})
    headers, properties, body = compare.compare(left, right)
    assert [(row.mark, row.where) for row in headers.rows] == [("≠", "messageId")]
    assert [(row.mark, row.where) for row in properties.rows] == [("≠", "n"), ("−", "gone"), ("=", "same"), ("+", "new")]
    assert "whole number" in properties.rows[0].left
    assert (body.differences, body.words) == (0, "both have the same 4 bytes")
    assert compare.differences([headers, properties, body]) == 4
    assert "SECRET" not in json.dumps(compare.as_content([headers, properties, body]))


def test_text_is_compared_by_lines_and_equal_ones_are_counted() -> None:
    left = "\n".join(f"line {i}" for i in range(100))
    right = left.replace("line 50\n", "").replace("line 70", "other")
    body = compare.compare(Message(left), Message(right))[2]
    assert [(row.mark, row.where, row.count) for row in body.rows] == [
        ("=", "lines 1 to 50", 50),
        ("−", "line 51", 1),
        ("=", "lines 52 to 70, then 51 to 69", 19),
        ("≠", "line 71", 1),
        ("=", "lines 72 to 100, then 71 to 99", 29),
    ]
    assert body.differences == 2


def test_xml_is_compared_by_its_laid_out_lines() -> None:
    body = compare.compare(Message("<a><b>1</b><c/></a>"), Message("<a>\n<b>2</b>\n<c/></a>"))[2]
    assert [(row.mark, row.left, row.right) for row in body.rows if row.mark != "="] == [("≠", "  <b>1</b>", "  <b>2</b>")]
    assert "XML" in body.words


def test_the_same_json_written_differently_is_said_to_be_so() -> None:
    body = compare.compare(Message('{"a": 1}'), Message('{ "a":1 }'))[2]
    assert body.differences == 0
    assert "written differently" in body.words


def test_a_long_value_is_clipped_to_where_it_differs() -> None:
    left = json.dumps({"a": "x" * 5000 + "1" + "y" * 5000})
    row = compare.compare(Message(left), Message(left.replace("1", "2")))[2].rows[0]
    assert "x1y" in row.left
    assert "x2y" in row.right
    assert len(row.left) < 600


@pytest.mark.parametrize("body", [b"\xff" * 100, "a\n" * 500_000, "[" + "1," * 300_000 + "1]", "", None, "x" * 3_000_000])
def test_any_two_bodies_can_be_compared(body: str | bytes | None) -> None:
    for other in (None, "", "{}", b"\xff\xfe", "b\n" * 500_000):
        parts = compare.compare(Message(body), Message(other))
        assert len(json.dumps(compare.as_content(parts))) < 8_000_000
        assert all(len(part.rows) <= compare.MOST_ROWS for part in parts)


def test_hidden_bodies_are_said_to_be_hidden() -> None:
    assert compare.compare(Message(None), Message("x"))[2].words == "the body of one of them was withheld"
