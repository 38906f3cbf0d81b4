"""What the journal costs: the same drain with it and without, in turns, as a ratio of times.

::

    python -m benchmarks.journal --messages 20000 --rounds 5
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import tempfile
import time
from dataclasses import replace
from pathlib import Path

from courier_nb import AsyncClient, Message
from courier_nb.broker import LocalBroker, QueueConfig
from courier_nb.client import broker_settings


async def drained(messages: int, connections: int, journal: str, folder: Path) -> tuple[float, float]:
    """Return the seconds of wall time and of processor time of one drain of a full queue."""
    with LocalBroker(queues=[QueueConfig("queue")]) as broker:
        settings = replace(broker_settings(broker.settings), journal="off")
        async with AsyncClient(settings, transport=broker.transport()) as filling:
            backlog = [Message("x" * 1_000, {"n": i}, {"messageId": f"{i:036}"}) for i in range(messages)]
            await filling.destination("queue").publish(backlog, progress=False)
        async with AsyncClient(replace(settings, journal=journal), transport=broker.transport()) as client:
            queue = client.destination("queue")
            wall, processor = time.perf_counter(), time.process_time()
            await queue.drain(folder, limit=messages, polling_time="20ms", concurrency=connections, progress=False)
            return time.perf_counter() - wall, time.process_time() - processor


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--messages", type=int, default=20_000)
    parser.add_argument("--connections", type=int, default=16)
    parser.add_argument("--rounds", type=int, default=5)
    arguments = parser.parse_args()
    ratios: list[tuple[float, float]] = []
    for number in range(arguments.rounds):
        times: dict[str, tuple[float, float]] = {}
        for kind in ("off", "on") if number % 2 else ("on", "off"):
            with tempfile.TemporaryDirectory() as place:
                journal = "off" if kind == "off" else f"{place}/journal"
                run = drained(arguments.messages, arguments.connections, journal, Path(place) / "capture")
                times[kind] = asyncio.run(run)
        ratios.append((times["on"][0] / times["off"][0], times["on"][1] / times["off"][1]))
        off, on = times["off"][0], times["on"][0]
        print(f"off {off:.2f} s, on {on:.2f} s: ratio {ratios[-1][0]:.3f} (processor {ratios[-1][1]:.3f})")
    wall, processor = (statistics.median(values) for values in zip(*ratios, strict=True))
    print(f"median ratio of {arguments.rounds}: {wall:.3f} of the time, {processor:.3f} of the processor time")


if __name__ == "__main__":
    main()
