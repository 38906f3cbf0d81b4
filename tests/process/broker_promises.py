"""What a broker has promised to its clients, and whether it keeps it.

A client writes down what it asks before it asks, and what was answered when it is. What was asked and never answered may or may
not have happened; the file of the dead broker settles that (`Promises.compare`), and from there on it is a promise like any
other. All times are seconds since the epoch.
"""

from __future__ import annotations

import itertools
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

CLOCK = 0.002  # the broker reads its clock in whole milliseconds
LATE = 0.5  # an answer that took so much longer than asked says nothing about what was locked when it was read
MOST_SHOWN = 20

Key = tuple[str, str]


@dataclass(eq=False, slots=True)
class Message:
    """A message in the queue that it was published to, or in the dead-letter queue of that.

    Attributes
    ----------
    call, order : int
        Numbers of the call that published it, and of the message.
    exists, is_acked : bool or None
        None: asked for, and not answered.
    count : int
        The last delivery count known, answered at `delivered`.
    until : float
        It is locked at least until then; 0 when perhaps it is not.
    """

    home: str
    id: str
    body: str
    group: str | None
    call: int
    order: int
    asked: float
    exists: bool | None = None
    is_acked: bool | None = False
    is_dead: bool = False
    count: int = 0
    delivered: float = 0.0
    until: float = 0.0

    def __str__(self) -> str:
        return f"{self.id} of {self.home}"


@dataclass(frozen=True, slots=True)
class Given:
    """A delivery that a client holds."""

    message: Message
    queue: str
    lock: str
    count: int

    @property
    def is_stale(self) -> bool:
        """Whether the message is known to have been delivered again, or to be a dead letter meanwhile."""
        return self.count < self.message.count or (self.message.is_dead and self.queue == self.message.home)


@dataclass(frozen=True, slots=True)
class Row:
    """A message in the file of a dead broker; `until` is 0 when it is not locked."""

    queue: str
    id: str
    count: int
    until: float


@dataclass(slots=True)
class Claim:
    """What a client asks to be done with deliveries; `until` is how long each was surely locked before."""

    kind: str
    given: Sequence[Given]
    until: list[float]
    is_stale: list[bool]
    new_until: float = 0.0


class Promises:
    """The ledger of all clients.

    Parameters
    ----------
    dead_letter_queues : mapping
        Name of the dead-letter queue by queue.
    max_deliveries : int

    Attributes
    ----------
    live : dict
        Messages that are not known to be acked, by queue and id.
    figures : Counter
        What was answered and what was not, by kind.
    violations : list of str
        Broken promises, the first of them.
    """

    def __init__(self, dead_letter_queues: Mapping[str, str], max_deliveries: int) -> None:
        self.live: dict[Key, Message] = {}
        self.figures: Counter[str] = Counter()
        self.violations: list[str] = []
        self._max_deliveries = max_deliveries
        self._homes = {dead: home for home, dead in dead_letter_queues.items()}
        self._acked: set[Key] = set()
        self._groups: dict[tuple[str, str], list[Message]] = defaultdict(list)
        self._proven: set[int] = set()  # calls of which a message has been seen before they were answered
        self._passed_over: list[Message] = []  # must be found in the dead-letter queue
        self._asked_acks: list[Claim] = []
        self._numbers = itertools.count()

    def wrong(self, what: str) -> None:
        """Note a broken promise."""
        self.figures["violations"] += 1
        if len(self.violations) < MOST_SHOWN:
            self.violations.append(what)

    def publishing(self, copies: Iterable[tuple[str, str, str, str | None]], asked: float) -> list[Message]:
        """Note that one call is to publish these: queue, id, body, group."""
        call = next(self._numbers)
        messages = [Message(*copy, call=call, order=next(self._numbers), asked=asked) for copy in copies]
        for message in messages:
            self.live[message.home, message.id] = message
            if message.group is not None:
                self._groups[message.home, message.group].append(message)
        return messages

    def published(self, messages: Iterable[Message]) -> None:
        """Note that a call was answered with success."""
        for message in messages:
            message.exists = True

    def has_known(self, queue: str, message_id: str) -> bool:
        """Tell whether a message is or was in a queue."""
        return (queue, message_id) in self.live or (queue, message_id) in self._acked

    def received(
        self, queue: str, answer: Sequence[Mapping[str, Any]], *, asked: float, answered: float, patience: float, lock: float
    ) -> list[Given]:
        """Note an answer to a receive that was to wait for `patience` and lock for `lock` seconds."""
        is_late = answered - asked - patience > LATE
        given = []
        for item in answer:
            message = self._find(queue, item)
            if message is None:
                continue
            self._proven.add(message.call)
            message.exists = True
            count = int(item["headers"]["deliveryCount"])
            self._check_place(queue, message, count, is_late)
            if count <= message.count:
                if count == message.count or message.delivered < asked:
                    self.wrong(f"{message}: delivery no. {count} came after no. {message.count}")
            else:
                if message.until > answered and not is_late:
                    self.wrong(f"{message}: given out {message.until - answered:.3f} s before its lock ends")
                message.count, message.delivered, message.until = count, answered, asked + lock
            given.append(Given(message, queue, item["headers"]["lockId"], count))
        if not is_late:
            self._check_groups(queue, [held.message for held in given], answered)
        return given

    def asking(self, kind: str, given: Sequence[Given], *, asked: float = 0.0, ttl: float = 0.0) -> Claim:
        """Note that an ``ack``, ``nack`` or ``extend`` of deliveries is to be asked for."""
        messages = [held.message for held in given]
        stale = [held.is_stale for held in given]
        claim = Claim(kind, given, [message.until for message in messages], stale, asked + ttl)
        for message, is_stale in zip(messages, stale, strict=True):
            if not is_stale:
                message.until = min(message.until, claim.new_until) if kind == "extend" else 0.0
                message.is_acked = None if kind == "ack" else message.is_acked
        if kind == "ack":
            self._asked_acks.append(claim)
        return claim

    def answered(self, claim: Claim, done: Sequence[bool], at: float) -> None:
        """Note for each delivery of a claim whether its lock was valid."""
        if claim.kind == "ack":
            self._asked_acks.remove(claim)
        for held, is_done, until, is_stale in zip(claim.given, done, claim.until, claim.is_stale, strict=True):
            message = held.message
            if is_done and is_stale:
                self.wrong(
                    f"{message}: {claim.kind} with the lock of delivery no. {held.count} from {held.queue}, after a later one"
                )
            elif not is_done and not is_stale:
                if until > at:
                    self.wrong(f"{message}: {claim.kind} refused {until - at:.3f} s before its lock ends")
                # an ack with the lock of a later delivery may be on its way, or done and not answered yet
                if not any(other.message is message for asked in self._asked_acks for other in asked.given):
                    message.is_acked = False
            elif is_done and claim.kind == "ack":
                self._forget(message)
            elif is_done and claim.kind == "extend" and not held.is_stale:
                message.until = claim.new_until

    def compare(self, rows: Iterable[Row], remembered: set[Key], now: float) -> None:
        """Compare with what a dead broker's file holds, and go on from that.

        Parameters
        ----------
        rows : iterable of Row
        remembered : set of (str, str)
            Queue and id of what FIFO queues would not take again.
        now : float
        """
        by_key: dict[Key, Row] = {}
        for row in rows:
            key = self._homes.get(row.queue, row.queue), row.id
            if key in by_key:
                self.wrong(f"{key} is there twice")
            elif key not in self.live:
                self.wrong(f"{key} is back after its ack" if key in self._acked else f"{key} was never published")
            by_key[key] = row
        self._check_whole_calls(by_key, now)
        for message in self._passed_over:
            if self.live.get((message.home, message.id)) is message and not self._is_dead(by_key, message):
                self.wrong(f"{message}: passed over by a later one of its group")
        self._passed_over.clear()
        for key, message in list(self.live.items()):
            if key in by_key:
                self._adopt(message, by_key[key], now)
                if message.group is not None and message.asked > now - 240 and key not in remembered:
                    self.wrong(f"{message}: its queue would take its id again")
            else:
                if message.exists and message.is_acked is False:
                    self.wrong(f"{message} is missing")
                self._forget(message, was_there=message.exists is not None)
        self._proven.clear()
        self._asked_acks.clear()

    def _find(self, queue: str, item: Mapping[str, Any]) -> Message | None:
        key = self._homes.get(queue, queue), item["headers"]["messageId"]
        message = self.live.get(key)
        if message is None:
            self.wrong(f"{key} is given out after its ack" if key in self._acked else f"{key} was never published")
        elif message.body != item["body"]:
            self.wrong(f"{message}: its body was changed")
        return message

    def _check_place(self, queue: str, message: Message, count: int, is_late: bool) -> None:
        if queue == message.home:
            if message.is_dead:
                self.wrong(f"{message}: came back from the dead-letter queue")
            if queue in self._homes.values() and count > self._max_deliveries:
                self.wrong(f"{message}: delivered {count} times")
        elif not message.is_dead:
            if message.count < self._max_deliveries and not is_late:
                self.wrong(f"{message}: a dead letter after {message.count} deliveries")
            message.is_dead, message.count, message.until = True, 0, 0.0

    def _check_groups(self, queue: str, messages: Sequence[Message], answered: float) -> None:
        """A group gives out messages in order, and nothing while one of it is locked."""
        by_group: dict[str, list[Message]] = defaultdict(list)
        for message in messages:
            if message.group is not None:
                by_group[message.group].append(message)
        for group, given in by_group.items():
            orders = [message.order for message in given]
            is_home = queue == given[0].home
            if is_home and orders != sorted(orders):
                self.wrong(f"{given[0]} and others: given out in another order than published")
            for other in self._groups[given[0].home, group]:
                if other in given or other.is_dead == is_home:
                    continue
                if other.until > answered:
                    self.wrong(f"{given[0]}: given out while {other.id} of its group is locked")
                elif is_home and other.order < orders[-1] and other.exists and other.is_acked is False:
                    if other.count < self._max_deliveries:
                        self.wrong(f"{given[-1]}: given out before {other.id} of its group")
                    self._passed_over.append(other)

    def _check_whole_calls(self, by_key: Mapping[Key, Row], now: float) -> None:
        """A call happened as a whole or not at all."""
        found: dict[int, set[bool]] = defaultdict(set)
        for key, message in self.live.items():
            if message.exists is None:
                found[message.call].add(key in by_key)
        halves = [call for call, seen in found.items() if len(seen) > 1 or (False in seen and call in self._proven)]
        for claim in self._asked_acks:
            held = [given.message for given, until in zip(claim.given, claim.until, strict=True) if until > now]
            if len({(message.home, message.id) in by_key for message in held}) > 1:
                self.wrong(f"{held[0]} and others: half of a batch was acked")
        for call in halves:
            self.wrong(f"half of the call no. {call} was stored")

    def _is_dead(self, by_key: Mapping[Key, Row], message: Message) -> bool:
        row = by_key.get((message.home, message.id))
        return row is None or row.queue != message.home

    def _adopt(self, message: Message, row: Row, now: float) -> None:
        is_home = row.queue == message.home
        if is_home and message.is_dead:
            self.wrong(f"{message}: came back from the dead-letter queue")
        if is_home != message.is_dead:  # where it was
            if row.count < message.count:
                self.wrong(f"{message}: its delivery count went back from {message.count} to {row.count}")
            if message.until > now and row.until < message.until - CLOCK:
                self.wrong(f"{message}: its lock was not kept")
        message.exists, message.is_acked, message.is_dead = True, False, not is_home
        message.count, message.until = row.count, row.until

    def _forget(self, message: Message, *, was_there: bool = True) -> None:
        key = message.home, message.id
        self.live.pop(key, None)
        message.is_acked = True
        if was_there:
            self._acked.add(key)
        if message.group is not None and message in self._groups[message.home, message.group]:
            self._groups[message.home, message.group].remove(message)
