"""What a spool does when the disk is full, and every byte of it that may be damaged."""

from __future__ import annotations

import resource
import signal
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from courier_nb.core.errors import CaptureDamaged
from courier_nb.storage.layout import Layout
from courier_nb.storage.spool import Spool, answer_record, read_spool, settlement_record
from tests.unit.scripts import delivery

FIRST = answer_record(delivery("first"))
SECOND = answer_record(delivery("second"))
NOTE = settlement_record(0, ["acked"])


@pytest.fixture
def spool(layout: Layout) -> Iterator[Spool]:
    spool = Spool(layout, "one")
    yield spool
    spool.close()
    spool.release()


@contextmanager
def room_for(size: int) -> Iterator[None]:
    """Let no file of this process grow beyond `size`: a write then takes a part, and the next one fails."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    ignored = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, ignored)


def found(spool: Spool) -> list[tuple[str | None, list[str] | None]]:
    return [(answer.messages[0].message_id, answer.settlements) for answer in read_spool(spool.path)]


@pytest.mark.parametrize("room", [1, len(SECOND) // 2, len(SECOND) - 1])
def test_a_record_that_the_disk_took_half_of_hides_nothing_that_is_written_later(spool, room):
    spool.write(FIRST)
    with room_for(len(FIRST) + room), pytest.raises(OSError, match="File too large"):
        spool.write(SECOND)
    spool.note(NOTE)
    spool.write(answer_record(delivery("third")))
    assert found(spool) == [("first", ["acked"]), ("third", None)]


@pytest.mark.parametrize("room", [0, 1, len(NOTE) - 1])
def test_a_note_that_finds_no_room_is_left_out_and_hurts_nothing(spool, room):
    spool.write(FIRST)
    with room_for(len(FIRST) + room):
        spool.note(NOTE)
    spool.write(SECOND)
    assert found(spool) == [("first", None), ("second", None)]


@pytest.mark.parametrize("bit", [0, 7])
def test_no_flipped_bit_loses_what_comes_after_it_in_silence(spool, bit):
    """Lengths and kinds are covered too: a length that grew would look like a torn end."""
    content = FIRST + NOTE + SECOND
    spool.write(content)
    for place in range(len(FIRST + NOTE)):
        damaged = bytearray(content)
        damaged[place] ^= 1 << bit
        spool.path.write_bytes(damaged)
        with pytest.raises(CaptureDamaged, match=f"{spool.path.name} is damaged at byte"):
            found(spool)


def test_only_one_process_at_a_time_writes_a_spool(layout, spool):
    with pytest.raises(OSError):
        Spool(layout, "one")
