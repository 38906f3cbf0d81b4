"""The demonstration itself: every step shows its Python call and what came of it."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import click
import pandas as pd

from courier_nb.blocking import Client, Destination
from courier_nb.broker import LocalBroker, QueueConfig
from courier_nb.client import broker_settings
from courier_nb.core.messages import Message
from courier_nb.demo.scenarios import Scenario
from courier_nb.flows.reports import Report
from courier_nb.frames.text import table
from courier_nb.storage.capture import Capture

MAX_DELIVERIES = 3
_POLL = "200ms"


@dataclass(frozen=True, slots=True)
class Proof:
    """Where every message of the backlog ended.

    Attributes
    ----------
    published, consumed, kept : int
        Put into the queue; processed by the consumer, before or after the repair; drained and not replayed, safe in Parquet.
    left : int
        Still on the broker.
    missing, twice : int
        Not accounted for, or accounted for twice: both must be 0.
    """

    published: int
    consumed: int
    kept: int
    left: int
    missing: int
    twice: int

    @property
    def holds(self) -> bool:
        return self.left == self.missing == self.twice == 0


def tell(scenario: Scenario, folder: Path, say: Callable[[str], None], *, progress: bool) -> Proof:
    """Run the demonstration with its captures in `folder`.

    Parameters
    ----------
    scenario : Scenario
    folder : Path
    say : callable
        Is given each piece of text to show.
    progress : bool
        Draw progress bars.
    """
    with tempfile.TemporaryDirectory(prefix="courier_nb-demo-") as place:
        queues = [QueueConfig("orders-dlq"), QueueConfig("orders", dead_letter_queue="orders-dlq", max_deliveries=MAX_DELIVERIES)]
        with LocalBroker(queues=queues, db=Path(place) / "broker.sqlite") as broker, broker.serving() as announced:
            say(f"A broker of our own listens on {announced['url']}, its messages in {place}.\n")
            settings = replace(broker_settings(announced), journal=str(Path(place) / "journal"))
            with Client(settings) as client:
                return _Story(client, scenario, folder, say, progress).run()


class _Story:
    def __init__(self, client: Client, scenario: Scenario, folder: Path, say: Callable[[str], None], progress: bool) -> None:
        self._client = client
        self._scenario = scenario
        self._folder = folder
        self._say = say
        self._progress = progress
        self._orders = client.destination("orders")
        self._dlq = client.destination("orders-dlq")
        self._consumed: list[str] = []

    def run(self) -> Proof:
        scenario, say = self._scenario, self._say
        self._step("A backlog arrives", "orders.publish(backlog)")
        published = self._orders.publish(scenario.messages, progress=self._progress)
        say(f"{published!r}\n")

        self._step("A consumer works through it; what fails three times is dead-lettered")
        failures = consume(self._orders, scenario, self._consumed)
        say(f"{len(self._consumed)} processed, {failures} failed attempts.\n")

        self._step("What is on the broker?", "client.destinations().frame()")
        say(_shown(self._client.destinations().frame()))

        self._step("Look at a few dead letters (a look spends one delivery of each)", "dlq.peek(5).frame()")
        peeked = self._dlq.peek(5, polling_time=_POLL, progress=self._progress).frame()
        say(_shown(peeked[_looked_at(peeked)]))

        self._step("Move them to Parquet; each is deleted from the queue only when it is on disk", "capture = dlq.drain(folder)")
        capture = self._dlq.drain(self._folder, progress=self._progress)
        assert isinstance(capture, Capture)  # noqa: S101  # for the type checker: not a dry run
        say(f"{capture!r}\n{capture.verify()!r}\n")

        self._step("What is wrong, by group?", f"dead = capture.frame(); wrong = {scenario.label_call}; wrong.value_counts()")
        dead = capture.frame()
        wrong = scenario.label(dead)
        say(wrong.value_counts().rename("messages").to_frame().to_string() + "\n")

        self._step("Repair one group", f"mended = {scenario.repair_call}")
        mended = scenario.repair(dead)
        say(f"{len(mended)} messages mended.\n")

        self._step("What would a replay do?", 'client.replay(mended, to="orders", dry_run=True)')
        ledger = self._folder.with_name(f"{self._folder.name}-ledger.jsonl")
        say(f"{self._client.replay(mended, to='orders', dry_run=True, ledger=ledger)!r}\n")

        self._step("Replay; the target is the queue whose dead letters these are", "client.replay(mended)")
        report = self._client.replay(mended, ledger=ledger, progress=self._progress)
        assert isinstance(report, Report)  # noqa: S101  # for the type checker: not a dry run
        say(f"{report!r}\n")

        self._step("The consumer takes them this time")
        before = len(self._consumed)
        consume(self._orders, scenario, self._consumed)
        say(f"{len(self._consumed) - before} processed.\n")

        self._step("Is every message accounted for?")
        return self._account(dead, mended)

    def _account(self, dead: pd.DataFrame, mended: pd.DataFrame) -> Proof:
        published = [str(message.message_id) for message in self._scenario.messages]
        replayed = set(mended["message_id"])
        kept = [id_ for id_ in dead["message_id"] if id_ not in replayed]
        depths = self._client.destinations().depths
        left = sum(depth.messages + depth.in_flight for depth in depths.values())
        accounted = self._consumed + kept
        proof = Proof(
            published=len(published),
            consumed=len(self._consumed),
            kept=len(kept),
            left=left,
            missing=len(set(published) - set(accounted)),
            twice=len(accounted) - len(set(accounted)),
        )
        self._say(
            f"{proof.published} published = {proof.consumed} consumed + {proof.kept} kept in Parquet; "
            f"{proof.left} left on the broker, {proof.missing} missing, {proof.twice} twice."
        )
        self._say("Every message is accounted for." if proof.holds else "SOMETHING IS WRONG.")
        return proof

    def _step(self, what: str, call: str = "") -> None:
        self._say(click.style(what, bold=True) + (f"\n>>> {call}" if call else ""))


def consume(queue: Destination, scenario: Scenario, consumed: list[str]) -> int:
    """Be the consumer: process what can be processed, return what cannot, until nothing is visible; return the failures."""
    failures = empties = 0
    while empties < 2:
        messages = queue.receive_batch(batch_size=10, polling_time=_POLL, lock_ttl="30s")
        empties = 0 if messages else empties + 1
        good = [message for message in messages if scenario.fault(message) is None]
        bad = [message for message in messages if scenario.fault(message) is not None]
        if good:
            queue.ack_batch(_locks(good))
            consumed += [str(message.message_id) for message in good]
        if bad:
            queue.nack_batch(_locks(bad))
            failures += len(bad)
    return failures


def _locks(messages: Sequence[Message]) -> list[tuple[str, str]]:
    return [(str(message.message_id), str(message.lock_id)) for message in messages]


def _looked_at(frame: pd.DataFrame) -> list[str]:
    properties = [name for name in frame.columns if name.startswith("prop.") and name != "prop.contentType"]
    return ["message_id", "delivery_count", *properties[:4], "body"]


def _shown(frame: pd.DataFrame) -> str:
    return f"{table(frame, widest=44)}\n"
