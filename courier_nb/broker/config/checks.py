"""What every setting of the broker is checked with. A wrong value is one clear error."""

from __future__ import annotations

import re
import reprlib
from collections.abc import Iterable
from typing import Any

from courier_nb.core.errors import ConfigError

MAX_TTL_MS = 14 * 86_400_000
MAX_LOCK_TTL_MS = 12 * 3_600_000
MAX_DELAY_MS = 15 * 60_000
MAX_GROUP = 128

# The service refuses "_" in new names but makes names with it itself (``_fb``), so a copy of a real queue may need it.
_DESTINATION = re.compile(r"[A-Za-z0-9._-]{1,127}")
_NAME_RULE = "1 to 127 letters, digits, '.', '-' or '_'"
_SHORTLY = reprlib.Repr()
_SHORTLY.maxstring = 200
_PATH_WORD = re.compile(r"[A-Za-z0-9._~-]{1,128}")


def wrong(key: str, value: object, expected: str) -> ConfigError:
    """Return the error for a value that is not allowed; secrets are not shown."""
    shown = "given" if key in ("client_secret", "password") else shortly(value)
    return ConfigError(f"{key} is {shown}, expected {expected}.", setting=key)


def shortly(value: object) -> str:
    """Return a value for an error, cut off where it is long."""
    return _SHORTLY.repr(value)


def check_name(key: str, value: object) -> None:
    """Refuse what cannot be the name of a destination."""
    if not isinstance(value, str) or not _DESTINATION.fullmatch(value):
        raise wrong(key, value, _NAME_RULE)


def check_flag(key: str, value: object) -> None:
    """Refuse what is neither true nor false."""
    if type(value) is not bool:
        raise wrong(key, value, "true or false")


def check_range(key: str, value: object, low: int, high: int, expected: str = "") -> None:
    """Refuse what is not a whole number between two limits."""
    if type(value) is not int or not low <= value <= high:
        raise wrong(key, value, expected or f"a whole number from {low} to {high}")


def check_text(key: str, value: object) -> None:
    """Refuse an empty text and control characters; None passes."""
    if value is not None and not (isinstance(value, str) and value and value.isprintable()):
        raise wrong(key, value, "a text that is not empty and has no control characters")


def check_path_word(key: str, value: object) -> None:
    """Refuse what cannot stand in a path as it is; None passes."""
    if value is not None and not (isinstance(value, str) and _PATH_WORD.fullmatch(value)):
        raise wrong(key, value, "1 to 128 letters, digits, '.', '-', '_' or '~'")


def check_word(key: str, value: object, words: Iterable[str]) -> None:
    """Refuse what is not one of `words`."""
    words = list(words)
    if value not in words:
        raise wrong(key, value, f"one of {one_of(map(repr, words))}")


def check_once(key: str, values: Iterable[str], expected: str) -> None:
    """Refuse a value that is there twice."""
    seen: set[str] = set()
    for value in values:
        if value in seen:
            raise wrong(key, value, expected)
        seen.add(value)


def one_of(words: Iterable[Any]) -> str:
    """Return words as a list for an error message."""
    return ", ".join(str(word) for word in words)
