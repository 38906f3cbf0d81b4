"""Writing answers where they are used: a broker's TOML file, a profile of the Anypoint CLI."""

from __future__ import annotations

import json
import os
import stat
import uuid
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from courier_nb.core.errors import ConfigError
from courier_nb.storage.disk import create_private, flush, flush_folder, write_all


def check_broker_file(path: Path) -> None:
    """Refuse a file that is there and is no broker's."""
    from courier_nb.broker.config.file import load_config

    if path.exists():
        load_config(path)


def write_switches(path: Path, answers: Mapping[str, Any]) -> None:
    """Write `answers` into the table ``[switches]`` of a broker's file; see `ProbeReport.write_broker`."""
    import tomlkit

    check_broker_file(path)
    document = tomlkit.parse(path.read_text("utf-8")) if path.exists() else tomlkit.document()
    switches = document.setdefault("switches", tomlkit.table())
    for switch, value in answers.items():
        switches[switch] = value
    _replace(path, tomlkit.dumps(document).encode(), "write_broker", check=check_broker_file)


def read_profiles(name: str, home: Path) -> tuple[Path, dict[str, Any]]:
    """Return the file of profiles and what is in it; refuse a profile that is not there."""
    path = home / ".anypoint" / "credentials"
    try:
        profiles = json.loads(path.read_text("utf-8"))
    except FileNotFoundError:
        profiles = {}
    except (OSError, ValueError):
        raise ConfigError(f"The settings file {path} cannot be read, or is not JSON; mend it.", setting="profile") from None
    known = [key for key, value in profiles.items() if isinstance(value, dict)] if isinstance(profiles, dict) else []
    if name not in known:
        raise ConfigError(
            f"There is no profile {name!r} in {path} (profiles there: {', '.join(known) or 'none'}): name one of them, or give "
            "the unit as ANYPOINT_MQ_LOCK_TTL_UNIT.",
            setting="profile",
        )
    return path, profiles


def write_lock_ttl_unit(name: str, unit: str | None, home: Path) -> str:
    """Write the unit into a profile; see `ProbeReport.write_profile`."""
    if unit is None:
        raise ConfigError("The unit of lock changes was not found out, so there is nothing to write.", setting="lock_ttl_unit")
    path, profiles = read_profiles(name, home)
    profiles[name]["lock_ttl_unit"] = unit
    _replace(path, json.dumps(profiles, indent=2, ensure_ascii=False).encode() + b"\n", "write_profile")
    return unit


def _replace(path: Path, content: bytes, setting: str, *, check: Callable[[Path], None] | None = None) -> None:
    """Put a file in place whole, with the mode of the one it replaces, and only after `check` has read it."""
    path = path.resolve()  # a link goes on pointing to it
    aside = path.with_name(f".{path.name}.{uuid.uuid4().hex[:8]}")
    try:
        descriptor = create_private(aside)
        try:
            write_all(descriptor, content)
            flush(descriptor)
        finally:
            os.close(descriptor)
        if check is not None:
            check(aside)
        if path.exists():
            aside.chmod(stat.S_IMODE(path.stat().st_mode))
        aside.replace(path)
        flush_folder(path.parent)
    except OSError as error:
        raise ConfigError(f"{path} cannot be written: {error.strerror}.", setting=setting) from None
    finally:
        aside.unlink(missing_ok=True)
