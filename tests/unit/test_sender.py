from __future__ import annotations

import time
from dataclasses import dataclass

import anyio
import httpx
import pytest

from courier_nb.core.errors import Closed, LockLost, Throttled, Unauthorized, Unavailable, Unreachable
from courier_nb.core.messages import Message
from courier_nb.wire.operations import Operations
from courier_nb.wire.pressure import Brake
from courier_nb.wire.retry import ATTEMPTS, Operation
from courier_nb.wire.sender import Sender
from courier_nb.wire.transport import NeverSent
from tests.unit.scripts import Script, reply, results

pytestmark = pytest.mark.anyio

URL = "https://mq.test/api/v1/x"
SOON = {"Retry_After": "0"}  # a repeat without a wait


@dataclass(eq=False)
class Ticket:
    value: str


class Tickets:
    """Tokens counted one by one."""

    def __init__(self) -> None:
        self.given = 1

    async def current(self) -> Ticket:
        return Ticket(f"t{self.given}")

    async def renew(self, stale: Ticket) -> Ticket:
        self.given += 1
        return await self.current()


async def call(sender: Sender, operation: Operation = Operation.LOOK_UP, **more: object) -> httpx.Response:
    arguments = {"where": "here", "tokens": None, **more}
    return await sender.call(operation, "GET", URL, **arguments)


def tickets_sent(script: Script) -> list[str]:
    return [request.headers["Authorization"] for request in script.requests]


async def test_a_refused_token_is_renewed_once_and_the_call_made_once_more(script, sender):
    script.will(reply(401), reply(200, {"a": 1}))
    assert (await call(sender, Operation.RECEIVE, tokens=Tickets())).json() == {"a": 1}
    assert tickets_sent(script) == ["Bearer t1", "Bearer t2"]


async def test_a_second_refusal_is_final(script, sender):
    script.always(reply(401, "Unauthorized"))
    with pytest.raises(Unauthorized, match="the service says: Unauthorized"):
        await call(sender, tokens=Tickets())
    assert tickets_sent(script) == ["Bearer t1", "Bearer t2"]


async def test_a_call_without_tokens_sends_none(script, sender):
    script.will(reply(401))
    with pytest.raises(Unauthorized):
        await call(sender, tokens=None)
    assert "Authorization" not in script.requests[0].headers


@pytest.mark.parametrize("status", [429, 503])
@pytest.mark.parametrize("operation", Operation)
async def test_what_says_when_to_come_back_is_repeated_for_every_operation(script, sender, operation, status):
    script.will(reply(status, **SOON), reply(200))
    await call(sender, operation)
    assert (sender.calls, sender.retries) == (2, 1)


async def test_it_is_not_repeated_for_ever(script, sender):
    script.always(reply(429, **SOON))
    with pytest.raises(Throttled):
        await call(sender)
    assert len(script.requests) == sender.calls == ATTEMPTS


REPEATED = {"ack_batch", "ack_one", "extend_batch", "extend_one", "authorize", "look_up"}


@pytest.mark.parametrize("operation", Operation)
@pytest.mark.parametrize(
    "failure", [reply(500), reply(502, "<html>"), httpx.ReadTimeout("late"), httpx.RemoteProtocolError("cut")], ids=repr
)
async def test_an_unknown_outcome_is_repeated_only_where_the_table_says(script, sender, operation, failure):
    script.will(failure).always(reply(200))
    if operation in REPEATED:
        await call(sender, operation)
        assert len(script.requests) == 2
    else:
        with pytest.raises((Unavailable, Unreachable)) as caught:
            await call(sender, operation)
        assert caught.value.outcome_unknown
        assert len(script.requests) == 1


@pytest.mark.parametrize("repeat_unknown", [True, False])
async def test_the_caller_may_decide_about_an_unknown_outcome(script, sender, repeat_unknown):
    script.will(reply(500)).always(reply(200))
    if repeat_unknown:
        await call(sender, Operation.PUBLISH_BATCH, repeat_unknown=True)
    else:
        with pytest.raises(Unavailable):
            await call(sender, Operation.ACK_BATCH, repeat_unknown=False)
    assert len(script.requests) == 1 + repeat_unknown


@pytest.mark.parametrize("status", [400, 403, 404, 413])
@pytest.mark.parametrize("operation", [Operation.ACK_BATCH, Operation.LOOK_UP, Operation.AUTHORIZE])
async def test_the_servers_decision_is_not_asked_for_again(script, sender, operation, status):
    script.will(reply(status, **SOON))
    with pytest.raises(Exception, match=str(status)):
        await call(sender, operation)
    assert len(script.requests) == 1


@pytest.mark.parametrize(
    ("failure", "is_sent"),
    [
        (NeverSent("refused"), False),
        (httpx.ConnectError("reset on the way"), True),
        (httpx.ReadError("reset"), True),
        (httpx.PoolTimeout("slow"), True),
        (TimeoutError(), True),
        (OSError(104, "reset by peer"), True),
    ],
    ids=repr,
)
async def test_whether_it_may_have_been_sent_is_known(script, sender, failure, is_sent):
    script.will(failure)
    with pytest.raises(Unreachable) as caught:
        await call(sender, Operation.PUBLISH_BATCH, give_up_at=time.monotonic())
    assert caught.value.sent is caught.value.outcome_unknown is is_sent
    assert caught.value.operation == "publish_batch"
    assert "token" not in str(caught.value)


async def test_what_was_never_sent_is_sent_again(script, sender):
    script.will(NeverSent("refused"), reply(200))
    await call(sender, Operation.PUBLISH_BATCH)
    assert (sender.calls, sender.retries) == (2, 1)


@pytest.mark.parametrize(("seconds_left", "calls"), [(-1.0, 1), (0.0, 1), (30.0, 2)])
async def test_nothing_is_repeated_after_the_end_of_the_lock(script, sender, seconds_left, calls):
    script.will(reply(503, **SOON)).always(reply(200))
    give_up_at = time.monotonic() + seconds_left
    if calls == 1:
        with pytest.raises(Unavailable):
            await call(sender, Operation.ACK_BATCH, give_up_at=give_up_at)
    else:
        await call(sender, Operation.ACK_BATCH, give_up_at=give_up_at)
    assert len(script.requests) == calls


async def test_a_wait_that_ends_after_the_lock_is_not_begun(script, sender):
    script.will(reply(503, Retry_After="50"))
    with anyio.fail_after(5), pytest.raises(Unavailable):
        await call(sender, Operation.ACK_BATCH, give_up_at=time.monotonic() + 20)


async def test_the_brake_is_shared_by_all_calls_of_a_client(script, sender):
    times: list[float] = []

    def answer(request: httpx.Request) -> httpx.Response:
        times.append(time.monotonic())
        return reply(429, Retry_After="1") if len(times) == 1 else reply(200)

    script.always(answer)
    async with anyio.create_task_group() as group:
        for operation in (Operation.RECEIVE, Operation.ACK_BATCH, Operation.PUBLISH_BATCH):
            group.start_soon(call, sender, operation)
            await anyio.sleep(0)
            while not times:
                await anyio.sleep(0.001)
    assert len(times) == 4
    assert min(times[1:]) - times[0] >= 0.99


async def test_a_shorter_hold_does_not_release_a_longer_one():
    brake, started = Brake(), time.monotonic()
    brake.hold(0.05)
    brake.hold(0.0)
    await brake.wait()
    assert time.monotonic() - started >= 0.05


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_a_redirect_is_never_followed(script, sender, status):
    script.will(reply(status, Location="https://elsewhere.test/"))
    with pytest.raises(Exception, match="A redirect is never followed"):
        await call(sender, Operation.AUTHORIZE, form={"client_secret": "s"})
    assert [request.url.host for request in script.requests] == ["mq.test"]


@pytest.mark.parametrize("message", [Message("b"), Message("b", headers={"messageId": "mine"})])
@pytest.mark.parametrize("verb", ["publish_batch", "publish_one"])
async def test_a_repeated_publish_carries_the_same_id(script, operations: Operations, verb, message):
    script.will(reply(503, **SOON)).always(lambda request: results(request) if verb == "publish_batch" else one_result())
    await getattr(operations, verb)("orders", [message] if verb == "publish_batch" else message)
    first, second = script.bodies()
    assert first == second
    assert script.requests[0].url == script.requests[1].url
    assert "mine" in str(first) or message.message_id is None


def one_result() -> httpx.Response:
    return reply(201, {"messageId": "m", "status": "successful"})


async def test_a_closed_client_says_so(script, sender):
    await sender._http.aclose()
    with pytest.raises(Closed, match=r"open a new one with connect\(\)"):
        await call(sender)
    assert sender.calls == 0


@pytest.mark.parametrize(("poll_seconds", "read"), [(0.0, 30.0), (20.0, 35.0)])
async def test_a_long_poll_is_given_time_to_answer(script, poll_seconds, read):
    from courier_nb.wire.transport import make_http

    async with make_http(script.will(reply(200)).transport) as http:
        await call(Sender(http), Operation.RECEIVE, poll_seconds=poll_seconds)
    assert script.requests[0].extensions["timeout"]["read"] == read


async def test_a_lost_lock_is_told_apart_from_the_rest(script, operations: Operations):
    script.will(reply(400, {"status": "failure", "statusMessage": "LockId: AQEBsecret provided is expired"}))
    with pytest.raises(LockLost) as caught:
        await operations.ack_one("orders", "m", "AQEBsecret")
    assert "AQEBsecret" not in str(caught.value)
