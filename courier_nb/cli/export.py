"""``export``: a capture as one file that other programs read."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import click

from courier_nb.cli.options import json_option
from courier_nb.cli.output import emit
from courier_nb.core.printable import plain
from courier_nb.storage.capture import Capture

_CELLS_SHOWN = 5


@click.command(short_help="Write a capture as CSV, Excel, JSON Lines or Parquet.")
@click.argument("folder", metavar="DIR", type=click.Path(path_type=Path))
@click.argument("file", metavar="FILE", type=click.Path(path_type=Path))
@click.option("--column", "columns", multiple=True, metavar="NAME", help="Write this column only; may be repeated.")
@click.option("--where", metavar="QUERY", help="Only rows for which this pandas query holds.")
@click.option("--raw", is_flag=True, help="Plain values: formulas and hidden characters are left as they are.")
@click.option("--overwrite", is_flag=True, help="Replace FILE if it exists.")
@json_option
def export(folder: Path, file: Path, columns: tuple[str, ...], where: str | None, raw: bool, overwrite: bool) -> int:
    """Write the messages of the capture DIR into FILE: .csv, .xlsx, .jsonl, .jsonl.gz or .parquet.

    In .csv and .xlsx, texts that a spreadsheet takes for formulas get an apostrophe in front, and hidden characters are written
    as codes; the last column names the changed cells. Lock ids are never written.
    """
    report = Capture(folder).export(file, columns=columns or None, where=where, raw=raw, overwrite=overwrite)
    lines = [f"{report.rows} messages written to {plain(file)}."]
    lines += [f"  {kind}: {count} cells" for kind, count in report.changed.items()]
    if report.left_out:
        lines.append(f"  left out, because the format cannot carry them: {report.left_out}")
        lines += [f"    number {position}: {plain(why)}" for position, why in report.reasons[:_CELLS_SHOWN]]
    document = {
        "path": str(file),
        "rows": report.rows,
        "changed": report.changed,
        "cells": [asdict(cell) for cell in report.cells],
        "left_out": report.left_out,
        "reasons": [{"position": position, "reason": why} for position, why in report.reasons],
    }
    emit(document, "\n".join(lines), report)
    return 0 if report.ok else 1
