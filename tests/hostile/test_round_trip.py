"""The corpus through publish, drain, Parquet, replay and drain again: what comes out is what went in, byte for byte."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from courier_nb import Capture, Client, Message, export_frame
from courier_nb.broker import LocalBroker
from courier_nb.core import exactjson
from courier_nb.wire.codec import message_to_wire

from . import corpus

QUICK: dict[str, Any] = {"polling_time": "20ms", "progress": False}


def wire(message: Message) -> bytes:
    """What a message is on the wire, but for what the broker and the replay add."""
    item = message_to_wire(message)
    added = {"ttl", "deliveryDelay"}
    headers = {name: value for name, value in item["headers"].items() if name not in added}
    properties = {name: value for name, value in item["properties"].items() if not name.startswith("courier_nb")}
    return exactjson.dumps({"headers": sorted(headers.items()), "properties": sorted(properties.items()), "body": item["body"]})


def by_id(messages: Iterable[Message]) -> dict[str, bytes]:
    return {str(message.message_id): wire(message) for message in messages}


@pytest.fixture
def capture(client: Client, tmp_path: Path) -> Capture:
    queue = client.destination("queue")
    assert queue.publish(corpus.small(), progress=False).ok
    return queue.drain(tmp_path / "capture", **QUICK)


def test_the_corpus_is_large_enough_and_hits_every_kind() -> None:
    given = corpus.small()
    print(f"{len(given)} messages, {len(corpus.TEXTS)} texts")
    assert len(given) >= 300
    assert len({message.message_id for message in given}) == len(given)


def test_it_comes_back_exact_through_publish_drain_parquet_replay_and_drain(
    client: Client, broker: LocalBroker, capture: Capture, tmp_path: Path
) -> None:
    given = by_id(corpus.small())
    assert by_id(capture.messages()) == given
    assert capture.verify().ok
    again = client.destination("again")
    report = again.replay(capture, progress=False)
    assert report.ok, report.failed  # type: ignore[union-attr]
    assert broker.depth("again")["messages"] == len(given)
    second = again.drain(tmp_path / "second", **QUICK)
    assert by_id(second.messages()) == given
    inside = {tmp_path / "capture", tmp_path / "second"}
    strays = [path for path in tmp_path.iterdir() if path not in inside]
    assert strays == []


def test_it_comes_back_exact_through_a_frame(client: Client, capture: Capture) -> None:
    again = client.destination("again")
    frame = capture.frame()
    assert again.publish(frame, strict=False, progress=False).ok
    arrived = again.receive(1_000, **QUICK).messages
    assert by_id(arrived) == by_id(corpus.small())


@pytest.mark.parametrize("name", ["all.jsonl", "all.jsonl.gz", "all.parquet"])
def test_it_comes_back_exact_through_an_exported_file(client: Client, capture: Capture, tmp_path: Path, name: str) -> None:
    report = capture.export(tmp_path / name)
    assert (report.rows, report.left_out) == (len(corpus.small()), 0)
    again = client.destination("again")
    assert again.publish(tmp_path / name, progress=False).ok
    arrived = again.receive(1_000, **QUICK).messages
    assert by_id(arrived) == by_id(corpus.small())


@pytest.mark.parametrize("name", ["all.jsonl", "all.parquet"])
def test_a_frame_of_it_can_be_exported_and_published(client: Client, capture: Capture, tmp_path: Path, name: str) -> None:
    export_frame(capture.frame(), tmp_path / name)
    again = client.destination("again")
    assert again.publish(tmp_path / name, progress=False).ok
    assert by_id(again.receive(1_000, **QUICK).messages) == by_id(corpus.small())


def test_ten_million_bytes_come_back_exact(client: Client, tmp_path: Path) -> None:
    queue, again = client.destination("queue"), client.destination("again")
    queue.publish(corpus.large(), progress=False)
    capture = queue.drain(tmp_path / "capture", **QUICK)
    assert again.replay(capture, progress=False).ok  # type: ignore[union-attr]
    (arrived,) = again.drain(tmp_path / "second", **QUICK).messages()
    assert wire(arrived) == wire(corpus.large())


def test_every_group_id_that_the_api_allows_keeps_its_group_in_order(client: Client, tmp_path: Path) -> None:
    given = corpus.grouped()
    dead, fifo = client.destination("fifo-dlq"), client.destination("fifo")
    assert dead.publish(given, progress=False).ok
    capture = dead.drain(tmp_path / "capture", **QUICK)
    assert fifo.replay(capture, progress=False).ok  # type: ignore[union-attr]
    second = list(fifo.drain(tmp_path / "second", **QUICK).messages())
    assert len(second) == len(given)
    for group in corpus.GROUPS:
        order = [message.body for message in given if message.message_group_id == group]
        assert [message.body for message in second if message.message_group_id == group] == order
