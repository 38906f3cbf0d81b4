"""The journal's files: one chain over the months, several writers, damage found and named."""

from __future__ import annotations

import stat
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest

from courier_nb import Journal
from courier_nb.core.clock import ManualClock
from courier_nb.storage.journal.months import Months

NOVEMBER = datetime(2026, 11, 30, 23, 59, 59, tzinfo=UTC).timestamp()
WRITER = """
import sys
from pathlib import Path
from courier_nb.storage.journal.months import Months
months = Months(Path(sys.argv[1]))
for i in range(int(sys.argv[3])):
    months.append([{"kind": "call", "at": "2026-11-01T00:00:00.000+00:00", "writer": sys.argv[2], "i": i}])
    if i % 20 == 0:
        months.flush()
"""


def write(months: Months, *words: str) -> None:
    months.append([{"kind": "call", "at": "2026-11-30T12:00:00.000+00:00", "word": word} for word in words])


def journal_of(folder: Path) -> Journal:
    return Journal(folder)


def test_the_next_month_s_file_follows_the_last_line_of_the_one_before(tmp_path: Path) -> None:
    clock = ManualClock(NOVEMBER)
    months = Months(tmp_path / "j", clock=clock)
    write(months, "a", "b")
    clock.advance(2)
    write(months, "c")
    assert [path.name for path in months.paths()] == ["2026-11.jsonl", "2026-12.jsonl"]
    assert journal_of(months.folder).verify().ok
    assert journal_of(months.folder).verify().lines == 3


def test_a_writer_whose_clock_is_behind_goes_on_in_the_newest_file(tmp_path: Path) -> None:
    ahead, behind = ManualClock(NOVEMBER + 2), ManualClock(NOVEMBER)
    late = Months(tmp_path / "j", clock=behind)
    write(late, "november")
    write(Months(tmp_path / "j", clock=ahead), "december")
    write(late, "still november on this clock")
    assert [len(path.read_text().splitlines()) for path in late.paths()] == [1, 2]
    assert journal_of(late.folder).verify().ok


def test_a_new_process_goes_on_where_the_last_one_ended_without_reading_it_all(tmp_path: Path) -> None:
    write(Months(tmp_path / "j"), *("x" * 5_000 for _ in range(30)))
    later = Months(tmp_path / "j")
    write(later, "y")
    assert journal_of(later.folder).verify().lines == 31


def test_four_processes_append_two_hundred_entries_each_and_the_chain_holds(tmp_path: Path) -> None:
    folder = tmp_path / "j"
    writers = [subprocess.Popen([sys.executable, "-c", WRITER, folder, str(number), "200"]) for number in range(4)]
    assert [writer.wait(90) for writer in writers] == [0, 0, 0, 0]
    proof = journal_of(folder).verify()
    assert (proof.ok, proof.lines) == (True, 800)


def test_the_folder_and_files_are_the_owner_s_only(tmp_path: Path) -> None:
    months = Months(tmp_path / "j")
    write(months, "a")
    months.flush()
    assert stat.S_IMODE(months.folder.stat().st_mode) == 0o700
    assert {stat.S_IMODE(path.stat().st_mode) for path in months.folder.iterdir()} == {0o600}


@pytest.fixture
def written(tmp_path: Path) -> Months:
    clock = ManualClock(NOVEMBER)
    months = Months(tmp_path / "j", clock=clock)
    write(months, *"abcde")
    clock.advance(2)
    write(months, *"fghij")
    months.flush()
    return months


def findings(months: Months) -> list[tuple[str, int]]:
    return [(finding.file, finding.line) for finding in journal_of(months.folder).verify().findings]


def change(path: Path, old: bytes, new: bytes) -> None:
    content = path.read_bytes()
    assert old in content
    path.write_bytes(content.replace(old, new, 1))


def drop_line(path: Path, number: int) -> None:
    lines = path.read_bytes().splitlines(keepends=True)
    del lines[number - 1]
    path.write_bytes(b"".join(lines))


def test_a_whole_journal_has_no_findings(written: Months) -> None:
    assert findings(written) == []


def test_a_changed_word_is_named_by_file_and_line(written: Months) -> None:
    change(written.paths()[0], b'"word":"c"', b'"word":"C"')
    assert findings(written) == [("2026-11.jsonl", 3)]


@pytest.mark.parametrize("number", [2, 5])
def test_a_removed_line_is_noticed_where_it_is_missing(written: Months, number: int) -> None:
    drop_line(written.paths()[0], number)
    assert findings(written) == [("2026-11.jsonl", 2) if number == 2 else ("2026-12.jsonl", 1)]


def test_a_removed_file_is_noticed(written: Months) -> None:
    written.paths()[0].unlink()
    proof = journal_of(written.folder).verify()
    assert [(f.file, f.line) for f in proof.findings] == [("2026-12.jsonl", 1)]
    assert "lines 1 to 5" in proof.findings[0].what


def test_a_removed_end_is_noticed_by_the_file_that_says_how_long_it_was(written: Months) -> None:
    drop_line(written.paths()[1], 5)
    drop_line(written.paths()[1], 4)
    proof = journal_of(written.folder).verify()
    assert [(f.file, f.line) for f in proof.findings] == [("2026-12.jsonl", 0)]
    assert "lines 9 to 10" in proof.findings[0].what


def test_a_removed_end_stays_on_record_when_somebody_goes_on_writing(written: Months) -> None:
    drop_line(written.paths()[1], 5)
    later = Months(written.folder, clock=ManualClock(NOVEMBER + 10))
    write(later, "k", "l", "m")
    later.flush()
    proof = journal_of(written.folder).verify()
    assert [(f.file, f.line) for f in proof.findings] == [("2026-12.jsonl", 5)]
    assert "had been removed" in proof.findings[0].what


def test_a_tail_written_anew_with_good_hashes_is_noticed(written: Months, tmp_path: Path) -> None:
    forged = Months(tmp_path / "forged", clock=ManualClock(NOVEMBER + 2))
    first, second = written.paths()
    forged.folder.mkdir()
    (forged.folder / first.name).write_bytes(first.read_bytes())
    write(forged, *"fghiJ")
    second.write_bytes((forged.folder / second.name).read_bytes())
    assert findings(written) == [("2026-12.jsonl", 5)]


def test_a_moved_line_is_noticed(written: Months) -> None:
    path = written.paths()[0]
    lines = path.read_bytes().splitlines(keepends=True)
    lines[1], lines[2] = lines[2], lines[1]
    path.write_bytes(b"".join(lines))
    assert ("2026-11.jsonl", 2) in findings(written)


def test_a_head_that_cannot_be_read_is_named(written: Months) -> None:
    written.head_file.write_text("{")
    assert findings(written) == [("head.json", 0)]


@pytest.mark.parametrize("which", [0, 1])
def test_every_single_flipped_byte_is_found_in_its_file(written: Months, which: int) -> None:
    path = written.paths()[which]
    content = path.read_bytes()
    for place in range(0, len(content), 7):
        path.write_bytes(content[:place] + bytes([content[place] ^ 1]) + content[place + 1 :])
        assert path.name in {file for file, _ in findings(written)}, place
    path.write_bytes(content)
    assert findings(written) == []


def test_a_line_cut_off_by_a_power_cut_is_no_damage_and_is_written_over(written: Months) -> None:
    path = written.paths()[1]
    with path.open("ab") as file:
        file.write(b'{"n":11,"prev":"')
    assert findings(written) == []
    later = Months(written.folder, clock=ManualClock(NOVEMBER + 10))
    write(later, "k")
    assert journal_of(written.folder).verify().lines == 11
    assert findings(written) == []


def test_a_damaged_last_line_is_not_written_after(written: Months) -> None:
    change(written.paths()[1], b'"word":"j"', b'"word":"J"')
    with pytest.raises(Exception, match="damaged"):
        write(Months(written.folder, clock=ManualClock(NOVEMBER + 10)), "k")


def test_reading_makes_no_folder(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "none")
    assert len(journal.frame()) == len(journal.runs()) == 0
    assert journal.verify().ok
    assert journal.find_run("x") is None
    assert not (tmp_path / "none").exists()
