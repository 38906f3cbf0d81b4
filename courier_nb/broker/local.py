"""A broker inside this process, for tests, examples and trying things out: no socket, no account, no network."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar

import httpx

from courier_nb.broker.api.app import App
from courier_nb.broker.api.engine import MQ_PATH, Engine
from courier_nb.broker.api.faults import Faults
from courier_nb.broker.config.broker import BrokerConfig
from courier_nb.broker.config.destinations import Binding, ExchangeConfig, QueueConfig
from courier_nb.broker.inprocess import InProcessTransport
from courier_nb.broker.server import background
from courier_nb.broker.state.errors import Unacceptable, UnknownDestination
from courier_nb.broker.state.looking import StoredMessage, stored
from courier_nb.broker.state.queues import Address
from courier_nb.broker.state.store import Store
from courier_nb.core.clock import Clock, SystemClock
from courier_nb.core.errors import ConfigError
from courier_nb.core.units import Duration, milliseconds

T = TypeVar("T")

_ORIGIN = "http://127.0.0.1"


class LocalBroker:
    """A broker with the REST API of Anypoint MQ, reached through an httpx transport or, on demand, a socket.

    Making one opens nothing; its database is opened, and its thread started, when it is first used. It may be used from
    several event loops and threads at once.

    Parameters
    ----------
    config : BrokerConfig, optional
    queues : iterable of str or QueueConfig
        Queues to have besides those of `config`.
    db : str or Path, optional
        SQLite file that keeps everything; default: memory.
    clock : Clock, optional
        Source of time; tests give a `ManualClock`.

    Raises
    ------
    ConfigError
        When the settings contradict each other; on first use, when the file is in use by another broker.

    Examples
    --------
    >>> with LocalBroker(queues=["orders"]) as broker:
    ...     client = httpx.AsyncClient(transport=broker.transport())
    """

    def __init__(
        self,
        config: BrokerConfig | None = None,
        *,
        queues: Iterable[str | QueueConfig] = (),
        db: str | Path | None = None,
        clock: Clock | None = None,
    ) -> None:
        config = config or BrokerConfig()
        more = tuple(queue if isinstance(queue, QueueConfig) else QueueConfig(queue) for queue in queues)
        config = replace(config, queues=config.queues + more)
        self._db = None if db is None else Path(db)
        self._engine = Engine(config, self._db, clock or SystemClock())
        self._app = App(self._engine)

    @property
    def mq_url(self) -> str:
        """Base URL of the broker API for `transport`."""
        return _ORIGIN + MQ_PATH

    @property
    def platform_url(self) -> str:
        """Base URL of Accounts, Admin and Stats for `transport`."""
        return _ORIGIN

    @property
    def settings(self) -> dict[str, str]:
        """What a client needs to connect through `transport`.

        Keys: ``url`` (of the broker API), ``platform_url``, ``client_id``, ``client_secret``, ``organization``,
        ``environment``, ``region``.
        """
        return self._engine.settings(_ORIGIN)

    @property
    def faults(self) -> Faults:
        """What goes wrong on purpose; faults can be added and ended at any time."""
        return self._engine.faults

    def transport(self) -> httpx.AsyncBaseTransport:
        """Return an httpx transport that reaches this broker without a socket."""
        return InProcessTransport(self._app)

    @contextmanager
    def serving(self, host: str = "127.0.0.1", port: int = 0) -> Iterator[dict[str, str]]:
        """Serve this broker on a socket while the block runs; yield `settings` with the real URLs.

        Raises
        ------
        ConfigError
            When the port is in use.
        """
        with background(self._engine, host, port) as origin:
            yield self._engine.settings(origin)

    def create_queue(
        self,
        queue_id: str,
        *,
        fifo: bool = False,
        dead_letter_queue: str | None = None,
        max_deliveries: int = 10,
        default_ttl: Duration = "7d",
        default_lock_ttl: Duration = "2m",
        default_delivery_delay: Duration = 0,
        environment: str | None = None,
    ) -> QueueConfig:
        """Create a queue, or give one that exists these settings; return them.

        Parameters
        ----------
        queue_id : str
            1 to 127 letters, digits, ``.``, ``-`` or ``_``.
        fifo : bool
            Whether to make a FIFO queue; cannot be changed later.
        dead_letter_queue : str, optional
            A queue of the same kind that exists.
        max_deliveries : int
            Failed deliveries before a message goes to the dead-letter queue.
        default_ttl, default_lock_ttl, default_delivery_delay : str, timedelta or int
            Durations such as ``"2m"``; a bare number is milliseconds, as in the API and in the broker's TOML file.
        environment : str, optional
            Name of the environment; default: the first.

        Raises
        ------
        ConfigError
        """
        settings = QueueConfig(
            queue_id,
            fifo=fifo,
            dead_letter_queue=dead_letter_queue,
            max_deliveries=max_deliveries,
            default_ttl_ms=milliseconds(default_ttl, name="default_ttl", bare="ms"),
            default_lock_ttl_ms=milliseconds(default_lock_ttl, name="default_lock_ttl", bare="ms"),
            default_delivery_delay_ms=milliseconds(default_delivery_delay, name="default_delivery_delay", bare="ms"),
        )
        self._do(lambda store, pk: store.destinations.put_queue(pk, settings), environment)
        return settings

    def create_exchange(
        self, exchange_id: str, *, bindings: Iterable[str | Binding] = (), environment: str | None = None
    ) -> ExchangeConfig:
        """Create an exchange, or add bindings to one that exists; return its settings.

        Parameters
        ----------
        exchange_id : str
            1 to 127 letters, digits, ``.``, ``-`` or ``_``.
        bindings : iterable of str or Binding
            Standard queues that get what is published to it, all of it or what a routing rule lets through.
        environment : str, optional
            Name of the environment; default: the first.

        Raises
        ------
        ConfigError
        """
        settings = ExchangeConfig(exchange_id, tuple(bindings))
        self._do(lambda store, pk: store.destinations.put_exchange(pk, settings), environment)
        return settings

    def delete_queue(self, queue_id: str, *, environment: str | None = None) -> None:
        """Delete a queue with its messages.

        Raises
        ------
        ConfigError
            When there is no such queue, or when it is another queue's dead-letter queue.
        """
        self._do(lambda store, pk: store.destinations.delete_queue(_existing(store, pk, queue_id)), environment)

    def purge(self, queue_id: str, *, environment: str | None = None) -> int:
        """Delete every message of a queue, in flight or not; return how many there were."""
        return self._do(lambda store, pk: store.destinations.purge(_existing(store, pk, queue_id)), environment)

    def queues(self, *, environment: str | None = None) -> list[QueueConfig]:
        """Return the settings of every queue, by name."""
        return self._do(lambda store, pk: [queue.settings for queue in store.queues.all(pk)], environment)

    def depth(self, queue_id: str, *, environment: str | None = None) -> dict[str, int]:
        """Return how many messages a queue holds: ``messages`` (waiting or delayed) and ``inflight`` (locked)."""
        queue = self._do(lambda store, pk: store.queues.get(_existing(store, pk, queue_id)), environment)
        return {"messages": queue.stored - queue.locked, "inflight": queue.locked}

    def messages(self, queue_id: str, *, limit: int = 100, environment: str | None = None) -> list[StoredMessage]:
        """Return what a queue holds, oldest first, without receiving it: no delivery is spent and nothing is locked."""
        return self._do(lambda store, pk: stored(store, _existing(store, pk, queue_id), limit), environment)

    def _do(self, work: Callable[[Store, int], T], environment: str | None) -> T:
        """Do something in an environment, the first by default."""
        identity = self._engine.identity
        place = identity.environments[0] if environment is None else identity.named(environment)
        try:
            return self._engine.committer.call(lambda store: work(store, place.pk))
        except (Unacceptable, UnknownDestination) as error:
            raise ConfigError(str(error), setting="queue") from None

    def close(self) -> None:
        """End the long polls and close the database. May be called again."""
        self._engine.committer.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<LocalBroker in {self._db or 'memory'}>"

    def __reduce__(self) -> Any:
        raise TypeError("A LocalBroker is not pickled: it is a running service and holds secrets.")


def _existing(store: Store, environment: int, queue_id: str) -> Address:
    at = Address(environment, queue_id)
    if store.queues.find(at) is None:
        names = ", ".join(repr(queue.id) for queue in store.queues.all(environment)) or "none"
        raise ConfigError(f"There is no queue {queue_id!r}; there are: {names}.", setting="queue")
    return at
