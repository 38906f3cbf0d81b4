"""``kill -9`` of a broker under load, again and again: what was answered with success stays true.

Eight kills; the full run: ``COURIER_NB_KILLS=200 python -m pytest -s tests/process/test_broker_kills.py``.

After every kill, of everything that was answered with success: no message is missing, none that was acked is back, locks and
delivery counts are what they were; what was not answered happened as a whole or not at all; counts, message groups and the
memory of FIFO queues agree with the messages; and the file is sound. After every restart the load goes on with the locks that
it holds, and watches that no message is given out before its lock ends, that groups keep their order, that counts only grow.
"""

from __future__ import annotations

import asyncio
import os
import random
import time
from pathlib import Path

import httpx
import pytest

from .broker_file import DeadBroker
from .broker_load import CONFIG, DEAD_LETTER_QUEUES, LONGEST_LOCK, MAX_DELIVERIES, BrokerLoad
from .broker_process import BrokerProcess
from .broker_promises import Promises

KILLS = int(os.environ.get("COURIER_NB_KILLS", "8"))
UNLIMITED = httpx.Limits(max_connections=None)


@pytest.mark.timeout(120 + 10 * KILLS)
def test_a_broker_that_is_killed_keeps_what_it_has_promised(tmp_path: Path) -> None:
    seed = random.SystemRandom().randrange(10**6)
    dice = random.Random(seed)
    broker = BrokerProcess(tmp_path, CONFIG)
    promises = Promises(DEAD_LETTER_QUEUES, MAX_DELIVERIES)
    load = BrokerLoad(promises, dice)

    async def run_and_kill() -> None:
        async with broker.running() as (process, settings), httpx.AsyncClient(timeout=60, limits=UNLIMITED) as client:
            await load.connect(settings, client)
            running = asyncio.create_task(load.run())
            await asyncio.sleep(dice.uniform(0.02, 1.0))  # another process is at work: there is no clock to move
            if dice.random() < 0.5:
                process.kill()
            else:
                load.at_next_answer(process.kill)
            await running

    async def run_to_the_end() -> int:
        async with broker.running() as (process, settings), httpx.AsyncClient(timeout=60, limits=UNLIMITED) as client:
            await load.connect(settings, client)
            await load.drain(LONGEST_LOCK + 20)
            process.terminate()
            return await asyncio.to_thread(process.wait, 20)

    def compare() -> None:
        remains = DeadBroker(broker.db, tmp_path / "remains")
        for contradiction in remains.contradictions:
            promises.wrong(contradiction)
        promises.compare(remains.rows, remains.remembered, time.time())

    for _ in range(KILLS):
        asyncio.run(run_and_kill())
        compare()
    left = len(promises.live)
    code = asyncio.run(run_to_the_end())
    undelivered = [str(message) for message in promises.live.values()]
    compare()

    figures = ", ".join(f"{count} {what}" for what, count in sorted(promises.figures.items()))
    print(f"\n{KILLS} kills (seed {seed}): {figures}; {left} messages left at the last kill")
    assert not promises.violations
    assert not undelivered
    assert code == 0
    assert "Traceback" not in broker.log()
    for kind in ("publish", "receive", "ack"):
        assert promises.figures[f"{kind} answered"] > 2 * KILLS, "the kills came too early to say anything"
        assert promises.figures[f"{kind} not answered"] > KILLS // 4, "the kills came too late to say anything"
