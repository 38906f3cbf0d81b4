"""The verbs that look: peek, what it costs, and what is held."""

from __future__ import annotations

from typing import get_args

from anyio import to_thread

from courier_nb.calls import DestinationCalls
from courier_nb.core.arguments import as_count
from courier_nb.core.errors import ConfirmationNeeded, InvalidArgument, ReadOnly
from courier_nb.core.progress import Counter, show
from courier_nb.core.rates import Rate
from courier_nb.core.units import Duration, milliseconds
from courier_nb.flows import taking
from courier_nb.flows.guard import LastChance, LookCost, Wiring, calls_of_a_look
from courier_nb.flows.locks.holding import Holding
from courier_nb.flows.receive import Ask
from courier_nb.flows.reports import Received
from courier_nb.flows.stops import calls_at_a_time, stop_after
from courier_nb.wire.operations import PayloadVisibility

_LEAST_LOCK_MS = 1_000


class LookingVerbs(DestinationCalls):
    """Peek, its cost, and what is held."""

    async def peek(
        self,
        count: int = 10,
        *,
        lock_ttl: Duration = "1m",
        polling_time: Duration = "1s",
        payload_visibility: PayloadVisibility = "full",
        empties: int = 2,
        timeout: Duration | None = None,
        last_chance: LastChance = "hold",
        max_deliveries: int | None = None,
        confirm: str | None = None,
        rate: Rate | str | None = None,
        concurrency: int = 4,
        progress: bool = True,
    ) -> Received:
        """Look at messages and return them.

        The service has no free look: each message is received, which **spends one of its deliveries**, hides it from consumers
        for a moment, and is billed; then it is returned. `look_cost` says before what it costs here.

        A message on its last chance is not returned, as that would send it to the dead-letter queue: it stays held and its lock
        is extended. When the client closes it is put back whole: published afresh, and only then is the old one acknowledged.

        Parameters
        ----------
        count : int
            At most so many messages.
        lock_ttl : duration
            They come back by themselves after this, should the return fail.
        polling_time : duration
            How long one call may wait for a message.
        payload_visibility : {"full", "none", "conditional"}
            A message whose body was withheld cannot be put back: on its last chance it stays locked for as long as possible.
        empties : int
            Give up after so many empty answers in a row; one does not mean an empty queue.
        timeout : duration, optional
            Give up after this long in all.
        last_chance : {"hold", "put_back", "return"}
            What to do with messages on their last chance: hold them until the client closes, put them back whole at once, or
            return them, which sends them to the dead-letter queue.
        max_deliveries : int, optional
            The queue's setting, in place of what the Admin API says. When neither is known, all messages are returned.
        confirm : str, optional
            The queue's name: in production, allows that messages are put back.
        rate : Rate or str, optional
            How fast to go, such as ``"100 msg/s"``, ``"5 calls/s"`` or ``"2 MB/s, ramp-up 30s"``; see ``docs/rates.md``.
        concurrency : int
            Calls at a time.
        progress : bool
            Show a bar once it takes more than a second.

        Returns
        -------
        Received
            ``.frame()`` is the DataFrame of messages: ``settlement`` says whether each was returned, held or put back, and
            ``deliveries_left`` how many deliveries it had left. ``.notes`` says what is worth knowing.

        Raises
        ------
        ReadOnly, ConfirmationNeeded
            When the journal says that messages here have one delivery left, and nothing may be put back. Nothing was sent.
        """
        if last_chance not in get_args(LastChance):
            raise InvalidArgument(f"last_chance is {last_chance!r}, expected 'hold', 'put_back' or 'return'.")
        ask = self._ask(lock_ttl, polling_time, payload_visibility)
        stop = stop_after(as_count(count, "The number of messages"), empties=empties, timeout=timeout)
        workers = min(calls_at_a_time(concurrency), -(-count // 10))
        if confirm == self.id:
            self._connection.confirmed.add(self.id)
        operations = await self._connection.operations(rate)
        wiring = await self._connection.guard.wiring(self.id, max_deliveries)
        if last_chance != "return":
            await self._refuse_the_last_look(wiring)
        counter = Counter(f"peek {self.id}", total=count)
        async with self._connection.run("peek", self.id) as run, show(counter, progress):
            report = await taking.peek(
                operations,
                ask,
                stop,
                concurrency=workers,
                counter=counter,
                keeper=self._connection.keeper,
                last_chance=last_chance,
                wiring=wiring,
            )
            run.outcome(report.counts)
        report.origin = self._connection.key
        return report

    async def look_cost(self, count: int = 10, *, max_deliveries: int | None = None) -> LookCost:
        """Return what a `peek` at so many messages would cost here. Nothing is received and no delivery is spent.

        Reads the queue's settings (Admin API, where it may be read) and the journal.

        Parameters
        ----------
        count : int
            How many messages would be looked at.
        max_deliveries : int, optional
            The queue's setting, in place of what the Admin API says.
        """
        as_count(count, "The number of messages")
        wiring = await self._connection.guard.wiring(self.id, max_deliveries)
        peeks, calls, near = await self._earlier_looks(wiring)
        return LookCost(
            self.id,
            count,
            calls_of_a_look(count),
            wiring.max_deliveries,
            wiring.dead_letter_queue,
            wiring.dead_letters,
            wiring.is_fifo,
            peeks,
            calls,
            near,
        )

    def held(self) -> Holding:
        """Return what this client holds of this destination; ``.frame()`` has a row for each message."""
        return self._connection.keeper.holding(self.id)

    def _ask(self, lock_ttl: Duration, polling_time: Duration, payload_visibility: PayloadVisibility = "full") -> Ask:
        lock_ms = milliseconds(lock_ttl, name="lock_ttl")
        if lock_ms < _LEAST_LOCK_MS:
            raise InvalidArgument(
                f"lock_ttl is {lock_ms} ms; at least {_LEAST_LOCK_MS} ms are needed to do anything with a message."
            )
        return Ask(
            self.id,
            milliseconds(polling_time, name="polling_time"),
            lock_ms,
            payload_visibility=payload_visibility,
        )

    async def _earlier_looks(self, wiring: Wiring) -> tuple[int | None, int | None, int | None]:
        """Return earlier peeks and receive calls, and how many known messages a look may bring to their last chance."""
        journal = self._connection.journal
        if journal is None:
            return None, None, None
        environment = (await self._connection.operations()).place.environment
        looks = await to_thread.run_sync(journal.looks, environment, self.id)
        near = None
        if wiring.max_deliveries is not None and wiring.dead_letters is not False:
            near = sum(wiring.is_last_chance(count + 1) for count in looks.delivery_counts.values())
        return looks.peeks, looks.receive_calls, near

    async def _refuse_the_last_look(self, wiring: Wiring) -> None:
        """Refuse a look that would bring messages to their last chance, where nothing can save them afterwards."""
        can_write = not self._connection.session.settings.read_only
        if can_write and (self.id in self._connection.confirmed or not await self._connection.session.production()):
            return
        near = (await self._earlier_looks(wiring))[2]
        if not near:
            return
        found = f"{near} messages of {self.id!r} have one delivery left (by the journal): another look may be the end of them"
        if not can_write:
            raise ReadOnly(
                f"{found}, as this connection is read_only and could not put them back. Nothing was sent. "
                "last_chance='return' looks all the same, and lets them go to the dead-letter queue.",
                verb="peek",
                destination=self.id,
            )
        raise ConfirmationNeeded(
            f"{found}. It is in production: confirm={self.id!r} (command line: --confirm) allows that such messages are put back "
            "whole. last_chance='return' lets them go to the dead-letter queue. Nothing was sent.",
            verb="peek",
            destination=self.id,
        )
