"""The locks that a client has, by lock id: what is known of each, and how settling it went."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from courier_nb.core.clock import Clock
from courier_nb.core.messages import Outcome
from courier_nb.flows.guard import UNKNOWN, Wiring
from courier_nb.flows.locks.giving_back import note_extension, note_settling
from courier_nb.flows.locks.holding import HeldRow
from courier_nb.flows.locks.listeners import Listener, Listeners, LockNews, state_after
from courier_nb.flows.settle import Held, SettleVerb

_REMEMBERED_SECONDS = 3_600.0
_PRUNE_AT = 10_000


class LockTable:
    """What is known of each lock.

    Parameters
    ----------
    clock : Clock
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._rows: dict[str, HeldRow] = {}
        self._prune_at = _PRUNE_AT
        self._listeners = Listeners()

    def on_settled(self, listener: Listener) -> None:
        """Tell `listener`, a bound method, what becomes of locks, for as long as its object lives.

        It is called on the loop where messages are settled, which must not wait for it: it hands over what it is told, and works
        on it elsewhere.
        """
        self._listeners.add(listener)

    def known(self, locks: Sequence[Held]) -> list[Held]:
        """Return the same locks with the ends that the keeper knows of."""
        now = self._clock.monotonic()
        rows = [self._rows.get(lock.lock_id) for lock in locks]
        return [lock if row is None else row.as_held(now) for lock, row in zip(locks, rows, strict=True)]

    @contextmanager
    def settling(self, locks: Sequence[Held]) -> Iterator[None]:
        """Until the block ends, a refused extension of these locks says nothing: they are being settled."""
        rows = [row for lock in locks if (row := self._rows.get(lock.lock_id)) is not None]
        for row in rows:
            row.settling += 1
        try:
            yield
        finally:
            for row in rows:
                row.settling -= 1

    def settled(
        self,
        verb: SettleVerb,
        locks: Sequence[Held],
        outcomes: Sequence[Outcome],
        *,
        until: float = 0.0,
        wiring: Wiring = UNKNOWN,
    ) -> tuple[Outcome, ...]:
        """Note how `verb` ended for each lock; an extension was to make them last until `until`.

        `wiring` says which returned messages go to the dead-letter queue, as far as that is known.

        Returns
        -------
        tuple of Outcome
            The same outcomes, with what the broker does not say.
        """
        now = self._clock.monotonic()
        pairs = zip(locks, outcomes, strict=True)
        found = tuple(self._settled(verb, lock, outcome, now, until, wiring) for lock, outcome in pairs)
        states = {lock.lock_id: state_after(verb, outcome) for lock, outcome in zip(locks, found, strict=True)}
        tried = {lock: state for lock, state in states.items() if state is not None}
        end = datetime.now(UTC) + timedelta(seconds=until - now) if verb == "extend" else None
        ends = {} if end is None else {lock: end for lock, state in tried.items() if not state}
        self._listeners.tell(LockNews(tried, ends))
        self._noted(verb, locks, outcomes, until)
        return found

    def _noted(self, verb: SettleVerb, locks: Sequence[Held], outcomes: Sequence[Outcome], until: float) -> None:
        """Do what else there is to do once it is noted how locks were settled."""

    def tell_ended(self, rows: Sequence[HeldRow]) -> None:
        """Tell what became of messages that the keeper gave back by itself."""
        self._listeners.tell(LockNews({row.lock_id: row.ended for row in rows if row.ended is not None}))

    def _settled(self, verb: SettleVerb, lock: Held, outcome: Outcome, now: float, until: float, wiring: Wiring) -> Outcome:
        row = self._rows.get(lock.lock_id)
        if row is None:
            if verb != "extend" or outcome.kind != "ok":
                return outcome
            row = HeldRow(None, outcome.destination, lock.message_id, lock.lock_id, None, None, 0, now, now, is_kept=False)
            self._rows[lock.lock_id] = row
        if verb == "extend":
            note_extension(row, outcome, now, until)
            row.lock_ms = max(1_000, round((until - now) * 1_000))
        else:
            note_settling(row, verb, outcome, now)
        if row.ended in ("acked", "returned"):
            del self._rows[lock.lock_id]
        if verb == "nack" and outcome.kind == "ok" and (row.is_last_chance or wiring.is_last_chance(row.delivery_count)):
            return replace(outcome, reason="its deliveries are used up: it goes to the dead-letter queue")
        return outcome

    def _prune(self) -> None:
        """Forget locks that ended long ago, once there are many."""
        if len(self._rows) < self._prune_at:
            return
        past = self._clock.monotonic() - _REMEMBERED_SECONDS
        self._rows = {id_: row for id_, row in self._rows.items() if row.end(past) > past}
        self._prune_at = max(_PRUNE_AT, 2 * len(self._rows))
