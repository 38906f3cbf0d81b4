"""The configuration: what a file may say, and that each mistake is one clear error."""

from __future__ import annotations

import copy
import pickle
import subprocess
import sys

import pytest

from courier_nb.broker import (
    Binding,
    BrokerConfig,
    ClientApp,
    ConnectedApp,
    EnvironmentConfig,
    ExchangeConfig,
    LocalBroker,
    QueueConfig,
    RoutingRule,
    Switches,
    load_config,
)
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
credential_kinds = ["client_app"]
username = "ada"
password = "hush hush"

[switches]
lock_ttl_unit = "ms"
exchange_read_status = 404

[[queue]]
id = "steps"
fifo = true

[[exchange]]
id = "events"
bindings = [
  "orders",
  { queue = "orders-dlq", rule = { property_name = "size", property_type = "NUMERIC", matcher = "RANGE", value = [1, 2.5] } },
]

[[client_app]]
name = "till"
client_id = "till-id"
client_secret = "hush till"

[[connected_app]]
client_id = "auditor"
client_secret = "hush auditor"
scopes = ["view:destinations", "read:stats"]
environments = ["Production"]

[[environment]]
name = "Production"
id = "env-2"
is_production = true

[[environment.queue]]
id = "orders"

[[environment.exchange]]
id = "events"
encrypted = true

[[environment.client_app]]
name = "till"
client_id = "till-id-2"
client_secret = "hush till 2"
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
            QueueConfig("steps", fifo=True),
        ),
        exchanges=(
            ExchangeConfig("events", ("orders", Binding("orders-dlq", RoutingRule("size", "NUMERIC", "RANGE", (1, 2.5))))),
        ),
        clients=(ClientApp("till", "till-id", "hush till"),),
        connected_apps=(ConnectedApp("auditor", "hush auditor", ("view:destinations", "read:stats"), ("Production",)),),
        environments=(
            EnvironmentConfig(
                "Production",
                "env-2",
                True,
                (QueueConfig("orders"),),
                (ExchangeConfig("events", encrypted=True),),
                (ClientApp("till", "till-id-2", "hush till 2"),),
            ),
        ),
        client_id="me",
        client_secret="hush",
        organization="org-1",
        environment="env-1",
        environment_name="Sandbox",
        region="eu-west-1",
        durable=False,
        switches=Switches(lock_ttl_unit="ms", exchange_read_status=404),
        credential_kinds=("client_app",),
        username="ada",
        password="hush hush",
    )


def test_an_empty_file_is_a_broker_without_queues(load):
    assert load("") == BrokerConfig()


def test_the_place_may_be_given_with_the_client(load):
    assert load('[client]\norganization = "o"\nenvironment = "e"\nregion = "r"').region == "r"


QUEUE = '[[queue]]\nid = "q"\n'
RULE = QUEUE + "[[exchange]]\nid = 'x'\nbindings = [{{queue = 'q', rule = {{property_name = 'p', {}}}}}]"
APP = "[[connected_app]]\nclient_id = 'a'\nclient_secret = '12345'\n"


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
        (
            QUEUE + "dead_letter_queue = 'f'\n[[queue]]\nid = 'f'\nfifo = true",
            ["dead_letter_queue is 'f'", "standard queue", "'q'"],
        ),
        (QUEUE + "[[exchange]]\nid = 'q'", ["id is 'q'", "each destination once"]),
        ("[[exchange]]\nid = 'x'\nbindings = ['q']", ["bindings is 'q'", "declared", "exchange 'x'"]),
        (QUEUE + "fifo = true\n[[exchange]]\nid = 'x'\nbindings = ['q']", ["bindings is 'q'", "standard queue", "'x'"]),
        (QUEUE + "[[exchange]]\nid = 'x'\nbindings = ['q', 'q']", ["bindings is 'q'", "each queue once"]),
        (QUEUE + "[[exchange]]\nid = 'x'\nbindings = [5]", ["'x'", "bindings is 5"]),
        (RULE.format("property_type = 'TEXT', matcher = 'EQ', value = 'a'"), ["propertyType is 'TEXT'", "'STRING', 'NUMERIC'"]),
        (RULE.format("property_type = 'STRING', matcher = 'GT', value = 'a'"), ["matcherType", "'GT'", "'PREFIX'"]),
        (RULE.format("property_type = 'STRING', matcher = 'EQ', value = 5"), ["value is 5", "a text for EQ"]),
        (RULE.format("property_type = 'STRING', matcher = 'ANY_OF', value = []"), ["value is ()", "1 to 150", "ANY_OF"]),
        (RULE.format("property_type = 'NUMERIC', matcher = 'RANGE', value = [2, 1]"), ["value is (2, 1)", "first less"]),
        (RULE.format("property_type = 'NUMERIC', matcher = 'LT', value = 1000000001"), ["10^9"]),
        (RULE.format("property_type = 'NUMERIC', matcher = 'EXISTS', value = 1"), ["true or false for EXISTS"]),
        (RULE.format("property_type = 'STRING', matcher = 'EQ'"), ["value is missing"]),
        ("[[client_app]]\nname = 'a'\nclient_id = 'b'", ["[[client_app]] no. 1 ('a')", "client_secret is missing"]),
        (APP + "scopes = ['read']", ["[[connected_app]] no. 1 ('a')", "scopes is 'read'", "'read:stats'"]),
        (APP + "environments = ['Test']", ["environments is 'Test'", "'Local'", "'a'"]),
        ("[[environment]]\nid = 'e'", ["[[environment]] no. 1", "name is missing"]),
        ("[[environment]]\nname = 'Local'", ["name is 'Local'", "each environment once"]),
        ("[[environment]]\nname = 'P'\n[[environment.queue]]\nid = 5", ["no. 1 ('P')", "[[queue]] no. 1", "id is 5"]),
        ("[switches]\nlock = 1", ["[switches]", "lock is not a known key", "lock_ttl_unit"]),
        ("[switches]\nlock_ttl_unit = 'm'", ["lock_ttl_unit is 'm'", "'s', 'ms'"]),
        ("[switches]\nexchange_read_status = '400'", ["exchange_read_status is '400'", "400, 404"]),
        ("[switches]\nstats_ids = 0", ["stats_ids is 0", "1 to 100000"]),
        ("[[exchange]]\nbindings = []", ["no. 1", "id is missing"]),
        ("[[exchange]]\nid = 'x'\nbindings = 'q'", ["'x'", "bindings is 'q'", "a list of queues"]),
        ("[[exchange]]\nid = 'x'\nrule = 1", ["rule", "not a known key"]),
        ("[client]\nsecret = 'hush'", ["[client]", "secret", "not a known key"]),
        ("[client]\nclient_id = ''", ["client_id is ''"]),
        ("[client]\nclient_secret = 12345", ["client_secret", "text"]),
        ("[client]\nregion = 'a'\n[broker]\nregion = 'b'", ["region", "once"]),
        ("[broker]\nregion = 'a/b'", ["region is 'a/b'"]),
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
        with pytest.raises(ConfigError, match="dead-letter queue 'r' does not exist"):
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
