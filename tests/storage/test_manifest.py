"""The manifest: what it takes, what it refuses, and several processes that write it."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from courier_nb import Capture, CaptureDamaged
from courier_nb.storage.chain import ChainLog
from courier_nb.storage.layout import Layout
from courier_nb.storage.manifest import Manifest, Part

from .conftest import delivery


def part(stem: str, rows: int = 2, *, number: int = 1, run: str = "run", replaces: tuple[str, ...] = ()) -> Part:
    return Part(stem, rows, 100, "0" * 64, {run: {"acked": rows}}, (run, number), replaces)


def test_parts_come_back_in_the_order_of_arrival_whenever_they_were_entered(layout: Layout) -> None:
    manifest = Manifest(layout)
    for stem, run, number in (("z-1", "z", 1), ("a-1", "a", 1), ("z-3", "z", 3), ("z-2", "z", 2)):
        manifest.add(part(stem, run=run, number=number))
    assert list(Manifest(layout).state().parts) == ["z-1", "z-2", "z-3", "a-1"]


def test_a_replaced_part_is_found_in_what_holds_it_now(layout: Layout) -> None:
    manifest = Manifest(layout)
    for number in range(1, 4):
        manifest.add(part(f"p{number}", number, number=number))
    manifest.add(part("m1", 5, number=2, replaces=("p2", "p3")))
    manifest.add(part("m2", 6, number=1, replaces=("p1", "m1")))
    state = Manifest(layout).state()
    assert list(state.parts) == ["m2"]
    located = {stem: state.locate(stem) for stem in ("p1", "p2", "p3", "m1", "m2", "unknown")}
    assert {stem: found and (found[0].stem, found[1]) for stem, found in located.items()} == {
        "p1": ("m2", 0),
        "p2": ("m2", 1),
        "p3": ("m2", 3),
        "m1": ("m2", 1),
        "m2": ("m2", 0),
        "unknown": None,
    }


@pytest.mark.parametrize(
    "change",
    [
        {"part": "../../elsewhere"},
        {"part": "a/b"},
        {"part": ""},
        {"part": 7},
        {"replaces": ["../../../victim"]},
        {"replaces": ["no-such-part"]},
        {"rows": 3},
        {"settlements": {"acked": 1}},
        {"runs": {"run": 2}},
        {"place": "run"},
        {"rows": None},
    ],
    ids=str,
)
def test_a_line_that_says_what_cannot_be_is_damage_and_nothing_is_done_because_of_it(
    layout: Layout, write_spool: Callable[..., str], change: dict[str, object]
) -> None:
    write_spool((delivery("a"), ["acked"]))
    Capture(layout.root)
    victim = layout.root.parent / "victim.parquet"
    victim.write_text("not to be removed")
    good = {"rows": 2, "size": 1, "sha256": "0", "settlements": {"acked": 2}, "runs": {"run": {"acked": 2}}, "place": ["run", 1]}
    ChainLog(layout.manifest).append([{"part": "x-1", **good, **change}])  # its hash holds: whoever can write can make one
    with pytest.raises(CaptureDamaged, match="line 2"):
        Capture(layout.root)
    assert victim.read_text() == "not to be removed"


def test_processes_that_write_at_the_same_time_do_not_meet(layout: Layout) -> None:
    code = (
        "import sys; from pathlib import Path\n"
        "from courier_nb.storage.layout import Layout\n"
        "from courier_nb.storage.manifest import Manifest, Part\n"
        "manifest = Manifest(Layout(Path(sys.argv[1])))\n"
        "for n in range(30):\n"
        "    run = sys.argv[2]\n"
        "    manifest.add(Part(f'{run}-{n}', 1, 1, '0', {run: {'acked': 1}}, (run, n)))\n"
    )
    writers = [subprocess.Popen([sys.executable, "-c", code, str(layout.root), run]) for run in ("one", "two", "three")]
    assert [writer.wait(60) for writer in writers] == [0, 0, 0]
    stems = list(Manifest(layout).state().parts)
    assert len(stems) == 90
    assert [stem for stem in stems if stem.startswith("two")] == [f"two-{n}" for n in range(30)]


def test_a_state_is_read_again_only_when_something_was_added(layout: Layout) -> None:
    reading, writing = Manifest(layout), Manifest(layout)
    writing.add(part("p1"))
    first = reading.state()
    assert reading.state() is first
    writing.add(part("p2", number=2))
    assert list(reading.state().parts) == ["p1", "p2"]


def test_a_capture_without_a_manifest_holds_nothing_yet(tmp_path: Path, layout: Layout) -> None:
    assert not layout.manifest.exists()
    assert len(Capture(layout.root)) == 0
    assert Capture(layout.root).runs.empty
    assert Capture(layout.root).verify().ok
