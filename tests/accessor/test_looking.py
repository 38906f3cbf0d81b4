"""``frame.courier`` on bodies: conditions, parsed bodies, columns of their own. Nothing is asked of a service."""

from __future__ import annotations

import re
from decimal import Decimal
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from courier_nb import NULL, FrameError, InvalidArgument
from courier_nb.core import exactjson
from courier_nb.frames.verbs import give_frames_verbs
from tests.hostile import corpus

give_frames_verbs()

CONDITIONS = (Path(__file__).parents[2] / "docs" / "frames.md").read_text().split("## Conditions")[1].split("## Bodies")[0]

BODIES = [
    '{"order": {"total": 250.5, "id": 1180591620717411303424}, "items": [{"sku": "A1"}, {"sku": "B2"}], "paid": true}',
    '{"order": {"total": 100, "id": 1180591620717411303425}, "items": [{"sku": "B2"}], "paid": false}',
    '{"order": {"total": "100"}, "items": [], "note": null}',
    "[1, 2, 3]",
    '"a text"',
    "5",
    "not JSON",
    None,
]


@pytest.fixture
def frame() -> pd.DataFrame:
    return pd.DataFrame({"body": BODIES}, index=list("abcdefgh"))


def labels(frame: pd.DataFrame, condition: str) -> str:
    with pytest.warns(UserWarning, match="2 of 8 rows have no JSON body"):
        return "".join(frame.courier.where(condition).index)


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        ("$.order.total > 100", "a"),
        ("$.order.total >= 100", "ab"),
        ("$.order.total < 250.5", "b"),
        ("$.order.total == 250.5", "a"),
        ('$.order.total == "100"', "c"),
        ("$.order.id == 1180591620717411303425", "b"),
        ("$.order.id < 1180591620717411303425", "a"),
        ('$.items[*].sku == "A1"', "a"),
        ('$.items[*].sku == "B2"', "ab"),
        ('$.items[*].sku != "B2" and $.items[*].sku', "a"),
        ('$..sku == "A1"', "a"),
        ('"A1" == $.items[*].sku', "a"),
        ("$.order", "abc"),
        ("$.order.id", "ab"),
        ("not $.order", "def"),
        ("!$.order", "def"),
        ("$.paid == true", "a"),
        ("$.paid == false", "b"),
        ("$.paid == 1", ""),
        ("$.note == null", "c"),
        ("$.note", "c"),
        ("$.order.total > 200 or $.note", "ac"),
        ("$.order and not ($.paid == true || $.note)", "b"),
        ("length($.items) == 2", "a"),
        ("count($.items[*]) == 1", "b"),
        ('match($.items[0].sku, "[A-Z][0-9]")', "ab"),
        ('$.items[?@.sku == "A1"]', "a"),
        ('$.items[?@.sku == "A1" && $.paid]', "a"),
        ('$["order"]["total"] == 100', "b"),
        ("$[1] == 2", "d"),
        ("$[*] == 3", "d"),
        ('$ == "a text"', "e"),
        ("$ == 5", "f"),
        ("$", "abcdef"),
        ("@.order.total > 100", "a"),
    ],
)
def test_a_condition_chooses_rows(frame: pd.DataFrame, condition: str, expected: str) -> None:
    assert labels(frame, condition) == expected


@pytest.mark.parametrize("row", [line for line in CONDITIONS.splitlines() if line.startswith("| `")])
def test_the_conditions_of_the_documentation_are_conditions(frame: pd.DataFrame, row: str) -> None:
    for condition in re.findall("`([^`]*\\$[^`]*)`", row.replace("\\|", "|").split(" | ")[0]):
        labels(frame, condition)


def test_rows_are_chosen_by_their_columns_and_sent_as_they_were() -> None:
    rows = pd.DataFrame({"body": ['{"order": {"total": 250}}', '{"order": {"total": 5}}', '{"order": {}}']})
    flat = rows.courier.flatten()
    chosen = rows.loc[flat[flat["body.order.total"] > 100].index]
    assert chosen.index.tolist() == [0]
    assert chosen.columns.tolist() == ["body"]


@pytest.mark.parametrize(
    "condition", ["", "$.a >", "($.a", "order.total > 3", "true", "5", "$.a; $.b", "$.a = 1", "$.a == ", "unknown($.a)", "$.a)]"]
)
def test_what_is_no_condition_is_one_error_that_names_it(frame: pd.DataFrame, condition: str) -> None:
    with pytest.raises(FrameError, match="cannot be read") as caught:
        frame.courier.where(condition)
    assert repr(condition) in str(caught.value)
    assert "\n" not in str(caught.value)
    assert "$.order.total > 100" in str(caught.value)


def test_a_condition_of_another_type_is_refused(frame: pd.DataFrame) -> None:
    with pytest.raises(FrameError, match="The condition is of type int"):
        frame.courier.where(5)


def test_the_rows_without_json_are_given_on_request(frame: pd.DataFrame) -> None:
    assert "".join(frame.courier.not_json.index) == "gh"


def test_there_is_no_warning_where_every_body_is_json(recwarn: pytest.WarningsRecorder) -> None:
    assert len(pd.DataFrame({"body": ["{}", "[]"]}).courier.where("$")) == 2
    assert not recwarn.list


def test_numbers_are_compared_as_they_are_written() -> None:
    frame = pd.DataFrame({"body": ['{"n": 0.1}', '{"n": 0.10000000000000000000000001}', '{"n": 1e400}', '{"n": 1E2}']})
    assert frame.courier.where("$.n == 0.1").index.tolist() == [0]
    assert frame.courier.where("$.n > 0.1").index.tolist() == [1, 2, 3]
    assert frame.courier.where("$.n == 0.10000000000000000000000001").index.tolist() == [1]
    assert frame.courier.where("$.n == 100").index.tolist() == [3]


def test_frames_without_bodies_are_refused() -> None:
    for look in (lambda c: c.where("$"), lambda c: c.body(), lambda c: c.flatten(), lambda c: c.not_json):
        with pytest.raises(FrameError, match="The column body is missing"):
            look(pd.DataFrame({"a": [1]}).courier)


def test_bodies_come_parsed_and_exact(frame: pd.DataFrame) -> None:
    bodies = frame.courier.body()
    assert bodies.index.tolist() == frame.index.tolist()
    assert bodies["a"]["order"] == {"total": 250.5, "id": 2**70}
    assert bodies["d"] == [1, 2, 3]
    assert bodies["e"] == "a text"
    assert bodies["g"] == "not JSON"
    assert bodies["h"] is None
    assert frame.courier.body("b")["order"]["id"] == 2**70 + 1


def test_every_kind_of_body_has_its_value() -> None:
    frame = pd.DataFrame({"body": ["null", "0.1", "3.14159265358979323846", "1e999999999999999999999", None]})
    frame["body_bytes"] = [None, None, None, None, b"\xff"]
    values = frame.courier.body().tolist()
    assert values[0] is NULL
    assert values[1:] == [0.1, Decimal("3.14159265358979323846"), "1e999999999999999999999", b"\xff"]


@pytest.mark.parametrize("row", ["z", 0, ["a"], slice("a", "b")])
def test_a_row_that_is_not_there_is_refused(frame: pd.DataFrame, row: Any) -> None:
    with pytest.raises(InvalidArgument, match="rows have the label"):
        frame.courier.body(row)


def test_a_label_of_several_rows_is_refused() -> None:
    with pytest.raises(InvalidArgument, match="2 rows have the label 1, expected one"):
        pd.DataFrame({"body": ["1", "2"]}, index=[1, 1]).courier.body(1)


numbers = (
    st.integers()
    | st.decimals(allow_nan=False, allow_infinity=False, places=25)
    | st.floats(allow_nan=False, allow_infinity=False)
)


@settings(max_examples=200, deadline=None)
@given(numbers)
def test_a_number_is_what_was_written(number: Any) -> None:
    text = str(number)
    value = pd.DataFrame({"body": [f'{{"n": {text}}}']}).courier.body(0)["n"]
    assert Decimal(str(value)) == Decimal(text)
    flat = pd.DataFrame({"body": [f'{{"n": {text}, "list": [{text}]}}']}).courier.flatten()
    assert Decimal(str(flat["body.n"][0])) == Decimal(text)
    assert Decimal(flat["body.list"][0].strip("[]")) == Decimal(text)


def test_objects_become_columns_with_dtypes(frame: pd.DataFrame) -> None:
    with pytest.warns(UserWarning) as warned:
        flat = frame.courier.flatten()
    said = [str(warning.message) for warning in warned]
    assert said[0].startswith("2 rows have no JSON body")
    assert said[1].startswith("3 rows have a JSON body that is no object")
    assert flat.columns.tolist() == ["body", "body.order.total", "body.order.id", "body.items", "body.paid", "body.note"]
    assert flat.index.tolist() == frame.index.tolist()
    assert flat["body.order.total"].tolist()[:3] == [250.5, 100, "100"]
    assert flat["body.order.id"].tolist()[:2] == [2**70, 2**70 + 1]
    assert flat["body.items"].tolist()[1:3] == ['[{"sku":"B2"}]', "[]"]
    assert str(flat["body.paid"].dtype) == "boolean"
    assert flat["body.note"].isna().all()


def test_each_kind_has_its_dtype() -> None:
    bodies = [
        '{"i": 1, "f": 1.5, "m": 1, "t": "x", "b": true, "e": {}, "big": 1}',
        '{"i": null, "m": 2.5, "f": 2, "big": 9007199254740993.5}',
    ]
    flat = pd.DataFrame({"body": bodies}).courier.flatten()
    kinds = {name.removeprefix("body."): str(dtype) for name, dtype in flat.dtypes.items()}
    assert kinds == {
        "body": "str",
        "i": "Int64",
        "f": "Float64",
        "m": "Float64",
        "t": "str",
        "b": "boolean",
        "e": "str",
        "big": "object",
    }
    assert flat["body.e"][0] == "{}"
    assert flat["body.big"].tolist() == [1, Decimal("9007199254740993.5")]


def test_names_that_could_be_places_are_in_quotes() -> None:
    body = '{"a.b": 1, "a": {"b": 2, "": 3}, "\\"": 4}'
    flat = pd.DataFrame({"body": [body]}).courier.flatten("x.")
    assert flat.iloc[0, 1:].to_dict() == {'x."a.b"': 1, "x.a.b": 2, 'x.a.""': 3, 'x."\\""': 4}


def test_more_places_than_columns_are_named() -> None:
    frame = pd.DataFrame({"body": ['{"a": 1, "b": 1, "c": 1}', '{"b": 1, "c": 1}']})
    with pytest.warns(UserWarning, match="1 places are no columns, as more than max_columns=2 were found: body.a"):
        flat = frame.courier.flatten(max_columns=2)
    assert flat.columns.tolist() == ["body", "body.b", "body.c"]


def test_columns_that_are_there_already_are_not_overwritten() -> None:
    frame = pd.DataFrame({"body": ['{"a": 1}']}).courier.flatten()
    with pytest.raises(FrameError, match=r"has columns of these names already: body\.a"):
        frame.courier.flatten()
    assert frame.courier.flatten("again.").columns.tolist() == ["body", "body.a", "again.a"]


@pytest.mark.parametrize(
    "arguments", [{"prefix": ""}, {"prefix": 5}, {"max_columns": 0}, {"max_columns": "9"}, {"max_columns": True}]
)
def test_arguments_that_cannot_be_meant_are_refused(frame: pd.DataFrame, arguments: dict[str, Any]) -> None:
    with pytest.raises(InvalidArgument, match=next(iter(arguments))):
        frame.courier.flatten(**arguments)


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_hostile_bodies_are_looked_into_without_harm() -> None:
    bodies = [message.body for message in corpus.small() if isinstance(message.body, str)]
    bodies += ["[" * 100_000, '{"a":' * 400 + "1" + "}" * 400, '{"a": "\\ud800"}']
    frame = pd.DataFrame({"body": pd.Series(bodies, dtype=object)}, dtype=object)
    flat = frame.courier.flatten(max_columns=50)
    assert len(flat) == len(frame) == len(frame.courier.body())
    assert len(frame.courier.where("$..a == 1")) >= 1
    assert 0 < len(frame.courier.not_json) < len(frame)


def test_arrays_stay_json_of_the_same_value() -> None:
    body = '{"a": [1180591620717411303424, 0.123456789012345678901, {"b": [null, true, "\u202e"]}]}'
    text = pd.DataFrame({"body": [body]}).courier.flatten()["body.a"][0]
    assert pd.DataFrame({"body": [text]}).courier.body(0) == pd.DataFrame({"body": [body]}).courier.body(0)["a"]
    assert exactjson.loads_exactly(text.encode())
