"""The Stats API: live depth, history, usage."""

from __future__ import annotations

import sqlite3
from datetime import UTC, datetime
from email.utils import formatdate
from itertools import pairwise

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from courier_nb.broker import BrokerConfig, ConnectedApp, EnvironmentConfig, LocalBroker, QueueConfig, Switches
from courier_nb.broker.api.stats.windows import read_window
from courier_nb.broker.api.web import Refusal
from courier_nb.broker.state.committer import StoreFailed
from courier_nb.core.clock import ManualClock
from tests.broker.asking import HERE, QUEUES, asking, refused

pytestmark = pytest.mark.anyio

MINUTE = 60
HOUR = 3_600
DAY = 24 * HOUR
NAMES = ["messages", "inflightMessages", "messagesVisible", "messagesSent", "messagesReceived", "messagesAcked"]
NOON = datetime(2025, 6, 15, 12, tzinfo=UTC).timestamp()


@pytest.fixture
def clock():
    """Begins at noon, which is the beginning of a minute and of an hour too."""
    return ManualClock(NOON)


@pytest.fixture
async def platform(broker, anyio_backend):
    async with asking(broker) as ask:
        yield ask


@pytest.fixture
def history(platform, clock):
    """Return the history of a queue: its six series as lists of values, or of points."""

    async def history(queue="q", start=0.0, end=None, period=MINUTE, *, of="queues", points=False):
        end = clock.time() - NOON if end is None else end
        params = {"startDate": formatdate(NOON + start, usegmt=True), "endDate": iso(NOON + end), "period": period}
        answer = await platform("stats", f"{HERE}/{of}/{queue}", params=params)
        assert answer.status_code == 200, answer.text
        found = answer.json()
        assert found.pop("destination") == queue
        return found if points else {name: [point["value"] for point in series] for name, series in found.items()}

    return history


def iso(seconds):
    return datetime.fromtimestamp(seconds, UTC).isoformat().replace("+00:00", "Z")


# Live depth


async def depths(platform, **params):
    return await platform("stats", f"{HERE}/queues", params=params)


async def test_stats_count_waiting_and_locked_messages(broker, api, platform):
    broker.create_exchange("x")
    await api.publish("q", "a", "b", "c")
    await api.receive("q", batchSize=1)
    answer = await depths(platform, destinationIds="q,dead,missing,x")
    assert answer.json() == [
        {"destination": "q", "messages": 2, "inflightMessages": 1},
        {"destination": "dead", "messages": 0, "inflightMessages": 0},
        {"destination": "missing", "message": "Destination not found"},
        {"destination": "x", "message": "Destination not found"},
    ]
    assert (await depths(platform, destinationIds=["q", "dead"])).json() == answer.json()[:2]
    elsewhere = await platform("stats", "regions/eu-west-1/queues", params={"destinationIds": "q"})
    assert elsewhere.json() == [{"destination": "q", "message": "Destination not found"}]


async def test_without_names_there_is_nothing_to_say(platform):
    answer = await depths(platform, destinationIds="")
    assert (answer.status_code, answer.content) == (204, b"")
    refused(await depths(platform), "destinationIds", "required")


async def test_stats_see_that_a_lock_has_run_out_and_a_message_expired(api, clock, platform):
    await api.publish("q", "a")
    await api.receive("q", lockTtl=1000)
    clock.advance(1)
    assert (await depths(platform, destinationIds="q")).json()[0]["messages"] == 1
    clock.advance(7 * DAY)
    assert (await depths(platform, destinationIds="q")).json()[0]["messages"] == 0


async def test_how_many_queues_one_call_may_name_is_a_switch(clock):
    for limit, names in ((100, 101), (5, 6)):
        with LocalBroker(BrokerConfig(switches=Switches(stats_ids=limit)), clock=clock) as broker:
            async with asking(broker) as ask:
                good = await depths(ask, destinationIds=",".join(["q"] * limit))
                assert len(good.json()) == limit
                refused(await depths(ask, destinationIds=",".join(["q"] * names)), f"{names} names", f"at most {limit}")


async def test_a_single_depth_can_be_an_object(clock):
    with LocalBroker(BrokerConfig(switches=Switches(live_depth="object")), queues=["q", "r"], clock=clock) as broker:
        async with asking(broker) as ask:
            assert (await depths(ask, destinationIds="q")).json() == {"destination": "q", "messages": 0, "inflightMessages": 0}
            assert len((await depths(ask, destinationIds="q,r")).json()) == 2


# History of queues


async def test_a_history_holds_the_depth_at_the_end_of_each_period_and_what_went_on_in_it(api, clock, history):
    await api.publish("q", "a", "b", "c")
    clock.advance(MINUTE)
    first, _ = await api.receive("q", batchSize=2, lockTtl=3_600_000)
    clock.advance(2 * MINUTE)
    await api.ack("q", first)
    await api.publish("q", "d")
    clock.advance(2 * MINUTE)
    assert await history() == {
        "messages": [3, 1, 1, 2, 2],
        "inflightMessages": [0, 2, 2, 1, 1],
        "messagesVisible": [3, 1, 1, 2, 2],
        "messagesSent": [3, 0, 0, 1, 0],
        "messagesReceived": [0, 2, 0, 0, 0],
        "messagesAcked": [0, 0, 0, 1, 0],
    }
    assert await history(period=5 * MINUTE) == {
        "messages": [2],
        "inflightMessages": [1],
        "messagesVisible": [2],
        "messagesSent": [4],
        "messagesReceived": [2],
        "messagesAcked": [1],
    }


async def test_each_point_has_the_date_at_which_its_period_ends(clock, history):
    clock.advance(HOUR)
    series = await history(start=0.5, end=25 * MINUTE + 0.25, period=10 * MINUTE, points=True)
    assert list(series) == NAMES
    dates = ["2025-06-15T12:10:00.000+0000", "2025-06-15T12:20:00.000+0000", "2025-06-15T12:25:00.250+0000"]
    for points in series.values():
        assert [point["date"] for point in points] == dates, "RFC 1123 has whole seconds, ISO 8601 has not"


async def test_a_history_ends_with_the_present_and_includes_it(api, clock, history):
    clock.advance(90)
    await api.publish("q", "a")
    assert (await history(end=DAY))["messagesSent"] == [0, 1]
    points = (await history(end=DAY, period=DAY, points=True))["messages"]
    assert points == [{"date": "2025-06-15T12:01:30.000+0000", "value": 1}]
    assert set(map(tuple, (await history(start=HOUR, end=DAY)).values())) == {()}


async def test_what_was_before_a_queue_is_nothing_and_what_nobody_changed_goes_on(broker, api, clock, history):
    clock.advance(HOUR)
    broker.create_queue("late")
    await api.publish("late", "a")
    clock.advance(30 * DAY)
    await api.publish("late", "b")
    found = await history("late", start=-DAY, end=30 * DAY, period=DAY)
    assert found["messages"] == [0, *[1] * 7, *[0] * 23], "it expired after seven days, in the hour after the last of these"
    assert found["messagesSent"] == [0, 1, *[0] * 29]


async def test_a_deleted_queue_takes_its_past_with_it(broker, api, clock, history, platform):
    await api.publish("q", "a")
    clock.advance(MINUTE)
    broker.delete_queue("q")
    answer = await platform(
        "stats", f"{HERE}/queues/q", params={"startDate": iso(NOON), "endDate": iso(NOON + DAY), "period": 60}
    )
    assert (answer.status_code, answer.json()) == (404, {"status": 404, "message": "queue not found"})
    broker.create_queue("q")
    clock.advance(MINUTE)
    assert (await history())["messagesSent"] == [0, 0]


async def test_purged_expired_and_dead_messages_leave_the_depth_and_nothing_else(broker, api, clock, history):
    await api.publish("work", "a", "b")
    await api.publish("q", "c")
    for _ in range(2):
        await api.receive("work", lockTtl=0)
    clock.advance(MINUTE)
    broker.purge("q")
    clock.advance(MINUTE)
    assert (await history("work"))["messages"] == [0, 0]
    assert (await history("work"))["messagesReceived"] == [4, 0]
    dead = await history("dead")
    assert (dead["messages"], dead["messagesSent"]) == ([2, 2], [0, 0])
    purged = await history("q")
    assert (purged["messages"], purged["messagesSent"], purged["messagesAcked"]) == ([1, 0], [1, 0], [0, 0])


async def test_the_end_of_a_lock_is_seen_in_its_minute_though_nobody_looked(api, clock, history):
    await api.publish("q", "a", "b", "c", ttl=3_600_000)
    await api.receive("q", batchSize=1, lockTtl=150_000)
    await api.receive("q", batchSize=1, lockTtl=330_000)
    clock.advance(2 * HOUR)
    found = await history(end=10 * MINUTE)
    assert found["inflightMessages"] == [2, 2, 1, 1, 1, 0, 0, 0, 0, 0]
    assert found["messages"] == [1, 1, 2, 2, 2, 3, 3, 3, 3, 3]
    later = await history(end=2 * HOUR, period=20 * MINUTE)
    assert later["messages"] == [3, 3, 0, 0, 0, 0], "they expired after an hour, on its last stroke"


async def test_many_locks_that_end_at_different_times_are_all_seen(api, clock, history):
    bodies = [str(number) for number in range(50)]
    for start in range(0, 50, 10):
        await api.publish("q", *bodies[start : start + 10])
    for number in range(50):
        await api.receive("q", batchSize=1, lockTtl=(number + 1) * 60_000 - 1)
    clock.advance(DAY)
    assert (await history(end=HOUR))["inflightMessages"] == [max(0, 49 - number) for number in range(60)]


@pytest.mark.parametrize("shape", ["bare", "value"])
async def test_the_shape_of_a_queues_history_is_a_switch(clock, shape):
    with LocalBroker(BrokerConfig(switches=Switches(history_shape=shape)), queues=["q"], clock=clock) as broker:
        broker.create_exchange("x")
        async with asking(broker) as ask:
            params = {"startDate": iso(NOON - HOUR), "endDate": iso(NOON), "period": 600}
            found = (await ask("stats", f"{HERE}/queues/q", params=params)).json()
            assert {*found} == ({"value"} if shape == "value" else {"destination", *NAMES})
            exchange = (await ask("stats", f"{HERE}/exchanges/x", params=params)).json()
            assert {*exchange} == {"destination", "messagesPublished", "messagesDelivered"}


async def test_an_exchange_counts_what_came_in_and_what_went_on(broker, api, clock, history):
    broker.create_exchange("x", bindings=["q", "dead"])
    await api.publish("x", "a", "b")
    clock.advance(3 * MINUTE)
    await api.publish("x", "c")
    broker.delete_queue("q")
    await api.publish("x", "d")
    clock.advance(MINUTE)
    found = await history("x", of="exchanges")
    assert found == {"messagesPublished": [2, 0, 0, 2], "messagesDelivered": [4, 0, 0, 3]}


@pytest.mark.parametrize(("of", "kind"), [("queues", "queue"), ("exchanges", "exchange")])
async def test_what_is_not_there_has_no_history(broker, platform, of, kind):
    broker.create_exchange("x")
    params = {"startDate": iso(NOON - HOUR), "endDate": iso(NOON), "period": 600}
    other = {"queues": "x", "exchanges": "q"}[of]
    for path in (f"{HERE}/{of}/missing", f"{HERE}/{of}/{other}", f"regions/eu-west-1/{of}/q"):
        answer = await platform("stats", path, params=params)
        assert (answer.status_code, answer.json()) == (404, {"status": 404, "message": f"{kind} not found"})


GOOD = {"startDate": "2025-06-15T11:00:00Z", "endDate": "2025-06-15T12:00:00Z", "period": 600}


@pytest.mark.parametrize(
    ("wrong", "parts"),
    [
        ({"startDate": None}, ["startDate is required"]),
        ({"endDate": None}, ["endDate is required"]),
        ({"period": None}, ["period is required"]),
        ({"startDate": ""}, ["startDate is ''", "RFC 1123", "ISO 8601"]),
        ({"startDate": "yesterday"}, ["startDate is 'yesterday'"]),
        ({"endDate": "1750000000000"}, ["endDate is '1750000000000'"]),
        ({"endDate": "Sun, 11 Nov 2018 04:60:44 GMT"}, ["endDate"]),
        ({"endDate": "2025-13-01"}, ["endDate"]),
        ({"endDate": "2025-06-15T11:00:00Z"}, ["endDate", "after startDate"]),
        ({"endDate": "2025-06-15T10:00:00Z"}, ["endDate", "after startDate"]),
        ({"period": 0}, ["period", "1 to 86400"]),
        ({"period": 86_401}, ["period", "1 to 86400"]),
        ({"period": "1.5"}, ["period"]),
        ({"period": "1hour"}, ["period"]),
        ({"period": ""}, ["period"]),
        ({"startDate": "2020-01-01", "period": 1}, ["period is too short", "25000"]),
        ({"startDate": "0001-01-01", "period": 1}, ["period is too short"]),
    ],
)
async def test_a_wrong_date_or_period_is_refused(broker, platform, wrong, parts):
    broker.create_exchange("x")
    params = {name: value for name, value in (GOOD | wrong).items() if value is not None}
    for path in (f"{HERE}/queues/q", f"{HERE}/exchanges/x"):
        refused(await platform("stats", path, params=params), *parts)


@pytest.mark.parametrize(
    "text",
    [
        "Sun, 15 Jun 2025 12:00:00 GMT",
        "Sunday, 15 Jun 2025 12:00:00 GMT",
        "Sun, 15 Jun 2025 12:00:00 UTC",
        "Sun, 15 Jun 2025 12:00:00 ",
        "15 Jun 2025 14:00:00 +0200",
        "2025-06-15T12:00:00Z",
        "2025-06-15T12:00:00",
        "2025-06-15 12:00",
        "2025-06-15T12:00:00.000Z",
        "2025-06-15T12:00:00.000+0000",
        "2025-06-15T14:00:00.000+02:00",
        "2025-06-15T07:00:00-05:00",
    ],
)
async def test_a_date_can_be_written_in_many_ways(text):
    window = read_window({"startDate": text, "endDate": "2025-06-15T12:00:00.001Z"})
    assert window == (int(NOON * 1_000), int(NOON * 1_000) + 1)


@given(text=st.text(max_size=40) | st.from_regex(r"[A-Z][a-z]{2}, \d{1,3} [A-Z][a-z]{2} \d{1,5} \d+:\d+:\d+ [-+A-Z0-9]{1,6}"))
def test_no_text_is_more_than_a_wrong_date(text):
    try:
        window = read_window({"startDate": text, "endDate": "9999-12-31T23:59:59.999Z"})
        assert -62_200_000_000_000 < window.start < window.end
    except Refusal as refusal:
        assert refusal.status == 400


STEPS = st.lists(
    st.tuples(st.just("publish"), st.integers(1, 10))
    | st.tuples(st.just("receive"), st.integers(1, 400))
    | st.tuples(st.just("ack"), st.integers(0, 5))
    | st.tuples(st.just("wait"), st.integers(1, 500)),
    min_size=5,
    max_size=40,
)


@given(steps=STEPS, period=st.sampled_from([60, 120, 300, 660]), first=st.integers(-3, 20))
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
async def test_history_tells_what_has_been_done(anyio_backend, open_api, steps, period, first):
    """Whatever is done between whole minutes, the history of whole minutes is what a plain list of it says."""
    clock = ManualClock(NOON)
    sent: list[float] = []
    deliveries: list[list[float]] = []  # of each its time, the end of its lock, and when it was acknowledged
    with LocalBroker(queues=["q"], clock=clock) as broker:
        async with open_api(broker) as api, asking(broker) as ask:
            held = []
            for what, number in steps:
                now = clock.time() - NOON
                if what == "publish":
                    await api.publish("q", *(f"{now} {n}" for n in range(number)))
                    sent += [now] * number
                elif what == "receive":
                    for message in await api.receive("q", lockTtl=number * 1_000):
                        held.append((message, len(deliveries)))
                        deliveries.append([now, now + number, float("inf")])
                elif what == "ack" and held:
                    message, which = held.pop(number % len(held))
                    if (await api.ack("q", message)).status_code == 200:
                        deliveries[which][2] = now
                else:
                    clock.advance(number)
            clock.advance(DAY)
            start, end = first * MINUTE, first * MINUTE + 5 * period
            found = await sent_between(ask, "q", start, end, period)
    moments = range(start, end + 1, period)
    acked = [ack for *_, ack in deliveries]
    locked = [sum(begin < at < min(over, ack + 1e-9) for begin, over, ack in deliveries) for at in moments]
    waiting = [sum(time < at for time in sent) - sum(time < at for time in acked) for at in moments]
    assert found["inflightMessages"] == locked[1:]
    assert found["messages"] == [stored - held for stored, held in zip(waiting, locked, strict=True)][1:]
    for name, times in (("Sent", sent), ("Received", [time for time, *_ in deliveries]), ("Acked", acked)):
        totals = [sum(time < at for time in times) for at in moments]
        assert found[f"messages{name}"] == [after - before for before, after in pairwise(totals)]


# What is written down


async def test_history_survives_a_restart_and_the_time_in_between_is_quiet(tmp_path, clock, open_api):
    db = tmp_path / "broker.sqlite"
    with LocalBroker(queues=["q"], db=db, clock=clock) as broker:
        async with open_api(broker) as api:
            await api.publish("q", "a", "b")
    clock.advance(HOUR)
    with LocalBroker(queues=["q"], db=db, clock=clock) as broker:
        async with open_api(broker) as api, asking(broker) as ask:
            await api.publish("q", "c")
            params = {"startDate": iso(NOON), "endDate": iso(NOON + DAY), "period": 600}
            found = (await ask("stats", f"{HERE}/queues/q", params=params)).json()
            assert [point["value"] for point in found["messagesSent"]] == [2, 0, 0, 0, 0, 1]


async def test_a_restart_by_itself_leaves_no_trace(tmp_path, clock, open_api):
    db = tmp_path / "broker.sqlite"
    for number in range(4):
        with LocalBroker(queues=["q", "quiet"], db=db, clock=clock) as broker:
            broker.create_exchange("x", bindings=["q"])
            async with open_api(broker) as api:
                if number == 0:
                    await api.publish("x", "a")
                clock.advance(2 * MINUTE)
                assert (await api.poll("quiet")).status_code == 204
            assert times(broker, "q") == [MINUTE]
            assert times(broker, "quiet") == []
            assert len(rows(broker, "select * from exchange_sample")) == 1


async def test_history_is_as_durable_as_the_messages(tmp_path, clock, open_api):
    """The file is copied while the broker runs, as it is found after a kill -9."""
    db, found_later = tmp_path / "broker.sqlite", tmp_path / "copy.sqlite"
    with LocalBroker(queues=["q"], db=db, clock=clock) as broker:
        async with open_api(broker) as api:
            await api.publish("q", "a", "b")
            for suffix in ("", "-wal"):
                found_later.with_name(found_later.name + suffix).write_bytes(db.with_name(db.name + suffix).read_bytes())
    clock.advance(HOUR)
    with LocalBroker(queues=["q"], db=found_later, clock=clock) as broker:
        async with asking(broker) as ask:
            params = {"startDate": iso(NOON), "endDate": iso(NOON + DAY), "period": 600}
            found = (await ask("stats", f"{HERE}/queues/q", params=params)).json()
            assert [point["value"] for point in found["messagesSent"]] == [2, 0, 0, 0, 0, 0]
            assert [point["value"] for point in found["messages"]] == [2] * 6


async def sent_between(ask, queue, start, end, period):
    params = {"startDate": iso(NOON + start), "endDate": iso(NOON + end), "period": period}
    answer = await ask("stats", f"{HERE}/queues/{queue}", params=params)
    return {name: [point["value"] for point in answer.json()[name]] for name in NAMES}


def rows(broker, query):
    return broker._engine.committer.call(lambda store: store.connection.execute(query).fetchall())


def times(broker, queue):
    """Return when a queue has samples, in seconds after the start."""
    query = f"select at from queue_sample join queue on queue = pk where id = '{queue}' order by at"
    return [at / 1_000 - NOON for (at,) in rows(broker, query)]


async def test_old_samples_are_thinned_out_and_every_sum_stays_true(broker, api, clock, platform):
    """By five minutes after 15 days, by the hour after 63, and none but the last after 15 months."""
    for number in range(40):
        await api.publish("q", f"{number}", ttl=1_000 * DAY)
        clock.advance(97)
    clock.advance(3 * HOUR)
    spans = [(0, 2 * HOUR, 5 * MINUTE), (-HOUR, 3 * HOUR, HOUR), (0, 4_200, 10 * MINUTE)]
    before = [await sent_between(platform, "q", *span) for span in spans]
    count = len(times(broker, "q"))
    for day, step, kept in ((16, 5 * MINUTE, spans), (70, HOUR, spans[1:2])):
        clock.advance(NOON + day * DAY - clock.time())
        await api.publish("q", f"day {day}")
        clock.advance(MINUTE)
        old = [time for time in times(broker, "q") if time < DAY]
        assert 1 < len(old) < count
        assert {time % step for time in old} == {0}
        count = len(old)
        for span, expected in zip(spans, before, strict=True):
            if span in kept:
                assert await sent_between(platform, "q", *span) == expected
    clock.advance(NOON + 600 * DAY - clock.time())
    await api.publish("q", "late")
    clock.advance(MINUTE)
    assert len([time for time in times(broker, "q") if time < 140 * DAY]) == 1, "the last stays, as what there was since"
    found = await sent_between(platform, "q", 590 * DAY, 601 * DAY, DAY)
    assert found["messagesSent"] == [0] * 10 + [1]


async def test_thinning_goes_by_queue_when_it_is_used(broker, api, clock):
    for _ in range(3):
        for queue in ("q", "dead"):
            await api.publish(queue, "a")
            broker.purge(queue)
        clock.advance(MINUTE)
    clock.advance(20 * DAY)
    await api.publish("q", "b")
    clock.advance(MINUTE)
    assert len(times(broker, "q")) == 2, "three in one, and the new one"
    assert len(times(broker, "dead")) == 3, "as they were, until it is used again"


# Usage


async def usage(ask, start=-DAY, end=DAY, period="1hour", environment=None):
    params = {
        "startDate": formatdate(NOON + start, usegmt=True),
        "endDate": formatdate(NOON + end, usegmt=True),
        "period": period,
    }
    answer = await ask("stats", "", params=params, environment=environment)
    assert answer.status_code in (200, 204), answer.text
    return answer.json() if answer.status_code == 200 else []


def entry(timestamp, requests, receipts, units, size):
    return {
        "timestamp": timestamp,
        "apiRequestCount": requests,
        "messageReceiptCount": receipts,
        "billableUnitCount": units,
        "messageByteCount": size,
    }


async def test_usage_counts_requests_messages_received_their_units_and_bytes_both_ways(api, platform):
    await api.publish("q", "abc", "ü")
    await api.receive("q")
    await api.receive("q")
    assert await usage(platform) == [entry("2025-06-15T12:00Z", 3, 2, 2, 10)]


async def test_a_message_is_a_unit_for_each_100_kb_begun(api, platform):
    for body in ("", "x" * 102_400, "x" * 102_401, "x" * 1_000_000, '"\\' * 60_000):
        answer = await api.call("PUT", api.path("q"), [{"headers": {"messageId": "1"}, "body": body}])
        assert answer.status_code == 200
    for _ in range(5):
        await api.receive("q", batchSize=1)
    (found,) = await usage(platform)
    assert found["messageReceiptCount"] == 5
    assert found["billableUnitCount"] == 1 + 1 + 2 + 10 + 2
    assert found["messageByteCount"] == 2 * (102_400 + 102_401 + 1_000_000 + 120_000)


async def test_a_body_that_is_not_shown_has_no_bytes(api, platform):
    await api.publish("q", "abcde")
    await api.receive("q", payloadVisibility="none")
    assert await usage(platform) == [entry("2025-06-15T12:00Z", 2, 1, 1, 5)]


async def test_failed_requests_count_and_other_apis_are_free(api, platform):
    assert (await api.poll("missing")).status_code == 404
    assert (await api.poll("q", batchSize=11)).status_code == 400
    await platform.get(f"{QUEUES}/q")
    assert [found["apiRequestCount"] for found in await usage(platform)] == [2]


async def test_usage_is_grouped_by_hour_day_or_month(api, clock, platform):
    for _ in range(3):
        await api.publish("q", "a")
        clock.advance(30 * MINUTE)
    clock.advance(2 * DAY)
    await api.publish("q", "a")
    clock.advance(30 * DAY)
    await api.publish("q", "a")
    until = {"end": 40 * DAY}
    hours = [("2025-06-15T12:00Z", 2), ("2025-06-15T13:00Z", 1), ("2025-06-17T13:00Z", 1), ("2025-07-17T13:00Z", 1)]

    async def requests(period, **span):
        return [(found["timestamp"], found["apiRequestCount"]) for found in await usage(platform, period=period, **span)]

    assert await requests("1hour", **until) == hours
    days = [("2025-06-15T00:00Z", 3), ("2025-06-17T00:00Z", 1), ("2025-07-17T00:00Z", 1)]
    assert await requests("1day", **until) == days
    assert await requests("1month", **until) == [("2025-06-01T00:00Z", 4), ("2025-07-01T00:00Z", 1)]
    assert await requests("1day", start=HOUR, end=2 * HOUR) == days[:1], "whole days, of which a part is asked for"
    assert await requests("1hour", start=90 * MINUTE, end=100 * MINUTE) == hours[1:2]
    assert await requests("1month", start=-60 * DAY, end=-20 * DAY) == []


async def test_where_there_was_no_use_there_is_no_content(clock, platform):
    for start, end in ((-2 * DAY, -DAY), (DAY, 2 * DAY), (-80 * 365 * DAY, -79 * 365 * DAY)):
        params = {"startDate": iso(NOON + start), "endDate": iso(NOON + end), "period": "1day"}
        answer = await platform("stats", "", params=params)
        assert (answer.status_code, answer.content) == (204, b"")


@pytest.mark.parametrize(
    ("wrong", "part"),
    [({"period": "1week"}, "1hour, 1day, 1month"), ({"period": None}, "period"), ({"startDate": "x"}, "startDate")],
)
async def test_a_wrong_question_about_usage_is_refused(platform, wrong, part):
    params = {name: value for name, value in ({**GOOD, "period": "1day"} | wrong).items() if value is not None}
    refused(await platform("stats", "", params=params), part)
    organization = f"/mq/stats/api/v1/organizations/{platform.settings['organization']}"
    refused(await platform.call("GET", organization, params=params), part)


async def test_the_organizations_usage_is_that_of_the_environments_that_the_asker_may_enter(clock, open_api):
    config = BrokerConfig(
        queues=(QueueConfig("q"),),
        environments=(EnvironmentConfig("Other", "other", queues=(QueueConfig("q"),)),),
        connected_apps=(
            ConnectedApp("both", "a secret", ("read:stats",)),
            ConnectedApp("one", "a secret", ("read:stats",), ("Other",)),
        ),
    )
    with LocalBroker(config, clock=clock) as broker:
        async with open_api(broker) as api:
            await api.publish("q", "a")
            await api.authorize(f"{broker.platform_url}/accounts/api/v2/oauth2/token")
            elsewhere = api.path("q").replace(api.settings["environment"], "other")
            assert (await api.call("PUT", elsewhere, [{"headers": {"messageId": "1"}, "body": "abc"}])).status_code == 200
        for app, sizes in (("both", {"": 4, None: 1, "other": 3}), ("one", {"": 3, "other": 3})):
            async with asking(broker, {"client_id": app, "client_secret": "a secret"}) as ask:
                params = {"startDate": iso(NOON), "endDate": iso(NOON + 1), "period": "1month"}
                path = f"/mq/stats/api/v1/organizations/{ask.settings['organization']}"
                (total,) = (await ask.call("GET", path, params=params)).json()
                assert total["messageByteCount"] == sizes.pop("")
                for environment, size in sizes.items():
                    (found,) = await usage(ask, environment=environment)
                    assert found["messageByteCount"] == size
        async with asking(broker, {"client_id": "one", "client_secret": "a secret"}) as ask:
            assert (await ask("stats", "", params=params)).status_code == 403, "it may not enter the first environment"


async def test_usage_belongs_to_the_hour_in_which_it_was_though_it_is_written_later(api, clock, platform):
    await api.publish("q", "abc")
    await api.receive("q")  # what was received is counted when it has been given out, after the transaction
    clock.advance(5 * HOUR)
    assert await usage(platform) == [entry("2025-06-15T12:00Z", 2, 1, 1, 6)]


async def test_usage_is_written_down_when_the_broker_is_closed(tmp_path, clock, open_api):
    db = tmp_path / "broker.sqlite"
    with LocalBroker(queues=["q"], db=db, clock=clock) as broker:
        async with open_api(broker) as api:
            await api.publish("q", "abc")
            await api.receive("q")
    clock.advance(DAY)
    with LocalBroker(queues=["q"], db=db, clock=clock) as broker:
        async with asking(broker) as ask:
            assert await usage(ask) == [entry("2025-06-15T12:00Z", 2, 1, 1, 6)]


async def test_usage_of_a_transaction_that_failed_is_counted_once(broker, api, platform, clock):
    await api.publish("q", "a")

    def fail(store):
        store.connection.execute("rollback")  # as SQLite does by itself when the disk is full
        raise sqlite3.OperationalError("disk I/O error")

    for _ in range(3):
        broker._engine.meter.add(1, requests=1)
        with pytest.raises(StoreFailed):
            broker._engine.committer.call(fail)
    (found,) = await usage(platform)
    assert found["apiRequestCount"] == 4


async def test_a_transaction_that_failed_takes_no_sample_with_it(broker, api, clock, history):
    await api.publish("q", "a", "b")
    clock.advance(2 * MINUTE)

    def fail(store):
        store.connection.execute("rollback")
        raise sqlite3.OperationalError("disk I/O error")

    with pytest.raises(StoreFailed):
        broker._engine.committer.call(fail)
    assert (await history())["messagesSent"] == [2, 0]


async def test_a_transaction_that_could_not_even_begin_counts_nothing_twice(tmp_path, clock, open_api):
    """Another program holds the file for longer than SQLite waits."""
    db = tmp_path / "broker.sqlite"
    with LocalBroker(queues=["q"], db=db, clock=clock) as broker:
        async with open_api(broker) as api:
            broker._engine.committer.call(lambda store: store.connection.execute("pragma busy_timeout = 1").fetchall())
            await api.publish("q", "a")
            intruder = sqlite3.connect(db, isolation_level=None)
            intruder.execute("begin immediate")
            for _ in range(2):
                assert (await api.poll("q")).status_code == 503
            intruder.close()
            async with asking(broker) as ask:
                (found,) = await usage(ask)
                assert found["apiRequestCount"] == 3


async def test_usage_is_kept_for_two_years(api, clock, broker):
    await api.publish("q", "a")
    clock.advance(730 * DAY)
    await api.publish("q", "a")
    assert len(rows(broker, "select * from usage")) == 2
    clock.advance(2 * DAY)
    await api.publish("q", "a")
    assert len(rows(broker, "select * from usage")) == 2
