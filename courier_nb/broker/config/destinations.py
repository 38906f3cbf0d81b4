"""Queues, exchanges and their bindings, as they are asked for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from courier_nb.broker.config.checks import (
    MAX_DELAY_MS,
    MAX_LOCK_TTL_MS,
    MAX_TTL_MS,
    check_flag,
    check_name,
    check_once,
    check_range,
    wrong,
)
from courier_nb.broker.config.routing import RoutingRule
from courier_nb.core.errors import ConfigError

MAX_BINDINGS = 450
MAX_BINDINGS_WITH_RULES = 10


@dataclass(frozen=True, slots=True)
class QueueConfig:
    """Settings of one queue.

    Attributes
    ----------
    id : str
        Name: 1 to 127 letters, digits, ``.``, ``-`` or ``_``.
    fifo : bool
        Whether messages of one group are given out in order, one receiver at a time, and repeated ids are dropped.
        Cannot be changed later.
    dead_letter_queue : str or None
        Queue of the same kind that takes messages after `max_deliveries` failed deliveries; None redelivers until the
        message expires.
    max_deliveries : int
        1 to 1000; only means something together with `dead_letter_queue`.
    default_ttl_ms : int
        How long messages are kept, in milliseconds; at most 14 days.
    default_lock_ttl_ms : int
        Length of a lock when the reader names none, in milliseconds; at most 12 hours.
    default_delivery_delay_ms : int
        How long new messages stay invisible, in milliseconds; at most 15 minutes.
    encrypted : bool
        A flag that is reported; nothing is encrypted.

    Raises
    ------
    ConfigError
        When a value is outside its limits.
    """

    id: str
    fifo: bool = False
    dead_letter_queue: str | None = None
    max_deliveries: int = 10
    default_ttl_ms: int = 604_800_000
    default_lock_ttl_ms: int = 120_000
    default_delivery_delay_ms: int = 0
    encrypted: bool = False

    def __post_init__(self) -> None:
        check_name("id", self.id)
        check_flag("fifo", self.fifo)
        check_flag("encrypted", self.encrypted)
        if self.dead_letter_queue is not None:
            check_name("dead_letter_queue", self.dead_letter_queue)
            if self.dead_letter_queue == self.id:
                raise wrong("dead_letter_queue", self.dead_letter_queue, "another queue than the queue itself")
        check_range("max_deliveries", self.max_deliveries, 1, 1000)
        check_range("default_ttl", self.default_ttl_ms, 1, MAX_TTL_MS, "a duration from 1 ms to 14 days")
        check_range("default_lock_ttl", self.default_lock_ttl_ms, 0, MAX_LOCK_TTL_MS, "a duration up to 12 hours")
        check_range("default_delivery_delay", self.default_delivery_delay_ms, 0, MAX_DELAY_MS, "a duration up to 15 minutes")


@dataclass(frozen=True, slots=True)
class Binding:
    """A queue that gets what is published to an exchange.

    Attributes
    ----------
    queue : str
        A standard queue of the same environment.
    rule : RoutingRule or None
        Which messages it gets; None means all.
    """

    queue: str
    rule: RoutingRule | None = None

    def __post_init__(self) -> None:
        check_name("bindings", self.queue)


@dataclass(frozen=True, slots=True)
class ExchangeConfig:
    """Settings of one exchange.

    Attributes
    ----------
    id : str
        Name, as of a queue.
    bindings : tuple of Binding or str
        Queues that receive what is published to the exchange; at most 450, or 10 when any of them has a rule.
    encrypted : bool
        A flag that is reported; nothing is encrypted.

    Raises
    ------
    ConfigError
        When a value is outside its limits.
    """

    id: str
    bindings: tuple[Binding | str, ...] = ()
    encrypted: bool = False

    def __post_init__(self) -> None:
        check_name("id", self.id)
        check_flag("encrypted", self.encrypted)
        check_once("bindings", (binding.queue for binding in self.bound), "each queue once")
        check_room(self.id, self.bound)

    @property
    def bound(self) -> tuple[Binding, ...]:
        """The bindings, all in the long form."""
        return tuple(binding if isinstance(binding, Binding) else Binding(binding) for binding in self.bindings)


def check_room(exchange: str, bindings: Sequence[Binding]) -> None:
    """Refuse more bindings than an exchange may have."""
    limit = MAX_BINDINGS_WITH_RULES if any(binding.rule is not None for binding in bindings) else MAX_BINDINGS
    if len(bindings) > limit:
        raise ConfigError(
            f"Exchange {exchange!r} has {len(bindings)} bindings, expected at most {MAX_BINDINGS},"
            f" or {MAX_BINDINGS_WITH_RULES} when any of them has a routing rule.",
            setting="bindings",
        )


def check_destinations(queues: Sequence[QueueConfig], exchanges: Sequence[ExchangeConfig]) -> None:
    """Refuse queues and exchanges that do not fit together; all are of one environment."""
    kinds = {queue.id: "fifo" if queue.fifo else "standard" for queue in queues}
    check_once("id", [queue.id for queue in queues], "each queue once")
    check_once("id", [*kinds, *(exchange.id for exchange in exchanges)], "each destination once")
    for queue in queues:
        target = queue.dead_letter_queue
        if target is None:
            continue
        if target not in kinds:
            raise wrong("dead_letter_queue", target, f"a queue that is declared too (queue {queue.id!r})")
        if kinds[target] != kinds[queue.id]:
            raise wrong("dead_letter_queue", target, f"a {kinds[queue.id]} queue, as queue {queue.id!r} is")
    for exchange in exchanges:
        for binding in exchange.bound:
            if kinds.get(binding.queue) != "standard":
                what = "a queue that is declared too" if binding.queue not in kinds else "a standard queue, not a FIFO queue"
                raise wrong("bindings", binding.queue, f"{what} (exchange {exchange.id!r})")
