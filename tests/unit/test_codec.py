from __future__ import annotations

import json
import uuid

import pytest

from courier_nb.core import exactjson
from courier_nb.core.errors import InvalidArgument
from courier_nb.core.messages import Message
from courier_nb.wire.codec import body_text, check_batch, message_to_wire, receipt
from tests.unit.scripts import item, one_received, received

HUGE = 10**40 + 1


@pytest.mark.parametrize(
    ("odd", "body"),
    [
        ({}, None),
        ({"headers": None, "properties": None, "body": None}, None),
        ({"headers": [], "properties": "x", "body": "b"}, "b"),
        ({"body": {"a": [1]}}, '{"a":[1]}'),
        ({"body": []}, "[]"),
        ({"body": 5}, "5"),
        ({"body": False}, "false"),
        ({"body": ""}, ""),
        ("text", "text"),
        (5, "5"),
        (None, None),
        ([1], "[1]"),
    ],
)
def test_one_odd_item_does_not_spoil_the_others(odd, body):
    before, message, after = received([item("first"), odd, item("last")])
    assert message.body == body
    assert message.destination == "orders"
    assert (before.message_id, after.message_id) == ("first", "last")
    assert (before.body, after.body) == ("body", "body")


def test_a_single_object_is_a_batch_of_one():
    assert [message.message_id for message in received(item("only"))] == ["only"]


def test_unknown_headers_and_fields_are_kept_or_ignored_but_never_in_the_way():
    (message,) = received([{**item("m", **{"X-Odd": {"a": 1}}), "more": "fields"}])
    assert message.headers["X-Odd"] == {"a": 1}


@pytest.mark.parametrize("part", ["headers", "properties"])
@pytest.mark.parametrize("value", [HUGE, -HUGE, 2**64, [HUGE], {"a": {"b": HUGE}}, 2**53 + 1])
def test_an_integer_of_any_size_arrives_exactly(part, value):
    assert getattr(one_received(**{part: {"n": value}}), part)["n"] == value


def test_an_integer_in_a_body_that_is_no_text_arrives_exactly():
    assert one_received(body={"n": HUGE}).body == f'{{"n":{HUGE}}}'


@pytest.mark.parametrize("number", ["9" * 5_000, "1e400"])
def test_a_number_that_python_cannot_hold_is_kept_as_text_and_spoils_nothing(number):
    messages = received(b'[{"properties": {"n": %s}, "body": "b"}, {"body": "next"}]' % number.encode())
    assert messages[0].properties == {"n": number}
    assert messages[1].body == "next"


def test_a_body_with_a_lone_surrogate_becomes_bytes_and_goes_back_as_it_came():
    message = one_received(body="a\ud800z")
    assert message.body == b"a\xed\xa0\x80z"
    assert message_to_wire(message)["body"] == "a\ud800z"


def test_a_body_that_is_not_utf8_becomes_the_bytes_it_was():
    (message,) = received(b'[{"body": "caf\xe9 \xff"}]')
    assert message.body == b"caf\xe9 \xff"
    with pytest.raises(InvalidArgument, match="base64"):
        message_to_wire(message)


@pytest.mark.parametrize("raw", [b"", b"[", b"<html>", b"[{]"])
def test_an_answer_that_is_not_json_is_an_error(raw):
    with pytest.raises(ValueError):
        received(raw)


def test_what_only_a_delivery_has_is_not_published():
    (message,) = received([item("m", ttl="3600000", deliveryDelay="0", messageGroupId="g", payloadHidden="false", custom="c")])
    assert message_to_wire(message) == {
        "headers": {"messageId": "m", "ttl": 3_600_000, "deliveryDelay": 0, "messageGroupId": "g", "custom": "c"},
        "properties": {},
        "body": "body",
    }


@pytest.mark.parametrize("value", ["soon", "-5", "", 5.5, None])
def test_a_number_that_is_none_is_published_as_it_is(value):
    assert message_to_wire(Message("b", headers={"ttl": value}))["headers"]["ttl"] == value


def test_a_message_without_an_id_is_given_one_of_its_own():
    first, second = (message_to_wire(Message("b"))["headers"]["messageId"] for _ in range(2))
    assert uuid.UUID(first).version == 4
    assert first != second


def test_a_withheld_body_cannot_be_published():
    with pytest.raises(InvalidArgument, match=r"'m-1' has no body.*payload_visibility"):
        body_text(Message(None, headers={"messageId": "m-1"}))


@pytest.mark.parametrize("size", [0, 11])
def test_a_batch_that_the_service_does_not_take_is_refused(size):
    with pytest.raises(InvalidArgument, match=f"A batch of {size}"):
        check_batch([None] * size)


def test_what_is_published_is_what_was_received():
    source = {
        "headers": {"messageId": "m"},
        "properties": {"n": HUGE, "f": 1.0, "s": "\ud800", "": None},
        "body": "\x00\ufeff\r\n",
    }
    sent = json.loads(exactjson.dumps(message_to_wire(one_received(**source))))
    assert sent == source
    assert type(sent["properties"]["f"]) is float


def test_a_lock_is_counted_from_before_the_call():
    known = receipt("orders", "env", sent_monotonic=100.0, now_monotonic=107.0, lock_ms=30_000)
    assert known.lock_deadline == 130.0
    assert (known.lock_expires_at - known.at).total_seconds() == pytest.approx(23.0)
