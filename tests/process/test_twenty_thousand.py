"""The main job at a size that matters: 20,000 real messages to Parquet and into another queue."""

from __future__ import annotations

import gzip
import json
import os
from itertools import cycle, islice
from pathlib import Path
from typing import Any

import pytest

from courier_nb import Capture, Message

from .conftest import Cli, write_jsonl

COUNT = 20_000
MOST_BYTES = 400_000_000
CORPUS = Path(__file__).parents[3] / "shared" / "corpus" / "github-webhooks.jsonl.gz"


@pytest.fixture
def messages() -> list[dict[str, Any]]:
    path = Path(os.environ.get("COURIER_NB_CORPUS", CORPUS))
    if not path.exists():
        pytest.skip(f"NOT RUN: the corpus of real messages is not at {path} (COURIER_NB_CORPUS names another place)")
    with gzip.open(path) as lines:
        corpus = [json.loads(line) for line in lines]
    return [{**m, "headers": {**m["headers"], "messageId": f"m-{i}"}} for i, m in enumerate(islice(cycle(corpus), COUNT))]


def test_drain_and_replay_of_real_messages_change_nothing(cli: Cli, tmp_path: Path, messages: list[dict[str, Any]]) -> None:
    source = write_jsonl(tmp_path / "messages.jsonl", messages)
    assert cli.run("publish", "orders-dlq", source).code == 0
    drain = cli.run("drain", "orders-dlq", "--to", tmp_path / "first", "--json")
    replay = cli.run("replay", tmp_path / "first", "--to", "orders", "--json")
    depths = cli.depths()
    again = cli.run("drain", "orders", "--to", tmp_path / "second", "--json")

    print(
        f"\ndrain: {COUNT / drain.json['seconds']:.0f} messages/s, peak {drain.peak_rss / 1e6:.0f} MB; "
        f"replay: {COUNT / replay.json['seconds']:.0f} messages/s, peak {replay.peak_rss / 1e6:.0f} MB"
    )
    assert (drain.code, replay.code, again.code) == (0, 0, 0)
    assert depths == {"orders-dlq": (0, 0), "orders": (COUNT, 0)}
    assert 50_000_000 < max(drain.peak_rss, replay.peak_rss) < MOST_BYTES
    expected = {m["headers"]["messageId"]: (m["body"], m["properties"], m["headers"]["messageGroupId"]) for m in messages}
    for folder in ("first", "second"):
        capture = Capture(tmp_path / folder)
        assert capture.verify().ok
        assert len(capture) == COUNT
        found = {m.message_id: (m.body, own_properties(m), m.message_group_id) for m in capture.messages()}
        # an int is not equal to its text, so types are compared too
        changed = [id_ for id_, what in expected.items() if found.pop(id_, None) != what]
        assert (changed, list(found)) == ([], [])


def own_properties(message: Message) -> dict[str, Any]:
    """Return a message's properties without those that say that it was replayed."""
    return {name: value for name, value in message.properties.items() if not name.startswith("courier_nb.")}
