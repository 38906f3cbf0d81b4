"""``journal``: what was done, by whom, and whether the record of it is whole."""

from __future__ import annotations

import os
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from courier_nb.cli.options import DURATION, json_option
from courier_nb.cli.output import emit
from courier_nb.core.checks import OFF
from courier_nb.core.errors import ConfigError
from courier_nb.core.printable import plain
from courier_nb.core.settings import journal_setting
from courier_nb.frames.text import table
from courier_nb.storage.journal.journal import Journal

_RUN_COLUMNS = ["begun", "run", "verb", "destination", "outcomes", "calls", "seconds", "error"]
_ENTRY_COLUMNS = ["n", "at", "kind", "operation", "destination", "messages", "outcome", "failed", "error"]


@click.command(short_help="Show what was done, and check the record of it.")
@click.option("--run", "run", metavar="ID", help="Every entry of this run.")
@click.option("--destination", metavar="QUEUE", help="Only runs on this queue.")
@click.option("--verb", metavar="VERB", help="Only runs of this verb.")
@click.option("--since", type=DURATION, help="How far to look back, such as 2d.")
@click.option("--verify", "wants_proof", is_flag=True, help="Check every line and name what is damaged.")
@click.option("--journal", "folder", metavar="DIR", help="Folder of the journal (ANYPOINT_MQ_JOURNAL).")
@click.option("--profile", metavar="NAME", help="Profile that names the journal (ANYPOINT_PROFILE).")
@json_option
def journal(
    run: str | None,
    destination: str | None,
    verb: str | None,
    since: str | None,
    wants_proof: bool,
    folder: str | None,
    profile: str | None,
) -> int:
    """Show the runs that are recorded in the journal, or the entries of one of them. Asks the service nothing."""
    setting = journal_setting(profile, folder, environ=os.environ, home=Path.home())
    if setting == OFF:
        raise ConfigError("The journal is switched off: there is nothing to show.", setting="journal")
    book = Journal(setting)
    if folder is not None and not book.folder.is_dir():
        raise ConfigError(f"There is no journal in {folder!r}: name the folder that holds it.", setting="journal")
    if wants_proof and any(value is not None for value in (run, destination, verb, since)):
        raise ConfigError("--verify checks every line: leave out --run, --destination, --verb and --since.", setting="verify")
    if wants_proof:
        return _emit_proof(book)
    if run is not None:
        frame = book.frame(since=since, run=run, verb=verb, destination=destination)
        columns, name = _ENTRY_COLUMNS, "entries"
    else:
        frame = book.runs(since=since, verb=verb, destination=destination)
        columns, name = _RUN_COLUMNS, "runs"
    lines = table(frame[columns]) if len(frame) else f"Nothing is recorded in {plain(str(book.folder))}."
    emit({"journal": str(book.folder), name: _documents(frame)}, lines, frame if len(frame) else None)
    return 0


def _emit_proof(book: Journal) -> int:
    proof = book.verify()
    lines = [
        f"{plain(finding.file)}{f', line {finding.line}' if finding.line else ''}: {plain(finding.what)}"
        for finding in proof.findings
    ]
    state = "complete" if proof.ok else "DAMAGED"
    lines.append(f"{plain(proof.folder)}: {proof.lines} lines in {proof.files} files: {state}. Last hash: {proof.hash}")
    emit({"ok": proof.ok, **asdict(proof)}, "\n".join(lines), proof)
    return 0 if proof.ok else 1


def _documents(frame: Any) -> list[dict[str, Any]]:
    return [{name: _value(cell) for name, cell in row.items()} for row in frame.astype(object).to_dict("records")]


def _value(cell: Any) -> Any:
    import pandas as pd

    if isinstance(cell, pd.Timestamp):
        return cell.isoformat()
    if hasattr(cell, "tolist"):
        return cell.tolist()
    if cell is None or cell is pd.NA or cell is pd.NaT or (isinstance(cell, float) and cell != cell):
        return None
    return cell
