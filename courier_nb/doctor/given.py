"""Where each setting came from, without secrets."""

from __future__ import annotations

from courier_nb.core.places import ENVIRONMENT
from courier_nb.core.settings import Settings
from courier_nb.doctor.report import Check
from courier_nb.storage.journal.journal import default_folder

_SECRETS = frozenset({"client_secret", "password", "bearer"})
_CREDENTIALS = _SECRETS | {"client_id", "username"}


def given_settings(settings: Settings) -> list[Check]:
    """Return one row a setting: its value, never a secret, and where it came from."""
    return [_check(settings, name) for name in ENVIRONMENT if _is_of_interest(settings, name)]


def _is_of_interest(settings: Settings, name: str) -> bool:
    # Of the credentials only those in use; the others are not missing.
    return name not in _CREDENTIALS or getattr(settings, name) is not None


def _check(settings: Settings, name: str) -> Check:
    value = settings.platform_url if name == "host" else getattr(settings, name)
    source = settings.sources.get(name)
    if value is None:
        return Check(f"setting {name}", "ok", f"not given: {_when_not_given(name)}")
    if name in _SECRETS:
        shown = "given, not shown"
    elif name == "client_id":
        shown = f"…{value[-4:]}"
    else:
        shown = str(value)
    return Check(f"setting {name}", "ok", f"{shown} ({source or _default_of(settings, name)})")


def _when_not_given(name: str) -> str:
    match name:
        case "mq_url":
            return "looked up from the region"
        case "region":
            return "follows from the broker's URL"
        case "production":
            return "the Accounts API is asked"
        case "journal":
            return f"the user's own, {default_folder()}"
    return "follows from the credentials"


def _default_of(settings: Settings, name: str) -> str:
    if name == "host" and settings.mq_url is not None:
        return "follows from mq_url"
    return "default" if name in ("auth", "host", "lock_ttl_unit", "read_only") else "given in code"
