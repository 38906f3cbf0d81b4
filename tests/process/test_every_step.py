"""A drain that is killed at every single step of the capture protocol, one after the other, and then run again."""

from __future__ import annotations

import os
import random
import shutil
import signal
from collections import Counter
from pathlib import Path

import pytest

from courier_nb import Capture, Message

from .drains import Drains, check_what_is_there, drains

STEPS = os.environ.get("COURIER_NB_STEPS", "12")
"""How many of the steps are tried, or ``all``."""

COUNT = 25
SIZES = {"segment_rows": 10, "segment_bytes": 100_000}
"""Several parts, and at the end one that they are merged into."""


@pytest.fixture(scope="module")
def drained(tmp_path_factory: pytest.TempPathFactory) -> Drains:
    with drains(tmp_path_factory.mktemp("every-step")) as running:
        yield running


def messages(number: int) -> list[Message]:
    return [Message(f"body {number} {i}", {"n": i}, {"messageId": f"m{number}-{i}"}) for i in range(COUNT)]


def shown(folder: Path) -> dict[str | None, tuple[str | bytes | None, object]]:
    return {m.message_id: (m.body, m.properties["n"]) for m in Capture(folder).messages()}


def whole(published: list[Message]) -> dict[str | None, tuple[str | bytes | None, object]]:
    return {m.message_id: (m.body, m.properties["n"]) for m in published}


def test_every_message_is_flushed_and_read_back_before_it_is_acknowledged(drained: Drains, tmp_path: Path) -> None:
    drained.publish(messages(0))
    result = drained.run(tmp_path / "cap", sizes=SIZES)
    assert result["code"] == 0
    steps = result["steps"]
    print(f"\n{len(steps)} steps: {dict(Counter(steps))}")
    assert steps.count("DELETE messages") == steps.count("fdatasync spool") > 1
    for ack in (i for i, step in enumerate(steps) if step == "DELETE messages"):
        received = max(i for i, step in enumerate(steps[:ack]) if step == "answered GET messages")
        of_spool = [step for step in steps[received:ack] if step in ("write spool", "fdatasync spool", "read spool")]
        assert of_spool == ["write spool", "fdatasync spool", "read spool"], steps[received:ack]
        checked = max(i for i, step in enumerate(steps[:ack]) if step == "read spool")
        journaled = [step for step in steps[checked:ack] if step.endswith(" journal") and not step.startswith("open")]
        assert journaled[-2:] == ["write journal", "fdatasync journal"], steps[received:ack]
    protocol = ["write aside", "fdatasync aside", "fsync folder aside", "write manifest", "fdatasync manifest"]
    protocol += ["replace aside to part", "fsync folder"]
    for part in (i for i, step in enumerate(steps) if step == "replace aside to part"):
        created = max(i for i, step in enumerate(steps[:part]) if step == "create aside")
        assert [step for step in steps[created + 1 :] if step in protocol][: len(protocol)] == protocol, steps[created:]
    for gone in (i for i, step in enumerate(steps) if step == "unlink spool"):
        renamed = max(i for i, step in enumerate(steps[:gone]) if step == "replace aside to part")
        assert "fsync folder" in steps[renamed:gone], steps[renamed:gone]
    merged = max(i for i, step in enumerate(steps) if step == "replace aside to part")
    assert "fsync folder" in steps[merged : steps.index("unlink part")], steps[merged:]
    assert "unlink part" not in steps[:merged]


def test_nothing_is_lost_wherever_a_drain_is_killed(drained: Drains, tmp_path: Path) -> None:
    drained.publish(messages(0))
    steps = drained.run(tmp_path / "whole", sizes=SIZES)["steps"]
    moments = [(number, halfway) for number, step in enumerate(steps, 1) for halfway in (False, True) if fits(step, halfway)]
    every = 1 if STEPS == "all" else max(1, len(moments) // int(STEPS))
    offset = random.SystemRandom().randrange(every)
    tried = twice = killed = 0
    for number, (step, halfway) in enumerate(moments[offset::every], 1):
        folder = tmp_path / "cap"
        published = messages(number)
        drained.publish(published)
        dead = drained.run(folder, die_at=step, halfway=halfway, sizes=SIZES)
        where = f"step {step} of {len(steps)} ({steps[step - 1]}{', half of it' if halfway else ''})"
        assert dead["code"] in (0, -signal.SIGKILL), where
        killed += dead["code"] != 0
        check_what_is_there(folder)
        for _ in range(40):  # what was locked for the dead comes back when its lock ends
            assert drained.run(folder, sizes=SIZES)["code"] == 0, where
            if not drained.depth():
                break
        capture = Capture(folder)
        assert shown(folder) == whole(published), where
        assert len(capture) == COUNT, where
        assert capture.verify().ok, (where, capture.verify().frame().to_string())
        assert capture.unfinished == 0, where
        assert not list((folder / "_courier" / "aside").iterdir()), where
        twice += capture.duplicates
        tried += 1
        shutil.rmtree(folder)
    print(
        f"\n{len(steps)} steps with {len(moments)} moments to be killed at; {tried} tried (every {every}., from {offset}), "
        f"{killed} killed: 0 lost, 0 altered, {twice} captured twice and shown once"
    )
    assert killed >= tried * 0.9


@pytest.mark.parametrize("cut_off", ["write spool", "write manifest", "replace aside to part", "unlink spool", "unlink part"])
def test_nothing_is_lost_wherever_the_recovery_is_killed_in_its_turn(drained: Drains, tmp_path: Path, cut_off: str) -> None:
    published = messages(10_000)
    drained.publish(published)
    steps = drained.run(tmp_path / "whole", sizes=SIZES)["steps"]
    drained.publish(published)
    last = max(i for i, step in enumerate(steps, 1) if step == cut_off)
    halfway = cut_off.startswith("write")
    assert drained.run(tmp_path / "dead", sizes=SIZES, die_at=last, halfway=halfway)["code"] == -signal.SIGKILL
    recovery = drained.open(shutil.copytree(tmp_path / "dead", tmp_path / "recovered"))
    assert recovery["code"] == 0
    kept = Counter(m.message_id for m in Capture(tmp_path / "recovered").messages())
    every = 1 if STEPS == "all" else max(1, len(recovery["steps"]) // 4)
    offset = random.SystemRandom().randrange(every)
    for number in range(1 + offset, len(recovery["steps"]) + 1, every):
        folder = shutil.copytree(tmp_path / "dead", tmp_path / "again")
        where = (number, recovery["steps"][number - 1])
        assert drained.open(folder, die_at=number, halfway=True)["code"] == -signal.SIGKILL, where
        check_what_is_there(folder)
        assert drained.open(folder)["code"] == 0, where
        capture = Capture(folder)
        assert Counter(m.message_id for m in capture.messages()) == kept, where
        assert capture.verify().ok, where
        assert not list((folder / "_courier" / "aside").iterdir()), where
        shutil.rmtree(folder)
    print(f"\nkilled at its last {cut_off!r}, then at {len(recovery['steps'])} steps of the recovery (every {every}.): 0 lost")
    while drained.depth():
        drained.run(tmp_path / "rest")


def fits(step: str, halfway: bool) -> bool:
    return not halfway or step.startswith("write ")
