"""What the picker is made of, without a service: the catalog, the choice of what to ask, the pace, the names used before."""

from __future__ import annotations

import json
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from courier_nb.core.clock import ManualClock
from courier_nb.jupyter.picker import remembered as memory
from courier_nb.jupyter.picker.catalog import Catalog, listed, remembered
from courier_nb.jupyter.picker.counts import AT_ONCE, FRESH_SECONDS, Counts
from courier_nb.jupyter.picker.pace import EVERY_SECONDS, LONGEST_SECONDS, SOONEST_SECONDS, Pace
from courier_nb.jupyter.picker.remembered import Remembered, used_lately
from courier_nb.storage.journal.journal import Journal
from courier_nb.wire.admin import DestinationInfo
from courier_nb.wire.stats import Depth

NOW = datetime(2026, 11, 23, 3, 0, tzinfo=UTC)


def queues(dead: int, others: int) -> Catalog:
    """Dead-letter queues, each with one queue of its own, and other queues."""
    infos = [DestinationInfo(f"dead-{i:04d}", "queue", dead_letter_sources=("gone",)) for i in range(dead)]
    return listed(infos + [DestinationInfo(f"other-{i:04d}", "queue") for i in range(others)])


def read(counts: Counts, ids: list[str], at: float) -> None:
    counts.take(ids, {id_: Depth(1, 0) for id_ in ids}, at, NOW)


def test_dead_letter_links_are_followed_both_ways() -> None:
    found = listed(
        [
            DestinationInfo("payments", "queue", dead_letter_queue="dlq", max_deliveries=5),
            DestinationInfo("orders", "fifo-queue", dead_letter_queue="dlq"),
            DestinationInfo("dlq", "queue", dead_letter_sources=("orders",)),
            DestinationInfo("events", "exchange"),
        ]
    )
    assert found["dlq"].dead_letters_of == ("orders", "payments")
    assert [entry.kind for entry in found.values()] == ["queue", "exchange", "FIFO queue", "queue"]
    assert found.rows(NOW) == [
        {"name": "dlq", "kind": "queue", "deadLettersOf": ["orders", "payments"]},
        {"name": "events", "kind": "exchange"},
        {"name": "orders", "kind": "FIFO queue", "deadLetterQueue": "dlq"},
        {"name": "payments", "kind": "queue", "deadLetterQueue": "dlq", "maxDeliveries": 5},
    ]


def test_hostile_names_are_shown_plain_and_stay_apart() -> None:
    evil, twin = "a\u202eb", "a\\u202eb"
    found = listed([DestinationInfo(evil, "queue"), DestinationInfo(twin, "queue")])
    shown = [row["name"] for row in found.rows(NOW)]
    assert len(set(shown)) == 2 and all(name.isprintable() for name in shown)
    assert {found.id_of(name) for name in shown} == {evil, twin}


def test_what_was_used_last_comes_first() -> None:
    found = remembered({"old": NOW - timedelta(days=2), "new": NOW - timedelta(seconds=5)})
    assert list(found) == ["new", "old"]
    assert [row["usedSecondsAgo"] for row in found.rows(NOW)] == [5, 172_800]


def test_picked_and_seen_queues_are_asked_first_and_exchanges_never() -> None:
    catalog = listed([DestinationInfo("events", "exchange"), DestinationInfo("a", "queue"), DestinationInfo("b", "queue")])
    counts = Counts()
    assert counts.choose(catalog, "b", ["events", "a"], whole=True, now=0) == ["b", "a"]
    assert counts.choose(catalog, "typed", [], whole=False, now=0) == ["typed"]


def test_a_queue_is_not_asked_again_before_its_count_is_old() -> None:
    counts = Counts()
    read(counts, ["other-0000"], at=100)
    assert counts.choose(queues(0, 1), "", [], whole=True, now=100 + FRESH_SECONDS - 1) == []
    assert counts.choose(queues(0, 1), "", [], whole=True, now=100 + FRESH_SECONDS) == ["other-0000"]


def test_dead_letter_queues_come_first_and_every_queue_has_its_turn() -> None:
    catalog, counts = queues(600, 900), Counts()
    first = counts.choose(catalog, "", [], whole=True, now=0)
    assert len(first) == AT_ONCE and all(id_.startswith("dead") for id_ in first)
    now = 0.0
    for _ in range(10):
        now += EVERY_SECONDS
        read(counts, counts.choose(catalog, "", [], whole=True, now=now), at=now)
    assert len(counts.readings) == 1_500


def test_the_pace_is_kept_and_slows_down_while_the_service_refuses() -> None:
    clock = ManualClock()
    pace = Pace(clock)
    assert pace.is_due()
    pace.succeeded(is_regular=True)
    assert not pace.is_due() and not pace.is_due_for_new()
    clock.advance(SOONEST_SECONDS)
    assert pace.is_due_for_new() and not pace.is_due()
    pace.succeeded(is_regular=False)
    clock.advance(EVERY_SECONDS - SOONEST_SECONDS)
    assert pace.is_due()
    assert [pace.failed() for _ in range(7)] == [30, 60, 120, 240, 480, LONGEST_SECONDS, LONGEST_SECONDS]
    clock.advance(LONGEST_SECONDS - 1)
    assert not pace.is_due() and not pace.is_due_for_new()
    clock.advance(1)
    assert pace.is_due()


def test_the_service_says_how_long_to_wait() -> None:
    assert Pace(ManualClock()).failed(retry_after=90) == 90


def test_names_outlive_the_object_and_are_kept_by_place(tmp_path: Path) -> None:
    clock, path = ManualClock(), tmp_path / "state" / "destinations.json"
    Remembered(clock, path).note("one", "orders")
    clock.advance(60)
    Remembered(clock, path).note("two", "payments")
    assert list(Remembered(clock, path).names("one")) == ["orders"]
    assert Remembered(clock, path).names("two")["payments"] == datetime.fromtimestamp(clock.time(), UTC)
    assert path.stat().st_mode & 0o077 == 0 or sys.platform == "win32"


def test_only_names_and_times_are_in_the_file(tmp_path: Path) -> None:
    path = tmp_path / "destinations.json"
    Remembered(ManualClock(), path).note("env@host", "orders")
    assert json.loads(path.read_text()) == {"env@host": {"orders": "2025-06-15T15:06:40+00:00"}}


def test_the_names_used_longest_ago_are_forgotten(tmp_path: Path) -> None:
    clock, path = ManualClock(), tmp_path / "destinations.json"
    start = datetime.fromtimestamp(clock.time(), UTC)
    many = {f"q{i}": (start - timedelta(hours=i + 1)).isoformat() for i in range(memory.MOST_NAMES)}
    path.write_text(json.dumps({"one": many}))
    Remembered(clock, path).note("one", "new")
    names = Remembered(clock, path).names("one")
    assert len(names) == memory.MOST_NAMES and "new" in names and f"q{memory.MOST_NAMES - 1}" not in names


@pytest.mark.parametrize("content", ["", "{", "[]", '{"one": 3}', '{"one": {"q": "no time", "p": 7}}', '"\\ud800"'])
def test_a_damaged_file_counts_as_none_and_is_replaced(tmp_path: Path, content: str) -> None:
    path = tmp_path / "destinations.json"
    path.write_text(content)
    remembered = Remembered(ManualClock(), path)
    assert remembered.names("one") == {}
    remembered.note("one", "orders")
    assert list(remembered.names("one")) == ["orders"]


def test_two_processes_lose_no_name(tmp_path: Path) -> None:
    path = tmp_path / "destinations.json"
    code = (
        "import sys; from pathlib import Path; from courier_nb.core.clock import SystemClock\n"
        "from courier_nb.jupyter.picker.remembered import Remembered\n"
        "kept = Remembered(SystemClock(), Path(sys.argv[1]))\n"
        "for i in range(20): kept.note('here', f'{sys.argv[2]}-{i}')\n"
    )
    running = [subprocess.Popen([sys.executable, "-c", code, str(path), name]) for name in ("a", "b")]
    assert [process.wait(60) for process in running] == [0, 0]
    assert len(Remembered(ManualClock(), path).names("here")) == 40


def test_a_journal_that_is_damaged_or_of_others_gives_no_names(tmp_path: Path) -> None:
    journal = Journal(tmp_path)
    (tmp_path / "2026-11.jsonl").write_bytes(
        b'{"kind":"begin","environment":"e","destination":"forged","at":"2026-11-23T02:00:00Z"}\n\xff\n'
    )
    assert used_lately(journal, "e", NOW) == {}
