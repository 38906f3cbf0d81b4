"""What is known of last chances, and what a look costs."""

from __future__ import annotations

from dataclasses import replace

import httpx
import pytest

from courier_nb.core.settings import Settings
from courier_nb.flows.guard import Guard, LookCost, Wiring, calls_of_a_look, last_chance_notes
from courier_nb.wire.session import Session
from tests.unit.scripts import Script, reply

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize(
    ("wiring", "count", "left", "is_last"),
    [
        (Wiring(3, "dlq", is_known=True), 1, 2, False),
        (Wiring(3, "dlq", is_known=True), 3, 0, True),
        (Wiring(3, "dlq", is_known=True), 7, 0, True),  # the setting was lowered meanwhile
        (Wiring(3, None, is_known=True), 3, None, False),  # no dead-letter queue
        (Wiring(3), 3, 0, True),  # said by the user, the wiring is unknown
        (Wiring(), 3, None, False),
        (Wiring(3, "dlq", is_known=True), None, None, False),
    ],
)
def test_deliveries_left_and_last_chances(wiring, count, left, is_last):
    assert wiring.deliveries_left(count) == left
    assert wiring.is_last_chance(count) is is_last


@pytest.mark.parametrize(("count", "calls"), [(1, 2), (10, 2), (11, 4), (500, 100)])
def test_a_look_takes_a_call_to_receive_and_one_to_return_for_ten(count, calls):
    assert calls_of_a_look(count) == calls


def test_the_cost_says_in_words_what_is_not_known():
    cost = LookCost("q", 10, 2, None, None, None, None)
    assert any("unknown" in note for note in cost.notes)
    assert cost.frame()["max_deliveries"].isna().all()
    assert any("FIFO" in note for note in replace(cost, is_fifo=True).notes)
    assert any("not limited" in note for note in replace(cost, dead_letters=False).notes)
    assert any("7 messages" in note for note in replace(cost, max_deliveries=3, near_the_end=7).notes)


def test_what_was_spared_is_said_with_what_can_be_done():
    assert last_chance_notes(0, 0) == ()
    held, put_back = last_chance_notes(2, 3)
    assert "2 messages" in held
    assert "put_back()" in held
    assert "3 messages" in put_back


@pytest.fixture
def bearer() -> Settings:
    return Settings(
        auth="bearer",
        platform_url="https://platform.test",
        mq_url="https://mq-us-east-1.anypoint.test/api/v1",
        region="us-east-1",
        organization="11111111-1111-1111-1111-111111111111",
        environment="22222222-2222-2222-2222-222222222222",
        bearer="token",
    )


async def test_the_settings_of_a_queue_are_asked_for_once(script: Script, bearer: Settings) -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        if "/destinations/queues/orders" in request.url.path:
            return reply(200, {"queueId": "orders", "fifo": True, "maxDeliveries": 5, "deadLetterQueueId": "dlq"})
        return reply(404, {"message": "not here"})

    script.always(answer)
    guard = Guard(Session(bearer, transport=script.transport))
    assert await guard.wiring("orders") == Wiring(5, "dlq", is_known=True, is_fifo=True)
    asked = len(script.requests)
    assert await guard.wiring("orders", 3) == Wiring(3, "dlq", is_known=True, is_fifo=True)
    assert len(script.requests) == asked


@pytest.mark.parametrize("answer", [reply(403), reply(404), reply(200, "no JSON"), reply(200, [])])
async def test_what_cannot_be_read_is_unknown(script: Script, bearer: Settings, answer: httpx.Response) -> None:
    script.always(answer)
    assert await Guard(Session(bearer, transport=script.transport)).wiring("orders") == Wiring()
