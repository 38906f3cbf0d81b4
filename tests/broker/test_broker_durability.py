"""A database file: what survives a restart, a kill and a second broker; and how the database is asked."""

from __future__ import annotations

import json
import os
import signal
import socket
import sqlite3
import stat
import subprocess
import sys

import httpx
import pytest

from courier_nb.broker import BrokerConfig, LocalBroker, QueueConfig, serve
from courier_nb.broker.state import groups, returning, store, sweeping
from courier_nb.broker.state.queues import Address
from courier_nb.core.errors import Closed, ConfigError

pytestmark = pytest.mark.anyio

SERVER = """
import json, sys
from courier_nb.broker import BrokerConfig, QueueConfig, serve
serve(BrokerConfig(queues=(QueueConfig("q"),)), db=sys.argv[1] or None, announce=lambda s: print(json.dumps(s), flush=True))
print("returned", flush=True)
"""


@pytest.fixture
def db(tmp_path):
    return tmp_path / "broker.db"


@pytest.fixture
def start(db):
    """Start the broker in a process of its own; return the process and its settings."""
    processes = []

    def start(path=db):
        process = subprocess.Popen([sys.executable, "-c", SERVER, str(path)], stdout=subprocess.PIPE, text=True)
        processes.append(process)
        return process, json.loads(process.stdout.readline())

    yield start
    for process in processes:
        process.kill()
        process.wait()
        process.stdout.close()


async def test_everything_survives_a_restart(db, clock, open_api):
    config = BrokerConfig(queues=(QueueConfig("q"), QueueConfig("dead")))
    with LocalBroker(config, db=db, clock=clock) as broker:
        broker.create_queue("work", dead_letter_queue="dead", max_deliveries=2)
        settings = broker.settings
        async with open_api(broker) as api:
            await api.publish("work", "acked", "nacked", "held", "late")
            await api.publish("q", "delayed", deliveryDelay=60_000)
            acked, nacked, held, late = await api.receive("work", lockTtl=60_000)
            await api.ack("work", acked)
            await api.nack("work", nacked)
            await api.extend("work", late, 10)
    with LocalBroker(db=db, clock=clock) as broker:
        assert broker.settings == settings
        assert [queue.id for queue in broker.queues()] == ["dead", "q", "work"]
        assert broker.depth("work") == {"messages": 1, "inflight": 2}
        async with open_api(broker) as api:
            (again,) = await api.receive("work")
            assert (again["body"], again["headers"]["deliveryCount"]) == ("nacked", "2")
            await api.nack("work", again)
            assert await api.bodies("dead") == ["nacked"]
            assert (await api.ack("work", held)).status_code == 200
            assert (await api.ack("work", acked)).status_code == 400
            clock.advance(10)
            assert await api.bodies("work") == ["late"]
            clock.advance(50)
            assert await api.bodies("q") == ["delayed"]


async def test_configured_credentials_win_over_kept_ones(db):
    with LocalBroker(db=db) as broker:
        kept = broker.settings
    with LocalBroker(BrokerConfig(client_id="me", client_secret="hush"), db=db) as broker:
        assert broker.settings == kept | {"client_id": "me", "client_secret": "hush"}
    with LocalBroker(db=db) as broker:
        assert broker.settings["client_id"] == "me"


def test_brokers_without_configuration_do_not_share_credentials():
    with LocalBroker() as one, LocalBroker() as other:
        for key in ("client_id", "client_secret", "organization", "environment"):
            assert one.settings[key] != other.settings[key]


async def test_a_second_broker_on_the_same_file_is_refused(db, start):
    with LocalBroker(db=db) as broker:
        assert broker.settings
        with pytest.raises(ConfigError, match=r"broker\.db is in use by another broker"):
            LocalBroker(db=db).queues()
    process, _ = start()
    with pytest.raises(ConfigError, match="in use"):
        LocalBroker(db=db).queues()
    process.kill()
    process.wait()
    with LocalBroker(db=db) as broker:
        assert [queue.id for queue in broker.queues()] == ["q"]


async def test_only_the_owner_can_read_the_files(db, open_api):
    with LocalBroker(queues=["q"], db=db) as broker:
        async with open_api(broker) as api:
            await api.publish("q", "a")
        modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in db.parent.iterdir()}
        assert {"broker.db", "broker.db-wal"} <= set(modes)
        assert set(modes.values()) == {0o600}


@pytest.mark.parametrize("content", [b"not a database, surely, and longer than a header" * 10, None])
def test_a_file_of_somebody_else_is_refused_and_left_alone(db, content):
    if content is None:
        with sqlite3.connect(db) as other:
            other.execute("create table theirs(x)")
        other.close()
        content = db.read_bytes()
    else:
        db.write_bytes(content)
    with pytest.raises(ConfigError, match="database"):
        LocalBroker(db=db).queues()
    assert b"theirs" in db.read_bytes() or db.read_bytes() == content


def test_a_folder_that_does_not_exist_is_named(tmp_path):
    with pytest.raises(ConfigError, match="folder"):
        LocalBroker(db=tmp_path / "missing" / "broker.db").queues()


async def test_an_answered_publish_survives_kill_9(db, start):
    process, settings = start()
    base = f"{settings['url']}/organizations/{settings['organization']}/environments/{settings['environment']}"
    fields = {key: settings[key] for key in ("client_id", "client_secret")} | {"grant_type": "client_credentials"}
    async with httpx.AsyncClient() as client:
        token = (await client.post(f"{settings['url']}/authorize", data=fields)).json()["access_token"]
        for number in range(20):
            answer = await client.put(
                f"{base}/destinations/q/messages/m{number}",
                json={"body": "x"},
                headers={"Authorization": f"Bearer {token}"},
            )
            assert answer.status_code == 201
        process.kill()
    process.wait()
    with LocalBroker(db=db) as broker:
        assert broker.depth("q") == {"messages": 20, "inflight": 0}


@pytest.mark.parametrize("sign", [signal.SIGINT, signal.SIGTERM])
async def test_a_signal_ends_the_server_in_order(db, start, sign):
    process, _ = start()
    process.send_signal(sign)
    assert process.wait(20) == 0
    assert process.stdout.read() == "returned\n"
    assert not db.with_name("broker.db-wal").exists(), "the database was closed cleanly"


def test_a_port_in_use_is_named():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(ConfigError, match=f"Port {port} on 127.0.0.1 is in use"):
            serve(BrokerConfig(), port=port, announce=print)
        with pytest.raises(ConfigError, match=f"Port {port}"), LocalBroker().serving(port=port):
            pass
    with pytest.raises(ConfigError, match="port is 99999"):
        serve(BrokerConfig(), port=99_999, announce=print)


async def test_a_failing_database_is_answered_with_503_and_keeps_nothing(db, open_api):
    with LocalBroker(queues=["q"], db=db) as broker:
        async with open_api(broker) as api:
            await api.publish("q", "a")
            broker._engine.committer.call(lambda store: store.connection.execute("pragma max_page_count = 1").fetchone())
            answer = await api.call("PUT", api.path("q", "m"), {"body": "x" * 1_000_000})
            assert (answer.status_code, answer.json()["statusMessage"]) == (503, "Service unavailable")
            broker._engine.committer.call(lambda store: store.connection.execute("pragma max_page_count = 100000").fetchone())
            assert await api.bodies("q") == ["a"]
            assert (await api.call("PUT", api.path("q", "m"), {"body": "x"})).status_code == 201


@pytest.mark.parametrize(
    ("statement", "index"),
    [
        (store.RECEIVE, "message USING INDEX message_visible (heap=? AND visible_at<?)"),
        (store.DELIVER, "message USING INTEGER PRIMARY KEY (rowid=?)"),
        (store.ACK, "message USING INTEGER PRIMARY KEY (rowid=?)"),
        (store.ACK_LATE, "message USING INTEGER PRIMARY KEY (rowid=?)"),
        (store.LOCKED, "message USING INTEGER PRIMARY KEY (rowid=?)"),
        (store.EXTEND, "message USING INTEGER PRIMARY KEY (rowid=?)"),
        (store.GIVE_BACK, "message USING INTEGER PRIMARY KEY (rowid=?)"),
        (store.NEXT_EXPIRY, "message USING COVERING INDEX message_expiry (expires_at>?)"),
        (store.NEXT_VISIBLE, "message USING COVERING INDEX message_visible (heap=? AND visible_at>?)"),
        (groups.READY, "message_group USING INDEX message_group_ready (heap=? AND ready_at<?)"),
        (groups.RUN, "message USING INDEX message_member (member=?)"),
        (groups.HEAD, "message USING INDEX message_member (member=?)"),
        (returning.RETURN, "message USING INTEGER PRIMARY KEY (rowid=?)"),
        (sweeping.LOST_LOCKS, "message USING INDEX message_locked (visible_at<?)"),
        (sweeping.EXPIRED, "message USING INDEX message_expiry (expires_at<?)"),
        (sweeping.DISCARDED, "message USING COVERING INDEX message_visible (heap=?)"),
        (sweeping.ABANDONED, "message_group USING COVERING INDEX sqlite_autoindex_message_group_1 (heap=?)"),
        (sweeping.FORGOTTEN, "repeated USING COVERING INDEX repeated_until (until<?)"),
    ],
)
def test_every_frequent_statement_goes_through_an_index(statement, index):
    with LocalBroker(queues=["q"]) as broker:
        values = (0,) * statement.count("?")
        plan = broker._engine.committer.call(
            lambda state: [row[3] for row in state.connection.execute(f"explain query plan {statement}", values)]
        )
    assert plan == [f"SEARCH {index}"]


def test_the_cost_of_receive_does_not_grow_with_what_is_in_flight():
    def steps(in_flight: int) -> int:
        with LocalBroker(queues=["q"]) as broker:

            def fill(state):
                state.connection.execute(
                    "with recursive n(i) as (select 1 union all select i + 1 from n where i < ?)"
                    " insert into message(heap, visible_at, expires_at, token, created, id, size, headers, properties, body)"
                    " select 1, ?, ?, randomblob(16), 0, '\"m\"', 1, '', '{}', '\"x\"' from n",
                    (in_flight, state.now + 60_000, state.now + 600_000),
                )
                state.queues.count(state.queues.by_pk(1), stored=in_flight, locked=in_flight)

            def count(state):
                counted = 0

                def tick():
                    nonlocal counted
                    counted += 1

                state.connection.set_progress_handler(tick, 1)
                state.receive(Address(1, "q"), limit=10, lock_ttl_ms=None)
                state.connection.set_progress_handler(None, 0)
                return counted

            broker._engine.committer.call(fill)
            return broker._engine.committer.call(count)

    assert steps(20_000) == steps(10)


def test_processes_do_not_inherit_a_broker():
    with LocalBroker(queues=["q"]) as broker:
        broker.queues()
        child = os.fork()
        if child == 0:
            try:
                broker.queues()
            except Closed:
                os._exit(7)
            finally:
                os._exit(1)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7
