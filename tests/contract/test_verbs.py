"""The verbs: what they take, return, promise and report when something fails."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pandas as pd
import pytest

from courier_nb import (
    AsyncClient,
    AsyncDestination,
    BadAnswer,
    Capture,
    ConfigError,
    DestinationNotFound,
    FrameError,
    Message,
    PartialFailure,
    Plan,
    Report,
)
from courier_nb.broker import LocalBroker
from courier_nb.client import broker_settings
from courier_nb.core.clock import ManualClock
from courier_nb.storage.spool import read_spool

from .conftest import MAX_DELIVERIES

pytestmark = pytest.mark.anyio
QUICK: dict[str, Any] = {"polling_time": "20ms", "progress": False}
Fault = Callable[[httpx.Request, httpx.Response], httpx.Response]


class Faulty(httpx.AsyncBaseTransport):
    """The broker's transport, whose answers can be replaced after the broker did the work."""

    def __init__(self, inner: httpx.AsyncBaseTransport, fault: Fault) -> None:
        self._inner = inner
        self._fault = fault

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        response = await self._inner.handle_async_request(request)
        await response.aread()
        return self._fault(request, response)


def messages(count: int, **headers: Any) -> list[Message]:
    return [Message(f"body {i}", {"n": i, "t": str(i)}, {"messageId": f"m{i}", **headers}) for i in range(count)]


async def publish(queue: AsyncDestination, count: int) -> None:
    report = await queue.publish(messages(count), progress=False)
    assert report.counts == {"ok": count}


# Looking


async def test_a_peek_gives_a_frame_and_returns_every_message(queue: AsyncDestination, broker: LocalBroker) -> None:
    await publish(queue, 25)
    received = await queue.peek(15, **QUICK)
    frame = received.frame()
    assert len(frame) == 15
    assert set(frame["settlement"]) == {"returned"}
    assert set(frame["delivery_count"]) == {1}
    assert broker.depth("queue") == {"messages": 25, "inflight": 0}


async def test_each_peek_spends_a_delivery_and_the_last_one_dead_letters_if_told_to(
    queue: AsyncDestination, broker: LocalBroker
) -> None:
    await publish(queue, 1)
    for _ in range(MAX_DELIVERIES):
        await queue.peek(1, last_chance="return", **QUICK)
    assert broker.depth("queue")["messages"] == 0
    assert broker.depth("dlq")["messages"] == 1


async def test_receive_keeps_the_locks_and_its_rows_can_be_settled(queue: AsyncDestination, broker: LocalBroker) -> None:
    await publish(queue, 30)
    frame = (await queue.receive(30, **QUICK)).frame()
    assert broker.depth("queue") == {"messages": 0, "inflight": 30}
    assert (await queue.extend(frame, "1h", progress=False)).counts == {"ok": 30}
    acked = await queue.ack(frame[frame["prop.n"] < 12], progress=False)
    nacked = await queue.nack(frame[frame["prop.n"] >= 12], progress=False)
    assert (acked.counts, nacked.counts) == ({"ok": 12}, {"ok": 18})
    assert broker.depth("queue") == {"messages": 18, "inflight": 0}
    assert list(acked.frame()["outcome"]) == ["ok"] * 12


async def test_a_lost_lock_is_an_outcome_and_not_an_exception(queue: AsyncDestination, clock: ManualClock) -> None:
    await publish(queue, 3)
    received = await queue.receive(3, lock_ttl="1h", **QUICK)
    clock.advance(3601)  # the broker's time; ours stands, so the acknowledgement is sent
    report = await queue.ack(received, progress=False)
    assert report.counts == {"lost_lock": 3}
    assert all(outcome.reason for outcome in report.failed)
    with pytest.raises(PartialFailure) as caught:
        report.raise_for_failed()
    assert caught.value.report is report


async def test_a_lock_that_has_run_out_by_our_clock_is_not_tried(
    queue: AsyncDestination, reached: tuple[dict[str, str], httpx.AsyncBaseTransport | None]
) -> None:
    await publish(queue, 1)
    frame = (await queue.receive(1, **QUICK)).frame()
    frame["lock_expires_at"] = pd.Timestamp("2020-01-01", tz="UTC")
    announced, transport = reached
    async with AsyncClient(broker_settings(announced), transport=transport) as other:  # which knows only what the frame says
        report = await other.destination("queue").ack(frame, progress=False)
    assert (report.counts, report.calls) == ({"lost_lock": 1}, 0)


async def test_rows_of_another_destination_are_refused(queue: AsyncDestination, dlq: AsyncDestination) -> None:
    await publish(queue, 1)
    received = await queue.receive(1, **QUICK)
    for rows in (received, received.frame(), received.messages):
        with pytest.raises(FrameError, match="'queue'"):
            await dlq.ack(rows, progress=False)


# Draining


async def test_a_drain_moves_everything_into_parquet(dlq: AsyncDestination, broker: LocalBroker, tmp_path: Path) -> None:
    await publish(dlq, 123)
    capture = await dlq.drain(tmp_path / "cap", **QUICK)
    assert broker.depth("dlq") == {"messages": 0, "inflight": 0}
    assert (capture.report.received, capture.report.acked, len(capture)) == (123, 123, 123)
    frame = capture.frame().sort_values("prop.n")
    assert list(frame["body"]) == [f"body {i}" for i in range(123)]
    assert list(frame["prop.t"]) == [str(i) for i in range(123)]
    assert frame["lock_id"].isna().all()
    assert capture.verify().ok


async def test_nothing_is_acknowledged_before_it_is_in_the_spool(broker: LocalBroker, tmp_path: Path) -> None:
    folder = tmp_path / "cap"
    checked = 0

    def check(request: httpx.Request, response: httpx.Response) -> httpx.Response:
        nonlocal checked
        if request.method == "DELETE" and request.url.path.endswith("/messages"):
            on_disk = {m.message_id for path in folder.rglob("*.spool") for answer in read_spool(path) for m in answer.messages}
            asked = {item["messageId"] for item in json.loads(request.content)}
            assert asked <= on_disk
            checked += len(asked)
        return response

    async with AsyncClient(broker_settings(broker.settings), transport=Faulty(broker.transport(), check)) as client:
        await publish(client.destination("dlq"), 60)
        await client.destination("dlq").drain(folder, **QUICK)
    assert checked == 60


async def test_a_drain_goes_on_where_it_ended(dlq: AsyncDestination, broker: LocalBroker, tmp_path: Path) -> None:
    await publish(dlq, 50)
    first = await dlq.drain(tmp_path / "cap", limit=20, **QUICK)
    assert (len(first), first.report.stopped_because) == (20, "limit of 20 reached")
    second = await dlq.drain(tmp_path / "cap", **QUICK)
    assert len(second) == 50
    assert len(set(second.frame()["message_id"])) == 50


async def test_a_drain_without_a_folder_names_the_one_it_made(
    dlq: AsyncDestination, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    monkeypatch.setenv("HOME", str(tmp_path))
    await publish(dlq, 1)
    capture = await dlq.drain(**QUICK)
    assert tmp_path in capture.path.parents
    assert capture.report.path == str(capture.path)


@pytest.mark.parametrize("fault", ["cut", "status", "partial"])
async def test_an_uncertain_acknowledgement_is_recorded_and_a_second_copy_is_shown_once(
    broker: LocalBroker, tmp_path: Path, fault: str
) -> None:
    """The broker deletes, or refuses, and the client is not told: the rows say so, and nothing is lost."""

    def strike(request: httpx.Request, response: httpx.Response) -> httpx.Response:
        if request.method != "DELETE":
            return response
        if fault == "cut":
            return httpx.Response(200, content=response.content[: len(response.content) // 2], request=request)
        if fault == "status":
            return httpx.Response(400, content=b"no", request=request)
        results = json.loads(response.content)
        return httpx.Response(200, json=results[1:] or results, request=request)  # one item is not mentioned

    broker_client = AsyncClient(broker_settings(broker.settings), transport=broker.transport())
    await publish(broker_client.destination("dlq"), 10)
    async with AsyncClient(broker_settings(broker.settings), transport=Faulty(broker.transport(), strike)) as client:
        capture = await client.destination("dlq").drain(tmp_path / "cap", **QUICK)
    settlements = capture.settlements
    if fault == "partial":
        assert settlements == {"acked": 9, "unknown": 1}
    else:
        assert settlements == ({"unknown": 10} if fault == "cut" else {"lost_lock": 10})
    assert sorted(capture.frame()["message_id"]) == sorted(f"m{i}" for i in range(10))
    assert not capture.report.ok
    await broker_client.aclose()


async def test_a_receive_that_cannot_be_read_is_counted_and_not_repeated_at_once(broker: LocalBroker, tmp_path: Path) -> None:
    struck = 0

    def strike(request: httpx.Request, response: httpx.Response) -> httpx.Response:
        nonlocal struck
        if request.method == "GET" and response.status_code == 200 and "messages" in request.url.path and not struck:
            struck += 1
            return httpx.Response(200, content=response.content[:20], request=request)
        return response

    async with AsyncClient(broker_settings(broker.settings), transport=Faulty(broker.transport(), strike)) as client:
        await publish(client.destination("dlq"), 30)
        capture = await client.destination("dlq").drain(tmp_path / "cap", concurrency=1, **QUICK)
        assert capture.report.ghost_receives == 1
        assert len(capture) == 29
        # of the first call, which tries out how large messages are: locked for nobody, until the lock ends
        assert broker.depth("dlq")["inflight"] == 1
        with pytest.raises(BadAnswer):
            struck = 0
            await client.destination("dlq").publish(messages(1), progress=False)
            await client.destination("dlq").receive_batch(polling_time="20ms")


# Putting back


async def test_publish_takes_frames_and_messages(queue: AsyncDestination) -> None:
    frame = pd.DataFrame({"body": ["a", "b"], "prop.n": [1, None], "message_id": ["x", "y"]}).astype({"prop.n": "Int64"})
    assert (await queue.publish(frame, progress=False)).counts == {"ok": 2}
    got = {m.message_id: dict(m.properties) for m in (await queue.receive(2, **QUICK)).messages}
    assert got == {"x": {"n": 1}, "y": {}}


async def test_a_frame_that_cannot_be_published_sends_nothing(queue: AsyncDestination, broker: LocalBroker) -> None:
    frame = pd.DataFrame({"body": ["fine", {"not": "text"}], "prop.when": [pd.Timestamp("2026-01-01"), "x"]})
    with pytest.raises(FrameError) as caught:
        await queue.publish(frame, progress=False)
    assert set(caught.value.columns) == {"body", "prop.when"}
    assert broker.depth("queue")["messages"] == 0


async def test_a_replay_sends_each_message_once(
    dlq: AsyncDestination, client: AsyncClient, broker: LocalBroker, tmp_path: Path
) -> None:
    await publish(dlq, 45)
    capture = await dlq.drain(tmp_path / "cap", **QUICK)
    plan = await client.replay(capture, dry_run=True)
    assert isinstance(plan, Plan)
    assert (plan.destination, plan.to_do, plan.calls) == ("queue", 45, 5)
    assert broker.depth("queue")["messages"] == 0
    first = await client.replay(tmp_path / "cap", progress=False)
    again = await client.replay(Capture(tmp_path / "cap"), progress=False)
    assert isinstance(first, Report)
    assert isinstance(again, Report)
    assert (first.counts, again.counts, again.calls) == ({"ok": 45}, {"skipped": 45}, 0)
    assert broker.depth("queue")["messages"] == 45


async def test_a_repaired_row_is_another_message(dlq: AsyncDestination, queue: AsyncDestination, tmp_path: Path) -> None:
    await publish(dlq, 4)
    capture = await dlq.drain(tmp_path / "cap", **QUICK)
    ledger = tmp_path / "ledger.jsonl"
    frame = capture.frame()
    await queue.replay(frame, ledger=ledger, progress=False)
    frame.loc[0, "body"] = "repaired"
    report = await queue.replay(frame, ledger=ledger, progress=False)
    assert [outcome.kind for outcome in report] == ["ok", "skipped", "skipped", "skipped"]  # type: ignore[union-attr]


async def test_an_uncertain_publish_is_shown_and_not_repeated_unless_told(broker: LocalBroker, tmp_path: Path) -> None:
    strike_next = True

    def strike(request: httpx.Request, response: httpx.Response) -> httpx.Response:
        if request.method == "PUT" and strike_next:
            return httpx.Response(502, content=b"<html>bad gateway</html>", request=request)
        return response

    async with AsyncClient(broker_settings(broker.settings), transport=Faulty(broker.transport(), strike)) as client:
        queue, ledger = client.destination("queue"), tmp_path / "ledger.jsonl"
        first = await queue.replay(messages(10), ledger=ledger, progress=False)
        assert (first.counts, broker.depth("queue")["messages"]) == ({"unknown": 10}, 10)  # type: ignore[union-attr]
        strike_next = False
        second = await queue.replay(messages(10), ledger=ledger, progress=False)
        assert (second.counts, broker.depth("queue")["messages"]) == ({"unknown": 10}, 10)  # type: ignore[union-attr]
        third = await queue.replay(messages(10), ledger=ledger, unknown="resend", progress=False)
        assert (third.counts, broker.depth("queue")["messages"]) == ({"ok": 10}, 20)  # type: ignore[union-attr]


async def test_after_a_failure_nothing_later_of_its_group_is_sent(broker: LocalBroker) -> None:
    def strike(request: httpx.Request, response: httpx.Response) -> httpx.Response:
        if request.method == "PUT" and b'"body":"g1 0"' in request.content:
            return httpx.Response(500, content=b"", request=request)
        return response

    rows = [Message(f"{g} {i}", {}, {"messageGroupId": g}) for i in range(25) for g in ("g1", "g2")]
    async with AsyncClient(broker_settings(broker.settings), transport=Faulty(broker.transport(), strike)) as client:
        report = await client.destination("queue").publish(rows, concurrency=4, progress=False)
    kinds = {g: [o.kind for o, m in zip(report, rows, strict=True) if m.message_group_id == g] for g in ("g1", "g2")}
    assert "ok" not in kinds["g1"][10:]
    assert kinds["g1"][0] == "unknown"
    assert kinds["g2"][:5] == ["unknown"] * 5 or set(kinds["g2"]) == {"ok"}  # it may have shared the first batch


async def test_the_target_must_be_clear(client: AsyncClient, queue: AsyncDestination) -> None:
    with pytest.raises(ConfigError, match="name the target with to="):
        await client.replay(messages(1), progress=False)
    with pytest.raises(DestinationNotFound):
        await client.replay(messages(1), to="nowhere", progress=False)


async def test_destinations_are_listed_with_depth_and_wiring(client: AsyncClient, queue: AsyncDestination) -> None:
    await publish(queue, 3)
    await queue.receive(1, **QUICK)
    found = await client.destinations()
    frame = found.frame().set_index("destination")
    assert frame.loc["queue", ["messages", "in_flight", "dead_letter_queue"]].tolist() == [2, 1, "dlq"]
    assert frame.loc["dlq", "dead_letter_sources"] == "queue"
    assert {region.id for region in await client.regions()} == {"us-east-1"}
    depth = await client.depth("queue")
    assert depth is not None
    assert (depth.messages, depth.in_flight) == (2, 1)
