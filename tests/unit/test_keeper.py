"""The keeper by its own clock: whose turn it is, how many share a call, and what a row says afterwards."""

from __future__ import annotations

import json
import time
from collections.abc import AsyncIterator

import anyio
import httpx
import pytest

from courier_nb.core import termination
from courier_nb.core.clock import ManualClock
from courier_nb.core.messages import Message
from courier_nb.core.settings import LockTtlUnit
from courier_nb.flows.locks.holding import HeldRow
from courier_nb.flows.locks.keeper import Keeper
from courier_nb.flows.locks.turns import Turns
from courier_nb.flows.locks.unit import LockUnit
from courier_nb.flows.settle import held, settle
from courier_nb.wire.operations import Operations
from tests.unit.scripts import Script, operations_over, reply, results

pytestmark = pytest.mark.anyio
LOCK_MS = 60_000


def messages(count: int, *, first: int = 0, group: str | None = None, deliveries: int = 1) -> list[Message]:
    more = {} if group is None else {"messageGroupId": group}
    return [
        Message(
            "body",
            headers={"messageId": f"m{i}", "lockId": f"AQEB/{i}", "deliveryCount": str(deliveries), **more},
            destination="q",
            lock_deadline=time.monotonic() + LOCK_MS / 1_000,
        )
        for i in range(first, first + count)
    ]


def row(**parts: object) -> HeldRow:
    values: dict[str, object] = {
        "message": None,
        "destination": "q",
        "message_id": "m",
        "lock_id": "AQEB/secret",
        "group": None,
        "delivery_count": 1,
        "lock_ms": LOCK_MS,
        "certain_end": 60.0,
        "possible_end": 60.0,
        "is_kept": True,
    }
    return HeldRow(**{**values, **parts})  # type: ignore[arg-type]


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def unit() -> LockTtlUnit | None:
    return "s"


@pytest.fixture
async def keeper(script: Script, operations: Operations, clock: ManualClock, unit: LockTtlUnit | None) -> AsyncIterator[Keeper]:
    async def same() -> Operations:
        return operations

    keeper = Keeper(same, unit=unit, clock=clock)
    yield keeper
    script.always(results)
    await keeper.release()


async def work(keeper: Keeper) -> None:
    """Let the keeper do what is due."""
    for _ in range(50):
        await anyio.sleep(0)


async def test_nothing_is_sent_before_a_third_of_the_time_is_over(keeper, script, clock):
    script.always(results)
    keeper.hold(messages(25), lock_ms=LOCK_MS)
    clock.advance(19)
    await work(keeper)
    assert script.requests == []


async def test_all_are_extended_before_half_of_the_time_is_over_ten_in_a_call(keeper, script, clock):
    script.always(results)
    for first in range(0, 50, 10):
        keeper.hold(messages(10, first=first), lock_ms=LOCK_MS)
    calls = []
    for _ in range(11):
        clock.advance(1)
        await work(keeper)
        calls.append(len(script.requests))
    clock.advance(20)
    await work(keeper)
    assert [len(body) for body in script.bodies()] == [10] * 5
    assert {item["ttl"] for body in script.bodies() for item in body} == {60}
    assert {request.method for request in script.requests} == {"PATCH"}
    assert keeper.holding().frame()["extended"].tolist() == [1] * 50


async def test_calls_are_spread_over_time(keeper, script, clock):
    script.always(results)
    for first in range(0, 100, 10):
        keeper.hold(messages(10, first=first), lock_ms=LOCK_MS)
    clock.advance(20)
    most = before = 0
    for _ in range(20):
        await work(keeper)
        most, before = max(most, len(script.requests) - before), len(script.requests)
        clock.advance(0.5)
    assert before == 10
    assert most <= 2


async def test_a_refused_extension_says_that_the_lock_is_lost_and_is_not_made_again(keeper, script, clock):
    script.always(lambda request: results(request, failed={"m1": "expired"}))
    keeper.hold(messages(3), lock_ms=LOCK_MS)
    clock.advance(35)
    await work(keeper)
    assert keeper.holding().counts == {"held": 2, "lost_lock": 1}
    clock.advance(35)
    await work(keeper)
    assert [len(body) for body in script.bodies()] == [3, 2]
    (lock,) = [held(message) for message in messages(1, first=1)]
    assert keeper.known([lock])[0].is_over


async def test_an_extension_that_is_refused_while_its_message_is_settled_says_nothing(keeper, script, clock):
    script.always(lambda request: results(request, failed={"m0": "gone"}))
    keeper.hold(messages(1), lock_ms=LOCK_MS)
    locks = [held(message) for message in messages(1)]
    with keeper.settling(locks):
        clock.advance(35)
        await work(keeper)
        assert keeper.holding().counts == {"held": 1}


@pytest.mark.parametrize("answer", [reply(200, []), reply(413), reply(403)], ids=["no answer", "too large", "forbidden"])
async def test_a_call_that_failed_is_made_again_in_time(keeper, script, clock, answer):
    script.will(answer, answer).always(results)
    keeper.hold(messages(1), lock_ms=LOCK_MS)
    clock.advance(35)
    await work(keeper)
    assert keeper.holding().frame()["extended"].tolist() == [0]
    for _ in range(20):
        clock.advance(1)
        await work(keeper)
    assert keeper.holding().frame()["extended"].tolist() == [1]
    assert keeper.holding().counts == {"held": 1}
    assert len(script.requests) == 3


async def test_time_that_passed_unseen_is_counted(keeper, script, clock):
    keeper.hold(messages(3), lock_ms=LOCK_MS)
    clock.advance(LOCK_MS / 1_000)  # the machine slept, or the process was stopped
    await work(keeper)
    assert keeper.holding().counts == {"lost_lock": 3}
    assert script.requests == []


async def test_settled_rows_are_not_extended(keeper, script, clock):
    script.always(results)
    received = messages(4)
    keeper.hold(received, lock_ms=LOCK_MS)
    locks = [held(message) for message in received]
    report = await settle(await keeper._operations(), "ack", "q", locks[:3])
    keeper.settled("ack", locks[:3], report.outcomes)
    clock.advance(35)
    await work(keeper)
    assert [len(body) for body in script.bodies()] == [3, 1]
    assert len(keeper.holding()) == 1


async def test_groups_go_back_in_reverse_one_batch_after_the_other(keeper, script, clock):
    script.always(results)
    rows = keeper.hold(messages(25, group="g"), lock_ms=LOCK_MS)
    await keeper.give_back([row for row in rows if row is not None])
    sent = [item["messageId"] for request in script.requests for item in json.loads(request.content)]
    assert sent == [f"m{i}" for i in reversed(range(25))]


async def test_when_the_time_to_hold_is_over_messages_are_returned(keeper, script, clock):
    script.always(results)
    keeper.hold(messages(3), lock_ms=LOCK_MS, hold_seconds=10)
    clock.advance(10)
    await work(keeper)
    assert [request.method for request in script.requests] == ["DELETE"]
    assert len(keeper.holding()) == 0


async def test_release_gives_back_everything_once(keeper, script):
    script.always(results)
    keeper.hold(messages(12), lock_ms=LOCK_MS)
    keeper.hold(messages(2, first=20), lock_ms=LOCK_MS, keep=False)
    await keeper.release()
    await keeper.release()
    assert sorted(len(body) for body in script.bodies()) == [2, 10]
    assert not keeper.is_holding


@pytest.mark.parametrize("answer", [reply(403), reply(404), reply(400, {"statusMessage": "expired"})])
async def test_release_ends_without_an_error_whatever_the_service_says(keeper, script, answer):
    script.always(answer)
    keeper.hold(messages(12), lock_ms=LOCK_MS)
    await keeper.release()
    assert not keeper.is_holding


async def test_release_does_not_wait_for_a_service_that_does_not_answer(monkeypatch, clock):
    async def hang(request: httpx.Request) -> httpx.Response:
        await anyio.sleep_forever()
        raise AssertionError

    calling = operations_over(httpx.MockTransport(hang))

    async def same() -> Operations:
        return calling

    monkeypatch.setattr(termination, "RELEASE_SECONDS", 0.05)
    keeper = Keeper(same, unit="s", clock=clock)
    keeper.hold(messages(12), lock_ms=LOCK_MS)
    with anyio.fail_after(20):
        await keeper.release()
    assert not keeper.is_holding


async def test_what_cannot_be_put_back_stays_locked_as_long_as_possible(keeper, script):
    script.always(results)
    (row,) = keeper.hold(messages(1, deliveries=3), lock_ms=LOCK_MS, for_a_look=True)
    row.is_last_chance = True
    await keeper.release()
    assert [(request.method, body[0]["ttl"]) for request, body in zip(script.requests, script.bodies(), strict=True)] == [
        ("PATCH", 43_200)
    ]


async def test_an_explicit_extension_is_kept_up(keeper, script, clock):
    script.always(results)
    received = messages(1)
    keeper.hold(received, lock_ms=LOCK_MS)
    lock = held(received[0])
    until = keeper.now + 600
    report = await settle(await keeper._operations(), "extend", "q", [lock], lock_ms=600_000)
    keeper.settled("extend", [lock], report.outcomes, until=until)
    clock.advance(150)
    await work(keeper)
    assert len(script.requests) == 1  # a third of ten minutes is not over
    clock.advance(160)
    await work(keeper)
    assert [body[0]["ttl"] for body in script.bodies()] == [600, 600]


class TestUnit:
    @pytest.fixture
    def unit(self) -> LockTtlUnit | None:
        return None

    async def test_an_explicit_extension_of_unknown_unit_may_be_short(self, keeper, script, clock):
        script.always(results)
        received = messages(1, group="g")
        keeper.hold(received, lock_ms=LOCK_MS)
        lock = held(received[0])
        report = await settle(await keeper._operations(), "extend", "q", [lock], lock_ms=3_600_000)
        keeper.settled("extend", [lock], report.outcomes, until=keeper.now + 3_600)
        clock.advance(2)
        await work(keeper)
        assert [body[0]["ttl"] for body in script.bodies()] == [3_600, 43_200]


@pytest.mark.parametrize(("lock_ms", "ttl"), [(1_000, 30_000), (30_000, 30_000), (35_000, 35_000), (3_600_000, 43_200)])
def test_of_unknown_unit_only_what_is_safe_both_ways_is_asked_for(clock, lock_ms, ttl):
    ask_ms, lasts = LockUnit(None, clock).ask_for(lock_ms)
    assert (ask_ms, lasts) == (ttl * 1_000, ttl / 1_000)


@pytest.mark.parametrize("unit", ["s", "ms"])
def test_of_known_unit_whole_seconds_are_asked_for(clock, unit):
    assert LockUnit(unit, clock).ask_for(1_500) == (2_000, 2.0)


@pytest.mark.parametrize(
    "risky",
    [{"group": "g"}, {"may_be_lost": False}, {"is_kept": False}, {"settling": 1}, {"delivery_count": None}, {"ended": "acked"}],
)
def test_the_unit_is_not_tried_on_a_message_that_may_not_be_lost(clock, risky):
    ends = {"certain_end": clock.monotonic() + 60, "possible_end": clock.monotonic() + 60}
    assert LockUnit(None, clock).row_to_try([row(**ends, **risky)]) is None


def test_the_unit_is_tried_on_the_message_delivered_least_and_only_with_time_to_spare(clock):
    end = clock.monotonic() + 60
    rows = [row(certain_end=end, possible_end=end, delivery_count=count) for count in (3, 1, 2)]
    assert LockUnit(None, clock).row_to_try(rows) is rows[1]
    soon = row(certain_end=clock.monotonic() + 4, possible_end=end)
    assert LockUnit(None, clock).row_to_try([*rows, soon]) is None


def test_a_row_knows_its_state():
    certain = row(possible_end=80.0)
    assert [certain.state(now) for now in (59.0, 60.0, 79.9, 80.0)] == ["held", "unknown", "unknown", "lost_lock"]
    assert "secret" not in repr(certain)


def test_only_rows_of_one_destination_and_lock_time_share_a_call():
    turns = Turns()
    rows = [row(), row(destination="other"), row(lock_ms=1_000)]
    for each in rows:
        turns.add(each, 10.0)
    assert [turns.next_batch(20.0) for _ in range(4)] == [[rows[0]], [rows[1]], [rows[2]], []]
