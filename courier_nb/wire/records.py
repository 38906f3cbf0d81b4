"""What a record keeper is told of each call: before it is sent, and how it ended. Never bodies, properties or lock ids."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

from courier_nb.core.errors import Closed, ConfigError, CourierError, InvalidArgument, Refused, Unreachable
from courier_nb.core.messages import ItemResult, Message
from courier_nb.wire.retry import FailurePoint, Operation, failure_point

CallKind = Literal["ok", "partly", "refused", "unknown", "not_sent"]
"""How a call ended: done; done for some messages; refused; no certain answer; never left this machine."""


@dataclass(frozen=True, slots=True)
class CallOutcome:
    """How a call ended.

    Attributes
    ----------
    kind : {"ok", "partly", "refused", "unknown", "not_sent"}
    received : sequence of (str or None, int or None), optional
        Message id and delivery count of what a receive brought.
    failed : sequence of str
        Ids of the messages that the answer says failed.
    error : str, optional
        Class of the error.
    status : int, optional
        HTTP status of a refusal.
    """

    kind: CallKind
    received: Sequence[tuple[str | None, int | None]] | None = None
    failed: Sequence[str] = ()
    error: str | None = None
    status: int | None = None


class Recorder(Protocol):
    """Keeps a record of the calls."""

    async def before(
        self,
        operation: Operation,
        destination: str,
        environment: str,
        *,
        message_ids: Sequence[str] = (),
        asked: int | None = None,
    ) -> str:
        """Record a call that is about to be made, and return what its answer is recorded under; raise to prevent it."""
        ...

    def after(self, call: str, operation: Operation, destination: str, environment: str, outcome: CallOutcome) -> None:
        """Record how a call ended."""
        ...


def of_delivery(messages: Sequence[Message]) -> CallOutcome:
    """Return the outcome of a receive."""
    return CallOutcome("ok", received=[(message.message_id, message.delivery_count) for message in messages])


def of_results(results: Sequence[ItemResult]) -> CallOutcome:
    """Return the outcome of a call that settles or publishes."""
    failed = [result.message_id for result in results if not result.ok]
    return CallOutcome("ok" if not failed else "partly" if len(failed) < len(results) else "refused", failed=failed)


def of_error(error: BaseException) -> CallOutcome:
    """Return the outcome of a call that raised."""
    name = type(error).__name__
    if not isinstance(error, CourierError):
        return CallOutcome("unknown", error=name)  # interrupted: it may have been on its way
    if error.before_sending or isinstance(error, ConfigError | InvalidArgument | Closed):
        return CallOutcome("not_sent", error=name)
    if isinstance(error, Unreachable) and not error.sent:
        return CallOutcome("not_sent", error=name)
    is_unknown = error.after_unknown or failure_point(error) is FailurePoint.UNKNOWN
    status = error.status if isinstance(error, Refused) else None
    return CallOutcome("unknown" if is_unknown else "refused", error=name, status=status)
