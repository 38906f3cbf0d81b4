"""Tokens and the accounts endpoints."""

from __future__ import annotations

import base64

import httpx
import pytest

from courier_nb.broker import SCOPES, BrokerConfig, ConnectedApp, LocalBroker, QueueConfig
from courier_nb.broker.api.tokens import LIFETIME_SECONDS

pytestmark = pytest.mark.anyio

CLIENT_APP = ["/api/v1/authorize", "/accounts/oauth2/token"]
CONNECTED_APP = ["/accounts/api/v2/oauth2/token"]
WAYS = ["form", "json", "multipart", "basic"]


@pytest.fixture
async def client(broker):
    async with httpx.AsyncClient(transport=broker.transport(), base_url=broker.platform_url) as client:
        yield client


async def ask(client, path, settings, way="form", **changes):
    fields = {key: settings[key] for key in ("client_id", "client_secret")} | {"grant_type": "client_credentials"} | changes
    if way == "json":
        return await client.post(path, json=fields)
    if way == "multipart":
        return await client.post(path, files={name: (None, value) for name, value in fields.items()})
    if way == "basic":
        pair = base64.b64encode(f"{fields['client_id']}:{fields['client_secret']}".encode()).decode()
        return await client.post(path, data={"grant_type": fields["grant_type"]}, headers={"Authorization": f"Basic {pair}"})
    return await client.post(path, data=fields)


async def works(client, settings, token, path=None, scheme="Bearer"):
    path = path or f"{settings['url']}/organizations/{settings['organization']}/environments/{settings['environment']}"
    path = path if path.startswith("/") else f"{path}/destinations/q/messages?pollingTime=0"
    return (await client.get(path, headers={"Authorization": f"{scheme} {token}"})).status_code not in (401, 403)


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("path", CLIENT_APP)
async def test_a_client_app_gets_a_token_and_its_environment(broker, client, path, way):
    answer = await ask(client, path, broker.settings, way)
    assert answer.status_code == 200
    token = answer.json()["access_token"]
    simple_client = {"orgId": broker.settings["organization"], "envId": broker.settings["environment"]}
    assert answer.json() == {"access_token": token, "token_type": "bearer", "simple_client": simple_client}
    assert await works(client, broker.settings, token)
    assert await works(client, broker.settings, token, scheme="bearer")


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("path", CONNECTED_APP)
async def test_a_connected_app_gets_a_token_with_a_lifetime(broker, client, path, way):
    answer = await ask(client, path, broker.settings, way)
    token = answer.json()["access_token"]
    assert answer.json() == {"access_token": token, "expires_in": 3600, "token_type": "bearer"}
    assert await works(client, broker.settings, token)


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("path", CLIENT_APP + CONNECTED_APP)
async def test_wrong_credentials_are_answered_in_plain_text(broker, client, path, way):
    for changes in ({"client_secret": "wrong"}, {"client_id": "wrong"}, {"client_secret": ""}, {"client_secret": "é"}):
        answer = await ask(client, path, broker.settings, way, **changes)
        assert (answer.status_code, answer.text) == (401, "Unauthorized")
        assert answer.headers["content-type"].startswith("text/plain")


@pytest.mark.parametrize("path", CLIENT_APP + CONNECTED_APP)
@pytest.mark.parametrize(
    "request_parts",
    [
        {},
        {"content": b"\xff\xfe"},
        {"content": b"{", "headers": {"Content-Type": "application/json"}},
        {"content": b"[1]", "headers": {"Content-Type": "application/json"}},
        {"content": b"--x", "headers": {"Content-Type": "multipart/form-data; boundary=x"}},
        {"content": b"", "headers": {"Content-Type": "multipart/form-data"}},
        {"data": {"grant_type": "password"}},
        {"data": {"grant_type": "client_credentials"}, "headers": {"Authorization": "Basic !!!"}},
        {"data": {"grant_type": "client_credentials"}, "headers": {"Authorization": "Basic /w=="}},
        {"content": b"x" * 100_000},
        {
            "content": rb'{"client_id": "\ud800", "client_secret": "\ud800", "grant_type": "client_credentials"}',
            "headers": {"Content-Type": "application/json"},
        },
    ],
)
async def test_garbage_is_refused_without_a_failure(client, path, request_parts):
    assert (await client.post(path, **request_parts)).status_code in (400, 401, 413)


async def test_a_client_app_gets_the_same_token_while_it_is_valid(broker, client, clock):
    first = (await ask(client, CLIENT_APP[0], broker.settings)).json()["access_token"]
    clock.advance(LIFETIME_SECONDS - 1)
    assert (await ask(client, CLIENT_APP[1], broker.settings)).json()["access_token"] == first
    clock.advance(LIFETIME_SECONDS - 1)
    assert await works(client, broker.settings, first), "asking for it has extended it"
    clock.advance(LIFETIME_SECONDS - 1)
    assert await works(client, broker.settings, first), "using it has extended it"
    clock.advance(LIFETIME_SECONDS)
    assert not await works(client, broker.settings, first)
    assert (await ask(client, CLIENT_APP[0], broker.settings)).json()["access_token"] != first


async def test_a_connected_apps_token_ends_after_an_hour_whatever_it_is_used_for(broker, client, clock):
    token = (await ask(client, CONNECTED_APP[0], broker.settings)).json()["access_token"]
    clock.advance(LIFETIME_SECONDS - 1)
    assert await works(client, broker.settings, token)
    clock.advance(1)
    assert not await works(client, broker.settings, token)


@pytest.mark.parametrize("header", ["", "Bearer", "Bearer ", "Bearer x", "Basic x", "Bearer é", "token"])
async def test_anything_but_a_known_token_is_unauthorized(broker, client, header):
    settings = broker.settings
    scope = f"organizations/{settings['organization']}/environments/{settings['environment']}"
    answer = await client.get(f"{settings['url']}/{scope}/destinations/q/messages", headers={"Authorization": header.encode()})
    assert (answer.status_code, answer.text) == (401, "Unauthorized")


async def test_a_client_apps_token_is_for_the_broker_only(broker, client):
    settings = broker.settings
    app = (await ask(client, CLIENT_APP[0], settings)).json()["access_token"]
    connected = (await ask(client, CONNECTED_APP[0], settings)).json()["access_token"]
    scope = f"organizations/{settings['organization']}/environments/{settings['environment']}"
    for path in (
        f"/mq/admin/api/v1/{scope}/regions",
        f"/mq/stats/api/v1/{scope}/regions/us-east-1/queues?destinationIds=q",
        "/accounts/api/me",
        f"/accounts/api/organizations/{settings['organization']}/environments",
    ):
        assert not await works(client, settings, app, path)
        assert await works(client, settings, connected, path)


@pytest.mark.parametrize(("kind", "open_paths"), [("client_app", CLIENT_APP), ("connected_app", CONNECTED_APP)])
async def test_the_credentials_can_be_limited_to_one_kind(clock, kind, open_paths):
    with LocalBroker(BrokerConfig(credential_kinds=(kind,)), clock=clock) as broker:
        async with httpx.AsyncClient(transport=broker.transport(), base_url=broker.platform_url) as client:
            for path in CLIENT_APP + CONNECTED_APP:
                answer = await ask(client, path, broker.settings)
                assert answer.status_code == (200 if path in open_paths else 401)


@pytest.mark.parametrize("path", ["/accounts/login", "/accounts/api/login"])
async def test_a_user_can_log_in_if_the_configuration_says_so(clock, client, path):
    login = {"username": "ada", "password": "secret"}
    assert (await client.post(path, json=login)).status_code == 401
    with LocalBroker(BrokerConfig(**login), queues=["q"], clock=clock) as broker:
        async with httpx.AsyncClient(transport=broker.transport(), base_url=broker.platform_url) as client:
            answer = await client.post(path, json=login)
            assert await works(client, broker.settings, answer.json()["access_token"])
            assert (await client.post(path, json=login | {"password": "wrong"})).status_code == 401
            assert (await client.post(path, json={"username": "ada"})).status_code == 401


async def test_me_and_the_environments_lead_to_the_ids(broker, client):
    settings = broker.settings
    token = (await ask(client, CONNECTED_APP[0], settings)).json()["access_token"]
    headers = {"Authorization": f"Bearer {token}"}
    user = (await client.get("/accounts/api/me", headers=headers)).json()["user"]
    assert user["organization"]["id"] == settings["organization"]
    assert user["memberOfOrganizations"][0]["id"] == settings["organization"]
    path = "/accounts/api/organizations/{}/environments"
    answer = (await client.get(path.format(settings["organization"]), headers=headers)).json()
    assert answer["total"] == 1
    assert {key: answer["data"][0][key] for key in ("id", "name", "organizationId", "isProduction")} == {
        "id": settings["environment"],
        "name": "Local",
        "organizationId": settings["organization"],
        "isProduction": False,
    }
    assert (await client.get(path.format("other"), headers=headers)).status_code == 403
    assert (await client.get("/accounts/api/other", headers=headers)).status_code == 404


async def test_an_organization_shows_itself_with_its_environments(broker, client):
    settings = broker.settings
    path = f"/accounts/api/organizations/{settings['organization']}"
    assert (await client.get(path)).status_code == 401
    token = (await ask(client, CONNECTED_APP[0], settings)).json()["access_token"]
    headers = {"Authorization": f"Bearer {token}"}
    organization = (await client.get(path, headers=headers)).json()
    listed = (await client.get(f"{path}/environments", headers=headers)).json()["data"]
    assert organization == {"id": settings["organization"], "name": "Local", "environments": listed}
    me = (await client.get("/accounts/api/me", headers=headers)).json()["user"]
    assert me["organization"] == {"id": organization["id"], "name": organization["name"]}
    environment = await client.get(f"{path}/environments/{settings['environment']}", headers=headers)
    assert environment.json() == listed[0]
    assert (await client.get(f"{path}/environments/other", headers=headers)).status_code == 404


ITEM = [{"messageId": "m", "lockId": "l"}]
OPERATIONS = [
    ("GET", "messages?pollingTime=0", None, "subscribe:destinations"),
    ("PUT", "messages", [{"headers": {"messageId": "m"}, "body": ""}], "publish:destinations"),
    ("DELETE", "messages", ITEM, "subscribe:destinations"),
    ("PATCH", "messages/locks", [ITEM[0] | {"ttl": 1}], "publish:destinations"),
    ("DELETE", "messages/locks", ITEM, "subscribe:destinations"),
    ("PUT", "messages/m", {"body": ""}, "publish:destinations"),
    ("DELETE", "messages/m", {"lockId": "l"}, "subscribe:destinations"),
    ("PATCH", "messages/m/locks/l", {"ttl": 1}, "publish:destinations"),
    ("DELETE", "messages/m/locks/l", None, "subscribe:destinations"),
]


@pytest.mark.parametrize(("method", "path", "value", "scope"), OPERATIONS)
async def test_a_connected_app_needs_the_scope_of_each_operation_of_the_broker(clock, method, path, value, scope):
    apps = [ConnectedApp("none", "a secret", ()), *(ConnectedApp(name, "a secret", (name,)) for name in SCOPES)]
    with LocalBroker(BrokerConfig(queues=(QueueConfig("q"),), connected_apps=tuple(apps)), clock=clock) as broker:
        settings = broker.settings
        place = f"organizations/{settings['organization']}/environments/{settings['environment']}/destinations/q"
        async with httpx.AsyncClient(transport=broker.transport(), base_url=broker.platform_url) as client:
            for app in apps:
                credentials = {"client_id": app.client_id, "client_secret": "a secret"}
                token = (await ask(client, CONNECTED_APP[0], settings | credentials)).json()["access_token"]
                headers = {"Authorization": f"Bearer {token}"}
                answer = await client.request(method, f"{settings['url']}/{place}/{path}", json=value, headers=headers)
                if app.client_id == scope:
                    assert answer.status_code in (200, 201, 204, 400), "400: there is no such lock"
                else:
                    assert (answer.status_code, answer.json()["status"]) == (403, "failure")


@pytest.mark.parametrize("name", ["%ED%A0%80", "%FF"])
async def test_a_destination_whose_name_is_no_text_is_a_bad_request(broker, client, name):
    settings = broker.settings
    token = (await ask(client, CLIENT_APP[0], settings)).json()["access_token"]
    place = f"organizations/{settings['organization']}/environments/{settings['environment']}/destinations/{name}"
    answer = await client.get(f"{settings['url']}/{place}/messages", headers={"Authorization": f"Bearer {token}"})
    assert (answer.status_code, answer.json()["status"]) == (400, "failure")
