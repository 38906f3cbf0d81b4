"""Two ways to a broker for the model test: straight to the store, and through the REST API.

The first is quick, and lets a test decide when the sweeper works. Both give and take the model's words.
"""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Callable
from dataclasses import replace
from email.utils import parsedate_to_datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple, TypeVar
from urllib.parse import quote

import httpx

from courier_nb.broker import Binding, BrokerConfig, ExchangeConfig, LocalBroker, QueueConfig, RoutingRule, Switches
from courier_nb.broker.state.errors import Unacceptable
from courier_nb.broker.state.locks import Lock
from courier_nb.broker.state.messages import Delivery, NewMessage
from courier_nb.broker.state.meter import Meter
from courier_nb.broker.state.queues import Address
from courier_nb.broker.state.schema import open_database
from courier_nb.broker.state.store import Store
from courier_nb.core import exactjson
from courier_nb.core.clock import ManualClock
from tests.broker.conftest import Api
from tests.broker.queue_model import Item, Queue

T = TypeVar("T")
EXCHANGE = "events"


class Got(NamedTuple):
    """A delivery: what of it the model foretells, and the lock."""

    body: str
    id: str
    count: int
    created: int  # seconds
    lock: Any


def queue_config(queue: Queue) -> QueueConfig:
    """Return the broker's word for a queue of the model."""
    now = queue.settings
    return QueueConfig(queue.name, queue.fifo, queue.dead_letters, now.max_deliveries, now.ttl, now.lock, now.delay)


def exchange_config(bindings: dict[str, str | None]) -> ExchangeConfig:
    """Return the broker's word for the exchange of the model."""
    rules = {queue: None if kind is None else RoutingRule("kind", "STRING", "EQ", kind) for queue, kind in bindings.items()}
    return ExchangeConfig(EXCHANGE, tuple(Binding(queue, rule) for queue, rule in rules.items()))


class StoreFront:
    """A store whose transactions the test makes itself; what time changes is applied `at_once` messages at a time."""

    def __init__(self, switches: Switches, clock: ManualClock) -> None:
        self.switches = switches
        self.clock = clock
        self.folder = TemporaryDirectory()
        self.path = Path(self.folder.name) / "0.db"
        self.given: dict[Lock, Delivery] = {}
        self.open()

    def open(self) -> None:
        self.store = Store(open_database(self.path, durable=False), self.clock, Meter(), self.switches)

    def close(self) -> None:
        self.store.close()
        self.folder.cleanup()

    def restart(self, *, killed: bool) -> None:
        """Close and open the file; or go on with a copy of what there is while it is open, as after a kill."""
        if killed:
            self.path = _copied(self.path)
        self.store.close()
        self.open()

    def ask(self, work: Callable[[Store], T]) -> T:
        """Do work as the committer does."""
        self.store.begin()
        self.store.savepoint()
        try:
            result = work(self.store)
            self.store.keep()
        except Unacceptable:
            self.store.undo()
            raise
        finally:
            self.store.commit()
        return result

    def is_swept(self) -> bool:
        """Tell whether everything that time changes has been applied."""
        return self.store.now == int(self.clock.time() * 1_000) and not self.store.has_more_to_sweep

    def sweep(self) -> None:
        """Do nothing often enough, as the committer does."""
        self.ask(lambda store: None)
        while self.store.has_more_to_sweep:
            self.ask(lambda store: None)

    def put(self, queue: Queue) -> None:
        self.ask(lambda store: store.destinations.put_queue(1, queue_config(queue)))

    def bind(self, bindings: dict[str, str | None]) -> None:
        self.ask(lambda store: store.destinations.put_exchange(1, exchange_config(bindings)))

    def publish(self, name: str, items: list[Item]) -> bool:
        try:
            self.ask(lambda store: store.publish(Address(1, name), [_new_message(item) for item in items]))
        except Unacceptable:
            return False
        return True

    def receive(self, name: str, limit: int, lock_ttl: int | None) -> list[Got]:
        deliveries = self.ask(lambda store: store.receive(Address(1, name), limit=limit, lock_ttl_ms=lock_ttl))
        locks = [Lock(delivery.id, delivery.seq, delivery.token) for delivery in deliveries]
        self.given.update(zip(locks, deliveries, strict=True))
        return [
            Got(exactjson.loads(d.body or b""), exactjson.loads(d.id), d.deliveries, d.created_ms // 1_000, lock)
            for d, lock in zip(deliveries, locks, strict=True)
        ]

    def ack(self, name: str, locks: list[Lock]) -> list[bool]:
        return self.ask(lambda store: store.ack(Address(1, name), locks))

    def nack(self, name: str, locks: list[Lock]) -> list[bool]:
        return self.ask(lambda store: store.nack(Address(1, name), locks))

    def extend(self, name: str, changes: list[tuple[Lock, int]]) -> list[bool]:
        return self.ask(lambda store: store.change_locks(Address(1, name), changes))

    def give_back(self, name: str, locks: list[Lock]) -> None:
        self.ask(lambda store: store.give_back(Address(1, name), [self.given[lock] for lock in locks]))

    def purge(self, name: str) -> None:
        self.ask(lambda store: store.destinations.purge(Address(1, name)))

    def forgeries(self, lock: Lock, other: Lock) -> list[Lock]:
        """Return locks that look like one but are not."""
        forged = [lock._replace(message_id=b'"nobody"'), lock._replace(token=bytes(16))]
        return forged + ([lock._replace(seq=other.seq)] if other.seq != lock.seq else [])

    def depth(self, name: str) -> dict[str, int]:
        """Return the counts of a queue after making sure that they are those of its rows."""
        row = self.store.queues.get(Address(1, name))
        ask = self.store.connection.execute
        counted = ask("select count(*), count(token) from message where heap = ?", (row.heap,)).fetchone()
        assert (row.stored, row.locked) == counted
        groups = ask("select pk, head, inflight, ready_at from message_group where heap = ?", (row.heap,)).fetchall()
        for member, head, inflight, ready_at in groups:
            held = ask("select seq, visible_at, token from message where member = ? order by seq", (member,)).fetchall()
            assert head == held[0][0]
            assert inflight == sum(token is not None for _, _, token in held)
            assert inflight or ready_at == held[0][1]
        members = ask("select count(distinct member) from message where heap = ?", (row.heap,)).fetchone()
        assert members == (len(groups),)
        return {"messages": row.stored - row.locked, "inflight": row.locked}

    def acked(self, name: str) -> int:
        return self.store.queues.get(Address(1, name)).acked


class HttpFront:
    """A broker behind its REST API, in this process."""

    def __init__(self, switches: Switches, clock: ManualClock) -> None:
        # the unit is the model's; what the default does is tested elsewhere
        self.config = BrokerConfig(switches=replace(switches, lock_ttl_unit="ms"), durable=False)
        self.clock = clock
        self.folder = TemporaryDirectory()
        self.path = Path(self.folder.name) / "0.db"
        self.runner = asyncio.Runner()
        self.open()

    def open(self) -> None:
        self.broker = LocalBroker(self.config, db=self.path, clock=self.clock)
        self.api = Api(httpx.AsyncClient(transport=self.broker.transport()), self.broker.settings)

    def close(self) -> None:
        self.runner.run(self.api.client.aclose())
        self.broker.close()
        self.runner.close()
        self.folder.cleanup()

    def restart(self, *, killed: bool) -> None:
        """Close and open the file; or go on with a copy of what there is while it is open, as after a kill."""
        if killed:
            self.path = self.broker._engine.committer.call(lambda store: _copied(self.path))
        self.runner.run(self.api.client.aclose())
        self.broker.close()
        self.open()

    def call(self, method: str, name: str, *parts: str, value: Any = None, **more: Any) -> httpx.Response:
        return self.runner.run(self.api.call(method, self.api.path(name, *parts), value, **more))

    def is_swept(self) -> bool:
        return True

    def sweep(self) -> None:
        """The committer does it by itself."""

    def put(self, queue: Queue) -> None:
        now = queue.settings
        self.broker.create_queue(
            queue.name,
            fifo=queue.fifo,
            dead_letter_queue=queue.dead_letters,
            max_deliveries=now.max_deliveries,
            default_ttl=now.ttl,
            default_lock_ttl=now.lock,
            default_delivery_delay=now.delay,
        )

    def bind(self, bindings: dict[str, str | None]) -> None:
        self.broker.create_exchange(EXCHANGE, bindings=exchange_config(bindings).bound)

    def publish(self, name: str, items: list[Item]) -> bool:
        answer = self.call("PUT", name, value=[_json(item) for item in items])
        assert answer.status_code in (200, 400)
        return answer.status_code == 200

    def receive(self, name: str, limit: int, lock_ttl: int | None) -> list[Got]:
        params = {"pollingTime": 0, "batchSize": limit} | ({} if lock_ttl is None else {"lockTtl": lock_ttl})
        answer = self.call("GET", name, params=params)
        assert answer.status_code in (200, 204)
        return [_got(message) for message in answer.json()] if answer.status_code == 200 else []

    def ack(self, name: str, locks: list[tuple[str, str]]) -> list[bool]:
        if len(locks) == 1:
            return self._one("DELETE", name, quote(locks[0][0]), value={"lockId": locks[0][1]})
        return self._several("DELETE", name, value=[{"messageId": a, "lockId": b} for a, b in locks])

    def nack(self, name: str, locks: list[tuple[str, str]]) -> list[bool]:
        if len(locks) == 1:
            return self._one("DELETE", name, quote(locks[0][0]), "locks", quote(locks[0][1], safe=""))
        return self._several("DELETE", name, "locks", value=[{"messageId": a, "lockId": b} for a, b in locks])

    def extend(self, name: str, changes: list[tuple[tuple[str, str], int]]) -> list[bool]:
        if len(changes) == 1:
            ((message_id, lock), ttl) = changes[0]
            return self._one("PATCH", name, quote(message_id), "locks", quote(lock, safe=""), value={"ttl": ttl})
        items = [{"messageId": message_id, "lockId": lock, "ttl": ttl} for (message_id, lock), ttl in changes]
        return self._several("PATCH", name, "locks", value=items)

    def purge(self, name: str) -> None:
        self.broker.purge(name)

    def forgeries(self, lock: tuple[str, str], other: tuple[str, str]) -> list[tuple[str, str]]:
        token = lock[1].index("+/", 12) + 2
        changed = lock[1][:token] + ("A" if lock[1][token] != "A" else "B") + lock[1][token + 1 :]
        return [("nobody", lock[1]), (lock[0], changed), ("nobody", other[1])]

    def depth(self, name: str) -> dict[str, int]:
        return self.broker.depth(name)

    def acked(self, name: str) -> int:
        return self.broker._engine.committer.call(lambda store: store.queues.get(Address(1, name)).acked)

    def _one(self, method: str, name: str, *parts: str, value: Any = None) -> list[bool]:
        answer = self.call(method, name, *parts, value=value)
        assert answer.status_code in (200, 400)
        return [answer.status_code == 200]

    def _several(self, method: str, name: str, *parts: str, value: Any) -> list[bool]:
        answer = self.call(method, name, *parts, value=value)
        assert answer.status_code == 200
        return [item["status"] == "successful" for item in answer.json()]


def _copied(path: Path) -> Path:
    copy = path.with_name(f"{int(path.stem) + 1}.db")
    for suffix in ("", "-wal"):
        shutil.copy(f"{path}{suffix}", f"{copy}{suffix}")
    return copy


def _new_message(item: Item) -> NewMessage:
    attributes: dict[str, str] = {} if item.kind is None else {"kind": item.kind}
    return NewMessage(
        exactjson.dumps(item.id),
        b"",
        exactjson.dumps(attributes),
        exactjson.dumps(item.body),
        len(item.body),
        group=item.group,
        ttl_ms=item.ttl,
        delay_ms=item.delay,
        attributes=({}, attributes),
    )


def _json(item: Item) -> dict[str, Any]:
    headers = {"messageId": item.id, "messageGroupId": item.group, "deliveryDelay": item.delay, "ttl": item.ttl}
    return {
        "headers": {name: value for name, value in headers.items() if value is not None},
        "properties": {} if item.kind is None else {"kind": item.kind},
        "body": item.body,
    }


def _got(message: dict[str, Any]) -> Got:
    headers = message["headers"]
    created = int(parsedate_to_datetime(headers["created"]).timestamp())
    lock = (headers["messageId"], headers["lockId"])
    return Got(message["body"], headers["messageId"], int(headers["deliveryCount"]), created, lock)
