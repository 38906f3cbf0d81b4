"""Where the calls go: organization, environment, region and broker, given or looked up."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import httpx
import pytest

from courier_nb.core.errors import ConfigError, Unauthorized
from courier_nb.core.settings import Settings
from courier_nb.wire.session import Session
from tests.unit.scripts import Script, reply

pytestmark = pytest.mark.anyio

ORG, ENV = "11111111-1111-4111-8111-111111111111", "22222222-2222-4222-8222-222222222222"
OTHER = "33333333-3333-4333-8333-333333333333"
ME = {"user": {"organization": {"id": ORG, "name": "Root"}, "memberOfOrganizations": [{"id": OTHER, "name": "Branch"}]}}
SANDBOX = {"id": ENV, "name": "Sandbox"}


def service(script: Script, *, me: Any = ME, environments: Any = None, regions: Any = None, client_app: bool = False) -> Script:
    """Let the script answer as the platform does."""
    environments = {"data": [SANDBOX]} if environments is None else environments

    def answer(request: httpx.Request) -> httpx.Response:
        path = request.url.path
        if path.endswith("/token") and not client_app:
            return reply(200, {"access_token": "t"})
        if path.endswith("/authorize"):
            return reply(200, {"access_token": "t", "simple_client": {"orgId": "app-org", "envId": "app-env"}})
        for end, value in (("/me", me), ("/environments", environments), ("/regions", regions)):
            if path.endswith(end) and value is not None:
                return value if isinstance(value, httpx.Response) else reply(200, value)
        return reply(401 if path.endswith("/token") else 403)

    return script.always(answer)


def session(script: Script, settings: Settings, **changes: Any) -> Session:
    return Session(replace(settings, **changes), transport=script.transport)


def asked(script: Script) -> list[str]:
    return [request.url.path.rsplit("/", 1)[-1] for request in script.requests]


async def test_ids_are_taken_as_given_and_nothing_is_looked_up(script, settings):
    place = (await session(service(script), settings, organization=ORG, environment=ENV).operations()).place
    assert (place.broker_url, place.organization, place.environment) == ("https://mq.test/api/v1", ORG, ENV)
    assert asked(script) == ["token"]


async def test_a_client_app_is_bound_to_its_environment(script, settings):
    place = (await session(service(script, client_app=True), settings, organization="x", environment="y").operations()).place
    assert (place.organization, place.environment) == ("app-org", "app-env")


@pytest.mark.parametrize(
    ("organization", "environment", "expected"),
    [(None, None, (ORG, ENV)), ("Root", "Sandbox", (ORG, ENV)), ("Branch", None, (OTHER, ENV)), (OTHER, "Sandbox", (OTHER, ENV))],
)
@pytest.mark.parametrize("key", ["data", "environments"])
async def test_names_are_looked_up(script, settings, organization, environment, expected, key):
    known = service(script, environments={key: [SANDBOX]})
    place = (await session(known, settings, organization=organization, environment=environment).operations()).place
    assert (place.organization, place.environment) == expected


async def test_several_environments_are_listed_for_the_user_to_choose(script, settings):
    several = {"data": [SANDBOX, {"id": OTHER, "name": "Production"}]}
    with pytest.raises(ConfigError, match="not given and there are several") as caught:
        await session(service(script, environments=several), settings, organization=ORG).operations()
    for words in (f"Sandbox ({ENV})", f"Production ({OTHER})", "ANYPOINT_ENV"):
        assert words in str(caught.value)
    assert caught.value.setting == "environment"


async def test_a_name_that_does_not_exist_lists_those_that_do(script, settings):
    with pytest.raises(ConfigError, match=rf"no environment 'Prod'.*Sandbox \({ENV}\)"):
        await session(service(script), settings, organization=ORG, environment="Prod").operations()


@pytest.mark.parametrize("environments", [{"data": []}, {"data": ["odd", {"id": 5}, None]}, [], {}])
async def test_credentials_that_see_nothing_are_told_so(script, settings, environments):
    with pytest.raises(ConfigError, match="the credentials see none"):
        await session(service(script, environments=environments), settings, organization=ORG).operations()


@pytest.mark.parametrize("me", [reply(403), reply(200, "<html>")])
async def test_a_look_up_that_fails_asks_for_the_id(script, settings, me):
    with pytest.raises(ConfigError, match=r"could not be looked up.*ANYPOINT_ORG"):
        await session(service(script, me=me), settings).operations()


@pytest.mark.parametrize(
    ("regions", "broker"),
    [
        ([{"regionId": "eu", "serviceUrl": "https://said.test/api/v1"}], "https://said.test/api/v1"),
        ([{"id": "eu", "serviceUrl": "https://said.test"}], "https://said.test/api/v1"),
        ([{"id": "eu", "serviceUrl": ""}], "https://mq-eu.platform.test/api/v1"),
        ([{"id": "us", "serviceUrl": "https://us.test"}], "https://mq-eu.platform.test/api/v1"),
        (reply(403), "https://mq-eu.platform.test/api/v1"),
    ],
)
async def test_the_broker_of_a_region_is_looked_up(script, settings, regions, broker):
    known = service(script, regions=regions)
    place = (await session(known, settings, mq_url=None, region="eu", organization=ORG, environment=ENV).operations()).place
    assert place.broker_url == broker


async def test_a_service_url_that_would_send_secrets_in_clear_is_refused(script, settings):
    known = service(script, regions=[{"id": "eu", "serviceUrl": "http://said.test"}])
    with pytest.raises(ConfigError, match="plain http"):
        await session(known, settings, mq_url=None, region="eu", organization=ORG, environment=ENV).operations()


async def test_without_a_region_those_that_exist_are_listed(script, settings):
    known = service(script, regions=[{"id": "eu"}, {"id": "us"}])
    with pytest.raises(ConfigError, match="has: eu, us"):
        await session(known, settings, mq_url=None, organization=ORG, environment=ENV).operations()


@pytest.mark.parametrize(
    ("mq_url", "region", "regions", "expected"),
    [
        ("https://mq.test/api/v1", "given", None, "given"),
        ("https://mq-eu-1.any.test/api/v1", None, [{"id": "a"}, {"id": "b"}], "eu-1"),
        ("https://mq.test/api/v1", None, [{"id": "a"}, {"id": "b", "serviceUrl": "https://mq.test/api/v1/"}], "b"),
        ("https://mq.test/api/v1", None, [{"id": "only"}], "only"),
    ],
)
async def test_the_region_of_a_broker_is_found(script, settings, mq_url, region, regions, expected):
    known = service(script, regions=regions)
    found = session(known, settings, mq_url=mq_url, region=region, organization=ORG, environment=ENV)
    assert await found.region() == expected
    assert found.region_hint in (expected, None)


async def test_a_token_that_is_not_accepted_is_said_at_once(script, settings):
    script.always(reply(401))
    with pytest.raises(Unauthorized):
        await session(script, settings, organization=ORG, environment=ENV).operations()


async def test_the_place_is_found_once(script, settings):
    one = session(service(script), settings)
    assert await one.operations() is await one.operations()
    assert asked(script) == ["token", "me", "environments"]


@pytest.mark.parametrize("client_app", [True, False])
async def test_a_depth_is_hinted_at_where_the_credential_may_know_it(script, settings, client_app):
    known = service(script, client_app=client_app)
    found = session(known, settings, region="eu", organization=ORG, environment=ENV)
    if client_app:
        assert await found.depth_hint("orders") is None
        assert "queues" not in asked(script)
    else:
        script.will(reply(200, {"access_token": "t"}), reply(200, [{"destination": "orders", "messages": 7}]))
        assert await found.depth_hint("orders") == 7
