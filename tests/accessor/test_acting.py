"""``frame.courier`` against the embedded broker: the verbs that send something."""

from __future__ import annotations

import gc
import json
import pickle
import subprocess
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import courier_nb
from courier_nb import (
    AsyncClient,
    Capture,
    Client,
    Closed,
    ConfirmationNeeded,
    DestinationNotFound,
    FrameError,
    InvalidArgument,
    Plan,
    Received,
    Replayed,
    Report,
)
from courier_nb.broker import LocalBroker
from courier_nb.client import broker_settings
from courier_nb.frames.verbs import ORIGIN
from tests.accessor.conftest import QUICK, fill, waiting

QUIET: dict[str, Any] = {"progress": False}


def both(client: Client) -> pd.DataFrame:
    """Return held rows of two destinations, mixed, under labels of their own."""
    frames = [fill(client, name, *(json.dumps({"n": n}) for n in range(4))).frame() for name in ("shop-dead", "bills-dead")]
    mixed = pd.concat(frames, ignore_index=True).iloc[[5, 0, 6, 1, 4, 2]]
    return mixed.set_index(pd.Index([9, 9, 8, 7, 7, 1]))


def test_ack_deletes_the_rows_and_nothing_else(client: Client) -> None:
    frame = fill(client, "shop", "a", "b", "c").frame()
    report = frame[frame["body"] != "b"].courier.ack(**QUIET)
    assert type(report) is Report
    assert [outcome.kind for outcome in report] == ["ok", "ok"]
    assert waiting(client, "shop") == ["shop-1"]


def test_nack_returns_the_rows(client: Client) -> None:
    frame = fill(client, "shop", "a", "b").frame()
    assert frame.head(1).courier.nack(**QUIET).ok
    assert len(client.destination("shop").held()) == 1
    assert [m.message_id for m in client.destination("shop").receive(5, **QUICK).messages] == [frame["message_id"][0]]


def test_extend_moves_the_end_of_the_locks(client: Client) -> None:
    received = fill(client, "shop", "a", "b")
    before = received.frame()["lock_expires_at"]
    assert received.frame().courier.extend("10m", **QUIET).ok
    assert (received.frame()["lock_expires_at"] - before > pd.Timedelta("5min")).all()


def test_publish_sends_the_rows_to_where_it_is_told(client: Client) -> None:
    frame = fill(client, "shop", "a", "b").frame()
    assert frame.courier.publish("bills", **QUIET).ok
    assert waiting(client, "bills") == ["shop-0", "shop-1"]


def test_a_frame_of_one_s_own_is_published_with_a_client_that_is_given(client: Client) -> None:
    report = pd.DataFrame({"body": ["x", "y"]}).courier.publish("bills", client=client, **QUIET)
    assert report.ok
    assert len(waiting(client, "bills")) == 2


def test_replay_finds_the_queue_of_the_dead_letters(client: Client) -> None:
    frame = fill(client, "shop-dead", "a", "b").frame()
    report = frame.courier.replay(**QUIET)
    assert isinstance(report, Replayed)
    assert report.destination == "shop"
    assert waiting(client, "shop") == ["shop-dead-0", "shop-dead-1"]
    assert frame.courier.replay("bills", **QUIET).destination == "bills"
    assert len(waiting(client, "bills")) == 2


def test_rows_of_a_drained_capture_find_its_client(client: Client, tmp_path: Path) -> None:
    fill(client, "shop-dead", "a", "b").__exit__(None, None, None)
    capture = client.destination("shop-dead").drain(tmp_path / "capture", **QUICK)
    assert isinstance(capture, Capture)
    assert capture.frame().courier.replay(**QUIET).ok
    opened = Capture(tmp_path / "capture").frame()
    with pytest.raises(InvalidArgument, match=r"No client is known for these rows.*client="):
        opened.courier.replay(**QUIET)
    assert opened.courier.publish("bills", client=client, **QUIET).ok


def test_rows_of_a_peek_find_its_client(client: Client) -> None:
    fill(client, "shop", "a").__exit__(None, None, None)
    frame = client.destination("shop").peek(1, **QUICK).frame()
    assert frame.courier.publish("bills", **QUIET).ok
    assert frame.courier.ack(**QUIET).counts == {"lost_lock": 1}


@pytest.mark.parametrize("verb", ["ack", "nack", "extend"])
def test_rows_of_several_destinations_are_settled_in_each_and_reported_in_their_order(client: Client, verb: str) -> None:
    rows = both(client)
    report = getattr(rows.courier, verb)(*(["3m"] if verb == "extend" else []), **QUIET)
    assert report.ok
    assert [outcome.message_id for outcome in report] == rows["message_id"].tolist()
    assert [outcome.position for outcome in report] == list(range(6))
    assert report.frame()["message_id"].tolist() == rows["message_id"].tolist()
    assert report.frame()["destination"].tolist() == rows["destination"].tolist()
    assert report.destination == "bills-dead, shop-dead"
    assert [len(part) for part in report.parts] == [3, 3]
    assert report.calls == sum(part.calls for part in report.parts) >= 2


def test_rows_of_several_destinations_are_replayed_into_the_queue_of_each(client: Client) -> None:
    rows = both(client)
    report = rows.courier.replay(**QUIET)
    assert report.ok
    assert [outcome.message_id for outcome in report] == rows["message_id"].tolist()
    assert waiting(client, "shop") == sorted(rows.loc[rows["destination"] == "shop-dead", "message_id"])
    assert waiting(client, "bills") == sorted(rows.loc[rows["destination"] == "bills-dead", "message_id"])
    frame = report.frame()
    assert frame["message_id"].tolist() == rows["message_id"].tolist()
    assert (frame["state"] == "confirmed").all()
    assert frame["run"].nunique() == 2
    assert rows.courier.replay(**QUIET).counts == {"skipped": 6}


def test_what_stops_one_destination_is_reported_and_the_others_go_on(client: Client) -> None:
    rows = both(client)
    gone = rows["destination"] == "bills-dead"
    client.broker.delete_queue("bills")
    client.broker.delete_queue("bills-dead")
    report = rows.courier.ack(**QUIET)
    assert [outcome.kind == "ok" for outcome in report] == (~gone).tolist()
    assert [outcome.message_id for outcome in report] == rows["message_id"].tolist()
    assert all(outcome.reason for outcome in report.failed)
    assert report.frame()["outcome"].tolist() == [outcome.kind for outcome in report]
    assert waiting(client, "shop-dead") == ["shop-dead-3"]
    with pytest.raises(DestinationNotFound):
        rows[gone.to_numpy()].courier.nack(**QUIET)


def test_a_dry_run_plans_and_sends_nothing(client: Client) -> None:
    rows = both(client)
    for plan in (
        rows.courier.ack(dry_run=True),
        rows.courier.nack(dry_run=True),
        rows.courier.extend("2m", dry_run=True),
        rows.courier.replay(dry_run=True),
        rows.courier.publish("bills", dry_run=True),
    ):
        assert isinstance(plan, Plan)
        assert plan.rows == plan.to_do == 6
        assert "Nothing was sent" in repr(plan)
    assert len(waiting(client, "shop-dead")) == len(waiting(client, "bills-dead")) == 4
    assert waiting(client, "bills") == waiting(client, "shop") == []


def test_rows_that_cannot_be_settled_stop_it_before_anything_is_sent(client: Client) -> None:
    rows = both(client)
    with pytest.raises(FrameError, match="1 rows hold no lock"):
        rows.assign(lock_id=rows["lock_id"].mask([False] * 5 + [True])).courier.ack(**QUIET)
    with pytest.raises(FrameError, match="The column destination is missing"):
        rows.drop(columns="destination").courier.ack(**QUIET)
    with pytest.raises(FrameError, match=r"1 rows have no destination \(first: row 0"):
        rows.assign(destination=rows["destination"].mask([True] + [False] * 5)).courier.nack(**QUIET)
    assert len(waiting(client, "shop-dead")) == len(waiting(client, "bills-dead")) == 4


def test_no_rows_are_nothing_to_do(client: Client) -> None:
    empty = fill(client, "shop", "a").frame().head(0)
    assert len(empty.courier.ack(**QUIET)) == 0
    assert empty.courier.nack(dry_run=True).rows == 0
    assert empty.courier.replay("bills", **QUIET).ok
    assert waiting(client, "shop") == ["shop-0"]


def test_production_wants_every_destination_s_name_before_the_first_is_touched() -> None:
    with courier_nb.connect("local", production=True) as client:
        for name in ("one", "two"):
            client.broker.create_queue(name)
            client.destination(name).publish(pd.DataFrame({"body": ["x"]}), confirm=name, progress=False)
        rows = pd.concat([client.destination(name).receive(1, **QUICK).frame() for name in ("one", "two")])
        for confirm in (None, "one", ["one"], ["two", "three"]):
            with pytest.raises(ConfirmationNeeded):
                rows.courier.ack(confirm=confirm, **QUIET)
        assert len(waiting(client, "one")) == len(waiting(client, "two")) == 1
        assert rows.courier.ack(confirm=["two", "one"], **QUIET).ok
        assert waiting(client, "one") == waiting(client, "two") == []


@pytest.mark.parametrize(
    "change",
    [
        lambda frame: frame[frame["body"] == "a"],
        lambda frame: frame.sort_values("body").head(2),
        lambda frame: frame.copy(deep=True),
        lambda frame: frame.set_index("message_id", drop=False),
        lambda frame: pd.concat([frame.head(1), frame.tail(1)]),
        lambda frame: frame.assign(n=1).drop(columns="n"),
        lambda frame: pickle.loads(pickle.dumps(frame.astype({"lock_id": "str"}))),
    ],
)
def test_what_is_made_of_a_frame_knows_the_client(client: Client, change: Callable[[pd.DataFrame], pd.DataFrame]) -> None:
    frame = change(fill(client, "shop", "a", "b").frame())
    assert frame.courier.ack(**QUIET).ok
    assert len(frame)


def test_frames_hold_a_key_and_neither_client_nor_secret(client: Client, tmp_path: Path) -> None:
    frame = fill(client, "shop", "a").frame()
    assert len(frame.attrs[ORIGIN]) == 32
    text = json.dumps(frame.attrs) + repr(frame.courier)
    assert str(client.settings.client_secret) not in text
    frame.to_parquet(tmp_path / "rows.parquet")
    again = pd.read_parquet(tmp_path / "rows.parquet")
    assert again.courier.nack(**QUIET).ok
    assert frame.courier is not None
    assert pickle.loads(pickle.dumps(frame)).attrs == frame.attrs


def test_a_frame_does_not_keep_its_client() -> None:
    client = courier_nb.connect("local")
    client.broker.create_queue("short")
    frame = fill(client, "short", "a").frame()
    assert frame.courier.nack(dry_run=True).rows == 1
    del client
    gc.collect()
    with pytest.raises(InvalidArgument, match="no longer in use"):
        frame.courier.nack(**QUIET)


def test_a_closed_client_is_one_clear_error(client: Client) -> None:
    other = courier_nb.connect("local")
    frame = fill(other, "shop", "a").frame()
    other.close()
    with pytest.raises(Closed, match="The client of these rows is closed: give one that is not"):
        frame.courier.ack(**QUIET)
    assert frame.courier.publish("bills", client=client, **QUIET).ok


def test_rows_of_two_clients_stay_marked_and_go_through_the_first(client: Client) -> None:
    first = fill(client, "shop", "a").frame()
    with courier_nb.connect("local") as other:
        second = fill(other, "bills", "b").frame()
        rows = pd.concat([first, second])
        assert rows.attrs == first.attrs
        assert str(rows.attrs[ORIGIN]) == str(first.attrs[ORIGIN])
        assert rows.courier.nack(**QUIET).ok


def test_rows_of_two_environments_are_not_acted_on_through_the_first_client(client: Client) -> None:
    first = fill(client, "shop", "a").frame()
    with LocalBroker(queues=["bills"]) as broker, Client(broker_settings(broker.settings), transport=broker.transport()) as other:
        rows = pd.concat([first, fill(other, "bills", "b").frame()], ignore_index=True)
        for part in (rows, rows.tail(1)):
            for act in (part.courier.ack, part.courier.nack, partial(part.courier.publish, "bills")):
                with pytest.raises(InvalidArgument, match="act on the rows of each by themselves"):
                    act(**QUIET)
        assert waiting(client, "bills") == []
        assert rows.head(1).courier.ack(**QUIET).ok
        assert rows.tail(1).courier.ack(client=other, **QUIET).ok


@pytest.mark.parametrize("given", ["orders", 5, AsyncClient])
def test_only_a_client_is_taken_for_one(given: object) -> None:
    with pytest.raises(InvalidArgument, match="expected a Client"):
        pd.DataFrame({"body": ["x"]}).courier.publish("bills", client=given)


def test_there_is_an_accessor_as_soon_as_the_package_is_used_and_not_before() -> None:
    code = (
        "import courier_nb, pandas as pd\n"
        "print(hasattr(pd.DataFrame, 'courier'))\n"
        "client = courier_nb.connect(client_id='an-id', client_secret='x', region='us-east-1')\n"
        "import sys\n"
        "print(hasattr(pd.DataFrame, 'courier'), 'courier_nb.accessor' in sys.modules)\n"
        "print(pd.DataFrame({'body': ['1']}).courier)\n"
    )
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert answer.stdout.split("\n")[:3] == ["False", "True False", "<courier: verbs for 1 rows>"]


def test_reports_of_receive_name_their_client_only_by_a_key(client: Client) -> None:
    received = fill(client, "shop", "a")
    assert isinstance(received, Received)
    assert received.origin == str(received.frame().attrs[ORIGIN])
