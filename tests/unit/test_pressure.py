"""How many calls are made at a time when the service says that it is too much."""

from __future__ import annotations

import time

import anyio
import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from courier_nb.core.errors import LockLost, Throttled
from courier_nb.wire.pressure import Gate, Pressure
from courier_nb.wire.retry import Operation
from courier_nb.wire.sender import Sender
from tests.unit.scripts import Script, reply

pytestmark = pytest.mark.anyio

URL = "https://mq.test/api/v1/x"


async def fill(gate: Gate, calls: int) -> None:
    for _ in range(calls):
        await gate.enter()


async def test_without_a_complaint_there_is_no_limit():
    gate = Gate()
    with anyio.fail_after(5):
        await fill(gate, 500)
    assert (gate.limit, gate.in_flight) == (None, 500)


async def test_a_complaint_halves_what_is_under_way_and_never_stops_everything():
    pressure = Pressure()
    gate = pressure.gate(Operation.RECEIVE)
    await fill(gate, 16)
    limits = []
    for _ in range(6):
        pressure.too_much(time.monotonic(), 0.0)
        limits.append(gate.limit)
    assert limits == [8, 4, 2, 1, 1, 1]
    assert (pressure.throttled, pressure.least_concurrency) == (6, 1)


async def test_calls_that_were_refused_together_count_once():
    pressure = Pressure()
    gate = pressure.gate(Operation.PUBLISH_BATCH)
    await fill(gate, 16)
    sent_at = time.monotonic()
    for _ in range(16):
        pressure.too_much(sent_at, 0.0)
    assert (gate.limit, pressure.throttled, pressure.least_concurrency) == (8, 16, 8)


async def test_each_round_trip_that_goes_well_lets_one_more_through_until_there_is_no_limit():
    pressure = Pressure()
    gate = pressure.gate(Operation.RECEIVE)
    await fill(gate, 8)
    pressure.too_much(time.monotonic(), 0.0)
    seen = []
    while gate.limit is not None:
        seen.append(gate.limit)
        pressure.went_well(Operation.RECEIVE)
    # floats add up to a hair less than whole, so a step may take one call more
    assert [seen.count(limit) for limit in (4, 5, 6, 7)] == [pytest.approx(limit, abs=1) for limit in (4, 5, 6, 7)]


@given(st.lists(st.sampled_from(["enter", "leave", "halve", "widen", "cancel"]), max_size=200))
def test_nobody_waits_while_there_is_room_and_never_more_pass_than_the_limit(steps):
    async def scenario() -> None:
        gate = Gate()
        waiting: list[anyio.CancelScope] = []

        async def call() -> None:
            with anyio.CancelScope() as scope:
                waiting.append(scope)
                await gate.enter()
            waiting.remove(scope)

        async with anyio.create_task_group() as group:
            for step in steps:
                before = gate.in_flight
                if step == "enter":
                    group.start_soon(call)
                elif step == "leave" and gate.in_flight:
                    gate.leave()
                elif step == "halve":
                    gate.halve()
                elif step == "widen":
                    gate.widen()
                elif step == "cancel" and waiting:
                    waiting[-1].cancel()
                for _ in range(4):
                    await anyio.sleep(0)
                assert gate.limit is None or gate.in_flight <= max(gate.limit, before)
                assert not waiting or (gate.limit is not None and gate.in_flight >= gate.limit)
            while gate.in_flight:
                gate.leave()
                await anyio.sleep(0)

    anyio.run(scenario)


@pytest.mark.parametrize(("operation", "method"), [(Operation.RECEIVE, "GET"), (Operation.PUBLISH_BATCH, "PUT")])
async def test_acknowledgements_get_through_while_long_polls_and_uploads_wait(operation, method):
    """One such call at a time is allowed, it takes for ever, others wait behind it: the ack is not held up."""
    taking = anyio.Event()

    async def answer(request: httpx.Request) -> httpx.Response:
        if request.method == method:
            taking.set()
            await anyio.sleep_forever()
        return reply(200)

    async with httpx.AsyncClient(transport=httpx.MockTransport(answer)) as http:
        sender = Sender(http)
        gate = sender.pressure.gate(operation)
        await fill(gate, 2)
        for _ in range(2):
            sender.pressure.too_much(time.monotonic(), 0.0)
        gate.leave()
        gate.leave()
        async with anyio.create_task_group() as group:
            for _ in range(3):
                group.start_soon(lambda: sender.call(operation, method, URL, where="q", tokens=None))
            await taking.wait()
            assert (gate.limit, gate.in_flight) == (1, 1)
            with anyio.fail_after(5):
                await sender.call(Operation.ACK_BATCH, "DELETE", URL, where="q", tokens=None)
            group.cancel_scope.cancel()
    assert gate.in_flight == 0


async def test_the_sender_makes_fewer_calls_at_a_time_and_then_more_again():
    under_way, most, refusals = 0, [], 30

    async def answer(request: httpx.Request) -> httpx.Response:
        nonlocal under_way, refusals
        under_way += 1
        most.append(under_way)
        await anyio.sleep(0)
        under_way -= 1
        if under_way >= 4 and refusals:  # a service that takes four calls at a time
            refusals -= 1
            return reply(429, Retry_After="0")
        return reply(200)

    async with httpx.AsyncClient(transport=httpx.MockTransport(answer)) as http:
        sender = Sender(http)

        async def worker() -> None:
            for _ in range(40):
                await sender.call(Operation.PUBLISH_BATCH, "PUT", URL, where="q", tokens=None)

        async with anyio.create_task_group() as group:
            for _ in range(16):
                group.start_soon(worker)
    assert sender.pressure.throttled == sender.retries > 0
    assert max(most) == 16
    assert 1 <= sender.pressure.least_concurrency <= 8
    assert sender.pressure.gate(Operation.PUBLISH_BATCH).limit is None


@pytest.mark.parametrize(
    ("header", "least", "most"),
    [("1", 1.0, 1.0), ("1000000000", 60.0, 60.0), ("-5", 0.05, 2.0), ("soon", 0.05, 2.0), (None, 0.05, 2.0)],
)
@pytest.mark.parametrize("status", [429, 503])
async def test_all_calls_wait_as_long_as_the_server_says_within_reason(
    script: Script, sender: Sender, status, header, least, most
):
    script.will(reply(status, **({} if header is None else {"Retry_After": header}))).always(reply(200))
    started = time.monotonic()
    with anyio.move_on_after(0.02):
        await sender.call(Operation.LOOK_UP, "GET", URL, where="q", tokens=None)
    held = sender.pressure.brake._until - started
    assert least - 0.01 <= held <= most + 0.5
    assert not sender.pressure.brake.is_off


async def test_a_date_is_read_by_the_servers_own_clock(script: Script, sender: Sender):
    """This machine's clock is years off; the server says half a minute."""
    script.will(reply(429, Date="Mon, 01 Jan 2001 00:00:00 GMT", Retry_After="Mon, 01 Jan 2001 00:00:30 GMT"))
    started = time.monotonic()
    with anyio.move_on_after(0.02):
        await sender.call(Operation.LOOK_UP, "GET", URL, where="q", tokens=None)
    assert sender.pressure.brake._until - started == pytest.approx(30, abs=0.5)


async def test_what_had_to_wait_until_its_lock_ran_out_is_not_sent(script: Script, sender: Sender):
    sender.pressure.brake.hold(0.2)
    with pytest.raises(LockLost, match="not sent") as caught:
        await sender.call(
            Operation.ACK_BATCH, "DELETE", URL, where="q", tokens=None, give_up_at=time.monotonic() + 0.1
        )  # fmt: skip
    assert caught.value.before_sending
    assert (script.requests, sender.calls) == ([], 0)


async def test_repeated_complaints_without_a_time_hold_longer(script: Script, sender: Sender):
    pressure, holds = Pressure(), []
    for _ in range(8):
        now = time.monotonic()
        pressure.too_much(now, None)
        holds.append(round(pressure.brake._until - now, 2))
    assert holds == sorted(holds)
    assert (holds[0], holds[-1]) == (pytest.approx(0.1, abs=0.05), pytest.approx(2.0, abs=0.05))


async def test_a_refusal_for_another_reason_changes_nothing(script: Script, sender: Sender):
    script.will(reply(500))
    with pytest.raises(Exception, match="500"):
        await sender.call(Operation.PUBLISH_BATCH, "PUT", URL, where="q", tokens=None)
    assert (sender.pressure.throttled, sender.pressure.least_concurrency) == (0, None)
    script.always(reply(429, Retry_After="0"))
    with pytest.raises(Throttled):
        await sender.call(Operation.PUBLISH_BATCH, "PUT", URL, where="q", tokens=None)
    assert sender.pressure.throttled == 6
