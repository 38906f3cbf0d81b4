"""``GET …/messages``: receive, at once or by a long poll."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from courier_nb.broker.api import incoming, outgoing
from courier_nb.broker.api.engine import Engine
from courier_nb.broker.api.polls import Polls
from courier_nb.broker.api.target import Target
from courier_nb.broker.api.web import Refusal, Request, Response, one_word, whole_number
from courier_nb.broker.config.checks import MAX_LOCK_TTL_MS
from courier_nb.broker.state.messages import Delivery
from courier_nb.broker.state.parking import NotYet
from courier_nb.broker.state.queues import Address
from courier_nb.broker.state.store import SHOW_EVERYTHING, Store

MAX_POLL_MS = 20_000
_DEFAULT_POLL_MS = 10_000
_DEFAULT_LOCK_MS = 120_000

_PARAMETERS = ("pollingTime", "batchSize", "lockTtl", "payloadVisibility")
_SHOW_UP_TO = {"full": SHOW_EVERYTHING, "none": -1, "conditional": 1024 * 1024}


class Receiving:
    """Answers receives."""

    def __init__(self, engine: Engine, polls: Polls) -> None:
        self._engine = engine
        self._switches = engine.config.switches
        self._polls = polls

    async def receive(self, request: Request, target: Target) -> Response:
        """Give out messages under locks, as soon as there are any."""
        query = request.query()
        self._check_known(query)
        poll_ms = self._poll_ms(query)
        limit = target.strike.at_most(whole_number(query, "batchSize", 1, incoming.MAX_BATCH, 1) or 1)
        work = partial(
            _receive_and_copy if target.strike.duplicates else Store.receive,
            at=target.at,
            limit=limit,
            lock_ttl_ms=self._lock_ttl_ms(query),
            show_up_to=_SHOW_UP_TO[one_word(query, "payloadVisibility", ("full", "none", "conditional"))],
        )

        def give_back(store: Store, deliveries: list[Delivery]) -> None:
            store.give_back(target.at, deliveries)

        if poll_ms and limit:
            deadline = self._engine.clock.monotonic() + poll_ms / 1_000
            waiting = partial(_or_wait, work=work, at=target.at, deadline=deadline)
            deliveries = await self._polls.wait(waiting, give_back, request.receive)
        else:
            deliveries = await self._polls.take(work, give_back)
        if not deliveries:
            return Response(204)
        self._engine.meter.add_received(target.at.environment, [delivery.size for delivery in deliveries])
        return Response(200, outgoing.deliveries_json(deliveries, self._switches.hidden_body))

    def _check_known(self, query: dict[str, str]) -> None:
        if self._switches.unknown_parameters == "refuse":
            for name in query:
                if name not in _PARAMETERS:
                    raise Refusal(400, f"{name} is not a parameter, expected {', '.join(_PARAMETERS)}.")

    def _poll_ms(self, query: dict[str, str]) -> int:
        poll_ms = whole_number(query, "pollingTime", 0, MAX_POLL_MS, _DEFAULT_POLL_MS) or 0
        return _DEFAULT_POLL_MS if poll_ms == 0 and self._switches.zero_polling == "default" else poll_ms

    def _lock_ttl_ms(self, query: dict[str, str]) -> int | None:
        longest = MAX_LOCK_TTL_MS * (2 if self._switches.receive_lock_limit == "24h" else 1)
        default = _DEFAULT_LOCK_MS if self._switches.receive_lock_default == "2m" else None
        lock_ms = whole_number(query, "lockTtl", 0, longest, default)
        return default if lock_ms == 0 and self._switches.zero_lock == "default" else lock_ms


def _receive_and_copy(store: Store, *, at: Address, limit: int, lock_ttl_ms: int | None, show_up_to: int) -> list[Delivery]:
    deliveries = store.receive(at, limit=limit, lock_ttl_ms=lock_ttl_ms, show_up_to=show_up_to)
    for delivery in deliveries:
        store.copy(at, delivery)
    return deliveries


def _or_wait(
    store: Store, *, work: Callable[[Store], list[Delivery]], at: Address, deadline: float
) -> list[Delivery] | NotYet[list[Delivery]]:
    deliveries = work(store)
    if deliveries:
        return deliveries
    queue = store.queue(at)
    return NotYet(queue.pk, store.next_due(queue), deadline, [])
