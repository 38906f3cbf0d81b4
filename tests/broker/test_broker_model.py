"""Standard and FIFO queues with dead-letter queues and an exchange, compared step by step with a plain model.

Three machines take random steps: straight to the store; to a store that applies what time changes one message at a time, so that
it lags behind; and through the REST API. ``COURIER_NB_MODEL_STEPS=200000`` takes that many, and not the same at every run.
"""

from __future__ import annotations

import os
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from courier_nb.broker import Switches
from courier_nb.broker.state import store, sweeping
from courier_nb.core.clock import ManualClock
from tests.broker.fronts import EXCHANGE, Got, HttpFront, StoreFront
from tests.broker.queue_model import Held, Item, Model, Queue, QueueSettings

STEPS = os.environ.get("COURIER_NB_MODEL_STEPS")
STEPS_IN_A_ROW = 50
pytestmark = [pytest.mark.timeout(0)] if STEPS else []

SECOND, DAY = 1_000, 86_400_000
QUEUES = ["work", "dead", "steps", "grave", "copies"]
KINDS = [None, "a", "b"]
# What a run deals with: where it publishes, and what it reads and changes; what is named twice is chosen more often.
STANDARD = (["work", "work", "dead"], ["work", "work", "dead"])
FIFO = (["steps", "steps", "steps", "grave"], ["steps", "steps", "grave"])
FANNED_OUT = ([EXCHANGE], ["copies", "work", "dead"])
EVERYTHING = ([EXCHANGE, *QUEUES], QUEUES)
WHICH = st.integers(0, 59)  # stands for one of those, whatever their number

SWITCHES = st.builds(
    Switches,
    expired_lock=st.sampled_from(["refuse", "ack-if-unread"]),
    dead_letter_count=st.sampled_from(["restart", "continue"]),
    dead_letter_created=st.sampled_from(["sqs", "keep", "reset"]),
    changed_ttl=st.sampled_from(["all", "new"]),
    changed_fifo_delay=st.sampled_from(["all", "new"]),
    fifo_message_delay=st.sampled_from(["refuse", "ignore"]),
    fifo_in_flight=st.sampled_from(["group", "queue"]),
    zero_lock=st.sampled_from(["visible", "default"]),
    receive_lock_default=st.sampled_from(["queue", "2m"]),
)
MESSAGES = st.lists(
    st.tuples(
        st.sampled_from([None, None, None, "r1", "r2"]),  # id; None: a new one
        st.sampled_from([None, "g1", "g2", "g2"]),  # group
        st.sampled_from([None, None, None, 0, 1, 5 * SECOND, 900 * SECOND]),  # delay
        st.sampled_from([None, None, None, None, 1, 30 * SECOND, 14 * DAY]),  # time to live
        st.sampled_from(KINDS),
    ),
    min_size=1,
    max_size=5,
)
LIMITS = st.sampled_from([1, 2, 3, 10, 10])
LOCK_TTLS = st.sampled_from([None, None, 0, 1, SECOND, 30 * SECOND, DAY, DAY])
LIVES = st.sampled_from([60 * SECOND, 3_600 * SECOND, 14 * DAY])
WAITS = [1, 499, SECOND, 5 * SECOND, 20 * SECOND, 60 * SECOND, 300 * SECOND, 900 * SECOND, 3_600 * SECOND, DAY, 14 * DAY]
DISTANCES = st.sampled_from([-1, 0, 0, 1])  # milliseconds from the next thing that happens by itself
HANDED_OUT = st.lists(st.integers(0, 11), min_size=1, max_size=4)  # the last, the last but one, …
HOW = st.sampled_from(["ack", "ack", "nack", "nack", "extend", "give back", "forge"])
LOCK_CHANGES = st.sampled_from([0, 1, 500, 20 * SECOND, DAY // 2])
CHANGES = st.one_of(
    st.fixed_dictionaries({"ttl": st.sampled_from([SECOND, 60 * SECOND, 14 * DAY])}),
    st.fixed_dictionaries({"delay": st.sampled_from([0, 5 * SECOND, 900 * SECOND])}),
    st.fixed_dictionaries({"max_deliveries": st.sampled_from([1, 2, 3, 1000])}),
    st.fixed_dictionaries({"lock": st.sampled_from([0, SECOND, 20 * SECOND])}),
)

Messages = list[tuple[str | None, str | None, int | None, int | None, str | None]]


class Machine(RuleBasedStateMachine):
    """The steps, and what is compared after each."""

    front_type: type[Any]
    lags = False

    def __init__(self) -> None:
        super().__init__()
        self.patch = pytest.MonkeyPatch()
        self.front: Any = None
        self.given: list[tuple[str, Any]] = []  # queue and lock of each delivery
        self.published = self.found = 0

    @initialize(
        switches=SWITCHES,
        focus=st.sampled_from([STANDARD, FIFO, FANNED_OUT, EVERYTHING]),
        few=st.booleans(),
        most=st.sampled_from([1, 1, 2]),
        lives=st.tuples(LIVES, LIVES),
    )
    def begin(self, switches: Switches, focus: tuple[list[str], list[str]], few: bool, most: int, lives: tuple[int, int]) -> None:
        self.destinations, self.queues = focus
        self.clock = ManualClock()
        self.switches = switches
        mortal = QueueSettings(max_deliveries=most, ttl=lives[0])
        buried = QueueSettings(ttl=lives[1])
        queues = [
            Queue("dead", fifo=False, dead_letters=None, settings=buried),
            Queue("work", fifo=False, dead_letters="dead", settings=mortal),
            Queue("grave", fifo=True, dead_letters=None, settings=buried),
            Queue("steps", fifo=True, dead_letters="grave", settings=mortal),
            Queue("copies", fifo=False, dead_letters=None),
        ]
        self.model = Model(switches, queues, {"copies": None, "work": "a"}, self.now)
        if self.lags:
            self.patch.setattr(sweeping, "AT_ONCE", 1)
        if few:
            self.model.max_in_flight = {False: 3, True: 4 if switches.fifo_in_flight == "queue" else 10**9}
            self.patch.setattr(store, "MAX_IN_FLIGHT", 3)
            self.patch.setattr(store, "MAX_FIFO_IN_FLIGHT", 4)
        self.front = self.front_type(switches, self.clock)
        for queue in queues:
            self.front.put(queue)
        self.front.bind(self.model.bindings)

    def teardown(self) -> None:
        self.patch.undo()  # first: it must not stay if the last comparison fails
        if self.front is not None:
            try:
                self.front.sweep()
                self.compare()
            finally:
                self.front.close()

    @property
    def now(self) -> int:
        return int(self.clock.time() * 1_000)

    # Hypothesis leaves out about half of the rules in each run: publishing and receiving are in several, so that few lack them.

    @rule(which=WHICH, messages=MESSAGES, delay_in_fifo=st.booleans())
    def publish(self, which: int, messages: Messages, delay_in_fifo: bool) -> None:
        name = _one_of(self.destinations, which)
        self.catch_up(name)
        items = []
        for message_id, group, delay, ttl, kind in messages:
            self.published += 1
            delay = delay if name not in FIFO[0] or delay_in_fifo else None
            items.append(Item(message_id or f"m{self.published}", f"body {self.published}", group, delay, ttl, kind))
        assert self.front.publish(name, items) == self.model.publish(name, items)

    @rule(which=WHICH, limit=LIMITS, ttl=LOCK_TTLS)
    def receive(self, which: int, limit: int, ttl: int | None) -> None:
        name = _one_of(self.queues, which)
        if ttl == 0:
            self.catch_up(name)
        got = self.front.receive(name, limit, ttl)
        expected = self.model.receivable(name)[: min(limit, self.model.room(name))]
        if self.lags and not self.front.is_swept():
            expected = self.allowed(name, got)
        assert [item[:4] for item in got] == [_foretold(message) for message in expected]
        for message, item in zip(expected, got, strict=True):
            self.model.give_out(name, message, item.lock, self.lock_ttl(name, ttl))
        self.given += [(name, item.lock) for item in got]

    @rule(which=WHICH, messages=MESSAGES, limit=LIMITS, ttl=LOCK_TTLS)
    def publish_and_receive(self, which: int, messages: Messages, limit: int, ttl: int | None) -> None:
        self.publish(which, messages, delay_in_fifo=False)
        self.receive(which, limit, ttl)

    @rule(which=WHICH, messages=MESSAGES, milliseconds=st.sampled_from(WAITS[:6]), limit=LIMITS, ttl=LOCK_TTLS)
    def publish_and_receive_later(self, which: int, messages: Messages, milliseconds: int, limit: int, ttl: int | None) -> None:
        self.publish(which, messages, delay_in_fifo=False)
        self.wait(milliseconds)
        self.receive(which, limit, ttl)

    @precondition(lambda self: self.given)
    @rule(which=HANDED_OUT, how=HOW, ttl=LOCK_CHANGES)
    def settle(self, which: list[int], how: str, ttl: int) -> None:
        held = [self.given[-1 - number % len(self.given)] for number in which]
        for name in dict(held):
            locks = [lock for queue, lock in held if queue == name]
            if how == "ack":
                if self.lags and self.switches.expired_lock == "ack-if-unread":
                    self.front.sweep()  # a lock that ran out is good for an ack only when that has been found out
                assert self.front.ack(name, locks) == [self.model.ack(name, lock) for lock in locks]
            elif how == "nack":
                self.catch_up(name)
                assert self.front.nack(name, locks) == [self.model.nack(name, lock) for lock in locks]
            elif how == "extend":
                self.catch_up(name)
                changes = [(lock, max(0, ttl - 7 * number)) for number, lock in enumerate(locks)]
                assert self.front.extend(name, changes) == [self.model.extend(name, *change) for change in changes]
            elif how == "forge":
                self.forge(name, locks)
            elif self.front_type is StoreFront:
                self.front.give_back(name, locks)
                for lock in locks:
                    self.model.give_back(name, lock)

    @rule(which=HANDED_OUT, how=HOW, ttl=LOCK_CHANGES, queue=WHICH, lock_ttl=LOCK_TTLS)
    def receive_and_settle(self, which: list[int], how: str, ttl: int, queue: int, lock_ttl: int | None) -> None:
        self.receive(queue, 10, lock_ttl)
        if self.given:
            self.settle(which, how, ttl)

    @precondition(lambda self: self.given)
    @rule(which=HANDED_OUT, how=HOW, ttl=LOCK_CHANGES, distance=DISTANCES)
    def settle_later(self, which: list[int], how: str, ttl: int, distance: int) -> None:
        self.wait_for_something_to_happen(distance)
        self.settle(which, how, ttl)

    @rule(milliseconds=st.sampled_from(WAITS))
    def wait(self, milliseconds: int) -> None:
        self.clock.advance(milliseconds / 1_000)
        self.model.pass_time(self.now)

    @rule(distance=DISTANCES)
    def wait_for_something_to_happen(self, distance: int) -> None:
        at = self.model.next_event()
        if at is not None and at + distance > self.now:
            self.wait(at + distance - self.now)

    @rule(which=WHICH, what=st.sampled_from(KINDS) | CHANGES)
    def administer(self, which: int, what: Any) -> None:
        """Purge a queue, change one of its settings, or bind it to the exchange."""
        name = _one_of(self.queues, which)
        if self.lags:
            self.front.sweep()
        if what == "purge":
            self.front.purge(name)
            self.model.purge(name)
        elif isinstance(what, dict):
            self.model.change(name, **what)
            self.front.put(self.model.queues[name])
        elif name in self.model.bindings:  # never the dead-letter queue too: it would get the same message twice
            self.model.bindings[name] = what
            self.front.bind(self.model.bindings)

    @rule(which=WHICH, messages=MESSAGES, limit=LIMITS, ttl=LOCK_TTLS)
    def purge_and_go_on(self, which: int, messages: Messages, limit: int, ttl: int | None) -> None:
        self.administer(which, "purge")
        self.publish_and_receive(which, messages, limit, ttl)

    @rule(killed=st.booleans())
    def restart(self, killed: bool) -> None:
        self.front.restart(killed=killed)

    @precondition(lambda self: self.lags)
    @rule()
    def rest(self) -> None:
        self.front.sweep()

    @invariant()
    def counts_agree(self) -> None:
        if self.front is None:
            return
        if not self.lags or self.front.is_swept():
            self.front.sweep()  # what the last step itself has made expire
            self.compare()

    def compare(self) -> None:
        for name, queue in self.model.queues.items():
            assert self.front.depth(name) == queue.depth
            assert self.front.acked(name) == queue.acked

    def forge(self, name: str, locks: list[Any]) -> None:
        """A lock with another message's id, token or place, or in another queue, is worth nothing."""
        forged = [forgery for lock in locks for forgery in self.front.forgeries(lock, locks[0])]
        assert not any(self.front.ack(name, forged[:10]))
        assert not any(self.front.nack(name, forged[:10]))
        for elsewhere in QUEUES:
            assert elsewhere == name or not any(self.front.ack(elsewhere, locks))

    def allowed(self, name: str, got: list[Got]) -> list[Held]:
        """Return what was received, after making sure that a broker that lags behind may give it out."""
        receivable = {message.item.body: message for message in self.model.receivable(name)}
        assert set(receivable) >= {item.body for item in got}
        messages = [receivable[item.body] for item in got]
        assert len(messages) <= self.model.room(name)
        if not self.model.queues[name].fifo:
            assert messages == [message for message in receivable.values() if message in messages]
            return messages
        for group in {message.item.group for message in messages}:
            members = [message for message in messages if message.item.group == group]
            in_order = [message for message in receivable.values() if message.item.group == group]
            assert members == in_order[: len(members)]
        return messages

    def lock_ttl(self, name: str, ttl: int | None) -> int:
        """Return how long a lock is that a reader asks for."""
        if ttl is None or (ttl == 0 and self.front_type is HttpFront and self.switches.zero_lock == "default"):
            fixed = self.front_type is HttpFront and self.switches.receive_lock_default == "2m"
            return 120 * SECOND if fixed else self.model.queues[name].settings.lock
        return ttl

    def catch_up(self, name: str) -> None:
        """Let a FIFO queue find its dead letters first: their order in the dead-letter queue is the order of being found."""
        if self.lags and name in FIFO[0] and self.model.buried_by_time > self.found:
            self.front.sweep()
            self.found = self.model.buried_by_time


class StoreMachine(Machine):
    front_type = StoreFront


class LaggingMachine(Machine):
    front_type = StoreFront
    lags = True


class HttpMachine(Machine):
    front_type = HttpFront


def _one_of(names: list[str], which: int) -> str:
    return names[which % len(names)]


def _foretold(message: Held) -> tuple[str, str, int, int]:
    return message.item.body, message.item.id, message.count + 1, message.created // 1_000


def _settings(share: float) -> settings:
    return settings(
        max_examples=max(1, round(int(STEPS or 8_000) * share / STEPS_IN_A_ROW)),
        stateful_step_count=STEPS_IN_A_ROW,
        deadline=None,
        derandomize=STEPS is None,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
    )


TestStore = StoreMachine.TestCase
TestStore.settings = _settings(0.4)
TestLagging = LaggingMachine.TestCase
TestLagging.settings = _settings(0.4)
TestHttp = HttpMachine.TestCase
TestHttp.settings = _settings(0.2)
