"""The faults that a broker shows at the moment, and which of them strikes a request."""

from __future__ import annotations

import random
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from courier_nb.broker.config.faults import Fault

_ITEM_TEXT = "Internal server error"


class ActiveFault:
    """A fault at work.

    Attributes
    ----------
    fault : Fault
    calls : int
        How many requests it has concerned so far.
    strikes : int
        How many of them it has struck.
    """

    __slots__ = ("calls", "fault", "strikes")

    def __init__(self, fault: Fault) -> None:
        self.fault = fault
        self.calls = 0
        self.strikes = 0

    def __repr__(self) -> str:
        return f"<ActiveFault {self.fault.kind}: {self.strikes} strikes in {self.calls} calls>"

    def count(self, operation: str, destination: str) -> bool:
        """Count a request if it is concerned; tell whether it is this fault's turn."""
        fault = self.fault
        if operation not in fault.concerned or fault.destination not in (None, destination):
            return False
        self.calls += 1
        if self.calls <= fault.after or (fault.times is not None and self.strikes >= fault.times):
            return False
        if fault.probability is not None:
            return _lots(fault, self.calls, "turn").random() < fault.probability
        return (self.calls - fault.after - 1) % fault.every == 0


@dataclass(frozen=True, slots=True)
class Strike:
    """What a fault makes of one request; as given, it makes nothing of it.

    Attributes
    ----------
    fault : Fault or None
    call : int
        The number of the request among those that concern the fault.
    """

    fault: Fault | None = None
    call: int = 0

    @property
    def duplicates(self) -> bool:
        """Whether copies of what is received stay in the queue."""
        return self.fault is not None and self.fault.kind == "duplicate"

    @property
    def answers_with_object(self) -> bool:
        """Whether one object answers a batch."""
        return self.fault is not None and self.fault.kind == "object_not_array"

    @property
    def item_text(self) -> str:
        """What is said of an item that fails."""
        return _ITEM_TEXT if self.fault is None or self.fault.text is None else self.fault.text

    def at_most(self, asked: int) -> int:
        """Return how many messages to give, out of those asked for."""
        return asked if self.fault is None or self.fault.limit is None else min(asked, self.fault.limit)

    def failing(self, count: int) -> frozenset[int]:
        """Return which of so many items are to fail."""
        if self.fault is None or self.fault.kind != "item_failure":
            return frozenset()
        if self.fault.share is None:
            return frozenset(item for item in self.fault.items if item < count)
        lots, share = _lots(self.fault, self.call, "items"), self.fault.share
        return frozenset(item for item in range(count) if lots.random() < share)


UNTOUCHED = Strike()


class Faults:
    """The faults of a broker, in the order in which they come to their turn. May be used from any thread.

    Iterating gives an `ActiveFault` each, which counts on while it is at work.

    Parameters
    ----------
    faults : iterable of Fault
        Those at work from the start.

    Examples
    --------
    >>> with broker.faults.during(Fault("throttled", operations=("receive",), times=2, retry_after=1)) as (throttled,):
    ...     ...  # what is to be tested
    >>> throttled.strikes
    2
    """

    def __init__(self, faults: Iterable[Fault] = ()) -> None:
        self._lock = threading.Lock()
        self._active = tuple(ActiveFault(fault) for fault in faults)

    def __iter__(self) -> Iterator[ActiveFault]:
        return iter(self._active)

    def __len__(self) -> int:
        return len(self._active)

    def __repr__(self) -> str:
        return f"<Faults: {', '.join(active.fault.kind for active in self._active) or 'none'}>"

    def add(self, *faults: Fault) -> tuple[ActiveFault, ...]:
        """Let faults begin, after those that are at work already; return them as they count."""
        added = tuple(ActiveFault(fault) for fault in faults)
        with self._lock:
            self._active += added
        return added

    def clear(self) -> None:
        """End all faults, also those of the configuration."""
        with self._lock:
            self._active = ()

    @contextmanager
    def during(self, *faults: Fault) -> Iterator[tuple[ActiveFault, ...]]:
        """Let faults be at work while the block runs; yield them as they count."""
        added = self.add(*faults)
        try:
            yield added
        finally:
            with self._lock:
                self._active = tuple(active for active in self._active if active not in added)

    def strike(self, operation: str, destination: str = "") -> Strike | None:
        """Count a request; return what the fault whose turn it is makes of it, or None.

        Parameters
        ----------
        operation : str
            One of `OPERATIONS`.
        destination : str
            Queue or exchange; empty when the request names none.
        """
        if not self._active:
            return None
        with self._lock:
            # every fault counts, so that its turns do not depend on the others
            due = [active for active in self._active if active.count(operation, destination)]
            if not due:
                return None
            due[0].strikes += 1
            return Strike(due[0].fault, due[0].calls)


def _lots(fault: Fault, call: int, what: str) -> random.Random:
    """Return the lots for one request: by number, so that they do not depend on what was drawn before."""
    # with what tells faults apart, so that two with the same seed do not always strike the same requests
    name = f"{fault.seed} {fault.kind} {' '.join(fault.concerned)} {fault.destination} {call} {what}"
    return random.Random(name)  # noqa: S311  # for tests, and to be the same each time
