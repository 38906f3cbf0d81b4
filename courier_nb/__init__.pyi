# The public names and where they live. `__init__.py` loads them when they are first used; type checkers read this file.
# Relative imports are what the lazy loader understands.
from .blocking import Client, Destination, connect
from .client import AsyncClient
from .core.errors import (
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
from .core.messages import NULL, ItemResult, Message, Outcome
from .destination import AsyncDestination
from .doctor.findings import ProbeReport
from .doctor.report import DoctorReport
from .flows.listing import DestinationList
from .flows.reports import DrainReport, Received, ReplayPlan, Report
from .storage.capture import Capture
from .storage.verification import Verification

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
    "DoctorReport",
    "DrainReport",
    "Forbidden",
    "FrameError",
    "InvalidArgument",
    "ItemResult",
    "LockLost",
    "Message",
    "Outcome",
    "PartialFailure",
    "ProbeReport",
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
