"""One call of the doctor: any status is an answer, and what is quoted of it is harmless."""

from __future__ import annotations

from typing import Any

import anyio
import httpx
import pytest

from courier_nb.core.settings import Settings
from courier_nb.doctor.caller import Caller
from courier_nb.wire.operations import Place
from courier_nb.wire.session import Session
from tests.unit.scripts import Script, item, reply

pytestmark = pytest.mark.anyio

LOCK = "AQEB/lock+id=" * 5


@pytest.fixture
def script() -> Script:
    return Script()


@pytest.fixture
def caller(script: Script) -> Caller:
    settings = Settings(auth="bearer", bearer="the-token", platform_url="https://platform.test", region="us-east-1")
    return Caller(Session(settings, transport=script.transport), Place("https://mq.test/api/v1", "org", "env"))


@pytest.fixture
def slept(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """How long it would have waited."""
    waits: list[float] = []

    async def note(seconds: float) -> None:
        waits.extend([seconds] if seconds else [])

    monkeypatch.setattr(anyio, "sleep", note)
    return waits


async def receive(caller: Caller) -> Any:
    return await caller.broker("receive", "GET", "orders", "messages", params={"batchSize": "1"})


@pytest.mark.parametrize("status", [200, 204, 302, 400, 401, 403, 404, 405, 413, 500, 503])
async def test_any_status_is_an_answer_after_one_call(script: Script, caller: Caller, status: int) -> None:
    script.will(reply(status))
    answer = await receive(caller)
    assert (answer.status, answer.is_success) == (status, status in (200, 204))
    assert len(script.requests) == 1
    assert script.requests[0].headers["Authorization"] == "Bearer the-token"
    assert (
        script.requests[0].url
        == "https://mq.test/api/v1/organizations/org/environments/env/destinations/orders/messages?batchSize=1"
    )


async def test_no_answer_is_one_too(script: Script, caller: Caller) -> None:
    script.will(httpx.ReadError("cut"))
    answer = await receive(caller)
    assert (answer.status, answer.is_done) == (None, False)
    assert "no complete answer" in answer.said
    assert str(answer).startswith("receive no answer")


async def test_too_many_calls_are_waited_out_twice_and_then_are_the_answer(
    script: Script, caller: Caller, slept: list[float]
) -> None:
    script.will(reply(429, Retry_After="7"), reply(429), reply(204))
    assert (await receive(caller)).status == 204
    assert slept == [7, 5]
    script.will(*[reply(429, Retry_After="100000")] * 3)
    assert (await receive(caller)).status == 429
    assert max(slept) == 60


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (reply(400, {"statusMessage": f"LockId: {LOCK} provided is expired"}), "LockId: … provided is expired"),
        (reply(200, [{"status": "failure", "statusMessage": "a"}, {"status": "failure", "statusMessage": "b"}]), "a / b"),
        (reply(200, [{"statusMessage": "same"}] * 3), "same"),
        (reply(404, {"message": "queue not found"}), "queue not found"),
        (reply(401, "Unauthorized\x1b[2J"), "Unauthorized [2J"),
        (reply(200, "plain text that may be anybody's"), ""),
        (reply(200, [item("m", "a body", statusMessage="not this")]), ""),
        (reply(200, [{"body": "a body", "message": "nor this"}]), ""),
        (reply(200, [{"name": "an app", "clientSecret": "s3cret"}]), ""),
        (reply(200, "x" * 500), ""),
    ],
)  # fmt: skip
async def test_what_is_quoted_is_short_harmless_and_never_a_message(
    script: Script, caller: Caller, answer: httpx.Response, said: str
) -> None:
    script.will(answer)
    found = await receive(caller)
    assert found.said == said
    assert "a body" not in repr(found) + str(found)
    assert "s3cret" not in repr(found) + str(found)


async def test_an_anonymous_call_carries_no_token(script: Script, caller: Caller) -> None:
    script.will(reply(401))
    await caller.broker("nack", "DELETE", "orders", "messages/locks", [], anonymous=True)
    assert "Authorization" not in script.requests[0].headers


@pytest.mark.parametrize(
    ("value", "is_done"),
    [
        ([{"status": "successful"}, {"status": "failure"}], False),
        ([{"status": "successful"}] * 2, True),
        ({"status": "failure"}, False),
        ({"status": "successful"}, True),
        (None, True),
    ],
)
async def test_a_batch_is_done_when_every_item_is(script: Script, caller: Caller, value: Any, is_done: bool) -> None:
    script.will(reply(200, value))
    assert (await receive(caller)).is_done is is_done
