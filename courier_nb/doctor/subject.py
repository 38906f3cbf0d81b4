"""The queue that is to be probed: what is known about it, and whether it may be probed at all."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from courier_nb.core.errors import CourierError, InvalidArgument
from courier_nb.core.messages import whole_number
from courier_nb.doctor.caller import Caller

_LEAST_DELIVERIES, _MOST_DELIVERIES = 5, 10
_LONGEST_DELAY_MS = 30_000


@dataclass(frozen=True, slots=True)
class Subject:
    """A throw-away queue, and what the Admin API says about it.

    Attributes
    ----------
    queue : str
    region : str or None
        Path of the region in Admin and Stats; None when it is not known.
    fifo : bool or None
        None when the Admin API could not be asked, as for everything below.
    dead_letter_queue : str or None
    max_deliveries : int or None
    default_lock_ms : int or None
    default_delay : int or None
        As it is given: its unit is disputed.
    no_dead_letters : str
        Why dead letters cannot be tried; empty when they can.
    exchange : str or None
        An exchange whose reading is to be tried.
    no_exchange : str
        Why reading an exchange cannot be tried; empty when it can.
    large : bool
        Whether more than 10 MB may be sent.
    """

    queue: str
    region: str | None = None
    fifo: bool | None = None
    dead_letter_queue: str | None = None
    max_deliveries: int | None = None
    default_lock_ms: int | None = None
    default_delay: int | None = None
    no_dead_letters: str = ""
    exchange: str | None = None
    no_exchange: str = ""
    large: bool = False

    @property
    def delay_ms(self) -> int:
        """How much longer than usual to wait for a message, at most, whatever the unit of the queue's delay is."""
        delay = self.default_delay or 0
        return min(delay * 1_000 if delay <= _LONGEST_DELAY_MS // 1_000 else delay, 15_000)


async def look_at(caller: Caller, queue: str, *, exchange: str | None = None, large: bool = False) -> Subject:
    """Return what is known about a queue, without receiving from it.

    Raises
    ------
    InvalidArgument
        When it is not a throw-away queue: it holds messages, takes the dead letters of another, or is no queue.
    """
    region = await _region_path(caller)
    if region is None:
        why = "the region is not known, so the Admin API cannot be asked"
        return Subject(queue, no_dead_letters=why, exchange=exchange, no_exchange=_no_exchange(exchange, why), large=large)
    await _check_empty(caller, region, queue)
    entity = await _entity(caller, region, "queues", queue)
    if entity is None:
        why = "the Admin API does not tell these credentials what kind of queue it is"
        return Subject(
            queue, region, no_dead_letters=why, exchange=exchange, no_exchange=_no_exchange(exchange, why), large=large
        )
    sources = entity.get("deadLetterSources")
    if sources:
        raise InvalidArgument(
            f"{queue!r} takes the dead letters of {', '.join(map(str, sources))}: name a queue of its own to probe."
        )
    dead = entity.get("deadLetterQueueId") or None
    deliveries = whole_number(entity.get("maxDeliveries"))
    if dead is not None and deliveries is not None and deliveries < _LEAST_DELIVERIES:
        raise InvalidArgument(
            f"{queue!r} gives a message {deliveries} deliveries, so the doctor's own would become dead letters: name a queue "
            f"whose maxDeliveries is at least {_LEAST_DELIVERIES}; nothing was sent."
        )
    return Subject(
        queue,
        region,
        fifo=entity.get("fifo") is True,
        dead_letter_queue=dead,
        max_deliveries=deliveries,
        default_lock_ms=whole_number(entity.get("defaultLockTtl")),
        default_delay=whole_number(entity.get("defaultDeliveryDelay")),
        no_dead_letters=await _no_dead_letters(caller, region, queue, dead, deliveries),
        exchange=exchange,
        no_exchange=await _no_readable_exchange(caller, region, exchange),
        large=large,
    )


async def _region_path(caller: Caller) -> str | None:
    try:
        return f"/regions/{quote(await caller.region(), safe='')}"
    except CourierError:
        return None


async def _check_empty(caller: Caller, region: str, queue: str) -> None:
    depth = await _depth(caller, region, queue)
    if depth is not None and any(depth):
        raise InvalidArgument(
            f"{queue!r} is not empty: {depth[0]} messages wait and {depth[1]} are in flight (as of the last minute). Only an "
            "empty throw-away queue is probed; nothing was sent."
        )


async def _depth(caller: Caller, region: str, queue: str) -> tuple[int, int] | None:
    answer = await caller.stats("Stats API", f"{region}/queues", destinationIds=queue)
    for entry in answer.entries if answer.is_success else []:
        messages = whole_number(entry.get("messages"))
        if entry.get("destination") == queue and messages is not None:
            return messages, whole_number(entry.get("inflightMessages")) or 0
    return None


async def _entity(caller: Caller, region: str, kind: str, name: str) -> dict[str, Any] | None:
    answer = await caller.admin("Admin API", f"{region}/destinations/{kind}/{quote(name, safe='')}")
    if answer.status == 404 and kind == "queues":
        raise InvalidArgument(f"There is no queue {name!r} in this environment and region; nothing was sent.")
    return answer.entries[0] if answer.is_success and answer.entries else None


async def _no_dead_letters(caller: Caller, region: str, queue: str, dead: str | None, deliveries: int | None) -> str:
    if dead is None:
        return "the queue has no dead-letter queue"
    if deliveries is None or deliveries > _MOST_DELIVERIES:
        return f"maxDeliveries is {deliveries}; more than {_MOST_DELIVERIES} deliveries would take too many calls"
    entity = await _entity(caller, region, "queues", dead)
    if entity is None or entity.get("deadLetterSources") != [queue]:
        return f"{dead!r} is not certainly the dead-letter queue of this queue alone"
    depth = await _depth(caller, region, dead)
    return "" if depth == (0, 0) else f"the dead-letter queue {dead!r} is not certainly empty"


async def _no_readable_exchange(caller: Caller, region: str, exchange: str | None) -> str:
    if exchange is None:
        return _no_exchange(exchange, "")
    entity = await _entity(caller, region, "exchanges", exchange)
    is_exchange = entity is not None and entity.get("exchangeId") == exchange
    return "" if is_exchange else f"{exchange!r} is not certainly an exchange, and reading a queue would lock a message"


def _no_exchange(exchange: str | None, why: str) -> str:
    return why if exchange is not None else "no exchange was named with exchange= (--exchange)"
