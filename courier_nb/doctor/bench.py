"""A throw-away queue to try things out on: what a probe publishes, receives and settles there, and the clearing up."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import anyio

from courier_nb.core.clock import Clock, SystemClock
from courier_nb.core.errors import CourierError
from courier_nb.doctor.caller import Answer, Caller
from courier_nb.doctor.subject import Subject

MARK = "courierNbDoctor"
"""Property that every message of the doctor has; its value is the run."""

CLEARING_CALLS = 5
FETCH_CALLS = 2
_POLL_MS = 3_000
_LOCK_MS = 60_000
_DEFAULT_POLL_SECONDS = 10.0
_CLEARING_SECONDS = 20.0


class Stumbled(Exception):
    """A step of a probe did not go as it must for the probe to say anything."""


class ForeignMessage(Exception):
    """A message that is not the doctor's own came: the queue is not a throw-away queue."""


class Pace:
    """The time that the probes live in.

    Parameters
    ----------
    clock : Clock, optional
    """

    def __init__(self, clock: Clock | None = None) -> None:
        self._clock = clock or SystemClock()

    def now(self) -> float:
        """Seconds since an arbitrary start."""
        return self._clock.monotonic()

    async def sleep(self, seconds: float) -> None:
        """Let time pass."""
        await anyio.sleep(seconds)


@dataclass(slots=True)
class Held:
    """A message of the doctor's own, as it was delivered.

    Attributes
    ----------
    queue, id : str
    lock : str
        Empty when it is not locked by us.
    message : dict
        As it came.
    """

    queue: str
    id: str
    lock: str = field(default="", repr=False)
    message: dict[str, Any] = field(default_factory=dict, repr=False)


class Bench:
    """Makes the calls of the probes, remembers what is still in the queue, and clears up.

    Parameters
    ----------
    caller : Caller
    subject : Subject
        The queue, and what is known about it.
    pace : Pace

    Attributes
    ----------
    run : str
        Tells the messages of this run from all others.
    stopped : str
        Why nothing more may be tried; empty while it may.
    """

    def __init__(self, caller: Caller, subject: Subject, pace: Pace) -> None:
        self.caller = caller
        self.subject = subject
        self.pace = pace
        self.run = uuid.uuid4().hex[:12]
        self.stopped = ""
        self._alive: dict[tuple[str, str], Held] = {}
        self._trace: list[str] = []
        self._calls_left = 0
        self._made = 0

    @property
    def left(self) -> int:
        """Messages of ours that may still be in a queue."""
        return len(self._alive)

    def begin(self, calls: int) -> None:
        """Allow so many calls, the clearing up apart, and forget what earlier probes saw."""
        self._trace.clear()
        self._calls_left = calls

    @property
    def raw(self) -> str:
        """What this probe saw, each status and text once."""
        return "; ".join(dict.fromkeys(self._trace))

    def message(self, body: str = "probe", *, properties: dict[str, Any] | None = None, **headers: Any) -> dict[str, Any]:
        """Return a message of ours, to be published; ``messageId=None`` leaves the id out."""
        self._made += 1
        known: dict[str, Any] = {"messageId": f"courier-nb-doctor-{self.run}-{self._made}"}
        if self.subject.fifo:
            known["messageGroupId"] = f"courier-nb-doctor-{self.run}-{self._made}"
        wanted = {name: value for name, value in {**known, **headers}.items() if value is not None}
        return {"headers": wanted, "properties": {MARK: self.run, **(properties or {})}, "body": body}

    async def publish(self, *messages: dict[str, Any]) -> Answer:
        """Publish messages in one batch (operation 2), whatever the service says to it."""
        for message in messages:
            self.expect(message)
        answer = await self._call("publish", "PUT", self.subject.queue, "messages", list(messages))
        if answer.status is not None and not answer.is_done:
            refused = {entry.get("messageId") for entry in answer.entries if entry.get("status") == "failure"}
            for message in messages:
                if not answer.is_success or message["headers"].get("messageId") in refused:
                    self.forget(message["headers"].get("messageId"))
        return answer

    async def deliver(self, *messages: dict[str, Any], lock_ms: int | None = _LOCK_MS) -> Held:
        """Publish messages, which must succeed, and receive the first of them."""
        sent = messages or (self.message(),)
        answer = await self.publish(*sent)
        if not answer.is_done:
            raise Stumbled(f"a message could not be published: {answer}")
        return await self.fetch(sent[0]["headers"].get("messageId"), lock_ms=lock_ms)

    async def receive(
        self,
        *,
        poll_ms: int = _POLL_MS,
        lock_ms: int | None = _LOCK_MS,
        batch: int = 1,
        queue: str | None = None,
        **more: str,
    ) -> tuple[Answer, list[Held]]:
        """Receive (operation 1), whatever the service says to it.

        Raises
        ------
        ForeignMessage
            When a message came that is not ours; it was returned.
        """
        queue = queue or self.subject.queue
        params = {"pollingTime": str(poll_ms), "batchSize": str(batch), **more}
        if lock_ms is not None:
            params["lockTtl"] = str(lock_ms)
        answer = await self._call("receive", "GET", queue, "messages", params=params, poll_seconds=_held_back(poll_ms))
        if not answer.is_success:
            return answer, []
        held = [_held(queue, entry) for entry in answer.entries]
        foreign = [one for one in held if _properties(one.message).get(MARK) != self.run]
        ours = [one for one in held if one not in foreign]
        self._alive.update(((one.queue, one.id), one) for one in ours)
        if foreign:
            await self._give_back(queue, foreign)
        return answer, ours

    async def fetch(self, message_id: str | None = None, *, queue: str | None = None, lock_ms: int | None = _LOCK_MS) -> Held:
        """Receive a message of ours, which must come; without an id, any."""
        for _ in range(FETCH_CALLS):
            answer, held = await self.receive(
                poll_ms=_POLL_MS + self.subject.delay_ms, lock_ms=lock_ms, batch=10 if message_id else 1, queue=queue
            )
            if not answer.is_success:
                raise Stumbled(f"the queue could not be read: {answer}")
            for one in held:
                if message_id in (None, one.id):
                    return one
        raise Stumbled("a message that was published did not come back")

    async def fetch_all(self, count: int) -> list[Held]:
        """Receive `count` messages of ours, which must come."""
        found: dict[str, Held] = {}
        for _ in range(FETCH_CALLS):
            _, held = await self.receive(poll_ms=_POLL_MS + self.subject.delay_ms, batch=10)
            found.update((one.id, one) for one in held)
            if len(found) >= count:
                return list(found.values())
        raise Stumbled(f"of {count} messages that were published, {len(found)} came back")

    async def ack(self, *held: Held) -> Answer:
        """Acknowledge messages of one queue in one batch (operation 3)."""
        answer = await self._call("ack", "DELETE", held[0].queue, "messages", _locks(held))
        self._settled(answer, held)
        return answer

    async def nack(self, *held: Held) -> Answer:
        """Return messages of one queue in one batch (operation 5)."""
        return await self._call("nack", "DELETE", held[0].queue, "messages/locks", _locks(held))

    async def change_lock(self, held: Held, ttl: int) -> Answer:
        """Change a lock (operation 4); ``ttl`` goes as it is."""
        content = [{**item, "ttl": ttl} for item in _locks([held])]
        return await self._call("change lock", "PATCH", held.queue, "messages/locks", content)

    async def call(
        self, label: str, method: str, path: str, content: Any = None, *, destination: str | None = None, **more: Any
    ) -> Answer:
        """Call the broker about the queue, or another destination, in any other way."""
        return await self._call(label, method, destination or self.subject.queue, path, content, **more)

    def note(self, answer: Answer) -> Answer:
        """Remember an answer of Accounts, Admin or Stats as seen."""
        self._spend()
        self._trace.append(str(answer))
        return answer

    def expect(self, message: dict[str, Any]) -> None:
        """Look for a message that is about to be published: an answer that gets lost does not make it forgotten."""
        self._expect(self.subject.queue, message["headers"].get("messageId"))

    def forget(self, message_id: str | None) -> None:
        """Stop to look for a message of ours that is certainly gone."""
        self._alive.pop((self.subject.queue, message_id or ""), None)

    def moved(self, message_id: str, queue: str) -> None:
        """Look for a message of ours in another queue from now on."""
        self.forget(message_id)
        self._expect(queue, message_id)

    async def clear(self) -> None:
        """Delete what is left of our own, as far as it can be had, also when the probing is being interrupted."""
        self._calls_left = CLEARING_CALLS
        with anyio.move_on_after(_CLEARING_SECONDS, shield=True), suppress(Stumbled, ForeignMessage, CourierError):
            await self._acknowledge_the_rest()
            while self._alive and self._calls_left > 1:  # what is left after that is reported
                queue = next(iter(self._alive))[0]
                await self.receive(batch=10, queue=queue)
                await self._acknowledge_the_rest()

    async def _acknowledge_the_rest(self) -> None:
        for queue in {queue for queue, _ in self._alive}:
            locked = [held for held in self._alive.values() if held.queue == queue and held.lock]
            if locked:
                await self.ack(*locked[:10])
            for held in locked:  # a lock that is not good for an ack is good for nothing
                held.lock = ""

    def _expect(self, queue: str, message_id: str | None) -> None:
        self._alive[queue, message_id or ""] = Held(queue, message_id or "")

    def _settled(self, answer: Answer, held: Sequence[Held]) -> None:
        if not answer.is_success:
            return
        failed = {str(entry.get("messageId")) for entry in answer.entries if entry.get("status") == "failure"}
        for one in held:
            if one.id not in failed:
                self._alive.pop((one.queue, one.id), None)
                self._alive.pop((one.queue, ""), None)  # published without an id of ours

    async def _give_back(self, queue: str, foreign: Sequence[Held]) -> None:
        self._calls_left += 1  # whatever the probe has left, this one is owed
        answer = await self.nack(*foreign)
        what = "was returned" if answer.is_done else f"could not be returned and comes back when its lock ends ({answer})"
        self.stopped = f"a message that is not the doctor's own came from {queue!r}; it {what}"
        raise ForeignMessage(self.stopped)

    async def _call(self, label: str, method: str, queue: str, path: str, content: Any = None, **more: Any) -> Answer:
        self._spend()
        answer = await self.caller.broker(label, method, queue, path, content, **more)
        self._trace.append(str(answer))
        return answer

    def _spend(self) -> None:
        if self._calls_left <= 0:
            raise Stumbled("it has used up the calls that were announced")
        self._calls_left -= 1


def _held(queue: str, message: dict[str, Any]) -> Held:
    headers = message.get("headers")
    headers = headers if isinstance(headers, dict) else {}
    return Held(queue, str(headers.get("messageId", "")), str(headers.get("lockId", "")), message)


def _properties(message: dict[str, Any]) -> dict[str, Any]:
    properties = message.get("properties")
    return properties if isinstance(properties, dict) else {}


def _locks(held: Sequence[Held]) -> list[dict[str, str]]:
    return [{"messageId": one.id, "lockId": one.lock} for one in held]


def _held_back(poll_ms: int) -> float:
    """Return how long the service may hold an answer back: no time may mean its own default."""
    return poll_ms / 1_000 if poll_ms else _DEFAULT_POLL_SECONDS
