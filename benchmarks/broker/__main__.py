"""``python -m benchmarks.broker``: what the broker's operations cost, by depth and kind of queue; about fifteen minutes.

store    the store by itself: one batch of ten messages of 1 kB in a transaction of its own, at three depths
http     the same over HTTP: sixteen connections, the broker in a process of its own
shares   how the server's processor time divides into HTTP, JSON, SQLite and the store's own Python
crowds   how long others wait while very many locks run out, messages expire or are purged at once

Of each depth the median of several rounds is shown, and the median of the ratios of the rounds; the depths take turns in each
round, so that whatever else the machine does slows down all of them. Ends with 1 when a ratio is above what is allowed.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.broker import crowds, loading, storing
from benchmarks.broker.serving import SHARES
from benchmarks.broker.shapes import BATCH, SHAPES, Shape, fill
from benchmarks.figures import Rounds, machine, table

Found = dict[str, Any]
Measure = Callable[..., dict[str, dict[int, Rounds]]]


@dataclass(frozen=True)
class Size:
    """How much is measured."""

    depths: tuple[int, ...]
    rounds: int
    store_bursts: int
    http_bursts: int
    events: tuple[crowds.Event, ...]


FULL = Size((1_000, 100_000, 1_000_000), rounds=11, store_bursts=20, http_bursts=4, events=crowds.EVENTS)
QUICK = Size((1_000, 20_000), rounds=5, store_bursts=5, http_bursts=1, events=())
SECTIONS = ("store", "http", "shares", "crowds")


def by_depth(
    files: dict[int, Path], shape: Shape, measure: Measure, title: str, *, durable: bool, rounds: int, bursts: int
) -> Found:
    """Measure every operation at every depth, and print a table."""
    shallow, deep = min(files), max(files)
    rows, found = [], {}
    for name, times in measure(files, shape, durable=durable, rounds=rounds, bursts=bursts).items():
        ratio = times[deep] / times[shallow]
        rates = [f"{1 / times[depth].median:,.0f} ({BATCH / times[depth].median:,.0f})" for depth in files]
        rows.append([name, *rates, ratio.with_range(), "yes" if ratio.median <= shape.allowed else "NO"])
        found[name] = {
            "seconds": {depth: rounds.median for depth, rounds in times.items()},
            "ratio": ratio.median,
            "ratios": ratio.values,
            "allowed": shape.allowed,
        }
    print(f"\n{shape.title}, {title}, {'durable' if durable else 'not durable'}: requests/s (messages/s)\n")
    heads = ["operation", *(f"{depth:,}" for depth in files), f"cost at {deep:,} / {shallow:,}", f"at most {shape.allowed:g}"]
    print(table(heads, rows), flush=True)
    return found


def shares(path: Path, shape: Shape, depth: int, size: Size) -> Found:
    """Measure where the server's processor time goes, and print a table."""
    rows, found = [], {}
    for name, times in loading.measure_shares(
        path, shape, depth, durable=True, rounds=size.rounds, bursts=size.http_bursts
    ).items():
        parts = {share: times[share].median for share in SHARES}
        whole = sum(parts.values())
        rows.append([name, f"{whole * 1e6:.0f}", *(f"{part * 1e6:.0f} ({part / whole:.0%})" for part in parts.values())])
        found[name] = {"seconds": parts, "shares": {share: part / whole for share, part in parts.items()}}
    print(f"\n{shape.title} of {depth:,} messages, durable: processor time of the server for a batch of {BATCH}, microseconds\n")
    print(table(["operation", "all", *SHARES], rows), flush=True)
    return found


def of_shape(shape: Shape, size: Size, sections: set[str], folder: Path) -> Found:
    """Measure one kind of queue."""
    files = {depth: folder / f"{depth}.db" for depth in size.depths}
    for depth, path in files.items():
        fill(path, shape, depth)
    found: Found = {}
    runs: tuple[tuple[str, Measure, str, int], ...] = (
        ("store", storing.measure, "store alone", size.store_bursts),
        ("http", loading.measure, "over HTTP", size.http_bursts),
    )
    for section, measure, title, bursts in runs:
        if section in sections:
            found[section] = {
                mode: by_depth(files, shape, measure, title, durable=mode == "durable", rounds=size.rounds, bursts=bursts)
                for mode in ("not durable", "durable")
            }
    if "shares" in sections:
        depth = size.depths[1]
        found["shares"] = shares(files[depth], shape, depth, size)
    return found


def of_crowds(size: Size, folder: Path) -> Found:
    """Measure what happens to others, and print a table."""
    rows, found = [], {}
    for event in size.events:
        result = found[event.name] = crowds.measure(event, folder)
        before, meanwhile = result["before"], result["meanwhile"]
        cells = [f"{part[key] * 1e3:.1f}" for part in (before, meanwhile) for key in ("median", "longest")]
        rows.append([event.name, f"{event.depth:,}", f"{result['seconds']:.1f}", *cells])
    print("\nWhat others wait for while very much happens at once: milliseconds for a call\n")
    heads = ["event", "messages", "seconds", "before: median", "longest", "meanwhile: median", "longest"]
    print(table(heads, rows), flush=True)
    return found


def main() -> int:
    """Run what the command line asks for; return whether a ratio was above what is allowed."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.broker", description=__doc__.split("\n\n", maxsplit=1)[0])
    parser.add_argument("sections", nargs="*", metavar="section", help=f"one or more of {', '.join(SECTIONS)}; default: all")
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write the figures to this file")
    parser.add_argument("--quick", action="store_true", help="small queues and few rounds, in about two minutes")
    given = parser.parse_args()
    for section in given.sections:
        if section not in SECTIONS:
            parser.error(f"section is {section!r}, expected one of {', '.join(SECTIONS)}")
    sections, size = set(given.sections or SECTIONS), QUICK if given.quick else FULL

    found: Found = {"machine": machine(), "depths": size.depths, "rounds": size.rounds, "queues": {}}
    print(table(["machine", ""], found["machine"].items()), flush=True)
    if sections - {"crowds"}:
        for shape in SHAPES:
            with tempfile.TemporaryDirectory(prefix="courier-nb-benchmark-") as folder:
                found["queues"][shape.name] = of_shape(shape, size, sections, Path(folder))
    if "crowds" in sections and size.events:
        with tempfile.TemporaryDirectory(prefix="courier-nb-benchmark-") as folder:
            found["crowds"] = of_crowds(size, Path(folder))
    if given.json:
        given.json.write_text(json.dumps(found, indent=2))
    return int(any(_missed(found["queues"])))


def _missed(queues: Found) -> list[str]:
    """Return the operations whose ratio is above what is allowed, and print them."""
    missed = [
        f"{shape}, {section}, {mode}, {operation}: {figures['ratio']:.2f} is above {figures['allowed']:g}"
        for shape, sections in queues.items()
        for section in ("store", "http")
        for mode, operations in sections.get(section, {}).items()
        for operation, figures in operations.items()
        if figures["ratio"] > figures["allowed"]
    ]
    print("\n" + ("\n".join(missed) or "every ratio is within what is allowed"))
    return missed


if __name__ == "__main__":
    sys.exit(main())
