"""Where a replayed message comes from, as properties of its own; and the id that it is published with."""

from __future__ import annotations

import re
import uuid
from dataclasses import replace
from typing import Any, Literal

from courier_nb.core.messages import Message, whole_number

Ids = Literal["auto", "keep", "new"]
"""Message ids of a replay. ``keep`` publishes each message with the id it had; ``new`` with one made from the run and the row,
the same at every repetition; ``auto`` chooses by the target."""

PREFIX = "courier_nb."
RUN, ORIGIN_QUEUE, ORIGIN_ID, ATTEMPT = (f"{PREFIX}{name}" for name in ("run", "origin_queue", "origin_id", "attempt"))
NAMES = (RUN, ORIGIN_QUEUE, ORIGIN_ID, ATTEMPT)

_RUN_ID = re.compile(r"[a-z]+-[0-9a-f]{16}|[0-9]{8}T[0-9]{6,12}-[0-9a-f]{8}")
_ID_SPACE = uuid.UUID("f3a0b8a6-6e1c-4e8d-9d56-2f0b4c1d7e90")


def foreign_properties(message: Message) -> list[str]:
    """Return the names of ours that the message uses for something else."""
    return [] if _was_replayed(message) else [name for name in NAMES if name in message.properties]


def with_provenance(message: Message, run: str, sends: int) -> Message:
    """Return the message with the properties that say where it comes from.

    A message that was replayed before keeps its first origin, and its attempts count on.

    Parameters
    ----------
    run : str
    sends : int
        How often this row is sent by the ledger, this time included.
    """
    properties: dict[str, Any] = dict(message.properties)
    if _was_replayed(message):
        sends += whole_number(properties[ATTEMPT]) or 0
    else:
        origin = {ORIGIN_QUEUE: message.destination, ORIGIN_ID: message.message_id}
        properties.update((name, value) for name, value in origin.items() if value is not None)
    return replace(message, properties={**properties, RUN: run, ATTEMPT: sends})


def new_id(run: str, key: bytes) -> str:
    """Return the id of a row of a run, always the same."""
    return str(uuid.uuid5(_ID_SPACE, f"{run}/{key.hex()}"))


def with_message_id(message: Message, message_id: str) -> Message:
    """Return the message with this id."""
    return replace(message, headers={**message.headers, "messageId": message_id})


def without_delay(message: Message) -> Message:
    """Return the message without the delay that its publisher asked for: it is over, and a FIFO queue takes none."""
    return replace(message, headers={name: value for name, value in message.headers.items() if name != "deliveryDelay"})


def _was_replayed(message: Message) -> bool:
    run, attempt = message.properties.get(RUN), whole_number(message.properties.get(ATTEMPT))
    return isinstance(run, str) and _RUN_ID.fullmatch(run) is not None and attempt is not None and attempt > 0
