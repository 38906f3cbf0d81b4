"""Four kinds of credential against scripted accounts services."""

from __future__ import annotations

import time
from dataclasses import replace
from urllib.parse import parse_qs

import anyio
import httpx
import pytest

from courier_nb.core.errors import BadAnswer, ConfigError, Unauthorized, Unavailable
from courier_nb.core.settings import Settings
from courier_nb.wire.auth import Token, TokenSource, broker_url_of
from courier_nb.wire.retry import Operation
from courier_nb.wire.sender import Sender
from tests.unit.scripts import Script, reply

pytestmark = pytest.mark.anyio

CONNECTED = "https://platform.test/accounts/api/v2/oauth2/token"
CLIENT = "https://mq.test/api/v1/authorize"
LOGIN, OLD_LOGIN = "https://platform.test/accounts/api/login", "https://platform.test/accounts/login"
GRANT = {"access_token": "t", "token_type": "bearer"}
BOUND = {**GRANT, "simple_client": {"orgId": "o", "envId": "e"}}


def urls(script: Script) -> list[str]:
    return [str(request.url) for request in script.requests]


def source(settings: Settings, sender: Sender, **changes: str | None) -> TokenSource:
    return TokenSource(replace(settings, **changes), sender)


async def test_a_connected_app_sends_its_secret_as_a_form_and_nowhere_else(script, sender, settings):
    script.will(reply(200, {**GRANT, "expires_in": 3600}))
    token = await source(settings, sender, auth="connected_app").current()
    (request,) = script.requests
    assert (request.method, str(request.url)) == ("POST", CONNECTED)
    assert parse_qs(request.content.decode()) == {
        "client_id": ["app-id"],
        "client_secret": ["app-secret"],
        "grant_type": ["client_credentials"],
    }
    assert (token.kind, token.value, token.organization) == ("connected_app", "t", None)


async def test_a_client_app_says_where_it_belongs(script, sender, settings):
    script.will(reply(200, BOUND))
    token = await source(settings, sender, auth="client_app").current()
    assert urls(script) == [CLIENT]
    assert (token.kind, token.organization, token.environment) == ("client_app", "o", "e")


@pytest.mark.parametrize("first", [reply(404), reply(200, "<html>"), reply(200, {})])
async def test_a_user_logs_in_on_whichever_path_there_is(script, sender, settings, first):
    script.will(first, reply(200, GRANT))
    token = await source(settings, sender, auth="user", username="u", password="pass").current()
    assert urls(script) == [OLD_LOGIN, LOGIN]
    assert script.bodies() == [{"username": "u", "password": "pass"}] * 2
    assert token.kind == "user"


async def test_a_wrong_password_is_not_tried_on_the_other_path(script, sender, settings):
    script.will(reply(401, "Unauthorized"))
    with pytest.raises(Unauthorized) as caught:
        await source(settings, sender, auth="user", username="u", password="s3cret").current()
    assert urls(script) == [OLD_LOGIN]
    assert "s3cret" not in str(caught.value)


async def test_a_bearer_token_is_taken_as_it_is_and_cannot_be_renewed(script, sender, settings):
    tokens = source(settings, sender, auth="bearer", bearer="ready-made")
    token = await tokens.current()
    assert token.value == "ready-made"
    with pytest.raises(Unauthorized, match="cannot be renewed: get a new one") as caught:
        await tokens.renew(token)
    assert "ready-made token" in str(caught.value)
    assert script.requests == []


def only(url: str, grant: dict[str, object]) -> object:
    def answer(request: httpx.Request) -> httpx.Response:
        return reply(200, grant) if str(request.url) == url else reply(401, "Unauthorized")

    return answer


@pytest.mark.parametrize(
    ("accepting", "grant", "kind", "asked"),
    [(CONNECTED, GRANT, "connected_app", [CONNECTED]), (CLIENT, BOUND, "client_app", [CONNECTED, CLIENT])],
)
async def test_the_kind_of_an_app_is_found_out_and_remembered(script, sender, settings, accepting, grant, kind, asked):
    script.always(only(accepting, grant))
    tokens = source(settings, sender)
    token = await tokens.current()
    assert (token.kind, urls(script)) == (kind, asked)
    await tokens.renew(token)
    assert urls(script)[len(asked) :] == [accepting]


async def test_when_neither_kind_is_accepted_one_error_tells_of_both_without_the_secret(script, sender, settings):
    script.always(reply(401, "Unauthorized: app-secret"))
    with pytest.raises(Unauthorized, match="as connected app: answer 401; as MQ client app: answer 401") as caught:
        await source(settings, sender).current()
    assert "app-secret" not in str(caught.value)
    assert "the secret came from keyword" in str(caught.value)


async def test_without_a_broker_there_is_no_second_kind_to_try(script, sender, settings):
    script.always(reply(401))
    with pytest.raises(Unauthorized):
        await source(settings, sender, mq_url=None).current()
    assert urls(script) == [CONNECTED]


async def test_however_many_calls_wait_one_token_is_asked_for(script, sender, settings):
    script.will(reply(200, GRANT)).always(reply(500))
    tokens = source(settings, sender, auth="connected_app")
    found: list[Token] = []

    async def ask() -> None:
        found.append(await tokens.current())

    async with anyio.create_task_group() as group:
        for _ in range(20):
            group.start_soon(ask)
    assert len(script.requests) == 1
    assert len({id(token) for token in found}) == 1


async def test_calls_that_are_refused_together_renew_once(script, sender, settings):
    """The service gives a client app the same text again, which is not a failure."""
    state = {"asked": 0}

    def answer(request: httpx.Request) -> httpx.Response:
        if str(request.url) == CLIENT:
            state["asked"] += 1
            return reply(200, BOUND)
        return reply(200, {}) if state["asked"] == 2 else reply(401)

    script.always(answer)
    tokens = source(settings, sender, auth="client_app")

    async def call() -> None:
        await sender.call(Operation.RECEIVE, "GET", "https://mq.test/api/v1/x", where="here", tokens=tokens)

    async with anyio.create_task_group() as group:
        for _ in range(10):
            group.start_soon(call)
    assert urls(script).count(CLIENT) == 2


@pytest.mark.parametrize(("expires_in", "life"), [(1000, 800), (None, 45 * 60), ("3600", 45 * 60), (0, 10), (-5, 10)])
async def test_a_token_is_kept_for_most_of_its_life_and_is_never_asked_for_in_a_loop(script, sender, settings, expires_in, life):
    script.will(reply(200, {**GRANT, "expires_in": expires_in}))
    tokens = source(settings, sender, auth="connected_app")
    token = await tokens.current()
    assert token.renew_at == pytest.approx(time.monotonic() + life, abs=5)
    assert await tokens.current() is token


async def test_a_token_is_renewed_before_its_end(script, sender, settings):
    script.always(reply(200, GRANT))
    tokens = source(settings, sender, auth="connected_app")
    tokens._token = replace(await tokens.current(), renew_at=time.monotonic())
    await tokens.current()
    assert len(script.requests) == 2


@pytest.mark.parametrize("content", ["Unauthorized", {}, [], {"access_token": ""}, {"access_token": 5}, "null"])
async def test_an_answer_without_a_token_is_a_bad_one(script, sender, settings, content):
    script.always(reply(200, content))
    with pytest.raises(BadAnswer):
        await source(settings, sender, auth="connected_app").current()


async def test_a_failing_accounts_service_is_asked_again(script, sender, settings):
    script.will(reply(503, Retry_After="0"), reply(200, GRANT))
    assert (await source(settings, sender, auth="connected_app").current()).value == "t"


async def test_a_failed_request_leaves_the_next_call_free_to_try(script, sender, settings):
    tokens = source(settings, sender, auth="connected_app")
    script.will(*[reply(503, Retry_After="0")] * 6, reply(200, GRANT))
    with pytest.raises(Unavailable):
        await tokens.current()
    assert (await tokens.current()).value == "t"


def test_a_token_does_not_show_itself():
    assert "s3cret" not in repr(Token("bearer", "s3cret", None))


@pytest.mark.parametrize(
    ("said", "url"),
    [("https://mq.said.test/api/v1", "https://mq.said.test/api/v1"), (None, "https://mq-eu-west-1.platform.test/api/v1")],
)
def test_the_broker_of_a_region_is_what_the_service_says_or_the_documented_pattern(settings, said, url):
    assert broker_url_of(replace(settings, mq_url=None, region="eu-west-1"), lambda region: said) == url


def test_without_a_broker_and_a_region_both_are_asked_for(settings):
    with pytest.raises(ConfigError, match=r"ANYPOINT_MQ_URL.*ANYPOINT_REGION"):
        broker_url_of(replace(settings, mq_url=None))
