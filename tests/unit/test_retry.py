"""The table of what may be repeated, against the one it was made from: no rule follows from an HTTP verb."""

from __future__ import annotations

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
    Unreachable,
)
from courier_nb.wire.retry import PUBLISHING, SETTLING, FailurePoint, Operation, failure_point, may_repeat, retry_after

DATA = {"operation": "any", "reason": ""}

BEFORE = [
    Unreachable("refused", operation="any", sent=False),
    Throttled("429", status=429, **DATA),
    Throttled("429", status=429, retry_after=3.0, **DATA),
    Unavailable("503", status=503, retry_after=3.0, **DATA),
    Unavailable("503", status=503, retry_after=0.0, **DATA),
]
UNKNOWN = [
    Unreachable("timeout", operation="any", sent=True),
    BadAnswer("cut off", operation="any", status=200),
    Unavailable("500", status=500, **DATA),
    Unavailable("503", status=503, **DATA),
]
FINAL = [
    Refused("400", status=400, **DATA),
    LockLost("400", status=400, **DATA),
    Unauthorized("401", status=401, **DATA),
    Forbidden("403", status=403, **DATA),
    DestinationNotFound("404", status=404, **DATA),
    TooLarge("413", status=413, **DATA),
    Refused("302", status=302, **DATA),
]
AGAIN_WHEN_UNKNOWN = {
    "receive": False,  # up to ten messages may be locked for nobody
    "publish_batch": False,  # a standard queue would hold them twice
    "ack_batch": True,
    "extend_batch": True,
    "nack_batch": False,  # the lock's end does the same
    "publish_one": False,
    "ack_one": True,
    "extend_one": True,
    "nack_one": False,
    "authorize": True,
    "look_up": True,
}


def test_the_table_is_about_every_operation():
    assert {operation.value for operation in Operation} == set(AGAIN_WHEN_UNKNOWN)


@pytest.mark.parametrize("operation", Operation)
@pytest.mark.parametrize("error", BEFORE, ids=str)
def test_what_was_refused_before_any_work_is_repeated(operation, error):
    assert failure_point(error) is FailurePoint.BEFORE
    assert may_repeat(operation, error)
    assert may_repeat(operation, error, repeat_unknown=False)


@pytest.mark.parametrize("operation", Operation)
@pytest.mark.parametrize("error", UNKNOWN, ids=str)
def test_an_unknown_outcome_is_repeated_only_where_that_is_harmless(operation, error):
    assert failure_point(error) is FailurePoint.UNKNOWN
    assert may_repeat(operation, error) is AGAIN_WHEN_UNKNOWN[operation]


@pytest.mark.parametrize("operation", Operation)
@pytest.mark.parametrize("wanted", [True, False])
def test_the_caller_may_know_better_about_an_unknown_outcome(operation, wanted):
    assert may_repeat(operation, UNKNOWN[0], repeat_unknown=wanted) is wanted


@pytest.mark.parametrize("operation", Operation)
@pytest.mark.parametrize("error", FINAL, ids=str)
@pytest.mark.parametrize("repeat_unknown", [None, True])
def test_the_servers_decision_is_final(operation, error, repeat_unknown):
    assert failure_point(error) is FailurePoint.FINAL
    assert not may_repeat(operation, error, repeat_unknown=repeat_unknown)


@pytest.mark.parametrize(
    ("asked", "waited"), [(None, None), (0.0, 0.0), (5.0, 5.0), (1e9, 60.0), (float("inf"), 60.0), (-3.0, 0.0)]
)
@pytest.mark.parametrize("cls", [Throttled, Unavailable])
def test_what_the_server_asks_for_is_obeyed_within_reason(cls, asked, waited):
    assert retry_after(cls("", status=429, retry_after=asked, **DATA)) == waited


@pytest.mark.parametrize("error", [UNKNOWN[0], UNKNOWN[1], *FINAL], ids=str)
def test_other_errors_name_no_time(error):
    assert retry_after(error) is None


def test_the_operations_are_sorted_by_what_they_do():
    assert {str(operation) for operation in PUBLISHING} == {"publish_batch", "publish_one"}
    assert {str(operation) for operation in SETTLING} == {
        f"{verb}_{size}" for verb in ("ack", "nack", "extend") for size in ("one", "batch")
    }
