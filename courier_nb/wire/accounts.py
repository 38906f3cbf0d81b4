"""Accounts: which organization and environment a credential belongs to."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import quote

from courier_nb.core.errors import ConfigError, CourierError
from courier_nb.core.places import places
from courier_nb.core.settings import Settings
from courier_nb.wire.answers import decode
from courier_nb.wire.auth import Token
from courier_nb.wire.place import Place
from courier_nb.wire.retry import Operation
from courier_nb.wire.sender import Sender, Tokens

_GUID = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")


async def identify(settings: Settings, token: Token, sender: Sender, tokens: Tokens) -> tuple[str, str]:
    """Return the ids of the organization and environment to work in.

    An MQ client app is bound to one environment, which its token names. For the other kinds what is given as an id is
    taken as it is; a name, or nothing, is looked up (``GET /accounts/api/me`` and the organization's environments).

    Raises
    ------
    ConfigError
        When the choice is not clear; it names the candidates.
    """
    if token.organization and token.environment:
        return token.organization, token.environment
    organization = settings.organization
    if organization is None or not _GUID.fullmatch(organization):
        organization = await _organization(settings, sender, tokens)
    environment = settings.environment
    if environment is None or not _GUID.fullmatch(environment):
        environment = await _environment(settings, organization, sender, tokens)
    return organization, environment


async def _organization(settings: Settings, sender: Sender, tokens: Tokens) -> str:
    me = await _look_up(f"{settings.platform_url}/accounts/api/me", "organization", sender, tokens)
    user = _object(me, "user") or me
    own = _object(user, "organization")
    members = user.get("memberOfOrganizations")
    known = {
        str(org["id"]): str(org.get("name", "")) for org in (own, *(members if isinstance(members, list) else ())) if _has_id(org)
    }
    if settings.organization is None and _has_id(own):
        return str(own["id"])
    return _choose("organization", settings.organization, known)


async def _environment(settings: Settings, organization: str, sender: Sender, tokens: Tokens) -> str:
    url = f"{settings.platform_url}/accounts/api/organizations/{quote(organization, safe='')}/environments"
    answer = await _look_up(url, "environment", sender, tokens)
    entries = answer.get("data") or answer.get("environments")  # two keys are documented (fact sheet 9, row 14)
    known = {str(env["id"]): str(env.get("name", "")) for env in entries or () if _has_id(env)}
    return _choose("environment", settings.environment, known)


async def is_production(settings: Settings, token: Token, place: Place, sender: Sender, tokens: Tokens) -> bool | None:
    """Return whether an environment is production, as the Accounts API says; None when it does not say.

    An MQ client app's token is not valid there, and what cannot be looked up is not known.
    """
    if token.kind == "client_app":
        return None
    url = f"{settings.platform_url}/accounts/api/organizations/{quote(place.organization, safe='')}/environments"
    try:
        answer = await _look_up(url, "production", sender, tokens)
    except ConfigError:
        return None
    for entry in answer.get("data") or answer.get("environments") or ():
        if _has_id(entry) and entry["id"] == place.environment:
            if isinstance(entry.get("isProduction"), bool):
                return bool(entry["isProduction"])
            return None if entry.get("type") is None else entry["type"] == "production"
    return None


async def _look_up(url: str, setting: str, sender: Sender, tokens: Tokens) -> dict[str, Any]:
    try:
        response = await sender.call(Operation.LOOK_UP, "GET", url, where=f"the {setting}", tokens=tokens)
        value = decode(Operation.LOOK_UP, response)
    except CourierError as error:
        raise ConfigError(
            f"The {setting} is not given as an id and could not be looked up: {error}", setting=setting, places=places(setting)
        ) from error
    return value if isinstance(value, dict) else {}


def _choose(setting: str, wanted: str | None, known: dict[str, str]) -> str:
    matches = [key for key, name in known.items() if wanted is None or wanted in (key, name)]
    if len(matches) == 1:
        return matches[0]
    listed = ", ".join(f"{name} ({key})" for key, name in known.items()) or "none"
    what = f"There is no {setting} {wanted!r}" if wanted else f"The {setting} is not given and there are several"
    if not known:
        what = f"The {setting} is not given, and the credentials see none"
    raise ConfigError(f"{what}; these credentials see: {listed}.", setting=setting, places=places(setting))


def _object(value: dict[str, Any], key: str) -> dict[str, Any]:
    found = value.get(key)
    return found if isinstance(found, dict) else {}


def _has_id(entry: Any) -> bool:
    return isinstance(entry, dict) and isinstance(entry.get("id"), str)
