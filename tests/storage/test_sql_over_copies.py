"""SQL over a capture that holds messages twice."""

from __future__ import annotations

from collections.abc import Callable

from courier_nb import Capture, sql
from courier_nb.storage.layout import Layout

from .conftest import delivery


def test_a_message_captured_twice_is_one_row_of_a_query(layout: Layout, write_spool: Callable[..., str]) -> None:
    write_spool((delivery("same", "other"), ["unknown", "acked"]))
    write_spool((delivery("same"), ["acked"]), stem="20260301T130000-bbbbbbbb-00001")
    capture = Capture(layout.root)
    assert capture.duplicates == 1
    found = sql("SELECT message_id, count(*) AS rows FROM t GROUP BY ALL ORDER BY ALL", t=capture)
    assert found.to_numpy().tolist() == [["other", 1], ["same", 1]]
