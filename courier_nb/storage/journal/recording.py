"""Writing the journal: what is about to be called, before it is; what came of it, after."""

from __future__ import annotations

import asyncio
import contextlib
import getpass
import os
import secrets
import socket
import threading
import time
from collections import Counter, deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cache
from typing import Any

from anyio import to_thread

from courier_nb.core.clock import Clock, SystemClock
from courier_nb.core.errors import CourierError, JournalUnwritable
from courier_nb.core.runs import Run, current_run
from courier_nb.storage.groups import GroupCommit
from courier_nb.storage.journal.months import Months
from courier_nb.wire.records import CallOutcome
from courier_nb.wire.retry import Operation

Entry = dict[str, Any]

_MUST_BE_FLUSHED = frozenset(op for op in Operation if op.startswith(("publish", "ack")))
_GOES_ON_UNRECORDED = frozenset(op for op in Operation if op.startswith(("nack", "extend")))
_DONE = {"ack": "acked", "nack": "returned", "extend": "extended", "publish": "published"}
_ANSWERS_WAIT_SECONDS = 0.1


@dataclass(slots=True)
class _Tally:
    """What the calls of a run came to."""

    started: float
    calls: int = 0
    messages: Counter[str] = field(default_factory=Counter)

    def add(self, operation: Operation, outcome: CallOutcome, size: int) -> None:
        self.calls += outcome.kind != "not_sent"
        if outcome.received is not None:
            self.messages["received"] += len(outcome.received)
        elif outcome.kind in ("ok", "partly"):
            self.messages[_DONE[operation.split("_")[0]]] += size - len(outcome.failed)
            self.messages["failed"] += len(outcome.failed)
        else:
            self.messages["unknown" if outcome.kind == "unknown" else "failed"] += size


class JournalRecorder:
    """Records the runs and calls of one connection.

    Parameters
    ----------
    months : Months
        Where to.
    clock : Clock, optional

    Notes
    -----
    A publish or an ack is on the disk before it is sent. A receive, nack or extend is written before it is sent, which is safe
    from the death of this process. Answers are written with the next call, or a tenth of a second later.
    """

    def __init__(self, months: Months, *, clock: Clock | None = None) -> None:
        self._months = months
        self._clock = clock or SystemClock()
        self._token = secrets.token_hex(4)
        self._calls = 0
        self._sizes: dict[str, int] = {}
        self._tallies: dict[str, _Tally] = {}
        self._waiting: deque[Entry] = deque()  # entries are added in the loop, and taken in any thread
        self._writing = threading.Lock()
        self._timer: asyncio.TimerHandle | None = None
        self._turn: asyncio.Future[None] | None = None
        self._flushing = self._group()

    async def begin(self, run: Run, details: Mapping[str, Any]) -> None:
        """Record that a run begins.

        Raises
        ------
        JournalUnwritable
            The run must not be made then; one that only gives messages back or holds them may.
        """
        entry = {**_of_run("begin", self._now(), run), **details, **_who(), "pid": os.getpid()}
        self._tallies[run.id] = _Tally(time.monotonic())
        try:
            await self._commit(entry)
        except JournalUnwritable:
            if run.verb not in ("nack", "extend"):
                self._forget(entry)
                del self._tallies[run.id]
                raise

    async def end(self, run: Run, environment: str, error: BaseException | None) -> None:
        """Record how a run ended; a journal that cannot be written does not spoil what was done."""
        tally = self._tallies.pop(run.id)
        entry = {
            **_of_run("end", self._now(), run),
            "environment": environment,
            "outcomes": run.counts,
            "messages": {word: count for word, count in tally.messages.items() if count},
            "calls": tally.calls,
            "seconds": round(time.monotonic() - tally.started, 3),
            "error": None if error is None else type(error).__name__,
        }
        with contextlib.suppress(JournalUnwritable):  # the next call that must be recorded says so
            await self._commit(entry)
            await to_thread.run_sync(self._months.flush)

    async def before(
        self,
        operation: Operation,
        destination: str,
        environment: str,
        *,
        message_ids: Sequence[str] = (),
        asked: int | None = None,
    ) -> str:
        """Record a call that is about to be made, and return what its answer is recorded under.

        Raises
        ------
        JournalUnwritable
            The call must not be made then; a nack or extend may, and is recorded later if it can be.
        """
        self._calls += 1
        call = f"{self._token}-{self._calls}"
        entry = self._of_call("call", call, operation, destination, environment)
        if asked is not None:
            entry["asked"] = asked
        if message_ids:
            entry["ids"] = list(message_ids)
        self._sizes[call] = len(message_ids)
        try:
            if operation in _MUST_BE_FLUSHED:
                await self._commit(entry)
            else:
                await self._write(entry)
        except BaseException as error:
            if isinstance(error, JournalUnwritable) and operation in _GOES_ON_UNRECORDED:
                return call  # recorded when it can be again
            if self._forget(entry):
                del self._sizes[call]
            else:
                self.after(call, operation, destination, environment, CallOutcome("not_sent"))
            raise
        return call

    def after(self, call: str, operation: Operation, destination: str, environment: str, outcome: CallOutcome) -> None:
        """Record what came of a call; never waits and never fails."""
        entry = self._of_call("answer", call, operation, destination, environment)
        entry["outcome"] = outcome.kind
        size = self._sizes.pop(call, 0)
        if outcome.received is not None:
            entry["received"] = [list(item) for item in outcome.received]
        if outcome.failed:
            entry["failed"] = list(outcome.failed)
        if outcome.error is not None:
            entry["error"] = outcome.error
            entry["status"] = outcome.status
        self._waiting.append(entry)
        if entry["run"] in self._tallies:
            self._tallies[entry["run"]].add(operation, outcome, size)
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(_ANSWERS_WAIT_SECONDS, self._write_answers)

    def close(self) -> None:
        """Write what waits, and close the files."""
        self._write_answers()
        self._months.close()

    def _of_call(self, kind: str, call: str, operation: Operation, destination: str, environment: str) -> Entry:
        run = current_run()
        return {
            "kind": kind,
            "at": self._now(),
            "call": call,
            "run": None if run is None else run.id,
            "verb": None if run is None else run.verb,
            "operation": operation.value,
            "environment": environment,
            "destination": destination,
        }

    async def _write(self, entry: Entry) -> None:
        """Write an entry, and all that wait, in the event loop's own thread: handing it to another takes longer."""
        self._waiting.append(entry)
        if self._turn is None:
            loop = asyncio.get_running_loop()
            self._turn = loop.create_future()
            loop.call_soon(self._take_turn, self._turn)
        try:
            await asyncio.shield(self._turn)
        except (OSError, CourierError) as error:
            raise _unwritable(self._months, error) from error

    def _take_turn(self, turn: asyncio.Future[None]) -> None:
        self._turn = None
        try:
            self._write_waiting()
        except (OSError, CourierError) as error:
            turn.set_exception(error)
            turn.exception()  # those who wait may all have been interrupted
        else:
            turn.set_result(None)

    async def _commit(self, entry: Entry) -> None:
        """Write an entry and flush it; entries that come together share one write and one flush."""
        self._waiting.append(entry)
        flushing = self._flushing
        try:
            await flushing.commit([None])
        except (OSError, CourierError) as error:
            if flushing is self._flushing:  # a group that failed takes nothing more; the next call tries again
                self._flushing = self._group()
            raise _unwritable(self._months, error) from error

    def _group(self) -> GroupCommit[None]:
        def write(_: object) -> None:
            self._write_waiting()
            self._months.flush(whole=False)

        return GroupCommit(write)

    def _write_waiting(self) -> None:
        with self._writing:
            taken = []
            with contextlib.suppress(IndexError):
                while True:
                    taken.append(self._waiting.popleft())
            if taken:
                try:
                    self._months.append(taken)
                except BaseException:
                    self._waiting.extendleft(reversed(taken))
                    raise

    def _forget(self, entry: Entry) -> bool:
        """Take back an entry that was not written; return False if it was."""
        with self._writing:
            try:
                self._waiting.remove(entry)
            except ValueError:
                return False
            return True

    def _write_answers(self) -> None:
        self._timer = None
        with contextlib.suppress(OSError, CourierError):  # kept for the next call, which is refused if it still cannot be written
            self._write_waiting()

    def _now(self) -> str:
        return datetime.fromtimestamp(self._clock.time(), UTC).isoformat(timespec="milliseconds")


def _of_run(kind: str, at: str, run: Run) -> Entry:
    return {"kind": kind, "at": at, "run": run.id, "verb": run.verb, "destination": run.destination}


def _unwritable(months: Months, error: Exception) -> JournalUnwritable:
    why = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    return JournalUnwritable(
        f"The journal in {months.folder} cannot be written ({why}), so nothing was sent. Mend that, name another folder with "
        "journal=DIR (environment variable ANYPOINT_MQ_JOURNAL, command line --journal), or do without: journal='off'.",
        path=months.folder,
    )


@cache
def _who() -> Entry:
    return {"user": _user(), "machine": socket.gethostname()}


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError, ImportError):  # a container's user may have no name
        return str(os.getuid()) if hasattr(os, "getuid") else ""
