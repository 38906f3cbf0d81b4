"""``python -m benchmarks.captures``: what it costs to have messages on the disk before they are acknowledged; two minutes.

spool          answers of ten as they came, appended, flushed and read back; turned into a Parquet part at 5,000 rows
without check  the same without reading back
segments       a small Parquet file for each flush: written aside, flushed, renamed, the folder flushed

Each way stores the same messages, a flush for every 10, 100 or 1,000 of them. The ways take turns in each round; the median of
the rounds is shown, and the median of the ratios of the rounds. The first figure is what an acknowledgement waits for, the
second all that is done until the messages are in Parquet.
"""

from __future__ import annotations

import argparse
import json
import random
import tempfile
from collections import defaultdict
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from time import perf_counter

import pyarrow as pa
import pyarrow.parquet as pq

from benchmarks.figures import Rounds, in_turns, machine, table
from courier_nb.core import exactjson
from courier_nb.core.runs import new_run_id
from courier_nb.frames.schema import SCHEMA
from courier_nb.frames.tables import table_of
from courier_nb.storage import disk, parts
from courier_nb.storage.compaction import FileSizes
from courier_nb.storage.layout import Layout, create_layout
from courier_nb.storage.manifest import Manifest
from courier_nb.storage.spool import Spool, answer_record, settlement_record
from courier_nb.wire.codec import Delivery, Receipt, messages_from_wire

BATCH = 10
FLUSHES = (10, 100, 1_000)
Seconds = tuple[float, float]
"""Until the messages may be acknowledged, and until they are in Parquet."""


class UncheckedSpool(Spool):
    """A spool that is flushed and not read back."""

    def write(self, content: bytes) -> None:
        self._append(content)
        disk.flush(self._descriptor)


def deliveries(count: int) -> list[Delivery]:
    """Return answers of ten messages of 1 kB, half of which compresses."""
    dice = random.Random(1)
    now = datetime.now(UTC)
    receipt = Receipt("queue", "environment", now, now, 0.0)
    found = []
    for start in range(0, count, BATCH):
        items = [
            {
                "headers": {
                    "messageId": f"{dice.randrange(2**64):016x}",
                    "lockId": f"{dice.randrange(2**128):032x}",
                    "created": "Sun, 01 Mar 2026 11:00:00 GMT",
                    "deliveryCount": "1",
                },
                "properties": {"number": number, "event": "order.created"},
                "body": f"{dice.randrange(2**2_000):0500x}" + "order " * 80,
            }
            for number in range(start, start + BATCH)
        ]
        raw = exactjson.dumps(items)
        found.append(Delivery(messages_from_wire(raw, receipt), raw, receipt))
    return found


def by_spool(layout: Layout, answers: Sequence[Delivery], flush: int, kind: type[Spool] = Spool) -> Seconds:
    """Store answers as a drain does."""
    stem = f"{new_run_id()}-00001"
    begun = perf_counter()
    spool = kind(layout, stem)
    step = flush // BATCH
    waited = 0.0
    for start in range(0, len(answers), step):
        group = answers[start : start + step]
        before = perf_counter()
        spool.write(b"".join(answer_record(answer, record=start + i) for i, answer in enumerate(group)))
        waited += perf_counter() - before
        for i in range(len(group)):
            spool.note(settlement_record(start + i, ["acked"] * BATCH))
    spool.close()
    parts.convert(layout, Manifest(layout), stem)
    spool.release()
    return waited, perf_counter() - begun


def by_unchecked_spool(layout: Layout, answers: Sequence[Delivery], flush: int) -> Seconds:
    """Store answers without reading them back."""
    return by_spool(layout, answers, flush, UncheckedSpool)


def by_segments(layout: Layout, answers: Sequence[Delivery], flush: int) -> Seconds:
    """Store answers in small Parquet files; not read back, and not entered anywhere."""
    begun = perf_counter()
    step = flush // BATCH
    name = new_run_id()
    for start in range(0, len(answers), step):
        messages = [message for answer in answers[start : start + step] for message in answer.messages]
        batch = table_of(messages, ["acked"] * len(messages))
        aside = layout.aside / f"{name}-{start}.parquet"
        with disk.new_file(aside) as file, pq.ParquetWriter(file, SCHEMA, compression="zstd", compression_level=1) as writer:
            writer.write_table(pa.Table.from_batches([batch]))
        aside.replace(layout.root / aside.name)
        disk.flush_folder(layout.root)
    seconds = perf_counter() - begun
    return seconds, seconds


WAYS: dict[str, Callable[[Layout, Sequence[Delivery], int], Seconds]] = {
    "spool": by_spool,
    "without check": by_unchecked_spool,
    "segments": by_segments,
}


def main() -> None:
    """Measure, and print a table."""
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--quick", action="store_true", help="fewer messages and rounds")
    arguments.add_argument("--json", type=Path, help="write the figures into this file too")
    given = arguments.parse_args()
    count, rounds = (1_000, 3) if given.quick else (FileSizes().segment_rows, 9)
    answers = deliveries(count)
    waited: dict[tuple[str, int], Rounds] = defaultdict(Rounds)
    whole: dict[tuple[str, int], Rounds] = defaultdict(Rounds)
    with tempfile.TemporaryDirectory() as folder:
        keys = [(way, flush) for flush in FLUSHES for way in WAYS]
        for number, order in enumerate(in_turns(keys, rounds)):
            for way, flush in order:
                layout = create_layout(Path(folder) / f"{number}-{way}-{flush}")
                before_ack, in_parquet = WAYS[way](layout, answers, flush)
                waited[way, flush].values.append(before_ack / count * 1e6)
                whole[way, flush].values.append(in_parquet / count * 1e6)
    rows = []
    for way, flush in keys:
        rows.append(
            [
                way,
                f"{flush:,}",
                f"{waited[way, flush].median:.1f}",
                (waited[way, flush] / waited["spool", flush]).with_range(),
                f"{whole[way, flush].median:.1f}",
                (whole[way, flush] / whole["spool", flush]).with_range(),
            ]
        )
    print(f"\n{count:,} messages of 1 kB, {rounds} rounds: microseconds for each message\n")
    print(table(["way", "rows a flush", "before the ack", "x spool", "until in Parquet", "x spool"], rows))
    found = {
        f"{way} {flush}": {"before_ack": waited[way, flush].values, "whole": whole[way, flush].values} for way, flush in keys
    }
    if given.json:
        given.json.write_text(json.dumps({"machine": machine(), "microseconds": found}, indent=1))


if __name__ == "__main__":
    main()
