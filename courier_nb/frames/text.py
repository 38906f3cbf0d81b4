"""Foreign text and frames as harmless text for a terminal."""

from __future__ import annotations

import re
from typing import Any

import pandas as pd

# Terminal escapes, and marks that turn text around: shown, not obeyed.
_UNPRINTABLE = re.compile(r"[\x00-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff\ud800-\udfff]")


def plain(text: object) -> str:
    """Return foreign text so that a terminal only shows it."""
    return _UNPRINTABLE.sub(
        lambda match: f"\\u{ord(match[0]):04x}" if ord(match[0]) > 255 else f"\\x{ord(match[0]):02x}", str(text)
    )


def table(frame: pd.DataFrame, *, widest: int = 60) -> str:
    """Return a frame as an aligned text table of harmless characters."""
    shown = frame.astype(object).map(lambda cell: _cell(cell, widest))
    shown.columns = [plain(name) for name in frame.columns]
    return shown.to_string(index=False, justify="left") if len(shown) else "(none)"


def _cell(cell: Any, widest: int) -> str:
    if cell is None or cell is pd.NA or cell is pd.NaT or cell != cell:
        return ""
    text = plain(cell)
    return text if len(text) <= widest else f"{text[: widest - 1]}…"
