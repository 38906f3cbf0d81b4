from __future__ import annotations

import json
import random
import time

import httpx
import pytest

from courier_nb.core.errors import DestinationNotFound, Unreachable
from courier_nb.core.messages import ItemResult, Message
from courier_nb.core.progress import Counter
from courier_nb.flows.settle import Held, held, match, settle
from courier_nb.wire.transport import NeverSent
from tests.unit.scripts import Script, reply, results

pytestmark = pytest.mark.anyio

LOST = {"status": "failure", "statusMessage": "LockId: AQEB provided is expired"}


def rows(count: int, *, expires: float = 60.0) -> list[Held]:
    return [Held(f"m{number}", f"l{number}", time.monotonic() + expires) for number in range(count)]


def yes(message_id: str) -> ItemResult:
    return ItemResult(message_id, True, "")


def no(message_id: str) -> ItemResult:
    return ItemResult(message_id, False, "no")


@pytest.mark.parametrize(
    ("ids", "given", "expected"),
    [
        ("ab", [yes("a"), no("b")], [True, False]),
        ("ab", [no("b"), yes("a")], [True, False]),
        ("ab", [yes("a")], [True, None]),
        ("ab", [], [None, None]),
        ("ab", [yes("x"), yes("b")], [None, True]),
        ("aa", [yes("a"), no("a")], [True, False]),
        ("aab", [yes("b"), no("a")], [False, None, True]),
        ("a", [no("a"), yes("a")], [False]),
        ("", [yes("a")], []),
    ],
)
def test_every_item_is_matched_to_its_own_answer(ids, given, expected):
    found = match(list(ids), given)
    assert [None if result is None else result.ok for result in found] == expected


async def test_a_shuffled_answer_is_put_in_order(script, operations):
    def answer(request: httpx.Request) -> httpx.Response:
        items = results(request, failed={"m3": "why"}).json()
        random.Random(1).shuffle(items)
        return reply(200, items)

    script.always(answer)
    counter = Counter("ack")
    report = await settle(operations, "ack", "q", rows(25), counter=counter)
    assert [outcome.message_id for outcome in report] == [f"m{number}" for number in range(25)]
    assert [outcome.position for outcome in report] == list(range(25))
    assert [(outcome.message_id, outcome.kind, outcome.reason) for outcome in report.failed] == [("m3", "lost_lock", "why")]
    assert (counter.done, report.calls, sorted(map(len, script.bodies()))) == (25, 3, [5, 10, 10])


@pytest.mark.parametrize("verb", ["ack", "nack", "extend"])
async def test_a_single_object_for_an_answer_counts_for_one(script, operations, verb):
    script.always(reply(200, {"messageId": "m0", "status": "successful"}))
    report = await settle(operations, verb, "q", rows(2), lock_ms=1_000)
    assert [outcome.kind for outcome in report] == ["ok", "unknown"]


async def test_a_batch_that_one_lost_lock_has_spoilt_is_settled_one_by_one(script, operations):
    def answer(request: httpx.Request) -> httpx.Response:
        ids = [item["messageId"] for item in json.loads(request.content)]
        return reply(400, LOST) if "m1" in ids else results(request)

    script.always(answer)
    report = await settle(operations, "ack", "q", rows(4))
    assert [outcome.kind for outcome in report] == ["ok", "lost_lock", "ok", "ok"]
    assert "AQEB" not in report.failed[0].reason
    assert list(map(len, script.bodies())) == [4, 1, 1, 1, 1]


@pytest.mark.parametrize("expires", [-1.0, -1e6])
async def test_a_lock_that_has_run_out_is_not_sent(script, operations, expires):
    report = await settle(operations, "ack", "q", rows(3, expires=expires))
    assert report.counts == {"lost_lock": 3}
    assert all("not sent" in outcome.reason for outcome in report)
    assert script.requests == []


@pytest.mark.parametrize(
    ("verb", "answer", "kind"),
    [
        ("nack", reply(500), "unknown"),
        ("nack", httpx.ReadTimeout("late"), "unknown"),
        ("nack", reply(200, "<html>"), "unknown"),
        ("nack", reply(413), "refused"),
        ("ack", reply(429, Retry_After="0"), "refused"),
    ],
)
async def test_an_answer_that_is_none_is_an_outcome_of_its_batch_only(script, operations, verb, answer, kind):
    script.always(answer)
    report = await settle(operations, verb, "q", rows(3))
    assert report.counts == {kind: 3}


async def test_what_concerns_the_queue_is_raised_if_nothing_was_done(script, operations):
    script.always(reply(404, {"statusMessage": "Destination not found"}))
    with pytest.raises(DestinationNotFound):
        await settle(operations, "ack", "q", rows(25))


async def test_what_concerns_the_queue_is_reported_if_something_was_done(script, operations):
    script.will(results).always(reply(403))
    report = await settle(operations, "ack", "q", rows(30), concurrency=1)
    assert report.counts == {"ok": 10, "refused": 10, "skipped": 10}
    assert "not tried after" in report.outcomes[-1].reason


async def test_a_service_that_cannot_be_reached_is_an_error(script: Script, operations):
    script.always(NeverSent("refused"))
    with pytest.raises(Unreachable):
        await settle(operations, "nack", "q", rows(1, expires=0.3))


async def test_nothing_to_settle_is_a_report_of_nothing(script, operations):
    report = await settle(operations, "ack", "q", [])
    assert (len(report), report.ok, script.requests) == (0, True, [])


@pytest.mark.parametrize("headers", [{}, {"messageId": "m"}, {"lockId": "l"}])
def test_a_message_without_id_or_lock_cannot_be_settled(headers):
    assert held(Message("b", headers=headers)) is None


def test_the_monotonic_end_of_a_lock_is_what_counts():
    message = Message("b", headers={"messageId": "m", "lockId": "l"}, lock_deadline=time.monotonic() + 50)
    found = held(message)
    assert found is not None
    assert found.expires - time.time() == pytest.approx(50, abs=1)
    without = held(Message("b", headers={"messageId": "m", "lockId": "l"}))
    assert without is not None
    assert without.deadline == float("inf")
