"""What the broker promises, as plainly as it can be said: lists of messages, and one event after another.

Nothing here knows how the broker does it. Time only passes in `Model.pass_time`, which looks for the earliest thing to happen
(a lock runs out, a message expires), lets it happen, and looks again.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

from courier_nb.broker import Switches

DEDUPLICATION_MS = 300_000


@dataclass(frozen=True)
class Item:
    """A message as it is published; `body` is different for each."""

    id: str
    body: str
    group: str | None = None
    delay: int | None = None
    ttl: int | None = None
    kind: str | None = None


@dataclass(frozen=True)
class QueueSettings:
    """Settings of a queue that can be changed. Times are milliseconds."""

    ttl: int = 60_000
    lock: int = 20_000
    delay: int = 0
    max_deliveries: int = 2


@dataclass(eq=False)
class Held:
    """A message in a queue. `place` is its place in the order of arrival, `late` a lock that ran out and may still be good."""

    item: Item
    place: int
    created: int
    visible_at: int
    expires_at: int
    count: int = 0
    lock: object = None
    late: object = None

    @property
    def next_event(self) -> tuple[int, int]:
        ends = self.visible_at if self.lock is not None else self.expires_at
        return min(ends, self.expires_at), self.place


@dataclass
class Queue:
    """A queue: what it holds, in order of arrival, and for a FIFO queue until when each id is a repeat."""

    name: str
    fifo: bool
    dead_letters: str | None
    settings: QueueSettings = field(default_factory=QueueSettings)
    messages: list[Held] = field(default_factory=list)
    repeats: dict[str, int] = field(default_factory=dict)
    acked: int = 0

    @property
    def depth(self) -> dict[str, int]:
        locked = sum(message.lock is not None for message in self.messages)
        return {"messages": len(self.messages) - locked, "inflight": locked}


class Model:
    """Queues, and an exchange: the queues bound to it and which kind of message each wants (None: all)."""

    def __init__(self, switches: Switches, queues: list[Queue], bindings: dict[str, str | None], now: int) -> None:
        self.switches = switches
        self.queues = {queue.name: queue for queue in queues}
        self.bindings = bindings
        self.max_in_flight = {False: 120_000, True: 20_000 if switches.fifo_in_flight == "queue" else 10**9}
        self.now = now
        self.buried_by_time = 0
        self._arrived = 0

    def pass_time(self, now: int) -> None:
        """Let happen, in order, what happens by itself until `now`."""
        self.now = now
        while True:
            events = [(*message.next_event, queue) for queue in self.queues.values() for message in queue.messages]
            at, place, queue = min(events, key=lambda event: event[:2], default=(now + 1, 0, None))
            if queue is None or at > now:
                return
            message = next(message for message in queue.messages if message.place == place)
            if at == message.expires_at:
                queue.messages.remove(message)
            else:
                self.end_lock(queue, message, at, ran_out=True)

    def next_event(self) -> int | None:
        """Return when the next thing happens by itself, if anything does."""
        times = [message.next_event[0] for queue in self.queues.values() for message in queue.messages]
        times += [message.visible_at for queue in self.queues.values() for message in queue.messages]
        times += [until for queue in self.queues.values() for until in queue.repeats.values()]
        return min((time for time in times if time > self.now), default=None)

    def publish(self, name: str, items: list[Item]) -> bool:
        """Append messages; return False when they are refused, all of them."""
        if name not in self.queues:
            for queue, kind in self.bindings.items():
                self.publish(queue, [item for item in items if kind is None or item.kind == kind])
            return True
        queue = self.queues[name]
        if queue.fifo and self.switches.fifo_message_delay == "refuse" and any(item.delay is not None for item in items):
            return False
        for item in items:
            if queue.fifo:
                if queue.repeats.get(item.id, 0) > self.now:
                    continue
                queue.repeats[item.id] = self.now + DEDUPLICATION_MS
            delay = queue.settings.delay if queue.fifo or item.delay is None else item.delay
            ttl = queue.settings.ttl if item.ttl is None else item.ttl
            queue.messages.append(Held(item, self._next_place(), self.now, self.now + delay, self.now + ttl))
        return True

    def receivable(self, name: str) -> list[Held]:
        """Return what a receive without a limit would give out, in order.

        Standard queue: whatever is visible, longest visible first. FIFO queue: group by group, of each that has nothing in
        flight the first messages up to one that is not visible yet; first the group whose first message is longest visible.
        """
        queue = self.queues[name]
        if not queue.fifo:
            return sorted(filter(self._is_visible, queue.messages), key=_longest_visible)
        groups: dict[str | None, list[Held]] = {}
        for message in queue.messages:
            groups.setdefault(message.item.group, []).append(message)
        free = [held for held in groups.values() if all(message.lock is None for message in held)]
        ready = sorted((held for held in free if self._is_visible(held[0])), key=lambda held: _longest_visible(held[0]))
        return [message for held in ready for message in _leading(held, self._is_visible)]

    def room(self, name: str) -> int:
        """Return how many more messages may be in flight."""
        queue = self.queues[name]
        return max(0, self.max_in_flight[queue.fifo] - queue.depth["inflight"])

    def give_out(self, name: str, message: Held, lock: object, ttl: int) -> None:
        """A message was received under a lock of `ttl` milliseconds."""
        message.lock, message.visible_at, message.count = lock, self.now + ttl, message.count + 1
        if ttl == 0:
            self.end_lock(self.queues[name], message, self.now, ran_out=True)
            self.pass_time(self.now)

    def ack(self, name: str, lock: object) -> bool:
        queue = self.queues[name]
        message = self.locked(name, lock)
        if message is None and self.switches.expired_lock == "ack-if-unread" and not queue.fifo:
            unread = [message for message in queue.messages if message.lock is None and message.late is not None]
            message = next((message for message in unread if message.late == lock), None)
        if message is None:
            return False
        queue.messages.remove(message)
        queue.acked += 1
        return True

    def nack(self, name: str, lock: object) -> bool:
        message = self.locked(name, lock)
        if message is not None:
            self.end_lock(self.queues[name], message, self.now)
            self.pass_time(self.now)
        return message is not None

    def extend(self, name: str, lock: object, ttl: int) -> bool:
        if ttl == 0:
            return self.nack(name, lock)
        message = self.locked(name, lock)
        if message is not None:
            message.visible_at = self.now + ttl
        return message is not None

    def give_back(self, name: str, lock: object) -> None:
        """A delivery reached nobody."""
        message = self.locked(name, lock)
        if message is not None:
            message.lock, message.visible_at, message.count = None, self.now, message.count - 1

    def purge(self, name: str) -> None:
        self.queues[name].messages.clear()

    def change(self, name: str, **changes: Any) -> None:
        """Change settings of a queue."""
        queue = self.queues[name]
        old, queue.settings = queue.settings, replace(queue.settings, **changes)
        for message in queue.messages:
            if self.switches.changed_ttl == "all" and queue.settings.ttl != old.ttl and message.item.ttl is None:
                message.expires_at = message.created + queue.settings.ttl
            is_fresh = queue.fifo and message.lock is None and message.count == 0
            if self.switches.changed_fifo_delay == "all" and queue.settings.delay != old.delay and is_fresh:
                message.visible_at = message.created + queue.settings.delay
        self.pass_time(self.now)

    def locked(self, name: str, lock: object) -> Held | None:
        """Return the message that a lock holds."""
        held = [message for message in self.queues[name].messages if message.lock is not None]
        return next((message for message in held if message.lock == lock), None)

    def end_lock(self, queue: Queue, message: Held, at: int, *, ran_out: bool = False) -> None:
        """A lock ends without an ack; this is when a message dies."""
        message.late = message.lock if ran_out else None
        message.lock, message.visible_at = None, at
        if queue.dead_letters is not None and message.count >= queue.settings.max_deliveries:
            queue.messages.remove(message)
            self._bury(self.queues[queue.dead_letters], message, at)
            self.buried_by_time += ran_out

    def _bury(self, grave: Queue, message: Held, at: int) -> None:
        ttl = grave.settings.ttl if message.item.ttl is None else message.item.ttl
        created = self.switches.dead_letter_created
        if created == "reset" or (created == "sqs" and grave.fifo):
            message.created = at
        message.expires_at = message.created + ttl
        message.late = None
        if self.switches.dead_letter_count == "restart":
            message.count = 0
        if grave.fifo:
            message.place = self._next_place()
        grave.messages.append(message)

    def _next_place(self) -> int:
        self._arrived += 1
        return self._arrived

    def _is_visible(self, message: Held) -> bool:
        return message.lock is None and message.visible_at <= self.now


def _longest_visible(message: Held) -> tuple[int, int]:
    return message.visible_at, message.place


def _leading(messages: list[Held], wanted: Callable[[Held], bool]) -> list[Held]:
    leading = []
    for message in messages:
        if not wanted(message):
            break
        leading.append(message)
    return leading
