"""Moving from queue to queue, and putting back what is held: nothing is deleted before its copy is confirmed and on record."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import anyio
import httpx
import pytest

from courier_nb import (
    AsyncClient,
    Capture,
    CourierError,
    DestinationNotFound,
    Forbidden,
    FrameError,
    InvalidArgument,
    Message,
    Unreachable,
)
from courier_nb.broker import Fault, LocalBroker, QueueConfig
from courier_nb.client import broker_settings
from courier_nb.storage.chain import read_chain
from courier_nb.wire import sender
from tests.contract.conftest import RunningClock

pytestmark = pytest.mark.anyio
QUICK: dict[str, Any] = {"polling_time": "20ms", "progress": False}


@pytest.fixture(autouse=True)
def no_patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """Repeat at once: how long is waited is tested elsewhere."""
    monkeypatch.setattr(sender, "_backoff", lambda state: 0.0)


@pytest.fixture
def broker() -> Iterator[LocalBroker]:
    queues = [
        QueueConfig("dlq"),
        QueueConfig("queue", dead_letter_queue="dlq", max_deliveries=3),
        QueueConfig("fifo-dlq", fifo=True),
        QueueConfig("fifo", fifo=True, dead_letter_queue="fifo-dlq", max_deliveries=3),
    ]
    with LocalBroker(queues=queues) as broker:
        yield broker


@pytest.fixture
async def client(broker: LocalBroker) -> AsyncIterator[AsyncClient]:
    async with AsyncClient(broker_settings(broker.settings), transport=broker.transport()) as client:
        yield client


def rows(count: int, groups: int = 0) -> list[Message]:
    def headers(i: int) -> dict[str, str]:
        return {"messageId": f"m{i}", **({"messageGroupId": f"g{i % groups}"} if groups else {})}

    return [Message(f"body {i}", {"n": i}, headers(i)) for i in range(count)]


def numbers(broker: LocalBroker, queue: str) -> list[int]:
    return [int(message.properties["n"]) for message in broker.messages(queue, limit=1_000)]


async def test_messages_are_moved_and_are_in_the_capture(client: AsyncClient, broker: LocalBroker, tmp_path: Path) -> None:
    await client.destination("dlq").publish(rows(45), progress=False)
    plan = await client.destination("dlq").move("queue", dry_run=True)
    assert (plan.verb, plan.rows, plan.calls) == ("move", 45, 15)
    report = await client.destination("dlq").move("queue", tmp_path / "via", **QUICK)
    assert (report.ok, report.received, report.moved) == (True, 45, 45)
    assert (broker.depth("dlq"), broker.depth("queue")) == ({"messages": 0, "inflight": 0}, {"messages": 45, "inflight": 0})
    capture = Capture(tmp_path / "via")
    assert (capture.settlements, capture.verify().ok) == ({"acked": 45}, True)
    kinds = [entry["kind"] for entry in read_chain(tmp_path / "via" / "_courier" / "ledger.jsonl")]
    assert kinds.index("sent") < kinds.index("confirmed") < kinds.index("done")
    assert broker.messages("queue")[0].properties["courier_nb.origin_queue"] == "dlq"


async def test_groups_keep_their_order_from_fifo_to_fifo(client: AsyncClient, broker: LocalBroker, tmp_path: Path) -> None:
    await client.destination("fifo-dlq").publish(rows(120, groups=4), progress=False)
    report = await client.destination("fifo-dlq").move("fifo", tmp_path / "via", **QUICK)
    assert report.moved == 120
    assert all([n for n in numbers(broker, "fifo") if n % 4 == g] == list(range(g, 120, 4)) for g in range(4))


@pytest.mark.parametrize("target", ["queue", "fifo"])
@pytest.mark.parametrize("fault", ["cut_before", "cut_after", "truncated", "error", "throttled", "unavailable", "item_failure"])
@pytest.mark.parametrize("operation", ["publish_batch", "ack_batch"])
async def test_under_every_fault_nothing_is_lost_and_nothing_is_twice(
    client: AsyncClient, broker: LocalBroker, tmp_path: Path, target: str, fault: Any, operation: str
) -> None:
    more: dict[str, Any] = {"items": (0, 3)} if fault == "item_failure" else {"effect": True} if fault == "error" else {}
    more |= {"retry_after": 0} if fault in ("throttled", "unavailable") else {}
    origin = client.destination("dlq")
    await origin.publish(rows(60), progress=False)
    with broker.faults.during(Fault(fault, (operation,), every=2, **more)), suppress(CourierError):
        await origin.move(target, tmp_path / "via", **QUICK)
    report = await origin.move(target, tmp_path / "via", **QUICK)
    there, left = Counter(numbers(broker, target)), Counter(numbers(broker, "dlq"))
    assert max(there.values()) == 1
    assert set(there) | set(left) == set(range(60))
    if target == "fifo":
        assert sorted(there) == list(range(60))  # uncertain calls were repeated inside the window
    uncertain = {int(outcome.message_id[1:]) for outcome in report.failed if outcome.message_id}
    waiting = {int(m.properties["n"]) for m in broker.messages("dlq") if not m.in_flight}
    assert waiting <= uncertain  # what stays is said to, or is locked until it comes again
    if waiting:
        taken = await origin.move(target, tmp_path / "via", unknown="skip", **QUICK)
        assert taken.moved == len(waiting)


async def test_a_copy_that_is_confirmed_is_not_published_again_when_its_original_comes_again(
    client: AsyncClient, broker: LocalBroker, tmp_path: Path
) -> None:
    origin = client.destination("dlq")
    await origin.publish(rows(10), progress=False)
    with broker.faults.during(Fault("forbidden", ("ack_batch",))), pytest.raises(Forbidden):
        await origin.move("queue", tmp_path / "via", **QUICK)
    assert (len(numbers(broker, "queue")), len(numbers(broker, "dlq"))) == (10, 10)
    report = await origin.move("queue", tmp_path / "via", **QUICK)
    assert (report.moved, report.came_again) == (10, 10)
    assert (len(numbers(broker, "queue")), len(numbers(broker, "dlq"))) == (10, 0)


async def test_two_messages_that_are_alike_are_both_moved(client: AsyncClient, broker: LocalBroker, tmp_path: Path) -> None:
    origin = client.destination("dlq")
    for _ in range(3):  # a standard queue may hold a message several times, to the last byte
        await origin.publish([Message("same", {"n": 1}, {"messageId": "m"})] * 2, progress=False)
        assert (await origin.move("queue", tmp_path / "via", **QUICK)).moved == 2
    assert numbers(broker, "queue") == [1] * 6


async def test_a_failure_stops_the_group_and_what_was_not_moved_goes_back_in_order(
    client: AsyncClient, broker: LocalBroker, tmp_path: Path
) -> None:
    origin = client.destination("fifo-dlq")
    await origin.publish(rows(30, groups=1), progress=False)
    with broker.faults.during(Fault("error", ("publish_batch",), after=1, text="no")):
        report = await origin.move("queue", tmp_path / "via", **QUICK)
    moved = report.moved
    assert (moved > 0, report.unknown) == (True, 10)
    assert (broker.depth("fifo-dlq"), numbers(broker, "queue")) == ({"messages": 30 - moved, "inflight": 0}, list(range(moved)))
    assert numbers(broker, "fifo-dlq") == list(range(moved, 30))
    again = await origin.move("queue", tmp_path / "via", **QUICK)
    assert (again.moved, again.unknown > 0) == (0, True)  # nothing of the group passes what is uncertain
    final = await origin.move("queue", tmp_path / "via", unknown="resend", **QUICK)
    assert final.moved == 30 - moved
    assert numbers(broker, "queue") == list(range(30))


async def test_a_target_that_is_not_there_leaves_everything_where_it_was(
    client: AsyncClient, broker: LocalBroker, tmp_path: Path
) -> None:
    await client.destination("dlq").publish(rows(20), progress=False)
    with pytest.raises(CourierError):
        await client.destination("dlq").move("nowhere", tmp_path / "via", **QUICK)
    assert broker.depth("dlq") == {"messages": 20, "inflight": 0}
    with pytest.raises(InvalidArgument, match="use put_back"):
        await client.destination("dlq").move("dlq")


async def test_without_a_folder_the_same_call_finds_its_ledger_again(client: AsyncClient, broker: LocalBroker) -> None:
    origin = client.destination("dlq")
    await origin.publish(rows(5), progress=False)
    with broker.faults.during(Fault("cut_after", ("publish_batch",))):
        first = await origin.move("queue", **QUICK)
    second = await origin.move("queue", **QUICK)
    assert (first.unknown, second.unknown, second.path) == (5, 5, first.path)
    assert len(numbers(broker, "queue")) == 5


async def test_a_move_is_moved_back_and_not_undone(client: AsyncClient, broker: LocalBroker, tmp_path: Path) -> None:
    await client.destination("dlq").publish(rows(5), progress=False)
    report = await client.destination("dlq").move("queue", tmp_path / "via", **QUICK)
    with pytest.raises(InvalidArgument, match=r"is a move: its messages are in 'queue' by now.*Move them back"):
        await client.undo(report.run)
    with pytest.raises(InvalidArgument, match="is a move"):
        await client.undo(report.run, capture=tmp_path / "via")


async def test_what_a_fifo_target_would_drop_is_not_deleted(client: AsyncClient, broker: LocalBroker, tmp_path: Path) -> None:
    await client.destination("fifo").publish(rows(5, groups=1), progress=False)
    await client.destination("fifo").move("fifo-dlq", tmp_path / "there", ids="keep", provenance=False, fifo=False, **QUICK)
    back = await client.destination("fifo-dlq").move("fifo", tmp_path / "back", ids="keep", **QUICK)
    assert (back.moved, numbers(broker, "fifo"), numbers(broker, "fifo-dlq")) == (0, [], [0, 1, 2, 3, 4])
    assert "would drop its id" in back.failed[0].reason
    assert (await client.destination("fifo-dlq").move("fifo", tmp_path / "back", **QUICK)).moved == 5
    assert numbers(broker, "fifo") == [0, 1, 2, 3, 4]


# Putting back


@pytest.mark.parametrize("queue", ["queue", "fifo"])
@pytest.mark.parametrize("give", ["report", "part of its frame", "messages"])
async def test_messages_on_their_last_delivery_are_put_back_afresh(
    client: AsyncClient, broker: LocalBroker, tmp_path: Path, queue: str, give: str
) -> None:
    destination = client.destination(queue)
    await destination.publish(rows(4, groups=1), progress=False)
    for _ in range(2):
        await destination.nack(await destination.receive(4, **QUICK), progress=False)
    held = await destination.receive(4, **QUICK)
    given = {"report": held, "messages": held.messages}.get(give, held.frame().iloc[:4])
    report = await destination.put_back(given, tmp_path / "via", progress=False)
    assert report.counts == {"ok": 4}
    assert numbers(broker, queue) == [0, 1, 2, 3]
    assert {m.delivery_count for m in broker.messages(queue)} == {0}
    assert broker.depth(queue)["inflight"] == 0
    capture = Capture(tmp_path / "via")
    assert [(m.message_id, m.body, dict(m.properties)) for m in capture.messages()] == [
        (m.message_id, m.body, dict(m.properties)) for m in held.messages
    ]
    assert (capture.settlements, capture.verify().ok) == ({"acked": 4}, True)


async def test_what_is_not_certainly_put_back_stays_held(client: AsyncClient, broker: LocalBroker, tmp_path: Path) -> None:
    destination = client.destination("queue")
    await destination.publish(rows(3), progress=False)
    held = await destination.receive(3, **QUICK)
    with broker.faults.during(Fault("cut_after", ("publish_batch",))):
        report = await destination.put_back(held, tmp_path / "via", progress=False)
    assert report.counts == {"unknown": 3}
    assert broker.depth("queue") == {"messages": 3, "inflight": 3}
    assert (await destination.put_back(held, tmp_path / "via", unknown="skip", progress=False)).counts == {"ok": 3}
    assert broker.depth("queue") == {"messages": 3, "inflight": 0}


async def test_rows_without_a_lock_are_refused(client: AsyncClient, broker: LocalBroker, tmp_path: Path) -> None:
    with pytest.raises(FrameError, match=r"locks are not valid|hold no lock"):
        await client.destination("queue").put_back(rows(2), tmp_path / "via", progress=False)
    assert not (tmp_path / "via").exists()


async def test_a_withheld_body_cannot_be_put_back(client: AsyncClient, broker: LocalBroker, tmp_path: Path) -> None:
    destination = client.destination("queue")
    await destination.publish(rows(2), progress=False)
    held = await destination.receive(2, payload_visibility="none", **QUICK)
    report = await destination.put_back(held, tmp_path / "via", progress=False)
    assert report.counts == {"refused": 2}
    assert broker.depth("queue") == {"messages": 0, "inflight": 2}


class Unplugged(httpx.AsyncBaseTransport):
    """A network that is gone from a certain request on."""

    def __init__(self, inner: httpx.AsyncBaseTransport, spared: int) -> None:
        self._inner = inner
        self._spared = spared

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        self._spared -= 1
        if self._spared < 0:
            raise httpx.ConnectError("unplugged", request=request)
        return await self._inner.handle_async_request(request)


@pytest.mark.parametrize("spared", range(2, 26, 3))
async def test_wherever_the_network_goes_away_nothing_is_lost_and_nothing_is_twice(tmp_path: Path, spared: int) -> None:
    clock = RunningClock()
    with LocalBroker(queues=["dlq", "queue"], clock=clock) as broker:
        settings = broker_settings(broker.settings)
        async with AsyncClient(settings, transport=broker.transport()) as client:
            origin = client.destination("dlq")
            await origin.publish(rows(25), progress=False)
            async with AsyncClient(settings, transport=Unplugged(broker.transport(), spared)) as unplugged:
                with suppress(Unreachable), anyio.move_on_after(10):
                    await unplugged.destination("dlq").move("queue", tmp_path / "via", concurrency=2, **QUICK)
            clock.advance(3_600)  # locks of what was not returned have ended
            report = await origin.move("queue", tmp_path / "via", **QUICK)
            assert set(numbers(broker, "queue")) | set(numbers(broker, "dlq")) == set(range(25))
            assert max(Counter(numbers(broker, "queue")).values()) == 1
            unknown = {outcome.message_id for outcome in report.failed}  # on its way when the other call failed
            assert report.moved + report.unknown == report.received
            assert (await origin.move("queue", tmp_path / "via", unknown="resend", **QUICK)).ok
            found = Counter(numbers(broker, "queue"))
            assert (set(found), numbers(broker, "dlq")) == (set(range(25)), [])
            assert {f"m{n}" for n, copies in found.items() if copies > 1} <= unknown


async def test_a_missing_target_costs_no_delivery(client: AsyncClient, broker: LocalBroker, tmp_path: Path) -> None:
    await client.destination("queue").publish([Message("a"), Message("b")], progress=False)
    with pytest.raises(DestinationNotFound, match=r"'nosuch'.*nothing was received"):
        await client.destination("queue").move("nosuch", tmp_path / "via", progress=False)
    assert {message.delivery_count for message in broker.messages("queue")} == {0}


async def test_one_of_two_equal_messages_is_not_taken_for_the_other_come_again(
    client: AsyncClient, broker: LocalBroker, tmp_path: Path
) -> None:
    """Both were looked at once; the acknowledgement of the first is done, and its answer is lost."""
    queue = client.destination("queue")
    await queue.publish([Message("pay 10", {}, {"messageId": "x"}) for _ in range(2)], progress=False)
    assert (await queue.nack(await queue.receive(2, polling_time="20ms", progress=False), progress=False)).ok
    broker.faults.add(Fault("cut_after", operations=("ack_batch",)))
    await queue.move("dlq", tmp_path / "via", limit=1, polling_time="20ms", progress=False)
    broker.faults.clear()
    await queue.move("dlq", tmp_path / "via", polling_time="20ms", progress=False)
    assert (len(broker.messages("queue")), len(broker.messages("dlq"))) == (0, 2)


async def test_a_move_that_is_interrupted_gives_back_what_it_holds(
    client: AsyncClient, broker: LocalBroker, tmp_path: Path
) -> None:
    await client.destination("queue").publish([Message(str(i)) for i in range(40)], progress=False)
    broker.faults.add(Fault("delay", operations=("publish_batch",), seconds=5, after=1))
    with anyio.move_on_after(1.0) as scope:
        await client.destination("queue").move("dlq", tmp_path / "via", polling_time="20ms", concurrency=2, progress=False)
    assert scope.cancelled_caught
    assert broker.depth("queue")["inflight"] == 0
    there = [m.body for m in (*broker.messages("queue"), *broker.messages("dlq"))]
    assert set(there) == {str(i) for i in range(40)}
