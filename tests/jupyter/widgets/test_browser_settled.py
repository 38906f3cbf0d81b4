"""A table is told what cells do to the messages that it shows: marks, ends of locks, and what Settle then leaves out."""

from __future__ import annotations

import gc
import json
import threading
import weakref
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pandas as pd
import pytest

from courier_nb import Client
from courier_nb.blocking.client import inner_of
from courier_nb.broker import LocalBroker
from courier_nb.flows.locks.listeners import LockNews
from courier_nb.jupyter import MessageBrowser

from .front_end import FrontEnd
from .panel_driver import Bench, act, arm, confirm, connected, fill, queues, wait_for


@pytest.fixture
def client() -> Iterator[Client]:
    with LocalBroker(queues=queues()) as broker, connected(broker, lock_ttl_unit="s") as found:
        fill(broker, "orders", 6)
        yield found


@pytest.fixture
def bench() -> Iterator[Bench]:
    with LocalBroker(queues=queues()) as broker, connected(broker) as client:
        fill(broker, "orders", 4)
        yield Bench(broker, client)


def states(browser: MessageBrowser) -> list[str]:
    return [browser.state_of(row) for row in range(len(browser))]


def received(client: Client, count: int) -> pd.DataFrame:
    return client.destination("orders").receive(count, progress=False).frame()


def test_what_cells_settle_is_marked_in_the_table(client: Client) -> None:
    page = FrontEnd()
    rows = received(client, 4)
    browser = MessageBrowser(rows, client=client, comm=page)
    client.destination("orders").ack(rows.iloc[[1]], progress=False)
    rows.iloc[[2]].courier.nack(progress=False)
    client.destination("orders").ack(rows.iloc[[1]], progress=False)  # again: its lock is gone
    wait_for(lambda: states(browser) == ["", "lost_lock", "returned", ""], lambda: str(states(browser)))
    told = json.loads(page.told("marks")[-1][1][0])["states"]
    assert told == {"lost_lock": [1], "returned": [2]}


def test_a_message_that_a_cell_sends_to_the_dead_letters_is_marked_so(client: Client) -> None:
    orders = client.destination("orders")
    orders.nack(received(client, 6), progress=False)
    rows = orders.peek(2, progress=False).frame()  # their second delivery, which is the last one: held, not returned
    browser = MessageBrowser(rows, client=client)
    orders.nack(rows.head(1), progress=False)
    wait_for(lambda: any(states(browser)))
    assert states(browser) == ["dead-lettered", ""]


def test_locks_that_a_cell_extends_last_longer_in_the_table(client: Client) -> None:
    page = FrontEnd()
    rows = received(client, 3)
    browser = MessageBrowser(rows, client=client, comm=page)
    client.destination("orders").extend(rows.head(2), "2h", progress=False)
    wait_for(lambda: page.told("locks"))
    told = json.loads(page.told("locks")[-1][1][0])
    until = (datetime.now(UTC) + timedelta(hours=2)).timestamp() * 1000
    assert told["rows"] == [0, 1] and all(abs(end - until) < 60_000 for end in told["ends"])
    wait_for(lambda: (browser.frame["lock_expires_at"] - rows["lock_expires_at"] > "1h").tolist() == [True, True, False])
    assert states(browser) == ["", "", ""]


def test_what_the_client_gives_back_when_it_closes_is_marked() -> None:
    with LocalBroker(queues=queues()) as broker:
        fill(broker, "orders", 2)
        with connected(broker) as client:
            browser = MessageBrowser(received(client, 2), client=client)
        wait_for(lambda: states(browser) == ["returned"] * 2, lambda: str(states(browser)))


def test_what_other_rows_and_other_clients_do_marks_nothing(client: Client) -> None:
    rows = received(client, 4)
    browser = MessageBrowser(rows.head(2), client=client)
    alone = MessageBrowser(rows)
    client.destination("orders").ack(rows.tail(2), progress=False)
    client.destination("orders").ack(rows.head(1), progress=False)
    wait_for(lambda: any(states(browser)))
    assert states(browser) == ["acked", ""] and states(alone) == [""] * 4


def test_settling_does_not_wait_for_the_table(client: Client) -> None:
    rows = received(client, 3)
    browser = MessageBrowser(rows, client=client)
    with browser._turn:  # as while a page is being answered
        client.destination("orders").ack(rows.head(2), progress=False)
        assert states(browser) == [""] * 3
    wait_for(lambda: states(browser) == ["acked", "acked", ""])


def test_a_table_that_is_no_longer_used_is_let_go(client: Client) -> None:
    rows = received(client, 2)
    browser = MessageBrowser(rows, client=client)
    gone = weakref.ref(browser)
    browser.close()
    del browser
    gc.collect()
    assert gone() is None
    client.destination("orders").ack(rows, progress=False).raise_for_failed()


def test_a_listener_that_fails_does_not_make_settling_fail(client: Client, caplog: pytest.LogCaptureFixture) -> None:
    class Broken:
        def hear(self, news: LockNews) -> None:
            raise ValueError("no table here")

    broken = Broken()
    inner_of(client)._connection.keeper.on_settled(broken.hear)
    report = client.destination("orders").ack(received(client, 2), progress=False)
    assert report.counts == {"ok": 2} and "no table here" in caplog.text


def test_rows_that_a_cell_settled_are_left_out_of_settle(bench: Bench) -> None:
    bench.take(4)
    frame = bench.browser.frame
    bench.client.destination("orders").ack(frame.iloc[[0]], progress=False)
    frame.iloc[[1]].courier.nack(progress=False)
    bench.browser.select(range(4))
    lines = arm(bench.settle, "ack")
    assert "Settled already: 2 (left out)." in lines and "Delete 2 messages of 'orders'." in lines
    confirm(bench.settle)
    wait_for(lambda: states(bench.browser) == ["acked", "returned", "acked", "acked"], lambda: str(states(bench.browser)))
    assert bench.depth("orders") == 1


def test_what_a_panel_settles_is_told_to_the_page_once(bench: Bench) -> None:
    page = FrontEnd()
    bench.take(4)
    bench.browser.comm = page
    page.on_msg(bench.browser._handle_msg)
    bench.browser.select([0, 2])
    act(bench.settle, "ack")
    assert states(bench.browser) == ["acked", "", "acked", ""]
    wait_for(lambda: not [one for one in threading.enumerate() if one.name == "courier_nb marks"])
    assert len(page.told("marks")) == 1
