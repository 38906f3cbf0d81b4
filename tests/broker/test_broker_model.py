"""A standard queue with a dead-letter queue, compared step by step with a model that is a few lines long."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, initialize, invariant, multiple, rule

from courier_nb.broker import BrokerConfig, LocalBroker, QueueConfig
from courier_nb.broker.state.locks import Lock
from courier_nb.broker.state.messages import NewMessage
from courier_nb.broker.state.queues import Address
from courier_nb.core.clock import ManualClock

MAX_DELIVERIES = 2
TTL_MS = 60_000
QUEUES = st.sampled_from(["work", "dead"])


@dataclass
class Expected:
    """What the model knows of one message."""

    number: int
    queue: str
    visible_at: int
    expires_at: int
    lock: Lock | None = None
    count: int = 0

    def come_back(self, at: int) -> None:
        """End the lock; the check on return."""
        self.lock, self.visible_at = None, at
        if self.queue == "work" and self.count >= MAX_DELIVERIES:
            self.queue, self.count = "dead", 0


class Model(RuleBasedStateMachine):
    handed_out = Bundle("handed_out")

    @initialize()
    def begin(self) -> None:
        self.folder = tempfile.TemporaryDirectory()
        self.clock = ManualClock()
        self.messages: list[Expected] = []
        self.published = 0
        self.open()

    def open(self) -> None:
        queues = (
            QueueConfig("work", dead_letter_queue="dead", max_deliveries=MAX_DELIVERIES, default_ttl_ms=TTL_MS),
            QueueConfig("dead", default_ttl_ms=TTL_MS),
        )
        config = BrokerConfig(queues, durable=False)
        self.broker = LocalBroker(config, db=Path(self.folder.name) / "broker.db", clock=self.clock)
        self.ask = self.broker._engine.committer.call

    def teardown(self) -> None:
        self.broker.close()
        self.folder.cleanup()

    @property
    def now(self) -> int:
        return int(self.clock.time() * 1_000)

    def of(self, queue: str) -> list[Expected]:
        return [message for message in self.messages if message.queue == queue]

    def locked(self, queue: str, lock: Lock) -> Expected | None:
        return next((message for message in self.of(queue) if message.lock == lock), None)

    @rule(queue=QUEUES, delays=st.lists(st.sampled_from([0, 0, 0, 5_000]), min_size=1, max_size=3))
    def publish(self, queue: str, delays: list[int]) -> None:
        new = []
        for delay in delays:
            self.published += 1
            self.messages.append(Expected(self.published, queue, self.now + delay, self.now + TTL_MS))
            new.append(NewMessage(b'"%d"' % self.published, b"", b"{}", b'"x"', 1, delay_ms=delay))
        self.ask(lambda store: store.publish(Address(1, queue), new))

    @rule(queue=QUEUES, limit=st.integers(1, 4), ttl=st.sampled_from([0, 1_000, 10_000, 30_000]), target=handed_out)
    def receive(self, queue: str, limit: int, ttl: int) -> object:
        visible = [message for message in self.of(queue) if message.lock is None and message.visible_at <= self.now]
        expected = sorted(visible, key=lambda message: (message.visible_at, message.number))[:limit]
        deliveries = self.ask(lambda store: store.receive(Address(1, queue), limit=limit, lock_ttl_ms=ttl))
        assert [delivery.id for delivery in deliveries] == [b'"%d"' % message.number for message in expected]
        assert [delivery.deliveries for delivery in deliveries] == [message.count + 1 for message in expected]
        locks = [Lock(delivery.id, delivery.seq, delivery.token) for delivery in deliveries]
        for message, lock in zip(expected, locks, strict=True):
            message.lock, message.count, message.visible_at = lock, message.count + 1, self.now + ttl
            if ttl == 0:
                message.come_back(self.now)
        return multiple(*locks)

    @rule(queue=QUEUES, locks=st.lists(handed_out, min_size=1, max_size=3))
    def ack(self, queue: str, locks: list[Lock]) -> None:
        expected = []
        for lock in locks:
            message = self.locked(queue, lock)
            expected.append(message is not None)
            if message is not None:
                self.messages.remove(message)
        assert self.ask(lambda store: store.ack(Address(1, queue), locks)) == expected

    @rule(queue=QUEUES, locks=st.lists(handed_out, min_size=1, max_size=3))
    def nack(self, queue: str, locks: list[Lock]) -> None:
        expected = []
        for lock in locks:
            message = self.locked(queue, lock)
            expected.append(message is not None)
            if message is not None:
                message.come_back(self.now)
        assert self.ask(lambda store: store.nack(Address(1, queue), locks)) == expected

    @rule(queue=QUEUES, lock=handed_out, ttl=st.sampled_from([0, 500, 20_000]))
    def extend(self, queue: str, lock: Lock, ttl: int) -> None:
        message = self.locked(queue, lock)
        if message is not None:
            message.visible_at = self.now + ttl
            if ttl == 0:
                message.come_back(self.now)
        assert self.ask(lambda store: store.change_locks(Address(1, queue), [(lock, ttl)])) == [message is not None]

    @rule(queue=QUEUES, lock=handed_out, other=handed_out)
    def forge(self, queue: str, lock: Lock, other: Lock) -> None:
        """A lock with another message's id or place is worth nothing."""
        forged = [lock._replace(message_id=b'"0"'), lock._replace(token=bytes(16))]
        forged += [lock._replace(seq=other.seq)] if other.seq != lock.seq else []
        assert not any(self.ask(lambda store: store.ack(Address(1, queue), forged)))

    @rule(seconds=st.sampled_from([0.5, 1, 5, 10, 30]))
    def wait(self, seconds: float) -> None:
        self.clock.advance(seconds)
        self.messages = [message for message in self.messages if message.expires_at > self.now]
        for message in self.messages:
            if message.lock is not None and message.visible_at <= self.now:
                message.come_back(message.visible_at)

    @rule()
    def restart(self) -> None:
        self.broker.close()
        self.open()

    @invariant()
    def depths_agree(self) -> None:
        for queue in ("work", "dead"):
            locked = sum(message.lock is not None for message in self.of(queue))
            assert self.broker.depth(queue) == {"messages": len(self.of(queue)) - locked, "inflight": locked}


TestModel = Model.TestCase
TestModel.settings = settings(max_examples=40, stateful_step_count=40, deadline=None)
