# The public names and where they live. `__init__.py` loads them when they are first used; type checkers read this file.
# Relative imports are what the lazy loader understands.
from . import jupyter, plots
from .accessor import CourierAccessor
from .blocking import Client, Destination, connect
from .client import AsyncClient
from .core.errors import (
    BadAnswer,
    CaptureDamaged,
    CaptureError,
    Closed,
    ConfigError,
    ConfirmationNeeded,
    CourierError,
    DestinationNotFound,
    Forbidden,
    FrameError,
    InvalidArgument,
    JournalUnwritable,
    LockLost,
    PartialFailure,
    ReadOnly,
    Refused,
    Throttled,
    TooLarge,
    Unauthorized,
    Unavailable,
    Unreachable,
)
from .core.messages import NULL, ItemResult, Message, Outcome
from .core.rates import Rate
from .destination import AsyncDestination
from .doctor.findings import ProbeReport
from .doctor.report import DoctorReport
from .flows.listing import DestinationList
from .flows.moving.moved import MoveReport
from .flows.plans import Plan
from .flows.replaying.replayed import Replayed
from .flows.reports import DrainReport, Received, Report
from .jupyter.magics import load_ipython_extension, unload_ipython_extension
from .querying.sql import sql
from .storage.capture import Capture
from .storage.foreign.export import ExportReport, export_frame
from .storage.journal.journal import Journal
from .storage.journal.proof import JournalProof
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
    "ConfirmationNeeded",
    "CourierAccessor",
    "CourierError",
    "Destination",
    "DestinationList",
    "DestinationNotFound",
    "DoctorReport",
    "DrainReport",
    "ExportReport",
    "Forbidden",
    "FrameError",
    "InvalidArgument",
    "ItemResult",
    "Journal",
    "JournalProof",
    "JournalUnwritable",
    "LockLost",
    "Message",
    "MoveReport",
    "Outcome",
    "PartialFailure",
    "Plan",
    "ProbeReport",
    "Rate",
    "ReadOnly",
    "Received",
    "Refused",
    "Replayed",
    "Report",
    "Throttled",
    "TooLarge",
    "Unauthorized",
    "Unavailable",
    "Unreachable",
    "Verification",
    "connect",
    "export_frame",
    "jupyter",
    "load_ipython_extension",
    "plots",
    "sql",
    "unload_ipython_extension",
]
