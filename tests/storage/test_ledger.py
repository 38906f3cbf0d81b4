"""The replay ledger."""

from __future__ import annotations

from pathlib import Path

import pytest

from courier_nb import CaptureError, Message
from courier_nb.storage.ledger import Ledger

pytestmark = pytest.mark.anyio
ROWS = [Message("a"), Message("b"), Message("a"), Message("a", {"n": 1})]


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


async def test_states_outlive_the_ledger_and_belong_to_their_target(tmp_path: Path) -> None:
    path = tmp_path / "ledger.sqlite"
    with Ledger(path, "env//orders") as ledger:
        keys = ledger.keys(ROWS)
        await ledger.record([(keys[0], "sent"), (keys[1], "sent"), (keys[2], "sent")])
        await ledger.record([(keys[0], "confirmed"), (keys[1], None)])
    with Ledger(path, "env//orders") as ledger:
        assert ledger.states(ledger.keys(ROWS)) == ["confirmed", None, "sent", None]
    with Ledger(path, "env//invoices") as ledger:
        assert ledger.states(ledger.keys(ROWS)) == [None] * 4
    assert path.stat().st_mode & 0o077 == 0


def test_equal_rows_are_told_apart_by_their_order_and_others_by_their_content(tmp_path: Path) -> None:
    with Ledger(tmp_path / "ledger.sqlite", "t") as ledger:
        keys = ledger.keys(ROWS)
    assert len(set(keys)) == len(ROWS)
    with Ledger(tmp_path / "ledger.sqlite", "t") as ledger:
        assert ledger.keys(ROWS) == keys


def test_a_ledger_that_cannot_be_opened_says_so(tmp_path: Path) -> None:
    (tmp_path / "ledger.sqlite").write_text("this is no database, and it is long enough to be looked at as one")
    with pytest.raises(CaptureError, match="cannot be opened"):
        Ledger(tmp_path / "ledger.sqlite", "t")
