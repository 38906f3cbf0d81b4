"""The load: sixteen connections that publish, receive, change locks and ack, one operation after the other."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from time import perf_counter
from typing import Self

import aiohttp

from benchmarks.broker import shapes
from benchmarks.broker.serving import SHARES, Server, served
from benchmarks.broker.shapes import BATCH, QUEUE, Shape
from benchmarks.broker.storing import OPERATIONS
from benchmarks.figures import Rounds, in_turns

CONNECTIONS = 16
_BURST = 3 * CONNECTIONS  # batches in flight at once; a FIFO queue must have as many groups that are free
_LOCK_SECONDS = 600
_MESSAGES = f"{QUEUE}/messages"


class Load:
    """Drives one broker process."""

    def __init__(self, server: Server, shape: Shape, depth: int, run: str) -> None:
        self.server = server
        self._shape = shape
        self._depth = depth
        self._run = run
        self._published = 0
        self._session = aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=CONNECTIONS))
        at = server.settings
        self._base = f"{at['url']}/organizations/{at['organization']}/environments/{at['environment']}/destinations/"

    async def __aenter__(self) -> Self:
        at = self.server.settings
        form = {"grant_type": "client_credentials", **{key: at[key] for key in ("client_id", "client_secret")}}
        async with self._session.post(f"{at['url']}/authorize", data=form) as answer:
            token = (await answer.json())["access_token"]
        self._session.headers.update({"Authorization": f"Bearer {token}", "Content-Type": "application/json"})
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._session.close()

    async def seconds(self, bursts: int, *, shares: bool = False) -> dict[str, dict[str, float]]:
        """Do each operation `bursts` times 48 batches; return the seconds that one batch takes, by operation.

        Under ``wall`` by the clock, and if wanted, processor time of the server by share.
        """
        spent = {name: dict.fromkeys(("wall", *SHARES), 0.0) for name in OPERATIONS}

        async def timed(name: str, method: str, path: str, bodies: Sequence[bytes | None]) -> list[bytes]:
            before = self.server.spent() if shares else {}
            begun = perf_counter()
            answers = await self._all(method, path, bodies)
            spent[name]["wall"] += perf_counter() - begun
            if shares:
                for share, seconds in self.server.spent().items():
                    spent[name][share] += seconds - before[share]
            return answers

        for _ in range(bursts):
            await timed("publish", "PUT", _MESSAGES, [self._messages() for _ in range(_BURST)])
            query = f"?batchSize={BATCH}&pollingTime=0&lockTtl={_LOCK_SECONDS * 1_000}"
            given = await timed("receive", "GET", _MESSAGES + query, [None] * _BURST)
            held = [[message["headers"] for message in json.loads(batch)] for batch in given]
            if any(len(batch) != BATCH for batch in held):
                raise AssertionError(f"receives brought {[len(batch) for batch in held]} messages")
            locks = [[{key: headers[key] for key in ("messageId", "lockId")} for headers in batch] for batch in held]
            changes = [json.dumps([lock | {"ttl": _LOCK_SECONDS} for lock in batch]).encode() for batch in locks]
            _check(await timed("lock change", "PATCH", f"{_MESSAGES}/locks", changes))
            _check(await timed("ack", "DELETE", _MESSAGES, [json.dumps(batch).encode() for batch in locks]))
        each = bursts * _BURST
        return {name: {what: seconds / each for what, seconds in parts.items()} for name, parts in spent.items()}

    async def call(self, method: str, path: str, body: bytes | None = None) -> bytes:
        """Call the broker API below ``destinations/``; return the answer."""
        async with self._session.request(method, self._base + path, data=body) as answer:
            content = await answer.read()
            if answer.status not in (200, 201):
                raise AssertionError(f"{method} {path} was answered with {answer.status}: {content[:200]!r}")
            return content

    async def _all(self, method: str, path: str, bodies: Sequence[bytes | None]) -> list[bytes]:
        answers: list[bytes] = []
        waiting = iter(bodies)

        async def work() -> None:
            for body in waiting:
                content = await self.call(method, path, body)
                answers.append(content)

        await asyncio.gather(*[work() for _ in range(CONNECTIONS)])
        return answers

    def _messages(self) -> bytes:
        first = self._published
        self._published += BATCH
        return json.dumps(
            [shapes.item(number, self._shape, self._depth, self._run) for number in range(first, first + BATCH)]
        ).encode()


def measure(files: dict[int, Path], shape: Shape, *, durable: bool, rounds: int, bursts: int) -> dict[str, dict[int, Rounds]]:
    """Return seconds for a batch over HTTP, by operation and depth; the depths take turns in each round."""
    found: dict[str, dict[int, Rounds]] = {name: {depth: Rounds() for depth in files} for name in OPERATIONS}

    async def run() -> None:
        async with AsyncExitStack() as stack:
            loads = {}
            for depth, path in files.items():
                server = stack.enter_context(served(path, shape, durable=durable))
                loads[depth] = await stack.enter_async_context(Load(server, shape, depth, f"h{int(durable)}"))
                await loads[depth].seconds(bursts)  # not counted: what was just filled is read for the first time
            for turn in in_turns(list(files), rounds):
                for depth in turn:
                    for name, parts in (await loads[depth].seconds(bursts)).items():
                        found[name][depth].values.append(parts["wall"])

    asyncio.run(run())
    return found


def measure_shares(
    path: Path, shape: Shape, depth: int, *, durable: bool, rounds: int, bursts: int
) -> dict[str, dict[str, Rounds]]:
    """Return seconds for a batch, by operation: of the clock (``wall``), and of the server's processor by share."""
    found: dict[str, dict[str, Rounds]] = {name: {} for name in OPERATIONS}

    async def run() -> None:
        with served(path, shape, durable=durable, shares=True) as server:
            async with Load(server, shape, depth, f"c{int(durable)}") as load:
                await load.seconds(bursts)
                for _ in range(rounds):
                    for name, parts in (await load.seconds(bursts, shares=True)).items():
                        for what, seconds in parts.items():
                            found[name].setdefault(what, Rounds()).values.append(seconds)

    asyncio.run(run())
    return found


def _check(answers: Sequence[bytes]) -> None:
    for answer in answers:
        if any(item["status"] != "successful" for item in json.loads(answer)):
            raise AssertionError(f"not every lock was valid: {answer[:300]!r}")
