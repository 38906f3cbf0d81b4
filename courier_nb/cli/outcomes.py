"""How the outcomes of messages are printed."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from courier_nb.cli.output import emit
from courier_nb.flows.reports import Report
from courier_nb.frames.text import plain

_REASONS_SHOWN = 5


def emit_report(report: Report, already_done: tuple[str, ...] = ("ok",), **more: Any) -> int:
    """Print how messages ended, `more` in the JSON document only; return the exit code."""
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
        **more,
    }
    emit(document, "\n".join(lines), report)
    return 1 if failed else 0
