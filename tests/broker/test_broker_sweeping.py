"""What time changes by itself comes out the same whether somebody was looking at that moment, much later, or in between."""

from __future__ import annotations

import pytest

from courier_nb.broker import BrokerConfig, LocalBroker, Switches
from courier_nb.broker.state import sweeping
from courier_nb.core.clock import ManualClock
from tests.broker.fronts import StoreFront
from tests.broker.queue_model import Item, Queue, QueueSettings

pytestmark = pytest.mark.anyio

MINUTE, HOUR = 60, 3600


@pytest.fixture
def slow(clock, monkeypatch):
    """A store that applies a single change of each kind in each transaction, and lags behind."""
    monkeypatch.setattr(sweeping, "AT_ONCE", 1)
    front = StoreFront(Switches(), clock)
    yield front
    front.close()


def items(letters):
    return [Item(letter, letter) for letter in letters]


def bodies(front, queue):
    return [got.body for got in front.receive(queue, 10, 1000)]


@pytest.fixture(params=["standard", "fifo"])
def pair(broker, request):
    """A queue whose messages live an hour and die after one delivery, and where they go: `grave`, for two hours."""
    fifo = request.param == "fifo"
    broker.create_queue("grave", fifo=fifo, default_ttl="2h")
    broker.create_queue("mortal", fifo=fifo, default_ttl="1h", dead_letter_queue="grave", max_deliveries=1)
    return request.param


@pytest.mark.parametrize("is_watched", [True, False])
async def test_a_lock_that_runs_out_before_the_message_expires_makes_it_a_dead_letter(api, broker, clock, pair, is_watched):
    await api.publish("mortal", "a")
    await api.receive("mortal", lockTtl=59 * MINUTE * 1000)
    for _ in range(61):
        clock.advance(MINUTE)
        if is_watched:
            broker.depth("mortal")
    assert broker.depth("mortal") == {"messages": 0, "inflight": 0}
    assert await api.bodies("grave") == ["a"]


@pytest.mark.parametrize("is_watched", [True, False])
async def test_a_message_that_expires_before_its_lock_runs_out_is_no_dead_letter(api, broker, clock, pair, is_watched):
    await api.publish("mortal", "a")
    await api.receive("mortal", lockTtl=HOUR * 1000)
    for _ in range(61):
        clock.advance(MINUTE)
        if is_watched:
            broker.depth("mortal")
    assert broker.depth("mortal") == broker.depth("grave") == {"messages": 0, "inflight": 0}


@pytest.mark.parametrize("is_watched", [True, False])
async def test_a_dead_letter_has_the_age_of_its_death_not_of_its_discovery(api, broker, clock, pair, is_watched):
    await api.publish("mortal", "a")
    await api.receive("mortal", lockTtl=30 * MINUTE * 1000)
    for _ in range(119):
        clock.advance(MINUTE)
        if is_watched:
            broker.depth("mortal")
    # two hours after it was published, in a FIFO queue after it died
    assert broker.depth("grave")["messages"] == 1
    clock.advance(MINUTE)
    assert broker.depth("grave")["messages"] == (1 if pair == "fifo" else 0)
    clock.advance(30 * MINUTE)
    assert broker.depth("grave")["messages"] == 0


async def test_a_dead_letter_that_is_too_old_for_its_queue_is_gone_at_once(api, broker, clock):
    broker.create_queue("grave", default_ttl="1m")
    broker.create_queue("mortal", dead_letter_queue="grave", max_deliveries=1)
    await api.publish("mortal", "by expiry", "by nack")
    _, nacked = await api.receive("mortal", lockTtl=HOUR * 1000)
    clock.advance(59 * MINUTE)
    assert (await api.nack("mortal", nacked)).status_code == 200
    assert broker.depth("grave")["messages"] == 0
    clock.advance(MINUTE)
    assert broker.depth("grave")["messages"] == 0
    assert broker.depth("mortal") == {"messages": 0, "inflight": 0}


@pytest.mark.parametrize("is_watched", [True, False])
async def test_dead_letters_of_a_group_are_in_the_order_of_their_deaths(api, broker, clock, is_watched):
    broker.create_queue("grave", fifo=True)
    broker.create_queue("mortal", fifo=True, dead_letter_queue="grave", max_deliveries=1)
    await api.publish("mortal", "later", "sooner", messageGroupId="g")
    later, _ = await api.receive("mortal", lockTtl=10_000)
    await api.extend("mortal", later, 20)
    for _ in range(2):
        clock.advance(10)
        if is_watched:
            broker.depth("mortal")
    assert await api.bodies("grave") == ["sooner", "later"]


def test_a_purged_group_does_not_come_back_under_a_new_one(slow):
    slow.put(Queue("steps", fifo=True, dead_letters=None))
    slow.publish("steps", [Item(letter, letter, group="old") for letter in "abcdefghij"])
    slow.purge("steps")
    slow.publish("steps", [Item("new", "new", group="new")])  # while the old ones are being removed
    assert bodies(slow, "steps") == ["new"]
    slow.sweep()
    assert slow.depth("steps") == {"messages": 0, "inflight": 1}
    assert slow.ask(lambda store: store.connection.execute("select count(*) from message_group").fetchone()) == (1,)


def test_what_is_given_back_after_a_purge_is_not_counted(slow):
    slow.put(Queue("q", fifo=False, dead_letters=None))
    slow.publish("q", items("abc"))
    locks = [got.lock for got in slow.receive("q", 10, 1000)]
    slow.purge("q")
    slow.give_back("q", locks)
    assert slow.depth("q") == {"messages": 0, "inflight": 0}
    assert bodies(slow, "q") == []


@pytest.mark.parametrize("fifo", [False, True])
@pytest.mark.parametrize("operation", ["ack", "nack", "extend", "give back"])
def test_nothing_can_be_done_with_an_expired_message_that_is_not_removed_yet(slow, fifo, operation):
    grave = Queue("grave", fifo=fifo, dead_letters=None, settings=QueueSettings(ttl=HOUR * 1000))
    slow.put(grave)
    slow.put(Queue("mortal", fifo=fifo, dead_letters="grave", settings=QueueSettings(max_deliveries=1)))
    slow.publish("mortal", items("abcdefghij"))
    locks = [got.lock for got in slow.receive("mortal", 10, HOUR * 1000)]
    slow.clock.advance(MINUTE)
    if operation == "ack":
        assert not any(slow.ack("mortal", locks))
    elif operation == "nack":
        assert not any(slow.nack("mortal", locks))
    elif operation == "extend":
        assert not any(slow.extend("mortal", [(lock, 1000) for lock in locks]))
    else:
        slow.give_back("mortal", locks)
    assert not slow.is_swept()
    assert bodies(slow, "mortal") == []
    slow.sweep()
    assert slow.depth("mortal") == slow.depth("grave") == {"messages": 0, "inflight": 0}


def test_a_longer_time_to_live_does_not_bring_back_what_has_expired(slow):
    slow.put(Queue("q", fifo=False, dead_letters=None))
    slow.publish("q", items("abcdefghij"))
    slow.clock.advance(MINUTE)
    slow.put(Queue("q", fifo=False, dead_letters=None, settings=QueueSettings(ttl=HOUR * 1000)))
    assert not slow.is_swept()
    assert bodies(slow, "q") == []
    slow.sweep()
    assert slow.depth("q") == {"messages": 0, "inflight": 0}


def test_a_delivery_given_back_too_late_stays_spent(slow):
    slow.put(Queue("q", fifo=False, dead_letters=None))
    slow.publish("q", items("abc"))
    locks = [got.lock for got in slow.receive("q", 10, 1000)]
    slow.clock.advance(1)
    slow.give_back("q", locks)
    slow.sweep()
    assert [got.count for got in slow.receive("q", 10, 1000)] == [2, 2, 2]


async def test_a_lock_of_nothing_is_an_expired_lock(clock, open_api):
    config = BrokerConfig(switches=Switches(expired_lock="ack-if-unread"))
    async with LocalBroker(config, queues=["q"], clock=clock) as broker, open_api(broker) as api:
        await api.publish("q", "a", "b")
        a, b = await api.receive("q", lockTtl=0)
        assert (await api.ack("q", a)).status_code == 200
        await api.receive("q", lockTtl=0)
        assert (await api.ack("q", b)).status_code == 400


def test_many_small_steps_of_a_clock_add_up():
    clock = ManualClock()
    for _ in range(1000):
        clock.advance(0.1)
    assert clock.time() == 1_750_000_100.0
    assert clock.monotonic() == 1_100.0
