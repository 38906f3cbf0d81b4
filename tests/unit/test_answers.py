from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import httpx
import pytest

from courier_nb.core.errors import (
    BadAnswer,
    DestinationNotFound,
    Forbidden,
    LockLost,
    Refused,
    Throttled,
    TooLarge,
    Unauthorized,
    Unavailable,
)
from courier_nb.wire.answers import clean, decode, item_results, refusal
from courier_nb.wire.retry import SETTLING, Operation
from tests.unit.scripts import reply

LOCK = "AQEBwJnKyrHigUMZj6rYigCgxlaS3SLy0a/v6hEXAMPLE+TTsuVq2b7Kv8e0o4aZ1cDqSk0="


def refused(status: int, content: object = None, operation: Operation = Operation.RECEIVE, **headers: str) -> Refused:
    return refusal(operation, reply(status, content, **headers), "destination 'orders'")


@pytest.mark.parametrize("operation", Operation)
@pytest.mark.parametrize(
    ("status", "cls"),
    [
        (301, Refused),
        (307, Refused),
        (401, Unauthorized),
        (403, Forbidden),
        (404, DestinationNotFound),
        (405, Refused),
        (413, TooLarge),
        (418, Refused),
        (429, Throttled),
        (500, Unavailable),
        (502, Unavailable),
        (503, Unavailable),
        (599, Unavailable),
    ],
)
def test_the_class_follows_from_the_status(operation, status, cls):
    error = refused(status, {"statusMessage": "anything at all"}, operation)
    assert type(error) is cls
    assert (error.status, error.operation, error.reason) == (status, operation.value, "anything at all")
    assert str(status) in str(error)


@pytest.mark.parametrize("operation", Operation)
def test_400_means_a_lost_lock_only_where_there_is_a_lock(operation):
    assert type(refused(400, {"status": "failure"}, operation)) is (LockLost if operation in SETTLING else Refused)


@pytest.mark.parametrize(
    ("operation", "scope"),
    [
        (Operation.RECEIVE, "subscriber"),
        (Operation.ACK_BATCH, "subscriber"),
        (Operation.NACK_ONE, "subscriber"),
        (Operation.PUBLISH_BATCH, "publisher"),
        (Operation.EXTEND_BATCH, "publisher"),
        (Operation.LOOK_UP, "View destinations"),
    ],
)
def test_a_forbidden_call_names_the_scope_that_it_needs(operation, scope):
    assert scope in str(refused(403, None, operation))


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ({"status": "failure", "statusMessage": "Destination not found"}, "Destination not found"),
        ({"message": "queue not found"}, "queue not found"),
        ({"error": "invalid_client", "error_description": "no such client"}, "no such client"),
        ({"error": "invalid_client"}, "invalid_client"),
        ([{"status": "successful"}, {"status": "failure", "statusMessage": "Payload too large"}], "Payload too large"),
        ([{"status": "successful", "statusMessage": "fine"}], ""),
        ("Unauthorized", "Unauthorized"),
        ("<html><h1>502 Bad Gateway</h1></html>", "<html><h1>502 Bad Gateway</h1></html>"),
        (b"\xff\xfe oops", "\ufffd\ufffd oops"),
        (None, ""),
        ([], ""),
        ("null", ""),
        ("5", ""),
        ({"statusMessage": {"deep": 1}}, "{'deep': 1}"),
    ],
)
def test_the_reason_is_found_in_every_shape_of_answer(content, reason):
    assert refused(500, content).reason == reason


@pytest.mark.parametrize(
    "text",
    [
        f"LockId: {LOCK} provided is expired",
        f"lockid {LOCK}",
        f"LOCK ID:{LOCK}",
        f"no lock {LOCK} here",
        f"<a href='/messages/m/locks/{LOCK.replace('/', '%2F').replace('+', '%2B')}'>",
        "LockId: short provided is expired",
        f"the lock '{LOCK}'",
    ],
)
@pytest.mark.parametrize("wrap", [lambda text: {"statusMessage": text}, lambda text: [{"statusMessage": text}], str])
def test_a_lock_id_is_never_quoted(text, wrap):
    error = refused(400, wrap(text), Operation.ACK_ONE)
    for secret in ("wJnKyrHigUMZ", "hEXAMPLE", "short"):
        assert secret not in str(error)
        assert secret not in error.reason


def test_a_reason_is_one_short_line_of_harmless_characters():
    reason = refused(500, {"statusMessage": "a\x1b[31mred\x07\nb\u202e\u200b" + " x" * 500}).reason
    assert len(reason) <= 301
    assert reason.endswith("…")
    assert reason.isprintable()


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("0", 0.0), ("7", 7.0), (" 7 ", 7.0), ("1000000000", 1e9), ("9" * 400, float("inf"))],
)
@pytest.mark.parametrize("status", [429, 503])
def test_the_time_to_wait_is_read_in_seconds(status, text, seconds):
    assert refused(status, None, Retry_After=text).retry_after == seconds


@pytest.mark.parametrize("text", ["", "-5", "1.5", "1e3", "soon", "Fri, 99 Foo 2026 00:00:00 GMT", ","])
@pytest.mark.parametrize("status", [429, 503])
def test_a_time_that_cannot_be_read_is_no_time(status, text):
    assert refused(status, None, Retry_After=text).retry_after is None


@pytest.mark.parametrize("ahead", [-86_400, 0, 30, 86_400])
def test_the_time_to_wait_is_read_as_a_date_and_is_never_negative(ahead):
    date = format_datetime(datetime.now(UTC) + timedelta(seconds=ahead), usegmt=True)
    assert refused(429, None, Retry_After=date).retry_after == pytest.approx(max(ahead, 0), abs=5)


@pytest.mark.parametrize("content", [b"", b"<html>", b'{"a":', b"\xff"])
def test_a_success_that_is_not_json_is_a_bad_answer_and_is_not_quoted(content):
    with pytest.raises(BadAnswer, match="not known whether the call took effect") as caught:
        decode(Operation.ACK_BATCH, httpx.Response(200, content=content))
    assert (caught.value.status, caught.value.size, caught.value.operation) == (200, len(content), "ack_batch")
    assert "html" not in str(caught.value)


def test_item_results_are_read_from_a_list_or_a_single_object():
    item = {"messageId": "m", "status": "Successful"}
    lost = {"messageId": 5, "status": "failure", "statusMessage": f"LockId: {LOCK} provided is expired", "lockId": LOCK}
    many = item_results(Operation.ACK_BATCH, reply(200, [item, lost]))
    assert [(result.message_id, result.ok, result.reason) for result in many] == [
        ("m", True, ""),
        ("5", False, "LockId: … provided is expired"),
    ]
    assert item_results(Operation.ACK_BATCH, reply(200, item)) == many[:1]


@pytest.mark.parametrize("value", [[{}], ["text"], [{"status": None}], 5, None, "text", [[]]])
def test_an_item_without_a_status_is_a_bad_answer(value):
    with pytest.raises(BadAnswer, match="an item without a status"):
        item_results(Operation.ACK_BATCH, reply(200, json.dumps(value)))


def test_cleaning_leaves_ordinary_words_alone():
    assert clean("Destination not found") == "Destination not found"
