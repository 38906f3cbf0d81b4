"""``drain``, ``verify``, ``compact`` and ``publish``."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import click

from courier_nb.blocking import Client
from courier_nb.cli.guarding import confirm_option, confirmed, dry_run_option, emit_plan
from courier_nb.cli.options import DURATION, connected, json_option, rate_option
from courier_nb.cli.outcomes import emit_report
from courier_nb.cli.output import emit, show_bars
from courier_nb.flows.plans import Plan
from courier_nb.frames.text import plain
from courier_nb.storage.capture import Capture
from courier_nb.storage.layout import Layout, open_layout
from courier_nb.storage.verification import verify_layout


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
@rate_option
@click.option("--concurrency", type=click.IntRange(1, 128), default=16, show_default=True, help="Calls at a time.")
@dry_run_option
@confirm_option
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
    rate: str | None,
    concurrency: int,
    dry_run: bool,
    confirm: str | None,
) -> int:
    """Move the messages of QUEUE into Parquet: each is deleted only after it is on disk and flushed.

    Run the same command again after an interruption: what was cut off is finished first.
    """
    capture = confirmed(
        lambda typed: client.destination(queue).drain(
            folder,
            limit=limit,
            lock_ttl=lock_ttl,
            polling_time=polling_time,
            empties=empties,
            timeout=timeout,
            dry_run=dry_run,
            confirm=typed,
            rate=rate,
            concurrency=concurrency,
            progress=show_bars(),
        ),
        confirm,
    )
    if isinstance(capture, Plan):
        return emit_plan(capture)
    report = capture.report
    lines = [
        f"{report.acked} messages moved from {plain(queue)} to {plain(folder)} in {report.seconds:.1f} s, {report.calls} calls "
        f"({report.stopped_because}).",
        f"The capture holds {len(capture)} messages.",
    ]
    troubles = ("recovered", "returned", "refused", "lost_lock", "unknown", "ghost_receives")
    lines += [f"  {name}: {count}" for name in troubles if (count := getattr(report, name))]
    emit({**asdict(report), "messages": len(capture), "duplicates": capture.duplicates}, "\n".join(lines), capture)
    return 0 if report.ok else 1


@click.command(short_help="Check a capture without the broker.")
@click.argument("folder", metavar="DIR", type=click.Path(path_type=Path))
@json_option
def verify(folder: Path) -> int:
    """Check, without the broker, that every file of the capture DIR holds what was written into it."""
    layout = Layout(folder)
    # The file that says what the folder is may itself be damaged: then it is to be named, and the rest looked at.
    result = verify_layout(layout if layout.identity_file.exists() else open_layout(folder))
    findings = [asdict(finding) for finding in result.findings]
    lines = [f"{plain(f.file)}: {plain(f.what)}" for f in result.findings if f.what]
    state = "complete" if result.ok else "DAMAGED"
    lines.append(f"{plain(folder)}: {result.rows} messages, {result.acked} of them acknowledged, {len(findings)} files: {state}.")
    emit({"ok": result.ok, "rows": result.rows, "acked": result.acked, "files": findings}, "\n".join(lines), result)
    return 0 if result.ok else 1


@click.command(short_help="Merge the small files of a capture.")
@click.argument("folder", metavar="DIR", type=click.Path(path_type=Path))
@json_option
def compact(folder: Path) -> int:
    """Merge the small Parquet files of the capture DIR into files of about 100 MB, as the end of a drain does."""
    capture = Capture(folder)
    fewer = capture.compact()
    emit(
        {"messages": len(capture), "files_fewer": fewer},
        f"{plain(folder)}: {len(capture)} messages, now in {fewer} files fewer.",
        capture,
    )
    return 0


@click.command(short_help="Publish messages from a file.")
@click.argument("queue")
@click.argument("file", metavar="FILE", type=click.Path(path_type=Path))
@rate_option
@click.option("--concurrency", type=click.IntRange(1, 128), default=8, show_default=True, help="Calls at a time.")
@dry_run_option
@confirm_option
@connected
def publish(
    client: Client, queue: str, file: Path, rate: str | None, concurrency: int, dry_run: bool, confirm: str | None
) -> int:
    """Publish the messages of FILE (.jsonl, .jsonl.gz: the publish shape, one a line; .parquet: as drained) into QUEUE."""
    report = confirmed(
        lambda typed: client.destination(queue).publish(
            file, dry_run=dry_run, confirm=typed, rate=rate, concurrency=concurrency, progress=show_bars()
        ),
        confirm,
    )
    return emit_plan(report) if isinstance(report, Plan) else emit_report(report)
