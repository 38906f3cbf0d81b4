"""Publish: the lanes of a replay, without a ledger."""

from __future__ import annotations

import time
import uuid
from collections.abc import AsyncIterator, Iterable, Sequence
from dataclasses import replace

from courier_nb.core.messages import Message, Outcome
from courier_nb.core.progress import Counter
from courier_nb.flows.batches import Row
from courier_nb.flows.lanes import Lanes
from courier_nb.flows.replaying.survey import chunked
from courier_nb.flows.reports import Report
from courier_nb.flows.tally import Tally
from courier_nb.wire.operations import Operations


async def publish(
    operations: Operations, target: str, messages: Iterable[Message], *, concurrency: int, counter: Counter
) -> Report:
    """Publish messages; order is kept inside a message group."""
    started, calls, throttled = time.monotonic(), operations.calls, operations.throttled
    tally = Tally()

    async def before(rows: Sequence[Row]) -> None:
        """Nothing is recorded for a plain publish."""

    async def after(rows: Sequence[Row], outcomes: Sequence[Outcome]) -> None:
        for outcome in outcomes:
            tally.add(outcome)
        counter.done += len(rows)

    async def rows() -> AsyncIterator[Row]:
        position = 0
        async for chunk in chunked(messages):
            for message in chunk:
                yield Row(position, with_id(message))
                position += 1

    lanes = Lanes(operations, target, concurrency=concurrency, before=before, after=after)
    await lanes.run(rows())
    if lanes.fatal is not None and not tally.any_done:
        raise lanes.fatal
    outcomes = tally.in_order()
    report = Report("publish", target, outcomes, calls=operations.calls - calls, seconds=time.monotonic() - started)
    report.throttled = operations.throttled - throttled
    return report


def with_id(message: Message) -> Message:
    """Return the message with an id, a new one if it had none: a repeated call must carry the same."""
    if message.message_id is not None:
        return message
    return replace(message, headers={**message.headers, "messageId": str(uuid.uuid4())})
