"""Each of the ten operations with its parameters, in the order of the API's page."""

from __future__ import annotations

from typing import Any

import pytest

from courier_nb import (
    AsyncClient,
    AsyncDestination,
    DestinationNotFound,
    InvalidArgument,
    LockLost,
    Message,
    Refused,
    TooLarge,
    Unauthorized,
)
from courier_nb.broker import LocalBroker
from courier_nb.client import broker_settings
from courier_nb.core.clock import ManualClock

from .conftest import MAX_DELIVERIES

pytestmark = pytest.mark.anyio

HOSTILE_IDS = [
    "a/b", "a+b=c", "100%", "%2F", "a?b#c", "with space", "quo\"te'", "ü€😀", "m/locks/AQEB/x", "a\\b", "&", ";:@,",
    "…", "x" * 256,
]  # fmt: skip


async def take(queue: AsyncDestination, count: int = 10, **options: Any) -> list[Message]:
    return await queue.receive_batch(batch_size=count, **{"polling_time": 0, **options})


def lock(message: Message) -> tuple[str, str]:
    assert message.message_id is not None
    assert message.lock_id is not None
    return message.message_id, message.lock_id


async def publish(queue: AsyncDestination, *ids: str) -> None:
    await queue.publish_batch([Message(f"body of {id_}", {"n": 1}, {"messageId": id_}) for id_ in ids])


# 1 receive


async def test_receive_gives_headers_properties_and_body_as_they_were_published(queue: AsyncDestination) -> None:
    sent = Message("bödy €", {"text": "t", "n": 5, "f": 1.5}, {"messageId": "m", "messageGroupId": "g", "itemSize": "large"})
    await queue.publish_one(sent)
    (got,) = await take(queue)
    assert (got.body, dict(got.properties)) == (sent.body, dict(sent.properties))
    assert (got.message_id, got.message_group_id, got.headers["itemSize"]) == ("m", "g", "large")
    assert (got.delivery_count, got.destination) == (1, "queue")
    assert got.lock_id
    assert set("/+=") <= set(got.lock_id)


async def test_receive_takes_no_more_than_batch_size(queue: AsyncDestination) -> None:
    await publish(queue, *"abcde")
    assert len(await take(queue, 2)) == 2
    assert len(await take(queue, 10)) == 3


async def test_receive_of_an_empty_queue_is_an_empty_list(queue: AsyncDestination) -> None:
    assert await take(queue) == []


async def test_a_received_message_is_hidden_until_its_lock_ends(queue: AsyncDestination, clock: ManualClock) -> None:
    await publish(queue, "m")
    (first,) = await take(queue, lock_ttl="30s")
    assert await take(queue) == []
    clock.advance(30.1)
    (second,) = await take(queue)
    assert second.delivery_count == 2
    assert second.lock_id != first.lock_id


@pytest.mark.parametrize(("visibility", "body"), [("full", "body of m"), ("none", None), ("conditional", "body of m")])
async def test_payload_visibility_hides_bodies(queue: AsyncDestination, visibility: Any, body: str | None) -> None:
    await publish(queue, "m")
    (got,) = await take(queue, payload_visibility=visibility)
    assert got.body == body
    assert ("payloadHidden" in got.headers) == (body is None)


@pytest.mark.parametrize(
    "options",
    [{"batch_size": 0}, {"batch_size": 11}, {"polling_time": "21s"}, {"lock_ttl": "13h"}, {"payload_visibility": "some"}],
)
async def test_receive_refuses_what_the_api_does_not_take_before_sending(
    client: AsyncClient, queue: AsyncDestination, options: dict[str, Any]
) -> None:
    with pytest.raises(InvalidArgument):
        await queue.receive_batch(**options)


# 2 publish a batch


async def test_publish_batch_gives_one_result_a_message(queue: AsyncDestination) -> None:
    results = await queue.publish_batch([Message("1", {}, {"messageId": "a"}), Message("2")])
    assert [result.ok for result in results] == [True, True]
    assert results[0].message_id == "a"
    assert results[1].message_id  # made up by the client
    assert sorted(m.body for m in await take(queue)) == ["1", "2"]  # type: ignore[type-var]


@pytest.mark.parametrize("count", [0, 11])
async def test_publish_batch_takes_one_to_ten(queue: AsyncDestination, count: int) -> None:
    with pytest.raises(InvalidArgument, match="1 to 10"):
        await queue.publish_batch([Message("x")] * count)


# 3 ack a batch


async def test_ack_batch_deletes_and_says_which_lock_was_lost(
    queue: AsyncDestination, broker: LocalBroker, clock: ManualClock
) -> None:
    await publish(queue, "late", "good")
    late, good = sorted(await take(queue, lock_ttl="10s"), key=lambda m: m.message_id != "late")
    await queue.extend_batch([lock(good)], "60s")
    clock.advance(20)
    results = await queue.ack_batch([lock(late), lock(good)])
    assert {result.message_id: result.ok for result in results} == {"late": False, "good": True}
    assert broker.depth("queue") == {"messages": 1, "inflight": 0}


# 4 extend a batch


async def test_extend_batch_lets_the_lock_end_later(queue: AsyncDestination, clock: ManualClock) -> None:
    await publish(queue, "a", "b")
    got = await take(queue, lock_ttl="10s")
    results = await queue.extend_batch([lock(m) for m in got], "60s")
    assert [result.ok for result in results] == [True, True]
    clock.advance(59)
    assert await take(queue) == []
    clock.advance(2)
    assert len(await take(queue)) == 2


# 5 nack a batch


async def test_nack_batch_returns_and_the_last_delivery_dead_letters(
    queue: AsyncDestination, dlq: AsyncDestination, broker: LocalBroker
) -> None:
    await publish(queue, "m")
    for delivery in range(1, MAX_DELIVERIES + 1):
        (got,) = await take(queue)
        assert got.delivery_count == delivery
        assert [result.ok for result in await queue.nack_batch([lock(got)])] == [True]
    assert broker.depth("queue") == {"messages": 0, "inflight": 0}
    (dead,) = await take(dlq)
    assert (dead.message_id, dead.body, dict(dead.properties)) == ("m", "body of m", {"n": 1})


# 6 publish one


async def test_publish_one_makes_up_an_id_where_there_is_none(queue: AsyncDestination) -> None:
    result = await queue.publish_one(Message("x"))
    assert result.ok
    (got,) = await take(queue)
    assert got.message_id == result.message_id


async def test_a_delayed_message_comes_when_it_is_due(queue: AsyncDestination, clock: ManualClock) -> None:
    await queue.publish_one(Message("x", {}, {"deliveryDelay": 5_000}))
    assert await take(queue) == []
    clock.advance(5.1)
    assert len(await take(queue)) == 1


async def test_a_message_beyond_ten_megabytes_is_too_large(queue: AsyncDestination) -> None:
    with pytest.raises(TooLarge) as caught:
        await queue.publish_one(Message("x" * (10 * 1024 * 1024 + 1)))
    assert caught.value.status == 413
    assert await take(queue) == []


# 7 ack one, 8 extend one, 9 nack one


async def test_ack_one_deletes(queue: AsyncDestination, broker: LocalBroker) -> None:
    await publish(queue, "m")
    (got,) = await take(queue)
    assert (await queue.ack_one(*lock(got))).ok
    assert broker.depth("queue") == {"messages": 0, "inflight": 0}


async def test_extend_one_lets_the_lock_end_later(queue: AsyncDestination, clock: ManualClock) -> None:
    await publish(queue, "m")
    (got,) = await take(queue, lock_ttl="10s")
    assert (await queue.extend_one(*lock(got), "60s")).ok
    clock.advance(59)
    assert await take(queue) == []


async def test_nack_one_returns(queue: AsyncDestination) -> None:
    await publish(queue, "m")
    (got,) = await take(queue)
    assert (await queue.nack_one(*lock(got))).ok
    (again,) = await take(queue)
    assert again.delivery_count == 2


@pytest.mark.parametrize("operation", ["ack_one", "extend_one", "nack_one"])
async def test_an_expired_lock_is_lost_and_the_error_does_not_repeat_it(
    queue: AsyncDestination, clock: ManualClock, operation: str
) -> None:
    await publish(queue, "m")
    (got,) = await take(queue, lock_ttl="10s")
    clock.advance(11)
    with pytest.raises(LockLost) as caught:
        await getattr(queue, operation)(*lock(got), *(["60s"] if operation == "extend_one" else []))
    assert caught.value.status == 400
    assert got.lock_id not in str(caught.value) + caught.value.reason
    assert len(await take(queue)) == 1  # nothing was deleted


@pytest.mark.parametrize("message_id", HOSTILE_IDS)
async def test_hostile_ids_go_through_every_operation_that_has_them_in_its_path(
    queue: AsyncDestination, broker: LocalBroker, message_id: str
) -> None:
    await queue.publish_one(Message("x", {}, {"messageId": message_id}))
    (got,) = await take(queue)
    assert got.message_id == message_id
    assert (await queue.extend_one(*lock(got), "60s")).message_id == message_id
    assert (await queue.nack_one(*lock(got))).message_id == message_id
    (got,) = await take(queue)
    assert (await queue.ack_one(*lock(got))).message_id == message_id
    assert broker.depth("queue") == {"messages": 0, "inflight": 0}


@pytest.mark.parametrize("message_id", [".", ".."])
async def test_a_dot_as_id_is_refused_in_a_path_and_taken_in_a_batch(queue: AsyncDestination, message_id: str) -> None:
    with pytest.raises(InvalidArgument, match="batch"):
        await queue.publish_one(Message("x", {}, {"messageId": message_id}))
    await publish(queue, message_id)
    (got,) = await take(queue)
    assert (await queue.ack_batch([lock(got)]))[0].ok


# 10 authorize


async def test_authorize_gives_the_token_and_place_of_an_mq_client_app(client: AsyncClient, broker: LocalBroker) -> None:
    token = await client.authorize()
    assert token.kind == "client_app"
    assert (token.organization, token.environment) == (broker.settings["organization"], broker.settings["environment"])
    assert token.value
    assert token.value not in repr(token)


async def test_a_wrong_secret_is_unauthorized(reached: Any) -> None:
    announced, transport = reached
    settings = broker_settings({**announced, "client_secret": "wrong-secret"})
    async with AsyncClient(settings, transport=transport) as client:
        with pytest.raises(Unauthorized) as caught:
            await client.authorize()
    assert caught.value.status == 401
    assert "wrong-secret" not in str(caught.value)


# What all of them share

CALLS: list[tuple[str, list[Any]]] = [
    ("receive_batch", []),
    ("publish_batch", [[Message("x")]]),
    ("ack_batch", [[("m", "AQEB/x+=")]]),
    ("extend_batch", [[("m", "AQEB/x+=")], "60s"]),
    ("nack_batch", [[("m", "AQEB/x+=")]]),
    ("publish_one", [Message("x")]),
    ("ack_one", ["m", "AQEB/x+="]),
    ("extend_one", ["m", "AQEB/x+=", "60s"]),
    ("nack_one", ["m", "AQEB/x+="]),
]


@pytest.mark.parametrize(("operation", "arguments"), CALLS, ids=[name for name, _ in CALLS])
async def test_an_unknown_destination_is_said_to_be_unknown(client: AsyncClient, operation: str, arguments: list[Any]) -> None:
    with pytest.raises(DestinationNotFound, match="'nowhere'"):
        await getattr(client.destination("nowhere"), operation)(*arguments)


@pytest.mark.parametrize(("operation", "arguments"), CALLS, ids=[name for name, _ in CALLS])
async def test_a_token_that_is_not_accepted_is_unauthorized(reached: Any, operation: str, arguments: list[Any]) -> None:
    announced, transport = reached
    settings = broker_settings(announced)
    organization, environment = announced["organization"], announced["environment"]
    bearer = type(settings)(
        "bearer", settings.platform_url, settings.mq_url, organization=organization, environment=environment, bearer="stale-token"
    )
    async with AsyncClient(bearer, transport=transport) as client:
        with pytest.raises(Unauthorized) as caught:
            await getattr(client.destination("queue"), operation)(*arguments)
    assert "stale-token" not in str(caught.value)


async def test_another_environment_is_refused(reached: Any) -> None:
    announced, transport = reached
    elsewhere = broker_settings({**announced, "environment": "11111111-2222-3333-4444-555555555555"})
    async with AsyncClient(elsewhere, transport=transport) as client:
        with pytest.raises(Refused) as caught:
            await client.destination("queue").receive_batch(polling_time=0)
    assert caught.value.status == 403
