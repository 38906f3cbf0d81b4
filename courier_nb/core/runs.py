"""Runs: one call of a verb, with an identity that its records carry."""

from __future__ import annotations

import secrets
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any


@dataclass(frozen=True, slots=True)
class Run:
    """One call of a verb.

    Attributes
    ----------
    id : str
        ``<UTC time to the microsecond>-<8 hex digits>``; sorts by time.
    verb : str
        What was asked for, such as ``drain``.
    destination : str
    counts : dict of str to int
        Messages by outcome, as far as the verb has said.
    """

    id: str
    verb: str
    destination: str
    counts: dict[str, int] = field(default_factory=dict, compare=False)

    def outcome(self, counts: Mapping[Any, int]) -> None:
        """Say how many messages ended how; the journal records it when the run ends, however it ends."""
        self.counts.update(counts)


def new_run_id() -> str:
    """Return an identity that no other run has."""
    return f"{datetime.now(UTC):%Y%m%dT%H%M%S%f}-{secrets.token_hex(4)}"


_current: ContextVar[Run | None] = ContextVar("courier_nb_run", default=None)


def current_run() -> Run | None:
    """Return the run that this task belongs to; None for a call that is not part of a verb."""
    return _current.get()


@contextmanager
def running(run: Run) -> Iterator[Run]:
    """Let what is done in the block, and in tasks begun there, belong to `run`."""
    token = _current.set(run)
    try:
        yield run
    finally:
        _current.reset(token)
