"""``drain``, ``replay``, ``verify`` and ``publish``."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import click

from courier_nb.blocking import Client
from courier_nb.cli.options import DURATION, connected, json_option
from courier_nb.cli.output import emit, show_bars
from courier_nb.flows.reports import ReplayPlan, Report
from courier_nb.frames.text import plain
from courier_nb.storage.layout import open_layout
from courier_nb.storage.verification import verify_layout

_REASONS_SHOWN = 5


@click.command(short_help="Move messages into Parquet.")
@click.argument("queue")
@click.option(
    "--to", "folder", type=click.Path(path_type=Path), required=True, help="Folder of the capture; new, or to go on with."
)
@click.option("--limit", type=click.IntRange(1), help="At most so many messages.")
@click.option("--lock-ttl", type=DURATION, default="2m", show_default=True, help="Lock time; after a crash messages return then.")
@click.option("--polling-time", type=DURATION, default="1s", show_default=True, help="Longest wait of one call.")
@click.option(
    "--empties", type=click.IntRange(1), default=3, show_default=True, help="Stop after so many empty answers in a row."
)
@click.option("--timeout", type=DURATION, help="Stop after this long in all.")
@click.option("--concurrency", type=click.IntRange(1, 128), default=16, show_default=True, help="Calls at a time.")
@connected
def drain(
    client: Client,
    queue: str,
    folder: Path,
    limit: int | None,
    lock_ttl: str,
    polling_time: str,
    empties: int,
    timeout: str | None,
    concurrency: int,
) -> int:
    """Move the messages of QUEUE into Parquet: each is deleted only after it is on disk and flushed.

    Run the same command again after an interruption: what was cut off is finished first.
    """
    capture = client.destination(queue).drain(
        folder,
        limit=limit,
        lock_ttl=lock_ttl,
        polling_time=polling_time,
        empties=empties,
        timeout=timeout,
        concurrency=concurrency,
        progress=show_bars(),
    )
    report = capture.report
    lines = [
        f"{report.acked} messages moved from {plain(queue)} to {plain(folder)} in {report.seconds:.1f} s, {report.calls} calls "
        f"({report.stopped_because}).",
        f"The capture holds {len(capture)} messages.",
    ]
    troubles = ("recovered", "returned", "refused", "lost_lock", "unknown", "ghost_receives")
    lines += [f"  {name}: {count}" for name in troubles if (count := getattr(report, name))]
    emit({**asdict(report), "messages": len(capture), "duplicates": capture.duplicates}, "\n".join(lines))
    return 0 if report.ok else 1


@click.command(short_help="Publish captured messages again.")
@click.argument("source", metavar="DIR", type=click.Path(path_type=Path))
@click.option("--to", "target", metavar="QUEUE", help="Target; default: the queue whose dead letters these are.")
@click.option("--dry-run", is_flag=True, help="Say what would be sent, and send nothing.")
@click.option("--resend-unknown", is_flag=True, help="Also send again what an earlier run sent without a certain answer.")
@click.option("--concurrency", type=click.IntRange(1, 128), default=8, show_default=True, help="Calls at a time.")
@connected
def replay(client: Client, source: Path, target: str | None, dry_run: bool, resend_unknown: bool, concurrency: int) -> int:
    """Publish the messages of a capture DIR (or Parquet file) again, each once however often this is run."""
    result = client.replay(
        source,
        to=target,
        dry_run=dry_run,
        unknown="resend" if resend_unknown else "report",
        concurrency=concurrency,
        progress=show_bars(),
    )
    if isinstance(result, ReplayPlan):
        emit(
            asdict(result),
            f"Would send {result.to_send} of {result.rows} messages to {plain(result.target)} in at least {result.calls} calls; "
            f"{result.already_confirmed} were confirmed by an earlier run, {result.unknown} are unknown. Nothing was sent.",
        )
        return 0
    return _emit_report(result, already_done=("ok", "skipped"))


@click.command(short_help="Check a capture without the broker.")
@click.argument("folder", metavar="DIR", type=click.Path(path_type=Path))
@json_option
def verify(folder: Path) -> int:
    """Check, without the broker, that every file of the capture DIR holds what was written into it."""
    result = verify_layout(open_layout(folder))
    findings = [asdict(finding) for finding in result.findings]
    lines = [f"{plain(f.file)}: {plain(f.what)}" for f in result.findings if f.what]
    state = "complete" if result.ok else "DAMAGED"
    lines.append(f"{plain(folder)}: {result.rows} messages, {result.acked} of them acknowledged, {len(findings)} files: {state}.")
    emit({"ok": result.ok, "rows": result.rows, "acked": result.acked, "files": findings}, "\n".join(lines))
    return 0 if result.ok else 1


@click.command(short_help="Publish messages from a file.")
@click.argument("queue")
@click.argument("file", metavar="FILE", type=click.Path(path_type=Path))
@click.option("--concurrency", type=click.IntRange(1, 128), default=8, show_default=True, help="Calls at a time.")
@connected
def publish(client: Client, queue: str, file: Path, concurrency: int) -> int:
    """Publish the messages of FILE (.jsonl, .jsonl.gz: the publish shape, one a line; .parquet: as drained) into QUEUE."""
    return _emit_report(client.destination(queue).publish(file, concurrency=concurrency, progress=show_bars()))


def _emit_report(report: Report, already_done: tuple[str, ...] = ("ok",)) -> int:
    failed = [outcome for outcome in report.outcomes if outcome.kind not in already_done]
    counts = ", ".join(f"{count} {kind}" for kind, count in report.counts.items()) or "nothing to do"
    lines = [f"{report.verb} into {plain(report.destination)}: {counts}; {report.calls} calls in {report.seconds:.1f} s."]
    lines += [f"  {plain(o.message_id)}: {o.kind}: {plain(o.reason)}" for o in failed[:_REASONS_SHOWN]]
    if len(failed) > _REASONS_SHOWN:
        lines.append(f"  … and {len(failed) - _REASONS_SHOWN} more")
    document = {
        "destination": report.destination,
        "outcomes": report.counts,
        "calls": report.calls,
        "seconds": report.seconds,
        "failed": [asdict(outcome) for outcome in failed],
    }
    emit(document, "\n".join(lines))
    return 1 if failed else 0
