"""What is reported, and what is left alone, when calls fail in ways that leave something open."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import httpx
import pytest

from courier_nb import AsyncClient, Capture, Forbidden, InvalidArgument, Message, Unreachable
from courier_nb.broker import LocalBroker
from courier_nb.client import broker_settings

from .test_verbs import QUICK, Fault, Faulty, messages, publish

pytestmark = pytest.mark.anyio


def client_of(broker: LocalBroker, fault: Fault) -> AsyncClient:
    return AsyncClient(broker_settings(broker.settings), transport=Faulty(broker.transport(), fault))


class Refusing(httpx.AsyncBaseTransport):
    """Lets nothing through that would acknowledge."""

    def __init__(self, inner: httpx.AsyncBaseTransport) -> None:
        self._inner = inner

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        if request.method == "DELETE" and request.url.path.endswith("/messages"):
            return httpx.Response(403, request=request)
        return await self._inner.handle_async_request(request)


async def test_a_drain_that_may_not_acknowledge_spends_one_delivery_and_dead_letters_nothing(
    broker: LocalBroker, tmp_path: Path
) -> None:
    async with AsyncClient(broker_settings(broker.settings), transport=Refusing(broker.transport())) as client:
        queue = client.destination("queue")
        await publish(queue, 40)
        with pytest.raises(Forbidden):
            await queue.drain(tmp_path / "cap", **QUICK)
        assert broker.depth("queue") == {"messages": 40, "inflight": 0}
        assert broker.depth("dlq") == {"messages": 0, "inflight": 0}
        assert {m.delivery_count for m in (await queue.peek(40, **QUICK)).messages} <= {1, 2}
    assert set(Capture(tmp_path / "cap").settlements) == {"returned"}


@pytest.mark.parametrize("whole", [True, False], ids=["the repeat is refused as a whole", "item by item"])
async def test_an_acknowledgement_whose_first_attempt_is_uncertain_is_unknown_and_not_a_lost_lock(
    broker: LocalBroker, whole: bool
) -> None:
    attempts = 0

    def strike(request: httpx.Request, response: httpx.Response) -> httpx.Response:
        nonlocal attempts
        if request.method != "DELETE":
            return response
        attempts += 1
        if attempts == 1:
            return httpx.Response(502, request=request)  # the broker had done it
        return httpx.Response(400, request=request) if whole else response

    async with client_of(broker, strike) as client:
        queue = client.destination("queue")
        await publish(queue, 3)
        report = await queue.ack(await queue.receive(3, **QUICK), progress=False)
    assert report.counts == {"unknown": 3}
    assert broker.depth("queue") == {"messages": 0, "inflight": 0}
    assert "may have done it" in report.failed[0].reason


async def test_without_a_token_nothing_was_sent_and_nothing_is_unknown(broker: LocalBroker, tmp_path: Path) -> None:
    is_out = False
    token_calls = 0

    def strike(request: httpx.Request, response: httpx.Response) -> httpx.Response:
        nonlocal token_calls
        if is_out and request.url.path.endswith("/token"):
            token_calls += 1
            raise httpx.ReadError("reset", request=request)
        return httpx.Response(401, request=request) if is_out else response

    async with client_of(broker, strike) as client:
        queue, ledger = client.destination("queue"), tmp_path / "ledger.jsonl"
        await publish(queue, 1)
        is_out = True
        with pytest.raises(Unreachable) as caught:
            await queue.replay(messages(3), ledger=ledger, progress=False)
        assert caught.value.before_sending
        assert token_calls <= 6  # repeated for the token only, not once more for the call around it
        is_out = False
        report = await queue.replay(messages(3), ledger=ledger, progress=False)
    assert report.counts == {"ok": 3}  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("verb", "arguments"),
    [("peek", {"lock_ttl": 0}), ("receive", {"lock_ttl": "10ms"}), ("drain", {"to": "x", "lock_ttl": 0}), ("peek", {"count": 0})],
)
async def test_what_cannot_be_meant_is_refused_before_anything_is_sent(
    broker: LocalBroker, verb: str, arguments: dict[str, Any], tmp_path: Path
) -> None:
    async with client_of(broker, lambda request, response: response) as client:
        await publish(client.destination("queue"), 1)
        if "to" in arguments:
            arguments = {**arguments, "to": tmp_path / "x"}
        with pytest.raises(InvalidArgument):
            await getattr(client.destination("queue"), verb)(**arguments)
    assert broker.depth("queue") == {"messages": 1, "inflight": 0}


async def test_a_replay_refuses_a_policy_that_it_does_not_know(broker: LocalBroker) -> None:
    async with client_of(broker, lambda request, response: response) as client:
        with pytest.raises(InvalidArgument, match="'report', 'resend' or 'skip'"):
            await client.destination("queue").replay([Message("x")], unknown="again", progress=False)  # type: ignore[arg-type]


async def test_a_frame_of_a_capture_counts_as_the_same_messages(broker: LocalBroker, tmp_path: Path) -> None:
    async with client_of(broker, lambda request, response: response) as client:
        await publish(client.destination("dlq"), 5)
        capture = await client.destination("dlq").drain(tmp_path / "cap", **QUICK)
        ledger = tmp_path / "ledger.jsonl"
        first = await client.destination("queue").replay(capture, ledger=ledger, progress=False)
        second = await client.destination("queue").replay(capture.frame(), ledger=ledger, progress=False)
    assert (first.counts, second.counts) == ({"ok": 5}, {"skipped": 5})  # type: ignore[union-attr]
