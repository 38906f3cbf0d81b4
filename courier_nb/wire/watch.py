"""What every call of the nine operations passes through: read_only, the record, the meter."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

from courier_nb.core.errors import ReadOnly
from courier_nb.wire import records
from courier_nb.wire.meter import CallMeter
from courier_nb.wire.records import CallOutcome, Recorder
from courier_nb.wire.retry import Operation

T = TypeVar("T")

CHANGING = frozenset(op for op in Operation if op.startswith(("publish", "ack")))
"""What adds or deletes messages."""


class Watch:
    """Refuses what must not be done, records the rest, and measures it.

    Parameters
    ----------
    environment : str
    recorder : Recorder, optional
    read_only : bool
        Refuse to publish and to acknowledge.

    Attributes
    ----------
    meter : CallMeter
    """

    def __init__(self, environment: str, recorder: Recorder | None = None, *, read_only: bool = False) -> None:
        self._environment = environment
        self._recorder = recorder
        self._read_only = read_only
        self.meter = CallMeter()

    async def call(
        self,
        operation: Operation,
        destination: str,
        send: Callable[[], Awaitable[T]],
        outcome_of: Callable[[T], CallOutcome],
        *,
        message_ids: Sequence[str] = (),
        asked: int | None = None,
    ) -> T:
        """Make a call with `send` and return its value.

        Raises
        ------
        ReadOnly
            When it would add or delete messages, and nothing may; it was not sent.
        """
        if self._read_only and operation in CHANGING:
            raise ReadOnly(
                f"{operation} on destination {destination!r} was refused: this connection is read_only. Nothing was sent.",
                verb=operation.value,
                destination=destination,
            )
        if self._recorder is None:
            return await self._measured(operation, send)
        recorder, environment = self._recorder, self._environment
        call = await recorder.before(operation, destination, environment, message_ids=message_ids, asked=asked)
        try:
            value = await self._measured(operation, send)
        except BaseException as error:
            recorder.after(call, operation, destination, environment, records.of_error(error))
            raise
        recorder.after(call, operation, destination, environment, outcome_of(value))
        return value

    async def _measured(self, operation: Operation, send: Callable[[], Awaitable[T]]) -> T:
        started = time.monotonic()
        value = await send()
        self.meter.note(operation, time.monotonic() - started)
        return value
