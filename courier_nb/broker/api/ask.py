"""A request to the Admin or Stats API whose token and environment have been checked."""

from __future__ import annotations

from dataclasses import dataclass

from courier_nb.broker.api.tokens import Principal
from courier_nb.broker.api.web import Refusal, Request
from courier_nb.broker.state.identity import Environment


@dataclass(frozen=True, slots=True)
class Ask:
    """What is asked, by whom, of which environment.

    Attributes
    ----------
    request : Request
    principal : Principal
    environment : Environment
    path : list of bytes
        What follows the environment's id, still percent-encoded.
    """

    request: Request
    principal: Principal
    environment: Environment
    path: list[bytes]

    def need(self, *scopes: str) -> None:
        """Refuse whoever has none of these scopes.

        Raises
        ------
        Refusal
            403.
        """
        if not self.principal.scopes.intersection(scopes):
            raise Refusal(403, "forbidden")
