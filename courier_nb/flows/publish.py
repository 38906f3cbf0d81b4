"""Publish and replay: the same lanes, without and with a ledger."""

from __future__ import annotations

import time
import uuid
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import islice
from typing import Literal

from anyio import to_thread

from courier_nb.core.errors import InvalidArgument
from courier_nb.core.messages import Message, Outcome
from courier_nb.core.progress import Counter
from courier_nb.flows.lanes import Lanes, Row
from courier_nb.flows.reports import ReplayPlan, Report, Tally
from courier_nb.flows.settle import BATCH
from courier_nb.storage.ledger import Ledger
from courier_nb.wire.codec import body_text
from courier_nb.wire.operations import Operations

Unknown = Literal["report", "resend"]
"""What to do with messages that an earlier run sent without a certain answer."""

_CHUNK = 500


async def publish(
    operations: Operations, target: str, messages: Iterable[Message], *, concurrency: int, counter: Counter
) -> Report:
    """Publish messages; order is kept inside a message group."""
    started, calls = time.monotonic(), operations.calls
    tally = Tally()

    async def before(rows: Sequence[Row]) -> None:
        """Nothing is recorded for a plain publish."""

    async def after(rows: Sequence[Row], outcomes: Sequence[Outcome]) -> None:
        for outcome in outcomes:
            tally.add(outcome)
        counter.done += len(rows)

    async def rows() -> AsyncIterator[Row]:
        position = 0
        async for chunk in _chunks(messages):
            for message in chunk:
                yield Row(position, with_id(message))
                position += 1

    lanes = Lanes(operations, target, concurrency=concurrency, before=before, after=after)
    await lanes.run(rows())
    if lanes.fatal is not None and not tally.any_done:
        raise lanes.fatal
    outcomes = tally.in_order()
    return Report("publish", target, outcomes, calls=operations.calls - calls, seconds=time.monotonic() - started)


async def replay(
    operations: Operations,
    target: str,
    messages: Iterable[Message],
    ledger: Ledger,
    *,
    concurrency: int,
    unknown: Unknown,
    counter: Counter,
) -> Report:
    """Publish messages again, each once: what an earlier run confirmed is skipped, what is unknown is shown.

    The ledger says ``sent`` before a batch leaves and ``confirmed`` when its answer is known.
    """
    started, calls = time.monotonic(), operations.calls
    tally = Tally()

    async def before(rows: Sequence[Row]) -> None:
        await ledger.record([(row.key, "sent") for row in rows])

    async def after(rows: Sequence[Row], outcomes: Sequence[Outcome]) -> None:
        for outcome in outcomes:
            tally.add(outcome)
        counter.done += len(rows)
        states = {"ok": "confirmed", "refused": None}
        await ledger.record(
            [(row.key, states[o.kind]) for row, o in zip(rows, outcomes, strict=True) if o.kind in states]  # type: ignore[misc]
        )

    async def rows() -> AsyncIterator[Row]:
        async for row, state in _with_states(messages, ledger):
            message_id = row.message.message_id
            if state == "confirmed":
                reason = "confirmed by an earlier run of this replay"
                tally.add(Outcome(message_id, target, "skipped", reason, row.position))
                counter.done += 1
            elif state == "sent" and unknown == "report":
                reason = "sent by an earlier run without a certain answer; unknown='resend' sends it again"
                tally.add(Outcome(message_id, target, "unknown", reason, row.position))
                lanes.stop_group(row.message, reason)
                counter.done += 1
            else:
                yield row

    lanes = Lanes(operations, target, concurrency=concurrency, before=before, after=after)
    await lanes.run(rows())
    if lanes.fatal is not None and not tally.any_done:
        raise lanes.fatal
    outcomes = tally.in_order()
    return Report("replay", target, outcomes, calls=operations.calls - calls, seconds=time.monotonic() - started)


async def plan(target: str, messages: Iterable[Message], ledger: Ledger, *, unknown: Unknown) -> ReplayPlan:
    """Return what `replay` would do."""
    result = ReplayPlan(target)
    groups = set()
    async for row, state in _with_states(messages, ledger):
        result.rows += 1
        result.already_confirmed += state == "confirmed"
        result.unknown += state == "sent"
        try:
            text = body_text(row.message)
        except InvalidArgument:
            result.unpublishable += 1
            continue
        if state is None or (state == "sent" and unknown == "resend"):
            result.to_send += 1
            result.body_bytes += len(text.encode("utf-8", "surrogatepass"))
            if row.message.message_group_id is not None:
                groups.add(row.message.message_group_id)
    result.groups = len(groups)
    result.calls = -(-result.to_send // BATCH)
    return result


def with_id(message: Message) -> Message:
    """Return the message with an id, a new one if it had none: a repeated call must carry the same."""
    if message.message_id is not None:
        return message
    return replace(message, headers={**message.headers, "messageId": str(uuid.uuid4())})


async def _with_states(messages: Iterable[Message], ledger: Ledger) -> AsyncIterator[tuple[Row, str | None]]:
    position = 0
    async for chunk in _chunks(messages):
        keys = await to_thread.run_sync(ledger.keys, chunk)
        states = await to_thread.run_sync(ledger.states, keys)
        for message, key, state in zip(chunk, keys, states, strict=True):
            yield Row(position, with_id(message), key), state
            position += 1


async def _chunks(messages: Iterable[Message]) -> AsyncIterator[list[Message]]:
    # Reading Parquet blocks, so it is done in a thread: the loop has answers to take.
    source = iter(messages)
    take: Callable[[], list[Message]] = lambda: _take(source)  # noqa: E731
    while chunk := await to_thread.run_sync(take):
        yield chunk


def _take(source: Iterator[Message]) -> list[Message]:
    return list(islice(source, _CHUNK))
