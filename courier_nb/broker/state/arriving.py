"""What happens when messages are published: into a queue, or through an exchange into several."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence

from courier_nb.broker.config.routing import visible_to_rules
from courier_nb.broker.config.switches import Switches
from courier_nb.broker.state.errors import Unacceptable
from courier_nb.broker.state.exchanges import ExchangeRow, Exchanges
from courier_nb.broker.state.groups import DEFAULT_GROUP, Groups
from courier_nb.broker.state.messages import NewMessage
from courier_nb.broker.state.queues import QueueRow, Queues

_INSERT = (
    "insert into message(seq, heap, member, visible_at, expires_at, created, own_ttl, id, size, headers, properties, body)"
    " values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
)


class Arriving:
    """Stores new messages, inside whatever transaction is open.

    Parameters
    ----------
    connection : sqlite3.Connection
    queues : Queues
    exchanges : Exchanges
    groups : Groups
    touched : set of int
        Takes the numbers of the queues in which messages became visible.
    switches : Switches
    """

    def __init__(
        self,
        connection: sqlite3.Connection,
        queues: Queues,
        exchanges: Exchanges,
        groups: Groups,
        touched: set[int],
        switches: Switches,
    ) -> None:
        self._connection = connection
        self._queues = queues
        self._exchanges = exchanges
        self._groups = groups
        self._touched = touched
        self._switches = switches

    def append(self, queue: QueueRow, messages: Sequence[NewMessage], now: int) -> None:
        """Append messages to a queue; a FIFO queue drops those whose id it has just had."""
        if queue.fifo:
            if self._switches.fifo_message_delay == "refuse" and any(message.delay_ms is not None for message in messages):
                raise Unacceptable("deliveryDelay is not possible for single messages of a FIFO queue.")
            messages = self._groups.fresh(queue.pk, messages, now)
        first = self._connection.execute("select coalesce(max(seq), 0) + 1 from message").fetchone()[0]
        self._connection.executemany(
            _INSERT, [self._row(queue, seq, message, now) for seq, message in enumerate(messages, first)]
        )
        self._queues.count(queue, stored=len(messages), sent=len(messages))
        self._touched.add(queue.pk)

    def fan_out(self, exchange: ExchangeRow, messages: Sequence[NewMessage], now: int) -> None:
        """Append messages to the queues that an exchange passes them on to."""
        delivered = 0
        bindings = self._exchanges.bindings(exchange)
        has_rules = any(bound.rule is not None for bound in bindings)
        seen = [(message, visible_to_rules(*message.attributes) if has_rules else {}) for message in messages]
        for bound in bindings:
            rule = bound.rule
            wanted = [message for message, attributes in seen if rule is None or rule.matches(attributes)]
            if wanted:
                self.append(self._queues.by_pk(bound.queue), wanted, now)
                delivered += len(wanted)
        self._exchanges.count(exchange, published=len(messages), delivered=delivered)

    def _row(self, queue: QueueRow, seq: int, message: NewMessage, now: int) -> tuple[object, ...]:
        delay_ms = queue.default_delivery_delay_ms if queue.fifo or message.delay_ms is None else message.delay_ms
        visible_at = now + delay_ms
        member = self._groups.join(queue.heap, message.group or DEFAULT_GROUP, seq, visible_at) if queue.fifo else None
        ttl_ms = queue.default_ttl_ms if message.ttl_ms is None else message.ttl_ms
        return (
            seq,
            queue.heap,
            member,
            visible_at,
            now + ttl_ms,
            now,
            message.ttl_ms,
            message.id,
            message.size,
            message.headers,
            message.properties,
            message.body,
        )
