"""What a client and its destinations share: the session, the journal, and the runs that its verbs make."""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import anyio
import httpx

from courier_nb.core.checks import OFF
from courier_nb.core.guards import DESTRUCTIVE, refuse_if_read_only, require_name
from courier_nb.core.messages import Message, Outcome
from courier_nb.core.progress import Counter
from courier_nb.core.rates import Rate, as_rate
from courier_nb.core.runs import Run, new_run_id, running
from courier_nb.core.settings import LockTtlUnit, Settings
from courier_nb.flows.guard import Guard
from courier_nb.flows.locks.keeper import Keeper
from courier_nb.flows.moving.put_back import put_back_held
from courier_nb.flows.planning import Planner
from courier_nb.flows.replaying.wish import Wish
from courier_nb.flows.settle import Held
from courier_nb.flows.sources import default_capture_folder
from courier_nb.flows.stops import calls_at_a_time
from courier_nb.frames.verbs import give_frames_verbs
from courier_nb.storage.journal.journal import Journal
from courier_nb.storage.journal.recording import JournalRecorder
from courier_nb.wire.operations import Operations
from courier_nb.wire.session import Session


class Connection:
    """One connection to one environment.

    Parameters
    ----------
    settings : Settings
    transport : httpx.AsyncBaseTransport, optional
        Stands in for the network.
    lock_ttl_unit : {"s", "ms"}, optional
        Unit of ``ttl`` in lock changes, in place of what the settings say.

    Attributes
    ----------
    session : Session
    journal : Journal or None
        None where the settings want none.
    keeper : Keeper
        Keeps the locks of what is held.
    guard : Guard
    confirmed : set of str
        Destinations whose name was typed, so that the peek guard may put messages back there in production.
    key : str
        Names this connection in the attributes of frames; says nothing else.
    """

    def __init__(
        self, settings: Settings, *, transport: httpx.AsyncBaseTransport | None = None, lock_ttl_unit: LockTtlUnit | None = None
    ) -> None:
        self.journal = None if settings.journal == OFF else Journal(settings.journal)
        self._recorder = None if self.journal is None else JournalRecorder(self.journal.months)
        self.session = Session(settings, transport=transport, lock_ttl_unit=lock_ttl_unit, recorder=self._recorder)
        is_given = lock_ttl_unit is not None or "lock_ttl_unit" in settings.sources or settings.lock_ttl_unit != "s"
        self.keeper = Keeper(
            self.session.operations, unit=(lock_ttl_unit or settings.lock_ttl_unit) if is_given else None, put_back=self._put_back
        )
        self.guard = Guard(self.session)
        self.confirmed: set[str] = set()
        self.key = uuid.uuid4().hex
        give_frames_verbs()

    async def operations(self, rate: Rate | str | None = None) -> Operations:
        """Return the ten operations, bound to broker, organization and environment, and held to a rate."""
        limit = as_rate(rate)  # before anything is asked of the service
        return (await self.session.operations()).paced(limit)

    async def planner(self, concurrency: int, rate: Rate | str | None = None) -> Planner:
        """Return what makes the plans of dry runs."""
        return Planner(self.session, await self.operations(rate), self.journal, calls_at_a_time(concurrency), rate)

    @asynccontextmanager
    async def run(
        self,
        verb: str,
        destination: str,
        *,
        id: str | None = None,  # noqa: A002  # as everywhere
        confirm: str | None = None,
        capture: str | Path | None = None,
        arguments: Mapping[str, str | int | float | bool | None] | None = None,
    ) -> AsyncIterator[Run]:
        """Let the calls made in the block belong to one run of a verb, and record it in the journal.

        Parameters
        ----------
        verb, destination : str
        id : str, optional
            The run's identity, where it had to be known before; default: a new one.
        confirm : str, optional
            The destination's name, typed by whoever wants a destructive verb in production.
        capture : path, optional
            Folder that the run writes to, or reads from.
        arguments : mapping, optional
            What was asked for, as far as it matters later. No bodies, no secrets.

        Raises
        ------
        ReadOnly, ConfirmationNeeded, JournalUnwritable
            Nothing was sent, and the block was not entered.
        """
        await self.permit(verb, destination, confirm)
        with running(Run(id or new_run_id(), verb, destination)) as run:
            if self._recorder is None:
                yield run
                return
            place = (await self.session.operations()).place
            await self._recorder.begin(
                run,
                {
                    "environment": place.environment,
                    "organization": place.organization,
                    "region": self.session.region_hint,
                    "broker": httpx.URL(place.broker_url).host,
                    "client": (self.session.settings.client_id or "")[-4:] or None,
                    "capture": None if capture is None else _absolute(capture),
                    "arguments": dict(arguments or {}),
                },
            )
            error: BaseException | None = None
            try:
                yield run
            except BaseException as raised:
                error = raised
                raise
            finally:
                with anyio.CancelScope(shield=True):  # one line, also of what was interrupted
                    await self._recorder.end(run, place.environment, error)

    async def permit(self, verb: str, destination: str, confirm: str | None) -> None:
        """Refuse a verb that the guards do not allow. `run` asks by itself; for what comes before a run.

        Raises
        ------
        ReadOnly, ConfirmationNeeded
        """
        refuse_if_read_only(verb, destination, read_only=self.session.settings.read_only)
        if verb in DESTRUCTIVE and await self.session.production():
            require_name(verb, destination, confirm)

    async def _put_back(self, destination: str, messages: Sequence[Message], locks: Sequence[Held]) -> Sequence[Outcome]:
        """Put messages back whole for the keeper, which notes by itself how it ended."""
        wiring = await self.guard.wiring(destination)
        confirm = destination if destination in self.confirmed else None
        operations = await self.operations()
        root = default_capture_folder(destination, operations.place.environment, "put-back")
        wish = Wish("put_back", fifo=wiring.is_fifo)
        async with self.run("put_back", destination, confirm=confirm, capture=root) as run:
            report = await put_back_held(
                self.session, operations, destination, messages, locks, root, wish, run.id, Counter(""), note=_no_note
            )
            run.outcome(report.counts)
        return report.outcomes

    async def aclose(self) -> None:
        """Give back what is held and close the connections; may be called again."""
        await self.keeper.release()
        if self._recorder is not None:
            self._recorder.close()
        await self.session.aclose()


def _no_note(locks: Sequence[Held], outcomes: Sequence[Outcome]) -> None:
    """Note nothing."""


def _absolute(path: str | Path) -> str:
    return str(Path(path).absolute())
