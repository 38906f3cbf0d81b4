"""Random steps over receive, ack, nack, extend, expire, drain, replay, move and crash: what was published is somewhere, always.

After each step: what was published is in the queue, in the capture, or was acknowledged by the user; nothing is altered. What a
replay confirmed is in its target, in a FIFO target in order; it is there twice only if the ledger had called it unknown and it
was sent again on purpose. What a move takes away is in the target. ``COURIER_NB_EXAMPLES=1000`` takes so many walks, and not the
same at every run.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from courier_nb import Capture, Message, Received, Report
from tests.model.world import World

EXAMPLES = os.environ.get("COURIER_NB_EXAMPLES")
pytestmark = [pytest.mark.timeout(0)] if EXAMPLES else []

TARGET = {"standard": "into-standard", "fifo": "into-fifo"}
MOVED = {"move-standard": "moved-standard", "move-fifo": "moved-fifo"}
QUEUES = {name: "fifo" in name for name in (*TARGET, *TARGET.values(), *MOVED, *MOVED.values())}
GROUPS = ["a", "b", "c"]
SOURCE = st.sampled_from(sorted(TARGET))
MOVE_FROM = st.sampled_from(sorted(MOVED))
MOMENT = st.integers(0, 11)
EARLY = st.integers(0, 3)  # a replay of little makes few calls


class NothingIsLost(RuleBasedStateMachine):
    """One standard and one FIFO queue, a capture of each, and a target for the replay of each."""

    @initialize()
    def begin(self) -> None:
        self.place = Path(tempfile.mkdtemp(prefix="courier_nb-model-"))
        self.world = World(self.place / "disk", QUEUES)
        self.published: dict[str, list[str]] = {queue: [] for queue in (*TARGET, *MOVED)}
        self.acked: dict[str, set[str]] = {queue: set() for queue in TARGET}
        self.confirmed: dict[str, set[str]] = {queue: set() for queue in TARGET}
        self.unknown: set[str] = set()
        self.held: list[tuple[str, Received]] = []
        self.count = 0
        for queue in self.published:  # so that there is something to do from the first step on
            self.publish(queue, [*GROUPS, *GROUPS])

    def teardown(self) -> None:
        if not hasattr(self, "world"):
            return
        for queue in TARGET:
            self.drain_to_the_end(queue)
            self.replay_to_the_end(queue)
        for queue in MOVED:
            self.move_to_the_end(queue)
        self.world.close()
        shutil.rmtree(self.place)

    # what a user does

    @rule(queue=st.one_of(SOURCE, MOVE_FROM), groups=st.lists(st.sampled_from(GROUPS), min_size=1, max_size=13))
    def publish(self, queue: str, groups: list[str]) -> None:
        messages = []
        for group in groups:
            self.count += 1
            headers = {"messageId": f"id-{self.count}", **({"messageGroupId": group} if QUEUES[queue] else {})}
            messages.append(Message(f"{group}:{self.count:05d} Ä\u202e", {"n": self.count}, headers))
        assert self.world.client.destination(queue).publish(messages, progress=False).ok
        self.published[queue] += [str(message.body) for message in messages]

    @rule(queue=SOURCE, count=st.integers(1, 12))
    def receive(self, queue: str, count: int) -> None:
        received = self.world.client.destination(queue).receive(count, lock_ttl="1m", empties=1, progress=False)
        if received.messages:
            self.held.append((queue, received))

    @precondition(lambda self: self.held)
    @rule(which=MOMENT, verb=st.sampled_from(["ack", "nack", "extend"]), share=st.integers(1, 12))
    def settle(self, which: int, verb: str, share: int) -> None:
        queue, received = self.held[which % len(self.held)]
        messages = received.messages[:share]
        destination = self.world.client.destination(queue)
        if verb == "extend":
            destination.extend(messages, "90s", progress=False)
            return
        report = getattr(destination, verb)(messages, progress=False)
        if verb == "ack":
            gone = [m.body for m, outcome in zip(messages, report.outcomes, strict=True) if outcome.kind in ("ok", "unknown")]
            self.acked[queue].update(map(str, gone))

    @rule(seconds=st.sampled_from([1, 31, 61, 121, 290, 310]))
    def time_passes(self, seconds: int) -> None:
        self.world.clock.advance(seconds)

    @rule(queue=SOURCE, limit=st.sampled_from([None, None, 1, 7, 15]))
    def drain(self, queue: str, limit: int | None) -> None:
        capture = self.world.client.destination(queue).drain(
            self.folder(queue), limit=limit, empties=1, concurrency=2, progress=False
        )
        assert capture.report.ok

    @rule(queue=SOURCE, call=MOMENT, after=st.booleans())
    def drain_and_die(self, queue: str, call: int, after: bool) -> None:
        with self.world.killed_at(call, after=after):
            self.world.client.destination(queue).drain(self.folder(queue), empties=1, concurrency=2, progress=False)

    @rule(queue=SOURCE)
    def replay(self, queue: str) -> None:
        if self.folder(queue).exists():
            self.note(queue, self.replay_once(queue))

    @rule(queue=SOURCE, call=EARLY, after=st.booleans())
    def replay_and_die(self, queue: str, call: int, after: bool) -> None:
        if self.folder(queue).exists():
            with self.world.killed_at(call, after=after):
                self.note(queue, self.replay_once(queue))

    @rule(queue=SOURCE)
    def send_the_unknown_again(self, queue: str) -> None:
        if self.folder(queue).exists():
            self.note(queue, self.replay_once(queue))  # says which are unknown
            self.note(queue, self.replay_once(queue, unknown="resend"))

    @rule(queue=MOVE_FROM, limit=st.sampled_from([None, None, 1, 7]))
    def move(self, queue: str, limit: int | None) -> None:
        self.move_once(queue, limit=limit)

    @rule(queue=MOVE_FROM, call=st.one_of(EARLY, MOMENT), after=st.booleans())
    def move_and_die(self, queue: str, call: int, after: bool) -> None:
        with self.world.killed_at(call, after=after):
            self.move_once(queue)

    # what must hold

    @invariant()
    def everything_is_somewhere(self) -> None:
        if not hasattr(self, "world"):
            return
        for queue in TARGET:
            published = self.published[queue]
            on_disk = self.on_disk(queue)
            in_queue = Counter(self.world.bodies(queue))
            missing = set(published) - set(in_queue) - set(on_disk) - self.acked[queue]
            assert not missing, f"lost from {queue}: {sorted(missing)}"
            alien = (set(in_queue) | set(on_disk)) - set(published)
            assert not alien, f"nobody published {sorted(alien)}"
            assert max(Counter(on_disk).values(), default=1) == 1, "a message is shown twice"
            assert max(in_queue.values(), default=1) == 1, "a message is in the queue twice"

    @invariant()
    def what_was_replayed_is_there(self) -> None:
        if not hasattr(self, "world"):
            return
        for queue, target in TARGET.items():
            copies = Counter(self.world.bodies(target))
            assert self.confirmed[queue] <= set(copies)
            assert set(copies) <= set(self.published[queue])

    @invariant()
    def what_was_moved_is_there(self) -> None:
        if not hasattr(self, "world"):
            return
        for queue, target in MOVED.items():
            left, arrived = self.world.bodies(queue), self.world.bodies(target)
            missing = set(self.published[queue]) - set(left) - set(arrived)
            assert not missing, f"lost on the way from {queue}: {sorted(missing)}"
            assert set(left) | set(arrived) <= set(self.published[queue])

    # how

    def folder(self, queue: str) -> Path:
        return self.world.folder / queue

    def on_disk(self, queue: str) -> list[str]:
        if not (self.folder(queue) / "_courier" / "capture.json").exists():
            return []
        capture = Capture(self.folder(queue))
        assert capture.verify().ok
        return [str(message.body) for message in capture.messages()]

    def replay_once(self, queue: str, **how: Any) -> Report:
        report = self.world.client.destination(TARGET[queue]).replay(self.folder(queue), concurrency=2, progress=False, **how)
        assert isinstance(report, Report)
        return report

    def note(self, queue: str, report: Report) -> None:
        bodies = {message.message_id: str(message.body) for message in Capture(self.folder(queue)).messages()}
        for outcome in report.outcomes:
            body = bodies[outcome.message_id]
            if outcome.kind == "ok" or (outcome.kind == "skipped" and "confirmed" in outcome.reason):
                self.confirmed[queue].add(body)
            elif outcome.kind == "unknown":
                self.unknown.add(body)

    def move_once(self, queue: str, **how: Any) -> None:
        report = self.world.client.destination(queue).move(
            MOVED[queue], self.folder(queue), empties=1, concurrency=2, progress=False, **how
        )
        unknown = {outcome.message_id for outcome in report.failed if outcome.kind == "unknown"}
        self.unknown.update(body for body in self.published[queue] if f"id-{int(body[2:7])}" in unknown)

    def move_to_the_end(self, queue: str) -> None:
        for how in ("report", "resend", "report", "resend"):
            self.world.clock.advance(310)  # every lock ends
            self.move_once(queue, unknown=how)
        assert self.world.bodies(queue) == []
        arrived = self.world.bodies(MOVED[queue])
        assert set(arrived) == set(self.published[queue])
        twice = {body for body, count in Counter(arrived).items() if count > 1}
        assert twice <= self.unknown
        for group in GROUPS if QUEUES[queue] else ():
            in_order = [body for body in dict.fromkeys(arrived) if body.startswith(group)]
            assert in_order == [body for body in self.published[queue] if body.startswith(group)]

    def drain_to_the_end(self, queue: str) -> None:
        self.held.clear()
        for _ in range(10):
            self.world.clock.advance(130)  # every lock ends
            self.drain(queue, None)
            if not self.world.bodies(queue):
                break
        on_disk, published = set(self.on_disk(queue)), set(self.published[queue])
        # What a killed drain had on disk may have been received and acknowledged by the user since.
        assert published - self.acked[queue] <= on_disk <= published

    def replay_to_the_end(self, queue: str) -> None:
        self.note(queue, self.replay_once(queue))
        self.note(queue, self.replay_once(queue, unknown="resend"))
        copies = self.world.bodies(TARGET[queue])
        assert set(copies) == set(self.on_disk(queue))
        twice = {body for body, count in Counter(copies).items() if count > 1}
        assert twice <= self.unknown
        if queue == "standard":
            return
        for group in GROUPS:
            of_group = [body for body in dict.fromkeys(copies) if body.startswith(group)]
            in_capture = [body for body in self.on_disk(queue) if body.startswith(group)]
            assert of_group == in_capture, "the order inside the group is another"


NothingIsLost.TestCase.settings = settings(
    max_examples=int(EXAMPLES or 12),
    stateful_step_count=20,
    deadline=None,
    derandomize=not EXAMPLES,
    database=None,
    suppress_health_check=list(HealthCheck),
)
test_nothing_is_lost = NothingIsLost.TestCase
