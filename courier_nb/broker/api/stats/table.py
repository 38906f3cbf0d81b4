"""The operations of the Stats API: each with its path, and with the scopes of which it needs one."""

from __future__ import annotations

from courier_nb.broker.api.engine import Engine
from courier_nb.broker.api.rights import SEE_DESTINATIONS, SEE_USAGE
from courier_nb.broker.api.routes import Route
from courier_nb.broker.api.stats.depths import Depths
from courier_nb.broker.api.stats.histories import Histories
from courier_nb.broker.api.stats.usages import Usages

_QUEUES = "regions/{region}/queues"


def stats_routes(engine: Engine) -> list[Route]:
    """Return the operations below ``/mq/stats/api/v1/organizations/{org}/environments/{env}``."""
    histories = Histories(engine)
    return [
        Route("GET", "", SEE_USAGE, "usage", Usages(engine).get),
        Route("GET", _QUEUES, SEE_DESTINATIONS, "stats", Depths(engine).get),
        Route("GET", f"{_QUEUES}/{{queue}}", SEE_DESTINATIONS, "stats", histories.of_queue),
        Route("GET", "regions/{region}/exchanges/{exchange}", SEE_DESTINATIONS, "stats", histories.of_exchange),
    ]


def organization_routes(engine: Engine) -> list[Route]:
    """Return the operations on ``/mq/stats/api/v1/organizations/{org}`` itself."""
    return [Route("GET", "", SEE_USAGE, "usage", Usages(engine).get)]
