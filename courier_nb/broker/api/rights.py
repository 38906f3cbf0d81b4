"""Which scopes allow what in the Admin and Stats APIs: a connected app needs one of those named."""

from __future__ import annotations

from courier_nb.broker.config.access import ADMINISTER, CLEAR, MANAGE_CLIENTS, READ_STATS, VIEW, VIEW_CLIENTS
from courier_nb.broker.config.switches import Switches

ANYBODY: tuple[str, ...] = ()
SEE_DESTINATIONS = (VIEW, CLEAR, ADMINISTER)  # those who may clear or administer may do what those who may view may do
CHANGE_DESTINATIONS = (ADMINISTER,)
SEE_CLIENTS = (VIEW_CLIENTS, MANAGE_CLIENTS)
CHANGE_CLIENTS = (MANAGE_CLIENTS,)
SEE_USAGE = (READ_STATS,)

_PURGE = {"either": (ADMINISTER, CLEAR), "administer": (ADMINISTER,), "clear": (CLEAR,)}


def purge(switches: Switches) -> tuple[str, ...]:
    """Return the scopes that allow to purge a queue, which is disputed."""
    return _PURGE[switches.purge_scope]
