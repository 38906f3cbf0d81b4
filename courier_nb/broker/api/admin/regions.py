"""``GET regions``: where the service is. This broker is one region."""

from __future__ import annotations

from typing import Any

from courier_nb.broker.api.ask import Ask
from courier_nb.broker.api.engine import MQ_PATH, Engine
from courier_nb.broker.api.web import Refusal, Response, json_response
from courier_nb.broker.config.regions import FALLBACK_REGIONS


class Regions:
    """Answers questions about regions."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    async def all(self, ask: Ask) -> Response:
        """List the regions."""
        return json_response([self._entity(ask)])

    async def get(self, ask: Ask) -> Response:
        """Show one region."""
        if not ask.is_here:
            raise Refusal(404, "region not found")
        return json_response(self._entity(ask))

    def _entity(self, ask: Ask) -> dict[str, Any]:
        """Return the region in the two forms that are documented, or in one of them."""
        region = self._engine.config.region
        one = {"regionId": region, "serviceUrl": ask.request.origin() + MQ_PATH}
        if region in FALLBACK_REGIONS:
            one["fallbackRegion"] = FALLBACK_REGIONS[region]
        other = {"id": region, "name": region, "type": "region"}
        match self._engine.config.switches.region_entity:
            case "regionId":
                return one
            case "id":
                return other
        return one | other
