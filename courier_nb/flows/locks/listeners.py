"""Who is told what becomes of locks: tables that show their messages."""

from __future__ import annotations

import logging
import weakref
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from courier_nb.core.messages import Outcome

_log = logging.getLogger("courier_nb")

DEAD_LETTERED = "dead-lettered"
"""State of a message that was returned when its deliveries were used up."""

_DONE = {"ack": "acked", "nack": "returned", "extend": ""}
_NOT_DONE = {"lost_lock": "lost_lock", "refused": "refused", "unknown": "unknown"}


@dataclass(frozen=True)
class LockNews:
    """What became of locks.

    Attributes
    ----------
    states : mapping of str to str
        By lock id: ``acked``, ``returned``, ``dead-lettered``, ``put_back``, ``lost_lock``, ``refused``, ``unknown``; empty where
        the lock was extended, so that a state of before no longer holds.
    ends : mapping of str to datetime
        By lock id, until when those last that were extended (UTC).
    """

    states: Mapping[str, str]
    ends: Mapping[str, datetime] = field(default_factory=dict)


Listener = Callable[[LockNews], None]


def state_after(verb: str, outcome: Outcome) -> str | None:
    """Return the state of a message after ``ack``, ``nack`` or ``extend``, as in `LockNews`; None when it was not tried."""
    if outcome.kind != "ok":
        return _NOT_DONE.get(outcome.kind)
    return DEAD_LETTERED if verb == "nack" and "dead-letter" in outcome.reason else _DONE[verb]


class Listeners:
    """Methods that are told, for as long as somebody else keeps their objects."""

    def __init__(self) -> None:
        self._methods: tuple[weakref.WeakMethod[Listener], ...] = ()

    def add(self, method: Listener) -> None:
        """Tell `method`, a bound method, from now on; its object is not kept alive by that."""
        self._methods = (*(one for one in self._methods if one() is not None), weakref.WeakMethod(method))

    def tell(self, news: LockNews) -> None:
        """Tell everybody."""
        for one in self._methods:
            method = one()
            if method is None or not news.states:
                continue
            try:
                method(news)
            except Exception:  # noqa: BLE001  # what was settled is settled, whoever cannot show it
                _log.exception("A table could not be told what became of its messages.")
