"""Why the store refuses to do something. Nothing has been changed when one of these is raised."""

from __future__ import annotations


class UnknownDestination(LookupError):
    """There is no such destination in the environment.

    Attributes
    ----------
    kind : {"destination", "queue", "exchange", "binding", "client"}
    id : str
    """

    def __init__(self, kind: str, id: str) -> None:  # noqa: A002  # the field's word
        super().__init__(f"There is no {kind} {id!r}.")
        self.kind = kind
        self.id = id


class NotAQueue(Exception):
    """Only queues can be read, and this is an exchange."""


class Unacceptable(ValueError):
    """What is asked for goes against the rules; the text says which and is meant for the client."""
