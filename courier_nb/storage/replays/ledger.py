"""The replay ledger: what has been sent where, so that running a replay again sends nothing twice that was confirmed.

An append-only chain of lines. A row is written down as ``sent`` before it leaves, and again when its answer is known; a crash
between the two leaves ``sent``, which means that nobody knows. The kinds of lines:

========= ==============================================================================================================
hold      this process uses the ledger: ``pid``, ``host``, ``at``
plan      a run begins: ``run``, ``attempt``, ``verb``, ``target``, ``rows``, ``digest`` of all keys, ``options``, ``at``
sent      ``run``, ``keys``, ``groups``, and when: ``wall``, ``boot``, ``since_boot``; ``again`` repeats inside FIFO's window;
          ``deliveries`` of the originals (moves)
confirmed ``run``, ``keys``; the service said that it has them
unknown   ``run``, ``keys``, ``reason``; no certain answer
refused   ``run``, ``keys``, ``reason``; certainly not taken
assumed   ``run``, ``keys``, ``reason``; unknown, and the user said to take them as arrived
done      ``run``, ``keys``; confirmed, and the original was acknowledged (moves)
end       the run's end: ``run``, ``attempt``, ``counts``, ``at``
========= ==============================================================================================================
"""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Self

from filelock import FileLock, Timeout

from courier_nb.core import moments
from courier_nb.core.errors import CaptureError
from courier_nb.core.messages import Message
from courier_nb.core.moments import Moment
from courier_nb.storage.chain import START, ChainLog, read_chain
from courier_nb.storage.groups import GroupCommit
from courier_nb.storage.replays.index import STATES, Known, LedgerIndex, State, chunks
from courier_nb.storage.replays.rowkeys import content_key

_BEGINNING = f'{{"n":1,"prev":"{START}",'.encode()
_CHUNK = 1_000


class Ledger:
    """States of the rows sent to one target.

    Parameters
    ----------
    path : Path
        File of the ledger; made if it is not there.
    target : str
        Identity of the destination: environment, region and name.
    is_read_only : bool
        Only look: nothing is written, and another process may be using it.
    clock : callable, optional
        Tells the present moment.

    Raises
    ------
    CaptureError
        When another replay is using it, or the file is something else, or it cannot be written.
    CaptureDamaged
        When a line does not hold.
    """

    def __init__(self, path: Path, target: str, *, is_read_only: bool = False, clock: Callable[[], Moment] | None = None) -> None:
        if path.is_dir():
            raise CaptureError(f"{path} is a folder: a ledger is a file, such as {path / 'ledger.jsonl'}.", path=path)
        self.path = path
        self.target = target
        self.index = LedgerIndex()
        self._clock = clock or moments.now
        self._chain = ChainLog(path)
        self._commits: GroupCommit[Mapping[str, Any]] = GroupCommit(self._write)
        self._plans: dict[str, Mapping[str, Any]] = {}  # the last plan of each run into this target
        self._lock: FileLock | None = None
        try:
            _check_is_ledger(path)
            if not is_read_only:
                self._hold()
            self._read()
        except OSError as error:
            self._close()
            raise CaptureError(f"The replay ledger {path} cannot be opened: {error}.", path=path) from error
        except BaseException:
            self._close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._close()

    def now(self) -> Moment:
        """Return the present moment by the ledger's clock."""
        return self._clock()

    def keys(self, messages: Iterable[Message]) -> list[bytes]:
        """Return the key of each row of a source; equal rows get different keys, in order."""
        return self.index.numbered([content_key(message) for message in messages])

    def states(self, keys: Sequence[bytes]) -> list[Known | None]:
        """Return what is known of each row, None where it was never sent."""
        return self.index.look(keys)

    def attempts(self, run: str) -> int:
        """Return how often a run was begun."""
        return int(self._plans[run]["attempt"]) if run in self._plans else 0

    def ids_of(self, run: str) -> str | None:
        """Return which message ids a run gives: ``keep`` or ``new``; None where it is not known."""
        plan = self._plans.get(run)
        return None if plan is None else plan["options"].get("ids")

    async def begin(self, run: str, **plan: Any) -> int:
        """Record the plan of a run; return which attempt at it this is."""
        attempt = self.attempts(run) + 1
        entry = {"kind": "plan", "run": run, "attempt": attempt, **plan, "target": self.target, "at": _stamp()}
        await self._commits.commit([entry])
        return attempt

    async def end(self, run: str, counts: Mapping[str, int]) -> None:
        """Record how a run ended."""
        await self._commits.commit(
            [{"kind": "end", "run": run, "attempt": self.attempts(run), "counts": dict(counts), "at": _stamp()}]
        )

    async def record_sent(
        self,
        run: str,
        keys: Sequence[bytes],
        groups: Sequence[bytes | None],
        *,
        again: Sequence[bool] = (),
        deliveries: Sequence[int | None] = (),
    ) -> Moment:
        """Record rows that are about to be sent; return when that is.

        Parameters
        ----------
        again : sequence of bool, optional
            Which rows repeat an earlier sending inside FIFO's window of deduplication; their window goes on.
        deliveries : sequence of int or None, optional
            How often the original of each had been delivered.
        """
        moment = self.now()
        common: dict[str, Any] = {"kind": "sent", "run": run}
        when = {"wall": moment.wall, "boot": moment.boot, "since_boot": moment.since_boot}
        entries = []
        for wanted in (False, True):
            places = [i for i in range(len(keys)) if (bool(again) and again[i]) is wanted]
            if places:
                entry = {**common, "keys": [keys[i].hex() for i in places], **when}
                if any(groups[i] is not None for i in places):
                    entry["groups"] = [None if (group := groups[i]) is None else group.hex() for i in places]
                if any(deliveries):
                    entry["deliveries"] = [deliveries[i] for i in places]
                entries.append({**entry, "again": True} if wanted else entry)
        await self._commits.commit(entries)
        return moment

    async def record(self, run: str, outcomes: Iterable[tuple[bytes, State, str]]) -> None:
        """Record what became of rows, each with a reason, and return when it is on the disk.

        Raises
        ------
        CaptureError
            When the ledger cannot be written, now or ever before; nothing may be sent then.
        """
        grouped: dict[tuple[State, str], list[str]] = {}
        for key, state, reason in outcomes:
            grouped.setdefault((state, reason), []).append(key.hex())
        entries = [
            {"kind": state, "run": run, "keys": keys, **({"reason": reason} if reason else {})}
            for (state, reason), keys in grouped.items()
        ]
        if entries:
            await self._commits.commit(entries)

    def _write(self, entries: Sequence[Mapping[str, Any]]) -> None:
        try:
            self._chain.append(entries)
        except OSError as error:
            raise CaptureError(f"The replay ledger {self.path} cannot be written: {error}.", path=self.path) from error
        self._take_in(entries)

    def _hold(self) -> None:
        self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        lock = FileLock(self.path.with_name(self.path.name + ".run.lock"), mode=0o600, thread_local=False)
        try:
            lock.acquire(timeout=0)
        except Timeout:
            raise CaptureError(
                f"The replay ledger {self.path} is in use by {self._holder()}: two replays at once could send rows twice. "
                "Wait until that one has ended, or end it; the same call then goes on where it was.",
                path=self.path,
            ) from None
        self._lock = lock
        self._chain.append([{"kind": "hold", "pid": os.getpid(), "host": socket.gethostname(), "at": _stamp()}])

    def _holder(self) -> str:
        holder = None
        for entry in read_chain(self.path) if self.path.exists() else ():
            holder = entry if entry["kind"] == "hold" else holder
        return "another process" if holder is None else f"process {holder['pid']} on {holder['host']} (since {holder['at']})"

    def _read(self) -> None:
        if self.path.exists():
            for entries in chunks(read_chain(self.path), _CHUNK):
                self._take_in(entries)

    def _take_in(self, entries: Sequence[Mapping[str, Any]]) -> None:
        for entry in entries:
            if entry["kind"] == "plan" and entry["target"] == self.target:
                self._plans[entry["run"]] = entry
        self.index.apply([entry for entry in entries if entry["kind"] in STATES and entry["run"] in self._plans])

    def _close(self) -> None:
        self.index.close()
        if self._lock is not None:
            self._lock.release()
            self._lock = None


def runs_of(path: Path) -> list[dict[str, Any]]:
    """Return the runs that a ledger records, one mapping for each attempt at one, in the order they were begun.

    Keys: ``run``, ``attempt``, ``verb``, ``target``, ``rows``, ``started``, ``ended`` (None: cut off) and ``counts`` by outcome.

    Raises
    ------
    CaptureError, CaptureDamaged
    """
    _check_is_ledger(path)
    runs: dict[tuple[str, int], dict[str, Any]] = {}
    for entry in read_chain(path) if path.exists() else ():
        if entry["kind"] == "plan":
            names = ("run", "attempt", "verb", "target", "rows")
            begun = {name: entry.get(name) for name in names}
            runs[entry["run"], entry["attempt"]] = {**begun, "started": entry["at"], "ended": None, "counts": {}}
        elif entry["kind"] == "end" and (entry["run"], entry["attempt"]) in runs:
            runs[entry["run"], entry["attempt"]].update(ended=entry["at"], counts=entry["counts"])
    return list(runs.values())


def _check_is_ledger(path: Path) -> None:
    """Refuse a file that is something else before anything is written to it."""
    try:
        with path.open("rb") as file:
            beginning = file.read(len(_BEGINNING))
    except FileNotFoundError:
        return
    except OSError as error:
        raise CaptureError(f"The replay ledger {path} cannot be opened: {error}.", path=path) from error
    if not _BEGINNING.startswith(beginning):
        raise CaptureError(
            f"{path} is not a replay ledger: name another file, a new one or that of an earlier replay, with ledger=.", path=path
        )


def _stamp() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
