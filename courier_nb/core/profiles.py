"""The Anypoint CLI's own files: v4's flat ``config.json`` and v3's profiles in ``~/.anypoint/credentials``."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from courier_nb.core.errors import ConfigError

CREDENTIALS = "~/.anypoint/credentials"

_KEYS = (
    "username",
    "password",
    "client_id",
    "client_secret",
    "bearer",
    "organization",
    "environment",
    "host",
    "region",
    "mq_url",
    "auth",
    "lock_ttl_unit",
    "read_only",
    "production",
    "journal",
)
_SWITCHES = ("read_only", "production")
_SESSION = {"organization": "session.selectedOrganization.id", "environment": "session.selectedEnvironment.id"}


def read_profile(name: str | None, *, environ: Mapping[str, str], home: Path) -> list[tuple[str, dict[str, str]]]:
    """Return what the CLI's files say, as (where, settings) pairs, highest precedence first.

    A named profile is looked up in v3's file only, since v4 has no profiles.

    Raises
    ------
    ConfigError
        When the named profile does not exist, or a file is not the JSON that the CLI writes.
    """
    found = []
    if name is None:
        for path in _v4_files(environ, home):
            if path.is_file():
                found.append((f"file {path}", _settings(_read(path), path)))
                break
    path = home / ".anypoint" / "credentials"
    profiles = _read(path) if path.is_file() else {}
    if name is None:
        if isinstance(profiles.get("default"), dict):
            found.append((f"profile 'default' in {path}", _settings(profiles["default"], path)))
        return found
    if not isinstance(profiles.get(name), dict):
        known = sorted(key for key, value in profiles.items() if isinstance(value, dict))
        listed = ", ".join(known) if known else "none"
        raise ConfigError(
            f"There is no profile {name!r} in {path} (profiles there: {listed}). Name one of them, or 'local' for the embedded "
            "broker, or give the settings as keywords or environment variables.",
            setting="profile",
        )
    return [(f"profile {name!r} in {path}", _settings(profiles[name], path))]


def _v4_files(environ: Mapping[str, str], home: Path) -> list[Path]:
    config_home = Path(environ.get("XDG_CONFIG_HOME") or home / ".config")
    folders = [
        config_home / "anypoint-cli-v4-nodejs",
        config_home / "@mulesoft" / "anypoint-cli-v4-nodejs",
        home / "Library" / "Preferences" / "@mulesoft" / "anypoint-cli-v4-nodejs",
    ]
    if environ.get("APPDATA"):
        folders.append(Path(environ["APPDATA"]) / "anypoint-cli-v4-nodejs" / "Config")
    return [folder / "config.json" for folder in folders]


def _read(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        kind = "cannot be read" if isinstance(error, OSError) else "is not valid JSON"
        raise ConfigError(f"The settings file {path} {kind}; mend or remove it.", setting="profile") from None
    if not isinstance(content, dict):
        raise ConfigError(f"The settings file {path} must hold a JSON object.", setting="profile")
    return content


def _settings(content: Mapping[str, Any], path: Path) -> dict[str, str]:
    values = {key: content[key] for key in _KEYS if content.get(key)}
    for key, session_key in _SESSION.items():
        if key not in values and content.get(session_key):
            values[key] = content[session_key]
    for key in _SWITCHES:
        if isinstance(content.get(key), bool):  # JSON has a word of its own for it
            values[key] = str(content[key]).lower()
    for key, value in values.items():
        if not isinstance(value, str):
            raise ConfigError(f"{key} in {path} must be a text, not {type(value).__name__}.", setting=key)
    return values
