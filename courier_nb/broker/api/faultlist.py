"""``/courier-nb/faults``: the faults of a running broker. Ours: the real service has nothing like it."""

from __future__ import annotations

from typing import Any

from courier_nb.broker.api.accounts import UNAUTHORIZED
from courier_nb.broker.api.engine import Engine
from courier_nb.broker.api.faults import ActiveFault
from courier_nb.broker.api.incoming import read_json
from courier_nb.broker.api.tokens import Principal
from courier_nb.broker.api.web import Refusal, Request, Response, json_response
from courier_nb.broker.config.access import SCOPES
from courier_nb.broker.config.faults import Fault, fault_table, read_fault
from courier_nb.core.errors import ConfigError

_MAX_BYTES = 64 * 1024


class FaultList:
    """Shows and changes the faults, for those who may do everything everywhere."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    async def answer(self, request: Request) -> Response:
        """Answer ``GET`` (list), ``POST`` (add one fault or an array of them) or ``DELETE`` (end them all)."""
        principal = self._engine.tokens.find(request.header(b"authorization"))
        if principal is None:
            return UNAUTHORIZED
        if not _may_do_everything(principal):
            raise Refusal(403, "Faults are for the broker's own credentials, as a connected app, and for its user.")
        match request.method:
            case "GET":
                return json_response([_entry(active) for active in self._engine.faults])
            case "POST":
                added = self._engine.faults.add(*_read(await request.body(_MAX_BYTES)))
                return json_response([_entry(active) for active in added], 201)
            case "DELETE":
                self._engine.faults.clear()
                return Response(204)
        raise Refusal(405, "Use GET, POST or DELETE.", allow=("GET", "POST", "DELETE"))


def _may_do_everything(principal: Principal) -> bool:
    return principal.environments is None and principal.scopes.issuperset(SCOPES)


def _entry(active: ActiveFault) -> dict[str, Any]:
    return fault_table(active.fault) | {"calls": active.calls, "strikes": active.strikes}


def _read(content: bytes) -> list[Fault]:
    value = read_json(content)
    tables = value if isinstance(value, list) else [value]
    if not tables or not all(isinstance(table, dict) for table in tables):
        raise Refusal(400, "Expected a fault, or an array of faults: objects with a kind.")
    try:
        return [read_fault(table) for table in tables]
    except ConfigError as error:
        raise Refusal(400, str(error)) from None
