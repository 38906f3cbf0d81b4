"""Receiving with several calls at a time: nobody waits for ever, and no more is taken than was asked for."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator

import anyio
import httpx
import pytest

from courier_nb.core.errors import BadAnswer, DestinationNotFound
from courier_nb.core.progress import Counter
from courier_nb.flows.receive import Ask, Receiver, release
from courier_nb.flows.reports import Received
from courier_nb.flows.stops import Stop, stop_after
from courier_nb.flows.taking import peek, receive
from courier_nb.wire.codec import Delivery
from courier_nb.wire.operations import Operations
from tests.unit.scripts import Script, item, operations_over, received, reply, results

pytestmark = pytest.mark.anyio

ASK = Ask("q", polling_ms=1, lock_ms=60_000)


class Queue:
    """A queue that gives out at most `spoonful` messages a call, after letting others run."""

    def __init__(self, size: int, spoonful: int = 10) -> None:
        self.left = [f"m{number}" for number in range(size)]
        self.returned: list[str] = []
        self._spoonful = spoonful

    async def answer(self, request: httpx.Request) -> httpx.Response:
        for _ in range(3):
            await anyio.sleep(0)
        if request.method == "DELETE":
            answer = results(request)
            self.returned += [found["messageId"] for found in answer.json()]
            return answer
        count = min(int(request.url.params["batchSize"]), self._spoonful)
        taken, self.left = self.left[:count], self.left[count:]
        return reply(200, [item(message_id) for message_id in taken]) if taken else reply(204)


def calling(queue: Queue) -> Operations:
    return operations_over(httpx.MockTransport(queue.answer))


async def take(operations: Operations, stop: Stop, concurrency: int = 16, verb: object = receive) -> Received:
    with anyio.fail_after(10):
        return await verb(operations, ASK, stop, concurrency=concurrency, counter=Counter("t"))  # type: ignore[operator]


@pytest.mark.parametrize("concurrency", [1, 2, 16])
@pytest.mark.parametrize("spoonful", [1, 3, 10])
@pytest.mark.parametrize(("size", "limit"), [(0, 5), (7, 25), (25, 25), (60, 25), (100, 100), (3, 1)])
async def test_a_limit_is_kept_to_exactly_and_nobody_waits_for_ever(size, limit, spoonful, concurrency):
    queue = Queue(size, spoonful)
    found = await take(calling(queue), stop_after(limit, empties=3), concurrency)
    assert len(found.messages) == min(size, limit)
    assert len(queue.left) == max(size - limit, 0)
    assert "limit" in found.stopped_because or "nothing visible in 3 polls" in found.stopped_because


async def test_calls_are_made_side_by_side():
    inside, all_inside = [], anyio.Event()

    async def answer(request: httpx.Request) -> httpx.Response:
        inside.append(request)
        if len(inside) == 8:
            all_inside.set()
        await all_inside.wait()  # or never, if one call waited for another
        return reply(204)

    await take(operations_over(httpx.MockTransport(answer)), stop_after(None, empties=1), 8)
    assert len(inside) >= 8


async def test_while_one_call_still_asks_those_that_came_up_empty_pause_and_do_not_count():
    requests, last = [], anyio.Event()

    async def answer(request: httpx.Request) -> httpx.Response:
        requests.append(request)
        if len(requests) == 1:
            await last.wait()
        return reply(204)

    async def look() -> None:
        await anyio.wait_all_tasks_blocked()
        assert len(requests) == 16
        last.set()

    async with anyio.create_task_group() as group:
        group.start_soon(look)
        found = await take(operations_over(httpx.MockTransport(answer)), stop_after(None, empties=3), 16)
    assert found.stopped_because == "nothing visible in 3 polls in a row"
    assert len(requests) == 16 + 2


async def test_messages_wake_those_that_pause():
    given = [*(reply(204) for _ in range(7)), *(reply(200, [item(f"m{number}")]) for number in range(4))]
    requests, first, second = [], anyio.Event(), anyio.Event()

    async def answer(request: httpx.Request) -> httpx.Response:
        requests.append(request)
        if len(requests) == 1:
            await first.wait()
            return reply(200, [item("first")])
        if len(requests) == 12:
            second.set()
        if len(requests) > 8:
            await second.wait()  # until four calls ask again at the same time
        return given.pop(0) if given else reply(204)

    async def look() -> None:
        await anyio.wait_all_tasks_blocked()
        first.set()

    async with anyio.create_task_group() as group:
        group.start_soon(look)
        found = await take(operations_over(httpx.MockTransport(answer)), stop_after(None, empties=2), 8)
    assert [message.message_id for message in found.messages] == ["first", "m0", "m1", "m2", "m3"]


@pytest.mark.parametrize("verb", [receive, peek])
async def test_a_peek_returns_what_a_receive_keeps(verb):
    queue = Queue(23)
    found = await take(calling(queue), stop_after(23, empties=1), 4, verb)
    expected = [f"m{number}" for number in range(23)] if verb is peek else []
    assert sorted(queue.returned) == sorted(expected)
    assert set(found.frame()["settlement"].dropna()) == ({"returned"} if verb is peek else set())
    assert found.ok


async def test_messages_are_returned_last_first(script, operations):
    script.always(results)
    await release(operations, "q", received([item(f"m{number}") for number in range(5)]))
    assert [found["messageId"] for found in script.bodies()[0]] == ["m4", "m3", "m2", "m1", "m0"]


async def test_outcomes_of_returning_are_in_the_order_of_the_messages(script, operations):
    script.always(lambda request: results(request, failed={"m1": "no"}))
    messages = [*received([item("m0"), item("m1")]), *received([{"body": "odd"}]), *received([item("m3")])]
    outcomes = await release(operations, "q", messages)
    assert [(outcome.message_id, outcome.kind) for outcome in outcomes] == [
        ("m0", "ok"),
        ("m1", "lost_lock"),
        (None, "refused"),
        ("m3", "ok"),
    ]


async def test_an_error_gives_back_what_was_received(script: Script, operations):
    script.will(reply(200, [item("m0"), item("m1")])).always(lambda request: results(request) if request.content else reply(404))
    with pytest.raises(DestinationNotFound):
        await take(operations, stop_after(50, empties=3), 1)
    assert {found["messageId"] for found in json_of(script)} == {"m0", "m1"}


async def test_a_cancelled_receive_gives_back_what_was_received(script: Script, operations):
    with anyio.CancelScope() as scope:

        def answer(request: httpx.Request) -> httpx.Response:
            if request.content:
                return results(request)
            scope.cancel()
            return reply(200, [item("m0")])

        script.always(answer)
        await take(operations, stop_after(50, empties=3), 1)
    assert scope.cancelled_caught
    assert [found["messageId"] for found in json_of(script)] == ["m0"]


def json_of(script: Script) -> list[dict[str, str]]:
    returned = [request for request in script.requests if request.method == "DELETE"]
    return [found for request in returned for found in httpx.Response(200, content=request.content).json()]


async def test_a_receive_without_a_certain_answer_is_counted_and_not_repeated_by_itself(script, operations):
    script.will(reply(500), reply(200, [item("m0")]), reply(200, "<html>"), reply(200, [item("m1")]))
    found = await take(operations, stop_after(2, empties=3), 1)
    assert (found.ghost_receives, len(found.messages), found.calls) == (2, 2, 4)
    assert "2 receives without an answer" in repr(found)


async def test_three_in_a_row_are_an_error(script, operations):
    script.always(reply(200, "<html>"))
    with pytest.raises(BadAnswer):
        await take(operations, stop_after(5), 1)
    assert len(script.requests) == 3


async def test_calls_that_all_break_at_once_are_made_again(script, operations):
    broken = [reply(200, "<html>") for _ in range(16)]
    script.will(*broken, *(reply(200, [item(f"m{n}")]) for n in range(16))).always(reply(204))
    found = await take(operations, stop_after(None, empties=1), 16)
    assert (found.ghost_receives, len(found.messages)) == (16, 16)


async def test_a_time_limit_ends_it_however_much_there_is():
    stop = Stop(None, None, None, 0.0, started=time.monotonic())
    found = await take(calling(Queue(100)), stop)
    assert (len(found.messages), found.stopped_because) == (0, "time limit of 0 s reached")


async def test_the_first_call_asks_for_one_message_and_the_others_wait_for_its_answer():
    asked: list[int] = []
    first = anyio.Event()

    async def answer(request: httpx.Request) -> httpx.Response:
        asked.append(int(request.url.params["batchSize"]))
        if len(asked) == 1:
            await first.wait()
            return reply(200, [item("m0")])
        return reply(204)

    async def look() -> None:
        await anyio.wait_all_tasks_blocked()
        assert asked == [1]
        first.set()

    receiver = Receiver(operations_over(httpx.MockTransport(answer)), ASK, stop_after(None, empties=1), 8)
    found: list[int] = []

    async def handle(delivery: Delivery) -> None:
        found.append(len(delivery.messages))

    with anyio.fail_after(10):
        async with anyio.create_task_group() as group:
            group.start_soon(look)
            await receiver.run(handle)
    assert found == [1]
    assert set(asked[1:]) == {10}


async def test_a_first_call_without_an_answer_does_not_hold_up_the_others():
    asked: list[int] = []

    async def answer(request: httpx.Request) -> httpx.Response:
        asked.append(int(request.url.params["batchSize"]))
        return reply(500) if len(asked) == 1 else reply(204)

    receiver = Receiver(operations_over(httpx.MockTransport(answer)), ASK, stop_after(None, empties=2), 4)

    async def handle(delivery: Delivery) -> None:
        raise AssertionError("there was nothing to handle")

    with anyio.fail_after(10):
        await receiver.run(handle)
    assert receiver.ghost_receives == 1


class Trickle(httpx.AsyncByteStream):
    """A body that comes in pieces, as over a socket, and only as far as it is read."""

    def __init__(self, content: bytes) -> None:
        self._content = content

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for start in range(0, len(self._content), 100_000):
            yield self._content[start : start + 100_000]
            await anyio.sleep(0)


async def test_while_large_answers_are_handled_no_more_are_taken_in():
    """Answers of 2 MB, a budget of 3 MB, eight calls at a time: one is held at a time, and all are handled."""
    queue, most, handled = [f"m{number}" for number in range(24)], 0, 0

    async def answer(request: httpx.Request) -> httpx.Response:
        await anyio.sleep(0)
        if not queue:
            return reply(204)
        return httpx.Response(200, stream=Trickle(reply(200, [item(queue.pop(), "x" * 2_000_000)]).content))

    operations = operations_over(httpx.MockTransport(answer))
    receiver = Receiver(operations, ASK, stop_after(None, empties=1), 8, tries_first=False, budget_bytes=3_000_000)

    async def handle(delivery: Delivery) -> None:
        nonlocal most, handled
        most = max(most, receiver._budget.held)
        await anyio.sleep(0.001)
        handled += len(delivery.messages)

    with anyio.fail_after(20):
        await receiver.run(handle)
    assert handled == 24
    assert receiver._budget.held == 0
    assert 2_000_000 <= most <= 3_000_000


async def test_a_handler_that_fails_gives_its_room_back():
    async def answer(request: httpx.Request) -> httpx.Response:
        return reply(200, [item("m", "x" * 1_000_000)])

    receiver = Receiver(operations_over(httpx.MockTransport(answer)), ASK, stop_after(None, empties=1), 3)

    async def handle(delivery: Delivery) -> None:
        raise DestinationNotFound("gone", status=404, operation="ack_batch")

    with anyio.fail_after(10), pytest.raises(DestinationNotFound):
        await receiver.run(handle)
    assert receiver._budget.held == 0
