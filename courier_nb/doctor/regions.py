"""Which regions there are, whether their brokers answer, and how far the clocks are apart."""

from __future__ import annotations

import time

import anyio
import httpx

from courier_nb.core.checks import check_url
from courier_nb.core.errors import ConfigError, Unreachable
from courier_nb.doctor.caller import Caller
from courier_nb.doctor.report import Check
from courier_nb.wire.retry import Operation
from courier_nb.wire.session import Session

REACH_SECONDS = 5.0
_CLOCK_TOLERANCE_SECONDS = 5.0


async def regions(session: Session, caller: Caller, *, reach: bool = True) -> list[Check]:
    """Return one row for the list of regions, and one for each broker.

    Parameters
    ----------
    session : Session
    caller : Caller
    reach : bool
        Whether to try each region's broker, all at once and none longer than `REACH_SECONDS`.
    """
    answer = await caller.admin("Admin API", "/regions")
    urls: dict[str, str | None] = {}
    for entry in answer.entries if answer.is_success else []:
        name, url = entry.get("regionId") or entry.get("id"), entry.get("serviceUrl")
        if isinstance(name, str):
            urls[name] = url if isinstance(url, str) and url else None
    if answer.is_success:
        rows = [Check("regions", "ok", ", ".join(urls) or "none")]
    elif answer.status in (401, 403):
        rows = [Check("regions", "refused", str(answer), "an MQ client app cannot see the regions; a connected app can")]
    else:
        rows = [Check("regions", "unknown", str(answer))]
    ours = caller.place.broker_url
    if ours.rstrip("/") not in {_with_path(url) for url in urls.values() if url}:
        urls = {"in use": ours, **urls}
    if not reach:
        return rows
    found: dict[str, Check] = {}

    async def look(name: str, url: str | None) -> None:
        found[name] = await _reach(session, name, url, in_use=url is not None and _with_path(url) == ours)

    async with anyio.create_task_group() as group:
        for name, url in urls.items():
            group.start_soon(look, name, url)
    return rows + [found[name] for name in urls]


def clocks(caller: Caller) -> list[Check]:
    """Return one row for each host whose answers named a date."""
    rows = []
    for host, reading in caller.clocks.items():
        direction = "behind" if reading.ahead > 0 else "ahead of"
        found = (
            f"this machine is {abs(reading.ahead):.1f} s {direction} {host}, within {reading.within:.1f} s "
            "(the Date header has a resolution of 1 s)"
        )
        apart = max(0.0, abs(reading.ahead) - reading.within)
        if apart > _CLOCK_TOLERANCE_SECONDS:
            rows.append(
                Check(f"clock: {host}", "problem", found, "set this machine's clock (NTP): times of messages are wrong here")
            )
        else:
            rows.append(Check(f"clock: {host}", "ok", found))
    return rows or [Check("clock", "unknown", "no answer named its date")]


async def _reach(session: Session, name: str, url: str | None, *, in_use: bool) -> Check:
    check = f"broker: {name}"
    if url is None:
        return Check(check, "unknown", "the Admin API names no serviceUrl for it")
    try:
        url = check_url(url, "serviceUrl")
    except ConfigError as error:
        return Check(check, "problem", str(error))
    began = time.monotonic()
    what = f"no answer within {REACH_SECONDS:.0f} s"
    with anyio.move_on_after(REACH_SECONDS):
        try:
            response = await session.sender.ask(Operation.LOOK_UP, "GET", url, where=check, token=None)
        except Unreachable as error:
            what = str(error)
        else:
            milliseconds = (time.monotonic() - began) * 1_000
            return Check(check, "ok", f"{url} answers in {milliseconds:.0f} ms (HTTP {response.status_code})")
    how = f"let {httpx.URL(url).host} through firewall and proxy"
    return (
        Check(check, "problem", f"{url}: {what}", how)
        if in_use
        else Check(check, "unknown", f"{url}: {what}", f"{how}, if needed")
    )


def _with_path(url: str) -> str:
    url = url.rstrip("/")
    return url if "/api/" in url else f"{url}/api/v1"
