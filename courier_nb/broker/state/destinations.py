"""Making, changing, emptying and deleting queues and exchanges."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable

from courier_nb.broker.config.destinations import Binding, ExchangeConfig, QueueConfig, check_room
from courier_nb.broker.config.routing import RoutingRule
from courier_nb.broker.config.switches import Switches
from courier_nb.broker.state.errors import Unacceptable, UnknownDestination
from courier_nb.broker.state.exchanges import BoundQueue, Exchanges
from courier_nb.broker.state.groups import Groups
from courier_nb.broker.state.queues import Address, QueueRow, Queues


class Destinations:
    """Administers queues and exchanges, inside whatever transaction is open.

    Parameters
    ----------
    connection : sqlite3.Connection
    queues : Queues
    exchanges : Exchanges
    groups : Groups
    touched : set of int
        Takes the numbers of the queues that whoever waits for messages should look at again.
    switches : Switches
    now : callable
        Returns the time of the transaction, in milliseconds since the epoch.
    """

    def __init__(
        self,
        connection: sqlite3.Connection,
        queues: Queues,
        exchanges: Exchanges,
        groups: Groups,
        touched: set[int],
        switches: Switches,
        now: Callable[[], int],
    ) -> None:
        self._connection = connection
        self._queues = queues
        self._exchanges = exchanges
        self._groups = groups
        self._touched = touched
        self._switches = switches
        self._now = now

    def purge(self, at: Address) -> int:
        """Delete every message of a queue, locked ones too; return how many there were."""
        queue = self._queues.get(at)
        self._queues.empty(queue)
        return queue.stored

    def put_queue(self, environment: int, settings: QueueConfig) -> None:
        """Create a queue or change its settings.

        Raises
        ------
        Unacceptable
            When the name is taken by an exchange, the kind would change, or the dead-letter queue is missing or of another kind.
        """
        at = Address(environment, settings.id)
        if self._exchanges.find(at):
            raise Unacceptable(f"{settings.id!r} is the name of an exchange.")
        old = self._queues.find(at)
        if old is not None and bool(old.fifo) != settings.fifo:
            raise Unacceptable(f"Queue {settings.id!r} is a {_kind(old.fifo)} queue, and the kind of a queue cannot be changed.")
        if settings.dead_letter_queue is not None:
            target = self._queues.find(Address(environment, settings.dead_letter_queue))
            if target is None:
                raise Unacceptable(f"The dead-letter queue {settings.dead_letter_queue!r} does not exist.")
            if bool(target.fifo) != settings.fifo:
                raise Unacceptable(
                    f"The dead-letter queue of a {_kind(settings.fifo)} queue must be a {_kind(settings.fifo)} queue."
                )
            self._touched.add(target.pk)  # what is in flight may go there from now on
        self._queues.put(environment, settings)
        new = self._queues.get(at)
        if old is not None:
            self._apply_changed(old, new)
        self._touched.add(new.pk)

    def delete_queue(self, at: Address) -> None:
        """Delete a queue with its messages.

        Raises
        ------
        UnknownDestination
        Unacceptable
            When it is another queue's dead-letter queue.
        """
        queue = self._queues.get(at)
        sources = self._queues.sources(at)
        if sources:
            raise Unacceptable(f"Queue {at.id!r} is the dead-letter queue of {sources[0].id!r}: change that first.")
        self._queues.empty(queue)
        self._queues.remove(queue)
        self._touched.add(queue.pk)

    def put_exchange(self, environment: int, settings: ExchangeConfig) -> None:
        """Create an exchange or change its settings; bindings that it has stay, those in `settings` are added."""
        at = Address(environment, settings.id)
        if self._queues.find(at):
            raise Unacceptable(f"{settings.id!r} is the name of a queue.")
        self._exchanges.put(environment, settings)
        for binding in settings.bound:
            self.bind(at, binding.queue, binding.rule)

    def bind(self, at: Address, queue_id: str, rule: RoutingRule | None) -> None:
        """Bind a queue to an exchange, or give its binding another rule.

        Raises
        ------
        UnknownDestination
        Unacceptable
            When the queue is a FIFO queue, or the exchange has too many bindings.
        """
        exchange = self._exchanges.get(at)
        queue = self._queues.get(Address(at.environment, queue_id))
        if queue.fifo:
            raise Unacceptable(f"Queue {queue_id!r} is a FIFO queue, and those cannot be bound to an exchange.")
        others = [bound.binding for bound in self._exchanges.bindings(exchange) if bound.queue != queue.pk]
        check_room(at.id, [*others, Binding(queue_id, rule)])
        self._exchanges.bind(exchange, queue.pk, rule)

    def find_binding(self, at: Address, queue_id: str) -> BoundQueue | None:
        """Return the binding of a queue to an exchange, if there is one; both must exist."""
        queue = self._queues.get(Address(at.environment, queue_id))
        return self._exchanges.binding(self._exchanges.get(at), queue.pk)

    def get_binding(self, at: Address, queue_id: str) -> BoundQueue:
        """Return the binding of a queue to an exchange or raise `UnknownDestination`."""
        found = self.find_binding(at, queue_id)
        if found is None:
            raise UnknownDestination("binding", f"{at.id} to {queue_id}")
        return found

    def unbind(self, at: Address, queue_id: str) -> None:
        """Remove the binding of a queue to an exchange; the rule goes with it.

        Raises
        ------
        UnknownDestination
        """
        bound = self.get_binding(at, queue_id)
        self._exchanges.unbind(self._exchanges.get(at), bound.queue)

    def delete_exchange(self, at: Address) -> None:
        """Delete an exchange with its bindings.

        Raises
        ------
        UnknownDestination
        """
        self._exchanges.remove(self._exchanges.get(at))

    def set_fallback(self, at: Address, *, is_on: bool) -> None:
        """Note whether a queue has a fallback queue in another region.

        Raises
        ------
        UnknownDestination
        Unacceptable
            For a FIFO queue, and for one whose dead-letter queue has none.
        """
        queue = self._queues.get(at)
        if queue.fifo:
            raise Unacceptable(f"Queue {at.id!r} is a FIFO queue, and those have no failover.")
        if is_on and queue.dead_letter_address is not None and not self._queues.get(queue.dead_letter_address).fallback:
            raise Unacceptable(f"Turn on the failover of its dead-letter queue {queue.dead_letter_queue!r} first.")
        self._queues.set_fallback(queue, is_on=is_on)

    def _apply_changed(self, old: QueueRow, new: QueueRow) -> None:
        if new.default_ttl_ms != old.default_ttl_ms and self._switches.changed_ttl == "all":
            self._connection.execute(
                "update message set expires_at = created + ? where heap = ? and own_ttl is null and expires_at > ?",
                (new.default_ttl_ms, new.heap, self._now()),
            )
        delay_ms = new.default_delivery_delay_ms
        if new.fifo and delay_ms != old.default_delivery_delay_ms and self._switches.changed_fifo_delay == "all":
            self._connection.execute(
                "update message set visible_at = created + ? where heap = ? and token is null and deliveries = 0",
                (delay_ms, new.heap),
            )
            self._groups.due_again(new.heap)


def _kind(fifo: int) -> str:
    return "FIFO" if fifo else "standard"
