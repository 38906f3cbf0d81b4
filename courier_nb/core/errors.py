"""Every error this package raises, as one tree; each carries its data as attributes.

::

    CourierError
    ├─ ConfigError              which setting, and every place it may be given
    │  └─ JournalUnwritable     .path; what may not be done unrecorded was not done
    ├─ ReadOnly                 .verb .destination; refused by ``read_only``, nothing was sent
    ├─ ConfirmationNeeded       .verb .destination; production needs the name typed, nothing was sent
    ├─ Unreachable              no answer: refused, timeout, reset, TLS     (.sent, .outcome_unknown)
    ├─ BadAnswer                an answer that cannot be understood         (.outcome_unknown)
    ├─ Refused                  .status .operation .reason
    │  ├─ Unauthorized  Forbidden  DestinationNotFound  TooLarge
    │  ├─ LockLost              a settling call answered 400
    │  ├─ Throttled             .retry_after (seconds)
    │  └─ Unavailable           .retry_after (seconds), .outcome_unknown
    ├─ PartialFailure           .report; raised only by ``Report.raise_for_failed``
    ├─ InvalidArgument (ValueError)  an argument that cannot be meant; nothing was sent
    │  └─ FrameError            .columns .rows that cannot become messages
    ├─ CaptureError             .path; not a capture of ours
    │  └─ CaptureDamaged        .path of the file whose checksum or structure does not hold
    └─ Closed                   used after close
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any


class CourierError(Exception):
    """Base of all errors of this package.

    Attributes
    ----------
    after_unknown : bool
        Whether an earlier attempt of the same call had no certain answer, so that this refusal may be its echo.
    before_sending : bool
        Whether the call was not sent at all, because no token could be had for it.
    """

    after_unknown = False
    before_sending = False


class ConfigError(CourierError):
    """A setting is missing or wrong.

    Attributes
    ----------
    setting : str
        Name of the setting.
    places : sequence of str
        Every place where the setting may be given, highest precedence first.
    """

    def __init__(self, message: str, *, setting: str = "", places: Sequence[str] = ()) -> None:
        if places:
            message = f"{message} Give it as: {'; '.join(places)}."
        super().__init__(message)
        self.setting = setting
        self.places = tuple(places)


class JournalUnwritable(ConfigError):
    """The journal cannot be written, so what may not be done unrecorded was refused; nothing was sent.

    Attributes
    ----------
    path : path
        Folder of the journal.
    """

    def __init__(self, message: str, *, path: Any) -> None:
        super().__init__(message, setting="journal")
        self.path = path


class ReadOnly(CourierError):
    """``read_only`` refused what would add or delete messages; nothing was sent.

    Attributes
    ----------
    verb : str
        What was asked for: a verb such as ``drain``, or an operation such as ``ack_batch``.
    destination : str
    """

    def __init__(self, message: str, *, verb: str, destination: str) -> None:
        super().__init__(message)
        self.verb = verb
        self.destination = destination


class ConfirmationNeeded(CourierError):
    """The environment is production, and the destination's name was not typed; nothing was sent.

    Attributes
    ----------
    verb : str
        What was asked for, such as ``drain``.
    destination : str
        The name to type.
    """

    def __init__(self, message: str, *, verb: str, destination: str) -> None:
        super().__init__(message)
        self.verb = verb
        self.destination = destination


class Unreachable(CourierError):
    """No answer came: connection refused, name unknown, TLS failure, timeout or reset.

    Attributes
    ----------
    operation : str
        The operation that was called.
    sent : bool
        Whether the request may have reached the server.
    outcome_unknown : bool
        Same as `sent`: the server may have done the work although no answer came.
    """

    def __init__(self, message: str, *, operation: str, sent: bool) -> None:
        super().__init__(message)
        self.operation = operation
        self.sent = sent

    @property
    def outcome_unknown(self) -> bool:
        """Whether the server may have done the work although no answer came."""
        return self.sent


class BadAnswer(CourierError):
    """The server answered something that is not what the API promises.

    Attributes
    ----------
    operation : str
        The operation that was called.
    status : int
        HTTP status of the answer.
    size : int
        Bytes received. The content itself is not kept: it may hold message bodies.
    """

    outcome_unknown = True

    def __init__(self, message: str, *, operation: str, status: int, size: int = 0) -> None:
        super().__init__(message)
        self.operation = operation
        self.status = status
        self.size = size


class Refused(CourierError):
    """The server understood the call and refused it.

    Attributes
    ----------
    status : int
        HTTP status.
    operation : str
        The operation that was called.
    reason : str
        The server's own words (``statusMessage``), shortened; may be empty.
    """

    outcome_unknown = False

    def __init__(self, message: str, *, status: int, operation: str, reason: str = "") -> None:
        super().__init__(message)
        self.status = status
        self.operation = operation
        self.reason = reason


class Unauthorized(Refused):
    """401: the credentials or the token were not accepted."""


class Forbidden(Refused):
    """403: the credentials are valid but lack the right to do this."""


class DestinationNotFound(Refused):
    """404: no such queue or exchange in this environment and region."""


class TooLarge(Refused):
    """413: a message is larger than the service takes."""


class LockLost(Refused):
    """400 on an ack, nack or lock change: the lock has run out or belongs to another delivery."""


class Throttled(Refused):
    """429: too many calls. `retry_after` is in seconds, or None when the server named no time."""

    def __init__(self, message: str, *, retry_after: float | None = None, **data: Any) -> None:
        super().__init__(message, **data)
        self.retry_after = retry_after


class Unavailable(Refused):
    """5xx: the service failed.

    Attributes
    ----------
    retry_after : float or None
        Seconds, when the server named a time.
    outcome_unknown : bool
        False only when the server said when to come back, which means that it did not do the work.
    """

    def __init__(self, message: str, *, retry_after: float | None = None, **data: Any) -> None:
        super().__init__(message, **data)
        self.retry_after = retry_after
        self.outcome_unknown = retry_after is None


class PartialFailure(CourierError):
    """Some messages of a bulk call did not end as asked; `report` has one outcome for each."""

    def __init__(self, message: str, *, report: Any) -> None:
        super().__init__(message)
        self.report = report


class InvalidArgument(CourierError, ValueError):
    """An argument has a value that cannot be meant; nothing was sent."""


class FrameError(InvalidArgument):
    """A DataFrame or Parquet file cannot be turned into messages; nothing was sent.

    Attributes
    ----------
    columns : tuple of str
        The columns at fault.
    rows : tuple of int
        Positions (0-based) of the first rows at fault.
    """

    def __init__(self, message: str, *, columns: Sequence[str] = (), rows: Sequence[int] = ()) -> None:
        super().__init__(message)
        self.columns = tuple(columns)
        self.rows = tuple(rows)


class CaptureError(CourierError):
    """A folder or file is not a capture of this package, or cannot be used as one."""

    def __init__(self, message: str, *, path: Any) -> None:
        super().__init__(message)
        self.path = path


class CaptureDamaged(CaptureError):
    """A file of a capture does not hold what was written into it."""


class Closed(CourierError):
    """The client was used after it was closed."""
