"""``replay``, ``undo``, ``move`` and ``replays``."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any, get_args

import click

from courier_nb.blocking import Client
from courier_nb.cli.guarding import confirm_option, confirmed, dry_run_option, emit_plan
from courier_nb.cli.options import DURATION, connected, json_option, rate_option
from courier_nb.cli.outcomes import emit_report
from courier_nb.cli.output import emit, show_bars
from courier_nb.flows.plans import Plan
from courier_nb.flows.replaying.provenance import Ids
from courier_nb.flows.replaying.replayed import Replayed
from courier_nb.flows.replaying.replays import replays_frame
from courier_nb.flows.replaying.wish import Unknown
from courier_nb.frames.text import plain, table

_CONCURRENCY = click.option("--concurrency", type=click.IntRange(1, 128), default=8, show_default=True, help="Calls at a time.")
_UNKNOWN = click.option(
    "--unknown",
    type=click.Choice(get_args(Unknown)),
    default="report",
    show_default=True,
    help="What an earlier run sent without a certain answer: show it, send it again, or take it as arrived.",
)
_IDS = click.option(
    "--ids",
    type=click.Choice(get_args(Ids)),
    default="auto",
    show_default=True,
    help="Message ids: auto gives a FIFO queue new ones.",
)
_PROVENANCE = click.option("--provenance/--no-provenance", default=True, help="Properties that say where a message comes from.")
_FIFO = click.option("--fifo/--standard", "fifo", default=None, help="Kind of the target; default: what the Admin API says.")


@click.command(short_help="Publish captured messages again.")
@click.argument("source", metavar="DIR", type=click.Path(path_type=Path))
@click.option("--to", "target", metavar="QUEUE", help="Target; default: the queue whose dead letters these are.")
@dry_run_option
@_UNKNOWN
@click.option("--resend-unknown", is_flag=True, help="The same as --unknown resend.")
@_IDS
@_PROVENANCE
@_FIFO
@click.option("--ledger", type=click.Path(path_type=Path), help="Where it is recorded; default: in the capture.")
@rate_option
@_CONCURRENCY
@confirm_option
@connected
def replay(client: Client, source: Path, target: str | None, resend_unknown: bool, confirm: str | None, **choices: Any) -> int:
    """Publish the messages of a capture DIR (or Parquet file) again, each once however often this is run."""
    if resend_unknown:
        choices["unknown"] = "resend"
    return _emit(
        confirmed(lambda typed: client.replay(source, to=target, confirm=typed, progress=show_bars(), **choices), confirm)
    )


@click.command(short_help="Publish what a drain took away again.")
@click.argument("run", metavar="RUN")
@click.option("--capture", type=click.Path(path_type=Path), help="Folder of the capture; default: where the journal says.")
@click.option("--include-unknown", is_flag=True, help="Also what may still be in the queue: its deletion had no certain answer.")
@dry_run_option
@_UNKNOWN
@_FIFO
@rate_option
@_CONCURRENCY
@confirm_option
@connected
def undo(client: Client, run: str, confirm: str | None, **choices: Any) -> int:
    """Publish what the drain RUN acknowledged into its queue again, from the capture; once, however often this is run."""
    return _emit(confirmed(lambda typed: client.undo(run, confirm=typed, progress=show_bars(), **choices), confirm))


@click.command(short_help="Move messages into another queue.")
@click.argument("origin", metavar="FROM")
@click.argument("target", metavar="TO")
@click.option("--via", type=click.Path(path_type=Path), help="Capture that they go through, with the ledger; the same to go on.")
@click.option("--limit", type=click.IntRange(1), help="At most so many messages.")
@dry_run_option
@_UNKNOWN
@_IDS
@_PROVENANCE
@_FIFO
@click.option("--lock-ttl", type=DURATION, default="5m", show_default=True, help="Lock time; after a crash messages return then.")
@click.option("--polling-time", type=DURATION, default="1s", show_default=True, help="Longest wait of one call.")
@click.option(
    "--empties", type=click.IntRange(1), default=3, show_default=True, help="Stop after so many empty answers in a row."
)
@click.option("--timeout", type=DURATION, help="Stop after this long in all.")
@rate_option
@_CONCURRENCY
@confirm_option
@connected
def move(client: Client, origin: str, target: str, confirm: str | None, **choices: Any) -> int:
    """Move messages from one queue into another: each is deleted only when its copy is confirmed and on record.

    Run the same command again after an interruption: what has arrived is not published twice.
    """
    queue = client.destination(origin)
    report = confirmed(lambda typed: queue.move(target, confirm=typed, progress=show_bars(), **choices), confirm)
    if isinstance(report, Plan):
        return emit_plan(report)
    lines = [
        f"{report.moved} messages moved from {plain(origin)} to {plain(target)} in {report.seconds:.1f} s, {report.calls} calls "
        f"({report.stopped_because}); captured in {plain(report.path)}."
    ]
    troubles = ("unknown", "refused", "skipped", "lost_lock", "ghost_receives")
    lines += [f"  {name}: {count}" for name in troubles if (count := getattr(report, name))]
    emit(asdict(report), "\n".join(lines), report)
    return 0 if report.ok else 1


@click.command(short_help="What was replayed, moved and undone.")
@click.option(
    "--capture", type=click.Path(path_type=Path), help="What the ledger in this capture records; default: the user's own."
)
@click.option("--ledger", type=click.Path(path_type=Path), help="What this ledger records.")
@json_option
def replays(capture: Path | None, ledger: Path | None) -> None:
    """List what the replay ledgers record: one line for each attempt at a run. Needs no connection."""
    frame = replays_frame(capture, ledger)
    rows = json.loads(frame.to_json(orient="records", date_format="iso"))
    where = (
        "Nothing is recorded there."
        if capture or ledger
        else (
            "Nothing was replayed from elsewhere than a capture; a capture has a ledger of its own: --capture DIR. "
            "All runs: courier-nb journal."
        )
    )
    emit({"runs": rows}, table(frame.drop(columns="ledger")) if len(frame) else where, frame if len(frame) else None)


def _emit(result: Replayed | Plan) -> int:
    if isinstance(result, Plan):
        return emit_plan(result)
    more = {"run": result.run, "attempt": result.attempt, "ledger": str(result.ledger), "warnings": list(result.warnings)}
    return emit_report(result, ("ok", "skipped"), **more)
