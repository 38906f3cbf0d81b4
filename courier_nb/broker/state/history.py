"""Reading the past: what the counts of a queue or an exchange were, and how much an environment was used."""

from __future__ import annotations

from collections.abc import Collection
from typing import NamedTuple

from courier_nb.broker.state.exchanges import ExchangeRow
from courier_nb.broker.state.meter import Use
from courier_nb.broker.state.queues import QueueRow
from courier_nb.broker.state.store import Store


class QueueCounts(NamedTuple):
    """The counts of a queue at a time (milliseconds since the epoch); see `QueueRow`."""

    at: int
    stored: int = 0
    locked: int = 0
    sent: int = 0
    received: int = 0
    acked: int = 0


class ExchangeCounts(NamedTuple):
    """The counts of an exchange at a time (milliseconds since the epoch); see `ExchangeRow`."""

    at: int
    published: int = 0
    delivered: int = 0


def of_queue(store: Store, queue: QueueRow, since: int, until: int) -> list[QueueCounts]:
    """Return the counts of a queue as they changed between two times.

    Parameters
    ----------
    store : Store
    queue : QueueRow
    since, until : int
        Milliseconds since the epoch.

    Returns
    -------
    list of QueueCounts
        By time; the first is as of `since` or before, and the last is of now if `until` is not before now.
    """
    columns = "stored, locked, sent, received, acked"
    live = (queue.stored, queue.locked, queue.sent, queue.received, queue.acked)
    return [QueueCounts(*row) for row in _samples(store, "queue", queue.pk, columns, live, since, until)]


def of_exchange(store: Store, exchange: ExchangeRow, since: int, until: int) -> list[ExchangeCounts]:
    """Return the counts of an exchange as they changed between two times; see `of_queue`."""
    columns, live = "published, delivered", (exchange.published, exchange.delivered)
    return [ExchangeCounts(*row) for row in _samples(store, "exchange", exchange.pk, columns, live, since, until)]


def of_use(store: Store, environments: Collection[int], since: int, until: int) -> list[tuple[int, Use]]:
    """Return how much environments were used, altogether.

    Parameters
    ----------
    store : Store
    environments : collection of int
        Their numbers.
    since, until : int
        Hours that begin between these, the latter excluded (milliseconds since the epoch).

    Returns
    -------
    list of (int, Use)
        The beginning of each hour in which there was any, and the use.
    """
    store.samples.write_use()
    places = ", ".join("?" * len(environments))
    rows = store.connection.execute(
        "select hour, sum(requests), sum(receipts), sum(units), sum(bytes) from usage"  # noqa: S608  # question marks only
        f" where environment in ({places}) and hour >= ? and hour < ? group by hour order by hour",
        (*environments, since, until),
    )
    return [(hour, Use(*use)) for hour, *use in rows]


def _samples(
    store: Store, kind: str, pk: int, columns: str, live: tuple[int, ...], since: int, until: int
) -> list[tuple[int, ...]]:
    rows: list[tuple[int, ...]] = store.connection.execute(
        f"select at, {columns} from {kind}_sample where {kind} = :pk and at <= :last and at >= coalesce("  # noqa: S608  # names of ours
        f"(select max(at) from {kind}_sample where {kind} = :pk and at <= :since), :since) order by at",
        {"pk": pk, "since": since, "last": min(until, store.now)},
    ).fetchall()
    # a sample stands at the end of its minute, so the present minute's is not there yet
    return [*rows, (store.now, *live)] if until >= store.now else rows
