"""Rows on their way to the front end: the first few at once, the others from a thread of their own."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import orjson
import pandas as pd

from courier_nb.jupyter.browser.cells import PREVIEW, WIDEST, cells_of
from courier_nb.jupyter.browser.columns import NEEDED, default_columns
from courier_nb.jupyter.browser.source import Rows

Part = tuple[dict[str, Any], bytes]
"""A message and its buffer: the cells as JSON, by column."""

Tell = Callable[[dict[str, Any], bytes], bool]
"""Sends a part; returns False when the rows are no longer those that are shown."""


def rows_from(rows: Rows, start: int, chosen: Sequence[str]) -> Iterator[Part]:
    """Yield the rows from `start` on, with the chosen columns besides those that are always needed.

    When none are chosen, those that are shown by default, judged by the first part; it names them.
    """
    shown = list(chosen)
    is_first = True
    for chunk in _chunks(rows, start, None):
        if not shown:
            shown = default_columns(chunk)
        names = [str(name) for name in chunk.columns if name in shown or name in NEEDED]
        part, cells = _part(chunk, start, len(rows), names)
        part["columns"] = [str(name) for name in chunk.columns]
        if is_first:
            part["shown"] = shown
        yield part, cells
        start, is_first = start + len(chunk), False


def columns_of(rows: Rows, columns: Sequence[str]) -> Iterator[Part]:
    """Yield these columns of all rows, and no others."""
    start = 0
    for chunk in _chunks(rows, 0, columns):
        yield _part(chunk, start, len(rows), [name for name in columns if name in chunk.columns])
        start += len(chunk)


def send(parts: Iterator[Part], tell: Tell, failed: Callable[[Exception], None]) -> None:
    """Send the first part before this returns, the others from a thread, so that nobody waits for them.

    Parameters
    ----------
    parts : iterator
    tell : callable
        Given each part.
    failed : callable
        Given an error of the thread.
    """
    first = next(parts, None)
    if first is None or not tell(*first):
        return

    def send_others() -> None:
        try:
            for part in parts:
                if not tell(*part):
                    return
        except Exception as error:  # noqa: BLE001  # the edge of the thread: it is shown under the table
            failed(error)

    threading.Thread(target=send_others, name="courier_nb rows", daemon=True).start()


def _chunks(rows: Rows, start: int, columns: Sequence[str] | None) -> Iterator[pd.DataFrame]:
    is_any = False
    for chunk in rows.chunks(start, columns):
        is_any = True
        yield chunk
    if not is_any:  # the columns of a table without rows
        yield rows.frame.head(0).drop(columns=["body", "body_bytes", "lock_id"], errors="ignore")


def _part(chunk: pd.DataFrame, start: int, total: int, names: Sequence[str]) -> Part:
    cells = {}
    for name in names:
        kind, values = cells_of(chunk[name], PREVIEW if name == "preview" else WIDEST)
        cells[name] = {"kind": kind, "cells": values}
    message: dict[str, Any] = {"tell": "rows", "start": start, "count": len(chunk), "total": total}
    return message, orjson.dumps(cells)


def shown_by_default(rows: Rows) -> list[str]:
    """Return the columns that are shown when none are chosen."""
    return default_columns(next(_chunks(rows, 0, None)))
