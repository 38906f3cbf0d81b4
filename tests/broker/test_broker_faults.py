"""Faults on demand: each kind, through both doors; which requests they strike, and every way to ask for them."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import anyio
import httpx
import pytest

from courier_nb.broker import BrokerConfig, ClientApp, ConnectedApp, Fault, LocalBroker, QueueConfig, Switches, load_config
from courier_nb.broker.api.faults import Faults
from courier_nb.broker.config.faults import KINDS, OPERATIONS, FaultKind, fault_table, read_fault
from courier_nb.core.clock import ManualClock
from courier_nb.core.errors import ConfigError

from .conftest import Api, locks, open_api

pytestmark = pytest.mark.anyio

ENVELOPE = {"status", "statusMessage"}
CUT = (httpx.RemoteProtocolError, httpx.ReadError)
SAMPLES: dict[FaultKind, dict[str, Any]] = {
    "unauthorized": {"after": 3, "times": 2},
    "forbidden": {"operations": ["ack", "ack_batch"], "text": "no"},
    "throttled": {"retry_after": 2, "every": 3},
    "error": {"effect": True, "probability": 0.25, "seed": 7},
    "unavailable": {"operations": ["accounts", "authorize", "admin", "stats"]},
    "plain_text": {"status": 504, "text": "<h1>late</h1>", "content_type": "text/html"},
    "delay": {"seconds": 0.5},
    "cut_before": {"destination": "orders"},
    "cut_after": {"operations": list(OPERATIONS)},
    "truncated": {"operations": ["receive"]},
    "short_batch": {"limit": 0},
    "duplicate": {"probability": 1},
    "item_failure": {"items": [0, 9], "text": "LockId: x provided is expired"},
    "object_not_array": {"operations": ["nack_batch"]},
    "stats_lag": {"seconds": 60},
}


@pytest.fixture(params=["in_process", "socket"])
async def door(request: pytest.FixtureRequest, broker: LocalBroker) -> AsyncIterator[Api]:
    """A client of the broker, in-process and over a real socket."""
    if request.param == "in_process":
        async with open_api(broker) as api:
            yield api
    else:
        with broker.serving() as settings:
            async with httpx.AsyncClient() as client:
                api = Api(client, settings)
                await api.authorize()
                yield api


async def platform_token(api: Api) -> None:
    await api.authorize(f"{api.settings['platform_url']}/accounts/api/v2/oauth2/token")


async def depths(api: Api, *queues: str) -> list[int]:
    path = f"{api.settings['platform_url']}/mq/stats/api/v1{api.base}/regions/us-east-1/queues"
    answer = await api.call("GET", path, params={"destinationIds": ",".join(queues)})
    return [entry["messages"] for entry in answer.json()]


def items(*bodies: str) -> list[dict[str, Any]]:
    return [{"headers": {"messageId": body}, "body": body} for body in bodies]


# Statuses


@pytest.mark.parametrize(
    ("fault", "status", "header"),
    [
        (Fault("forbidden"), 403, None),
        (Fault("throttled"), 429, None),
        (Fault("throttled", retry_after=7), 429, "7"),
        (Fault("error"), 500, None),
        (Fault("unavailable"), 503, None),
        (Fault("unavailable", retry_after=0), 503, "0"),
    ],
)
async def test_an_error_status_answers_in_the_words_of_the_api_and_nothing_happens(door, broker, fault, status, header):
    broker.faults.add(fault)
    answer = await door.call("PUT", door.path("q"), items("a"))
    assert (answer.status_code, answer.headers.get("retry-after")) == (status, header)
    assert answer.json().keys() == ENVELOPE
    assert answer.json()["status"] == "failure"
    assert broker.depth("q") == {"messages": 0, "inflight": 0}


async def test_the_words_of_an_error_can_be_chosen(door, broker):
    broker.faults.add(Fault("throttled", text="Quota exceeded"))
    assert (await door.poll("q")).json() == {"status": "failure", "statusMessage": "Quota exceeded"}


async def test_unauthorized_ends_the_token_so_that_only_a_new_one_helps(door, broker):
    path = door.path("q")
    with broker.faults.during(Fault("unauthorized", times=1)) as (struck,):
        headers = {"Authorization": f"Bearer {door.token}"}
        first = await door.client.get(path, params={"pollingTime": 0}, headers=headers)
        again = await door.client.get(path, params={"pollingTime": 0}, headers=headers)
        assert (first.status_code, first.text, first.headers["content-type"]) == (
            401,
            "Unauthorized",
            "text/plain; charset=utf-8",
        )
        assert again.status_code == 401
        assert (struck.calls, struck.strikes) == (1, 1)  # the second came with a token that is not one, which is no call
        await door.authorize()
        assert (await door.poll("q")).status_code == 204


@pytest.mark.parametrize(
    ("fault", "status", "text", "content_type"),
    [
        (Fault("plain_text"), 502, "Bad gateway", "text/plain; charset=utf-8"),
        (
            Fault("plain_text", status=503, text="<h1>Wartung – später</h1>", content_type="text/html; charset=utf-8"),
            503,
            "<h1>Wartung – später</h1>",
            "text/html; charset=utf-8",
        ),
    ],
)
async def test_an_error_body_that_is_not_json(door, broker, fault, status, text, content_type):
    broker.faults.add(fault)
    answer = await door.poll("q")
    assert (answer.status_code, answer.text, answer.headers["content-type"]) == (status, text, content_type)


@pytest.mark.parametrize("kind", ["error", "unavailable", "plain_text"])
async def test_an_error_can_be_told_after_the_effect(door, broker, kind):
    broker.faults.add(Fault(kind, effect=True, times=1))
    assert (await door.call("PUT", door.path("q"), items("a"))).status_code >= 500
    assert await door.bodies("q") == ["a"]


# Time and connection


async def test_a_delayed_answer_comes_when_the_brokers_clock_says_so(door, broker, clock, polling):
    broker.faults.add(Fault("delay", operations=("publish_batch",), seconds=90))
    publishing = asyncio.create_task(door.call("PUT", door.path("q"), items("a"), timeout=60))
    await polling()
    assert broker.depth("q") == {"messages": 1, "inflight": 0}  # it is the answer that is late
    clock.advance(89)
    await asyncio.sleep(0)
    assert not publishing.done()
    clock.advance(1)
    assert (await publishing).status_code == 200


async def test_a_delay_passes_by_itself_with_the_real_clock() -> None:
    with LocalBroker(BrokerConfig(faults=(Fault("delay", seconds=0.05),)), queues=["q"]) as broker:
        async with open_api(broker) as api:
            began = anyio.current_time()
            assert (await api.poll("q")).status_code == 204
            assert anyio.current_time() - began >= 0.05


async def test_a_connection_cut_before_the_effect_changes_nothing(door, broker):
    await door.publish("q", "old")
    with broker.faults.during(Fault("cut_before")) as (cut,):
        with pytest.raises(CUT):
            await door.call("PUT", door.path("q"), items("a"))
        with pytest.raises(CUT):
            await door.poll("q")
        assert cut.strikes == 2
    assert broker.depth("q") == {"messages": 1, "inflight": 0}
    assert [m["headers"]["deliveryCount"] for m in await door.receive("q")] == ["1"]


async def test_a_connection_cut_after_the_effect_leaves_it_done(door, broker):
    with broker.faults.during(Fault("cut_after")):
        with pytest.raises(CUT):
            await door.call("PUT", door.path("q"), items("a", "b"))
        assert broker.depth("q") == {"messages": 2, "inflight": 0}
        with pytest.raises(CUT):
            await door.poll("q", lockTtl=60_000, batchSize=1)
        assert broker.depth("q") == {"messages": 1, "inflight": 1}  # locked for nobody
    (message,) = await door.receive("q")
    with broker.faults.during(Fault("cut_after")), pytest.raises(CUT):
        await door.ack("q", message)
    assert broker.depth("q") == {"messages": 0, "inflight": 1}


async def test_a_cut_hides_a_refusal_too(door, broker):
    broker.faults.add(Fault("cut_after"))
    with pytest.raises(CUT):
        await door.call("PUT", door.path("missing"), items("a"))


async def test_what_was_done_before_a_cut_is_in_the_file(tmp_path: Path) -> None:
    with LocalBroker(queues=["q"], db=tmp_path / "broker.db") as broker:
        async with open_api(broker) as api:
            with broker.faults.during(Fault("cut_after")), pytest.raises(CUT):
                await api.call("PUT", api.path("q"), items("a"))
    with LocalBroker(db=tmp_path / "broker.db") as broker:
        async with open_api(broker) as api:
            assert await api.bodies("q") == ["a"]


async def test_of_a_truncated_answer_half_arrives(door, broker):
    await door.publish("q", "a" * 200)
    broker.faults.add(Fault("truncated"))
    headers = {"Authorization": f"Bearer {door.token}"}
    async with door.client.stream("GET", door.path("q"), headers=headers) as answer:
        arrived = b""
        with pytest.raises(CUT):
            async for part in answer.aiter_raw():
                arrived += part
        assert answer.status_code == 200
    assert len(arrived) == int(answer.headers["content-length"]) // 2
    assert arrived.startswith(b'[{"headers":')
    assert broker.depth("q") == {"messages": 0, "inflight": 1}


async def test_of_an_answer_without_a_body_nothing_is_left_when_it_is_truncated(door, broker):
    broker.faults.add(Fault("truncated"))
    with pytest.raises(CUT):
        await door.poll("q")


# Batches


@pytest.mark.parametrize("limit", [0, 3])
async def test_a_short_batch_gives_fewer_than_there_are(door, broker, limit):
    await door.publish("q", *"abcdefg")
    broker.faults.add(Fault("short_batch", limit=limit, times=1))
    answer = await door.poll("q", pollingTime=20_000)
    assert answer.status_code == (200 if limit else 204)
    assert broker.depth("q") == {"messages": 7 - limit, "inflight": limit}
    assert len(await door.bodies("q")) == 7 - limit


async def test_a_short_batch_of_a_queue_that_is_not_there_is_refused(door, broker):
    broker.faults.add(Fault("short_batch", limit=0))
    assert (await door.poll("missing")).status_code == 404


async def test_a_duplicate_is_received_again_while_the_first_is_locked(door, broker):
    await door.publish("q", "a", "b")
    broker.faults.add(Fault("duplicate", times=1))
    first = await door.receive("q")
    assert broker.depth("q") == {"messages": 2, "inflight": 2}
    second = await door.receive("q")
    assert [m["body"] for m in first] == [m["body"] for m in second] == ["a", "b"]
    assert [m["headers"]["messageId"] for m in first] == [m["headers"]["messageId"] for m in second]
    assert {m["headers"]["lockId"] for m in first}.isdisjoint(m["headers"]["lockId"] for m in second)
    assert {m["headers"]["deliveryCount"] for m in second} == {"2"}
    await door.call("DELETE", door.path("q"), locks(*first, *second))
    assert broker.depth("q") == {"messages": 0, "inflight": 0}


async def test_a_duplicate_comes_to_a_long_poll_too(door, broker, polling):
    broker.faults.add(Fault("duplicate", times=1))
    poll = asyncio.create_task(door.bodies("q", pollingTime=20_000))
    await polling()
    await door.publish("q", "a")
    assert await poll == ["a"]
    assert await door.bodies("q") == ["a"]


async def test_a_message_that_has_left_for_the_dead_letters_is_not_duplicated(door, broker):
    await door.publish("work", "a")
    await door.receive("work", lockTtl=0)
    broker.faults.add(Fault("duplicate"))
    assert await door.bodies("work", lockTtl=0) == ["a"]  # its last delivery, which has failed at once
    assert broker.depth("work") == {"messages": 0, "inflight": 0}
    assert broker.depth("dead") == {"messages": 1, "inflight": 0}


async def test_a_fifo_queue_gives_no_duplicates(door, broker):
    broker.create_queue("steps", fifo=True)
    await door.publish("steps", "a", messageGroupId="g")
    broker.faults.add(Fault("duplicate"))
    assert await door.bodies("steps") == ["a"]
    assert broker.depth("steps") == {"messages": 0, "inflight": 1}


def outcomes(answer: httpx.Response) -> list[str]:
    assert answer.status_code == 200
    return [item["status"] for item in answer.json()]


async def test_items_of_a_publish_fail_and_are_not_stored(door, broker):
    broker.faults.add(Fault("item_failure", items=(1, 7), text="Try again", times=1))
    answer = await door.call("PUT", door.path("q"), items(*"abcd"))
    assert outcomes(answer) == ["successful", "failure", "successful", "successful"]
    assert answer.json()[1] == {"messageId": "b", "status": "failure", "statusMessage": "Try again"}
    assert await door.bodies("q") == ["a", "c", "d"]


async def test_a_publish_can_fail_for_all_items(door, broker):
    broker.faults.add(Fault("item_failure", share=1))
    assert outcomes(await door.call("PUT", door.path("q"), items("a", "b"))) == ["failure", "failure"]
    assert broker.depth("q") == {"messages": 0, "inflight": 0}
    assert (await door.call("PUT", door.path("missing"), items("a"))).status_code == 404


@pytest.mark.parametrize("operation", ["ack_batch", "nack_batch", "extend_batch"])
async def test_items_of_a_settling_batch_fail_and_stay_locked(door, broker, clock, operation):
    await door.publish("q", *"abc")
    given = await door.receive("q", lockTtl=60_000)
    broker.faults.add(Fault("item_failure", operations=(operation,), items=(0, 2), times=1))
    method, parts, more = {
        "ack_batch": ("DELETE", [], {}),
        "nack_batch": ("DELETE", ["locks"], {}),
        "extend_batch": ("PATCH", ["locks"], {"ttl": 600}),
    }[operation]
    answer = await door.call(method, door.path("q", *parts), locks(*given, **more))
    assert outcomes(answer) == ["failure", "successful", "failure"]
    assert [item["messageId"] for item in answer.json()] == ["id of a", "id of b", "id of c"]
    assert broker.depth("q")["inflight"] == (3 if operation == "extend_batch" else 2)
    clock.advance(61)
    back = await door.bodies("q")
    assert back == {"ack_batch": ["a", "c"], "nack_batch": ["b", "a", "c"], "extend_batch": ["a", "c"]}[operation]


async def test_a_batch_of_which_all_items_fail_is_answered_with_200(clock: ManualClock) -> None:
    config = BrokerConfig(faults=(Fault("item_failure", share=1),), switches=Switches(bad_settle_batch="refuse"))
    with LocalBroker(config, queues=["q"], clock=clock) as broker:
        async with open_api(broker) as api:
            with broker.faults.during():
                await api.call("PUT", api.path("q", "a"), {"body": "a"})
            answer = await api.call("DELETE", api.path("q"), locks(*await api.receive("q")))
            assert outcomes(answer) == ["failure"]


async def test_one_object_answers_a_batch(door, broker):
    await door.publish("q", "a", "b")
    broker.faults.add(Fault("object_not_array"))
    given = await door.receive("q")
    returned = (await door.call("DELETE", door.path("q", "locks"), locks(*given))).json()
    assert returned == {"messageId": "id of a", "status": "successful", "statusMessage": returned["statusMessage"]}
    given = await door.receive("q")
    assert (await door.call("DELETE", door.path("q"), locks(*given))).json()["status"] == "successful"
    assert broker.depth("q") == {"messages": 0, "inflight": 0}


# The platform's APIs


async def test_the_live_depth_is_up_to_so_old(door, broker, clock):
    await platform_token(door)
    broker.faults.add(Fault("stats_lag", seconds=60))
    await door.publish("q", "a")
    assert await depths(door, "q") == [1]
    await door.publish("q", "b")
    await door.publish("dead", "c")
    assert await depths(door, "dead", "q") == [1, 2]  # never asked before
    clock.advance(59)
    assert await depths(door, "q") == [1]
    clock.advance(1)
    assert await depths(door, "q") == [2]
    broker.faults.clear()
    await door.publish("q", "d")
    assert await depths(door, "q") == [3]


@pytest.mark.parametrize("operation", ["authorize", "accounts", "admin", "stats"])
async def test_the_platforms_apis_fail_when_they_are_named(door, broker, operation):
    await platform_token(door)
    origin, region = door.settings["platform_url"], "regions/us-east-1"
    urls = {
        "authorize": ("POST", f"{door.settings['url']}/authorize"),
        "accounts": ("GET", f"{origin}/accounts/api/me"),
        "admin": ("GET", f"{origin}/mq/admin/api/v1{door.base}/{region}/destinations"),
        "stats": ("GET", f"{origin}/mq/stats/api/v1{door.base}/{region}/queues?destinationIds=q"),
    }
    method, url = urls[operation]
    with broker.faults.during(Fault("unavailable", operations=(operation,), retry_after=1), Fault("error")) as (named, other):
        answer = await door.call(method, url)
        assert (answer.status_code, answer.headers["retry-after"]) == (503, "1")
        for name, (another, path) in urls.items():
            if name != operation:
                assert (await door.call(another, path)).status_code != 503
        assert (named.strikes, other.calls) == (1, 0)  # what names no operation concerns messages only
    with broker.faults.during(Fault("cut_after", operations=(operation,))), pytest.raises(CUT):
        await door.call(method, url)


# Which requests


async def statuses(api: Api, count: int, queue: str = "q") -> list[int]:
    return [(await api.poll(queue)).status_code for _ in range(count)]


async def test_a_fault_begins_after_so_many_calls_and_has_every_so_manieth_for_so_many_times(api, broker):
    (fault,) = broker.faults.add(Fault("error", after=2, every=3, times=2))
    assert await statuses(api, 12) == [204, 204, 500, 204, 204, 500, 204, 204, 204, 204, 204, 204]
    assert (fault.calls, fault.strikes) == (12, 2)


async def test_a_fault_strikes_only_its_operations_and_its_destination(api, broker):
    (fault,) = broker.faults.add(Fault("error", operations=("receive", "publish"), destination="q"))
    assert await statuses(api, 1, "work") == [204]
    assert await statuses(api, 1) == [500]
    assert (await api.call("PUT", api.path("q"), items("a"))).status_code == 200
    assert (await api.call("PUT", api.path("q", "b"), {"body": "b"})).status_code == 500
    assert fault.calls == 2


async def test_the_first_in_order_strikes_and_the_others_count_the_call(api, broker):
    first, second = broker.faults.add(Fault("error", every=2), Fault("throttled", every=3, times=2))
    # calls     1    2    3    4    5    6    7    8    9    10
    # first     x         x         x         x         x
    # second    lost           x              lost           x
    assert await statuses(api, 10) == [500, 204, 500, 429, 500, 204, 500, 204, 500, 429]
    assert (first.calls, first.strikes, second.calls, second.strikes) == (10, 5, 10, 2)


async def test_probability_and_seed_decide_and_nothing_else_does(api, broker):
    async def drawn(*faults: Fault, calls: int = 60) -> list[int]:
        with broker.faults.during(*faults):
            return await statuses(api, calls)

    often = Fault("error", probability=0.3, seed=11)
    first = await drawn(often)
    assert 8 <= first.count(500) <= 28
    assert await drawn(often) == first
    assert await drawn(Fault("error", probability=0.3, seed=12)) != first
    assert await drawn(Fault("error", probability=1), calls=5) == [500] * 5
    shifted = await drawn(Fault("error", probability=0.3, seed=11, after=20))
    assert shifted == [204] * 20 + first[20:]
    both = await drawn(often, Fault("throttled", probability=0.3, seed=11))
    assert [500 if status == 500 else 204 for status in both] == first  # another beside it changes nothing
    assert both.count(429) > 5  # and the same seed and probability do not draw the same requests for both


async def test_the_share_of_items_is_drawn_by_seed_for_each_call(api, broker):
    async def drawn(seed: int) -> list[list[str]]:
        with broker.faults.during(Fault("item_failure", share=0.5, seed=seed)):
            return [outcomes(await api.call("PUT", api.path("q"), items(*"abcdefghij"))) for _ in range(4)]

    first = await drawn(3)
    assert await drawn(3) == first
    assert await drawn(4) != first
    assert len({tuple(outcome) for outcome in first}) > 1
    assert 10 <= sum(outcome.count("failure") for outcome in first) <= 30


async def test_requests_that_are_not_let_in_do_not_count(api, broker):
    (fault,) = broker.faults.add(Fault("error", times=1))
    answer = await api.client.get(api.path("q"), headers={"Authorization": "Bearer wrong"})
    assert answer.status_code == 401
    assert (await api.call("POST", api.path("q"))).status_code == 405
    assert fault.calls == 0
    assert await statuses(api, 2) == [500, 204]


async def test_several_threads_count_each_call_once(broker: LocalBroker) -> None:
    (fault,) = broker.faults.add(Fault("error", every=2))

    def run() -> int:
        async def ask() -> int:
            async with open_api(broker) as api:
                return (await statuses(api, 50)).count(500)

        return asyncio.run(ask())

    struck = await asyncio.gather(*(asyncio.to_thread(run) for _ in range(4)))
    assert (fault.calls, fault.strikes, sum(struck)) == (200, 100, 100)


# Every way to ask for them


def test_there_is_a_sample_of_every_kind() -> None:
    assert set(SAMPLES) == set(KINDS)


def as_toml(table: dict[str, Any]) -> str:
    lines = [f"{key} = {str(value).lower() if isinstance(value, bool) else json.dumps(value)}" for key, value in table.items()]
    return "\n".join(["[[fault]]", *lines, ""])


@pytest.mark.parametrize("kind", KINDS)
async def test_python_toml_and_the_endpoint_mean_the_same(broker, api, tmp_path: Path, kind):
    table = {"kind": kind, **SAMPLES[kind]}
    fault = Fault(**{key: tuple(value) if isinstance(value, list) else value for key, value in table.items()})
    path = tmp_path / "broker.toml"
    path.write_text(as_toml(table))
    assert load_config(path).faults == (fault,)
    await platform_token(api)
    url = f"{api.settings['platform_url']}/courier-nb/faults"
    answer = await api.call("POST", url, table)
    assert (answer.status_code, answer.json()) == (201, [table | {"calls": 0, "strikes": 0}])
    assert [active.fault for active in broker.faults] == [fault]
    assert read_fault(fault_table(fault)) == fault


@pytest.mark.parametrize("way", ["config", "toml", "running", "during", "endpoint"])
async def test_a_fault_strikes_whichever_way_it_was_asked_for(tmp_path: Path, way: str) -> None:
    table = {"kind": "throttled", "operations": ["receive"], "times": 1, "retry_after": 3}
    fault = read_fault(table)
    config = BrokerConfig(faults=(fault,)) if way == "config" else BrokerConfig()
    if way == "toml":
        path = tmp_path / "broker.toml"
        path.write_text(as_toml(table))
        config = load_config(path)
    with LocalBroker(config, queues=["q"]) as broker:
        async with open_api(broker) as api:
            if way == "running":
                broker.faults.add(fault)
            if way == "endpoint":
                await platform_token(api)
                await api.call("POST", f"{broker.platform_url}/courier-nb/faults", [table])
            with broker.faults.during(*([fault] if way == "during" else [])):
                assert await statuses(api, 2) == [429, 204]
                (active,) = broker.faults
                assert (active.fault, active.calls, active.strikes) == (fault, 2, 1)


async def test_faults_of_a_block_end_with_it_and_others_stay(api, broker):
    (kept,) = broker.faults.add(Fault("error", after=5))
    with pytest.raises(RuntimeError), broker.faults.during(Fault("throttled"), Fault("throttled")):
        assert len(broker.faults) == 3
        assert await statuses(api, 2) == [429, 429]
        raise RuntimeError
    assert list(broker.faults) == [kept]
    with broker.faults.during(Fault("throttled")):
        broker.faults.clear()
        assert await statuses(api, 6) == [204] * 6
    assert len(broker.faults) == 0


async def test_the_endpoint_lists_adds_and_ends(door, broker):
    await platform_token(door)
    url = f"{door.settings['platform_url']}/courier-nb/faults"
    assert (await door.call("GET", url)).json() == []
    added = await door.call("POST", url, [{"kind": "error", "times": 1}, {"kind": "short_batch", "limit": 1}])
    assert added.status_code == 201
    assert await statuses(door, 2) == [500, 204]
    assert (await door.call("GET", url)).json() == [
        {"kind": "error", "times": 1, "calls": 2, "strikes": 1},
        {"kind": "short_batch", "limit": 1, "calls": 2, "strikes": 1},
    ]
    ended = await door.call("DELETE", url)
    assert (ended.status_code, ended.content, len(broker.faults)) == (204, b"", 0)
    assert (await door.call("PUT", url)).status_code == 405


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "JSON"),
        (b"[]", "array of faults"),
        (b'["error"]', "array of faults"),
        (b"{}", "kind is missing"),
        (b'{"kind": "flood"}', "'flood'"),
        (b'[{"kind": "error"}, {"kind": "error", "often": 1}]', "often is not a known key"),
        (b'{"kind": "error", "times": 0}', "times is 0"),
        (b'{"kind": ["error"]}', "kind is"),
    ],
)
async def test_the_endpoint_refuses_what_is_not_a_fault_and_takes_nothing_of_it(api, broker, content, reason):
    await platform_token(api)
    answer = await api.call("POST", f"{broker.platform_url}/courier-nb/faults", content=content)
    assert answer.status_code == 400
    assert reason in answer.json()["message"]
    assert len(broker.faults) == 0


async def test_the_endpoint_is_for_those_only_who_may_do_everything_and_no_fault_strikes_it(clock: ManualClock) -> None:
    scoped = ConnectedApp("scoped", "hush", scopes=("administer:destinations", "publish:destinations"))
    elsewhere = ConnectedApp("elsewhere", "hush", environments=("Local",))
    config = BrokerConfig(
        queues=(QueueConfig("q"),),
        clients=(ClientApp("till", "till-id", "hush"),),
        connected_apps=(scoped, elsewhere),
        username="ada",
        password="hush",
    )
    with LocalBroker(config, clock=clock) as broker:
        async with httpx.AsyncClient(transport=broker.transport(), base_url=broker.platform_url) as client:

            async def token(path: str, **fields: str) -> str:
                answer = await client.post(path, json={"grant_type": "client_credentials", **fields})
                return str(answer.json()["access_token"])

            async def ask(method: str, who: str) -> int:
                headers = {"Authorization": f"Bearer {tokens[who]}"}
                return (await client.request(method, "/courier-nb/faults", content=b"{", headers=headers)).status_code

            own = {key: broker.settings[key] for key in ("client_id", "client_secret")}
            connected = "/accounts/api/v2/oauth2/token"
            tokens = {
                "own": await token(connected, **own),
                "user": await token("/accounts/login", username="ada", password="hush"),
                "own client app": await token("/accounts/oauth2/token", **own),
                "client app": await token("/accounts/oauth2/token", client_id="till-id", client_secret="hush"),
                "scoped": await token(connected, client_id="scoped", client_secret="hush"),
                "elsewhere": await token(connected, client_id="elsewhere", client_secret="hush"),
                "nobody": "wrong",
            }
            broker.faults.add(Fault("unavailable", operations=OPERATIONS))
            found = {who: (await ask("GET", who), await ask("POST", who), await ask("DELETE", who)) for who in list(tokens)[::-1]}
    assert found.pop("own") == (200, 400, 204)
    assert found.pop("user") == (200, 400, 204)
    assert found.pop("nobody") == (401, 401, 401)
    assert set(found.values()) == {(403, 403, 403)}


@pytest.mark.parametrize(
    ("wrong", "reason"),
    [
        ({"kind": "flood"}, "kind is 'flood', expected one of 'unauthorized'"),
        ({"kind": "error", "operations": "receive"}, "operations is 'receive', expected a tuple of 'receive'"),
        ({"kind": "error", "operations": ("recieve",)}, "operations is 'recieve', expected one of 'receive'"),
        ({"kind": "duplicate", "operations": ("ack",)}, "operations is 'ack', expected one of 'receive'"),
        ({"kind": "error", "destination": "no such/name"}, "destination is"),
        ({"kind": "error", "destination": "q", "operations": ("admin",)}, "admin requests name no destination"),
        ({"kind": "stats_lag", "seconds": 1, "destination": "q"}, "stats requests name no destination"),
        ({"kind": "error", "after": -1}, "after is -1"),
        ({"kind": "error", "every": 0}, "every is 0"),
        ({"kind": "error", "times": 0}, "times is 0"),
        ({"kind": "error", "times": True}, "times is True"),
        ({"kind": "error", "probability": 0}, "probability is 0, expected a number above 0, up to 1"),
        ({"kind": "error", "probability": 1.5}, "probability is 1.5"),
        ({"kind": "error", "probability": float("nan")}, "probability is nan"),
        ({"kind": "error", "probability": "often"}, "probability is 'often'"),
        ({"kind": "error", "probability": 0.5, "every": 2}, "every is 2, expected none beside a probability"),
        ({"kind": "error", "seed": 1.5}, "seed is 1.5"),
        ({"kind": "error", "seconds": 1}, "error has no seconds (delay, stats_lag may)"),
        ({"kind": "error", "retry_after": 1}, "error has no retry_after (throttled, unavailable may)"),
        ({"kind": "forbidden", "effect": True}, "forbidden has no effect"),
        ({"kind": "cut_after", "text": "x"}, "cut_after has no text"),
        ({"kind": "delay"}, "seconds is missing, which delay needs"),
        ({"kind": "delay", "seconds": 0}, "seconds is 0"),
        ({"kind": "delay", "seconds": 10**400}, "seconds is 1000"),
        ({"kind": "stats_lag"}, "seconds is missing"),
        ({"kind": "throttled", "retry_after": 1.5}, "retry_after is 1.5"),
        ({"kind": "plain_text", "status": 200}, "status is 200"),
        ({"kind": "plain_text", "content_type": "text/html\r\nX: y"}, "content_type is"),
        ({"kind": "plain_text", "text": b"x"}, "text is b'x'"),
        ({"kind": "short_batch"}, "limit is missing"),
        ({"kind": "short_batch", "limit": 11}, "limit is 11"),
        ({"kind": "item_failure"}, "either items or a share"),
        ({"kind": "item_failure", "items": (1,), "share": 0.5}, "either items or a share"),
        ({"kind": "item_failure", "items": [1]}, "items is [1], expected a tuple"),
        ({"kind": "item_failure", "items": (10,)}, "items is 10"),
        ({"kind": "item_failure", "share": 2}, "share is 2"),
        ({"kind": "error", "effect": 1}, "effect is 1, expected true or false"),
    ],
)
def test_a_wrong_fault_is_one_clear_error(wrong: dict[str, Any], reason: str) -> None:
    with pytest.raises(ConfigError) as caught:
        Fault(**wrong)
    assert reason in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_wrong_fault_in_a_file_is_named_by_its_number(tmp_path: Path) -> None:
    path = tmp_path / "broker.toml"
    path.write_text('[[fault]]\nkind = "error"\n\n[[fault]]\nkind = "delay"\n')
    with pytest.raises(ConfigError) as caught:
        load_config(path)
    assert str(caught.value) == f"{path}: [[fault]] no. 2 ('delay'): seconds is missing, which delay needs."


def test_what_is_not_a_fault_is_refused_in_the_configuration() -> None:
    with pytest.raises(ConfigError, match="faults is 'error', expected a Fault"):
        BrokerConfig(faults=("error",))  # type: ignore[arg-type]


def test_faults_say_what_they_are() -> None:
    faults = Faults([Fault("error"), Fault("throttled")])
    assert repr(faults) == "<Faults: error, throttled>"
    assert repr(Faults()) == "<Faults: none>"
    assert repr(next(iter(faults))) == "<ActiveFault error: 0 strikes in 0 calls>"
