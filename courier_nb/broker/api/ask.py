"""A request to the Admin or Stats API whose token, environment and scope have been checked."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from courier_nb.broker.api.web import Request
from courier_nb.broker.state.errors import UnknownDestination
from courier_nb.broker.state.identity import Environment
from courier_nb.broker.state.queues import Address


@dataclass(frozen=True, slots=True)
class Ask:
    """What is asked.

    Attributes
    ----------
    request : Request
    environments : tuple of Environment
        The one that the path names; all that the asker may enter if it names none.
    named : mapping
        What the path names besides.
    is_here : bool
        Whether the region in the path, if there is one, is this broker's.
    """

    request: Request
    environments: tuple[Environment, ...]
    named: Mapping[str, str]
    is_here: bool

    @property
    def environment(self) -> Environment:
        """The environment that the path names."""
        return self.environments[0]

    def address(self, kind: str) -> Address:
        """Return where the queue or exchange of the path is.

        Parameters
        ----------
        kind : {"queue", "exchange"}

        Raises
        ------
        UnknownDestination
            When it is in another region.
        """
        if not self.is_here:
            raise UnknownDestination(kind, self.named[kind])
        return Address(self.environment.pk, self.named[kind])
