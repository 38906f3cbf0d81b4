"""What a setting may be: each check names the setting, the value and what was expected."""

from __future__ import annotations

import ipaddress
from pathlib import Path
from urllib.parse import urlsplit

from courier_nb.core.errors import ConfigError
from courier_nb.core.places import places

OFF = "off"
"""The journal's setting that keeps none."""

_TRUTHS = {**dict.fromkeys(("true", "1", "yes", "on"), True), **dict.fromkeys(("false", "0", "no", "off"), False)}


def as_given(setting: str, value: bool | str | None) -> str | None:
    """Return a switch given in code as the text that the other places hold."""
    if value is not None and not isinstance(value, bool | str):
        raise ConfigError(f"{setting} is {value!r}, expected True or False.", setting=setting, places=places(setting))
    return str(value).lower() if isinstance(value, bool) else value


def truth(setting: str, text: str) -> bool:
    """Return whether a switch is on."""
    try:
        return _TRUTHS[text.strip().lower()]
    except KeyError:
        raise ConfigError(f"{setting} is {text!r}, expected true or false.", setting=setting, places=places(setting)) from None


def journal_folder(text: str) -> str:
    """Return where the journal is kept, as an absolute path, or ``off``."""
    return OFF if text.strip().lower() == OFF else str(Path(text).expanduser().absolute())


def as_folder(journal: object) -> str | None:
    """Return the folder of a journal given in code as text; None stays None."""
    if journal is not None and not isinstance(journal, str | Path):
        raise ConfigError(
            f"journal is {journal!r}, expected a folder, or 'off' to keep none.", setting="journal", places=places("journal")
        )
    return None if journal is None else str(journal)


def check_url(url: str, setting: str) -> str:
    """Return `url` without a trailing slash; refuse what could carry a secret in clear beyond this machine."""
    try:
        parts = urlsplit(url)
        is_url = parts.scheme in ("http", "https") and parts.port != 0
    except ValueError:  # a port that is no number, a bracket that is not closed
        is_url = False
    if not is_url or not parts.hostname:
        raise ConfigError(f"{setting} is {url!r}, which is not an http(s) URL.", setting=setting, places=places(setting))
    if parts.username or parts.password or parts.query or parts.fragment:
        raise ConfigError(f"{setting} must hold no user name, query or fragment.", setting=setting, places=places(setting))
    if parts.scheme == "http" and not is_loopback(parts.hostname):
        raise ConfigError(
            f"{setting} is {url!r}: plain http would send the credentials in clear; write https (http is for loopback only).",
            setting=setting,
        )
    return url.rstrip("/")


def is_loopback(host: str) -> bool:
    """Whether `host` is this machine."""
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host == "localhost"
