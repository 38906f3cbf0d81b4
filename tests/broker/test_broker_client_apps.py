"""The Admin API: client apps, restarts, and whatever else somebody may send."""

from __future__ import annotations

import base64
import json

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from courier_nb.broker import BrokerConfig, ClientApp, LocalBroker, QueueConfig
from tests.broker.asking import BINDINGS, EXCHANGES, HERE, QUEUES, asking, binding, refused

pytestmark = pytest.mark.anyio

DESTINATIONS = f"{HERE}/destinations"

RULE = {"routingRules": [{"propertyName": "n", "propertyType": "NUMERIC", "matcherType": "GT", "value": 1_009}]}


@pytest.fixture
async def platform(broker, anyio_backend):
    async with asking(broker) as ask:
        yield ask


async def token_of(ask, credentials):
    fields = {"client_id": credentials["clientId"], "client_secret": credentials["clientSecret"]}
    answer = await ask.client.post(f"{ask.settings['url']}/authorize", data=fields | {"grant_type": "client_credentials"})
    return answer.json()["access_token"] if answer.status_code == 200 else answer.status_code


async def receives(ask, token):
    url = f"{ask.settings['url']}{ask.place()}/destinations/q/messages"
    answer = await ask.client.get(url, params={"pollingTime": 0}, headers={"Authorization": f"Bearer {token}"})
    return answer.status_code


async def test_a_client_app_is_made_gets_another_secret_and_is_deleted(platform):
    assert await platform.get("clients") == []
    made = await platform.put("clients", {"name": "orders"})
    assert {*made} == {"name", "clientId", "clientSecret"}
    assert await platform.put("clients", {"name": "orders"}) == made, "making it again changes nothing"
    other = await platform.put("clients", {"name": "billing"})
    assert await platform.get("clients") == [other, made]
    token = await token_of(platform, made)
    assert await receives(platform, token) == 204

    answer = await platform("admin", f"clients/{made['clientId']}", "POST")
    again = answer.json()
    assert (answer.status_code, again["name"], again["clientId"]) == (200, "orders", made["clientId"])
    assert again["clientSecret"] != made["clientSecret"]
    assert await receives(platform, token) == 401, "the token of the old secret has ended"
    assert await token_of(platform, made) == 401
    token = await token_of(platform, again)
    assert await receives(platform, token) == 204

    answer = await platform("admin", f"clients/{made['clientId']}", "DELETE")
    assert (answer.status_code, answer.json()) == (200, {"name": "orders", "clientId": made["clientId"]})
    assert await receives(platform, token) == 401
    assert await token_of(platform, again) == 401
    assert await platform.get("clients") == [other]
    for method in ("POST", "DELETE"):
        answer = await platform("admin", f"clients/{made['clientId']}", method)
        assert (answer.status_code, answer.json()) == (404, {"status": 404, "message": "client not found"})


async def test_the_brokers_own_credentials_are_not_among_the_client_apps(platform):
    own = platform.settings["client_id"]
    assert await platform.get("clients") == []
    for method in ("POST", "DELETE"):
        assert (await platform("admin", f"clients/{own}", method)).status_code == 404
    assert (await platform("admin", "regions")).status_code == 200


async def test_client_apps_of_the_configuration_are_listed_and_can_be_deleted(clock):
    config = BrokerConfig(queues=(QueueConfig("q"),), clients=(ClientApp("reader", "its-id", "its-secret"),))
    with LocalBroker(config, clock=clock) as broker:
        async with asking(broker) as ask:
            reader = {"name": "reader", "clientId": "its-id", "clientSecret": "its-secret"}
            assert await ask.get("clients") == [reader]
            assert await receives(ask, await token_of(ask, reader)) == 204
            assert (await ask("admin", "clients/its-id", "DELETE")).status_code == 200
            assert await token_of(ask, reader) == 401


@pytest.mark.parametrize("name", ["", None, 5, "a\nb", "x" * 257, ["a"], "\ud800"])
async def test_a_client_app_needs_a_name(platform, name):
    refused(await platform("admin", "clients", "PUT", {"name": name}), "name is", "1 to 256 characters")
    assert await platform.get("clients") == []


async def test_a_name_may_be_in_any_language_and_an_id_in_a_path_is_decoded(platform):
    made = await platform.put("clients", {"name": "Bücher 書"})
    assert [client["name"] for client in await platform.get("clients")] == ["Bücher 書"]
    encoded = "".join(f"%{byte:02X}" for byte in made["clientId"].encode())
    assert (await platform("admin", f"clients/{encoded}", "DELETE")).status_code == 200


async def test_everything_made_here_survives_a_restart(tmp_path, clock, open_api):
    db = tmp_path / "broker.sqlite"
    with LocalBroker(db=db, clock=clock) as broker:
        async with asking(broker) as ask:
            await ask.put(f"{QUEUES}/dead")
            await ask.put(f"{QUEUES}/q", {"deadLetterQueueId": "dead", "maxDeliveries": 3, "encrypted": True})
            await ask.put(f"{QUEUES}/plain")
            await ask.put(f"{QUEUES}/plain/fallback", {"fallbackEnabled": True})
            await ask.put(f"{EXCHANGES}/x", {"encrypted": True})
            await ask.put(binding("x", "q"))
            await ask.put(binding("x", "q", "/rules/routing"), RULE)
            await ask.put("clients", {"name": "app"})
            paths = [DESTINATIONS, f"{BINDINGS}/exchanges/x?inclusion=all", "clients"]
            before = [(await ask("admin", path)).json() for path in paths]
    with LocalBroker(db=db, clock=clock) as broker:
        async with asking(broker) as ask:
            assert [(await ask("admin", path)).json() for path in paths] == before
            assert await receives(ask, await token_of(ask, before[2][0])) == 204


# Whatever is sent

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20) | st.just("dead"),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=10), inner, max_size=3),
    max_leaves=8,
)
FIELDS = st.sampled_from(
    [
        "fifo",
        "encrypted",
        "defaultTtl",
        "defaultLockTtl",
        "defaultDeliveryDelay",
        "maxDeliveries",
        "deadLetterQueueId",
        "type",
        "queueId",
        "exchangeId",
        "name",
        "fallbackEnabled",
        "routingRules",
        "value",
    ]
)
RULES = st.fixed_dictionaries(
    {
        "routingRules": st.lists(
            st.fixed_dictionaries(
                {
                    "propertyName": JSON | st.just("n"),
                    "propertyType": st.sampled_from(["STRING", "NUMERIC"]) | JSON,
                    "matcherType": st.sampled_from(["EQ", "PREFIX", "ANY_OF", "RANGE", "EXISTS"]) | JSON,
                    "value": JSON,
                }
            ),
            min_size=1,
            max_size=1,
        )
    }
)
PLACES = st.sampled_from(
    [f"{QUEUES}/q", f"{QUEUES}/new", f"{QUEUES}/q/fallback", f"{EXCHANGES}/x", f"{EXCHANGES}/new", "clients"]
)


@given(
    path=PLACES | st.just(binding("x", "q", "/rules/routing")),
    method=st.sampled_from(["PUT", "PATCH"]),
    version=st.sampled_from(["v1", "v2"]),
    value=st.dictionaries(FIELDS, JSON, max_size=5) | RULES | JSON,
)
@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
async def test_whatever_is_sent_is_done_or_refused_and_a_refusal_changes_nothing(anyio_backend, path, method, version, value):
    with LocalBroker(queues=["q", "dead"]) as broker:
        broker.create_exchange("x", bindings=["q"])
        async with asking(broker) as ask:
            seen = [DESTINATIONS, f"{BINDINGS}/exchanges/x?inclusion=all", "clients"]

            async def everything():
                return [answer.content for answer in [await ask("admin", path) for path in seen]]

            before = await everything()
            try:
                content = json.dumps(value).encode()
            except ValueError:
                content = base64.b64encode(b"not JSON")
            answer = await ask("admin", path, method, version=version, content=content)
            assert answer.status_code in (200, 201, 400, 404, 405), answer.text
            if answer.status_code >= 400:
                assert answer.json()["status"] == answer.status_code
                assert await everything() == before
