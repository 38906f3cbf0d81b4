"""Move messages through faults, and hold what is on disk and in the queues against what was published."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from courier_nb import Capture, Client, CourierError, Message, Report
from courier_nb.broker import LocalBroker

from .proxy import Proxy, Strike

RUNS = 12
"""How often a verb is called again before the test says that it does not get done."""


@dataclass
class Scenario:
    """One queue being drained into one folder, and the folder replayed into another queue."""

    broker: LocalBroker
    proxy: Proxy
    client: Client
    folder: Path
    name: str
    published: dict[str, str] = field(default_factory=dict)
    runs: int = 0
    errors: list[str] = field(default_factory=list)
    refused: set[int] = field(default_factory=set)

    def publish(self, direct: Client, count: int, *, size: int = 20, groups: int = 0) -> None:
        self.broker.create_queue(self.source, fifo=bool(groups), max_deliveries=1000)
        messages = []
        for i in range(count):
            headers = {"messageId": f"m-{i}", **({"messageGroupId": f"g{i % groups}"} if groups else {})}
            messages.append(Message(f"{i}-" + "b" * size, {"n": i}, headers))
        report = direct.destination(self.source).publish(messages, progress=False)
        while not report.ok:  # a busy machine may take longer than the shortened waits allow
            assert {outcome.kind for outcome in report.failed} <= {"unknown", "skipped"}, report.failed[:3]
            self.broker.delete_queue(self.source)
            self.broker.create_queue(self.source, fifo=bool(groups), max_deliveries=1000)
            report = direct.destination(self.source).publish(messages, progress=False)
        self.published = {f"m-{i}": message.body for i, message in enumerate(messages)}

    @property
    def source(self) -> str:
        return f"{self.name}-in"

    @property
    def target(self) -> str:
        return f"{self.name}-out"

    def drain(self, client: Client | None = None, *, concurrency: int = 4, limit: int | None = None) -> CourierError | None:
        """Drain once; return what ended it early."""
        self.runs += 1
        try:
            (client or self.client).destination(self.source).drain(
                self.folder, polling_time="20ms", empties=2, lock_ttl="5m", concurrency=concurrency, limit=limit, progress=False
            )
        except CourierError as error:
            self.errors.append(type(error).__name__)
            return error
        return None

    def in_queue(self, queue: str) -> Counter[str]:
        return Counter(message.id for message in self.broker.messages(queue, limit=1_000_000))

    def on_disk(self) -> Counter[str]:
        capture = Capture(self.folder)
        assert capture.verify().ok
        cells = capture.frame(["message_id", "body"], all_copies=True)
        assert all(self.published[id_] == body for id_, body in zip(cells["message_id"], cells["body"], strict=True))
        return Counter(cells["message_id"])

    def check_drained(self) -> str:
        """Hold disk and queue against what was published; return the figures."""
        disk, queue = self.on_disk(), self.in_queue(self.source)
        assert set(disk) | set(queue) == set(self.published), "lost"
        capture = Capture(self.folder)
        rows = capture.frame(["message_id", "settlement"], all_copies=True)
        assert not set(rows["message_id"][rows["settlement"] == "acked"]) & set(queue), "called acked and still there"
        assert len(capture) == len(disk)
        assert capture.duplicates == disk.total() - len(disk)
        settled = ", ".join(f"{count} {kind}" for kind, count in sorted(capture.settlements.items()))
        return (
            f"{len(self.published)} published, {len(disk)} on disk ({settled}), {len(set(queue))} in the queue, lost 0, "
            f"{capture.duplicates} second copies flagged, {self.runs} runs"
        )

    def replay(self, *, fifo: bool, unknown: str = "report", client: Client | None = None) -> Report | None:
        """Replay once; None when an error ended it before anything was done."""
        self.runs += 1
        target = (client or self.client).destination(self.target)
        try:
            return target.replay(self.folder, unknown=unknown, fifo=fifo, concurrency=4, progress=False)
        except CourierError as error:
            self.errors.append(type(error).__name__)
            return None

    def arrived(self) -> list[int]:
        """The numbers of the messages in the target, in its order; each is told by its body, whatever its id."""
        return [int(message.body.split("-", 1)[0]) for message in self.broker.messages(self.target, limit=1_000_000)]


def finished(scenario: Scenario, strikes: Sequence[Strike]) -> None:
    """Drain through faults until a run ends by itself and the faults are used up."""
    with scenario.proxy.striking(*strikes):
        for _ in range(RUNS):
            if scenario.drain() is None and not scenario.in_queue(scenario.source):
                return
            if all(strike.struck >= strike.times for strike in strikes):
                return
