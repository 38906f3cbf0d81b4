"""A local broker that behaves like Anypoint MQ, for tests and for trying things out. Importing it starts nothing.

The REST API is served from ``app`` (which API, who may call it) by ``courier``, ``accounts``, ``admin`` and ``stats``; messages
live in ``store``, on the thread of ``committer``.
"""

from courier_nb.broker.config import BrokerConfig, ExchangeConfig, QueueConfig
from courier_nb.broker.configfile import load_config
from courier_nb.broker.local import LocalBroker
from courier_nb.broker.server import serve

__all__ = ["BrokerConfig", "ExchangeConfig", "LocalBroker", "QueueConfig", "load_config", "serve"]
