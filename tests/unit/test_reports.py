from __future__ import annotations

import pytest

from courier_nb.core.errors import PartialFailure
from courier_nb.core.messages import Outcome
from courier_nb.flows.reports import DrainReport, Received, Report
from courier_nb.flows.tally import Tally
from tests.unit.scripts import item, received


def outcome(kind: str, position: int = -1, message_id: str | None = "m") -> Outcome:
    return Outcome(message_id, "q", kind, "" if kind == "ok" else "why", position)  # type: ignore[arg-type]


def report(*kinds: str) -> Report:
    return Report("ack", "q", [outcome(kind) for kind in kinds], calls=2, seconds=0.5)


@pytest.mark.parametrize(
    ("kinds", "ok", "counts", "shown"),
    [
        ((), True, {}, "<ack 'q': nothing to do>"),
        (("ok", "ok"), True, {"ok": 2}, "<ack 'q': 2 ok>"),
        (("ok", "unknown"), False, {"ok": 1, "unknown": 1}, "<ack 'q': 1 ok, 1 unknown>"),
        (("skipped",), False, {"skipped": 1}, "<ack 'q': 1 skipped>"),
    ],
)
def test_a_report_counts_and_says_whether_all_went_well(kinds, ok, counts, shown):
    found = report(*kinds)
    assert (found.ok, found.counts, repr(found), len(found)) == (ok, counts, shown, len(kinds))
    assert [failed.kind for failed in found.failed] == [kind for kind in kinds if kind != "ok"]


def test_raising_is_the_callers_choice():
    report("ok").raise_for_failed()
    found = report("ok", "lost_lock")
    with pytest.raises(PartialFailure, match=r"1 ok, 1 lost_lock.*report\.failed") as caught:
        found.raise_for_failed()
    assert caught.value.report is found


def test_a_report_is_a_frame_of_text():
    frame = Report("ack", "q", [outcome("ok"), outcome("unknown", message_id=None)]).frame()
    assert list(frame.columns) == ["message_id", "destination", "outcome", "reason"]
    assert {str(dtype) for dtype in frame.dtypes} == {"str"}
    assert frame.loc[1, ["destination", "outcome", "reason"]].tolist() == ["q", "unknown", "why"]
    assert frame["message_id"].isna().tolist() == [False, True]


def test_an_empty_report_is_a_frame_too():
    assert list(report().frame().columns) == ["message_id", "destination", "outcome", "reason"]


def test_received_messages_show_how_many_and_why_no_more_but_no_content():
    messages = received([item("m1", "secret body"), item("m2")])
    found = Received("peek", "q", messages, ["returned", None], [], stopped_because="limit of 2 reached", ghost_receives=1)
    assert repr(found) == "<peek 'q': 2 messages (limit of 2 reached), 1 receives without an answer>"
    assert found.frame()["settlement"].tolist()[0] == "returned"
    assert found.frame()["settlement"].isna().tolist() == [False, True]


@pytest.mark.parametrize(("acked", "ok"), [(3, True), (2, False)])
def test_a_drain_went_well_if_all_was_acknowledged(acked, ok):
    found = DrainReport("q", "/here", received=3, acked=acked, unknown=3 - acked)
    assert found.ok is ok
    assert found.frame().set_index("outcome")["messages"].to_dict() == {
        "acked": acked,
        "returned": 0,
        "refused": 0,
        "lost_lock": 0,
        "unknown": 3 - acked,
    }


def test_outcomes_are_put_in_the_order_of_the_input():
    tally = Tally()
    for position, kind in ((2, "skipped"), (0, "refused"), (1, "lost_lock")):
        tally.add(outcome(kind, position))
    assert [found.kind for found in tally.in_order()] == ["refused", "lost_lock", "skipped"]
    assert not tally.any_done
    tally.add(outcome("unknown", 3))
    assert tally.any_done
