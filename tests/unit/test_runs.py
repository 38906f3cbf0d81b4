"""Runs: identities that sort by time, and belong to the tasks begun inside."""

from __future__ import annotations

import re

import anyio
import pytest

from courier_nb.core.runs import Run, current_run, new_run_id, running


def test_every_run_has_an_identity_of_its_own() -> None:
    ids = {new_run_id() for _ in range(1_000)}
    assert len(ids) == 1_000
    assert all(re.fullmatch(r"\d{8}T\d{12}-[0-9a-f]{8}", id_) for id_ in ids)


@pytest.mark.anyio
async def test_tasks_begun_in_a_run_belong_to_it_and_others_do_not() -> None:
    seen: list[tuple[str, str | None]] = []

    async def look(name: str) -> None:
        run = current_run()
        seen.append((name, run.verb if run else None))

    async with anyio.create_task_group() as group:
        with running(Run(new_run_id(), "drain", "q")):
            group.start_soon(look, "inside")
        group.start_soon(look, "outside")
    await look("after")
    assert sorted(seen) == [("after", None), ("inside", "drain"), ("outside", None)]
