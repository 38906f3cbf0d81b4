from __future__ import annotations

import dataclasses
import json
import math
from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from courier_nb.core import exactjson

TEXT = st.text(alphabet=st.characters(codec=None, exclude_categories=()))  # lone surrogates included
SCALARS = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | TEXT
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4), max_leaves=12
)


def typed(value):
    """Return a value in which 1, 1.0 and True differ."""
    if isinstance(value, list):
        return [typed(item) for item in value]
    if isinstance(value, dict):
        return {name: typed(item) for name, item in value.items()}
    return type(value).__name__, repr(value)


@settings(deadline=None)
@given(VALUES)
def test_every_json_value_comes_back_as_it_went_in(value):
    assert typed(exactjson.loads_exactly(exactjson.dumps(value))) == typed(value)


@settings(deadline=None)
@given(VALUES)
def test_what_is_written_is_json_that_others_read(value):
    assert typed(json.loads(exactjson.dumps(value))) == typed(value)


@pytest.mark.parametrize("number", [2**53 + 1, 2**63 - 1, 2**63, 2**64 - 1, 2**64, -(2**63), -(2**63) - 1, 10**40 + 7])
@pytest.mark.parametrize("shape", ["%d", "[%d]", '{"a":{"b":[1,%d]}}'])
def test_an_integer_of_any_size_keeps_its_last_digit(number, shape):
    content = (shape % number).encode()
    assert exactjson.dumps(exactjson.loads_exactly(content)) == content


@pytest.mark.parametrize("number", [2**64, -(2**63) - 1, 10**40])
def test_the_quick_road_rounds_and_is_found_out(number):
    value = exactjson.loads(b'{"a":[%d]}' % number)
    assert exactjson.holds_rounded(value)
    assert exactjson.is_rounded(value["a"][0])


@pytest.mark.parametrize("content", [b"[1.5, 9007199254740993]", b'{"a": "18446744073709551616"}', b"[]", b"true"])
def test_what_is_not_rounded_is_not_suspected(content):
    assert not exactjson.holds_rounded(exactjson.loads(content))


def test_lone_surrogates_survive():
    assert exactjson.loads(rb'"\ud800"') == "\ud800"
    assert exactjson.dumps("\ud800") == rb'"\ud800"'


def test_bytes_that_are_not_utf8_can_be_told_apart_afterwards():
    value = exactjson.loads(b'"caf\xff\xe9"')
    assert value.encode("utf-8", "surrogateescape") == b"caf\xff\xe9"


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, [math.nan], {"a": [{"b": math.inf}]}, ({"a": math.nan},)])
def test_what_is_not_finite_is_refused_not_turned_into_null(value):
    with pytest.raises(ValueError, match="not JSON compliant"):
        exactjson.dumps(value)


@dataclasses.dataclass
class Point:
    x: int


@pytest.mark.parametrize("value", [b"bytes", {1, 2}, object(), datetime.now(UTC), Point(1)])
def test_what_has_no_json_form_is_refused_not_guessed(value):
    with pytest.raises(TypeError):
        exactjson.dumps([value])


@pytest.mark.parametrize(
    "content", [b"NaN", b"[Infinity]", b"-Infinity", b'{"a": NaN}', b"", b"{", b"[1,]", b"\xef\xbb\xbf1", b"nul"]
)
@pytest.mark.parametrize("read", [exactjson.loads, exactjson.loads_exactly, exactjson.loads_slowly])
def test_what_is_not_json_is_refused(content, read):
    with pytest.raises(ValueError):
        read(content)


def test_the_refusal_names_the_place_and_not_the_content():
    with pytest.raises(ValueError, match=r"at character 11 of 18") as caught:
        exactjson.loads(b'["secret", secret]')
    assert "secret" not in str(caught.value)


def test_nesting_beyond_all_sense_is_an_error_like_any_other():
    with pytest.raises(ValueError, match="nested too deeply"):
        exactjson.loads(b"[" * 100_000 + b"]" * 100_000)


@pytest.mark.parametrize("text", ["9" * 5_000, "-" + "9" * 5_000, "1e400", "-2.5e999"])
def test_a_number_that_python_cannot_hold_is_given_to_the_caller_as_text(text):
    assert exactjson.loads_exactly(f"[1, {text}]".encode(), oversized=str) == [1, text]


def test_an_integer_that_python_cannot_hold_is_refused_where_nobody_wants_its_text():
    with pytest.raises(ValueError, match="digits"):
        exactjson.loads_exactly(b"9" * 5_000)
