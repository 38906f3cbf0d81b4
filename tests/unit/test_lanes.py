"""Publishing side by side: full batches, order inside a group, and what happens after a failure."""

from __future__ import annotations

import json
import random
from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Sequence

import anyio
import httpx
import pytest

from courier_nb.core.errors import Forbidden
from courier_nb.core.messages import Message, Outcome
from courier_nb.core.progress import Counter
from courier_nb.flows.batches import Row
from courier_nb.flows.lanes import Lanes
from courier_nb.flows.replaying import replay as replay_flow
from courier_nb.flows.replaying.wish import Wish
from courier_nb.storage.replays.ledger import Ledger
from courier_nb.wire.operations import Operations
from tests.unit.scripts import Script, reply, results

pytestmark = pytest.mark.anyio

Answer = Callable[[httpx.Request], httpx.Response]


class Run:
    """One run of the lanes, with all that was sent and what became of it."""

    def __init__(self, operations: Operations, script: Script, concurrency: int = 4) -> None:
        self.outcomes: dict[int, Outcome] = {}
        self.announced: list[int] = []
        self.lanes = Lanes(operations, "q", concurrency=concurrency, before=self._before, after=self._after)
        self._script = script

    async def __call__(self, messages: Sequence[Message]) -> list[str]:
        async def rows() -> AsyncIterator[Row]:
            for position, message in enumerate(messages):
                yield Row(position, message)

        with anyio.fail_after(20):
            await self.lanes.run(rows())
        return [self.outcomes[position].kind for position in range(len(messages))]

    def calls(self) -> list[list[str]]:
        return [[item["headers"]["messageId"] for item in items] for items in self._script.bodies()]

    async def _before(self, rows: Sequence[Row]) -> None:
        self.announced += [row.position for row in rows]

    async def _after(self, rows: Sequence[Row], outcomes: Sequence[Outcome]) -> None:
        for row, outcome in zip(rows, outcomes, strict=True):
            assert row.position == outcome.position
            assert row.position not in self.outcomes
            self.outcomes[row.position] = outcome


def ids(request: httpx.Request) -> set[str]:
    return {item["headers"]["messageId"] for item in json.loads(request.content)}


def message(message_id: str, group: str | None = None, body: str = "b") -> Message:
    return Message(body, headers={"messageId": message_id, **({"messageGroupId": group} if group else {})})


def grouped(groups: str, each: int) -> list[Message]:
    return [message(f"{group}{number}", group) for number in range(each) for group in groups]


def too_large_over(size: int) -> Answer:
    def answer(request: httpx.Request) -> httpx.Response:
        total = sum(len(item["body"]) for item in json.loads(request.content))
        return reply(413, {"statusMessage": "Payload too large"}) if total > size else results(request)

    return answer


@pytest.mark.parametrize(("count", "calls"), [(1, 1), (10, 1), (11, 2), (100, 10), (101, 11)])
async def test_messages_without_a_group_go_in_full_batches_for_each_call_is_billed(script, operations, count, calls):
    script.always(results)
    run = Run(operations, script)
    assert await run([message(f"m{number}") for number in range(count)]) == ["ok"] * count
    assert len(run.calls()) == calls
    assert sorted(run.announced) == list(range(count))


async def test_nothing_is_sent_before_it_was_announced(script, operations):
    run = Run(operations, script)

    def answer(request: httpx.Request) -> httpx.Response:
        assert {f"m{position}" for position in run.announced} >= {
            item["headers"]["messageId"] for item in json.loads(request.content)
        }
        return results(request)

    script.always(answer)
    await run([message(f"m{number}") for number in range(35)])


@pytest.mark.parametrize("concurrency", [1, 2, 8])
async def test_a_group_keeps_its_order_however_many_lanes_there_are(script, operations, concurrency):
    script.always(results)
    run = Run(operations, script, concurrency)
    assert set(await run(grouped("abcdefgh", 30))) == {"ok"}
    arrived = defaultdict(list)
    for call in run.calls():
        for message_id in call:
            arrived[message_id[0]].append(int(message_id[1:]))
    assert arrived == {group: list(range(30)) for group in "abcdefgh"}


def failing_at_random(seed: int) -> Answer:
    chance = random.Random(seed)

    def answer(request: httpx.Request) -> httpx.Response:
        ids = [item["headers"]["messageId"] for item in json.loads(request.content)]
        match chance.randrange(8):
            case 0:
                return reply(500)
            case 1:
                return reply(413)
            case 2:
                return results(request, failed={chance.choice(ids): "no"})
            case 3:
                return reply(200, results(request).json()[1:])
            case _:
                return results(request)

    return answer


@pytest.mark.parametrize("seed", range(12))
async def test_after_a_failure_nothing_later_of_its_group_is_sent(script, operations, seed):
    script.always(failing_at_random(seed))
    run, messages = Run(operations, script), grouped("abcdef", 40)
    kinds = await run(messages)
    by_group = defaultdict(list)
    for sent, kind in zip(messages, kinds, strict=True):
        by_group[sent.message_group_id].append(kind)
    for kinds_of_group in by_group.values():
        first = next((place for place, kind in enumerate(kinds_of_group) if kind != "ok"), len(kinds_of_group))
        assert "ok" not in kinds_of_group[first + 10 :]  # what went in the same call cannot be called back
    arrived = [message_id for call in run.calls() for message_id in call]
    for group in by_group:
        numbers = [int(message_id[1:]) for message_id in dict.fromkeys(arrived) if message_id.startswith(str(group))]
        assert numbers == sorted(numbers)


async def test_a_failure_in_one_group_leaves_the_others_alone(script, operations):
    script.always(lambda request: results(request, failed={"a0": "no"}))
    run = Run(operations, script, concurrency=1)
    kinds = dict(zip([m.message_id for m in grouped("ab", 20)], await run(grouped("ab", 20)), strict=True))
    assert {kinds[f"b{number}"] for number in range(20)} == {"ok"}
    assert kinds["a0"] == "refused"
    assert {kinds[f"a{number}"] for number in range(10, 20)} == {"skipped"}


async def test_a_message_that_is_ahead_of_a_refused_one_of_its_group_says_so(script, operations):
    script.always(lambda request: results(request, failed={"a1": "no"}))
    run = Run(operations, script, concurrency=1)
    assert await run(grouped("ab", 5)) == ["ok", "ok", "refused", *["ok"] * 7]
    reasons = {outcome.message_id: outcome.reason for outcome in run.outcomes.values()}
    assert all("ahead of an earlier message of its group" in reasons[f"a{number}"] for number in (2, 3, 4))
    assert {reasons["a0"], *(reasons[f"b{number}"] for number in range(5))} == {""}


@pytest.mark.parametrize("big", [0, 4, 9])
async def test_a_batch_that_is_too_large_is_halved_until_the_culprit_stands_alone(script, operations, big):
    script.always(too_large_over(50))
    run = Run(operations, script)
    kinds = await run([message(f"m{number}", body="x" * (60 if number == big else 2)) for number in range(10)])
    assert kinds == ["refused" if number == big else "ok" for number in range(10)]
    assert [big] in [[int(message_id[1:]) for message_id in call] for call in run.calls()]


async def test_messages_that_are_only_together_too_large_all_get_through(script, operations):
    script.always(too_large_over(25))
    assert await Run(operations, script)([message(f"m{number}", body="x" * 10) for number in range(10)]) == ["ok"] * 10


async def test_behind_a_message_that_is_too_large_its_group_stops_even_in_the_same_batch(script, operations):
    script.always(too_large_over(50))
    run = Run(operations, script)
    messages = [message("g0", "g", "x" * 60), *(message(f"g{number}", "g") for number in range(1, 6)), message("free")]
    kinds = dict(zip([m.message_id for m in messages], await run(messages), strict=True))
    assert kinds["g0"] == "refused"
    delivered = [message_id for message_id, kind in kinds.items() if kind == "ok"]
    assert set(delivered) <= {"free"}


async def test_bodies_are_batched_by_size_too(script, operations):
    script.always(results)
    run = Run(operations, script, concurrency=1)
    await run([message(f"m{number}", body="x" * 3_000_000) for number in range(5)])
    assert list(map(len, run.calls())) == [2, 2, 1]


async def test_after_an_error_of_the_whole_destination_nothing_more_is_tried(script, operations):
    script.will(results).always(reply(403))
    run = Run(operations, script, concurrency=1)
    kinds = await run([message(f"m{number}") for number in range(40)])
    assert kinds == ["ok"] * 10 + ["refused"] * 10 + ["skipped"] * 20
    assert isinstance(run.lanes.fatal, Forbidden)
    assert len(run.calls()) == 2


@pytest.mark.parametrize(
    ("answer", "kind"), [(reply(500), "unknown"), (reply(200, "<html>"), "unknown"), (httpx.ReadTimeout(""), "unknown")]
)
async def test_an_unknown_outcome_is_said_to_be_unknown_and_others_go_on(script, operations, answer, kind):
    script.will(answer).always(results)
    run = Run(operations, script, concurrency=1)
    assert await run([message(f"m{number}") for number in range(20)]) == ["unknown"] * 10 + ["ok"] * 10


async def test_a_message_that_cannot_be_sent_at_all_is_refused_and_does_not_hold_up_the_others(script, operations):
    script.always(results)
    kinds = await Run(operations, script)([message("m"), Message(None, headers={"messageId": "hidden"}), message("n")])
    assert kinds == ["ok", "refused", "ok"]


async def test_what_413_refused_is_forgotten_by_the_ledger_and_sent_by_the_next_run(script, operations, tmp_path):
    """The rows behind a refused one were announced as sent, but certainly were not taken."""
    messages = [message("g0", "g", "x" * 60), *(message(f"g{number}", "g") for number in range(1, 6)), message("free")]

    async def replay() -> list[str]:
        with Ledger(tmp_path / "ledger.jsonl", "target") as ledger:
            counter = Counter("replay")
            report = await replay_flow.replay(operations, "q", messages, ledger, Wish(), concurrency=1, counter=counter)
            return [outcome.kind for outcome in report]

    script.always(too_large_over(50))
    assert await replay() == ["refused"] * 6 + ["ok"]
    script.always(results)
    assert await replay() == ["ok"] * 6 + ["skipped"]
