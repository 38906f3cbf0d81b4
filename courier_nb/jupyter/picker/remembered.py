"""Names that this user has picked before, for those who may not list destinations. Names and times only."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import platformdirs
from filelock import FileLock

from courier_nb.core.clock import Clock
from courier_nb.storage.chain import unsealed
from courier_nb.storage.disk import write_whole
from courier_nb.storage.journal.journal import LOOKED_BACK_DAYS, Journal

MOST_NAMES = 500
"""Of one environment; of more, those used longest ago are forgotten."""
MOST_PLACES = 100
_PATIENCE_SECONDS = 1.0
_MOST_JOURNAL_BYTES = 20_000_000

Places = dict[str, dict[str, datetime]]


class Remembered:
    """The file with the names; several processes may use it at once.

    Parameters
    ----------
    clock : Clock
    path : Path, optional
        Default: ``destinations.json`` in the user's state folder, beside the journal.
    """

    def __init__(self, clock: Clock, path: Path | None = None) -> None:
        self.path = path or platformdirs.user_state_path("courier_nb") / "destinations.json"
        self._clock = clock

    def names(self, place: str) -> dict[str, datetime]:
        """Return the names used in a place, and when last (UTC).

        A file that cannot be understood counts as none: nothing of value is in it.
        """
        return self._read().get(place, {})

    def note(self, place: str, name: str) -> None:
        """Note that a name is used now.

        Raises
        ------
        OSError
            When the file cannot be written, or another process keeps it to itself (``filelock.Timeout``).
        """

        def add(places: Places) -> None:
            places.setdefault(place, {})[name] = datetime.fromtimestamp(self._clock.time(), UTC)

        self._change(add)

    def _change(self, change: Callable[[Places], None]) -> None:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(self.path.with_suffix(".lock"), timeout=_PATIENCE_SECONDS, mode=0o600):
            places = self._read()
            change(places)
            for place, names in places.items():
                places[place] = _latest(names, MOST_NAMES)
            kept = sorted(places, key=lambda place: max(places[place].values()), reverse=True)[:MOST_PLACES]
            content = {place: {name: at.isoformat() for name, at in places[place].items()} for place in kept}
            text = json.dumps(content, indent=1).encode()
            write_whole(self.path, text, aside=self.path.with_suffix(".new"))

    def _read(self) -> Places:
        try:
            content = json.loads(self.path.read_bytes())
        except (OSError, ValueError):
            return {}
        places = {place: _times(names) for place, names in content.items()} if isinstance(content, dict) else {}
        return {place: names for place, names in places.items() if names}


def used_lately(journal: Journal, environment: str, now: datetime) -> dict[str, datetime]:
    """Return the destinations of the runs in an environment in the last two weeks, from the end of the journal, and when.

    Nothing is checked: ``journal.verify`` is for that.
    """
    since = now - timedelta(days=LOOKED_BACK_DAYS)
    markers = (b'"kind":"begin"', json.dumps(environment).encode())
    found: dict[str, datetime] = {}
    left = _MOST_JOURNAL_BYTES
    for path in reversed(journal.months.paths()):
        if left <= 0 or path.stem < f"{since:%Y-%m}":
            break
        with contextlib.suppress(OSError), path.open("rb") as file:
            size = path.stat().st_size
            file.seek(max(0, size - left))  # it begins inside a line, which then is none
            left -= size
            for line in file:
                if all(marker in line for marker in markers):
                    _note(found, unsealed(line), environment, since)
    return found


def _note(found: dict[str, datetime], entry: Any, environment: str, since: datetime) -> None:
    if entry is None or entry.get("environment") != environment or not entry.get("destination"):
        return
    at = datetime.fromisoformat(entry["at"])
    if at >= since:
        found[entry["destination"]] = max(at, found.get(entry["destination"], at))


def _times(names: Any) -> dict[str, datetime]:
    found: dict[str, datetime] = {}
    for name, at in names.items() if isinstance(names, dict) else ():
        with contextlib.suppress(ValueError, TypeError):
            found[name] = datetime.fromisoformat(at).astimezone(UTC)
    return found


def _latest(names: dict[str, datetime], most: int) -> dict[str, datetime]:
    return dict(sorted(names.items(), key=lambda item: item[1], reverse=True)[:most])
