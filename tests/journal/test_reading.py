"""What can be asked of the journal: runs, entries, earlier looks, the run of a name."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pandas as pd
import pytest

from courier_nb import AsyncClient, AsyncDestination, Journal
from courier_nb.broker import LocalBroker
from courier_nb.client import broker_settings
from courier_nb.core.clock import ManualClock
from courier_nb.frames.journal import ENTRIES, RUNS, documentation
from courier_nb.storage.journal.months import Months

from .conftest import QUICK, messages

pytestmark = pytest.mark.anyio
DAY = 86_400
NOW = datetime(2026, 11, 23, tzinfo=UTC).timestamp()
PAGE = Path(__file__).parents[2] / "docs" / "journal.md"


async def environment_of(client: AsyncClient) -> str:
    return (await client._connection.operations()).place.environment


async def test_the_beginning_of_a_run_is_found_by_its_name(
    client: AsyncClient, queue: AsyncDestination, folder: Path, tmp_path: Path
) -> None:
    await queue.publish(messages(3), progress=False)
    await queue.drain(tmp_path / "capture", **QUICK)
    journal = Journal(folder)
    published, drained = journal.runs()["run"]
    found = journal.find_run(drained)
    assert found is not None
    assert (found["verb"], found["destination"], found["capture"]) == ("drain", "queue", str(tmp_path / "capture"))
    assert found["environment"] == await environment_of(client)
    other = journal.find_run(published)
    assert other is not None
    assert other["capture"] is None
    assert journal.find_run("20200101T000000000000-00000000") is None


async def test_a_drain_into_a_folder_of_its_own_is_recorded_with_that_folder(queue: AsyncDestination, folder: Path) -> None:
    await queue.publish(messages(1), progress=False)
    capture = await queue.drain(**QUICK)
    run = Journal(folder).runs(verb="drain").iloc[0]
    assert run["capture"] == str(capture.path)  # type: ignore[union-attr]
    assert run["run"] in run["capture"]


async def test_earlier_looks_are_counted_until_the_message_is_acknowledged(
    client: AsyncClient, queue: AsyncDestination, folder: Path
) -> None:
    environment = await environment_of(client)
    journal = Journal(folder)
    assert journal.looks(environment, "queue").receive_calls == 0
    await queue.publish(messages(3), progress=False)
    await queue.peek(3, **QUICK)
    await queue.peek(3, **QUICK)
    await client.aclose()
    looks = journal.looks(environment, "queue")
    assert looks.peeks == 2
    assert looks.receive_calls >= 2
    assert looks.received == {"m0": 2, "m1": 2, "m2": 2}
    assert looks.delivery_counts == {"m0": 2, "m1": 2, "m2": 2}
    assert journal.looks(environment, "dlq").peeks == journal.looks("another", "queue").peeks == 0


async def test_what_was_acknowledged_is_no_longer_counted(client: AsyncClient, queue: AsyncDestination, folder: Path) -> None:
    environment = await environment_of(client)
    journal = Journal(folder)
    await queue.publish(messages(3), progress=False)
    held = await queue.receive(3, **QUICK)
    await queue.ack(held.frame().head(2), progress=False)
    await client.aclose()
    assert journal.looks(environment, "queue").received == {"m2": 1}


def written(folder: Path, clock: ManualClock, days_ago: float, *ids: str) -> None:
    at = datetime.fromtimestamp(clock.time() - days_ago * DAY, UTC)
    place = {"environment": "env", "destination": "q", "run": None, "verb": None, "operation": "receive"}
    times = {"at": at.isoformat(timespec="milliseconds"), "call": f"c{days_ago}", **place}
    Months(folder, clock=ManualClock(at.timestamp())).append(
        [
            {"kind": "call", "asked": 10, **times},
            {"kind": "answer", "outcome": "ok", "received": [[id_, 1] for id_ in ids], **times},
        ]
    )


def test_looks_older_than_two_weeks_are_forgotten(folder: Path) -> None:
    clock = ManualClock(NOW)
    written(folder, clock, 40, "a")
    written(folder, clock, 15, "a", "b")
    written(folder, clock, 13, "a")
    written(folder, clock, 1, "a", "c")
    journal = Journal(folder, clock=clock)
    assert journal.looks("env", "q").received == {"a": 2, "c": 1}
    clock.advance(2 * DAY)
    assert journal.looks("env", "q").received == {"a": 1, "c": 1}


def test_a_later_look_reads_only_what_was_added(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = ManualClock(NOW)
    written(folder, clock, 2, *(f"m{i}" for i in range(10)))
    journal = Journal(folder, clock=clock)
    journal.looks("env", "q")
    first = Months(folder).paths()[0].read_bytes()
    written(folder, clock, 1, "new")
    path = Months(folder).paths()[0]
    path.write_bytes(b" " * len(first) + path.read_bytes()[len(first) :])  # what was read is not looked at again
    assert journal.looks("env", "q").received["new"] == 1
    assert journal.looks("env", "q").received["m0"] == 1


async def test_frames_have_the_documented_columns_and_types_also_when_empty(
    queue: AsyncDestination, folder: Path, tmp_path: Path
) -> None:
    await queue.publish(messages(2), progress=False)
    for journal in (Journal(folder), Journal(tmp_path / "none")):
        frame, runs = journal.frame(), journal.runs()
        assert list(frame.columns) == list(ENTRIES)
        assert list(runs.columns) == list(RUNS)
        assert frame["messages"].dtype == pd.Int64Dtype()
        assert str(frame["at"].dtype) == str(runs["begun"].dtype) == "datetime64[ms, UTC]"
        assert runs["seconds"].dtype == "float64"
    page = PAGE.read_text()
    assert documentation(ENTRIES) in page
    assert documentation(RUNS) in page


async def test_a_frame_can_be_narrowed_down(client: AsyncClient, queue: AsyncDestination, folder: Path, tmp_path: Path) -> None:
    await queue.publish(messages(2), progress=False)
    await client.destination("dlq").publish(messages(1), progress=False)
    await queue.drain(tmp_path / "capture", **QUICK)
    journal = Journal(folder)
    assert set(journal.frame(destination="dlq")["destination"]) == {"dlq"}
    assert set(journal.frame(verb="drain")["verb"]) == {"drain"}
    run = journal.runs()["run"].iloc[0]
    entries = journal.frame(run=run)
    assert list(entries["kind"]) == ["begin", "call", "answer", "end"]
    assert list(entries["message_ids"].iloc[1]) == ["m0", "m1"]
    assert len(journal.frame(since="1h")) == len(journal.frame())
    assert len(journal.frame(since=datetime(2100, 1, 1, tzinfo=UTC))) == 0


async def test_a_hostile_message_id_is_recorded_and_read_back(queue: AsyncDestination, folder: Path) -> None:
    hostile = ['"},{"kind":"end"}\n{"n":1', "\x1b[31m\u202eid", "half \ud800 pair", "<script>", "=1+1"]
    for id_ in hostile:
        await queue.publish_batch([replace(messages(1)[0], headers={"messageId": id_})])
    await queue._connection.aclose()
    journal = Journal(folder)
    assert journal.verify().ok
    recorded = [ids[0] for ids in journal.frame()["message_ids"].dropna()]
    assert recorded == [id_.encode("utf-8", "backslashreplace").decode() for id_ in hostile]


async def test_a_client_has_the_journal_it_writes(broker: LocalBroker, folder: Path) -> None:
    settings = replace(broker_settings(broker.settings), journal=str(folder))
    async with AsyncClient(settings, transport=broker.transport()) as client:
        await client.destination("queue").publish(messages(1), progress=False)
        assert client.journal is not None
        assert list(client.journal.runs()["verb"]) == ["publish"]
        assert repr(client.journal) == f"<Journal {str(folder)!r}>"
