from __future__ import annotations

import copy
import pickle

import pytest

from courier_nb.core.messages import NULL, Message, whole_number

SECRET = "not for the notebook"


@pytest.mark.parametrize("body", [SECRET, SECRET.encode(), None])
def test_repr_shows_neither_body_nor_lock_nor_properties(body):
    message = Message(body, {"key": SECRET}, {"messageId": "m-1", "lockId": f"AQEB{SECRET}"}, destination="orders")
    assert SECRET not in repr(message)
    assert "m-1" in repr(message)
    assert "orders" in repr(message)


def test_repr_says_how_large_the_body_is():
    assert "5 characters" in repr(Message("hello"))
    assert "3 bytes" in repr(Message(b"\xff\xfe\xfd"))
    assert "hidden" in repr(Message(None))


@pytest.mark.parametrize("duplicate", [pickle.dumps, copy.copy, copy.deepcopy])
def test_a_message_refuses_to_be_pickled_and_says_what_to_do(duplicate):
    with pytest.raises(TypeError, match=r"drain\(\)"):
        duplicate(Message("body", headers={"lockId": "AQEB"}))


@pytest.mark.parametrize(
    ("header", "name"), [("messageId", "message_id"), ("lockId", "lock_id"), ("messageGroupId", "message_group_id")]
)
@pytest.mark.parametrize(("value", "expected"), [("a", "a"), (5, "5"), (None, None)])
def test_headers_are_attributes_under_python_names(header, name, value, expected):
    assert getattr(Message("b", headers={header: value}), name) == expected
    assert getattr(Message("b"), name) is None


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("2", 2),
        (" 12 ", 12),
        ("-3", -3),
        (7, 7),
        (True, None),
        ("", None),
        ("-", None),
        ("--5", None),
        ("1.5", None),
        ("²", None),
        ("٣", None),
        ("9" * 5_000, None),
        (2.0, None),
        (None, None),
        ([], None),
    ],
)
def test_an_odd_number_in_a_header_is_no_number_and_no_error(value, expected):
    assert whole_number(value) == expected
    assert Message("b", headers={"deliveryCount": value}).delivery_count == expected


def test_json_null_is_one_false_thing_that_survives_copying():
    assert not NULL
    assert repr(NULL) == "NULL"
    assert pickle.loads(pickle.dumps(NULL)) is NULL
    assert copy.deepcopy({"a": NULL})["a"] is NULL
