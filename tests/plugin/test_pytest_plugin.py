"""The pytest plugin, as another project uses it: its tests, its settings, its client."""

from __future__ import annotations

import subprocess
import sys

import pytest

pytest_plugins = "pytester"

PUBLISH = """
import httpx

def publish(broker, queue, body):
    settings = broker.settings
    fields = {key: settings[key] for key in ("client_id", "client_secret")} | {"grant_type": "client_credentials"}
    token = httpx.post(settings["url"] + "/authorize", data=fields).json()["access_token"]
    environment = f"/organizations/{settings['organization']}/environments/{settings['environment']}"
    url = settings["url"] + environment + f"/destinations/{queue}/messages/an-id"
    message = {"body": body, "properties": {"n": 1}}
    answer = httpx.put(url, json=message, headers={"Authorization": f"bearer {token}"})
    assert answer.status_code == 201, answer.text
"""


def run(pytester: pytest.Pytester, tests: str, **more: str) -> pytest.RunResult:
    pytester.makepyfile(helpers=PUBLISH)
    pytester.makepyfile(test_theirs="from helpers import publish\n" + tests)
    for name, text in more.items():
        pytester.path.joinpath(name.replace("_", ".")).write_text(text)
    return pytester.runpytest_inprocess("-q", "-p", "no:cacheprovider")


def test_a_test_gets_a_broker_of_its_own_and_sees_what_its_queues_hold(pytester: pytest.Pytester) -> None:
    tests = """
import pytest

@pytest.mark.parametrize("time", [1, 2])
def test_a_message_arrives(courier_broker, time):
    assert courier_broker.depth("orders") == {"messages": 0, "inflight": 0}
    publish(courier_broker, "orders", "hello")
    for _ in range(2):
        (message,) = courier_broker.messages("orders")
        assert (message.id, message.body, message.properties) == ("an-id", "hello", {"n": 1})
        assert (message.delivery_count, message.in_flight) == (0, False)
    assert "hello" not in repr(message)
"""
    run(pytester, tests).assert_outcomes(passed=2)


def test_the_settings_are_a_fixture_to_be_overridden(pytester: pytest.Pytester) -> None:
    tests = """
import pytest

@pytest.fixture
def courier_broker_config():
    return "broker.toml"

def test_their_queue(courier_broker):
    publish(courier_broker, "steps", "hello")
    assert [queue.id for queue in courier_broker.queues()] == ["steps"]
    assert courier_broker.queues()[0].fifo
"""
    run(pytester, tests, broker_toml='[[queue]]\nid = "steps"\nfifo = true\n').assert_outcomes(passed=1)


def test_the_clock_is_a_fixture_to_be_overridden(pytester: pytest.Pytester) -> None:
    tests = """
import pytest
from courier_nb.broker import ManualClock

@pytest.fixture
def courier_broker_clock():
    return ManualClock()

def test_a_week_later(courier_broker, courier_broker_clock):
    publish(courier_broker, "orders", "hello")
    courier_broker_clock.advance(6 * 86_400)
    assert len(courier_broker.messages("orders")) == 1
    courier_broker_clock.advance(86_400)
    assert courier_broker.messages("orders") == []
"""
    run(pytester, tests).assert_outcomes(passed=1)


def test_a_client_of_this_package_finds_the_broker_through_the_environment(pytester: pytest.Pytester) -> None:
    tests = """
import courier_nb

def test_drain(courier_broker, monkeypatch, tmp_path):
    for name, value in courier_broker.environ.items():
        monkeypatch.setenv(name, value)
    publish(courier_broker, "orders", "hello")
    with courier_nb.connect() as client:
        report = client.destination("orders").drain(tmp_path / "capture", limit=1)
    assert courier_broker.messages("orders") == []
    assert list(courier_nb.Capture(tmp_path / "capture").frame()["body"]) == ["hello"]
"""
    run(pytester, tests).assert_outcomes(passed=1)


def test_the_plugin_costs_nothing_until_it_is_used() -> None:
    code = (
        "import sys, courier_nb.testing\n"
        "print(sorted({'pandas', 'pyarrow', 'httpx', 'aiohttp', 'courier_nb.broker', 'courier_nb.core'} & set(sys.modules)))"
    )
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert answer.stdout.strip() == "[]"
