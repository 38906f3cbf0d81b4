"""Messages, item results and outcomes: what travels between the layers.

Header names stay the API's own (``messageId``, ``lockId``…) inside `Message.headers`; typed attributes give them in Python's
names. Nothing here prints a body or a lock id.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final, Literal, NoReturn

from courier_nb.core.secrets import Secret

# No header holds more digits, and `int` refuses text that has thousands of them.
_WHOLE = re.compile(r"\s*-?[0-9]{1,30}\s*")

JsonValue = Any
"""A value that JSON can carry: str, int, float, bool, None, list or dict."""


class _JsonNull:
    """A property that is there and is null; in a frame, None and NaN mean that it is not there."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "NULL"

    def __bool__(self) -> bool:
        return False

    def __reduce__(self) -> str:
        return "NULL"


NULL: Final = _JsonNull()
"""In a DataFrame cell: the JSON value null, as opposed to a property that is missing."""

OutcomeKind = Literal["ok", "refused", "lost_lock", "unknown", "skipped"]
"""How a call ended for one message.

``ok``: done. ``refused``: the service said no. ``lost_lock``: the lock had run out or was not ours, nothing was changed.
``unknown``: no certain answer, the service may or may not have done it. ``skipped``: not tried, and the reason says why.
"""

RECEIPT_HEADERS = frozenset({"messageId", "lockId", "created", "deliveryCount", "payloadHidden"})
"""Headers that the broker sets at delivery; all but ``messageId`` are never published again."""


@dataclass(frozen=True, slots=True, repr=False)
class Message:
    """One message, as received or to be published.

    Attributes
    ----------
    body : str, bytes or None
        The payload as text; bytes when the text on the wire was not valid Unicode; None when the broker withheld it.
    properties : mapping of str to JSON value
        User properties. The API documents strings and numbers.
    headers : mapping of str to JSON value
        Headers under their API names, unknown ones included.
    destination, environment : str or None
        Where it was received.
    received_at, lock_expires_at : datetime or None
        UTC, by this machine's clock.
    lock_deadline : float or None
        End of the lock on this process's monotonic clock (seconds): what decisions are made by.
    """

    body: str | bytes | None
    properties: Mapping[str, JsonValue] = field(default_factory=dict)
    headers: Mapping[str, JsonValue] = field(default_factory=dict)
    destination: str | None = None
    environment: str | None = None
    received_at: datetime | None = None
    lock_expires_at: datetime | None = None
    lock_deadline: float | None = None

    @property
    def message_id(self) -> str | None:
        """Identifier chosen by the publisher; None on a message that has none yet."""
        value = self.headers.get("messageId")
        return None if value is None else str(value)

    @property
    def lock_id(self) -> str | None:
        """The lock of this delivery: whoever holds it can delete the message."""
        value = self.headers.get("lockId")
        return None if value is None else Secret(value)

    @property
    def delivery_count(self) -> int | None:
        """How often the message has been delivered, this time included; None if the header is missing or odd."""
        return whole_number(self.headers.get("deliveryCount"))

    @property
    def message_group_id(self) -> str | None:
        """Message group of a FIFO queue."""
        value = self.headers.get("messageGroupId")
        return None if value is None else str(value)

    def __repr__(self) -> str:
        size = "hidden" if self.body is None else f"{len(self.body)} {'characters' if isinstance(self.body, str) else 'bytes'}"
        where = f" from {self.destination!r}" if self.destination else ""
        return f"<Message {self.message_id!r}{where}, body of {size}, {len(self.properties)} properties>"

    def __reduce__(self) -> NoReturn:
        raise TypeError(
            "A Message is not pickled: it may hold a body and a live lock. Write it to Parquet with drain(), "
            "or take message.body and message.properties yourself."
        )


@dataclass(frozen=True, slots=True)
class ItemResult:
    """One item of a batch answer (``messageId``, ``status``, ``statusMessage``).

    Attributes
    ----------
    message_id : str
    ok : bool
        Whether ``status`` was ``successful``.
    reason : str
        The service's words; its texts are not documented, so nothing is decided by them.
    after_unknown : bool
        Whether an earlier attempt of the same call had no certain answer, so that a refusal may be its echo.
    """

    message_id: str
    ok: bool
    reason: str
    after_unknown: bool = False


@dataclass(frozen=True, slots=True)
class Outcome:
    """How one message of a bulk call ended.

    Attributes
    ----------
    message_id : str or None
    destination : str
    kind : {"ok", "refused", "lost_lock", "unknown", "skipped"}
    reason : str
        Why, in words; empty when it went well.
    position : int
        0-based place in the input.
    """

    message_id: str | None
    destination: str
    kind: OutcomeKind
    reason: str = ""
    position: int = -1


def whole_number(value: object) -> int | None:
    """Return a header's number, which arrives as text, as int; None when it is not one."""
    if isinstance(value, bool):
        return None
    if isinstance(value, int):
        return value
    if isinstance(value, str) and _WHOLE.fullmatch(value):
        return int(value)
    return None
