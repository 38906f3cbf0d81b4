"""A process killed at each step from spool to part: the next one finishes, and nothing is lost or doubled."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from courier_nb import Capture
from courier_nb.storage import parts, spool
from courier_nb.storage.layout import Layout
from courier_nb.storage.manifest import Manifest
from courier_nb.storage.writer import recover

from .conftest import delivery

Step = Callable[[Layout, str], None]


def nothing_done(layout: Layout, stem: str) -> None:
    """Killed before the conversion."""


def half_a_file_aside(layout: Layout, stem: str) -> None:
    layout.part_aside(stem).write_bytes(b"PAR1 and then the power went")


def whole_file_aside(layout: Layout, stem: str) -> None:
    entered_and_renamed(layout, stem)
    layout.part(stem).rename(layout.part_aside(stem))
    layout.manifest.unlink()


def entered_but_not_renamed(layout: Layout, stem: str) -> None:
    entered_and_renamed(layout, stem)
    layout.part(stem).rename(layout.part_aside(stem))


def entered_and_the_file_lost(layout: Layout, stem: str) -> None:
    entered_and_renamed(layout, stem)
    layout.part(stem).unlink()


def entered_and_the_file_cut_off(layout: Layout, stem: str) -> None:
    entered_and_renamed(layout, stem)
    layout.part_aside(stem).write_bytes(layout.part(stem).read_bytes()[:-10])
    layout.part(stem).unlink()


def entered_and_renamed(layout: Layout, stem: str) -> None:
    spool = layout.spool(stem).read_bytes()
    parts.convert(layout, Manifest(layout), stem)
    layout.spool(stem).write_bytes(spool)


STEPS: list[Step] = [
    nothing_done,
    half_a_file_aside,
    whole_file_aside,
    entered_but_not_renamed,
    entered_and_the_file_lost,
    entered_and_the_file_cut_off,
    entered_and_renamed,
]


@pytest.mark.parametrize("step", STEPS, ids=lambda step: step.__name__)
def test_recovery_finishes_what_was_cut_off(layout: Layout, write_spool: Callable[..., str], step: Step) -> None:
    stem = write_spool((delivery("a", "b"), ["acked", "acked"]), (delivery("c"), None))
    step(layout, stem)
    capture = Capture(layout.root)
    assert sorted(capture.frame()["message_id"]) == ["a", "b", "c"]
    assert capture.settlements == {"acked": 2, "unknown": 1}
    assert capture.verify().ok
    assert capture.unfinished == 0
    assert not list(layout.aside.iterdir())
    assert recover(layout) == 0  # there is nothing more to do


def test_a_spool_whose_writer_lives_is_left_alone(layout: Layout) -> None:
    alive = spool.Spool(layout, "20260301T120000-bbbbbbbb-00001")
    alive.write(spool.answer_record(delivery("a")))
    assert recover(layout) == 0
    assert Capture(layout.root).unfinished == 1
    alive.close()
    alive.release()
    assert recover(layout) == 1


def test_files_are_readable_by_their_owner_only(layout: Layout, write_spool: Callable[..., str]) -> None:
    write_spool((delivery("a"), ["acked"]))
    Capture(layout.root)
    write_spool((delivery("b"), None), stem="20260301T130000-aaaaaaaa-00001")
    modes = {
        path.name: path.stat().st_mode & 0o077
        for path in layout.root.rglob("*")
        if path.suffix in (".parquet", ".json", ".jsonl", ".spool", ".lock")
    }
    assert set(modes.values()) == {0}, modes
    assert {path.stat().st_mode & 0o077 for path in (layout.inner, layout.spools, layout.aside)} == {0}
