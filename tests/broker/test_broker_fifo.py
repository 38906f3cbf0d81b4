"""FIFO queues: order and exclusion in a message group, repeats, dead letters."""

from __future__ import annotations

import pytest

from courier_nb.broker import BrokerConfig, ExchangeConfig, LocalBroker, QueueConfig
from courier_nb.core.errors import ConfigError

pytestmark = pytest.mark.anyio

MINUTE = 60


@pytest.fixture(autouse=True)
def queues(broker):
    """Queue ``steps``, which gives up on a message after two deliveries and sends it to ``grave``; queue ``line``."""
    broker.create_queue("line", fifo=True)
    broker.create_queue("grave", fifo=True)
    broker.create_queue("steps", fifo=True, dead_letter_queue="grave", max_deliveries=2, default_lock_ttl="1m")


async def publish(api, queue, *bodies):
    """Publish one message after the other; the group is what stands before the dot."""
    for body in bodies:
        await api.publish(queue, body, messageGroupId=body.partition(".")[0])


async def ids(api, queue, **params):
    return [message["headers"]["messageId"] for message in await api.receive(queue, **params)]


async def test_a_group_comes_out_in_the_order_in_which_it_went_in(api):
    await publish(api, "line", *[f"g.{number}" for number in range(25)])
    came = []
    while messages := await api.receive("line", batchSize=4):
        came += [message["body"] for message in messages]
        for message in messages:
            await api.ack("line", message)
    assert came == [f"g.{number}" for number in range(25)]


async def test_a_group_with_a_message_in_flight_gives_out_no_other_and_does_not_hold_up_other_groups(api):
    await publish(api, "line", "a.1", "a.2", "b.1")
    assert await api.bodies("line", batchSize=1) == ["a.1"]
    assert await api.bodies("line") == ["b.1"]
    assert await api.receive("line") == []


async def test_one_receive_brings_all_it_can_of_one_group_and_then_of_others(api):
    await publish(api, "line", "a.1", "b.1", "a.2", "c.1", "b.2", "a.3")
    assert await api.bodies("line", batchSize=5) == ["a.1", "a.2", "a.3", "b.1", "b.2"]
    assert await api.bodies("line") == ["c.1"]


async def test_the_group_whose_first_message_is_visible_longest_comes_first(api, clock):
    await publish(api, "line", "a.1", "a.2")
    clock.advance(1)
    await publish(api, "line", "b.1")
    (held,) = await api.receive("line", batchSize=1)
    clock.advance(1)
    await api.nack("line", held)
    assert await api.bodies("line", batchSize=1) == ["b.1"]
    assert await api.bodies("line") == ["a.1", "a.2"]


async def test_messages_without_a_group_share_one(api):
    await api.publish("line", "1", "2")
    await publish(api, "line", "other.1")
    (message, *_) = await api.receive("line", batchSize=1)
    assert (message["body"], "messageGroupId" in message["headers"]) == ("1", False)
    (other,) = await api.receive("line")
    assert (other["body"], other["headers"]["messageGroupId"]) == ("other.1", "other")
    await api.ack("line", message)
    assert await api.bodies("line") == ["2"]


@pytest.mark.parametrize("how", ["nack", "expiry", "lock change to 0"])
async def test_what_comes_back_comes_back_to_its_place(api, clock, how):
    await publish(api, "line", "g.1", "g.2", "g.3")
    first, second = await api.receive("line", batchSize=2, lockTtl=5000)
    if how == "expiry":
        clock.advance(5)
    else:
        for message in (second, first):
            answer = await (api.nack("line", message) if how == "nack" else api.extend("line", message, 0))
            assert answer.status_code == 200
    messages = await api.receive("line")
    assert [message["body"] for message in messages] == ["g.1", "g.2", "g.3"]
    assert [message["headers"]["deliveryCount"] for message in messages] == ["2", "2", "1"]


async def test_a_group_waits_until_the_last_of_a_batch_is_settled(api):
    await publish(api, "line", "g.1", "g.2", "g.3", "g.4")
    first, second, third = await api.receive("line", batchSize=3)
    await api.ack("line", second)
    await api.nack("line", first)
    assert await api.receive("line") == []
    await api.ack("line", third)
    # the second was acknowledged before the first came again: processing went on with the next message
    assert await api.bodies("line") == ["g.1", "g.4"]


async def test_a_lock_that_was_extended_keeps_its_whole_group_waiting(api, clock):
    await publish(api, "line", "g.1", "g.2", "g.3")
    first, second = await api.receive("line", batchSize=2, lockTtl=5000)
    await api.extend("line", second, 60)
    clock.advance(5)
    assert (await api.ack("line", first)).status_code == 400
    assert await api.receive("line") == []
    assert (await api.ack("line", second)).status_code == 200
    assert await api.bodies("line") == ["g.1", "g.3"]


async def test_ten_of_a_group_are_in_flight_and_any_number_of_groups(api):
    await publish(api, "line", *[f"long.{number}" for number in range(12)])
    await publish(api, "line", *[f"{number}.1" for number in range(25)])
    assert await api.bodies("line") == [f"long.{number}" for number in range(10)]
    others = [body for _ in range(3) for body in await api.bodies("line")]
    assert sorted(others) == sorted(f"{number}.1" for number in range(25))
    assert await api.receive("line") == []


async def test_a_lock_of_nothing_leaves_the_group_free(api):
    await publish(api, "line", "g.1", "g.2")
    for count in ("1", "2"):
        messages = await api.receive("line", lockTtl=0)
        assert [(message["body"], message["headers"]["deliveryCount"]) for message in messages] == [
            ("g.1", count),
            ("g.2", count),
        ]
        assert (await api.ack("line", messages[0])).status_code == 400


async def test_an_expired_message_does_not_hold_up_its_group(api, clock):
    await api.publish("line", "a", messageGroupId="g", ttl=1000)
    await api.publish("line", "b", messageGroupId="g")
    clock.advance(1)
    assert await api.bodies("line") == ["b"]


async def test_a_message_that_expires_in_flight_frees_its_group(api, clock):
    await api.publish("line", "a", messageGroupId="g", ttl=1000)
    await api.publish("line", "b", messageGroupId="g")
    assert await api.bodies("line", batchSize=1, lockTtl=60_000) == ["a"]
    clock.advance(1)
    assert await api.bodies("line") == ["b"]


async def test_the_delay_of_the_queue_keeps_the_order(api, broker, clock):
    broker.create_queue("slow", fifo=True, default_delivery_delay="10s")
    await publish(api, "slow", "g.1")
    clock.advance(5)
    await publish(api, "slow", "g.2")
    clock.advance(5)
    assert await api.bodies("slow", lockTtl=0) == ["g.1"]
    clock.advance(5)
    assert await api.bodies("slow") == ["g.1", "g.2"]


@pytest.mark.parametrize("group", ["g", "g" * 128, "".join(chr(code) for code in range(33, 127))])
async def test_a_group_may_have_any_name_of_letters_digits_and_punctuation(api, group):
    await api.publish("line", "a", messageGroupId=group)
    (message,) = await api.receive("line")
    assert message["headers"]["messageGroupId"] == group


@pytest.mark.parametrize("group", ["", "g" * 129, "two words", "é", "tab\t", "\x7f", 5, None, ["g"]])
async def test_any_other_name_of_a_group_refuses_the_whole_batch(api, broker, group):
    items = [
        {"headers": {"messageId": "good"}, "body": "x"},
        {"headers": {"messageId": "bad", "messageGroupId": group}, "body": "x"},
    ]
    answer = await api.call("PUT", api.path("line"), items)
    assert (answer.status_code, answer.json()["status"]) == (400, "failure")
    assert broker.depth("line") == {"messages": 0, "inflight": 0}


@pytest.mark.parametrize("delay", [0, 1000])
async def test_a_delay_of_a_single_message_is_refused_with_everything_beside_it(api, broker, delay):
    late = {"headers": {"messageId": "late", "deliveryDelay": delay}, "body": "x"}
    answer = await api.call("PUT", api.path("line"), [{"headers": {"messageId": "m"}, "body": "x"}, late])
    assert answer.status_code == 400
    assert "deliveryDelay" in answer.json()["statusMessage"]
    assert (await api.call("PUT", api.path("line", "late"), late)).status_code == 400
    assert broker.depth("line") == {"messages": 0, "inflight": 0}
    # a refused id is not taken for a repeat
    await api.publish("line", "m")
    assert (await api.call("PUT", api.path("line", "late"), {"body": "x"})).status_code == 201
    assert broker.depth("line") == {"messages": 2, "inflight": 0}


async def test_a_repeated_id_is_accepted_and_dropped_whatever_became_of_the_first(api, broker, clock):
    await publish(api, "steps", "g.1")
    (message,) = await api.receive("steps")
    await publish(api, "steps", "g.1")
    await api.ack("steps", message)
    await publish(api, "steps", "g.1")
    answer = await api.call("PUT", api.path("steps", "id%20of%20g.1"), {"body": "another body"})
    assert (answer.status_code, answer.json()["status"]) == (201, "successful")
    broker.purge("steps")
    await publish(api, "steps", "g.1")
    assert broker.depth("steps") == {"messages": 0, "inflight": 0}


async def test_ids_repeat_within_a_batch_and_across_groups_but_not_across_queues(api):
    await api.publish("line", "a", "b", "a", messageGroupId="one")
    await api.publish("line", "b", messageGroupId="two")
    assert await api.bodies("line") == ["a", "b"]
    await api.publish("steps", "a")
    assert await api.bodies("steps") == ["a"]


async def test_an_id_is_a_repeat_for_five_minutes_from_the_first(api, clock):
    await api.publish("line", "a")
    for seconds in (299, 0.999):
        clock.advance(seconds)
        await api.publish("line", "a")  # which does not make the time longer
        assert await api.bodies("line", lockTtl=0) == ["a"]
    clock.advance(0.001)
    await api.publish("line", "a")
    assert await api.bodies("line") == ["a", "a"]


async def test_locks_order_and_repeats_survive_a_restart(tmp_path, clock, open_api):
    db = tmp_path / "broker.db"
    config = BrokerConfig(queues=(QueueConfig("line", fifo=True),))
    with LocalBroker(config, db=db, clock=clock) as broker:
        async with open_api(broker) as api:
            await publish(api, "line", "g.1", "g.2", "g.3", "g.4", "h.1")
            first, second = await api.receive("line", batchSize=2, lockTtl=60_000)
            await api.nack("line", first)
    with LocalBroker(config, db=db, clock=clock) as broker:
        async with open_api(broker) as api:
            await publish(api, "line", "g.2", "h.1")
            assert await api.bodies("line") == ["h.1"]
            assert (await api.ack("line", second)).status_code == 200
            assert await api.bodies("line") == ["g.1", "g.3", "g.4"]


async def test_a_dead_letter_keeps_id_group_and_content_and_begins_a_new_life(api, broker, clock):
    await api.call(
        "PUT", api.path("steps", "a"), {"headers": {"messageGroupId": "g", "x": "1"}, "properties": {"p": 1}, "body": "text"}
    )
    for _ in range(2):
        (message,) = await api.receive("steps")
        await api.nack("steps", message)
        clock.advance(MINUTE)
    assert broker.depth("steps") == {"messages": 0, "inflight": 0}
    (dead,) = await api.receive("grave")
    assert (dead["headers"]["messageId"], dead["headers"]["messageGroupId"], dead["headers"]["x"]) == ("a", "g", "1")
    assert (dead["properties"], dead["body"]) == ({"p": 1}, "text")
    assert dead["headers"]["deliveryCount"] == "1"
    assert dead["headers"]["created"] != message["headers"]["created"]  # the time of its death


@pytest.mark.parametrize("how", ["nack", "expiry"])
async def test_a_death_lets_the_next_of_the_group_go_on(api, clock, how):
    await publish(api, "steps", "g.1", "g.2")
    for _ in range(2):
        (message,) = await api.receive("steps", batchSize=1, lockTtl=5000)
        if how == "nack":
            await api.nack("steps", message)
        else:
            clock.advance(5)
    assert await api.bodies("steps") == ["g.2"]
    assert await api.bodies("grave") == ["g.1"]


async def test_dead_letters_line_up_behind_what_is_in_their_group_already(api):
    await publish(api, "steps", "g.1", "g.2", "h.1")
    await publish(api, "grave", "g.0")
    for _ in range(2):
        for message in await api.receive("steps"):
            await api.nack("steps", message)
    await publish(api, "grave", "g.3")
    assert await api.bodies("grave") == ["g.0", "g.1", "g.2", "g.3", "h.1"]


async def test_a_dead_letter_is_no_repeat(api):
    await publish(api, "grave", "g.1")
    await publish(api, "steps", "g.1")
    for _ in range(2):
        (message,) = await api.receive("steps")
        await api.nack("steps", message)
    assert await api.bodies("grave") == ["g.1", "g.1"]


async def test_a_dead_letter_waits_while_its_group_is_in_flight_there(api):
    await publish(api, "grave", "g.0")
    (held,) = await api.receive("grave")
    await publish(api, "steps", "g.1")
    for _ in range(2):
        (message,) = await api.receive("steps")
        await api.nack("steps", message)
    assert await api.receive("grave") == []
    await api.ack("grave", held)
    assert await api.bodies("grave") == ["g.1"]


async def test_purging_frees_every_group(api, broker):
    await publish(api, "line", "g.1", "g.2", "h.1")
    (held,) = await api.receive("line", batchSize=1)
    assert broker.purge("line") == 3
    assert (await api.ack("line", held)).status_code == 400
    await publish(api, "line", "g.3")
    assert await api.bodies("line") == ["g.3"]


def test_a_fifo_queue_goes_with_fifo_queues_only(broker):
    for wrong in (
        lambda: broker.create_queue("mixed", dead_letter_queue="grave"),
        lambda: broker.create_queue("mixed", fifo=True, dead_letter_queue="dead"),
        lambda: broker.create_queue("line"),
        lambda: broker.create_queue("q", fifo=True),
        lambda: broker.create_exchange("events", bindings=["line"]),
        lambda: BrokerConfig(queues=(QueueConfig("line", fifo=True),), exchanges=(ExchangeConfig("events", ("line",)),)),
        lambda: BrokerConfig(queues=(QueueConfig("line", fifo=True, dead_letter_queue="d"), QueueConfig("d"))),
    ):
        with pytest.raises(ConfigError, match=r"FIFO|fifo|standard"):
            wrong()
