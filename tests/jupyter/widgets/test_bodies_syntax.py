"""JSON and XML read without losing or obeying anything."""

from __future__ import annotations

import json
import re
from typing import Any
from xml.dom import minidom

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from courier_nb.jupyter.bodies import forms, jsontext, xmltext

values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)


def value_of(node: jsontext.Node) -> Any:
    if node.kind == "object":
        return {child.key: value_of(child) for child in node.children}
    if node.kind == "array":
        return [value_of(child) for child in node.children]
    return node.text if node.kind == "string" else json.loads(node.text)


@settings(deadline=None)
@given(values, st.sampled_from([None, 2]))
def test_reads_what_the_standard_library_reads(value: Any, indent: int | None) -> None:
    text = json.dumps(value, indent=indent)
    assert value_of(jsontext.read(text).root) == value


@settings(deadline=None)
@given(st.text(alphabet='{}[]",:0123456789eE+-. \n\\truefalsn'))
def test_takes_and_refuses_the_same_texts_as_the_standard_library(text: str) -> None:
    def refuse(_: str) -> None:
        raise ValueError

    try:
        json.loads(text, parse_constant=refuse, parse_int=str)
    except ValueError:
        with pytest.raises(jsontext.SyntaxFault):
            jsontext.read(text)
    else:
        assert jsontext.read(text).characters == len(text)


@settings(deadline=None)
@given(values)
def test_indenting_json_changes_white_space_only(value: Any) -> None:
    text = json.dumps(value)
    assert json.loads(jsontext.indented(text)) == value
    assert jsontext.indented(jsontext.indented(text)) == jsontext.indented(text)


def test_indented_json_keeps_every_lexeme() -> None:
    text = '{"a":1.10,"a":1E2,"b":[],"c":{},"d":["x,{y}:\\"z",12345678901234567890]}'
    indented = jsontext.indented(text)
    assert re.sub(r"\s", "", indented) == text
    assert indented.splitlines()[:4] == ["{", '  "a": 1.10,', '  "a": 1E2,', '  "b": [],']


@pytest.mark.parametrize(
    ("text", "line", "column"),
    [
        ("", 1, 1),
        ('{"a": 1,\n "b": }', 2, 7),
        ("[1,]", 1, 4),
        ("[1 2]", 1, 4),
        ('{"a" 1}', 1, 6),
        ("{a: 1}", 1, 2),
        ("[1]\n\nx", 3, 1),
        ('["a\nb"]', 1, 4),
        ('["\\x"]', 1, 3),
        ("01", 1, 2),
        ("[NaN]", 1, 2),
    ],
)
def test_a_fault_is_named_by_line_and_column_without_quoting(text: str, line: int, column: int) -> None:
    with pytest.raises(jsontext.SyntaxFault, match=f"at line {line}, column {column}$") as caught:
        jsontext.read(text)
    assert (caught.value.line, caught.value.column) == (line, column)


@pytest.mark.parametrize("text", ["[" * 100_000 + "]" * 100_000, '{"a":' * 100_000 + "1" + "}" * 100_000])
def test_no_depth_is_too_deep(text: str) -> None:
    assert jsontext.read(text).characters == len(text)


def test_reading_stops_where_it_was_told_to() -> None:
    document = jsontext.read("[" + "1," * 1000 + "oops", most_nodes=10)
    assert document.is_cut
    assert document.root.is_cut
    assert document.nodes == 10


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        ("<a><b/><c>t</c></a>", ["<a>", "  <b/>", "  <c>t</c>", "</a>"]),
        ("<a>x<b/>y</a>", ["<a>x<b/>y</a>"]),
        ("<a><p>x<b><i/></b></p><q/></a>", ["<a>", "  <p>x<b><i/></b></p>", "  <q/>", "</a>"]),
        ("<a>  </a>", ["<a>  </a>"]),
        ("<a>\n\n<b>\n</b>\n</a>", ["<a>", "  <b>", "</b>", "</a>"]),
        ('<a xml:space="preserve"> <b/> </a>', ['<a xml:space="preserve"> <b/> </a>']),
        ("<a><![CDATA[<x>]]></a>", ["<a><![CDATA[<x>]]></a>"]),
        ("<a><!-- one --><b/></a>", ["<a>", "  <!-- one -->", "  <b/>", "</a>"]),
        ('<?xml version="1.0" encoding="latin-1"?><a b=\'1\'  c="&lt;é"/>', None),
        (
            "<!DOCTYPE a SYSTEM 'http://127.0.0.1/x.dtd'><a>&x;</a>",
            ["<!DOCTYPE a SYSTEM 'http://127.0.0.1/x.dtd'>", "<a>&x;</a>"],
        ),
    ],
)
def test_xml_is_laid_out_and_its_content_stays(text: str, lines: list[str] | None) -> None:
    indented = xmltext.indented(text)
    if lines is not None:
        assert indented.splitlines() == lines
    assert re.sub(r"\s", "", indented) == re.sub(r"\s", "", text)


names = st.sampled_from("abc")
elements = st.recursive(
    st.text(alphabet="xy \n&é", max_size=5).map(lambda text: text.replace("&", "&amp;")),
    lambda inner: st.tuples(names, st.lists(inner, max_size=4)).map(lambda one: f"<{one[0]}>{''.join(one[1])}</{one[0]}>"),
    max_leaves=15,
)


@settings(deadline=None)
@given(elements)
def test_the_texts_of_laid_out_xml_are_those_of_the_document(inner: str) -> None:
    text = f"<root>{inner}</root>"
    assert shape(xmltext.indented(text)) == shape(text)


def shape(text: str) -> Any:
    """Return names and texts; white space between elements that hold no text does not count."""

    def of(node: minidom.Node) -> Any:
        children = list(node.childNodes)
        texts = [child for child in children if child.nodeType == child.TEXT_NODE]
        is_layout = len(texts) < len(children) and not any(child.data.strip() for child in texts)
        return node.nodeName, [
            child.data if child.nodeType == child.TEXT_NODE else of(child)
            for child in children
            if not (is_layout and child in texts)
        ]

    return of(minidom.parseString(text.encode()).documentElement)


def test_entities_are_neither_expanded_nor_fetched() -> None:
    laughs = "<!DOCTYPE a [<!ENTITY a 'ha'>" + "".join(
        f"<!ENTITY {b} '{f'&{a};' * 10}'>" for a, b in zip("abcdefgh", "bcdefghi", strict=True)
    )
    for use in ("]><a>&i;</a>", "]><a b='&i;'/>"):
        with pytest.raises(xmltext.DeclaresEntities):
            xmltext.indented(laughs + use)
    with pytest.raises(xmltext.DeclaresEntities):
        xmltext.indented('<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]><a>&x;</a>')


def test_deep_xml_is_laid_out() -> None:
    text = "<a>" * 50_000 + "</a>" * 50_000
    assert xmltext.indented(text).replace("\n", "").replace(" ", "") == text


@pytest.mark.parametrize(("text", "line"), [("<a>\n<b></a>", 2), ("<a/>x", 1), ("", 1), ("<a>é\n&</a>", 2)])
def test_a_fault_of_xml_has_its_line(text: str, line: int) -> None:
    with pytest.raises(jsontext.SyntaxFault) as caught:
        forms.check(text, "xml")
    assert caught.value.line == line
