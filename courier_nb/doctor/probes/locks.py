"""Locks: their length, its unit and limits, their end, and how settling them is answered."""

from __future__ import annotations

from typing import Any

from courier_nb.doctor.bench import Bench, Held
from courier_nb.doctor.caller import Answer
from courier_nb.doctor.probes.seen import Seen, is_refusal

UNIT_TTL = 4
"""As seconds it is seen clearly, as milliseconds it is over before anybody can look."""

LONGEST_DEFAULT_LOCK_MS = 30_000
SHORTEST_DEFAULT_LOCK_MS = 5_000
_TWELVE_HOURS_MS, _DAY_MS = 43_200_000, 86_400_000


async def lock_ttl_unit(bench: Bench) -> tuple[Seen, ...]:
    """Whether ``ttl`` of a lock change is in seconds or in milliseconds."""
    held = await bench.deliver()
    before = bench.pace.now()
    changed = await bench.change_lock(held, UNIT_TTL)
    if not changed.is_done:
        return (Seen.nothing(f"the lock could not be changed: {changed}"),)
    if await _comes_back(bench, held, poll_ms=1_500):
        elapsed = bench.pace.now() - before
        if elapsed < UNIT_TTL - 1:
            return (Seen(f"milliseconds: with ttl={UNIT_TTL} the message was back {elapsed:.1f} s later", ("ms",)),)
        return (Seen.nothing(f"the answers took {elapsed:.1f} s, too long to tell {UNIT_TTL} s from {UNIT_TTL} ms"),)
    for _ in range(2):
        if await _comes_back(bench, held, poll_ms=UNIT_TTL * 1_000):
            elapsed = bench.pace.now() - before
            return (Seen(f"seconds: with ttl={UNIT_TTL} the message was back after {elapsed:.1f} s, not before", ("s",)),)
    return (Seen.nothing(f"with ttl={UNIT_TTL} the message was not back after {bench.pace.now() - before:.0f} s"),)


async def receive_lock_limit(bench: Bench) -> tuple[Seen, ...]:
    """Whether a receive takes a lock of 24 hours."""
    day, _ = await bench.receive(poll_ms=1, lock_ms=_DAY_MS)
    if day.is_success:
        return (Seen("lockTtl of 24 h is taken", ("24h",)),)
    if is_refusal(day.status):
        half, _ = await bench.receive(poll_ms=1, lock_ms=_TWELVE_HOURS_MS)
        if half.is_success:
            return (Seen("lockTtl of 12 h is taken, of 24 h is refused", ("12h",)),)
    return (Seen.nothing(f"lockTtl of 24 h: {day}"),)


async def receive_lock_default(bench: Bench) -> tuple[Seen, ...]:
    """How long a lock lasts when the receive does not say."""
    default_ms = bench.subject.default_lock_ms or 0
    held = await bench.deliver(lock_ms=None)
    before = bench.pace.now()
    if await _comes_back(bench, held, poll_ms=1_500):
        return (Seen(f"the message was back after {bench.pace.now() - before:.1f} s, which is neither"),)
    await bench.pace.sleep(max(0.0, default_ms / 1_000 - 3))
    for _ in range(2):
        if await _comes_back(bench, held, poll_ms=4_000):
            elapsed = bench.pace.now() - before
            return (Seen(f"the queue's own: the message was back after {elapsed:.0f} s", ("queue",)),)
    elapsed = bench.pace.now() - before
    return (Seen(f"not the queue's own {default_ms} ms: the message was not back after {elapsed:.0f} s", ("2m",)),)


async def zero_lock(bench: Bench) -> tuple[Seen, ...]:
    """What ``lockTtl=0`` means."""
    held = await bench.deliver(lock_ms=0)
    if await _comes_back(bench, held, poll_ms=2_000):
        return (Seen("the message is visible again at once", ("visible",)),)
    return (Seen("the message is locked by default", ("default",)),)


async def expired_lock(bench: Bench) -> tuple[Seen, ...]:
    """Whether a lock that has run out is good for an ack while nobody has received the message again."""
    held = await bench.deliver(lock_ms=1_000)
    await bench.pace.sleep(3)
    acked = await bench.ack(held)
    if acked.is_success and acked.is_done:
        if await _comes_back(bench, held, poll_ms=2_000):
            return (Seen("it is answered as done, but the message comes again"),)
        return (Seen("it still deletes the message", ("ack-if-unread",)),)
    if acked.is_success or is_refusal(acked.status):
        return (Seen("it is refused", ("refuse",)),)
    return (Seen.nothing(acked),)


async def bad_settle_batch(bench: Bench) -> tuple[Seen, ...]:
    """How a batch is answered in which no lock is valid: with the lock of an earlier delivery."""
    first = await bench.deliver()
    await bench.nack(first)
    await bench.fetch(first.id)
    answers = [await bench.change_lock(first, 60), await bench.nack(first), await bench.ack(first)]
    if any(not answer.is_success and not is_refusal(answer.status) for answer in answers):
        return (Seen.nothing("; ".join(map(str, answers))),)
    if all(is_refusal(answer.status) for answer in answers):
        return (Seen("the whole batch is refused", ("refuse",)),)
    if all(answer.is_success and not answer.is_done for answer in answers):
        return (Seen("the items of the answer are failures", ("items",)),)
    return (Seen(f"change, nack and ack are answered differently: {'; '.join(map(_outcome, answers))}"),)


async def batch_settle_result(bench: Bench) -> tuple[Seen, ...]:
    """Whether a batch ack and a batch nack are answered with an array or with one object."""
    await bench.publish(bench.message(), bench.message())
    nacked = await bench.nack(*await bench.fetch_all(2))
    acked = await bench.ack(*await bench.fetch_all(2))
    shapes = {_shape(nacked.value), _shape(acked.value)}
    if not (nacked.is_success and acked.is_success):
        return (Seen.nothing(f"{nacked}; {acked}"),)
    if shapes == {"array"} or shapes == {"object"}:
        (shape,) = shapes
        return (Seen(f"one {shape} for a batch of two", (shape,)),)
    return (Seen(f"nack: {_shape(nacked.value)}, ack: {_shape(acked.value)}"),)


async def success_texts(bench: Bench) -> tuple[Seen, ...]:
    """Which words go with success."""
    batch, single = bench.message(), bench.message()
    answers = [await bench.publish(batch)]
    held = await bench.fetch(batch["headers"]["messageId"])
    answers += [await bench.change_lock(held, 60), await bench.nack(held)]
    held = await bench.fetch(held.id)
    answers.append(await bench.call("ack one", "DELETE", f"messages/{held.id}", {"lockId": held.lock}))
    bench.forget(held.id)
    bench.expect(single)
    answers.append(await bench.call("publish one", "PUT", f"messages/{single['headers']['messageId']}", single))
    answers.append(await bench.ack(await bench.fetch(single["headers"]["messageId"])))
    wrong = [answer for answer in answers if not answer.is_done]
    if wrong:
        return (Seen.nothing("; ".join(map(str, wrong))),)
    return (Seen("; ".join(f"{answer.label}: {answer.said!r}" for answer in answers)),)


async def _comes_back(bench: Bench, held: Held, *, poll_ms: int) -> bool:
    answer, found = await bench.receive(poll_ms=poll_ms)
    return answer.is_success and any(one.id == held.id for one in found)


def _shape(value: Any) -> str:
    match value:
        case list():
            return "array"
        case dict():
            return "object"
    return "neither array nor object"


def _outcome(answer: Answer) -> str:
    return f"{answer.label} {'done' if answer.is_done else answer.status}"
