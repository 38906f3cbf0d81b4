"""Which failed call may be made again, as a table: decided by operation and by how it failed, never by HTTP verb.

In this API the verbs mislead: GET locks messages and spends a delivery, PUT publishes twice on a standard queue, DELETE
returns messages as well as deleting them.
"""

from __future__ import annotations

from enum import StrEnum

from courier_nb.core.errors import BadAnswer, CourierError, Throttled, Unavailable, Unreachable

ATTEMPTS = 6
WAIT_INITIAL_SECONDS = 0.2
WAIT_MAX_SECONDS = 15.0
RETRY_AFTER_MAX_SECONDS = 60.0


class Operation(StrEnum):
    """The ten operations of the Courier Messaging API, in the order of its page, and the helpers around them."""

    RECEIVE = "receive"
    PUBLISH_BATCH = "publish_batch"
    ACK_BATCH = "ack_batch"
    EXTEND_BATCH = "extend_batch"
    NACK_BATCH = "nack_batch"
    PUBLISH_ONE = "publish_one"
    ACK_ONE = "ack_one"
    EXTEND_ONE = "extend_one"
    NACK_ONE = "nack_one"
    AUTHORIZE = "authorize"
    LOOK_UP = "look_up"  # accounts, Admin and Stats reads: they change nothing


class FailurePoint(StrEnum):
    """How far a failed call had got."""

    BEFORE = "before"  # refused before any work: no connection, 429, 503 that says when to come back
    UNKNOWN = "unknown"  # sent, but no certain answer: timeout, reset, truncated answer, other 5xx
    FINAL = "final"  # the server's decision: 400, 401, 403, 404, 413


_AGAIN_WHEN_UNKNOWN: dict[Operation, bool] = {
    Operation.RECEIVE: False,  # up to a batch may be locked for nobody: the caller counts it and polls on
    Operation.PUBLISH_BATCH: False,  # a standard queue would hold the messages twice
    Operation.ACK_BATCH: True,  # a second ack of the same lock changes nothing
    Operation.EXTEND_BATCH: True,
    Operation.NACK_BATCH: False,  # the end of the lock does the same
    Operation.PUBLISH_ONE: False,
    Operation.ACK_ONE: True,
    Operation.EXTEND_ONE: True,
    Operation.NACK_ONE: False,
    Operation.AUTHORIZE: True,  # the same token comes back
    Operation.LOOK_UP: True,
}

SETTLING = frozenset(op for op in Operation if op.startswith(("ack", "nack", "extend")))
PUBLISHING = frozenset({Operation.PUBLISH_BATCH, Operation.PUBLISH_ONE})


def failure_point(error: CourierError) -> FailurePoint:
    """Return how far the call that raised `error` had got."""
    if error.before_sending:
        return FailurePoint.FINAL  # asking for the token was repeated already, where it may be
    match error:
        case Unreachable(sent=sent):
            return FailurePoint.UNKNOWN if sent else FailurePoint.BEFORE
        case BadAnswer():
            return FailurePoint.UNKNOWN
        case Throttled():
            return FailurePoint.BEFORE
        case Unavailable(outcome_unknown=unknown):
            return FailurePoint.UNKNOWN if unknown else FailurePoint.BEFORE
        case _:
            return FailurePoint.FINAL


def may_repeat(operation: Operation, error: CourierError, *, repeat_unknown: bool | None = None) -> bool:
    """Return whether the call may be made again, with the same ids.

    Parameters
    ----------
    operation : Operation
    error : CourierError
        What the last attempt raised.
    repeat_unknown : bool, optional
        Overrides the table for an unknown outcome: True where a repeat is harmless (a FIFO queue drops a repeated
        ``messageId`` within five minutes) or the user accepts duplicates.
    """
    point = failure_point(error)
    if point is FailurePoint.UNKNOWN:
        return _AGAIN_WHEN_UNKNOWN[operation] if repeat_unknown is None else repeat_unknown
    return point is FailurePoint.BEFORE


def retry_after(error: CourierError) -> float | None:
    """Return the seconds that the server asked for, capped; None when it asked for none."""
    asked = error.retry_after if isinstance(error, Throttled | Unavailable) else None
    return None if asked is None else min(max(asked, 0.0), RETRY_AFTER_MAX_SECONDS)
