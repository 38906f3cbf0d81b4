"""What these credentials may do, found out with calls that cannot have an effect."""

from __future__ import annotations

import email.utils
import time
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

from courier_nb.core.errors import CourierError, Refused
from courier_nb.doctor.caller import Answer, Caller
from courier_nb.doctor.report import Check, State

_NO_ID = "courier-nb-doctor-no-such-message"
_NO_LOCK = "courier-nb-doctor-no-such-lock"
_DAY_SECONDS = 86_400.0


@dataclass(frozen=True, slots=True)
class Scope:
    """What a connected app asks for.

    Attributes
    ----------
    shown : str
        Name in the Anypoint user interface.
    name : str
        Name in the API.
    """

    shown: str
    name: str

    def __str__(self) -> str:
        return f"{self.shown!r} ({self.name})"


VIEW = Scope("View destinations", "view:destinations")
STATS = Scope("Read MQ stats", "read:stats")
CLIENTS = Scope("View clients", "view:clients")
SUBSCRIBE = Scope("Destination subscriber for given environment", "subscribe:destinations")
PUBLISH = Scope("Destination publisher for given environment", "publish:destinations")


@dataclass(frozen=True, slots=True)
class _HarmlessCall:
    """A call to the broker that needs a right and cannot change anything."""

    right: str
    scope: Scope
    method: str
    path: str
    content: Any = field(repr=False)


# Locks that cannot be valid, and a batch of no messages: whoever may make these calls changes nothing by them.
_LOCK = {"messageId": _NO_ID, "lockId": _NO_LOCK}
_BROKER_CALLS = (
    _HarmlessCall("subscribe", SUBSCRIBE, "DELETE", "messages/locks", [_LOCK]),
    _HarmlessCall("publish", PUBLISH, "PUT", "messages", []),
    # Under the publisher scope in the vendor's own permission table.
    _HarmlessCall("change locks", PUBLISH, "PATCH", "messages/locks", [{**_LOCK, "ttl": 1}]),
)
RIGHTS = ("list destinations", "queue depth", "usage figures", "client apps", *(call.right for call in _BROKER_CALLS))


async def rights(caller: Caller, destination: str | None) -> list[Check]:
    """Return one row a right.

    Parameters
    ----------
    caller : Caller
    destination : str, optional
        Where the broker's rights are tried; without one, a queue that the Admin API lists.
    """
    region = await _region(caller)
    if isinstance(region, Answer):
        listing = depth = region
        queue = destination
    else:
        listing = await caller.admin("Admin API", f"{region}/destinations", destinationType="all")
        queue = destination or _first_queue(listing)
        depth = await caller.stats("Stats API", f"{region}/queues", destinationIds=queue or _NO_ID)
    usage = await caller.stats("Stats API", "", **_yesterday(), period="1day")
    clients = await caller.admin("Admin API", "/clients")
    is_client_app = await caller.kind() == "client_app"
    platform = {
        "list destinations": (listing, VIEW, f"{len(listing.entries)} on the first page"),
        "queue depth": (depth, VIEW, ""),
        "usage figures": (usage, STATS, ""),
        "client apps": (clients, CLIENTS, f"{len(clients.entries)} client apps"),
    }
    rows = [_platform_right(right, *found, is_client_app) for right, found in platform.items()]
    return rows + [await _broker_right(caller, call, queue) for call in _BROKER_CALLS]


def unknown_rights(why: str) -> list[Check]:
    """Return the rows where nothing could be tried."""
    return [Check(f"may: {right}", "unknown", why) for right in RIGHTS]


async def _region(caller: Caller) -> str | Answer:
    """Return the path of the region, or what stood in the way of finding it out."""
    try:
        return f"/regions/{quote(await caller.region(), safe='')}"
    except Refused as error:
        return Answer("Admin API", error.status, error.reason)
    except CourierError as error:
        return Answer("region", None, str(error))


def _first_queue(listing: Answer) -> str | None:
    names = [entry.get("queueId") for entry in listing.entries]
    return next((name for name in names if isinstance(name, str) and name), None)


def _yesterday() -> Mapping[str, str]:
    now = time.time()
    return {
        "startDate": email.utils.formatdate(now - _DAY_SECONDS, usegmt=True),
        "endDate": email.utils.formatdate(now, usegmt=True),
    }


def _platform_right(right: str, answer: Answer, scope: Scope, found: str, is_client_app: bool) -> Check:
    if answer.is_success:
        return Check(f"may: {right}", "ok", f"{answer}; {found}" if found else str(answer))
    if answer.status in (401, 403):
        if is_client_app:
            how = f"a token of an MQ client app is for the broker only: use a connected app with the scope {scope}"
        else:
            how = f"ask for the scope {scope} in this environment"
        return Check(f"may: {right}", "refused", str(answer), how)
    return Check(f"may: {right}", "unknown", str(answer), _what_now(answer))


async def _broker_right(caller: Caller, call: _HarmlessCall, queue: str | None) -> Check:
    name = f"may: {call.right}"
    if queue is None:
        return Check(name, "unknown", "no destination is known to try it on", "name a queue with destination= (--destination)")
    answer = await caller.broker("broker", call.method, queue, call.path, call.content)
    found = f"{answer}, on {queue!r}"
    state: State = "unknown"
    if answer.is_success:
        state = "ok"
    elif answer.status == 403:
        return Check(name, "refused", found, f"ask for the scope {call.scope} in this environment")
    elif answer.status == 401:
        return Check(name, "refused", found, "the broker does not take this token: check the broker's URL and the environment")
    elif answer.status == 400:
        # The content is refused, as it should be. That says something about the right only if the right is judged first,
        # which the same call shows in an environment that cannot be ours.
        control = await caller.broker("broker", call.method, queue, call.path, call.content, environment=str(uuid.uuid4()))
        if control.status in (401, 403):
            return Check(name, "ok", f"{found}: the content is refused, not the right (elsewhere: {control.status})")
        found += f"; the same call in an environment that does not exist: {control.status}"
    return Check(name, state, found, "" if state == "ok" else _what_now(answer))


def _what_now(answer: Answer) -> str:
    match answer.status:
        case None:
            return "check the URL, the firewall and the proxy settings"
        case 404:
            return "check organization, environment, region and the name of the destination"
        case 429:
            return "too many calls: try again in a minute"
    return "try again later; if it stays, this cannot be found out without trying the real thing"
