"""One row of a frame as the message that it shows."""

from __future__ import annotations

from datetime import UTC
from email.utils import format_datetime
from typing import Any

import numpy as np
import pandas as pd

from courier_nb.core.messages import NULL, Message
from courier_nb.frames import values
from courier_nb.frames.schema import BY_NAME, HEADER_PREFIX, PROPERTY_PREFIX


def message_of_row(row: pd.Series[Any]) -> Message:
    """Return a row as a message; a column that is no part of a message is left out, a missing cell means that it is not there."""
    cells = {str(name): _value(cell) for name, cell in row.items() if not _is_missing(cell)}
    body = cells.get("body", cells.get("body_bytes"))
    properties = {
        values.name_of(name.removeprefix(PROPERTY_PREFIX)): cell
        for name, cell in cells.items()
        if name.startswith(PROPERTY_PREFIX)
    }
    headers = {}
    for name, cell in cells.items():
        if name.startswith(HEADER_PREFIX):
            headers[values.name_of(name.removeprefix(HEADER_PREFIX))] = cell
        elif name in BY_NAME and BY_NAME[name].header:
            headers[BY_NAME[name].header] = _header(cell)
    return Message(
        body if body is None or isinstance(body, bytes) else str(body),
        properties,
        headers,
        destination=cells.get("destination"),
        environment=cells.get("environment"),
        received_at=cells.get("received_at"),
        lock_expires_at=cells.get("lock_expires_at"),
    )


def _header(cell: Any) -> str:
    if isinstance(cell, pd.Timestamp):
        return format_datetime(cell.tz_convert("UTC").to_pydatetime().astimezone(UTC), usegmt=True)
    return str(cell).lower() if isinstance(cell, bool) else str(cell)


def _value(cell: Any) -> Any:
    if cell is NULL:
        return None
    return cell.item() if isinstance(cell, np.generic) else cell


def _is_missing(cell: Any) -> bool:
    return cell is None or cell is pd.NA or cell is pd.NaT or (isinstance(cell, float) and cell != cell)
