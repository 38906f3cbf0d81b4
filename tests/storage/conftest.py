"""Deliveries without a broker."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from courier_nb.core import exactjson
from courier_nb.storage.layout import Layout, create_layout
from courier_nb.storage.spool import Spool, answer_record, settlement_record
from courier_nb.wire.codec import Delivery, Receipt, messages_from_wire

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


def delivery(
    *ids: str, body: str = "a body", created: str = "Sun, 01 Mar 2026 11:00:00 GMT", extra: dict[str, str] | None = None
) -> Delivery:
    receipt = Receipt("dlq", "env", NOW, NOW, 0.0)
    items = [
        {
            "headers": {"messageId": id_, "lockId": f"AQEB/{id_}+=", "created": created, "deliveryCount": "1"},
            "properties": {"n": 1, "id": id_, **(extra or {})},
            "body": body,
        }
        for id_ in ids
    ]
    raw = exactjson.dumps(items)
    return Delivery(messages_from_wire(raw, receipt), raw, receipt)


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    return create_layout(tmp_path / "capture")


@pytest.fixture
def write_spool(layout: Layout) -> Callable[..., str]:
    """Leave a spool as a killed process does; return its name."""

    def write(*answers: tuple[Delivery, list[str] | None], stem: str = "20260301T120000-aaaaaaaa-00001") -> str:
        spool = Spool(layout, stem)
        for number, (answer, settlements) in enumerate(answers):
            spool.write(answer_record(answer))
            if settlements is not None:
                spool.note(settlement_record(number, settlements))
        spool.close()
        spool.release()
        return stem

    return write
