"""``GET …/queues/{queue}`` and ``…/exchanges/{exchange}``: what went on in a time, period by period."""

from __future__ import annotations

from collections.abc import Callable

from courier_nb.broker.api.ask import Ask
from courier_nb.broker.api.engine import Engine
from courier_nb.broker.api.stats.series import at_moments, gauge, growth, moments
from courier_nb.broker.api.stats.windows import read_window
from courier_nb.broker.api.values import required
from courier_nb.broker.api.web import Response, json_response, whole_number
from courier_nb.broker.state.history import ExchangeCounts, QueueCounts, of_exchange, of_queue
from courier_nb.broker.state.store import Store

_MAX_PERIOD_SECONDS = 86_400


class Histories:
    """Tells the past of queues and exchanges."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    async def of_queue(self, ask: Ask) -> Response:
        """Show how many messages a queue held, and how many went in and out."""
        at = ask.address("queue")
        times_until = _times(ask)

        def read(store: Store) -> tuple[list[int], list[QueueCounts]]:
            times = times_until(store.now)
            return times, of_queue(store, store.queues.get(at), times[0], times[-1])

        times, known = await self._engine.committer.submit(read)
        counts = at_moments(known, times, QueueCounts(0))
        waiting = gauge(counts, times, lambda count: count.stored - count.locked)
        history = {
            "destination": at.id,
            "messages": waiting,
            "inflightMessages": gauge(counts, times, lambda count: count.locked),
            "messagesVisible": waiting,
            "messagesSent": growth(counts, times, lambda count: count.sent),
            "messagesReceived": growth(counts, times, lambda count: count.received),
            "messagesAcked": growth(counts, times, lambda count: count.acked),
        }
        return json_response({"value": history} if self._engine.config.switches.history_shape == "value" else history)

    async def of_exchange(self, ask: Ask) -> Response:
        """Show how many messages were published to an exchange, and how many copies went into queues."""
        at = ask.address("exchange")
        times_until = _times(ask)

        def read(store: Store) -> tuple[list[int], list[ExchangeCounts]]:
            times = times_until(store.now)
            return times, of_exchange(store, store.exchanges.get(at), times[0], times[-1])

        times, known = await self._engine.committer.submit(read)
        counts = at_moments(known, times, ExchangeCounts(0))
        return json_response(
            {
                "destination": at.id,
                "messagesPublished": growth(counts, times, lambda count: count.published),
                "messagesDelivered": growth(counts, times, lambda count: count.delivered),
            }
        )


def _times(ask: Ask) -> Callable[[int], list[int]]:
    """Return what gives the moments that are asked for, when it is told what time it is."""
    query = ask.request.query()
    window = read_window(query)
    required(query, "period")
    seconds = whole_number(query, "period", 1, _MAX_PERIOD_SECONDS, None) or 1
    return lambda now: moments(window, seconds * 1_000, now)
