"""The journal: what was asked of the broker, by whom, and what came of it. No bodies, no properties, no locks, no secrets."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import platformdirs

from courier_nb.core.cards import shown_as
from courier_nb.core.clock import Clock, SystemClock
from courier_nb.core.units import Duration, seconds
from courier_nb.storage.cards import journal_card
from courier_nb.storage.chain import unsealed
from courier_nb.storage.journal import proof
from courier_nb.storage.journal.looks import LookCounter, Looks
from courier_nb.storage.journal.months import Months
from courier_nb.storage.journal.proof import JournalProof

if TYPE_CHECKING:
    import pandas as pd

LOOKED_BACK_DAYS = 14


@shown_as(journal_card)
class Journal:
    """The journal of a user: every run and every call that changed something, took messages or gave them back.

    Hash-chained and append-only, in files by month; ``docs/journal.md`` has the format. Reading it needs no connection.

    Parameters
    ----------
    folder : path, optional
        Default: the user's own (``platformdirs.user_state_path("courier_nb") / "journal"``).
    clock : Clock, optional

    Attributes
    ----------
    folder : Path
    """

    def __init__(self, folder: str | Path | None = None, *, clock: Clock | None = None) -> None:
        self.folder = default_folder() if folder is None else Path(folder).expanduser()
        self._clock = clock or SystemClock()
        self._months = Months(self.folder, clock=self._clock)
        self._counters: dict[tuple[str, str], LookCounter] = {}

    @property
    def months(self) -> Months:
        """The files, to append to."""
        return self._months

    def find_run(self, run_id: str) -> dict[str, Any] | None:
        """Return what was recorded when a run began.

        Parameters
        ----------
        run_id : str
            As reports and captures name it.

        Returns
        -------
        dict or None
            Among others ``run``, ``verb``, ``destination``, ``environment``, ``capture`` (folder, None without one), ``at`` (ISO
            8601, UTC). None when no such run is recorded.
        """
        wanted = (b'"kind":"begin"', json.dumps(run_id).encode())
        for path in reversed(self._months.paths()):
            for entry in _entries(path, wanted):
                if entry.get("kind") == "begin" and entry.get("run") == run_id:
                    return {"capture": None, **entry}
        return None

    def last_run(self, verb: str, environment: str) -> dict[str, Any] | None:
        """Return how the last run of a verb in an environment ended; None when there is no such run in the last two weeks."""
        wanted = (b'"kind":"end"', json.dumps(verb).encode(), json.dumps(environment).encode())
        for path in reversed(self._recent(LOOKED_BACK_DAYS)):
            last = None
            for entry in _entries(path, wanted):
                if entry.get("kind") == "end" and entry.get("verb") == verb and entry.get("environment") == environment:
                    last = entry
            if last is not None:
                return last
        return None

    def looks(self, environment: str, destination: str) -> Looks:
        """Return how often this user has received from a destination in the last 14 days.

        Parameters
        ----------
        environment : str
            Id.
        destination : str

        Notes
        -----
        Each file is read once while this object lives; a later call reads only what was added. Nothing is checked: `verify` is
        for that.
        """
        key = (environment, destination)
        counter = self._counters.setdefault(key, LookCounter(environment, destination))
        since = self._now() - timedelta(days=LOOKED_BACK_DAYS)
        for path in self._recent(LOOKED_BACK_DAYS):
            counter.read(path)
        return counter.looks(since)

    def frame(
        self,
        *,
        since: Duration | datetime | None = None,
        run: str | None = None,
        verb: str | None = None,
        destination: str | None = None,
    ) -> pd.DataFrame:
        """Return the entries as a DataFrame, one row a line of the journal.

        Parameters
        ----------
        since : duration or datetime, optional
            How far to look back (``"2d"``), or from when on.
        run, verb, destination : str, optional
            Only those of this run, verb or destination.

        Returns
        -------
        DataFrame
            Columns and types as in ``docs/journal.md``.
        """
        from courier_nb.frames.journal import entries_frame

        return entries_frame(self._selected(since, run=run, verb=verb, destination=destination))

    def runs(
        self,
        *,
        since: Duration | datetime | None = None,
        run: str | None = None,
        verb: str | None = None,
        destination: str | None = None,
    ) -> pd.DataFrame:
        """Return the runs as a DataFrame, one row a run: when it began, and how it ended if it did.

        Parameters as in `frame`; columns and types as in ``docs/journal.md``.
        """
        from courier_nb.frames.journal import runs_frame

        return runs_frame(self._selected(since, run=run, verb=verb, destination=destination))

    def verify(self) -> JournalProof:
        """Check every line, and that the chain is as long as it must at least be.

        Returns
        -------
        JournalProof
            ``ok``, and one finding for each damage: the file, the line in it, what is wrong. Its ``lines`` and ``hash`` name the
            state of the journal; kept elsewhere, they prove later that nothing up to there was changed.
        """
        return proof.verify(self._months)

    def __repr__(self) -> str:
        return f"<Journal {str(self.folder)!r}>"

    def _selected(
        self, since: Duration | datetime | None, *, run: str | None, verb: str | None, destination: str | None
    ) -> Iterator[dict[str, Any]]:
        given = {"run": run, "verb": verb, "destination": destination}
        wanted = {name: value for name, value in given.items() if value is not None}
        start = self._start(since)
        markers = tuple(json.dumps(value).encode() for value in wanted.values())
        for path in self._months.paths() if start is None else self._from(start):
            for entry in _entries(path, markers):
                if all(entry.get(name) == value for name, value in wanted.items()) and (start is None or _at(entry) >= start):
                    yield entry

    def _start(self, since: Duration | datetime | None) -> datetime | None:
        if since is None:
            return None
        if isinstance(since, datetime):
            return since.astimezone(UTC)
        return self._now() - timedelta(seconds=seconds(since, name="since"))

    def _recent(self, days: int) -> list[Path]:
        return self._from(self._now() - timedelta(days=days))

    def _from(self, start: datetime) -> list[Path]:
        return [path for path in self._months.paths() if path.stem >= f"{start:%Y-%m}"]

    def _now(self) -> datetime:
        return datetime.fromtimestamp(self._clock.time(), UTC)


def default_folder() -> Path:
    """Return the user's own journal."""
    return platformdirs.user_state_path("courier_nb") / "journal"


def _entries(path: Path, markers: tuple[bytes, ...]) -> Iterator[dict[str, Any]]:
    """Yield the entries of the lines that hold all of `markers` and whose own hash holds."""
    with path.open("rb") as file:
        for line in file:
            if all(marker in line for marker in markers):
                entry = unsealed(line)
                if entry is not None:
                    yield entry


def _at(entry: dict[str, Any]) -> datetime:
    return datetime.fromisoformat(entry["at"])
