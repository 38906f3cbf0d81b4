"""The broker behind ``connect("local")``: one for the process, in memory, made when it is first asked for."""

from __future__ import annotations

import threading

from courier_nb.broker import LocalBroker, QueueConfig

_lock = threading.Lock()
_broker: LocalBroker | None = None


def embedded_broker() -> LocalBroker:
    """Return the process's own broker, with a queue ``orders`` whose dead letters go to ``orders-dlq``."""
    global _broker
    with _lock:
        if _broker is None:
            orders = QueueConfig("orders", dead_letter_queue="orders-dlq", max_deliveries=3)
            _broker = LocalBroker(queues=[QueueConfig("orders-dlq"), orders])
        return _broker
