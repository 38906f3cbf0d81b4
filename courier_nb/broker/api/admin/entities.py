"""Queues, exchanges, bindings and client apps as the Admin API shows them. What does not apply is left out."""

from __future__ import annotations

from typing import Any

from courier_nb.broker.config.broker import BrokerConfig
from courier_nb.broker.config.regions import FALLBACK_REGIONS, FALLBACK_SUFFIX
from courier_nb.broker.state.clients import ClientRow
from courier_nb.broker.state.exchanges import BoundQueue, ExchangeRow, rule_json
from courier_nb.broker.state.queues import Address, QueueRow
from courier_nb.broker.state.store import Store

DELAY_MS = {"ms": 1, "s": 1_000}  # the switch delay_unit to the length of what defaultDeliveryDelay counts


def queue_entity(store: Store, row: QueueRow, config: BrokerConfig) -> dict[str, Any]:
    """Return a queue."""
    sources = [source.id for source in store.queues.sources(Address(row.environment, row.id))]
    entity: dict[str, Any] = {
        **minimal_entity(row),
        "fifo": bool(row.fifo),
        "encrypted": bool(row.encrypted),
        "defaultTtl": row.default_ttl_ms,
        "defaultLockTtl": row.default_lock_ttl_ms,
        "defaultDeliveryDelay": row.default_delivery_delay_ms // DELAY_MS[config.switches.delay_unit],
        "isFallback": is_fallback(row.id),
    }
    if row.dead_letter_queue is not None:
        entity |= {"maxDeliveries": row.max_deliveries, "deadLetterQueueId": row.dead_letter_queue}
    if sources:
        entity["deadLetterSources"] = sources
    if row.fallback and config.region in FALLBACK_REGIONS:
        entity["fallbackConfig"] = fallback_config(row, config.region)
    return entity


def fallback_config(row: QueueRow, region: str) -> dict[str, Any]:
    """Return where a queue fails over to."""
    return {
        "enabled": bool(row.fallback),
        "linkedQueueName": row.id + FALLBACK_SUFFIX,
        "linkedQueueRegion": FALLBACK_REGIONS[region],
    }


def exchange_entity(row: ExchangeRow) -> dict[str, Any]:
    """Return an exchange."""
    return {**minimal_entity(row), "encrypted": bool(row.encrypted)}


def minimal_entity(row: QueueRow | ExchangeRow) -> dict[str, Any]:
    """Return what a queue or exchange is called, and nothing else."""
    kind = "queue" if isinstance(row, QueueRow) else "exchange"
    return {"type": kind, f"{kind}Id": row.id}


def binding_entity(bound: BoundQueue, *, with_rule: bool) -> dict[str, Any]:
    """Return a binding; its rule only where it is wanted and there is one."""
    entity: dict[str, Any] = {"queueId": bound.queue_id, "exchangeId": bound.exchange_id}
    if with_rule and bound.rule is not None:
        entity["routingRules"] = [rule_json(bound.rule)]
    return entity


def client_entity(row: ClientRow) -> dict[str, str]:
    """Return a client app with its secret."""
    return {"name": row.name, "clientId": row.client_id, "clientSecret": row.secret}


def is_fallback(queue_id: str) -> bool:
    """Tell by its name whether a queue is one that the service makes for another."""
    return queue_id.endswith(FALLBACK_SUFFIX)
