"""``…/destinations/queues/{queue}``: one queue's settings, its messages as a whole, its fallback queue."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from courier_nb.broker.api.admin.entities import DELAY_MS, fallback_config, is_fallback, queue_entity
from courier_nb.broker.api.admin.fields import Fields
from courier_nb.broker.api.admin.names import check_new_name
from courier_nb.broker.api.ask import Ask
from courier_nb.broker.api.engine import Engine
from courier_nb.broker.api.values import wrong
from courier_nb.broker.api.web import Response, json_response
from courier_nb.broker.config.checks import MAX_DELAY_MS, MAX_LOCK_TTL_MS, MAX_TTL_MS, check_name
from courier_nb.broker.config.destinations import QueueConfig
from courier_nb.broker.config.regions import FALLBACK_REGIONS
from courier_nb.broker.state.errors import Unacceptable
from courier_nb.broker.state.queues import Address
from courier_nb.broker.state.store import Store

_MAX_DELIVERIES = 1_000
_SET = (
    "fifo",
    "encrypted",
    "defaultTtl",
    "defaultLockTtl",
    "defaultDeliveryDelay",
    "maxDeliveries",
    "deadLetterQueueId",
)
# may be sent back as they were read
_ONLY_READ = ("type", "queueId", "deadLetterSources", "isFallback", "fallbackConfig")
_DEAD_LETTER: dict[str, Any] = {"dead_letter_queue": None, "max_deliveries": 10}  # of a queue without one


class QueueSettings:
    """Answers what is asked of one queue."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._config = engine.config

    async def get(self, ask: Ask) -> Response:
        """Show a queue."""
        at = ask.address("queue")
        return json_response(await self._engine.committer.submit(lambda store: self._entity(store, at)))

    async def put(self, ask: Ask) -> Response:
        """Create a queue, or give one that exists these settings; what is left out takes its default, but the kind stays."""
        at = ask.address("queue")
        given = self._settings(await self._read(ask), at)

        def settings(store: Store) -> QueueConfig:
            old = store.queues.find(at)
            if old is None:
                check_new_name("queue", at.id)
            return replace(QueueConfig(at.id, fifo=old is not None and bool(old.fifo)), **given)

        return await self._change(at, settings)

    async def patch(self, ask: Ask) -> Response:
        """Change what is given; unless both parts of it are given, the dead-letter setting is removed."""
        at = ask.address("queue")
        given = self._settings(await self._read(ask), at)
        if not _DEAD_LETTER.keys() <= given.keys():
            given |= _DEAD_LETTER
        return await self._change(at, lambda store: replace(store.queues.get(at).settings, **given))

    async def patch_given(self, ask: Ask) -> Response:
        """Change what is given and nothing else; null for the dead-letter queue removes that setting."""
        at = ask.address("queue")
        fields = await self._read(ask)
        given = self._settings(fields, at)
        if fields.is_null("deadLetterQueueId"):
            given = _DEAD_LETTER | given

        def settings(store: Store) -> QueueConfig:
            new = replace(store.queues.get(at).settings, **given)
            if fields.get("maxDeliveries") is not None and new.dead_letter_queue is None:
                raise wrong("maxDeliveries", new.max_deliveries, "none, because the queue has no deadLetterQueueId")
            return new

        return await self._change(at, settings)

    async def delete(self, ask: Ask) -> Response:
        """Delete a queue with its messages and bindings."""
        at = ask.address("queue")

        def delete(store: Store) -> None:
            store.queues.get(at)
            if is_fallback(at.id):
                raise Unacceptable(f"Queue {at.id!r} is a fallback queue, and those cannot be deleted.")
            store.destinations.delete_queue(at)

        await self._engine.committer.submit(delete)
        return Response(204)

    async def purge(self, ask: Ask) -> Response:
        """Delete all messages of a queue."""
        at = ask.address("queue")
        await self._engine.committer.submit(lambda store: store.destinations.purge(at))
        return Response(204)

    async def put_fallback(self, ask: Ask) -> Response:
        """Note whether a queue fails over; its fallback queue would be in another region, which is not here."""
        at = ask.address("queue")
        fields = await Fields.read(ask.request, ("fallbackEnabled", "fallbackRegion"), self._config.switches)
        is_on = fields.flag("fallbackEnabled")
        if is_on is None:
            raise wrong("fallbackEnabled", None, "true or false")
        region = FALLBACK_REGIONS.get(self._config.region)
        if region is None:
            raise Unacceptable(f"Region {self._config.region!r} has no fallback region.")
        if fields.text("fallbackRegion") not in (None, region):
            raise wrong("fallbackRegion", fields.get("fallbackRegion"), f"{region!r}, the only one that this broker knows")

        def note(store: Store) -> dict[str, Any]:
            store.destinations.set_fallback(at, is_on=is_on)
            row = store.queues.get(at)
            return {"queueId": row.id, "isFallback": False, "fallbackConfig": fallback_config(row, self._config.region)}

        return json_response(await self._engine.committer.submit(note), 201)

    async def _read(self, ask: Ask) -> Fields:
        return await Fields.read(ask.request, (*_SET, *_ONLY_READ), self._config.switches)

    def _settings(self, fields: Fields, at: Address) -> dict[str, Any]:
        """Return what was given, as settings of a `QueueConfig`."""
        fields.agree("type", "queue")
        fields.agree("queueId", at.id)
        unit = self._config.switches.delay_unit
        length = DELAY_MS[unit]
        delay = fields.whole("defaultDeliveryDelay", 0, MAX_DELAY_MS // length, unit)
        target = fields.text("deadLetterQueueId")
        if target is not None:
            check_name("deadLetterQueueId", target)
        if target == at.id:
            raise wrong("deadLetterQueueId", target, "another queue than the queue itself")
        given = {
            "fifo": fields.flag("fifo"),
            "encrypted": fields.flag("encrypted"),
            "default_ttl_ms": fields.whole("defaultTtl", 1, MAX_TTL_MS, "ms"),
            "default_lock_ttl_ms": fields.whole("defaultLockTtl", 0, MAX_LOCK_TTL_MS, "ms"),
            "default_delivery_delay_ms": None if delay is None else delay * length,
            "max_deliveries": fields.whole("maxDeliveries", 1, _MAX_DELIVERIES),
            "dead_letter_queue": target,
        }
        return {name: value for name, value in given.items() if value is not None}

    async def _change(self, at: Address, settings: Callable[[Store], QueueConfig]) -> Response:
        def change(store: Store) -> dict[str, Any]:
            store.destinations.put_queue(at.environment, settings(store))
            return self._entity(store, at)

        return json_response(await self._engine.committer.submit(change))

    def _entity(self, store: Store, at: Address) -> dict[str, Any]:
        return queue_entity(store, store.queues.get(at), self._config)
