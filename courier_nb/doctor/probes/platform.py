"""Shapes and limits of Accounts, Admin and Stats, read only."""

from __future__ import annotations

import email.utils
import time
from collections.abc import Awaitable, Callable
from urllib.parse import quote

from courier_nb.doctor.bench import Bench
from courier_nb.doctor.caller import Answer
from courier_nb.doctor.probes.seen import Seen

MOST_ADMIN_ROWS = 100_000
MOST_STATS_IDS = 1_000
ADMIN_TRIES = 1 + MOST_ADMIN_ROWS.bit_length()
STATS_TRIES = 1 + MOST_STATS_IDS.bit_length()
_REFUSALS = (400, 413, 414, 422, 431)
_HOUR_SECONDS = 3_600


async def region_entity(bench: Bench) -> tuple[Seen, ...]:
    """Which keys an entry of the list of regions has."""
    answer = bench.note(await bench.caller.admin("regions", "/regions"))
    if not answer.is_success or not answer.entries:
        return (Seen.nothing(answer),)
    entry = answer.entries[0]
    keys = ", ".join(sorted(map(str, entry)))
    match "regionId" in entry, "id" in entry:
        case True, True:
            return (Seen(f"keys: {keys}", ("both",)),)
        case True, False:
            return (Seen(f"keys: {keys}", ("regionId",)),)
        case False, True:
            return (Seen(f"keys: {keys}", ("id",)),)
    return (Seen(f"keys: {keys}"),)


async def environments_key(bench: Bench) -> tuple[Seen, ...]:
    """Under which key the environments are listed."""
    organization = quote(bench.caller.place.organization, safe="")
    url = f"{bench.caller.platform_url}/accounts/api/organizations/{organization}/environments"
    answer = bench.note(await bench.caller.ask("environments", "GET", url))
    if not answer.is_success or not isinstance(answer.value, dict):
        return (Seen.nothing(answer),)
    found = tuple(key for key in ("data", "environments") if isinstance(answer.value.get(key), list))
    keys = ", ".join(sorted(map(str, answer.value)))
    return (Seen(f"keys: {keys}", found if len(found) == 1 else ()),)


async def live_depth(bench: Bench) -> tuple[Seen, ...]:
    """Whether the live depth of one queue is an array or an object."""
    answer = await _depths(bench, [bench.subject.queue])
    if not answer.is_success:
        return (Seen.nothing(answer),)
    match answer.value:
        case list():
            return (Seen("an array of one", ("array",)),)
        case dict():
            return (Seen("one object", ("object",)),)
    return (Seen.nothing(answer),)


async def history_shape(bench: Bench) -> tuple[Seen, ...]:
    """Whether the history of a queue is wrapped in ``value``."""
    now = time.time()
    dates = {"startDate": now - _HOUR_SECONDS, "endDate": now}
    answer = bench.note(
        await bench.caller.stats(
            "history",
            f"{bench.subject.region}/queues/{quote(bench.subject.queue, safe='')}",
            **{name: email.utils.formatdate(date, usegmt=True) for name, date in dates.items()},
            period="60",
        )
    )
    if not answer.is_success or not isinstance(answer.value, dict):
        return (Seen.nothing(answer),)
    keys = ", ".join(sorted(map(str, answer.value)))
    if isinstance(answer.value.get("value"), dict):
        return (Seen(f"keys: {keys}", ("value",)),)
    return (Seen(f"keys: {keys}", ("bare",) if "destination" in answer.value else ()),)


async def admin_page_limit(bench: Bench) -> tuple[Seen, ...]:
    """The largest ``limit`` of a list in the Admin API."""

    async def page(limit: int, offset: int = 0) -> Answer:
        answer = await bench.caller.admin(
            "destinations", f"{bench.subject.region}/destinations", destinationType="all", limit=str(limit), offset=str(offset)
        )
        return bench.note(answer)

    whole = await page(MOST_ADMIN_ROWS)
    if whole.is_success:
        shown = len(whole.entries)
        rest = await page(1, offset=shown)
        if rest.is_success and rest.entries:
            return (Seen(f"limit={MOST_ADMIN_ROWS} is taken, and {shown} come", (shown,)),)
        return (Seen.nothing(f"limit={MOST_ADMIN_ROWS} is taken, and all {shown} destinations come"),)
    return (await _largest(whole, MOST_ADMIN_ROWS, page, "limit"),)


async def stats_ids(bench: Bench) -> tuple[Seen, ...]:
    """How many queues one Stats call may name."""

    async def ask(count: int) -> Answer:
        made_up = [f"courier-nb-{number}" for number in range(1, count)]
        return await _depths(bench, [bench.subject.queue, *made_up])

    most = await ask(MOST_STATS_IDS)
    if most.is_success:
        return (Seen.nothing(f"{MOST_STATS_IDS} names are taken, and {len(most.entries)} entries come"),)
    return (await _largest(most, MOST_STATS_IDS, ask, "number of names"),)


async def _largest(refused: Answer, least_refused: int, ask: Callable[[int], Awaitable[Answer]], what: str) -> Seen:
    """Find the largest number that is taken, by halving."""
    taken = 0
    while taken + 1 < least_refused and refused.status in _REFUSALS:
        middle = (taken + least_refused) // 2
        answer = await ask(middle)
        if answer.is_success:
            taken = middle
        else:
            refused, least_refused = answer, middle
    if not taken or refused.status not in _REFUSALS:
        return Seen.nothing(refused)
    return Seen(f"{what} {taken} is taken, {least_refused} is refused", (taken,))


async def _depths(bench: Bench, queues: list[str]) -> Answer:
    answer = await bench.caller.stats("depths", f"{bench.subject.region}/queues", destinationIds=",".join(queues))
    return bench.note(answer)
