"""`rate=` holds every bulk verb back; what is refused is refused before anything is sent."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from courier_nb import AsyncDestination, InvalidArgument, Message, Rate
from courier_nb.core.rates import BURST_SECONDS

pytestmark = pytest.mark.anyio

COUNT = 40
QUICK = {"polling_time": "1ms", "progress": False}


def messages(size: int = 10) -> list[Message]:
    return [Message("b" * size, {}, {"messageId": f"m{i}"}) for i in range(COUNT)]


async def seconds_of(work: Awaitable[Any]) -> tuple[float, Any]:
    started = time.monotonic()
    result = await work
    return time.monotonic() - started, result


def least(amount: float, per_second: float, at_once: float) -> float:
    """The least time that an amount may take at a rate: a test of this side cannot fail on a slow machine."""
    return (amount - at_once) / per_second - BURST_SECONDS


async def test_publishing_keeps_to_messages_calls_and_bytes(dlq: AsyncDestination) -> None:
    spent, report = await seconds_of(dlq.publish(messages(), rate="100 msg/s", progress=False))
    assert report.counts == {"ok": COUNT}
    assert spent >= least(COUNT, 100, 10)
    spent, _ = await seconds_of(dlq.publish(messages(), rate="10 calls/s", progress=False))
    assert spent >= least(COUNT / 10, 10, 1)
    spent, _ = await seconds_of(dlq.publish(messages(1_000), rate=Rate(bytes=100_000), progress=False))
    assert spent >= least(COUNT * 1_000, 100_000, 10_000)


async def test_a_drain_counts_what_it_received_and_every_call(dlq: AsyncDestination, tmp_path: Path) -> None:
    await dlq.publish(messages(), progress=False)
    spent, capture = await seconds_of(dlq.drain(tmp_path / "a", rate="100 msg/s", empties=1, **QUICK))
    assert capture.report.acked == COUNT
    assert spent >= least(COUNT, 100, 10)
    await dlq.publish(messages(), progress=False)
    spent, capture = await seconds_of(dlq.drain(tmp_path / "b", rate="20 calls/s", concurrency=2, empties=1, **QUICK))
    assert capture.report.acked == COUNT
    # the last two receives and their acknowledgements may be made at once
    assert spent >= least(capture.report.calls, 20, 4)


async def test_receiving_and_settling_keep_to_a_rate(dlq: AsyncDestination) -> None:
    await dlq.publish(messages(), progress=False)
    spent, received = await seconds_of(dlq.receive(COUNT, rate="100 msg/s", **QUICK))
    assert len(received.messages) == COUNT
    assert spent >= least(COUNT, 100, 10)
    spent, report = await seconds_of(dlq.nack(received, rate="100 msg/s", progress=False))
    assert report.counts == {"ok": COUNT}
    assert spent >= least(COUNT, 100, 10)


async def test_a_replay_keeps_to_a_rate(dlq: AsyncDestination, queue: AsyncDestination, tmp_path: Path) -> None:
    await dlq.publish(messages(), progress=False)
    capture = await dlq.drain(tmp_path / "c", empties=1, **QUICK)
    spent, report = await seconds_of(queue.replay(capture, rate="100 msg/s", progress=False))
    assert report.counts == {"ok": COUNT}
    assert spent >= least(COUNT, 100, 10)


async def test_a_time_limit_ends_a_wait_for_the_rate(dlq: AsyncDestination, tmp_path: Path) -> None:
    await dlq.publish(messages(), progress=False)
    capture = await dlq.drain(tmp_path / "d", rate="1 msg/h", timeout="300ms", **QUICK)
    assert len(capture) <= 10
    assert capture.report.stopped_because == "time limit of 0.3 s reached"


Verb = Callable[[AsyncDestination], Awaitable[Any]]


@pytest.mark.parametrize("rate", ["fast", "100", Rate, 5])
async def test_what_is_not_a_rate_is_refused_before_anything_is_sent(dlq: AsyncDestination, tmp_path: Path, rate: Any) -> None:
    verbs: list[Verb] = [
        lambda d: d.publish(messages(), rate=rate, progress=False),
        lambda d: d.drain(tmp_path / "e", rate=rate, progress=False),
        lambda d: d.peek(1, rate=rate, progress=False),
    ]
    for verb in verbs:
        with pytest.raises(InvalidArgument, match="not a rate"):
            await verb(dlq)
    assert not (tmp_path / "e").exists()
