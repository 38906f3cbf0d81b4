"""``kill -9`` of a drain at random moments, then the same again to the end: nothing lost, nothing altered.

Twenty kills; the full run: ``COURIER_NB_KILLS=500 python -m pytest -s --timeout 1500 tests/process/test_kill.py``.
"""

from __future__ import annotations

import os
import random
import signal
from pathlib import Path

from courier_nb import Capture, Message
from courier_nb.storage.layout import Layout
from courier_nb.storage.manifest import Manifest
from courier_nb.storage.reading import PartReader
from courier_nb.storage.spool import read_spool

from .drains import Drains, drains

KILLS = int(os.environ.get("COURIER_NB_KILLS", "20"))
ROUND = 300
KILLS_PER_ROUND = 2
JOB = {"concurrency": 16, "lock_ms": 1_000, "sizes": {"segment_rows": 100}}


def message(number: int) -> Message:
    body = f"{number:06d} " + "payload ÄÖ€ " * (number % 200)
    return Message(body, {"n": number, "text": f"t{number}"}, {"messageId": f"m-{number}"})


class OnDisk:
    """The ids in a capture, read without changing it; parts never change, so each is read once."""

    def __init__(self, folder: Path) -> None:
        self._layout = Layout(folder)
        self._manifest = Manifest(self._layout)
        self._reader = PartReader(self._layout, self._manifest)
        self._read: set[str] = set()
        self._ids: set[str | None] = set()

    def ids(self) -> set[str | None]:
        for part in self._manifest.state().parts.values():
            if part.stem not in self._read:
                self._ids.update(
                    id_ for batch in self._reader.read(part, ["message_id"]) for id_ in batch["message_id"].to_pylist()
                )
                self._read.add(part.stem)
        spools = [self._layout.spool(stem) for stem in self._layout.spool_stems()]
        return self._ids | {m.message_id for spool in spools for answer in read_spool(spool) for m in answer.messages}


def test_nothing_is_lost_or_altered_when_a_drain_is_killed(tmp_path: Path) -> None:
    seed = random.SystemRandom().randrange(10**6)
    dice = random.Random(seed)
    folder = tmp_path / "capture"
    published: list[Message] = []
    killed_midway = 0
    with drains(tmp_path) as drained:
        publish_more(drained, published)
        whole = drained.run(folder, **JOB)["seconds"]
        on_disk = OnDisk(folder)
        for number in range(KILLS):
            if number % KILLS_PER_ROUND == 0:
                publish_more(drained, published)
            dead = drained.run(folder, seconds=dice.uniform(0, whole), **JOB)
            killed_midway += dead["code"] == -signal.SIGKILL
            assert dead["code"] in (0, -signal.SIGKILL)
            acked = len(published) - drained.depth()
            assert len(on_disk.ids()) >= acked, f"kill {number}, seed {seed}: acknowledged and not on disk"
        runs = drain_to_the_end(drained, folder)
    capture = Capture(folder)
    found = {m.message_id: (m.body, m.properties) for m in capture.messages()}
    expected = {m.message_id: (m.body, m.properties) for m in published}
    lost = expected.keys() - found.keys()
    altered = [id_ for id_ in expected.keys() & found.keys() if expected[id_] != found[id_]]
    print(
        f"\n{KILLS} kills (seed {seed}, {killed_midway} while receiving), {len(published)} published, {len(lost)} lost, "
        f"{len(altered)} altered, {capture.duplicates} captured twice and shown once, {runs} runs to the end"
    )
    assert not lost
    assert not altered
    assert len(capture) == len(published)  # each is shown once
    assert capture.verify().ok
    assert capture.unfinished == 0
    assert killed_midway >= KILLS // 4, "the kills came too early or too late to say anything"


def publish_more(drained: Drains, published: list[Message]) -> None:
    fresh = [message(len(published) + i) for i in range(ROUND)]
    drained.publish(fresh)
    published += fresh


def drain_to_the_end(drained: Drains, folder: Path) -> int:
    """Drain until the broker holds nothing any more, in flight neither."""
    for runs in range(1, 60):
        assert drained.run(folder, **JOB)["code"] == 0
        if drained.depth() == 0:
            return runs
    raise AssertionError("the queue does not come to an end")
