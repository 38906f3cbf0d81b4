"""Replays: the run, the states of its rows, order after something uncertain, FIFO's deduplication, provenance."""

from __future__ import annotations

import logging
import os
from collections.abc import AsyncIterator, Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from courier_nb import AsyncClient, CaptureDamaged, CaptureError, CourierError, FrameError, Message
from courier_nb.broker import Fault, LocalBroker, QueueConfig
from courier_nb.client import broker_settings
from courier_nb.core import moments
from courier_nb.core.moments import Moment
from courier_nb.storage.replays.ledger import Ledger
from courier_nb.wire import sender

pytestmark = pytest.mark.anyio
QUICK: dict[str, Any] = {"progress": False}


class Machine:
    """The machine's clocks, moved by hand."""

    def __init__(self) -> None:
        self.now = moments.now()

    def pass_by(self, seconds: float) -> None:
        self.now = replace(self.now, wall=self.now.wall + seconds, since_boot=self.now.since_boot + seconds)

    def set_clock(self, wall: float) -> None:
        self.now = replace(self.now, wall=wall)


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> Machine:
    machine = Machine()
    monkeypatch.setattr(moments, "now", lambda: machine.now)
    return machine


@pytest.fixture(autouse=True)
def no_patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """Repeat at once: how long is waited is tested elsewhere."""
    monkeypatch.setattr(sender, "_backoff", lambda state: 0.0)


@pytest.fixture
def broker() -> Iterator[LocalBroker]:
    with LocalBroker(queues=[QueueConfig("standard"), QueueConfig("other"), QueueConfig("fifo", fifo=True)]) as broker:
        yield broker


@pytest.fixture
async def client(broker: LocalBroker) -> AsyncIterator[AsyncClient]:
    async with AsyncClient(broker_settings(broker.settings), transport=broker.transport()) as client:
        yield client


@pytest.fixture
def ledger(tmp_path: Path) -> Path:
    return tmp_path / "ledger.jsonl"


def rows(count: int, groups: int = 0) -> list[Message]:
    def headers(i: int) -> dict[str, str]:
        return {"messageId": f"m{i}", **({"messageGroupId": f"g{i % groups}"} if groups else {})}

    return [Message(f"body {i}", {"n": i}, headers(i)) for i in range(count)]


def numbers(broker: LocalBroker, queue: str) -> list[int]:
    return [int(message.properties["n"]) for message in broker.messages(queue, limit=1_000)]


# The run


async def test_the_same_call_is_the_same_run_and_other_rows_are_another(client: AsyncClient, ledger: Path) -> None:
    queue = client.destination("standard")
    plan = await queue.replay(rows(5), ledger=ledger, dry_run=True)
    first = await queue.replay(rows(5), ledger=ledger, **QUICK)
    again = await queue.replay(rows(5), ledger=ledger, **QUICK)
    more = await queue.replay(rows(6), ledger=ledger, **QUICK)
    bare = await queue.replay(rows(5), ledger=ledger, provenance=False, **QUICK)
    assert plan.details["run"] == first.run == again.run
    assert (first.attempt, again.attempt, more.attempt) == (1, 2, 1)
    assert len({first.run, more.run, bare.run}) == 3
    assert more.counts == {"skipped": 5, "ok": 1}  # rows are known by their content in any run
    runs = client.replays(ledger=ledger)
    assert runs["run"].tolist() == [first.run, first.run, more.run, bare.run]
    assert runs["ok"].tolist() == [5, 0, 1, 0]
    assert runs["destination"].tolist() == ["standard"] * 4 and runs["target"].str.endswith("/standard").all()
    assert all("standard" in line for line in repr(runs[["run", "verb", "destination"]]).splitlines()[1:])


async def test_a_dry_run_writes_nothing(client: AsyncClient, broker: LocalBroker, ledger: Path) -> None:
    plan = await client.destination("standard").replay(rows(5), ledger=ledger, dry_run=True)
    assert (plan.rows, plan.to_do) == (5, 5)
    assert not ledger.exists()
    assert numbers(broker, "standard") == []


async def test_each_row_shows_its_state_and_the_reason(client: AsyncClient, broker: LocalBroker, ledger: Path) -> None:
    queue = client.destination("standard")
    with broker.faults.during(Fault("cut_after", ("publish_batch",), after=1, times=1)):
        report = await queue.replay(
            [*rows(25), Message(None, {}, {"messageId": "hidden"})], ledger=ledger, concurrency=1, **QUICK
        )
    frame = report.frame()
    assert frame["state"].tolist() == ["confirmed"] * 10 + ["unknown"] * 10 + ["confirmed"] * 5 + ["refused"]
    assert frame["attempt"].tolist() == [1] * 25 + [0]
    assert set(frame["run"]) == {report.run}
    assert "no complete answer" in frame["reason"][12]
    again = (await queue.replay([*rows(25)], ledger=ledger, **QUICK)).frame()
    assert again["state"].tolist() == ["confirmed"] * 10 + ["unknown"] * 10 + ["confirmed"] * 5
    assert "no complete answer" in again["reason"][12]  # known from the ledger
    assert sorted(numbers(broker, "standard")) == list(range(25))


@pytest.mark.parametrize(("unknown", "kind", "copies"), [("report", "unknown", 1), ("resend", "ok", 2), ("skip", "skipped", 1)])
async def test_what_is_unknown_is_shown_sent_again_or_taken_as_arrived(
    client: AsyncClient, broker: LocalBroker, ledger: Path, unknown: Any, kind: str, copies: int
) -> None:
    queue = client.destination("standard")
    with broker.faults.during(Fault("error", ("publish_batch",), effect=True, times=1)):
        assert (await queue.replay(rows(10), ledger=ledger, **QUICK)).counts == {"unknown": 10}
    report = await queue.replay(rows(10), ledger=ledger, unknown=unknown, **QUICK)
    assert (report.counts, len(numbers(broker, "standard"))) == ({kind: 10}, 10 * copies)
    after = await queue.replay(rows(10), ledger=ledger, **QUICK)
    assert after.counts == ({"unknown": 10} if unknown == "report" else {"skipped": 10})
    attempts = sorted(m.properties["courier_nb.attempt"] for m in broker.messages("standard"))
    assert attempts == [1] * 10 + [2] * 10 * (copies - 1)  # which of two copies is the later one can be seen


@pytest.mark.parametrize("fault", ["cut_before", "cut_after", "truncated", "error", "throttled", "unavailable", "item_failure"])
@pytest.mark.parametrize("queue", ["standard", "fifo"])
async def test_under_every_fault_a_replay_comes_to_its_end(
    client: AsyncClient, broker: LocalBroker, ledger: Path, queue: str, fault: Any
) -> None:
    more: dict[str, Any] = {"items": (0, 3)} if fault == "item_failure" else {"effect": True} if fault == "error" else {}
    more |= {"retry_after": 0} if fault in ("throttled", "unavailable") else {}
    with broker.faults.during(Fault(fault, ("publish_batch",), every=3, **more)), suppress(CourierError):
        await client.destination(queue).replay(rows(200, groups=7), ledger=ledger, **QUICK)
    report = await client.destination(queue).replay(rows(200, groups=7), ledger=ledger, **QUICK)
    found = numbers(broker, queue)
    assert max(map(found.count, found)) == 1
    if queue == "fifo":
        assert report.counts.keys() <= {"ok", "skipped"}  # nothing stays unknown inside the window
        assert sorted(found) == list(range(200))
        if fault != "item_failure":  # which leaves gaps within one call
            assert all([n for n in found if n % 7 == g] == list(range(g, 200, 7)) for g in range(7))
    else:
        report = await client.destination(queue).replay(rows(200, groups=7), ledger=ledger, unknown="resend", **QUICK)
        assert report.counts.keys() <= {"ok", "skipped"}
        assert set(numbers(broker, queue)) == set(range(200))


# Two at once, and damage


async def test_a_second_replay_with_the_same_ledger_is_refused_and_sends_nothing(
    client: AsyncClient, broker: LocalBroker, ledger: Path
) -> None:
    with Ledger(ledger, "whatever"), pytest.raises(CaptureError, match=f"in use by process {os.getpid()}"):
        await client.destination("standard").replay(rows(5), ledger=ledger, **QUICK)
    assert numbers(broker, "standard") == []


async def test_with_a_damaged_ledger_nothing_is_sent(client: AsyncClient, broker: LocalBroker, ledger: Path) -> None:
    await client.destination("standard").replay(rows(5), ledger=ledger, **QUICK)
    ledger.write_bytes(ledger.read_bytes().replace(b'"confirmed"', b'"refused"'))
    with pytest.raises(CaptureDamaged, match=r"damaged at line \d"):
        await client.destination("standard").replay(rows(6), ledger=ledger, **QUICK)
    assert len(numbers(broker, "standard")) == 5


# Order


async def test_nothing_later_of_a_group_is_sent_by_any_run_until_the_uncertain_row_is_settled(
    client: AsyncClient, broker: LocalBroker, ledger: Path
) -> None:
    queue, all_rows = client.destination("standard"), rows(30, groups=3)
    with broker.faults.during(Fault("cut_before", ("publish_batch",), times=1)):
        await queue.replay([row for row in all_rows if row.message_group_id == "g0"][:5], ledger=ledger, **QUICK)
    assert numbers(broker, "standard") == []
    later = [row for row in all_rows if row.message_group_id == "g0"][5:]  # another source: the uncertain rows are not in it
    report = await queue.replay(later, ledger=ledger, **QUICK)
    assert report.counts == {"skipped": 5}
    assert "run replay-" in report.outcomes[0].reason
    whole = await queue.replay(all_rows, ledger=ledger, **QUICK)
    assert whole.counts == {"unknown": 5, "skipped": 5, "ok": 20}
    assert (await queue.replay(all_rows, ledger=ledger, unknown="resend", **QUICK)).counts == {"ok": 10, "skipped": 20}
    found = numbers(broker, "standard")
    assert all([n for n in found if n % 3 == g] == list(range(g, 30, 3)) for g in range(3))


async def test_taking_what_is_elsewhere_as_arrived_lets_the_group_go_on(
    client: AsyncClient, broker: LocalBroker, ledger: Path
) -> None:
    queue, all_rows = client.destination("standard"), rows(10, groups=1)
    with broker.faults.during(Fault("cut_after", ("publish_batch",), times=1)):
        await queue.replay(all_rows[:5], ledger=ledger, **QUICK)
    assert (await queue.replay(all_rows[5:], ledger=ledger, unknown="skip", **QUICK)).counts == {"ok": 5}
    assert numbers(broker, "standard") == list(range(10))


# FIFO's deduplication


async def test_an_uncertain_call_to_a_fifo_queue_is_repeated_at_once_with_the_same_ids(
    client: AsyncClient, broker: LocalBroker, ledger: Path
) -> None:
    with broker.faults.during(Fault("cut_after", ("publish_batch",), times=2)):
        report = await client.destination("fifo").replay(rows(20, groups=2), ledger=ledger, **QUICK)
    assert report.counts == {"ok": 20}
    assert sorted(numbers(broker, "fifo")) == list(range(20))


@pytest.mark.parametrize(("seconds", "kind"), [(200, "ok"), (250, "unknown"), (-1_000, "unknown")])
async def test_what_a_killed_run_left_is_repeated_by_itself_inside_the_window_only(
    client: AsyncClient, broker: LocalBroker, ledger: Path, machine: Machine, seconds: float, kind: str
) -> None:
    with broker.faults.during(Fault("cut_after", ("publish_batch",))):  # for ever: what the ledger says then is as after a kill
        first = await client.destination("fifo").replay(rows(5, groups=1), ledger=ledger, **QUICK)
    assert first.counts == {"unknown": 5}
    machine.pass_by(seconds)
    if seconds < 0:  # the machine was started again with its clock set back: no clock can be trusted
        machine.now = replace(machine.now, boot="another")
    report = await client.destination("fifo").replay(rows(5, groups=1), ledger=ledger, **QUICK)
    assert report.counts == {kind: 5}
    assert sorted(numbers(broker, "fifo")) == list(range(5))


async def test_a_clock_that_was_set_back_does_not_open_the_window_again(
    client: AsyncClient, broker: LocalBroker, ledger: Path, machine: Machine
) -> None:
    with broker.faults.during(Fault("cut_after", ("publish_batch",))):
        await client.destination("fifo").replay(rows(5, groups=1), ledger=ledger, **QUICK)
    at = machine.now.wall
    machine.pass_by(400)
    machine.set_clock(at + 10)
    report = await client.destination("fifo").replay(rows(5, groups=1), ledger=ledger, **QUICK)
    assert report.counts == {"unknown": 5}


async def test_a_dead_letter_gets_into_its_fifo_queue_within_five_minutes_and_with_its_own_id_would_not(
    client: AsyncClient, broker: LocalBroker, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    queue = client.destination("fifo")
    await queue.publish(rows(4, groups=1), **QUICK)
    capture = await queue.drain(tmp_path / "cap", polling_time="20ms", **QUICK)
    plan = await queue.replay(capture, ids="keep", dry_run=True)
    assert tuple(plan.details[name] for name in ("recent", "ids", "fifo")) == (4, "keep", True)
    with caplog.at_level(logging.WARNING, logger="courier_nb"):
        kept = await queue.replay(capture, ids="keep", ledger=tmp_path / "kept.jsonl", **QUICK)
    assert kept.counts == {"ok": 4}
    assert broker.depth("fifo")["messages"] == 0  # swallowed, although the answer was "successful"
    for said in (plan.warnings, kept.warnings, [record.getMessage() for record in caplog.records]):
        assert any("rows 0, 1, 2, 3" in text and "may drop" in text for text in said)
    auto = await queue.replay(capture, **QUICK)
    assert (auto.counts, auto.warnings) == ({"ok": 4}, ())
    assert numbers(broker, "fifo") == [0, 1, 2, 3]
    ids = [message.id for message in broker.messages("fifo")]
    assert auto.frame()["published_id"].tolist() == ids
    assert not {f"m{i}" for i in range(4)} & set(ids)


async def test_a_standard_queue_gets_the_old_ids(client: AsyncClient, broker: LocalBroker, ledger: Path) -> None:
    report = await client.destination("standard").replay(rows(3), ledger=ledger, **QUICK)
    assert [message.id for message in broker.messages("standard")] == ["m0", "m1", "m2"]
    assert report.frame()["published_id"].isna().all()


async def test_what_is_only_taken_for_a_fifo_queue_is_never_repeated(
    client: AsyncClient, broker: LocalBroker, ledger: Path
) -> None:
    unreadable = Fault("forbidden", ("admin",))
    with broker.faults.during(unreadable, Fault("cut_after", ("publish_batch",), times=1)):
        report = await client.destination("standard").replay(rows(5, groups=1), ledger=ledger, **QUICK)
    assert report.counts == {"unknown": 5}
    assert not {message.id for message in broker.messages("standard")} & {f"m{i}" for i in range(5)}  # but new ids are safe


# Provenance


async def test_a_replayed_message_says_where_it_comes_from_and_the_first_origin_stays(
    client: AsyncClient, broker: LocalBroker, tmp_path: Path
) -> None:
    standard, other = client.destination("standard"), client.destination("other")
    await standard.publish(rows(2), **QUICK)
    capture = await standard.drain(tmp_path / "1", polling_time="20ms", **QUICK)
    first = await other.replay(capture, **QUICK)
    again = await other.drain(tmp_path / "2", polling_time="20ms", **QUICK)
    frame = again.frame()
    assert frame["prop.courier_nb.origin_queue"].tolist() == ["standard"] * 2
    assert frame["prop.courier_nb.origin_id"].tolist() == ["m0", "m1"]
    assert frame["prop.courier_nb.attempt"].tolist() == [1, 1]
    assert set(frame["prop.courier_nb.run"]) == {first.run}
    second = await standard.replay(frame, ledger=tmp_path / "l.jsonl", **QUICK)
    properties = broker.messages("standard")[0].properties
    assert properties == {
        "n": 0,
        "courier_nb.origin_queue": "standard",
        "courier_nb.origin_id": "m0",
        "courier_nb.attempt": 2,
        "courier_nb.run": second.run,
    }


async def test_provenance_can_be_left_out(client: AsyncClient, broker: LocalBroker, ledger: Path) -> None:
    await client.destination("standard").replay(rows(1), ledger=ledger, provenance=False, **QUICK)
    assert broker.messages("standard")[0].properties == {"n": 0}


@pytest.mark.parametrize("dry_run", [True, False])
async def test_a_property_of_the_same_name_is_never_overwritten(
    client: AsyncClient, broker: LocalBroker, ledger: Path, dry_run: bool
) -> None:
    mine = [*rows(2), Message("x", {"courier_nb.run": "mine"}), Message("y", {"courier_nb.attempt": "many"})]
    with pytest.raises(FrameError, match=r"2 messages have a property 'courier_nb.run'.*row 2.*provenance=False") as caught:
        await client.destination("standard").replay(mine, ledger=ledger, dry_run=dry_run, **QUICK)
    assert (caught.value.columns, caught.value.rows) == (("prop.courier_nb.run",), (2,))
    assert numbers(broker, "standard") == []
    if not dry_run:
        assert (await client.destination("standard").replay(mine, ledger=ledger, provenance=False, **QUICK)).ok


def test_the_larger_of_two_clocks_tells_how_long_ago_it_was() -> None:
    at = Moment(1_000.0, "boot", 50.0)
    assert moments.seconds_between(at, Moment(1_100.0, "boot", 60.0)) == 100
    assert moments.seconds_between(at, Moment(900.0, "boot", 60.0)) == 10
    assert moments.seconds_between(at, Moment(1_100.0, "later boot", 5.0)) == 100
    assert moments.seconds_between(at, Moment(900.0, "later boot", 5.0)) is None
    assert moments.seconds_between(Moment(1_000.0), Moment(1_010.0)) == 10
