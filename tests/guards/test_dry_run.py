"""Dry runs: a plan says what would be done, and nothing is changed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pandas as pd
import pytest

from courier_nb import AsyncClient, AsyncDestination, Message, Plan, Rate
from courier_nb.broker import LocalBroker
from courier_nb.client import broker_settings

from .conftest import QUICK, Connect, messages

pytestmark = pytest.mark.anyio


async def held(queue: AsyncDestination, count: int, **more: Any) -> pd.DataFrame:
    await queue.publish(messages(count), progress=False)
    return (await queue.receive(count, **{**QUICK, **more})).frame()


DRY: dict[str, Callable[[AsyncDestination, pd.DataFrame, Path], Any]] = {
    "ack": lambda q, rows, p: q.ack(rows, dry_run=True),
    "nack": lambda q, rows, p: q.nack(rows, dry_run=True),
    "extend": lambda q, rows, p: q.extend(rows, "3m", dry_run=True),
    "publish": lambda q, rows, p: q.publish(messages(25), dry_run=True),
    "drain": lambda q, rows, p: q.drain(p / "capture", dry_run=True),
}


@pytest.mark.parametrize("verb", DRY)
async def test_a_dry_run_returns_a_plan_and_sends_nothing_to_the_queue(connect: Connect, tmp_path: Path, verb: str) -> None:
    client, transport = connect()
    async with client:
        queue = client.destination("queue")
        rows = await held(queue, 25)
        before = list(transport.changing)
        plan = await DRY[verb](queue, rows, tmp_path)
        assert transport.changing == before
    assert isinstance(plan, Plan)
    assert (plan.verb, plan.destination) == (verb, "queue")
    assert not (tmp_path / "capture").exists()
    frame = plan.frame()
    assert len(frame) == 1
    assert (frame["calls"].dtype, frame["minutes"].dtype) == (pd.Int64Dtype(), pd.Float64Dtype())
    assert plan.headroom.messages == 120_000 - 25
    if verb != "drain":
        assert (plan.rows, plan.to_do, plan.calls) == (25, 25, 3)


async def test_the_plan_says_what_the_verb_then_does(connect: Connect, tmp_path: Path) -> None:
    client, _ = connect()
    async with client:
        queue = client.destination("queue")
        await queue.publish(messages(40), progress=False)
        plan = await queue.drain(tmp_path / "capture", limit=30, dry_run=True)
        assert isinstance(plan, Plan)
        assert (plan.rows, plan.calls) == (30, 6)
        assert plan.details["deliveries_spent"] == 30
        assert plan.details["capture"] == str(tmp_path / "capture")
        assert plan.details["free_bytes"] > 0  # type: ignore[operator]
        capture = await queue.drain(tmp_path / "capture", limit=30, **QUICK)
        assert len(capture) == plan.rows  # type: ignore[arg-type]


async def test_rows_whose_lock_has_run_out_are_named_as_skipped(connect: Connect) -> None:
    holder, _ = connect()
    client, _ = connect()  # knows of the locks what the rows say
    async with holder, client:
        queue = client.destination("queue")
        rows = await held(holder.destination("queue"), 10)
        rows.loc[:3, "lock_expires_at"] = rows["lock_expires_at"].iloc[0] - pd.Timedelta("1h")
        plan = await queue.ack(rows, dry_run=True)
        assert isinstance(plan, Plan)
        assert (plan.rows, plan.to_do, plan.skipped) == (10, 6, {"the lock has run out": 4})
        settled = await queue.ack(rows, progress=False)
        assert settled.counts == {"lost_lock": 4, "ok": 6}  # type: ignore[union-attr]


async def test_rows_without_a_lock_would_be_refused_and_the_plan_says_so(connect: Connect) -> None:
    client, _ = connect()
    async with client:
        plan = await client.destination("queue").ack(messages(3), dry_run=True)
    assert isinstance(plan, Plan)
    assert (plan.rows, plan.to_do, plan.calls) == (3, 0, 0)
    assert "would be refused" in plan.warnings[0]


async def test_messages_without_a_body_are_named_as_skipped(connect: Connect) -> None:
    client, _ = connect()
    async with client:
        source = [
            *messages(3),
            Message(None, {}, {"messageId": "x"}),
            Message("b", {}, {"messageId": "y", "messageGroupId": "g"}),
        ]
        plan = await client.destination("queue").publish(source, dry_run=True)
    assert isinstance(plan, Plan)
    assert (plan.rows, plan.to_do, plan.calls) == (5, 4, 1)
    assert list(plan.skipped.values()) == [1]
    assert (plan.details["groups"], plan.details["body_bytes"]) == (1, 3 * len("body 0") + 1)


# Time


async def test_without_any_earlier_call_the_time_is_not_known(connect: Connect) -> None:
    client, _ = connect()
    async with client:
        plan = await client.destination("queue").publish(messages(10), dry_run=True)
    assert isinstance(plan, Plan)
    assert plan.minutes is None
    assert "no such call yet" in plan.pace.source
    assert "time: not known" in repr(plan)


async def test_the_client_s_own_calls_say_how_long_it_takes(connect: Connect) -> None:
    client, _ = connect()
    async with client:
        queue = client.destination("queue")
        await queue.publish(messages(10), progress=False)
        one = await queue.publish(messages(100), dry_run=True, concurrency=1)
        ten = await queue.publish(messages(100), dry_run=True, concurrency=10)
    assert "this client's calls took" in one.pace.source  # type: ignore[union-attr]
    assert one.minutes == pytest.approx(10 * ten.minutes)  # type: ignore[union-attr, operator]


async def test_a_new_client_takes_the_pace_from_the_journal(connect: Connect) -> None:
    first, _ = connect()
    async with first:
        await first.destination("queue").publish(messages(50), progress=False)
    second, _ = connect()
    async with second:
        plan = await second.destination("dlq").publish(messages(100), dry_run=True)
    assert isinstance(plan, Plan)
    assert "the last publish in this environment took" in plan.pace.source
    assert plan.minutes is not None


async def test_a_rate_that_is_slower_than_the_calls_decides(connect: Connect) -> None:
    client, _ = connect()
    async with client:
        queue = client.destination("queue")
        await queue.publish(messages(10), progress=False)
        plan = await queue.publish(messages(600), rate=Rate(messages=10), dry_run=True)
    assert isinstance(plan, Plan)
    assert plan.minutes == pytest.approx(1.0)
    assert plan.pace.source == "the rate that was asked for"


# Headroom


async def test_headroom_of_a_fifo_queue_is_ten_in_each_group(connect: Connect) -> None:
    client, _ = connect()
    async with client:
        plan = await client.destination("fifo").publish(messages(1), dry_run=True)
    assert isinstance(plan, Plan)
    assert plan.headroom.messages == 10
    assert "group" in plan.headroom.source


async def test_headroom_is_not_known_to_an_mq_client_app_and_the_plan_says_why(broker: LocalBroker) -> None:
    settings = replace(broker_settings(broker.settings), auth="client_app", journal="off")
    async with AsyncClient(settings, transport=broker.transport()) as client:
        plan = await client.destination("queue").drain(dry_run=True)
    assert isinstance(plan, Plan)
    assert plan.headroom.messages is None
    assert "client app" in plan.headroom.source
    assert (plan.rows, plan.calls) == (None, None)
    assert "not known" in repr(plan)


async def test_a_stats_api_that_fails_leaves_a_plan(broker: LocalBroker) -> None:
    class NoStats(httpx.AsyncBaseTransport):
        def __init__(self) -> None:
            self.inner = broker.transport()

        async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
            if "/stats/" in request.url.path:
                return httpx.Response(403)
            return await self.inner.handle_async_request(request)

    async with AsyncClient(broker_settings(broker.settings), transport=NoStats()) as client:
        plan = await client.destination("queue").drain(dry_run=True)
    assert isinstance(plan, Plan)
    assert plan.headroom.messages is None
    assert "Forbidden" in plan.headroom.source


async def test_a_plan_shows_hostile_names_harmlessly() -> None:
    plan = Plan("drain", "\x1b[31mq\u202e", 1, {"\x07why": 1}, 1, warnings=("\x1b]0;title\x07",))
    assert not {"\x1b", "\u202e", "\x07"} & set(repr(plan))
