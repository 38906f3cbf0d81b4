"""Bodies in their forms: the right one is found, all of a body can be reached, and nothing foreign acts."""

from __future__ import annotations

import gzip
import json
import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from courier_nb import Message
from courier_nb.jupyter.bodies import forms, tables
from courier_nb.jupyter.bodies.naming import file_name

CORPUS = Path(__file__).parents[3].parent / "shared" / "corpus" / "github-webhooks.jsonl.gz"
HOSTILE = ["\x1b[31mred", "\u202eback", "a\x00b", "\ud800", "e" + "\u0301" * 50, "\u2028line", "<script>alert(1)</script>"]
anything = st.one_of(st.text(), st.binary(), st.text(alphabet='{}[]",:0123eE+-. \n\r\t<>/=&;a\\|\ufeff'))


def of_type(body: str, content_type: str) -> Message:
    return Message(body, {"contentType": content_type})


@pytest.mark.parametrize(
    ("message", "form"),
    [
        (Message('{"a": 1}'), "json"),
        (Message(" \n[1, 2]"), "json"),
        (Message('\ufeff{"a": 1}'), "json"),
        (Message("{not json}"), "text"),
        (Message("<a><b/></a>"), "xml"),
        (Message('<?xml version="1.0"?><a/>'), "xml"),
        (Message("<a><b></a>"), "text"),
        (Message("id,name,total\n1,Ann,2\n2,Bob,3"), "csv"),
        (Message('id;name;note\r\n1;"x;y";z\r\n'), "csv"),
        (Message("a\tb\tc\n1\t2\t3\n"), "csv"),
        (Message("Dear Ann,\nthank you, and good bye,\nBob"), "text"),
        (Message("a,b\n1,2"), "text"),
        (Message(""), "text"),
        (Message("12"), "text"),
        (Message(b"\xff\x00\x01"), "hex"),
        (Message("\x00\x01\x02\x03"), "hex"),
        (of_type("12", "application/json; charset=UTF-8"), "json"),
        (of_type("{broken", "application/json"), "text"),
        (of_type("<a/>", "application/json"), "xml"),
        (of_type("<a/>", "application/soap+xml"), "xml"),
        (of_type("a,b\n1,2", "text/csv"), "csv"),
        (of_type("abc", "image/png"), "hex"),
        (Message("1", {"Content-Type": "application/json"}), "json"),
        (Message("1", {}, {"contentType": "application/problem+json"}), "json"),
    ],
)
def test_the_form_is_found_by_content_type_and_by_looking(message: Message, form: str) -> None:
    assert forms.form_of(message) == form


@pytest.mark.parametrize("form", forms.FORMS)
@pytest.mark.parametrize("body", [*HOSTILE, "", b"", b"\xff\xfe", "[" * 100_000, "<a>" * 100_000, '"' * 1000, "a," * 5000])
def test_no_body_is_too_odd_for_any_form_and_none_acts(form: forms.Form, body: str | bytes) -> None:
    shown = json.dumps(forms.show(body, form).content)
    for text in texts_in(json.loads(shown)):
        bare = text.replace("\n", "").replace("\t", "")
        assert not any(ord(character) < 32 or character in "\u202e\u2028\x7f" for character in bare)
        assert "\u0301" * 5 not in text


@settings(deadline=None)
@given(anything, st.sampled_from(list(forms.FORMS)), st.integers(-3, 9))
def test_showing_never_fails(body: str | bytes, form: forms.Form, part: int) -> None:
    shown = forms.show(body, form, part)
    assert shown.form in forms.FORMS
    json.dumps(shown.content)
    assert forms.form_of(Message(body)) in forms.FORMS


# What combines with the character before it is written as its code where a part begins with it; a lone return is a code too.
standing_alone = st.characters(exclude_categories=["Mn", "Me", "Cs"], exclude_characters="\r")


@settings(deadline=None, max_examples=30)
@given(st.text(standing_alone, min_size=1), st.integers(1, 200_000), st.sampled_from(["text", "raw", "hex"]))
def test_the_parts_of_a_long_body_are_the_whole_body(piece: str, times: int, form: forms.Form) -> None:
    body = piece * min(times, 900_000 // len(piece.encode()))
    first = forms.show(body, form)
    shown = [first, *(forms.show(body, form, part) for part in range(1, first.parts))]
    texts = [one.content["text"] for one in shown]
    if form == "hex":
        found = b"".join(bytes.fromhex(line[10:58].replace(" ", "")) for text in texts for line in text.splitlines())
        assert found == body.encode()
    else:
        assert "".join(texts) == (forms.raw if form == "raw" else forms.shown_lines)(body)


def test_what_was_cut_is_said_in_words() -> None:
    long = "line\n" * 1_000_000
    assert forms.show(long, "text").words == "256.0 kB of 5.0 MB shown"
    assert forms.show(long, "text", 1).words == "256.0 kB of 5.0 MB shown, from byte 256,000 on"
    assert forms.show(long, "text").parts == 20
    assert forms.show(long, "hex").words == "64.0 kB of 5.0 MB shown"
    assert "first 1,000 rows" in forms.show("a,b,c\n" * 2000, "csv").words
    assert re.fullmatch(r"[\d.]+ kB of 2\.0 MB shown", forms.show(f"[{'1,' * 999_999}1]", "json").words)
    assert forms.show("short", "text").words == ""


def test_no_more_than_a_preview_is_sent() -> None:
    for body, form in ((f'["{"x" * 5_000_000}"]', "json"), (f"[{'1,' * 2_000_000}1]", "json"), ("x" * 5_000_000, "raw")):
        assert len(json.dumps(forms.show(body, form).content)) < 1_200_000  # type: ignore[arg-type]


def test_a_huge_document_is_shown_by_reading_its_beginning_only() -> None:
    huge = "[" + ",".join(f'{{"k{i}":"value"}}' for i in range(500_000)) + "]"
    shown = forms.show(huge, forms.form_of(Message(huge)))
    assert shown.form == "json"
    assert len(shown.content["nodes"]) == forms.MOST_NODES
    assert shown.words == "178.9 kB of 9.9 MB shown"


def test_every_digit_key_and_escape_of_json_is_as_in_the_text() -> None:
    body = '{"z": 12345678901234567890123, "a": 1.10, "z": 1E400, "s": "a\\nb\\\\n\\u202e", "n": -0}'
    nodes = forms.show(body, "json").content["nodes"]
    assert [(node[2], node[3]) for node in nodes[1:]] == [
        ('"z"', "12345678901234567890123"),
        ('"a"', "1.10"),
        ('"z"', "1E400"),
        ('"s"', '"a\\nb\\\\n\\u202e"'),
        ('"n"', "-0"),
    ]


def test_where_a_form_is_not_possible_the_text_comes_with_the_reason() -> None:
    shown = forms.show('{"a": 1,\n "b": }', "json")
    assert shown.form == "text"
    assert shown.words == "Not shown as JSON tree: A value is missing at line 2, column 7"
    bomb = '<!DOCTYPE a [<!ENTITY x "ha"><!ENTITY y "&x;&x;">]><a b="&y;">&y;</a>'
    shown = forms.show(bomb, "xml")
    assert (shown.form, shown.content["text"]) == ("text", bomb)
    assert "entities" in shown.words


def test_hex_shows_offset_bytes_and_characters() -> None:
    text = forms.show(b"0123456789abcdef\xff\x00", "hex").content["text"]
    assert text.splitlines() == [
        "00000000  30 31 32 33 34 35 36 37  38 39 61 62 63 64 65 66  0123456789abcdef",
        "00000010  ff 00                                             ..",
    ]


def test_raw_shows_tabs_line_ends_and_backslashes() -> None:
    assert forms.show("a\tb\r\nc\\n", "raw").content["text"] == "a\\tb\\r\\n\nc\\\\n"


def test_csv_keeps_quoted_separators_and_says_what_is_left_out() -> None:
    shown = forms.show('a;b\n1;"x;\ny"\n2;z\n', "csv")
    assert shown.content == {"rows": [["a", "b"], ["1", "x;\\ny"], ["2", "z"]], "separator": "semicolon"}
    wide = ",".join(map(str, range(150))) + "\n"
    shown = forms.show(wide * 3, "csv")
    assert len(shown.content["rows"][0]) == tables.MOST_COLUMNS
    assert "first 100 columns" in shown.words
    assert len(forms.show(wide * 500, "csv").content["rows"]) == tables.MOST_CELLS // tables.MOST_COLUMNS


@pytest.mark.parametrize(
    ("message_id", "name"),
    [
        ("order-1", "message-order-1.json"),
        ("../../etc/passwd", "message-etc_passwd.json"),
        ("CON", "message-CON.json"),
        ("a/b\\c\x00:d", "message-a_b_c_d.json"),
        ("x" * 300, f"message-{'x' * 80}.json"),
        ("\u202egnp.exe", "message-gnp.exe.json"),
        (None, "message-without-id.json"),
    ],
)
def test_a_file_name_is_safe_everywhere(message_id: str | None, name: str) -> None:
    assert file_name(Message("{}", {}, {} if message_id is None else {"messageId": message_id})) == name


def test_real_payloads_are_shown_as_trees_of_all_their_values() -> None:
    if not CORPUS.exists():
        pytest.skip(f"REAL PAYLOADS NOT READ: {CORPUS} is absent")
    with gzip.open(CORPUS, "rt", encoding="utf-8") as lines:
        bodies = [json.loads(line)["body"] for line in lines]
    assert len(bodies) > 50
    for body in bodies:
        message = Message(body)
        assert forms.form_of(message) == "json"
        assert len(forms.show(body, "json").content["nodes"]) == count(json.loads(body))


def count(value: Any) -> int:
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return 1 + sum(map(count, inner))


def texts_in(value: Any) -> list[str]:
    if isinstance(value, str):
        return [value]
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return [text for item in inner for text in texts_in(item)]
