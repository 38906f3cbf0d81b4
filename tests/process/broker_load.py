"""A load of every kind on a broker that may be killed at any moment, with a ledger of what it was promised."""

from __future__ import annotations

import asyncio
import random
import time
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any
from urllib.parse import quote

import httpx

from .broker_promises import Given, Message, Promises

MAX_DELIVERIES = 3
CONFIG = f"""
[[queue]]
id = "standard-dlq"
[[queue]]
id = "standard"
dead_letter_queue = "standard-dlq"
max_deliveries = {MAX_DELIVERIES}
[[queue]]
id = "fifo-dlq"
fifo = true
[[queue]]
id = "fifo"
fifo = true
dead_letter_queue = "fifo-dlq"
max_deliveries = {MAX_DELIVERIES}
[[queue]]
id = "copies"
[[queue]]
id = "some"
[[exchange]]
id = "exchange"
bindings = [
  "copies",
  {{ queue = "some", rule = {{ property_name = "kind", property_type = "STRING", matcher = "EQ", value = "b" }} }},
]
"""
DEAD_LETTER_QUEUES = {"standard": "standard-dlq", "fifo": "fifo-dlq"}
QUEUES = ("standard", "standard-dlq", "fifo", "fifo-dlq", "copies", "some")
GROUPS = 12
MOST_LIVE = 600
LOCKS = (1, 2, 4)  # seconds
LONGEST_LOCK = max(LOCKS)

Copy = tuple[str, str, str, str | None]


class BrokerLoad:
    """Publishers, receivers and those who settle what receivers hold; goes on where it was after each restart.

    Parameters
    ----------
    promises : Promises
    dice : random.Random
    """

    def __init__(self, promises: Promises, dice: random.Random) -> None:
        self.promises = promises
        self._dice = dice
        self._held: list[Given] = []
        self._unanswered: list[Sequence[Message]] = []  # of FIFO queues: their clients ask again, with the same ids
        self._recent: deque[Message] = deque(maxlen=200)
        self._is_over = False
        self._number = 0
        self._at_next_answer: Callable[[], None] = _nothing

    def at_next_answer(self, do: Callable[[], None]) -> None:
        """Do something at the very moment at which the next answer comes."""
        self._at_next_answer = do

    async def connect(self, settings: dict[str, str], client: httpx.AsyncClient) -> None:
        """Begin to use a broker that was just started."""
        fields = {key: settings[key] for key in ("client_id", "client_secret")} | {"grant_type": "client_credentials"}
        answer = await client.post(f"{settings['url']}/authorize", data=fields)
        client.headers["Authorization"] = f"Bearer {answer.json()['access_token']}"
        environment = f"organizations/{settings['organization']}/environments/{settings['environment']}"
        client.base_url = httpx.URL(f"{settings['url']}/{environment}/destinations/")
        self._client = client
        self._is_over = False

    async def run(self) -> None:
        """Ask for everything, all the time, until the broker does not answer any more."""
        groups = [f"g{number}" for number in range(GROUPS)]
        async with asyncio.TaskGroup() as tasks:
            for queue in (*QUEUES, "standard", "fifo", "fifo"):
                tasks.create_task(self._receiver(queue))
            for _ in range(3):
                tasks.create_task(self._settler())
            tasks.create_task(self._publisher("standard", [None]))
            tasks.create_task(self._publisher("exchange", [None]))
            await self._publish_again()  # before anything new, so that the order within groups is known
            for half in (groups[::2], groups[1::2]):
                tasks.create_task(self._publisher("fifo", half))

    async def drain(self, seconds: float) -> None:
        """Ack everything, what is locked as soon as it is free."""
        deadline = time.monotonic() + seconds
        while self.promises.live and time.monotonic() < deadline:
            for queue in QUEUES:
                while held := await self._receive(queue, patience=0.0, lock=LONGEST_LOCK):
                    await self._settle("ack", held)
            await asyncio.sleep(0.05)

    async def _publisher(self, destination: str, groups: Sequence[str | None]) -> None:
        # one call after the other, so that the order within its groups is known
        while not self._is_over:
            if len(self.promises.live) > MOST_LIVE:
                await asyncio.sleep(0.02)
            elif destination == "fifo" and self._recent and self._dice.random() < 0.1:
                await self._publish(destination, [self._dice.choice(self._recent)], [])
            else:
                items = [self._item(groups) for _ in range(self._dice.randint(1, 10))]
                copies = [copy for item in items for copy in _copies(destination, item)]
                await self._publish(destination, items, copies)

    async def _publish_again(self) -> None:
        """Do what a client of a FIFO queue does that was not answered: publish again; what is there already is not repeated."""
        while self._unanswered and not self._is_over:
            items = self._unanswered.pop(0)
            missing = [item for item in items if not self.promises.has_known("fifo", item.id)]
            await self._publish("fifo", items, [copy for item in missing for copy in _copies("fifo", item)])

    def _item(self, groups: Sequence[str | None]) -> Message:
        self._number += 1
        body = f"{self._number} " + "payload ÄÖ€ " * self._dice.choice((1, 20, 200))
        return Message("", f"m{self._number}", body, self._dice.choice(groups), 0, 0, 0.0)

    async def _publish(self, destination: str, items: Sequence[Message], copies: Sequence[Copy]) -> None:
        asked = time.time()
        published = self.promises.publishing(copies, asked)
        content = [_json(item) for item in items]
        if len(items) == 1:
            del content[0]["headers"]["messageId"]
            answer = await self._call("publish", "PUT", f"{destination}/messages/{items[0].id}", content[0])
        else:
            answer = await self._call("publish", "PUT", f"{destination}/messages", content)
        if answer is None:
            if destination == "fifo":
                self._unanswered.append(items)
        elif answer.status_code not in (200, 201):
            self.promises.wrong(f"publishing was answered with {answer.status_code}: {answer.text}")
        else:
            self.promises.published(published)
            self.promises.figures["messages published"] += len(published)
            self._recent.extend(message for message in published if message.group is not None)

    async def _receiver(self, queue: str) -> None:
        while not self._is_over:
            held = await self._receive(queue, patience=self._dice.choice((0.0, 0.1, 0.3)), lock=self._dice.choice(LOCKS))
            fate = self._dice.random()
            if fate < 0.3:
                self._held += held
            elif held:
                await self._settle("ack" if fate < 0.8 else "nack", held)
            await asyncio.sleep(0)

    async def _receive(self, queue: str, *, patience: float, lock: int) -> list[Given]:
        asked = time.time()
        params = {
            "batchSize": self._dice.randint(1, 10),
            "pollingTime": int(patience * 1_000),
            "lockTtl": lock * 1_000,
        }
        answer = await self._call("receive", "GET", f"{queue}/messages", params=params)
        if answer is None or answer.status_code == 204:
            return []
        if answer.status_code != 200:
            self.promises.wrong(f"a receive was answered with {answer.status_code}: {answer.text}")
            return []
        return self.promises.received(
            queue, answer.json(), asked=asked, answered=time.time(), patience=patience, lock=float(lock)
        )

    async def _settler(self) -> None:
        """Settle what is held, sooner or later; what was forgotten until its lock ends comes again."""
        while not self._is_over:
            if not self._held:
                await asyncio.sleep(0.01)
                continue
            first = self._held.pop(self._dice.randrange(len(self._held)))
            also = [held for held in self._held if held.queue == first.queue][: self._dice.randint(0, 9)]
            self._held = [held for held in self._held if held not in also]
            kind = self._dice.choices(("ack", "nack", "extend", "forget"), (5, 2, 2, 1))[0]
            if kind != "forget":
                await self._settle(kind, [first, *also])
            if kind == "extend":
                self._held += [first, *also]
            await asyncio.sleep(self._dice.uniform(0, 0.05))

    async def _settle(self, kind: str, given: Sequence[Given]) -> None:
        ttl = self._dice.choice(LOCKS)
        asked = time.time()
        claim = self.promises.asking(kind, given, asked=asked, ttl=float(ttl))
        method = "PATCH" if kind == "extend" else "DELETE"
        items: list[dict[str, Any]] = [{"messageId": held.message.id, "lockId": held.lock} for held in given]
        if kind == "extend":
            items = [item | {"ttl": ttl} for item in items]
        path = f"{given[0].queue}/messages"
        if len(given) == 1:
            path += f"/{items[0]['messageId']}" + ("" if kind == "ack" else f"/locks/{quote(items[0]['lockId'], safe='')}")
            answer = await self._call(kind, method, path, items[0])
        else:
            answer = await self._call(kind, method, path + ("" if kind == "ack" else "/locks"), items)
        if answer is None:
            return
        at = time.time()
        content = answer.json()
        if answer.status_code not in (200, 400) or (len(given) > 1 and not isinstance(content, list)):
            self.promises.wrong(f"{kind} was answered with {answer.status_code}: {answer.text}")
            return
        done = [item["status"] == "successful" for item in content] if len(given) > 1 else [answer.status_code == 200]
        self.promises.figures[f"messages {kind}ed"] += sum(done)
        self.promises.answered(claim, done, at)

    async def _call(
        self, kind: str, method: str, path: str, value: Any = None, params: dict[str, int] | None = None
    ) -> httpx.Response | None:
        """Ask, and count whether it was answered; None when it was not, which means that the broker was killed."""
        try:
            answer = await self._client.request(method, path, json=value, params=params)
        except httpx.TransportError:
            self._is_over = True
            self.promises.figures[f"{kind} not answered"] += 1
            return None
        do, self._at_next_answer = self._at_next_answer, _nothing
        do()
        self.promises.figures[f"{kind} answered"] += 1
        return answer


def _nothing() -> None:
    pass


def _copies(destination: str, item: Message) -> list[Copy]:
    """Return what is to be in which queue when a message was published."""
    if destination != "exchange":
        return [(destination, item.id, item.body, item.group)]
    return [(queue, item.id, item.body, None) for queue in ("copies", "some") if queue == "copies" or _kind(item) == "b"]


def _kind(item: Message) -> str:
    return "ab"[len(item.body) % 2]


def _json(item: Message) -> dict[str, Any]:
    headers = {"messageId": item.id} | ({"messageGroupId": item.group} if item.group is not None else {})
    return {"headers": headers, "properties": {"kind": _kind(item)}, "body": item.body}
