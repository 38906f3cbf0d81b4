"""No header, however odd, keeps a message from being stored: everything else in its batch would be lost with it."""

from __future__ import annotations

from typing import Any

import pyarrow as pa
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from courier_nb.core.messages import Message
from courier_nb.frames.flatten import frame_of
from courier_nb.frames.schema import SCHEMA, TYPED_HEADERS, differences
from courier_nb.frames.tables import messages_of, table_of
from courier_nb.frames.text import plain, table
from courier_nb.frames.values import name_of
from tests.unit.scripts import received

ODD = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(st.characters(exclude_categories=[])),
    st.lists(st.integers(), max_size=2),
    st.from_regex(r"-*[0-9]{1,40}", fullmatch=True),
    st.from_regex(r"Fri, [0-9]{1,2} (Jan|Feb|Foo) [0-9]{1,5} [0-9]{2}:[0-9]{2}:[0-9]{2} (GMT|[+-][0-9]{4})", fullmatch=True),
)


@settings(deadline=None)  # the first table takes its time
@given(st.dictionaries(st.sampled_from(sorted(TYPED_HEADERS)), ODD))
@example({"created": "Fri, 31 Dec 9999 23:59:59 -0100"})
@example({"deliveryCount": "--5"})
@example({"ttl": "9" * 5_000})
def test_a_known_header_with_an_odd_value_is_stored_all_the_same(headers):
    batch = table_of([Message("before"), Message("odd", {}, headers), Message("after")])
    assert batch.schema.equals(SCHEMA)
    found = list(messages_of(batch))
    assert [message.body for message in found] == ["before", "odd", "after"]
    assert set(found[1].headers) == set(headers)
    assert len(frame_of(pa.Table.from_batches([batch]))) == 3


@pytest.mark.parametrize("number", ["1e400", "-1e999", "9" * 5_000])
def test_a_number_that_python_cannot_hold_is_stored_as_its_text(number):
    batch = table_of(received(b'[{"properties": {"n": %s}, "body": "b"}]' % number.encode()))
    assert [message.properties for message in messages_of(batch)] == [{"n": number}]


def frame(*properties: dict[str, Any], columns: list[str] | None = None) -> Any:
    return frame_of(pa.Table.from_batches([table_of([Message("b", one) for one in properties])]), columns)


def test_a_property_that_does_not_occur_is_a_column_of_missing_values_if_asked_for():
    found = frame({"a": 1}, {}, columns=["prop.b", "prop.a", "body"])
    assert list(found.columns) == ["prop.b", "prop.a", "body"]
    assert found["prop.b"].isna().all()
    assert found["prop.a"].isna().tolist() == [False, True]


def test_integers_beyond_64_bits_are_exact_in_a_frame():
    assert frame({"n": 10**40 + 1}, {"n": 5})["prop.n"].tolist() == [10**40 + 1, 5]


def test_an_empty_table_is_an_empty_frame():
    found = frame_of(SCHEMA.empty_table())
    assert len(found) == 0
    assert "body" in found.columns


def test_a_slice_of_a_table_shows_its_own_rows_only():
    batch = table_of([Message(str(number), {"n": number, f"only{number}": "x"}) for number in range(6)])
    found = frame_of(pa.Table.from_batches([batch]).slice(2, 2))
    assert found["prop.n"].tolist() == [2, 3]
    assert [name for name in found.columns if name.startswith("prop.only")] == ["prop.only2", "prop.only3"]


def test_a_schema_is_compared_column_by_column():
    assert differences(SCHEMA) == []
    assert differences(SCHEMA.remove(SCHEMA.get_field_index("body"))) == ["body is missing (string expected)"]
    assert differences(SCHEMA.append(pa.field("more", pa.int8()))) == ["more is not a column of ours"]


@pytest.mark.parametrize(
    ("shown", "name"),
    [
        ("plain", "plain"),
        ('"quoted"', '"quoted"'),
        (r'"\ud800"', "\ud800"),
        (r'"\ud800', r'"\ud800'),
        ("", ""),
        (r'"\\ud800"', r'"\\ud800"'),
    ],
)
def test_only_a_name_that_no_column_can_hold_is_escaped(shown, name):
    assert name_of(shown) == name


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a\x1b[31mb", r"a\x1b[31mb"),
        ("a\nb", r"a\x0ab"),
        ("\u202eabc", r"\u202eabc"),
        ("\ud800", r"\ud800"),
        ("é€😀", "é€😀"),
        (5, "5"),
    ],
)
def test_foreign_text_is_shown_and_not_obeyed(text, shown):
    assert plain(text) == shown


def test_a_table_in_a_terminal_is_cut_and_harmless():
    found = table(frame({"x\x1b": "y" * 100}, {})[["prop.x\x1b", "ttl"]], widest=10)
    assert "\x1b" not in found
    assert "yyyyyyyyy…" in found
    assert "NaN" not in found
    assert table(frame({"a": 1}).head(0)) == "(none)"
