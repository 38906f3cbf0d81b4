"""Without a probe: settings, rights, clocks and regions, found out without an effect."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from email.utils import formatdate
from typing import Any

import anyio
import httpx
import pytest

import courier_nb
from courier_nb import AsyncClient, DoctorReport
from courier_nb.broker import BrokerConfig, ClientApp, ConnectedApp, LocalBroker, QueueConfig
from courier_nb.client import broker_settings
from courier_nb.core.settings import Settings, resolve
from courier_nb.doctor import regions
from tests.unit.scripts import Script, reply

pytestmark = pytest.mark.anyio

SUBSCRIBE, PUBLISH, VIEW = "subscribe:destinations", "publish:destinations", "view:destinations"
ORG, ENV = "11111111-2222-3333-4444-555555555555", "66666666-7777-8888-9999-000000000000"
SECRET = "s3cret-of-the-app"


def rows(report: DoctorReport) -> dict[str, courier_nb.doctor.report.Check]:
    return {check.check: check for check in report}


def states(report: DoctorReport) -> dict[str, str]:
    return {check.check.removeprefix("may: "): check.state for check in report if check.check.startswith("may: ")}


@asynccontextmanager
async def connected(auth: str, *scopes: str) -> AsyncIterator[AsyncClient]:
    """A client of a broker with queue ``orders``, as an app with these scopes or as an MQ client app."""
    config = BrokerConfig(
        queues=(QueueConfig("orders"),),
        connected_apps=(ConnectedApp("app", SECRET, scopes),) if auth == "connected_app" else (),
        clients=(ClientApp("named", "app", SECRET),) if auth == "client_app" else (),
    )
    with LocalBroker(config) as broker, broker.serving() as announced:
        settings = replace(broker_settings(announced), auth=auth, client_id="app", client_secret=SECRET)
        async with AsyncClient(settings) as client:
            yield client
            assert broker.depth("orders") == {"messages": 0, "inflight": 0}


ALL = {"list destinations", "queue depth", "usage figures", "client apps", "subscribe", "publish", "change locks"}


@pytest.mark.parametrize(
    ("scopes", "allowed"),
    [
        ((), set()),
        ((SUBSCRIBE,), {"subscribe"}),
        ((PUBLISH,), {"publish", "change locks"}),
        ((VIEW,), {"list destinations", "queue depth"}),
        (("administer:destinations",), {"list destinations", "queue depth"}),
        (("read:stats",), {"usage figures"}),
        (("view:clients",), {"client apps"}),
        ((SUBSCRIBE, PUBLISH, VIEW, "read:stats", "view:clients"), ALL),
    ],
    ids=lambda value: "+".join(scope.split(":")[0] for scope in value) if isinstance(value, tuple) else "",
)
async def test_rights_are_those_that_the_scopes_give(scopes: tuple[str, ...], allowed: set[str]) -> None:
    async with connected("connected_app", *scopes) as client:
        report = await client.doctor("orders", reach=False)
    assert states(report) == {right: "ok" if right in allowed else "refused" for right in ALL}
    assert rows(report)["credentials"].found.startswith("connected app")
    assert report.ok  # what is not allowed is no problem


async def test_a_refusal_names_the_scope_to_ask_for_in_both_spellings() -> None:
    async with connected("connected_app") as client:
        found = rows(await client.doctor("orders", reach=False))
    named = {
        "list destinations": ("View destinations", VIEW),
        "queue depth": ("View destinations", VIEW),
        "usage figures": ("Read MQ stats", "read:stats"),
        "client apps": ("View clients", "view:clients"),
        "subscribe": ("Destination subscriber for given environment", SUBSCRIBE),
        "publish": ("Destination publisher for given environment", PUBLISH),
        "change locks": ("Destination publisher for given environment", PUBLISH),
    }
    for right, names in named.items():
        assert all(name in found[f"may: {right}"].next for name in names)


async def test_an_mq_client_app_may_use_the_broker_only() -> None:
    async with connected("client_app") as client:
        report = await client.doctor("orders", reach=False)
    assert states(report) == {right: "ok" if right in ("subscribe", "publish", "change locks") else "refused" for right in ALL}
    assert "for the broker only" in rows(report)["may: queue depth"].next


async def test_without_a_destination_a_listed_one_is_taken_and_without_any_the_rights_stay_unknown() -> None:
    async with connected("connected_app", SUBSCRIBE, VIEW) as client:
        assert states(await client.doctor(reach=False))["subscribe"] == "ok"
    async with connected("connected_app", SUBSCRIBE) as client:
        report = await client.doctor(reach=False)
    assert {states(report)[right] for right in ("subscribe", "publish", "change locks")} == {"unknown"}
    assert "--destination" in rows(report)["may: subscribe"].next


def scripted(answer: Callable[[httpx.Request], httpx.Response], **settings: Any) -> AsyncClient:
    """A client with a bearer token over scripted answers."""
    known = {"auth": "bearer", "bearer": SECRET, "region": "us-east-1", "organization": ORG, "environment": ENV}
    script = Script().always(answer)
    return AsyncClient(
        Settings(platform_url="https://platform.test", mq_url="https://mq.test/api/v1", **{**known, **settings}),
        transport=script.transport,
    )


@pytest.mark.parametrize(("elsewhere", "state"), [(403, "ok"), (401, "ok"), (400, "unknown"), (404, "unknown"), (500, "unknown")])
async def test_a_refused_content_proves_the_right_only_where_the_right_is_judged_first(elsewhere: int, state: str) -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        if request.url.host != "mq.test":
            return reply(200, [])
        return reply(400 if ENV in request.url.path else elsewhere, {"status": "failure", "statusMessage": "no"})

    async with scripted(answer) as client:
        report = await client.doctor("orders", reach=False)
    assert {states(report)[right] for right in ("subscribe", "publish", "change locks")} == {state}


@pytest.mark.parametrize(
    ("status", "state"),
    [(200, "ok"), (204, "ok"), (403, "refused"), (401, "refused"), (404, "unknown"), (429, "unknown"), (503, "unknown")],
)
async def test_what_a_status_says_about_a_right(status: int, state: str, monkeypatch: pytest.MonkeyPatch) -> None:
    async def at_once(seconds: float) -> None:
        """Do not wait."""

    monkeypatch.setattr(anyio, "sleep", at_once)
    async with scripted(lambda request: reply(status, None if status == 204 else [], Retry_After="1")) as client:
        report = await client.doctor("orders", reach=False)
    assert set(states(report).values()) == {state}


async def test_nothing_is_received_or_published_and_no_call_has_an_effect() -> None:
    requests: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        requests.append(request)
        return reply(200, [])

    async with scripted(answer) as client:
        report = await client.doctor("orders")
    to_broker = [
        (request.method, request.url.path.split("/destinations/")[1])
        for request in requests
        if "/destinations/" in request.url.path
    ]
    assert to_broker == [("DELETE", "orders/messages/locks"), ("PUT", "orders/messages"), ("PATCH", "orders/messages/locks")]
    assert [request.content for request in requests if request.method == "PUT"] == [b"[]"]
    assert all(b"no-such-lock" in request.content for request in requests if request.method in ("DELETE", "PATCH"))
    assert report.calls == len(requests) <= 12


async def test_every_setting_is_shown_with_its_source_and_no_secret(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("ANYPOINT_CLIENT_ID", "id-of-the-app-1234")
    monkeypatch.setenv("ANYPOINT_CLIENT_SECRET", SECRET)
    monkeypatch.setenv("ANYPOINT_REGION", "eu-west-1")
    settings = resolve(keywords={"mq_url": "http://127.0.0.1:9/api/v1"})
    async with AsyncClient(settings, transport=Script().always(reply(401, "Unauthorized")).transport) as client:
        report = await client.doctor()
    found = {name: check.found for name, check in rows(report).items()}
    assert found["setting client_id"] == "…1234 (environment variable ANYPOINT_CLIENT_ID)"
    assert found["setting client_secret"] == "given, not shown (environment variable ANYPOINT_CLIENT_SECRET)"
    assert found["setting region"] == "eu-west-1 (environment variable ANYPOINT_REGION)"
    assert found["setting mq_url"] == "http://127.0.0.1:9/api/v1 (keyword)"
    assert found["setting host"] == "http://127.0.0.1:9 (follows from mq_url)"
    assert found["setting lock_ttl_unit"] == "s (default)"
    assert found["setting organization"] == "not given: follows from the credentials"
    assert "setting password" not in found
    shown = repr(report) + report.frame().to_string()
    assert SECRET not in shown
    assert "id-of-the-app" not in shown
    # the credentials are refused: one problem, and the rest is unknown, not guessed
    assert not report.ok
    assert [name for name, check in rows(report).items() if check.state == "problem"] == ["credentials"]
    assert set(states(report).values()) == {"unknown"}


async def test_an_environment_that_is_not_clear_is_a_problem_with_the_choices() -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        if request.url.path.endswith("/environments"):
            return reply(200, {"data": [{"id": "1", "name": "Design"}, {"id": "2", "name": "Production"}]})
        return reply(200, {"access_token": "t", "expires_in": 60})

    async with scripted(answer, auth="connected_app", client_id="i", client_secret=SECRET, environment=None) as client:
        report = await client.doctor()
    assert rows(report)["environment"].state == "problem"
    assert "Design (1), Production (2)" in rows(report)["environment"].found


def dated(seconds: float, **headers: str) -> Callable[[httpx.Request], httpx.Response]:
    def answer(request: httpx.Request) -> httpx.Response:
        return reply(200, [], Date=formatdate(time.time() + seconds, usegmt=True), **headers)

    return answer


@pytest.mark.parametrize(
    ("ahead", "state", "word"), [(0, "ok", ""), (3_600, "problem", "behind"), (-3_600, "problem", "ahead of")]
)
async def test_the_clock_is_compared_with_the_date_of_the_answers(ahead: float, state: str, word: str) -> None:
    async with scripted(dated(ahead)) as client:
        report = await client.doctor("orders", reach=False)
    for host in ("platform.test", "mq.test"):
        check = rows(report)[f"clock: {host}"]
        assert (check.state, word in check.found) == (state, True)
        assert "resolution of 1 s" in check.found


async def test_a_date_from_a_cache_or_no_date_says_nothing_about_the_clock() -> None:
    for answer in (dated(3_600, Age="3600"), lambda request: reply(200, [], Date="yesterday"), lambda request: reply(200, [])):
        async with scripted(answer) as client:
            report = await client.doctor("orders", reach=False)
        assert rows(report)["clock"].state == "unknown"


async def test_each_region_is_tried_and_none_is_waited_for_longer_than_the_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(regions, "REACH_SECONDS", 0.2)
    entries = [
        {"regionId": "us-east-1", "serviceUrl": "https://mq.test/api/v1"},
        {"id": "eu-west-1", "serviceUrl": "https://mq-eu.test"},
        {"regionId": "ca-central-1"},
        {"regionId": "slow", "serviceUrl": "https://mq-slow.test"},
        {"regionId": "bad", "serviceUrl": "http://mq-bad.test"},
    ]
    hosts: list[str] = []

    class Network(httpx.AsyncBaseTransport):
        async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
            if not request.url.path.startswith(("/mq/", "/accounts/")) and "/destinations/" not in request.url.path:
                hosts.append(request.url.host)
                assert "Authorization" not in request.headers  # a host that the answer names is given no token
            if request.url.host == "mq-eu.test":
                raise httpx.ConnectError("refused")
            if request.url.host == "mq-slow.test":
                await anyio.sleep(60)
            return reply(200, entries) if request.url.path.endswith("/regions") else reply(404)

    settings = Settings(
        auth="bearer", bearer=SECRET, platform_url="https://platform.test", mq_url="https://mq.test/api/v1", organization=ORG,
        environment=ENV, region="us-east-1",
    )  # fmt: skip
    async with AsyncClient(settings, transport=Network()) as client:
        found = rows(await client.doctor("orders"))
    assert found["regions"].found == "us-east-1, eu-west-1, ca-central-1, slow, bad"
    assert found["broker: us-east-1"].state == "ok"
    assert "(HTTP 404)" in found["broker: us-east-1"].found  # any answer is one
    assert found["broker: eu-west-1"].state == "unknown"
    assert "names no serviceUrl" in found["broker: ca-central-1"].found
    assert "no answer within" in found["broker: slow"].found
    assert found["broker: bad"].state == "problem"
    assert sorted(hosts) == ["mq-eu.test", "mq-slow.test", "mq.test"]


async def test_a_broker_in_use_that_does_not_answer_is_a_problem() -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        if request.url.host == "mq.test":
            raise httpx.ConnectError("refused")
        return reply(403)

    async with scripted(answer) as client:
        report = await client.doctor("orders")
    assert rows(report)["broker: in use"].state == "problem"
    assert rows(report)["regions"].state == "refused"
    assert not report.ok


def test_the_blocking_face_and_the_embedded_broker() -> None:
    with courier_nb.connect("local") as client:
        report = client.doctor(progress=False)
    assert report.ok
    frame = report.frame()
    assert list(frame.columns) == ["check", "state", "found", "next"]
    assert len(frame) == len(report) == len(report.checks)
    assert set(frame["state"]) <= {"ok", "refused", "unknown", "problem"}
    assert all(check.check in repr(report) for check in report)
    assert (report.plan, report.probes) == (None, None)
