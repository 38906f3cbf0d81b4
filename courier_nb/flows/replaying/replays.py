"""What the replay ledgers record, as a frame."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from courier_nb.core.errors import CaptureError
from courier_nb.flows.sources import ledgers_folder
from courier_nb.storage.capture import Capture
from courier_nb.storage.layout import Layout
from courier_nb.storage.replays.ledger import runs_of

if TYPE_CHECKING:
    import pandas as pd

_TEXTS = ("run", "verb", "destination", "target", "ledger")
_COUNTS = ("ok", "skipped", "refused", "unknown")
_COLUMNS = ("run", "attempt", "verb", "destination", "target", "rows", "started", "ended", *_COUNTS, "ledger")


def replays_frame(capture: str | Path | Capture | None, ledger: str | Path | None) -> pd.DataFrame:
    """Return one row for each attempt at a run; see `ReplayingVerbs.replays`."""
    import pandas as pd

    from courier_nb.frames.display import foreign

    rows = [
        {
            **run,
            "destination": run["target"].rsplit("/", 1)[-1],
            **{kind: run["counts"].get(kind, 0) if run["ended"] else None for kind in _COUNTS},
            "ledger": str(path),
        }
        for path in _paths(capture, ledger)
        for run in runs_of(path)
    ]
    frame = pd.DataFrame([{name: row[name] for name in _COLUMNS} for row in rows], columns=list(_COLUMNS))
    for name in ("started", "ended"):
        frame[name] = pd.to_datetime(frame[name], utc=True).astype("datetime64[us, UTC]")
    numbers = dict.fromkeys(("attempt", "rows", *_COUNTS), "Int64")
    return foreign(frame.astype({**dict.fromkeys(_TEXTS, "str"), **numbers}).sort_values("started", ignore_index=True))


def _paths(capture: str | Path | Capture | None, ledger: str | Path | None) -> list[Path]:
    if ledger is not None:
        path = Path(ledger)
        if not path.exists():
            raise CaptureError(f"There is no ledger {path}.", path=path)
        return [path]
    if capture is not None:
        opened = capture if isinstance(capture, Capture) else Capture(capture)
        return [Layout(opened.path).ledger]
    return sorted(ledgers_folder().glob("*.jsonl"))
