"""The ``anypoint`` package of PyPI against Accounts, Admin and Stats, unchanged: its base URL is the broker's address.

It knows no broker API, does not page (so that it sees the first 20 destinations), and asks for history by the day. It writes
dates with the name of their time zone: of UTC "UTC", of none nothing.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, timezone

import httpx
import pytest
from anypoint import Anypoint
from anypoint.authentication import Authentication, Basic, OAuth2

from courier_nb.broker import BrokerConfig, ExchangeConfig, LocalBroker, QueueConfig
from courier_nb.core.clock import ManualClock

LOGIN = "jane", "jane's password"
REGION = "us-east-1"


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(datetime(2026, 3, 2, 9, 30, tzinfo=UTC).timestamp())


@pytest.fixture
def settings(clock: ManualClock) -> Iterator[dict[str, str]]:
    queues = QueueConfig("dead"), QueueConfig("ledger", fifo=True), QueueConfig("orders", dead_letter_queue="dead")
    config = BrokerConfig(queues=queues, exchanges=(ExchangeConfig("events"),), username=LOGIN[0], password=LOGIN[1])
    with LocalBroker(config, clock=clock) as broker, broker.serving() as settings:
        yield settings


@pytest.fixture(params=["user", "connected app"])
def authentication(request: pytest.FixtureRequest, settings: dict[str, str]) -> Authentication:
    """Both kinds of authentication that the package knows; an MQ client app may not use these APIs."""
    return Basic(*LOGIN) if request.param == "user" else OAuth2(settings["client_id"], settings["client_secret"])


@pytest.fixture
def anypoint(authentication: Authentication, settings: dict[str, str]) -> Anypoint:
    return Anypoint(authentication, base_url=settings["platform_url"])


@pytest.fixture
def messages(settings: dict[str, str]) -> Iterator[httpx.Client]:
    """Queue ``orders`` with three messages, of which two have been received, and one of these acknowledged."""
    fields = {name: settings[name] for name in ("client_id", "client_secret")} | {"grant_type": "client_credentials"}
    place = f"organizations/{settings['organization']}/environments/{settings['environment']}/destinations/orders"
    with httpx.Client() as client:
        token = client.post(f"{settings['url']}/authorize", data=fields).json()["access_token"]
        client.headers["Authorization"] = f"Bearer {token}"
        client.base_url = f"{settings['url']}/{place}/"
        client.put("messages", json=[{"headers": {"messageId": f"m{n}"}, "body": ""} for n in range(3)]).raise_for_status()
        first, _ = client.get("messages", params={"batchSize": 2, "lockTtl": 60_000}).raise_for_status().json()
        locks = [{name: first["headers"][name] for name in ("messageId", "lockId")}]
        client.request("DELETE", "messages", json=locks).raise_for_status()
        yield client


def test_it_logs_in_and_finds_organization_and_environment(anypoint: Anypoint, settings: dict[str, str]) -> None:
    anypoint.login()
    organization = anypoint.organizations.get_organization()
    assert organization.id == settings["organization"] == anypoint.me()["user"]["organization"]["id"]
    assert organization.name == anypoint.organizations.get_organization(organization.id).name
    (environment,) = organization.get_environments()
    assert (environment.id, environment.name, environment.organization_id) == (
        settings["environment"],
        "Local",
        organization.id,
    )
    assert (environment.is_production, environment.type) == (False, "sandbox")


def test_wrong_credentials_are_refused(settings: dict[str, str]) -> None:
    for wrong in (Basic(LOGIN[0], "wrong"), OAuth2(settings["client_id"], "wrong")):
        with pytest.raises(Exception, match="401"):
            Anypoint(wrong, base_url=settings["platform_url"]).login()


def test_it_lists_the_destinations(anypoint: Anypoint) -> None:
    (environment,) = anypoint.organizations.get_organization().get_environments()
    found = {entry.queue_id or entry.type: entry for entry in environment.get_mq_destinations(REGION)}
    assert sorted(found) == ["dead", "exchange", "ledger", "orders"]
    assert (found["exchange"].encrypted, found["exchange"].fifo) == (False, None)
    dead, ledger, orders = found["dead"], found["ledger"], found["orders"]
    assert (dead.type, dead.fifo, dead.dead_letter_sources, dead.dead_letter_queue_id) == ("queue", False, ["orders"], None)
    assert (orders.max_deliveries, orders.dead_letter_queue_id, orders.dead_letter_sources) == (10, "dead", None)
    assert (orders.default_ttl, orders.default_lock_ttl, orders.default_delivery_delay) == (604_800_000, 120_000, 0)
    assert (ledger.fifo, orders.fifo, orders.encrypted) == (True, False, False)


def test_it_reads_live_depths(anypoint: Anypoint, messages: httpx.Client) -> None:
    (environment,) = anypoint.organizations.get_organization().get_environments()
    assert environment.get_mq_queues(REGION, ["orders", "dead"]) == [
        {"destination": "orders", "messages": 1, "inflightMessages": 1},
        {"destination": "dead", "messages": 0, "inflightMessages": 0},
    ]
    (missing,) = environment.get_mq_queues(REGION, ["missing"])
    assert "Destination not found" in str(missing)


@pytest.mark.parametrize("zone", [UTC, None], ids=["in UTC", "without zone"])
def test_it_reads_the_history_of_a_day(
    anypoint: Anypoint, clock: ManualClock, messages: httpx.Client, zone: timezone | None
) -> None:
    clock.advance(timedelta(minutes=50).total_seconds())  # the lock is over, the token is not
    assert messages.get("messages", params={"pollingTime": 0, "lockTtl": 3_600_000}).status_code == 200
    clock.advance(timedelta(hours=20).total_seconds())
    (environment,) = anypoint.organizations.get_organization().get_environments()
    (orders,) = [entry for entry in environment.get_mq_destinations(REGION) if entry.queue_id == "orders"]
    day = datetime(2026, 3, 2, tzinfo=zone)
    history = orders.get_queue(day, day + timedelta(days=1))
    assert (history.destination, history.messages_sent, history.messages_received, history.messages_acked) == ("orders", 3, 3, 1)
    for depth in (history.messages, history.messages_visible, history.inflight_messages):
        assert 0 <= depth <= 3
    quiet = orders.get_queue(day - timedelta(days=1), day)
    assert (quiet.messages_sent, quiet.messages_received, quiet.messages_acked, quiet.messages) == (0, 0, 0, 0)


def test_what_does_not_exist_has_no_history(anypoint: Anypoint, settings: dict[str, str]) -> None:
    day = datetime(2026, 3, 2, tzinfo=UTC)
    place = settings["organization"], settings["environment"], REGION
    with pytest.raises(Exception, match=r"404.*queue not found"):
        anypoint.mq.get_queue(*place, "missing", day, day + timedelta(days=1))
