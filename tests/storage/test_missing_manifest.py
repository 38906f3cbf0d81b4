"""Parts without a manifest are a damaged capture, not an empty one; and what looks alike is not always a copy."""

from __future__ import annotations

from pathlib import Path

import pytest

from courier_nb import Capture, CaptureDamaged, Client, Message
from courier_nb.broker import LocalBroker
from courier_nb.client import broker_settings
from courier_nb.frames.tables import messages_of, table_of
from courier_nb.storage.layout import open_layout
from courier_nb.storage.verification import verify_layout


def test_parts_without_a_manifest_are_not_an_empty_capture(tmp_path: Path) -> None:
    with LocalBroker(queues=["q"]) as broker, Client(broker_settings(broker.settings), transport=broker.transport()) as client:
        client.destination("q").publish([Message("a")], progress=False)
        capture = client.destination("q").drain(tmp_path / "cap", polling_time="20ms", progress=False)
        (tmp_path / "cap" / "_courier" / "manifest.jsonl").unlink()
        damaged = [finding.file for finding in verify_layout(open_layout(tmp_path / "cap")).findings if not finding.ok]
        assert "_courier/manifest.jsonl" in damaged
        for use in (lambda: Capture(tmp_path / "cap"), lambda: client.destination("q").replay(tmp_path / "cap")):
            with pytest.raises(CaptureDamaged, match=r"manifest\.jsonl is missing"):
                use()
        assert capture is not None


def test_a_name_that_looks_like_the_escape_of_another_is_kept() -> None:
    properties = {"\ud800": "a", '"\\ud800"': "b", '"plain"': 1}
    (message,) = messages_of(table_of([Message("x", properties)], [None]))
    assert message.properties == properties
