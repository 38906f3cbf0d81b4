"""Two environments with different clients cannot see each other, on any API."""

from __future__ import annotations

import pytest

from courier_nb.broker import (
    SCOPES,
    BrokerConfig,
    ClientApp,
    ConnectedApp,
    EnvironmentConfig,
    ExchangeConfig,
    LocalBroker,
    QueueConfig,
    Switches,
)
from tests.broker.asking import EXCHANGES, HERE, QUEUES, asking, binding

pytestmark = pytest.mark.anyio

SECRET = "a secret of some app"
CONFIG = BrokerConfig(
    environment="one-id",
    environment_name="One",
    queues=(QueueConfig("shared"), QueueConfig("only-one")),
    exchanges=(ExchangeConfig("x", ("shared",)),),
    clients=(ClientApp("reader", "reader-of-one", SECRET),),
    environments=(
        EnvironmentConfig(
            "Two",
            "two-id",
            is_production=True,
            queues=(QueueConfig("shared"), QueueConfig("only-two")),
            exchanges=(ExchangeConfig("x"),),
            clients=(ClientApp("reader", "reader-of-two", SECRET),),
        ),
    ),
    connected_apps=(
        ConnectedApp("app-of-one", SECRET, SCOPES, ("One",)),
        ConnectedApp("app-of-two", SECRET, SCOPES, ("Two",)),
        ConnectedApp("app-of-both", SECRET, SCOPES),
        ConnectedApp("app-of-both-by-name", SECRET, SCOPES, ("One", "Two")),
    ),
    username="ada",
    password=SECRET,
)
ONE, TWO = "one-id", "two-id"
PLACES = {"one": {ONE}, "two": {TWO}, "both": {ONE, TWO}, "both-by-name": {ONE, TWO}}


@pytest.fixture
async def broker(clock, anyio_backend):
    with LocalBroker(CONFIG, clock=clock) as broker:
        yield broker


@pytest.fixture
async def as_app(broker):
    """Return somebody who asks as one of the connected apps."""
    async with asking(broker) as ask:

        async def as_app(which):
            ask.credentials = {"client_id": f"app-of-{which}", "client_secret": SECRET}
            await ask.authorize()
            return ask

        yield as_app


async def publish(ask, environment, queue, *bodies):
    items = [{"headers": {"messageId": body}, "body": body} for body in bodies]
    return await ask.call("PUT", f"/api/v1{ask.place(environment)}/destinations/{queue}/messages", items)


async def bodies(ask, environment, queue):
    path = f"/api/v1{ask.place(environment)}/destinations/{queue}/messages"
    answer = await ask.call("GET", path, params={"pollingTime": 0, "batchSize": 10})
    return [message["body"] for message in answer.json()] if answer.status_code == 200 else answer.status_code


async def test_queues_of_the_same_name_are_two_queues(as_app):
    ask = await as_app("both")
    assert (await publish(ask, ONE, "shared", "for one")).status_code == 200
    assert (await publish(ask, TWO, "shared", "for two")).status_code == 200
    assert (await publish(ask, ONE, "only-two", "nowhere")).status_code == 404
    assert await bodies(ask, TWO, "only-one") == 404
    assert await bodies(ask, ONE, "shared") == ["for one"]
    assert await bodies(ask, TWO, "shared") == ["for two"]
    assert (await publish(ask, TWO, "x", "to an exchange without bindings")).status_code == 200
    assert (await publish(ask, ONE, "x", "to one with one")).status_code == 200
    assert await bodies(ask, TWO, "shared") == 204
    assert await bodies(ask, ONE, "shared") == ["to one with one"]


async def test_a_lock_of_one_environment_is_good_for_nothing_in_the_other(as_app):
    ask = await as_app("both")
    for environment in (ONE, TWO):
        await publish(ask, environment, "shared", "same")
    path = f"/api/v1{ask.place(ONE)}/destinations/shared/messages"
    (message,) = (await ask.call("GET", path, params={"pollingTime": 0})).json()
    item = {name: message["headers"][name] for name in ("messageId", "lockId")}
    elsewhere = await ask.call("DELETE", path.replace(ONE, TWO), [item])
    assert [found["status"] for found in elsewhere.json()] == ["failure"]
    assert [found["status"] for found in (await ask.call("DELETE", path, [item])).json()] == ["successful"]
    assert await bodies(ask, TWO, "shared") == ["same"]


@pytest.mark.parametrize(("which", "places"), PLACES.items())
async def test_a_connected_app_enters_its_environments_only(as_app, which, places):
    ask = await as_app(which)
    period = {"startDate": "2025-06-15", "endDate": "2025-06-16"}
    for environment in (ONE, TWO):
        answers = [
            await publish(ask, environment, "shared", "a"),
            await ask("admin", "regions", environment=environment),
            await ask("admin", f"{HERE}/destinations", environment=environment),
            await ask("admin", f"{QUEUES}/shared", "PATCH", {}, environment=environment),
            await ask("admin", f"{EXCHANGES}/x", environment=environment),
            await ask("admin", binding("x", "shared"), "PUT", environment=environment),
            await ask("admin", f"{QUEUES}/shared/messages", "DELETE", environment=environment),
            await ask("admin", "clients", environment=environment),
            await ask("admin", "clients", "PUT", {"name": "new"}, environment=environment),
            await ask("stats", f"{HERE}/queues", params={"destinationIds": "shared"}, environment=environment),
            await ask("stats", f"{HERE}/queues/shared", params=period | {"period": 60}, environment=environment),
            await ask("stats", f"{HERE}/exchanges/x", params=period | {"period": 60}, environment=environment),
            await ask("stats", "", params=period | {"period": "1day"}, environment=environment),
        ]
        expected = {200, 204} if environment in places else {403}
        assert {answer.status_code for answer in answers} <= expected, [answer.text for answer in answers]


@pytest.mark.parametrize(("which", "places"), PLACES.items())
async def test_the_accounts_service_shows_an_app_its_environments_only(as_app, which, places):
    ask = await as_app(which)
    base = f"/accounts/api/organizations/{ask.settings['organization']}"
    listed = (await ask.call("GET", f"{base}/environments")).json()
    assert ({entity["id"] for entity in listed["data"]}, listed["total"]) == (places, len(places))
    organization = (await ask.call("GET", base)).json()
    assert organization["id"] == ask.settings["organization"]
    assert organization["environments"] == listed["data"]
    for environment in (ONE, TWO):
        answer = await ask.call("GET", f"{base}/environments/{environment}")
        if environment in places:
            assert answer.json() in listed["data"]
        else:
            assert answer.status_code == 404


async def test_an_environment_has_a_kind(as_app):
    ask = await as_app("both")
    answer = await ask.call("GET", f"/accounts/api/organizations/{ask.settings['organization']}/environments")
    organization = {"organizationId": ask.settings["organization"]}
    assert answer.json()["data"] == [
        {"id": ONE, "name": "One", "isProduction": False, "type": "sandbox", **organization},
        {"id": TWO, "name": "Two", "isProduction": True, "type": "production", **organization},
    ]


@pytest.mark.parametrize("path", ["/api/v1/authorize", "/accounts/oauth2/token"])
async def test_a_client_app_belongs_to_one_environment(broker, as_app, path):
    ask = await as_app("both")
    for environment in (ONE, TWO):
        await publish(ask, environment, "shared", environment)
    for name, own, other in (("reader-of-one", ONE, TWO), ("reader-of-two", TWO, ONE)):
        fields = {"client_id": name, "client_secret": SECRET, "grant_type": "client_credentials"}
        answer = (await ask.client.post(broker.platform_url + path, data=fields)).json()
        assert answer["simple_client"] == {"envId": own, "orgId": ask.settings["organization"]}
        headers = {"Authorization": f"Bearer {answer['access_token']}"}
        for environment in (own, other):
            url = f"{broker.mq_url}{ask.place(environment)}/destinations/shared/messages"
            found = await ask.client.get(url, params={"pollingTime": 0}, headers=headers)
            assert (found.status_code == 200 and found.json()[0]["body"] == own) == (environment == own)
            assert found.status_code == (200 if environment == own else 403)


async def test_a_client_app_made_in_an_environment_is_known_there_only(as_app):
    ask = await as_app("both")
    made = (await ask("admin", "clients", "PUT", {"name": "new"}, environment=TWO)).json()
    names = {
        environment: [client["clientId"] for client in (await ask("admin", "clients", environment=environment)).json()]
        for environment in (ONE, TWO)
    }
    assert names == {ONE: ["reader-of-one"], TWO: [made["clientId"], "reader-of-two"]}
    for method in ("POST", "DELETE"):
        for client in (made["clientId"], "reader-of-two"):
            assert (await ask("admin", f"clients/{client}", method, environment=ONE)).status_code == 404
    assert len((await ask("admin", "clients", environment=TWO)).json()) == 2
    same_name = (await ask("admin", "clients", "PUT", {"name": "new"}, environment=ONE)).json()
    assert same_name["clientId"] != made["clientId"]


async def test_what_is_changed_in_one_environment_stays_as_it_is_in_the_other(as_app):
    ask = await as_app("both")

    async def everything(environment):
        paths = [f"{HERE}/destinations", f"{HERE}/bindings/exchanges/x", "clients"]
        return [(await ask("admin", path, environment=environment)).content for path in paths]

    before = await everything(TWO)
    await ask("admin", f"{QUEUES}/shared", "PATCH", {"defaultTtl": 5_000}, environment=ONE)
    await ask("admin", f"{QUEUES}/new", "PUT", {"deadLetterQueueId": "shared"}, environment=ONE)
    await ask("admin", binding("x", "only-one"), "PUT", environment=ONE)
    await ask("admin", "clients/reader-of-one", "DELETE", environment=ONE)
    await ask("admin", f"{EXCHANGES}/x", "DELETE", environment=ONE)
    await ask("admin", f"{QUEUES}/only-one", "DELETE", environment=ONE)
    assert await everything(TWO) == before
    answer = await ask("admin", f"{QUEUES}/new", "PUT", {"deadLetterQueueId": "only-two"}, environment=ONE)
    assert "'only-two' does not exist" in answer.json()["message"]


async def test_figures_are_of_one_environment(as_app):
    ask = await as_app("both")
    await publish(ask, ONE, "shared", "a", "b")
    await publish(ask, ONE, "x", "c")
    window = {"startDate": "2025-06-15T00:00:00Z", "endDate": "2025-06-16T00:00:00Z", "period": 86_400}
    for environment, count in ((ONE, 3), (TWO, 0)):
        depth = await ask("stats", f"{HERE}/queues", params={"destinationIds": "shared"}, environment=environment)
        assert depth.json()[0]["messages"] == count
        history = (await ask("stats", f"{HERE}/queues/shared", params=window, environment=environment)).json()
        assert [point["value"] for point in history["messagesSent"]] == [count]
        exchange = (await ask("stats", f"{HERE}/exchanges/x", params=window, environment=environment)).json()
        assert [point["value"] for point in exchange["messagesPublished"]] == [1 if count else 0]


async def test_a_user_enters_every_environment(broker, as_app):
    ask = await as_app("one")
    answer = await ask.client.post(f"{broker.platform_url}/accounts/login", json={"username": "ada", "password": SECRET})
    ask.token = answer.json()["access_token"]
    assert (await ask.call("GET", "/accounts/api/me")).json()["user"]["username"] == "ada"
    for environment in (ONE, TWO):
        assert (await ask("admin", f"{QUEUES}/shared", environment=environment)).status_code == 200
        assert (await publish(ask, environment, "shared", "a")).status_code == 200


async def test_the_key_of_the_list_of_environments_is_a_switch(clock):
    with LocalBroker(BrokerConfig(switches=Switches(environments_key="environments")), clock=clock) as broker:
        async with asking(broker) as ask:
            answer = await ask.call("GET", f"/accounts/api/organizations/{ask.settings['organization']}/environments")
            assert {*answer.json()} == {"environments", "total"}


async def test_environments_keep_their_ids_and_messages_over_a_restart_also_under_another_order(tmp_path, clock):
    db = tmp_path / "broker.sqlite"
    two, three = (EnvironmentConfig(name, queues=(QueueConfig("q"),)) for name in ("Two", "Three"))
    ids = []
    for environments in ((two, three), (three, two)):
        with LocalBroker(BrokerConfig(environments=environments), db=db, clock=clock) as broker:
            async with asking(broker) as ask:
                path = f"/accounts/api/organizations/{ask.settings['organization']}/environments"
                by_name = {entity["name"]: entity["id"] for entity in (await ask.call("GET", path)).json()["data"]}
                ids.append(by_name)
                if len(ids) == 1:
                    await publish(ask, by_name["Two"], "q", "for two")
                else:
                    assert await bodies(ask, by_name["Two"], "q") == ["for two"]
                    assert await bodies(ask, by_name["Three"], "q") == 204
    assert ids[0] == ids[1]


async def test_an_environment_that_is_no_longer_configured_cannot_be_entered(tmp_path, clock):
    db = tmp_path / "broker.sqlite"
    with LocalBroker(CONFIG, db=db, clock=clock) as broker:
        assert [queue.id for queue in broker.queues(environment="Two")] == ["only-two", "shared"]
    with LocalBroker(BrokerConfig(environment="one-id", environment_name="One"), db=db, clock=clock) as broker:
        async with asking(broker) as ask:
            assert (await ask("admin", "regions", environment=TWO)).status_code == 403
            fields = {"client_id": "reader-of-two", "client_secret": SECRET, "grant_type": "client_credentials"}
            assert (await ask.client.post(f"{broker.mq_url}/authorize", data=fields)).status_code == 401


async def test_the_other_organization_is_a_stranger_everywhere(as_app):
    ask = await as_app("both")
    for path in (
        f"/api/v1/organizations/other/environments/{ONE}/destinations/shared/messages",
        f"/mq/admin/api/v1/organizations/other/environments/{ONE}/regions",
        "/mq/stats/api/v1/organizations/other",
        "/accounts/api/organizations/other",
        "/accounts/api/organizations/other/environments",
        f"/accounts/api/organizations/other/environments/{ONE}",
    ):
        assert (await ask.call("GET", path)).status_code == 403
