"""A local broker that behaves like Anypoint MQ, for tests and for trying things out. Importing it starts nothing.

``config`` is what it is told, ``state`` what it remembers (SQLite, on one thread), ``api`` what it answers; imports go that way.
"""

from courier_nb.broker.config.access import SCOPES, ClientApp, ConnectedApp, EnvironmentConfig
from courier_nb.broker.config.broker import BrokerConfig
from courier_nb.broker.config.destinations import Binding, ExchangeConfig, QueueConfig
from courier_nb.broker.config.faults import Fault
from courier_nb.broker.config.file import load_config
from courier_nb.broker.config.routing import RoutingRule
from courier_nb.broker.config.switches import Switches
from courier_nb.broker.local import LocalBroker
from courier_nb.broker.served import ServedBroker
from courier_nb.broker.server import serve
from courier_nb.core.clock import ManualClock

__all__ = [
    "SCOPES",
    "Binding",
    "BrokerConfig",
    "ClientApp",
    "ConnectedApp",
    "EnvironmentConfig",
    "ExchangeConfig",
    "Fault",
    "LocalBroker",
    "ManualClock",
    "QueueConfig",
    "RoutingRule",
    "ServedBroker",
    "Switches",
    "load_config",
    "serve",
]
