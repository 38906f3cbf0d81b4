"""Chained files: whole lines whatever happens, and damage named by line."""

from __future__ import annotations

import errno
import multiprocessing
import os
from pathlib import Path
from typing import Any

import pytest

from courier_nb.core.errors import CaptureDamaged
from courier_nb.storage import disk
from courier_nb.storage.chain import ChainLog, Head, is_torn, read_chain


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "chain.jsonl"


def written(path: Path, count: int = 5) -> bytes:
    ChainLog(path).append([{"what": f"entry {i}", "text": "Ä \ud800 \u202e"} for i in range(count)])
    return path.read_bytes()


def test_entries_come_back_as_they_were_with_their_numbers(path: Path) -> None:
    log = ChainLog(path)
    assert log.append([{"a": 1}, {"b": [None, "\ud800", 2**70]}]).n == 2
    log.append([{"c": {}}], flush=False)
    entries = list(read_chain(path))
    assert [{k: v for k, v in entry.items() if k not in ("n", "prev", "hash")} for entry in entries] == [
        {"a": 1},
        {"b": [None, "\ud800", 2**70]},
        {"c": {}},
    ]
    assert [entry["n"] for entry in entries] == [1, 2, 3]
    assert [entry["prev"] for entry in entries[1:]] == [entry["hash"] for entry in entries[:-1]]
    assert log.head == Head(3, entries[-1]["hash"])


def test_a_file_goes_on_where_another_ended(path: Path, tmp_path: Path) -> None:
    head = ChainLog(path).append([{"a": 1}])
    later = tmp_path / "later.jsonl"
    assert ChainLog(later, after=head).append([{"b": 2}]).n == 2
    assert [entry["n"] for entry in read_chain(later, after=head)] == [2]
    with pytest.raises(CaptureDamaged, match="line 1"):
        list(read_chain(later))


def test_only_its_owner_may_read_it(path: Path) -> None:
    written(path)
    assert {p.stat().st_mode & 0o777 for p in path.parent.iterdir()} == {0o600}


def test_every_changed_byte_is_found_and_the_line_is_named(path: Path) -> None:
    raw = written(path)
    starts = [0, *(i + 1 for i, byte in enumerate(raw) if byte == 10)]
    for place in range(len(raw)):
        for bit in (1, 32, 128):
            path.write_bytes(raw[:place] + bytes([raw[place] ^ bit]) + raw[place + 1 :])
            line = sum(start <= place for start in starts)
            with pytest.raises(CaptureDamaged, match=f"line {line}\\b"):
                list(read_chain(path))


@pytest.mark.parametrize("change", ["without the first", "without the third", "swapped", "repeated"])
def test_missing_moved_and_repeated_lines_are_found(path: Path, change: str) -> None:
    lines = written(path).splitlines(keepends=True)
    order = {"without the first": [1, 2, 3, 4], "without the third": [0, 1, 3, 4], "swapped": [0, 2, 1, 3, 4]}
    path.write_bytes(b"".join(lines[i] for i in order.get(change, [0, 1, 1, 2, 3, 4])))
    with pytest.raises(CaptureDamaged, match=r"line [1-3]\b"):
        list(read_chain(path))


def test_a_line_cut_off_by_a_power_cut_is_left_out_and_written_over(path: Path) -> None:
    raw = written(path)
    for size in range(raw.rindex(b"\n", 0, -1) + 2, len(raw) - 44):
        path.write_bytes(raw[:size])
        assert is_torn(path)
        assert [entry["n"] for entry in read_chain(path)] == [1, 2, 3, 4]
    log = ChainLog(path)
    log.append([{"what": "next"}])
    assert not is_torn(path)
    assert [entry["what"] for entry in read_chain(path)] == [*(f"entry {i}" for i in range(4)), "next"]


def test_a_whole_line_with_a_damaged_end_is_not_taken_for_a_torn_one(path: Path) -> None:
    raw = written(path)
    for damaged in (raw[:-1] + b"\x0b", raw[:-1]):
        path.write_bytes(damaged)
        with pytest.raises(CaptureDamaged, match="line 5"):
            list(read_chain(path))
        with pytest.raises(CaptureDamaged, match="line 5"):
            ChainLog(path).append([{"more": 1}])
        assert path.read_bytes() == damaged


def test_nothing_is_appended_behind_damage(path: Path) -> None:
    raw = bytearray(written(path))
    raw[20] ^= 1
    path.write_bytes(raw)
    with pytest.raises(CaptureDamaged, match="line 1"):
        ChainLog(path).append([{"more": 1}])
    assert path.read_bytes() == raw


def test_lines_that_vanish_while_it_is_open_are_noticed(path: Path) -> None:
    log = ChainLog(path)
    log.append([{"a": 1}, {"b": 2}])
    path.write_bytes(path.read_bytes().splitlines(keepends=True)[0])
    with pytest.raises(CaptureDamaged, match="shorter"):
        log.append([{"c": 3}])


def test_a_full_disk_leaves_the_file_as_it_was(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    raw = written(path)
    log = ChainLog(path)

    def half(descriptor: int, content: bytes) -> None:
        os.write(descriptor, content[: len(content) // 2])
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(disk, "write_all", half)
        with pytest.raises(OSError, match="No space"):
            log.append([{"big": "x" * 1000}])
    assert path.read_bytes() == raw
    assert log.append([{"then": 1}]).n == 6
    assert len(list(read_chain(path))) == 6


def test_several_objects_of_one_process_append_in_turn(path: Path) -> None:
    logs = [ChainLog(path) for _ in range(3)]
    for i in range(30):
        logs[i % 3].append([{"i": i}])
    assert [entry["i"] for entry in read_chain(path)] == list(range(30))


def test_several_processes_append_to_one_chain(path: Path) -> None:
    context = multiprocessing.get_context("spawn")
    processes = [context.Process(target=append_many, args=(path, name)) for name in "abc"]
    for process in processes:
        process.start()
    for process in processes:
        process.join(60)
    entries = list(read_chain(path))
    assert [process.exitcode for process in processes] == [0, 0, 0]
    assert len(entries) == 3 * 100
    for name in "abc":
        assert [entry["i"] for entry in entries if entry["by"] == name] == list(range(100))


def append_many(path: Path, name: str) -> None:
    log = ChainLog(path)
    for i in range(0, 100, 2):
        entries: list[dict[str, Any]] = [{"by": name, "i": i}, {"by": name, "i": i + 1}]
        log.append(entries, flush=False)
