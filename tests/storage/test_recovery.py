"""A process killed at each step from spool to part: the next one finishes, and nothing is lost or doubled."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from courier_nb import Capture
from courier_nb.storage import parts, spool
from courier_nb.storage.layout import Layout
from courier_nb.storage.writer import recover

from .conftest import delivery

Step = Callable[[Layout, str], None]


def nothing_done(layout: Layout, stem: str) -> None:
    """Killed before the conversion."""


def half_a_file_aside(layout: Layout, stem: str) -> None:
    (layout.aside / f"{stem}.parquet").write_bytes(b"PAR1 and then the power went")


def whole_file_aside(layout: Layout, stem: str) -> None:
    parts.write_part(layout, stem)
    layout.part(stem).rename(layout.aside / f"{stem}.parquet")
    layout.sidecar(stem).unlink()


def described_but_not_renamed(layout: Layout, stem: str) -> None:
    parts.write_part(layout, stem)
    layout.part(stem).rename(layout.aside / f"{stem}.parquet")


def renamed_with_the_spool_still_there(layout: Layout, stem: str) -> None:
    parts.write_part(layout, stem)


STEPS: list[Step] = [
    nothing_done,
    half_a_file_aside,
    whole_file_aside,
    described_but_not_renamed,
    renamed_with_the_spool_still_there,
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
        if path.suffix in (".parquet", ".json", ".spool")
    }
    assert set(modes.values()) == {0}, modes
    assert {path.stat().st_mode & 0o077 for path in (layout.inner, layout.spools, layout.sidecars)} == {0}
