"""The journal's entries as frames."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

import pandas as pd
import pyarrow as pa

from courier_nb.frames.display import foreign

_TIME = pa.timestamp("ms", tz="UTC")
_TEXTS = pa.list_(pa.string())

ENTRIES: dict[str, tuple[pa.DataType, str]] = {
    "n": (pa.int64(), "number of the line in the chain"),
    "at": (_TIME, "when it was written, UTC"),
    "kind": (pa.string(), "`begin` and `end` of a run, `call` and `answer` of a call, `gap` where lines had been removed"),
    "run": (pa.string(), "identity of the run; missing for a call that was made outside a verb"),
    "verb": (pa.string(), "`drain`, `peek`, `ack`, ..."),
    "environment": (pa.string(), "id"),
    "destination": (pa.string(), "queue or exchange"),
    "call": (pa.string(), "joins a `call` and its `answer`"),
    "operation": (pa.string(), "operation of the API, such as `ack_batch`"),
    "asked": (pa.int64(), "receive: the most messages asked for"),
    "messages": (pa.int64(), "messages that the call is about, or that it brought"),
    "message_ids": (_TEXTS, "their ids"),
    "delivery_counts": (pa.list_(pa.int64()), "receive: the delivery count that each came with"),
    "outcome": (pa.string(), "answer: `ok`, `partly`, `refused`, `unknown`, `not_sent`; end: `done` or `failed`"),
    "failed": (pa.int64(), "messages that the answer says failed"),
    "failed_ids": (_TEXTS, "their ids"),
    "error": (pa.string(), "class of the error"),
    "status": (pa.int64(), "HTTP status of a refusal"),
    "hash": (pa.string(), "hash of the line, which covers all lines before it"),
}
"""Columns of `Journal.frame`: type and meaning."""

RUNS: dict[str, tuple[pa.DataType, str]] = {
    "run": (pa.string(), "identity of the run"),
    "begun": (_TIME, "UTC"),
    "verb": (pa.string(), "`drain`, `peek`, `ack`, ..."),
    "environment": (pa.string(), "id"),
    "destination": (pa.string(), "queue or exchange"),
    "ended": (_TIME, "UTC; missing when the run was killed, or has not ended yet"),
    "seconds": (pa.float64(), "how long it took"),
    "calls": (pa.int64(), "requests made, repeats included"),
    "outcomes": (pa.string(), "messages by outcome, such as `20 acked`"),
    "error": (pa.string(), "class of the error that ended it"),
    "capture": (pa.string(), "folder of the capture"),
    "user": (pa.string(), "who"),
    "machine": (pa.string(), "where"),
    "pid": (pa.int64(), "process"),
    "client": (pa.string(), "last four characters of the client id"),
    "broker": (pa.string(), "host of the broker"),
    "organization": (pa.string(), "id"),
    "region": (pa.string(), "as far as it was known"),
    "arguments": (pa.string(), "what was asked for, as JSON"),
}
"""Columns of `Journal.runs`: type and meaning."""


def entries_frame(entries: Iterable[Mapping[str, Any]]) -> pd.DataFrame:
    """Return one row an entry."""
    return _frame([_entry_row(entry) for entry in entries], ENTRIES)


def runs_frame(entries: Iterable[Mapping[str, Any]]) -> pd.DataFrame:
    """Return one row a run, in the order of their beginnings."""
    rows: dict[str, dict[str, Any]] = {}
    for entry in entries:
        if entry["kind"] == "begin":
            rows[entry["run"]] = _begun(entry)
        elif entry["kind"] == "end" and entry["run"] in rows:
            rows[entry["run"]].update(_ended(entry))
    return _frame(list(rows.values()), RUNS)


def documentation(columns: Mapping[str, tuple[pa.DataType, str]]) -> str:
    """Return the table of the columns, as the documentation has it."""
    lines = [f"| `{name}` | {kind} | {meaning} |" for name, (kind, meaning) in columns.items()]
    return "\n".join(["| column | type | what it is |", "| --- | --- | --- |", *lines])


def _entry_row(entry: Mapping[str, Any]) -> dict[str, Any]:
    received = entry.get("received")
    ids = [id_ for id_, _ in received] if received is not None else entry.get("ids")
    failed = entry.get("failed")
    outcome = entry.get("outcome")
    if entry["kind"] == "end":
        outcome = "failed" if entry.get("error") else "done"
    return {
        **{name: entry.get(name) for name in ENTRIES},
        "at": _time(entry["at"]),
        "outcome": outcome,
        "messages": None if ids is None else len(ids),
        "message_ids": None if ids is None else [_text(id_) for id_ in ids],
        "delivery_counts": None if received is None else [count for _, count in received],
        "failed": None if failed is None else len(failed),
        "failed_ids": None if failed is None else [_text(id_) for id_ in failed],
    }


def _begun(entry: Mapping[str, Any]) -> dict[str, Any]:
    from courier_nb.core import exactjson

    arguments = exactjson.dumps(entry.get("arguments", {})).decode("utf-8", "backslashreplace")
    return {**{name: entry.get(name) for name in RUNS}, "begun": _time(entry["at"]), "arguments": arguments}


def _ended(entry: Mapping[str, Any]) -> dict[str, Any]:
    counted = entry.get("outcomes") or entry.get("messages") or {}
    counts = ", ".join(f"{count} {word}" for word, count in counted.items())
    return {
        "ended": _time(entry["at"]),
        "seconds": entry.get("seconds"),
        "calls": entry.get("calls"),
        "outcomes": counts,
        "error": entry.get("error"),
    }


def _frame(rows: list[dict[str, Any]], columns: Mapping[str, tuple[pa.DataType, str]]) -> pd.DataFrame:
    arrays = {}
    for name, (kind, _) in columns.items():
        cells = [row.get(name) for row in rows]
        arrays[name] = pa.array([_text(cell) if isinstance(cell, str) else cell for cell in cells], kind)
    frame: pd.DataFrame = pa.table(arrays).to_pandas(types_mapper=_PANDAS.get)
    return foreign(frame)


def _text(value: str | None) -> str | None:
    # A message id may hold half a surrogate pair, which no text column can.
    return None if value is None else value.encode("utf-8", "backslashreplace").decode()


def _time(text: str) -> datetime:
    return datetime.fromisoformat(text)


_PANDAS: Mapping[pa.DataType, Any] = {
    pa.string(): pd.StringDtype(na_value=pd.NA),
    pa.int64(): pd.Int64Dtype(),
}
