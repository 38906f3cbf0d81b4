"""Where a setting comes from: keyword, then environment variable, then profile file.

Names and files are those of the Anypoint CLI (v4 ``config.json``, v3 ``~/.anypoint/credentials``), plus
``ANYPOINT_REGION``, ``ANYPOINT_BEARER``, ``ANYPOINT_AUTH`` and the ones that begin with ``ANYPOINT_MQ_``, which the CLI has no
use for.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal, NoReturn, get_args
from urllib.parse import urlsplit

from courier_nb.core.checks import OFF, check_url, journal_folder, truth
from courier_nb.core.errors import ConfigError
from courier_nb.core.places import ENVIRONMENT, places
from courier_nb.core.profiles import read_profile
from courier_nb.core.secrets import secret

AuthKind = Literal["auto", "client_app", "connected_app", "user", "bearer"]
LockTtlUnit = Literal["s", "ms"]
Level = tuple[str, Mapping[str, str]]

DEFAULT_HOST = "anypoint.mulesoft.com"

_CREDENTIAL_OF: dict[str, AuthKind] = {
    "bearer": "bearer",
    "client_id": "auto",
    "client_secret": "auto",
    "username": "user",
    "password": "user",
}
_NEEDED: dict[AuthKind, tuple[str, ...]] = {
    "bearer": ("bearer",),
    "user": ("username", "password"),
    "auto": ("client_id", "client_secret"),
    "client_app": ("client_id", "client_secret"),
    "connected_app": ("client_id", "client_secret"),
}


@dataclass(frozen=True, slots=True, repr=False)
class Settings:
    """Everything needed to talk to one environment, and where each value came from.

    Attributes
    ----------
    auth : {"auto", "client_app", "connected_app", "user", "bearer"}
        Kind of credential; ``auto`` means a client id and secret whose kind is found out at the first call.
    mq_url : str or None
        Broker base URL ending in ``/api/v1``; None means that it is looked up from the region.
    platform_url : str
        Base URL of accounts, Admin and Stats.
    organization, environment : str or None
        Id or name; None means that it is derived from the credential.
    lock_ttl_unit : {"s", "ms"}
        Unit of ``ttl`` in lock changes; the specification says seconds.
    read_only : bool
        Refuse whatever adds or deletes messages.
    production : bool or None
        Whether destructive verbs need the destination's name typed; None means that it is not known.
    journal : str or None
        Folder of the journal, or ``off``; None means the user's own.
    sources : mapping of str to str
        Setting name -> where it was found.
    """

    auth: AuthKind
    platform_url: str
    mq_url: str | None = None
    region: str | None = None
    organization: str | None = None
    environment: str | None = None
    client_id: str | None = None
    client_secret: str | None = None
    username: str | None = None
    password: str | None = None
    bearer: str | None = None
    lock_ttl_unit: LockTtlUnit = "s"
    read_only: bool = False
    production: bool | None = None
    journal: str | None = None
    sources: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name in ("client_secret", "password", "bearer"):
            object.__setattr__(self, name, secret(getattr(self, name)))

    def __repr__(self) -> str:
        who = f", client_id='…{self.client_id[-4:]}'" if self.client_id else ""
        guards = ", read-only" * self.read_only + ", production" * bool(self.production) + ", no journal" * (self.journal == OFF)
        return f"<Settings {self.auth}{who}, broker {self.mq_url or self.region!r}, environment {self.environment!r}{guards}>"

    def __reduce__(self) -> NoReturn:
        raise TypeError("Settings hold secrets and are not pickled: call connect() where they are needed.")


def resolve(
    profile: str | None = None,
    *,
    keywords: Mapping[str, str | None] | None = None,
    environ: Mapping[str, str] | None = None,
    home: Path | None = None,
) -> Settings:
    """Find all settings.

    Parameters
    ----------
    profile : str, optional
        Name of a profile in ``~/.anypoint/credentials``; default: ``ANYPOINT_PROFILE``, then the files' defaults.
    keywords : mapping, optional
        Values given in code; None means not given.
    environ, home : optional
        Stand in for ``os.environ`` and the home folder.

    Raises
    ------
    ConfigError
        When a needed setting is missing or has a wrong value; it names every place where it may be given.
    """
    environ = os.environ if environ is None else environ
    levels = [
        *_given(keywords or {}, environ),
        *read_profile(profile or environ.get("ANYPOINT_PROFILE"), environ=environ, home=home or Path.home()),
    ]
    auth = _auth_kind(levels)
    values, sources = _values(levels)
    for name in _NEEDED[auth]:
        if name not in values:
            raise ConfigError(f"{name} is missing: no credentials to connect with.", setting=name, places=places(name))
    mq_url = _broker_url(values["mq_url"]) if "mq_url" in values else None
    given: dict[str, Any] = {**_guards(values), **{name: values[name] for name in _NEEDED[auth]}}
    return Settings(
        auth=auth,
        platform_url=_platform_url(values.get("host"), mq_url, levels),
        mq_url=mq_url,
        region=values.get("region"),
        organization=values.get("organization"),
        environment=values.get("environment"),
        lock_ttl_unit=_one_of(LockTtlUnit, "lock_ttl_unit", values.get("lock_ttl_unit", "s")),
        sources=sources,
        **given,
    )


def journal_setting(profile: str | None, keyword: str | None, *, environ: Mapping[str, str], home: Path) -> str | None:
    """Return where the journal is kept, for what needs no connection: a folder, ``off``, or None for the user's own."""
    levels = _given({"journal": keyword}, environ)
    name = profile or environ.get("ANYPOINT_PROFILE")
    if name != "local":
        levels += read_profile(name, environ=environ, home=home)
    found = _find(levels, "journal")
    return None if found is None else journal_folder(found[1])


def guarded(settings: Settings, *, keywords: Mapping[str, str | None], environ: Mapping[str, str] | None = None) -> Settings:
    """Return settings with ``read_only``, ``production`` and ``journal`` as keywords and environment variables give them.

    Raises
    ------
    ConfigError
        When one of them has a wrong value.
    """
    values, sources = _values(_given(keywords, os.environ if environ is None else environ))
    found = {name: source for name, source in sources.items() if name in ("read_only", "production", "journal")}
    return replace(settings, **_guards(values), sources={**settings.sources, **found})


def _given(keywords: Mapping[str, str | None], environ: Mapping[str, str]) -> list[Level]:
    return [
        ("keyword", {name: value for name, value in keywords.items() if value}),
        ("environment variable", {name: environ[var] for name, var in ENVIRONMENT.items() if environ.get(var)}),
    ]


def _values(levels: list[Level]) -> tuple[dict[str, str], dict[str, str]]:
    """Return the value of each setting that is given, and where it was found."""
    values: dict[str, str] = {}
    sources: dict[str, str] = {}
    for name in ENVIRONMENT:
        found = _find(levels, name)
        if found is not None:
            level, values[name] = found
            sources[name] = f"{level} {ENVIRONMENT[name]}" if level == "environment variable" else level
    return values, sources


def _guards(values: Mapping[str, str]) -> dict[str, Any]:
    return {
        "read_only": truth("read_only", values.get("read_only", "false")),
        "production": truth("production", values["production"]) if "production" in values else None,
        "journal": journal_folder(values["journal"]) if "journal" in values else None,
    }


def _find(levels: list[Level], name: str) -> tuple[str, str] | None:
    return next(((level, values[name]) for level, values in levels if name in values), None)


def _rank(levels: list[Level], name: str) -> int:
    return next((rank for rank, (_, values) in enumerate(levels) if name in values), len(levels))


def _auth_kind(levels: list[Level]) -> AuthKind:
    named = _find(levels, "auth")
    if named is not None and named[1] != "auto":
        kind: AuthKind = _one_of(AuthKind, "auth", named[1])
        return kind
    for _, values in levels:  # the highest place that holds any credential decides which kind it is
        for name, kind in _CREDENTIAL_OF.items():
            if name in values:
                return kind
    return "auto"


def _one_of(words: Any, setting: str, value: str) -> Any:
    """Return `value` if it is a word of the Literal `words`."""
    if value not in get_args(words):
        known = ", ".join(get_args(words))
        raise ConfigError(f"{setting} is {value!r}, expected one of {known}.", setting=setting, places=places(setting))
    return value


def _broker_url(url: str) -> str:
    url = check_url(url, "mq_url")
    return url if urlsplit(url).path.strip("/") else f"{url}/api/v1"


def _platform_url(host: str | None, mq_url: str | None, levels: list[Level]) -> str:
    # A broker URL given more closely than the host (say ANYPOINT_MQ_URL over a host in a profile) speaks for itself:
    # its credentials must not be sent to another platform.
    if host is not None and (mq_url is None or _rank(levels, "host") <= _rank(levels, "mq_url")):
        return check_url(host if "://" in host else f"https://{host}", "host")
    if mq_url is None:
        return f"https://{DEFAULT_HOST}"
    parts = urlsplit(mq_url)
    name = parts.hostname or ""
    if name.startswith("mq-") and "." in name:
        return f"https://{name.split('.', 1)[1]}"
    return f"{parts.scheme}://{parts.netloc}"
