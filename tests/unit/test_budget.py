"""Bounded memory: large answers wait, packed ones cannot grow without end, and nobody waits for ever."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import AsyncIterator

import anyio
import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from courier_nb.core.errors import BadAnswer
from courier_nb.flows.receive import Sizes
from courier_nb.wire.budget import SMALL_BYTES, ByteBudget
from courier_nb.wire.reading import TooMuchAnswer, Undecodable, read_answer
from courier_nb.wire.retry import Operation
from courier_nb.wire.sender import Sender

pytestmark = pytest.mark.anyio

URL = "https://mq.test/api/v1/x"


class Stream(httpx.AsyncByteStream):
    """A body that comes in chunks, as from a socket."""

    def __init__(self, content: bytes, chunk: int = 65_536) -> None:
        self._content, self._chunk = content, chunk
        self.given = 0

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for start in range(0, len(self._content), self._chunk):
            self.given = start + self._chunk
            yield self._content[start : start + self._chunk]
            await anyio.sleep(0)


def answer(content: bytes, encoding: str = "", *, chunk: int = 65_536, announced: bool = False) -> httpx.Response:
    headers = {"Content-Encoding": encoding} if encoding else {}
    if announced:
        headers["Content-Length"] = str(len(content))
    return httpx.Response(200, headers=headers, stream=Stream(content, chunk), request=httpx.Request("GET", URL))


async def read(response: httpx.Response, most: int = 10**9, claim: object = None) -> bytes:
    with anyio.CancelScope() as deadline:
        return (await read_answer(response, most=most, claim=claim, deadline=deadline)).content
    raise AssertionError


PACKED = {
    "": lambda content: content,
    "identity": lambda content: content,
    "gzip": gzip.compress,
    "x-gzip": gzip.compress,
    " GZIP": lambda content: gzip.compress(content[: len(content) // 2]) + gzip.compress(content[len(content) // 2 :]),
}


@pytest.mark.parametrize("encoding", PACKED)
@pytest.mark.parametrize("chunk", [1, 7, 65_536])
@pytest.mark.parametrize("content", [b"", b"{}", bytes(range(256)) * 20, b"a" * 3_000], ids=["none", "short", "all", "same"])
async def test_every_way_of_packing_gives_the_same(encoding, chunk, content):
    assert await read(answer(PACKED[encoding](content), encoding, chunk=chunk)) == content


async def test_a_small_answer_that_unpacks_without_end_is_stopped():
    bomb = gzip.compress(b"\0" * 50_000_000)
    assert len(bomb) < 100_000
    with pytest.raises(TooMuchAnswer):
        await read(answer(bomb, "gzip"), most=2_000_000)


async def test_an_answer_that_is_too_long_is_stopped():
    response = answer(b"x" * 5_000_000)
    with pytest.raises(TooMuchAnswer):
        await read(response, most=1_000_000)
    assert response.stream.given < 1_200_000


@pytest.mark.parametrize(
    ("content", "encoding"),
    [(b"not gzip", "gzip"), (gzip.compress(b"x" * 100)[:-20], "gzip"), (b"x", "br"), (b"x", "zstd"), (b"x", "gzip, gzip"),
     (zlib.compress(b"abc"), "deflate")],
)  # fmt: skip
async def test_what_cannot_be_unpacked_is_said_and_not_guessed(content, encoding):
    with pytest.raises(Undecodable):
        await read(answer(content, encoding))


async def test_the_sender_calls_it_an_answer_of_unknown_outcome():
    async def respond(request: httpx.Request) -> httpx.Response:
        return answer(gzip.compress(b"\0" * 3_000_000), "gzip")

    async with httpx.AsyncClient(transport=httpx.MockTransport(respond)) as http:
        with pytest.raises(BadAnswer, match="holds more than 1 MB") as caught:
            await Sender(http).call(Operation.RECEIVE, "GET", URL, where="q", tokens=None, answer_bytes=1_000_000)
    assert caught.value.outcome_unknown


@pytest.mark.parametrize("announced", [True, False])
async def test_large_answers_are_read_one_after_the_other_when_there_is_room_for_one(announced):
    budget = ByteBudget(3_000_000)
    held: list[int] = []

    async def call() -> None:
        claim = budget.claim()
        await read(answer(b"x" * 2_000_000, announced=announced), claim=claim)
        held.append(budget.held)
        await anyio.sleep(0)
        claim.release()

    with anyio.fail_after(10):
        async with anyio.create_task_group() as group:
            for _ in range(8):
                group.start_soon(call)
    assert held == [2_000_000] * 8
    assert budget.held == 0


async def test_small_answers_do_not_wait():
    budget = ByteBudget(1)
    budget.claim().is_now(10)
    with anyio.fail_after(5):
        assert len(await read(answer(b"x" * SMALL_BYTES), claim=budget.claim())) == SMALL_BYTES


async def test_only_one_answer_at_a_time_may_outgrow_what_was_taken_for_it():
    """Packed answers do not say how large they are; ten bombs at once are no more than one."""
    budget = ByteBudget(20_000_000)
    most = 0

    async def call() -> None:
        nonlocal most
        claim = budget.claim()
        try:
            await read(answer(gzip.compress(b" " * 60_000_000), "gzip"), most=50_000_000, claim=claim)
        except TooMuchAnswer:
            most = max(most, budget.held)
        claim.release()

    with anyio.fail_after(20):
        async with anyio.create_task_group() as group:
            for _ in range(10):
                group.start_soon(call)
    assert budget.held == 0
    assert 49_000_000 < most <= 50_000_000 + 2 * 20_000_000


async def test_waiting_for_room_does_not_use_up_the_time_of_the_call():
    budget = ByteBudget(1_000_000)
    first = budget.claim()
    await first.take(1_000_000)
    second = budget.claim()

    async def release_late() -> None:
        await anyio.sleep(0.2)
        first.release()

    async with anyio.create_task_group() as group:
        group.start_soon(release_late)
        with anyio.fail_after(0.1) as scope:
            found = await read_answer(answer(b"x" * 900_000), most=10**9, claim=second, deadline=scope)
    assert len(found.content) == 900_000


async def test_an_answer_larger_than_the_whole_budget_is_let_in_alone():
    budget = ByteBudget(1_000_000)
    with anyio.fail_after(5):
        assert len(await read(answer(b"x" * 9_000_000), claim=budget.claim())) == 9_000_000
    assert budget.held == 9_000_000


@given(st.lists(st.tuples(st.sampled_from(["take", "release", "cancel", "room"]), st.integers(0, 30)), max_size=60))
def test_nobody_waits_for_what_nobody_holds(steps):
    async def scenario() -> None:
        budget = ByteBudget(20)
        holding = []
        waiting: list[anyio.CancelScope] = []

        async def take(size: int) -> None:
            claim = budget.claim()
            with anyio.CancelScope() as scope:
                waiting.append(scope)
                await claim.take(size)
                holding.append(claim)
            waiting.remove(scope)

        async def room() -> None:
            with anyio.CancelScope() as scope:
                waiting.append(scope)
                await budget.room()
            waiting.remove(scope)

        async with anyio.create_task_group() as group:
            for step, size in steps:
                if step == "take":
                    group.start_soon(take, size)
                elif step == "room":
                    group.start_soon(room)
                elif step == "release" and holding:
                    holding.pop(size % len(holding)).release()
                elif step == "cancel" and waiting:
                    waiting[size % len(waiting)].cancel()
                for _ in range(5):
                    await anyio.sleep(0)
                assert budget.held <= 20 or len([claim for claim in holding if claim._size]) == 1
                assert not waiting or budget.held
            while holding:
                holding.pop().release()
                for _ in range(5):
                    await anyio.sleep(0)
        assert (budget.held, waiting) == (0, [])

    anyio.run(scenario)


@pytest.mark.parametrize(
    ("size", "batch"),
    [(1_000, 10), (100_000, 10), (600_000, 10), (1_000_000, 8), (3_000_000, 2), (10_000_000, 1), (100_000_000, 1)],
)
def test_the_larger_messages_are_the_fewer_are_asked_for(size, batch):
    sizes = Sizes(16_000_000)
    sizes.saw(size * 3, 3)
    assert sizes.batch(10) == batch


def test_large_messages_are_forgotten_slowly():
    sizes = Sizes(16_000_000)
    sizes.saw(10_000_000, 1)
    batches = []
    for _ in range(60):
        sizes.saw(1_000, 1)
        batches.append(sizes.batch(10))
    assert batches == sorted(batches)
    assert (batches[0], batches[-1]) == (1, 10)
