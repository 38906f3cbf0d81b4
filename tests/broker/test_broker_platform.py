"""What the Admin and Stats APIs have in common: regions, who may do what, errors, limits."""

from __future__ import annotations

import re
from dataclasses import replace

import httpx
import pytest

from courier_nb.broker import (
    SCOPES,
    BrokerConfig,
    ConnectedApp,
    EnvironmentConfig,
    ExchangeConfig,
    LocalBroker,
    QueueConfig,
    Switches,
)
from tests.broker.asking import BINDINGS, EXCHANGES, HERE, QUEUES, REGION, asking, binding

pytestmark = pytest.mark.anyio

DAY = {"startDate": "2025-06-15T00:00:00Z", "endDate": "2025-06-16T00:00:00Z"}
SECRET = "a secret of some app"
TO_SEE = {"view:destinations", "clear:destinations", "administer:destinations"}
TO_CHANGE = {"administer:destinations"}
TO_SEE_CLIENTS = {"view:clients", "manage:clients"}
RULE = {"routingRules": [{"propertyName": "n", "propertyType": "NUMERIC", "matcherType": "GT", "value": 5}]}
# API, method, path, body, the scopes of which one is needed
OPERATIONS = [
    ("admin", "GET", "regions", None, {*SCOPES, "none"}),
    ("admin", "GET", HERE, None, {*SCOPES, "none"}),
    ("admin", "GET", f"{HERE}/destinations", None, TO_SEE),
    ("admin", "GET", f"{QUEUES}/q", None, TO_SEE),
    ("admin", "PUT", f"{QUEUES}/new", {}, TO_CHANGE),
    ("admin", "PATCH", f"{QUEUES}/q", {}, TO_CHANGE),
    ("admin v2", "PATCH", f"{QUEUES}/q", {}, TO_CHANGE),
    ("admin", "DELETE", f"{QUEUES}/q", None, TO_CHANGE),
    ("admin", "DELETE", f"{QUEUES}/q/messages", None, TO_CHANGE | {"clear:destinations"}),
    ("admin", "PUT", f"{QUEUES}/q/fallback", {"fallbackEnabled": True}, TO_CHANGE),
    ("admin", "GET", f"{EXCHANGES}/x", None, TO_SEE),
    ("admin", "PUT", f"{EXCHANGES}/new", {}, TO_CHANGE),
    ("admin", "PATCH", f"{EXCHANGES}/x", {}, TO_CHANGE),
    ("admin", "DELETE", f"{EXCHANGES}/x", None, TO_CHANGE),
    ("admin", "GET", f"{BINDINGS}/exchanges/x", None, TO_SEE),
    ("admin", "GET", f"{BINDINGS}/queues/q", None, TO_SEE),
    ("admin", "GET", binding("x", "q"), None, TO_SEE),
    ("admin", "PUT", binding("x", "q"), {}, TO_CHANGE),
    ("admin", "DELETE", binding("x", "q"), None, TO_CHANGE),
    ("admin", "PUT", binding("x", "q", "/rules/routing"), RULE, TO_CHANGE),
    ("admin", "DELETE", binding("x", "q", "/rules/routing"), None, TO_CHANGE),
    ("admin", "GET", "clients", None, TO_SEE_CLIENTS),
    ("admin", "PUT", "clients", {"name": "new"}, {"manage:clients"}),
    ("admin", "POST", "clients/an id", None, {"manage:clients"}),
    ("admin", "DELETE", "clients/an id", None, {"manage:clients"}),
    ("stats", "GET", f"{HERE}/queues?destinationIds=q", None, TO_SEE),
    ("stats", "GET", f"{HERE}/queues/q?startDate=2025-06-15&endDate=2025-06-16&period=60", None, TO_SEE),
    ("stats", "GET", f"{HERE}/exchanges/x?startDate=2025-06-15&endDate=2025-06-16&period=60", None, TO_SEE),
    ("stats", "GET", "?startDate=2025-06-15&endDate=2025-06-16&period=1day", None, {"read:stats"}),
]


def config(**more):
    return BrokerConfig(queues=(QueueConfig("q"),), exchanges=(ExchangeConfig("x", ("q",)),), **more)


def id_of(operation):
    return re.sub(r"\?.*", "", " ".join(operation[:3]))


@pytest.fixture
async def platform(broker, anyio_backend):
    async with asking(broker) as ask:
        yield ask


async def test_the_region_leads_back_to_this_server_as_the_client_reached_it(broker, platform):
    entity = {"regionId": REGION, "fallbackRegion": "us-east-2", "id": REGION, "name": REGION, "type": "region"}
    assert (await platform("admin", "regions")).json() == [entity | {"serviceUrl": broker.mq_url}]
    assert (await platform("admin", HERE)).json() == entity | {"serviceUrl": broker.mq_url}
    assert (await platform("admin", "regions/eu-west-1")).status_code == 404
    with broker.serving() as settings:
        async with httpx.AsyncClient() as client:
            url = f"{settings['platform_url']}/mq/admin/api/v1{platform.place()}/regions"
            answer = await client.get(url, headers={"Authorization": f"Bearer {platform.token}"})
            assert answer.json() == [entity | {"serviceUrl": settings["url"]}]


@pytest.mark.parametrize(
    ("region_entity", "keys"),
    [("regionId", {"regionId", "serviceUrl", "fallbackRegion"}), ("id", {"id", "name", "type"})],
)
async def test_a_region_can_have_one_form_only(clock, region_entity, keys):
    with LocalBroker(config(switches=Switches(region_entity=region_entity)), clock=clock) as broker:
        async with asking(broker) as ask:
            assert {*(await ask.get("regions"))[0]} == keys


async def test_a_region_of_ones_own_has_no_fallback(clock):
    with LocalBroker(config(region="mars-1"), clock=clock) as broker:
        async with asking(broker) as ask:
            (region,) = await ask.get("regions")
            assert region["regionId"] == "mars-1"
            assert "fallbackRegion" not in region


@pytest.mark.parametrize("operation", OPERATIONS, ids=id_of)
async def test_an_operation_needs_one_of_its_scopes_and_no_other(clock, operation):
    api, method, path, value, allowing = operation
    api, _, version = api.partition(" ")
    apps = [ConnectedApp("none", SECRET, ()), *(ConnectedApp(scope, SECRET, (scope,)) for scope in SCOPES)]
    with LocalBroker(config(connected_apps=tuple(apps)), clock=clock) as broker:
        for app in apps:
            async with asking(broker, {"client_id": app.client_id, "client_secret": SECRET}) as ask:
                answer = await ask(api, path, method, value, version=version or "v1")
            if app.client_id in allowing:
                assert answer.status_code in (200, 201, 204, 404), answer.text
            else:
                assert (answer.status_code, answer.json()) == (403, {"status": 403, "message": "forbidden"})


@pytest.mark.parametrize(
    ("switch", "allowing"),
    [("either", {"administer:destinations", "clear:destinations"}), ("administer", TO_CHANGE), ("clear", {"clear:destinations"})],
)
async def test_who_may_purge_is_a_switch(clock, switch, allowing):
    apps = tuple(ConnectedApp(scope, SECRET, (scope,)) for scope in SCOPES)
    with LocalBroker(config(connected_apps=apps, switches=Switches(purge_scope=switch)), clock=clock) as broker:
        for scope in SCOPES:
            async with asking(broker, {"client_id": scope, "client_secret": SECRET}) as ask:
                answer = await ask("admin", f"{QUEUES}/q/messages", "DELETE")
                assert answer.status_code == (204 if scope in allowing else 403)


@pytest.mark.parametrize("operation", OPERATIONS, ids=id_of)
async def test_no_operation_is_open_to_a_client_app_or_without_a_token(broker, platform, operation):
    api, method, path, value, _ = operation
    api, _, version = api.partition(" ")
    await platform.authorize("/api/v1/authorize")
    for token in (platform.token, "wrong", ""):
        place = f"{broker.platform_url}/mq/{api}/api/{version or 'v1'}{platform.place()}"
        answer = await platform.client.request(
            method, f"{place}/{path}".replace("/?", "?"), json=value, headers={"Authorization": f"Bearer {token}"}
        )
        assert (answer.status_code, answer.text) == (401, "Unauthorized")


@pytest.mark.parametrize(
    ("api", "path", "methods"),
    [
        ("admin", "regions", "GET"),
        ("admin", f"{HERE}/destinations", "GET"),
        ("admin", f"{QUEUES}/q", "GET, PUT, PATCH, DELETE"),
        ("admin", f"{QUEUES}/q/messages", "DELETE"),
        ("admin", f"{QUEUES}/q/fallback", "PUT"),
        ("admin", f"{EXCHANGES}/x", "GET, PUT, PATCH, DELETE"),
        ("admin", binding("x", "q"), "GET, PUT, DELETE"),
        ("admin", binding("x", "q", "/rules/routing"), "PUT, DELETE"),
        ("admin", "clients", "GET, PUT"),
        ("admin", "clients/c", "POST, DELETE"),
        ("stats", "", "GET"),
        ("stats", f"{HERE}/queues", "GET"),
        ("stats", f"{HERE}/queues/q", "GET"),
    ],
)
async def test_another_method_is_told_which_there_are(platform, api, path, methods):
    for method in {"GET", "PUT", "POST", "PATCH", "DELETE", "OPTIONS"} - set(methods.split(", ")):
        answer = await platform(api, path, method)
        assert (answer.status_code, answer.headers["allow"], answer.json()["status"]) == (405, methods, 405)
        assert method in answer.json()["message"]


@pytest.mark.parametrize("api", ["admin", "stats"])
@pytest.mark.parametrize(
    "path",
    ["nothing", "regions//destinations", f"{QUEUES}/", f"{QUEUES}/q/other", "clients/a/b", f"{HERE}/destinations//"],
)
async def test_what_is_not_there_is_refused(platform, api, path):
    answer = await platform(api, path)
    assert (answer.status_code, answer.json()) == (404, {"status": 404, "message": "not found"})


@pytest.mark.parametrize("path", ["/mq", "/mq/admin", "/mq/other/api/v1/organizations/o", "/mq/stats/api/v2/organizations/o"])
async def test_there_is_no_other_api(platform, path):
    assert (await platform.call("GET", path)).status_code == 404


@pytest.mark.parametrize("api", ["admin", "stats"])
async def test_another_environment_or_organization_is_forbidden_whatever_is_asked_of_it(platform, api):
    organization, environment = platform.settings["organization"], platform.settings["environment"]
    for place in (f"{organization}/environments/other", f"other/environments/{environment}", "other", "%00/environments/%00"):
        for path in ("regions", "nothing", f"{HERE}/queues?destinationIds=q"):
            answer = await platform.call("GET", f"/mq/{api}/api/v1/organizations/{place}/{path}")
            assert (answer.status_code, answer.json()) == (403, {"status": 403, "message": "forbidden"})


async def test_a_slash_at_the_end_changes_nothing(platform):
    assert (await platform("admin", f"{QUEUES}/q/")).json()["queueId"] == "q"
    assert (await platform("admin", "regions/")).status_code == 200


@pytest.mark.parametrize("name", ["%FF", "%ED%A0%80", "%ED%A0%80%ED%B0%80", "a%FFb"])
async def test_a_name_that_is_no_text_is_a_bad_request(platform, name):
    for api, path in (("admin", f"{QUEUES}/{name}"), ("admin", f"clients/{name}"), ("stats", f"{HERE}/queues/{name}")):
        answer = await platform(api, path, "DELETE" if "clients" in path else "GET", params=DAY | {"period": 60})
        assert answer.status_code == 400, answer.text


async def documented(clock, **switches):
    return LocalBroker(config(switches=Switches(platform_limits="documented", **switches)), clock=clock)


async def test_fifty_calls_a_minute_to_the_admin_api_of_an_environment(clock):
    with await documented(clock) as broker:
        async with asking(broker) as ask:
            for number in range(50):
                clock.advance(0.125)
                assert (await ask("admin", f"{QUEUES}/{'q' if number % 2 else 'missing'}")).status_code in (200, 404)
            answer = await ask("admin", f"{QUEUES}/q")
            assert (answer.status_code, answer.json()) == (429, {"status": 429, "message": "Too many requests"})
            assert "retry-after" not in answer.headers
            assert (await ask("stats", f"{HERE}/queues", params={"destinationIds": "q"})).status_code == 200
            clock.advance(53.875)  # a minute after the first was answered
            assert (await ask("admin", f"{QUEUES}/q")).status_code == 200, "those that were refused have not counted"
            assert (await ask("admin", f"{QUEUES}/q")).status_code == 429, "the window slides, it does not start again"


async def test_the_limits_are_for_each_environment(clock):
    both = replace(config(switches=Switches(platform_limits="documented")), environments=(EnvironmentConfig("Other", "other"),))
    with LocalBroker(both, clock=clock) as broker:
        async with asking(broker) as ask:
            for environment in (None, "other"):
                for expected in [200] * 50 + [429]:
                    assert (await ask("admin", "regions", environment=environment)).status_code == expected


@pytest.mark.parametrize("calls", [100, 200])
async def test_the_limit_of_stats_calls_is_a_switch(clock, calls):
    with await documented(clock, stats_calls_per_minute=calls) as broker:
        async with asking(broker) as ask:
            answers = [await ask("stats", f"{HERE}/queues", params={"destinationIds": "q"}) for _ in range(calls + 1)]
            assert [answer.status_code for answer in answers] == [200] * calls + [429]
            assert (await ask("stats", f"{HERE}/queues/q", params=DAY | {"period": 600})).status_code == 429
            assert (await ask("stats", "", params=DAY | {"period": "1day"})).status_code in (200, 204)


async def test_ten_calls_a_minute_for_the_usage_of_an_environment_and_as_many_of_the_organization(clock):
    with await documented(clock) as broker:
        async with asking(broker) as ask:
            organization = f"/mq/stats/api/v1/organizations/{ask.settings['organization']}"
            params = DAY | {"period": "1day"}
            for call in (
                lambda: ask("stats", "", params=params),
                lambda: ask.call("GET", organization, params=params),
            ):
                answers = [await call() for _ in range(11)]
                assert {answer.status_code for answer in answers[:10]} <= {200, 204}
                assert answers[10].status_code == 429


async def test_300_calls_a_second_to_a_fifo_queue_failed_ones_too(clock, open_api):
    queues = (QueueConfig("f", fifo=True), QueueConfig("g", fifo=True), QueueConfig("s"))
    switches = Switches(platform_limits="documented")
    with LocalBroker(BrokerConfig(queues=queues, switches=switches), clock=clock) as broker:
        async with open_api(broker) as api:
            for number in range(300):
                answer = await (api.call("PUT", api.path("f"), []) if number % 3 == 0 else api.poll("f"))
                assert answer.status_code == (400 if number % 3 == 0 else 204)
            answer = await api.poll("f")
            assert (answer.status_code, answer.json()) == (429, {"status": "failure", "statusMessage": "Too many requests"})
            assert [(await api.poll(queue)).status_code for queue in ("g", "s", "missing")] == [204, 204, 404]
            for _ in range(301):
                assert (await api.poll("s")).status_code == 204, "a standard queue has no limit"
            clock.advance(1)
            assert (await api.poll("f")).status_code == 204


async def test_there_are_no_limits_unless_they_are_asked_for(platform):
    for _ in range(210):
        assert (await platform("stats", f"{HERE}/queues", params={"destinationIds": "q"})).status_code == 200
