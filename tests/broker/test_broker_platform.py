"""The Admin and Stats APIs."""

from __future__ import annotations

import httpx
import pytest

pytestmark = pytest.mark.anyio

REGION = "us-east-1"


@pytest.fixture
async def platform(broker, api):
    """Ask Admin or Stats for a path below the environment."""
    await api.authorize(f"{broker.platform_url}/accounts/api/v2/oauth2/token")

    async def ask(which, path, method="GET", **more):
        return await api.call(method, f"{api.settings['platform_url']}/mq/{which}/api/v1{api.base}/{path}", **more)

    return ask


async def test_the_region_leads_back_to_this_server_as_the_client_reached_it(broker, api, platform):
    assert (await platform("admin", "regions")).json() == [{"regionId": REGION, "serviceUrl": broker.mq_url}]
    with broker.serving() as settings:
        async with httpx.AsyncClient() as client:
            api.client, api.settings = client, settings
            assert (await platform("admin", "regions")).json() == [{"regionId": REGION, "serviceUrl": settings["url"]}]


async def test_a_queue_shows_what_applies_to_it(platform):
    plain = {
        "type": "queue",
        "fifo": False,
        "encrypted": False,
        "defaultTtl": 604_800_000,
        "defaultLockTtl": 120_000,
        "defaultDeliveryDelay": 0,
    }
    path = f"regions/{REGION}/destinations/queues"
    assert (await platform("admin", f"{path}/q")).json() == plain | {"queueId": "q"}
    assert (await platform("admin", f"{path}/dead")).json() == plain | {"queueId": "dead", "deadLetterSources": ["work"]}
    assert (await platform("admin", f"{path}/work")).json() == plain | {
        "queueId": "work",
        "defaultLockTtl": 60_000,
        "maxDeliveries": 2,
        "deadLetterQueueId": "dead",
    }
    for other in (f"{path}/missing", f"{path}/%00", "regions/eu-west-1/destinations/queues/q"):
        answer = await platform("admin", other)
        assert (answer.status_code, answer.json()["message"]) == (404, "queue not found")


async def test_destinations_come_in_pages_of_twenty(broker, platform):
    for number in range(25):
        broker.create_queue(f"page-{number:02}")
    path = f"regions/{REGION}/destinations"

    async def ids(**params):
        answer = await platform("admin", path, params=params)
        return [entity["queueId"] for entity in answer.json()] if answer.status_code == 200 else answer.status_code

    everything = ["dead", *[f"page-{number:02}" for number in range(25)], "q", "work"]
    assert await ids() == everything[:20]
    assert await ids(offset=20) == everything[20:]
    assert await ids(offset=5, limit=3, destinationType="queue", inclusion="all") == everything[5:8]
    assert await ids(limit=500) == everything
    assert await ids(startsWith="page-2") == everything[21:26]
    assert await ids(startsWith="none") == 204
    assert await ids(offset=100) == 204
    assert await ids(destinationType="exchange") == 204
    for wrong in ({"limit": 0}, {"limit": "x"}, {"offset": -1}, {"destinationType": "topic"}):
        assert await ids(**wrong) == 400


async def test_stats_count_waiting_and_locked_messages(api, platform):
    await api.publish("q", "a", "b", "c")
    await api.receive("q", batchSize=1)
    path = f"regions/{REGION}/queues"
    answer = await platform("stats", path, params={"destinationIds": "q,dead,missing"})
    assert answer.json()[:2] == [
        {"destination": "q", "messages": 2, "inflightMessages": 1},
        {"destination": "dead", "messages": 0, "inflightMessages": 0},
    ]
    assert answer.json()[2]["destination"] == "missing"
    assert "Destination not found" in answer.text
    assert (await platform("stats", path, params={"destinationIds": ""})).status_code == 204
    assert (await platform("stats", path)).status_code == 400


async def test_stats_see_that_a_lock_has_run_out(api, clock, platform):
    await api.publish("q", "a")
    await api.receive("q", lockTtl=1000)
    clock.advance(1)
    answer = await platform("stats", f"regions/{REGION}/queues", params={"destinationIds": "q"})
    assert answer.json() == [{"destination": "q", "messages": 1, "inflightMessages": 0}]


@pytest.mark.parametrize("which", ["admin", "stats"])
async def test_what_is_not_there_is_refused(api, platform, which):
    assert (await platform(which, "nothing")).status_code == 404
    assert (await platform(which, "regions", method="DELETE")).status_code in (404, 405)
    scope = api.base.replace(api.settings["environment"], "other")
    answer = await api.call("GET", f"{api.settings['platform_url']}/mq/{which}/api/v1{scope}/regions")
    assert answer.status_code == 403
