"""The configuration: what a file may say, and that each mistake is one clear error."""

from __future__ import annotations

import copy
import pickle
import subprocess
import sys

import pytest

from courier_nb.broker import BrokerConfig, ExchangeConfig, LocalBroker, QueueConfig, load_config
from courier_nb.core.errors import Closed, ConfigError

FULL = """
[[queue]]
id = "orders"
dead_letter_queue = "orders-dlq"
max_deliveries = 3
default_ttl = "14d"
default_lock_ttl = "1m30s"
default_delivery_delay = 500

[[queue]]
id = "orders-dlq"
fifo = false

[client]
client_id = "me"
client_secret = "hush"

[broker]
organization = "org-1"
environment = "env-1"
environment_name = "Sandbox"
region = "eu-west-1"
durable = false
lock_ttl_unit = "ms"
credential_kinds = ["client_app"]
username = "ada"
password = "hush hush"
"""


@pytest.fixture
def load(tmp_path):
    def load(text):
        path = tmp_path / "broker.toml"
        path.write_text(text, "utf-8")
        return load_config(path)

    return load


def test_everything_can_be_said_in_the_file(load):
    assert load(FULL) == BrokerConfig(
        queues=(
            QueueConfig(
                "orders",
                dead_letter_queue="orders-dlq",
                max_deliveries=3,
                default_ttl_ms=14 * 86_400_000,
                default_lock_ttl_ms=90_000,
                default_delivery_delay_ms=500,
            ),
            QueueConfig("orders-dlq"),
        ),
        client_id="me",
        client_secret="hush",
        organization="org-1",
        environment="env-1",
        environment_name="Sandbox",
        region="eu-west-1",
        durable=False,
        lock_ttl_unit="ms",
        credential_kinds=("client_app",),
        username="ada",
        password="hush hush",
    )


def test_an_empty_file_is_a_broker_without_queues(load):
    assert load("") == BrokerConfig()


def test_the_place_may_be_given_with_the_client(load):
    assert load('[client]\norganization = "o"\nenvironment = "e"\nregion = "r"').region == "r"


QUEUE = '[[queue]]\nid = "q"\n'


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("queue = 5", ["queue", "5", "[[queue]]"]),
        ("[queue]\nid = 'q'", ["queue", "[[queue]]"]),
        ("[[queues]]\nid = 'q'", ["queues", "not a known key", "queue"]),
        ("[[queue]]\nfifo = false", ["no. 1", "id is missing"]),
        ("[[queue]]\nid = 5", ["id is 5", "1 to 127"]),
        ("[[queue]]\nid = ''", ["id is ''"]),
        ("[[queue]]\nid = 'a b'", ["id is 'a b'"]),
        (f"[[queue]]\nid = '{'q' * 128}'", ["1 to 127"]),
        (QUEUE + QUEUE, ["id is 'q'", "once"]),
        (QUEUE + "fifo = true", ["'q'", "fifo is true", "standard queues only"]),
        (QUEUE + "fifo = 'no'", ["fifo is 'no'", "true or false"]),
        (QUEUE + "colour = 1", ["'q'", "colour", "not a known key"]),
        (QUEUE + "max_deliveries = 0", ["max_deliveries is 0", "1 to 1000"]),
        (QUEUE + "max_deliveries = 1001", ["max_deliveries is 1001"]),
        (QUEUE + "max_deliveries = true", ["max_deliveries is True"]),
        (QUEUE + "default_ttl = '15d'", ["default_ttl", "14 days"]),
        (QUEUE + "default_ttl = 0", ["default_ttl", "1 ms"]),
        (QUEUE + "default_ttl = 'soon'", ["default_ttl is 'soon'", "duration"]),
        (QUEUE + "default_lock_ttl = '13h'", ["default_lock_ttl", "12 hours"]),
        (QUEUE + "default_lock_ttl = [1]", ["default_lock_ttl is [1]"]),
        (QUEUE + "default_delivery_delay = '16m'", ["default_delivery_delay", "15 minutes"]),
        (QUEUE + "dead_letter_queue = 'other'", ["dead_letter_queue is 'other'", "'q'"]),
        (QUEUE + "dead_letter_queue = 'q'", ["dead_letter_queue is 'q'", "another queue"]),
        ("[[exchange]]\nid = 'x'", ["exchange 'x'", "standard queues only"]),
        ("[[exchange]]\nbindings = []", ["no. 1", "id is missing"]),
        ("[[exchange]]\nid = 'x'\nbindings = 'q'", ["'x'", "bindings is 'q'", "list of texts"]),
        ("[[exchange]]\nid = 'x'\nrule = 1", ["rule", "not a known key"]),
        ("[client]\nsecret = 'hush'", ["[client]", "secret", "not a known key"]),
        ("[client]\nclient_id = ''", ["client_id is ''"]),
        ("[client]\nclient_secret = 12345", ["client_secret", "text"]),
        ("[client]\nregion = 'a'\n[broker]\nregion = 'b'", ["region", "once"]),
        ("[broker]\nregion = 'a/b'", ["region is 'a/b'"]),
        ("[broker]\nlock_ttl_unit = 'm'", ["lock_ttl_unit is 'm'", "'s' or 'ms'"]),
        ("[broker]\ncredential_kinds = []", ["credential_kinds"]),
        ("[broker]\ncredential_kinds = ['user']", ["credential_kinds is ['user']", "client_app"]),
        ("[broker]\ncredential_kinds = 'client_app'", ["credential_kinds is 'client_app'", "list"]),
        ("[broker]\ndurable = 1", ["durable is 1"]),
        ("[broker]\nusername = 'ada'", ["username and password"]),
        ("client = 1", ["client is 1", "[client]"]),
        ("[[queue", ["not TOML"]),
    ],
)
def test_each_mistake_names_file_key_value_and_what_is_expected(load, text, parts):
    with pytest.raises(ConfigError) as caught:
        load(text)
    message = str(caught.value)
    for part in ["broker.toml", *parts]:
        assert part in message
    assert "12345" not in message, "a secret is not shown"
    assert caught.value.setting


def test_a_file_that_cannot_be_read_is_named(tmp_path):
    with pytest.raises(ConfigError, match=r"missing\.toml cannot be read"):
        load_config(tmp_path / "missing.toml")
    (tmp_path / "binary.toml").write_bytes(b"\xff")
    with pytest.raises(ConfigError, match=r"binary\.toml is not TOML"):
        load_config(tmp_path / "binary.toml")


def test_fifo_and_exchanges_are_refused_in_python_too():
    with pytest.raises(ConfigError, match="standard queues only"):
        LocalBroker(queues=[QueueConfig("q", fifo=True)])
    with pytest.raises(ConfigError, match="standard queues only"):
        LocalBroker(BrokerConfig(exchanges=(ExchangeConfig("x"),)))


def test_making_a_broker_or_importing_the_package_starts_nothing(tmp_path):
    code = (
        "import sys, threading; from courier_nb.broker import LocalBroker, serve;"
        f"broker = LocalBroker(queues=['q'], db=r'{tmp_path / 'b.db'}'); broker.transport(); repr(broker); broker.close();"
        "assert threading.active_count() == 1; assert 'uvicorn' not in sys.modules and 'asyncio' in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)
    assert list(tmp_path.iterdir()) == []


def test_a_broker_shows_no_secret_and_is_not_pickled():
    config = BrokerConfig(client_id="me", client_secret="hush", username="ada", password="hush")
    with LocalBroker(config) as broker:
        assert "hush" not in repr(broker) + repr(config) + repr(broker._engine.identity)
        for copying in (pickle.dumps, copy.copy, copy.deepcopy):
            with pytest.raises(TypeError, match="not pickled"):
                copying(broker)


def test_settings_hold_what_a_client_needs():
    config = BrokerConfig(client_id="me", client_secret="hush", organization="o", environment="e", region="r")
    with LocalBroker(config) as broker:
        assert broker.settings == {
            "url": "http://127.0.0.1/api/v1",
            "platform_url": "http://127.0.0.1",
            "client_id": "me",
            "client_secret": "hush",
            "organization": "o",
            "environment": "e",
            "region": "r",
        }


def test_queues_are_made_changed_and_deleted_from_python():
    with LocalBroker(queues=["q", QueueConfig("r", max_deliveries=5)]) as broker:
        broker.create_queue("s", dead_letter_queue="r", max_deliveries=3, default_ttl="1h", default_delivery_delay=250)
        made = QueueConfig("s", dead_letter_queue="r", max_deliveries=3, default_ttl_ms=3_600_000, default_delivery_delay_ms=250)
        assert broker.queues() == [QueueConfig("q"), QueueConfig("r", max_deliveries=5), made]
        broker.create_queue("q", default_lock_ttl="5s")
        assert broker.queues()[0].default_lock_ttl_ms == 5000
        with pytest.raises(ConfigError, match="dead-letter queue of 's'"):
            broker.delete_queue("r")
        broker.delete_queue("s")
        broker.delete_queue("r")
        assert [queue.id for queue in broker.queues()] == ["q"]
        for call in (broker.delete_queue, broker.purge, broker.depth):
            with pytest.raises(ConfigError, match="no queue 'r'; there are: 'q'"):
                call("r")
        with pytest.raises(ConfigError, match="no queue 'r'"):
            broker.create_queue("t", dead_letter_queue="r")
        with pytest.raises(ConfigError, match="id is 'a b'"):
            broker.create_queue("a b")


def test_a_closed_broker_says_so():
    broker = LocalBroker(queues=["q"])
    assert broker.queues()
    broker.close()
    broker.close()
    with pytest.raises(Closed):
        broker.queues()
