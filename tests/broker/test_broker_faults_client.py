"""What our own client promises, kept under every fault: nothing lost, nothing deleted before it is on disk, nothing hidden."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import httpx
import pytest

from courier_nb import AsyncClient, AsyncDestination, Capture, CourierError, Forbidden, Message, Unauthorized
from courier_nb.broker import Fault, LocalBroker
from courier_nb.broker.config.faults import KINDS, FaultKind
from courier_nb.client import broker_settings
from courier_nb.storage.spool import read_spool
from courier_nb.wire import sender
from courier_nb.wire.transport import PooledTransport
from tests.contract.conftest import RunningClock

pytestmark = pytest.mark.anyio

QUICK: dict[str, Any] = {"polling_time": "20ms", "progress": False}
LOCK_SECONDS = 30
BATCHES = ("ack_batch", "nack_batch", "extend_batch", "publish_batch")

# One of each, often enough to strike several times, and seldom enough that two workers get on between its strikes.
EACH: dict[FaultKind, Fault] = {
    "unauthorized": Fault("unauthorized", every=4),
    "forbidden": Fault("forbidden", after=5, times=2),
    "throttled": Fault("throttled", every=3, retry_after=0),
    "error": Fault("error", every=4, effect=True),
    "unavailable": Fault("unavailable", every=4, retry_after=0),
    "plain_text": Fault("plain_text", every=4, text="<html>oops</html>", content_type="text/html"),
    "delay": Fault("delay", every=3, seconds=0.01),
    "cut_before": Fault("cut_before", every=4),
    "cut_after": Fault("cut_after", every=4),
    "truncated": Fault("truncated", every=4),
    "short_batch": Fault("short_batch", every=2, limit=0),
    "duplicate": Fault("duplicate", every=4),
    "item_failure": Fault("item_failure", every=2, items=(0, 3, 9)),
    "object_not_array": Fault("object_not_array", every=2),
    "stats_lag": Fault("stats_lag", seconds=60),
}


def storm(seed: int) -> list[Fault]:
    """Return all that can go wrong with messages, by lot, about half of the time."""
    return [
        Fault("cut_before", probability=0.06, seed=seed),
        Fault("cut_after", probability=0.06, seed=seed),
        Fault("throttled", probability=0.05, seed=seed),
        Fault("throttled", probability=0.05, seed=seed + 1, retry_after=0),
        Fault("error", probability=0.05, seed=seed),
        Fault("error", probability=0.05, seed=seed + 1, effect=True),
        Fault("unavailable", probability=0.05, seed=seed),
        Fault("plain_text", probability=0.04, seed=seed, status=504, text="<h1>late</h1>", content_type="text/html", effect=True),
        Fault("truncated", probability=0.06, seed=seed),
        Fault("unauthorized", probability=0.03, seed=seed),
        Fault("short_batch", probability=0.1, seed=seed, limit=0),
        Fault("short_batch", probability=0.1, seed=seed + 1, limit=3),
        Fault("duplicate", probability=0.1, seed=seed),
        Fault("item_failure", probability=0.2, seed=seed, share=0.4),
        Fault("object_not_array", probability=0.1, seed=seed),
        Fault("delay", probability=0.05, seed=seed, seconds=0.01),
        Fault("cut_after", operations=("accounts", "admin", "stats"), probability=0.2, seed=seed),
    ]


@pytest.fixture(autouse=True)
def no_patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """Repeat at once: how long is waited is tested elsewhere."""
    monkeypatch.setattr(sender, "_backoff", lambda state: 0.0)


@pytest.fixture
def clock() -> RunningClock:
    return RunningClock()


class OnDiskFirst(httpx.AsyncBaseTransport):
    """Passes requests on; looks whether what is acknowledged in batches is in a spool of the capture."""

    def __init__(self, inner: httpx.AsyncBaseTransport, folder: Path) -> None:
        self._inner = inner
        self._folder = folder
        self.checked = 0

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        if request.method == "DELETE" and request.url.path.endswith("/messages"):
            asked = {item["messageId"] for item in json.loads(request.content)}
            on_disk = {
                message.message_id
                for path in self._folder.rglob("*.spool")
                for answer in read_spool(path)
                for message in answer.messages
            }
            assert asked <= on_disk
            self.checked += len(asked)
        return await self._inner.handle_async_request(request)

    async def aclose(self) -> None:
        await self._inner.aclose()


def messages(count: int) -> list[Message]:
    return [Message(f"body {i}", {"n": i}, {"messageId": f"m{i}"}) for i in range(count)]


def stored(broker: LocalBroker, queue: str) -> Counter[str]:
    return Counter(message.id for message in broker.messages(queue, limit=10_000))


@pytest.fixture
async def queue(broker: LocalBroker) -> AsyncIterator[AsyncDestination]:
    """The queue ``q``, reached in-process."""
    async with AsyncClient(broker_settings(broker.settings), transport=broker.transport()) as client:
        yield client.destination("q")


@asynccontextmanager
async def watched(broker: LocalBroker, folder: Path, door: str) -> AsyncIterator[tuple[AsyncDestination, OnDiskFirst]]:
    """Reach the queue ``q`` through a transport that watches what is acknowledged."""
    if door == "in_process":
        watch = OnDiskFirst(broker.transport(), folder)
        async with AsyncClient(broker_settings(broker.settings), transport=watch) as client:
            yield client.destination("q"), watch
        return
    with broker.serving() as settings:
        watch = OnDiskFirst(PooledTransport(), folder)
        async with AsyncClient(broker_settings(settings), transport=watch) as client:
            yield client.destination("q"), watch


async def drain_to_the_end(
    queue: AsyncDestination, broker: LocalBroker, clock: RunningClock, folder: Path, concurrency: int
) -> Capture:
    """Drain, again and again: the messages of calls whose answer was lost come back when their locks have ended."""
    for _ in range(60):
        with suppress(CourierError):
            capture = await queue.drain(folder, lock_ttl=f"{LOCK_SECONDS}s", concurrency=concurrency, **QUICK)
            report = capture.report
            owned_up = 10 * report.ghost_receives + report.received - report.acked
            assert broker.depth("q")["inflight"] <= owned_up  # what is locked for nobody is not kept quiet
        clock.advance(LOCK_SECONDS + 1)
        if broker.depth("q") == {"messages": 0, "inflight": 0}:
            return Capture(folder)
    pytest.fail(f"after 60 drains there is still something left: {broker.depth('q')}")


def check_all_there(capture: Capture, count: int) -> None:
    wanted = {f"m{i}": f"body {i}" for i in range(count)}
    frame = capture.frame()
    assert dict(zip(frame["message_id"], frame["body"], strict=True)) == wanted
    assert capture.verify().ok
    assert capture.unfinished == 0


def test_there_is_a_fault_of_every_kind() -> None:
    assert set(EACH) == set(KINDS)


@pytest.mark.parametrize("door", ["in_process", "socket"])
@pytest.mark.parametrize("kind", KINDS)
async def test_a_drain_captures_everything_under_each_fault(
    broker: LocalBroker, clock: RunningClock, tmp_path: Path, kind: FaultKind, door: str
) -> None:
    folder = tmp_path / "capture"
    async with watched(broker, folder, door) as (queue, watch):
        assert (await queue.publish(messages(60), progress=False)).ok
        with broker.faults.during(EACH[kind]) as (fault,):
            capture = await drain_to_the_end(queue, broker, clock, folder, 2)
        assert fault.strikes or kind == "stats_lag"  # which a drain without a progress bar does not ask for
        assert watch.checked >= 60
    check_all_there(capture, 60)


@pytest.mark.parametrize(("door", "seed"), [("in_process", 1), ("in_process", 3), ("socket", 2)])
async def test_a_drain_captures_everything_under_all_faults_at_once(
    broker: LocalBroker, clock: RunningClock, tmp_path: Path, door: str, seed: int
) -> None:
    folder = tmp_path / "capture"
    async with watched(broker, folder, door) as (queue, watch):
        assert (await queue.publish(messages(400), progress=False)).ok
        with broker.faults.during(*storm(seed)) as faults:
            capture = await drain_to_the_end(queue, broker, clock, folder, 16)
        assert sum(fault.strikes for fault in faults) > 30
        assert watch.checked >= 400
    check_all_there(capture, 400)


PUBLISHING = [Fault(kind, every=3) for kind in ("cut_before", "cut_after", "truncated", "error", "throttled")]
PUBLISHING += [Fault("error", every=3, effect=True), Fault("item_failure", items=(0, 4)), Fault("unauthorized", every=3)]


def check_publish(outcomes: Iterator[Any], found: Counter[str]) -> Counter[str]:
    """Compare what was reported with what the queue holds; return how often each outcome was reported."""
    kinds: Counter[str] = Counter()
    for outcome in outcomes:
        kinds[outcome.kind] += 1
        held = found.pop(outcome.message_id, 0)
        allowed = {"ok": (1,), "unknown": (0, 1)}.get(outcome.kind, (0,))
        assert held in allowed, f"{outcome.message_id} was reported {outcome.kind}, and {held} are in the queue"
    assert not found
    return kinds


@pytest.mark.parametrize("fault", PUBLISHING, ids=lambda fault: f"{fault.kind}{' with effect' if fault.effect else ''}")
async def test_a_publish_reports_what_was_stored_and_repeats_nothing_uncertain(
    queue: AsyncDestination, broker: LocalBroker, fault: Fault
) -> None:
    with broker.faults.during(fault) as (struck,):
        report = await queue.publish(messages(90), concurrency=2, progress=False)
    assert struck.strikes
    kinds = check_publish(iter(report), stored(broker, "q"))
    uncertain = fault.kind in ("cut_before", "cut_after", "truncated", "error")
    assert bool(kinds["unknown"]) == uncertain
    assert bool(kinds["refused"]) == (fault.kind == "item_failure")


@pytest.mark.parametrize("seed", range(4))
async def test_a_publish_in_a_storm_reports_what_was_stored(queue: AsyncDestination, broker: LocalBroker, seed: int) -> None:
    with broker.faults.during(*storm(seed)):
        try:
            report = await queue.publish(messages(300), progress=False)
        except Unauthorized:
            assert not stored(broker, "q")  # nothing was done, and so the error is raised
            return
    kinds = check_publish(iter(report), stored(broker, "q"))
    assert kinds["ok"]
    assert kinds["unknown"]


@pytest.mark.parametrize("seed", range(4))
async def test_a_replay_in_a_storm_sends_no_message_twice(
    queue: AsyncDestination, broker: LocalBroker, tmp_path: Path, seed: int
) -> None:
    ledger = tmp_path / "ledger.jsonl"
    with broker.faults.during(*storm(seed)):
        for _ in range(3):
            with suppress(CourierError):
                await queue.replay(messages(200), ledger=ledger, progress=False)
    report: Any = await queue.replay(messages(200), ledger=ledger, progress=False)
    found = stored(broker, "q")
    assert max(found.values()) == 1
    unknown = {outcome.message_id for outcome in report if outcome.kind == "unknown"}
    assert set(found) | unknown == {f"m{i}" for i in range(200)}
    assert set(report.counts) <= {"ok", "skipped", "unknown"}


@pytest.mark.parametrize("seed", range(4))
async def test_in_a_storm_no_message_of_a_group_is_published_past_an_earlier_one(broker: LocalBroker, seed: int) -> None:
    broker.create_queue("q2", fifo=True)
    groups = ("g1", "g2", "g3")
    rows = [Message(f"{i}", {}, {"messageId": f"{g} {i}", "messageGroupId": g}) for i in range(40) for g in groups]
    faults = [fault for fault in storm(seed) if fault.kind != "item_failure"]  # which leaves gaps within one call
    async with AsyncClient(broker_settings(broker.settings), transport=broker.transport()) as client:
        with broker.faults.during(*faults), suppress(CourierError):
            await client.destination("q2").publish(rows, concurrency=2, progress=False)
    for group in groups:
        arrived = [int(m.body) for m in broker.messages("q2", limit=1000) if m.headers["messageGroupId"] == group]
        assert arrived == list(range(len(arrived)))


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("verb", ["ack", "nack", "extend"])
async def test_settling_in_a_storm_reports_what_became_of_each_message(
    queue: AsyncDestination, broker: LocalBroker, clock: RunningClock, verb: str, seed: int
) -> None:
    await queue.publish(messages(150), progress=False)
    received = await queue.receive(150, lock_ttl="30s", **QUICK)
    with broker.faults.during(*storm(seed)):
        if verb == "extend":
            report = await queue.extend(received, "1h", progress=False)
        else:
            report = await getattr(queue, verb)(received, progress=False)
    clock.advance(31 if verb == "extend" else 0)
    waiting = {m.id for m in broker.messages("q", limit=1000) if not m.in_flight}
    locked = {m.id for m in broker.messages("q", limit=1000) if m.in_flight}
    gone = {m.message_id for m in received.messages} - waiting - locked
    done = {"ack": gone, "nack": waiting, "extend": locked}[verb]
    outcomes = {outcome.message_id: outcome.kind for outcome in report}
    assert {name for name, kind in outcomes.items() if kind == "ok"} <= done
    assert {name for name, kind in outcomes.items() if kind in ("refused", "lost_lock", "skipped")}.isdisjoint(done)
    assert len(outcomes) == 150
    assert report.counts["ok"]


@pytest.mark.parametrize("seed", range(3))
async def test_a_peek_in_a_storm_leaves_every_message_in_the_queue(
    queue: AsyncDestination, broker: LocalBroker, clock: RunningClock, seed: int
) -> None:
    await queue.publish(messages(100), progress=False)
    faults = [fault for fault in storm(seed) if fault.kind != "duplicate"]
    with broker.faults.during(*faults), suppress(CourierError):
        await queue.peek(100, lock_ttl="30s", **QUICK)
    clock.advance(31)
    assert broker.depth("q") == {"messages": 100, "inflight": 0}
    assert stored(broker, "q") == {f"m{i}": 1 for i in range(100)}


@pytest.mark.parametrize("kind", ["unauthorized", "forbidden"])
async def test_an_acknowledgement_that_was_done_and_is_then_refused_is_unknown(
    queue: AsyncDestination, broker: LocalBroker, kind: FaultKind
) -> None:
    await queue.publish(messages(10), progress=False)
    received = await queue.receive(10, **QUICK)
    first, then = Fault("cut_after", operations=("ack_batch",), times=1), Fault(kind, operations=("ack_batch",), after=1)
    with broker.faults.during(first, then):
        report = await queue.ack(received, progress=False)
    assert report.counts == {"unknown": 10}
    assert broker.depth("q") == {"messages": 0, "inflight": 0}


async def test_what_is_forbidden_is_said_and_gives_back_what_was_received(
    queue: AsyncDestination, broker: LocalBroker, tmp_path: Path
) -> None:
    await queue.publish(messages(20), progress=False)
    with broker.faults.during(Fault("forbidden", operations=("ack_batch",))), pytest.raises(Forbidden):
        await queue.drain(tmp_path / "capture", **QUICK)
    assert broker.depth("q") == {"messages": 20, "inflight": 0}


async def test_the_depth_that_the_client_shows_is_as_old_as_the_statistics(broker: LocalBroker, clock: RunningClock) -> None:
    async with AsyncClient(broker_settings(broker.settings), transport=broker.transport()) as client:
        broker.faults.add(Fault("stats_lag", seconds=60))
        seen = []
        for seconds in (0, 30, 30):
            clock.advance(seconds)
            depth = await client.depth("q")
            assert depth is not None
            seen.append(depth.messages)
            await client.destination("q").publish(messages(5), progress=False)
    assert seen == [0, 0, 10]
