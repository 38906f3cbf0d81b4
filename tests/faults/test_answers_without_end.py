"""Answers that go on for ever, in bytes or in time, and redirects: memory, time and secrets stay where they are."""

from __future__ import annotations

import threading
import time
from pathlib import Path

import psutil
import pytest

from courier_nb import BadAnswer, Client, Message, Refused, Unreachable
from courier_nb.broker import LocalBroker

from .proxy import Proxy, Strike

_MOST_GROWTH = 350_000_000  # an answer to a batch of ten may hold 224 MB, and is put together once


@pytest.fixture
def queue(broker: LocalBroker) -> str:
    broker.create_queue("endless", max_deliveries=1000)
    broker.purge("endless")
    return "endless"


def test_a_gzip_bomb_is_stopped_with_bounded_memory(client: Client, direct: Client, proxy: Proxy, queue: str) -> None:
    """A gigabyte of blanks in a megabyte: F34."""
    destination = client.destination(queue)
    direct.destination(queue).publish_batch([_message()])
    process, most = psutil.Process(), 0
    before = process.memory_info().rss

    def watch() -> None:
        nonlocal most
        while not done.wait(0.01):
            most = max(most, process.memory_info().rss)

    done = threading.Event()
    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        bomb = Strike("gzip_bomb", "receive", every=1, times=99, value=1_024)
        with proxy.striking(bomb), pytest.raises(BadAnswer, match="holds more than") as caught:
            destination.receive_batch(polling_time="20ms", batch_size=10)
    finally:
        done.set()
        watcher.join()
    grown = max(0, most - before)
    print(f"\ngzip bomb of 1,024 MB on receive: {caught.value}; memory grew by {grown / 1e6:.0f} MB (proxy included)")
    assert caught.value.outcome_unknown
    assert grown <= _MOST_GROWTH


def test_a_drain_through_bombs_ends_with_an_error_and_loses_nothing(
    client: Client, direct: Client, proxy: Proxy, queue: str, broker: LocalBroker, tmp_path: Path
) -> None:
    direct.destination(queue).publish_batch([_message()])
    with proxy.striking(Strike("gzip_bomb", "receive", every=1, times=99, value=256)), pytest.raises((BadAnswer, Unreachable)):
        client.destination(queue).drain(tmp_path / "c", polling_time="20ms", progress=False)
    assert len(broker.messages(queue)) == 1


@pytest.mark.parametrize("operation", ["receive", "ack_batch"])
def test_an_answer_that_drips_is_given_up_at_the_deadline_of_the_whole_call(
    client: Client, proxy: Proxy, queue: str, operation: str
) -> None:
    """F27: a byte every 50 ms keeps every timeout between two bytes from running out."""
    destination = client.destination(queue)
    with proxy.striking(Strike("dripping", operation, every=1, times=99)):
        started = time.monotonic()
        with pytest.raises(Unreachable) as caught:
            if operation == "receive":
                destination.receive_batch(polling_time="20ms")
            else:
                destination.ack_batch([("m", "lock")])
        seconds = time.monotonic() - started
    attempts = 1 if operation == "receive" else 6
    allowed = attempts * (0.02 + 0.25 + 0.25)
    print(f"\ndripping on {operation}: given up after {seconds:.2f} s; {attempts} attempts may take {allowed:.2f} s")
    assert caught.value.outcome_unknown
    assert seconds <= allowed + attempts * 1.0


@pytest.mark.parametrize("operation", ["authorize", "receive", "publish_batch"])
def test_a_redirect_is_not_followed_to_another_host(client: Client, proxy: Proxy, queue: str, operation: str) -> None:
    """F33: the other host would be given the secret or the messages."""
    elsewhere = f"http://localhost:{proxy.port}/elsewhere"
    destination = client.destination(queue)
    before = proxy.calls["other"]
    with proxy.striking(Strike("redirect", operation, every=1, times=99, value=elsewhere)), pytest.raises(Refused):
        if operation == "publish_batch":
            destination.publish_batch([_message()])
        else:
            destination.receive_batch(polling_time="20ms")
    print(f"\nredirect on {operation}: {proxy.calls['other'] - before} requests at the other host")
    assert proxy.calls["other"] == before


def _message() -> Message:
    return Message("body", {}, {"messageId": "m-0"})
