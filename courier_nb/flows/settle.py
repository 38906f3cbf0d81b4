"""Ack, nack and extend for any number of messages: batches of ten, every item matched to its answer."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Literal

from courier_nb.core.errors import CourierError, LockLost, Throttled, TooLarge, Unavailable
from courier_nb.core.messages import ItemResult, Message, Outcome
from courier_nb.core.progress import Counter, stop_asked
from courier_nb.flows.reports import Report
from courier_nb.flows.stops import STOPPED
from courier_nb.flows.tally import Tally
from courier_nb.flows.together import together
from courier_nb.wire.operations import Lock, Operations
from courier_nb.wire.retry import FailurePoint, failure_point

SettleVerb = Literal["ack", "nack", "extend"]
BATCH = 10
_ECHO = "an earlier attempt had no certain answer and may have done it; the repeat was refused"


@dataclass(frozen=True, slots=True)
class Held:
    """A message that we hold the lock of.

    Attributes
    ----------
    message_id, lock_id : str
    deadline : float
        Earliest end of the lock on the monotonic clock (seconds), which nobody sets forward or back.
    """

    message_id: str
    lock_id: str
    deadline: float

    @property
    def expires(self) -> float:
        """The same in seconds since the epoch, by the clock as it stands now; to be shown, not to decide by."""
        return time.time() + self.deadline - time.monotonic()

    @property
    def is_over(self) -> bool:
        """Whether the lock has run out."""
        return self.deadline <= time.monotonic()


def held(message: Message) -> Held | None:
    """Return what is needed to settle a received message; None if it came without id or lock."""
    if message.message_id is None or message.lock_id is None:
        return None
    deadline = message.lock_deadline
    if deadline is None:
        deadline = deadline_of(message.lock_expires_at.timestamp()) if message.lock_expires_at else float("inf")
    return Held(message.message_id, message.lock_id, deadline)


def deadline_of(expires: float) -> float:
    """Return a time (seconds since the epoch) on the monotonic clock."""
    return time.monotonic() + expires - time.time()


async def settle(
    operations: Operations,
    verb: SettleVerb,
    destination: str,
    rows: Sequence[Held],
    *,
    lock_ms: int = 0,
    concurrency: int = 8,
    counter: Counter | None = None,
    is_urgent: bool = False,
) -> Report:
    """Settle `rows` and return one outcome for each.

    A lock that has run out is not tried: the outcome says so. An error that concerns the whole destination is raised if
    nothing was settled; otherwise the rest is reported as skipped. What is urgent does not wait for its turn at a rate.
    """
    started, calls, throttled = time.monotonic(), operations.calls, operations.throttled
    tally = Tally()
    fatal: list[CourierError] = []
    live = [(position, row) for position, row in enumerate(rows) if not row.is_over]
    for position, row in enumerate(rows):
        if row.is_over:
            tally.add(replace(_over(row, destination), position=position))
    batches = iter([live[start : start + BATCH] for start in range(0, len(live), BATCH)])

    async def worker() -> None:
        for batch in batches:
            if not fatal and not is_urgent:
                await operations.turn(calls=0, messages=len(batch))
            if fatal or (stop_asked() and not is_urgent):
                reason = f"not tried after: {fatal[0]}" if fatal else f"{STOPPED} before it was sent"
                outcomes = [Outcome(row.message_id, destination, "skipped", reason) for _, row in batch]
            else:
                try:
                    outcomes = await settle_batch(operations, verb, destination, [row for _, row in batch], lock_ms=lock_ms)
                except CourierError as error:
                    fatal.append(error)
                    outcomes = [Outcome(row.message_id, destination, "refused", str(error)) for _, row in batch]
            for (position, _), outcome in zip(batch, outcomes, strict=True):
                tally.add(Outcome(outcome.message_id, destination, outcome.kind, outcome.reason, position))
            if counter is not None:
                counter.done += len(batch)

    await together([worker] * min(concurrency, max(1, len(live) // BATCH + 1)))
    if fatal and not tally.any_done:
        raise fatal[0]
    report = Report(verb, destination, tally.in_order(), calls=operations.calls - calls, seconds=time.monotonic() - started)
    report.throttled = operations.throttled - throttled
    return report


async def settle_batch(
    operations: Operations, verb: SettleVerb, destination: str, batch: Sequence[Held], *, lock_ms: int = 0
) -> list[Outcome]:
    """Settle at most ten messages and return an outcome for each, in order. Locks that have run out are not tried.

    Raises
    ------
    Unauthorized, Forbidden, DestinationNotFound, Refused
        What concerns the destination as a whole.
    """
    if any(row.is_over for row in batch):
        return await _those_alive(operations, verb, destination, batch, lock_ms)
    locks = [(row.message_id, row.lock_id) for row in batch]
    operations.charge(calls=1)
    try:
        results = await _call_batch(operations, verb, destination, locks, lock_ms, min(row.deadline for row in batch))
    except LockLost as error:
        if error.before_sending:  # it had to wait until the first of the locks ran out
            return await _those_alive(operations, verb, destination, batch, lock_ms)
        if error.after_unknown:
            return [Outcome(row.message_id, destination, "unknown", _ECHO) for row in batch]
        if len(batch) == 1:
            return [Outcome(batch[0].message_id, destination, "lost_lock", error.reason or str(error))]
        return await _one_by_one(operations, verb, destination, batch, lock_ms)
    except CourierError as error:
        is_unknown = error.after_unknown or failure_point(error) is FailurePoint.UNKNOWN
        kind: Literal["unknown", "refused"] = "unknown" if is_unknown else "refused"
        if kind == "refused" and not isinstance(error, Throttled | Unavailable | TooLarge):
            raise
        return [Outcome(row.message_id, destination, kind, str(error)) for row in batch]
    return [
        Outcome(row.message_id, destination, *_verdict(result))
        for row, result in zip(batch, match([row.message_id for row in batch], results), strict=True)
    ]


async def _those_alive(
    operations: Operations, verb: SettleVerb, destination: str, batch: Sequence[Held], lock_ms: int
) -> list[Outcome]:
    """Settle the messages whose locks have not run out."""
    outcomes = {i: _over(row, destination) for i, row in enumerate(batch) if row.is_over}
    alive = [i for i in range(len(batch)) if i not in outcomes]
    if alive:
        settled = await settle_batch(operations, verb, destination, [batch[i] for i in alive], lock_ms=lock_ms)
        outcomes.update(zip(alive, settled, strict=True))
    return [outcomes[i] for i in range(len(batch))]


def _over(row: Held, destination: str) -> Outcome:
    ended = datetime.fromtimestamp(row.expires, UTC)
    return Outcome(row.message_id, destination, "lost_lock", f"its lock ran out at {ended:%H:%M:%S} UTC; not sent")


async def _one_by_one(
    operations: Operations, verb: SettleVerb, destination: str, batch: Sequence[Held], lock_ms: int
) -> list[Outcome]:
    """Settle each message by itself: one lost lock may have spoilt the call for all of them (undocumented)."""
    outcomes: list[Outcome] = []
    failed: CourierError | None = None
    for row in batch:
        if failed is not None:
            outcomes.append(Outcome(row.message_id, destination, "skipped", f"not tried after: {failed}"))
            continue
        try:
            outcomes += await settle_batch(operations, verb, destination, [row], lock_ms=lock_ms)
        except CourierError as error:
            if not any(outcome.kind in ("ok", "unknown") for outcome in outcomes):
                raise
            failed = error
            outcomes.append(Outcome(row.message_id, destination, "refused", str(error)))
    return outcomes


def match(ids: Sequence[str], results: Sequence[ItemResult]) -> list[ItemResult | None]:
    """Return the result of each id, in the order of `ids`; None where the answer has none.

    Answers may be reordered, short, or name ids that were not asked for. Equal ids are matched in order.
    """
    by_id: dict[str, list[ItemResult]] = defaultdict(list)
    for result in results:
        by_id[result.message_id].append(result)
    return [by_id[id_].pop(0) if by_id[id_] else None for id_ in ids]


def _verdict(result: ItemResult | None) -> tuple[Literal["ok", "lost_lock", "unknown"], str]:
    if result is None:
        return "unknown", "the answer does not mention it"
    if result.after_unknown and not result.ok:
        return "unknown", _ECHO
    # A settling call can fail for one item only because of its lock: what concerns the queue fails the whole call.
    return ("ok", "") if result.ok else ("lost_lock", result.reason or "the service refused it")


async def _call_batch(
    operations: Operations, verb: SettleVerb, destination: str, locks: list[Lock], lock_ms: int, give_up_at: float
) -> list[ItemResult]:
    if verb == "ack":
        return await operations.ack_batch(destination, locks, give_up_at=give_up_at)
    if verb == "nack":
        return await operations.nack_batch(destination, locks, give_up_at=give_up_at)
    return await operations.extend_batch(destination, locks, lock_ms, give_up_at=give_up_at)
