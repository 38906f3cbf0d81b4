"""Find out what is stuck in an Anypoint MQ queue, and put it right.

``connect()`` gives a `Client`; its destinations peek, receive, drain into Parquet, settle, publish and replay. Importing this
package opens no socket and starts no thread.
"""

from __future__ import annotations

from courier_nb.blocking import Client, Destination, connect
from courier_nb.client import AsyncClient, DestinationList
from courier_nb.core.errors import (
    BadAnswer,
    CaptureDamaged,
    CaptureError,
    Closed,
    ConfigError,
    CourierError,
    DestinationNotFound,
    Forbidden,
    FrameError,
    InvalidArgument,
    LockLost,
    PartialFailure,
    Refused,
    Throttled,
    TooLarge,
    Unauthorized,
    Unavailable,
    Unreachable,
)
from courier_nb.core.messages import NULL, ItemResult, Message, Outcome
from courier_nb.destination import AsyncDestination
from courier_nb.flows.reports import DrainReport, Received, ReplayPlan, Report
from courier_nb.storage.capture import Capture
from courier_nb.storage.verification import Verification

__all__ = [
    "NULL",
    "AsyncClient",
    "AsyncDestination",
    "BadAnswer",
    "Capture",
    "CaptureDamaged",
    "CaptureError",
    "Client",
    "Closed",
    "ConfigError",
    "CourierError",
    "Destination",
    "DestinationList",
    "DestinationNotFound",
    "DrainReport",
    "Forbidden",
    "FrameError",
    "InvalidArgument",
    "ItemResult",
    "LockLost",
    "Message",
    "Outcome",
    "PartialFailure",
    "Received",
    "Refused",
    "ReplayPlan",
    "Report",
    "Throttled",
    "TooLarge",
    "Unauthorized",
    "Unavailable",
    "Unreachable",
    "Verification",
    "connect",
]
