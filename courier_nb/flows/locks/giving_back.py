"""Giving held messages back: by nack, or put back whole where a nack would send them to the dead-letter queue."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Awaitable, Callable, Sequence

from courier_nb.core.clock import Clock
from courier_nb.core.errors import CourierError
from courier_nb.core.messages import Message, Outcome
from courier_nb.flows.locks.holding import HeldRow
from courier_nb.flows.settle import Held, SettleVerb, settle
from courier_nb.wire.operations import MAX_LOCK_MS, Operations

PutBack = Callable[[str, Sequence[Message], Sequence[Held]], Awaitable[Sequence[Outcome]]]
"""Given a destination, messages of it and their locks: publishes each afresh, acknowledges it, and returns the outcomes."""

_LANES = 8
_AT_A_TIME = 16


async def give_back(operations: Operations, rows: Sequence[HeldRow], clock: Clock) -> tuple[list[Outcome], int]:
    """Return messages to the queue, the last received first; return their outcomes in the order given, and the calls made.

    Going backwards keeps the order inside a message group: an earlier message is never passed by a later one.
    """
    calls = operations.calls
    lanes: dict[tuple[str, int], list[int]] = defaultdict(list)
    for place in reversed(range(len(rows))):
        row = rows[place]
        # the batches of one group go one after the other, in one lane; what has no group shares one that has no order
        lanes[row.destination, -1 if row.group is None else hash(row.group) % _LANES].append(place)
    found: dict[int, Outcome] = {}

    async def empty(destination: str, lane: int, places: list[int]) -> None:
        now = clock.monotonic()
        locks = [rows[place].as_held(now) for place in places]
        at_a_time = _AT_A_TIME if lane < 0 else 1
        try:
            report = await settle(operations, "nack", destination, locks, concurrency=at_a_time, is_urgent=True)
            outcomes = report.outcomes
        except CourierError as error:
            outcomes = tuple(Outcome(lock.message_id, destination, "unknown", str(error)) for lock in locks)
        for place, outcome in zip(places, outcomes, strict=True):
            note_settling(rows[place], "nack", outcome, clock.monotonic())
            found[place] = Outcome(outcome.message_id, destination, outcome.kind, outcome.reason, place)

    await asyncio.gather(*(empty(destination, lane, places) for (destination, lane), places in lanes.items()))
    return [found[place] for place in range(len(rows))], operations.calls - calls


async def put_back_whole(rows: Sequence[HeldRow], put_back: PutBack | None, clock: Clock) -> list[Outcome]:
    """Publish messages afresh and acknowledge them; return their outcomes in the order given."""
    by_destination: dict[str, list[int]] = defaultdict(list)
    for place, row in enumerate(rows):
        by_destination[row.destination].append(place)
    found = {
        place: Outcome(row.message_id, row.destination, "skipped", "this client may not put messages back", place)
        for place, row in enumerate(rows)
    }
    if put_back is None:
        return list(found.values())
    for destination, places in by_destination.items():
        now = clock.monotonic()
        whole = [(place, message) for place in places if (message := rows[place].message) is not None]
        locks = [rows[place].as_held(now) for place, _ in whole]
        try:
            outcomes = await put_back(destination, [message for _, message in whole], locks)
        except CourierError as error:
            outcomes = [Outcome(lock.message_id, destination, "refused", str(error)) for lock in locks]
        for (place, _), outcome in zip(whole, outcomes, strict=True):
            found[place] = Outcome(outcome.message_id, destination, outcome.kind, outcome.reason, place)
            if outcome.kind == "ok":
                rows[place].ended, rows[place].ended_at = "put_back", clock.monotonic()
            elif outcome.kind == "lost_lock":
                rows[place].ended, rows[place].ended_at = "lost_lock", min(clock.monotonic(), rows[place].certain_end)
    return [found[place] for place in range(len(rows))]


async def rescue(operations: Operations, rows: Sequence[HeldRow], put_back: PutBack | None, clock: Clock) -> None:
    """Put back whole what a return would dead-letter; what cannot be put back stays locked for as long as the service allows."""
    await put_back_whole(rows, put_back, clock)
    staying: dict[str, list[HeldRow]] = defaultdict(list)
    for row in rows:
        if row.ended is None:
            staying[row.destination].append(row)
    for destination, left in staying.items():
        locks = [row.as_held(clock.monotonic()) for row in left]
        await settle(operations, "extend", destination, locks, lock_ms=MAX_LOCK_MS, is_urgent=True)


async def give_back_or_rescue(rows: Sequence[HeldRow], operations: Operations, put_back: PutBack | None, clock: Clock) -> None:
    """Give messages back, each the way that does it least harm."""
    last = [row for row in rows if row.is_last_chance]
    others = [row for row in rows if not row.is_last_chance]
    await asyncio.gather(give_back(operations, others, clock), rescue(operations, last, put_back, clock))


def note_settling(row: HeldRow, verb: SettleVerb, outcome: Outcome, now: float) -> None:
    """Note on a row how an ack or a nack of it ended."""
    if outcome.kind == "ok":
        row.ended, row.ended_at = ("acked" if verb == "ack" else "returned"), now
    elif outcome.kind == "lost_lock":
        row.ended, row.ended_at = "lost_lock", min(now, row.end(now))
    elif outcome.kind == "unknown":
        row.certain_end = min(row.certain_end, now)


def note_extension(row: HeldRow, outcome: Outcome, now: float, until: float) -> None:
    """Note on a row how an extension ended that was to make the lock last until `until`."""
    if outcome.kind == "ok":
        row.certain_end = row.possible_end = until
        row.extended += 1
    elif outcome.kind == "lost_lock":
        row.ended, row.ended_at = "lost_lock", min(now, row.end(now))
    elif outcome.kind == "unknown":
        row.possible_end = max(row.possible_end, until)
