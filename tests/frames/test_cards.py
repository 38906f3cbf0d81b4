"""What the objects of the package show of themselves in a notebook: what matters, and nothing that must not be seen."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from IPython.core.interactiveshell import InteractiveShell
from IPython.lib.pretty import pretty

import courier_nb
from courier_nb import AsyncClient, Client, DrainReport, Message, MoveReport, Report
from courier_nb.broker import LocalBroker, QueueConfig
from courier_nb.client import broker_settings
from courier_nb.core.messages import Outcome
from courier_nb.flows.guard import LookCost
from courier_nb.frames.display import MARK

QUICK: dict[str, Any] = {"polling_time": "20ms", "progress": False}
BODY, PROPERTY = "a-body-to-hide", "a-property-to-hide"
MARKUP = "<img src=x onerror=alert(1)>\u202e$x$"


class Counting(httpx.AsyncBaseTransport):
    """Counts what is asked of the broker."""

    def __init__(self, inner: httpx.AsyncBaseTransport) -> None:
        self._inner = inner
        self.asked = 0

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        self.asked += 1
        return await self._inner.handle_async_request(request)


@pytest.fixture
def broker() -> Iterator[LocalBroker]:
    with LocalBroker(queues=[QueueConfig("dead"), QueueConfig("live", dead_letter_queue="dead", max_deliveries=3)]) as broker:
        yield broker


@pytest.fixture
def transport(broker: LocalBroker) -> Counting:
    return Counting(broker.transport())


@pytest.fixture
def client(broker: LocalBroker, transport: Counting) -> Iterator[Client]:
    with Client(broker_settings(broker.settings), transport=transport, lock_ttl_unit="s") as client:
        yield client


def shown(thing: Any) -> str:
    """Return all that IPython shows of an object; both forms must say the same facts."""
    return str(thing._repr_html_()) + pretty(thing)


def everything(client: Client, folder: Path) -> dict[str, Any]:
    queue = client.destination("dead")
    messages = [Message(f"{BODY} {i}", {"p": PROPERTY}, {"messageId": f"id-{i}"}) for i in range(15)]
    found: dict[str, Any] = {"client": client, "destination": queue, "journal": client.journal}
    found["published"] = queue.publish(messages, progress=False)
    found["received"] = queue.receive(12, **QUICK)
    found["holding"] = client.held()
    found["acked"] = queue.ack(found["received"].frame().head(2), progress=False)
    found["plan"] = queue.ack(found["received"].frame().tail(2), dry_run=True)
    found["released"] = queue.nack(found["received"].frame().tail(10), progress=False)
    found["cost"] = queue.look_cost(5)
    found["capture"] = queue.drain(folder / "capture", **QUICK)
    found["drained"] = found["capture"].report
    found["verified"] = found["capture"].verify()
    found["exported"] = found["capture"].export(folder / "dead.csv")
    found["replayed"] = client.replay(found["capture"], progress=False)
    found["moved"] = client.destination("live").move("dead", folder / "moved", **QUICK)
    found["destinations"] = client.destinations()
    found["proof"] = client.journal.verify() if client.journal else None
    found["doctor"] = client.doctor(reach=False, progress=False)
    return found


def test_nothing_shows_bodies_properties_locks_or_secrets_and_nothing_is_asked(
    client: Client, transport: Counting, broker: LocalBroker, tmp_path: Path
) -> None:
    things = everything(client, tmp_path)
    locks = [str(message.lock_id) for message in things["received"].messages]
    hidden = [BODY, PROPERTY, broker.settings["client_secret"], *locks]
    asked = transport.asked
    for name, thing in things.items():
        text = shown(thing)
        assert "courier-nb-card" in text, name
        assert [secret for secret in hidden if secret in text] == [], name
        assert len(text) < 20_000
        assert name == "plan" or name == "doctor" or "\n" not in repr(thing)
    assert transport.asked == asked


def test_each_shows_what_matters(client: Client, tmp_path: Path) -> None:
    things = {name: shown(thing) for name, thing in everything(client, tmp_path).items()}
    assert "not production" in things["client"]
    assert "http://127.0.0.1" in things["client"]
    assert "standard queue" in things["destination"]
    assert "15 ok" in things["published"]
    assert "Messages: the first 10; 2 more" in things["received"]
    assert "Holding 12 held" in things["holding"]
    assert "held until" in things["holding"]
    assert "2 ok" in things["acked"]
    assert "Nothing was sent" in things["plan"]
    assert "not limited" in things["cost"]
    assert "Capture of 13 messages" in things["capture"]
    assert "13 acked" in things["capture"]
    assert str(tmp_path / "capture") in things["drained"]
    assert "13 of 13 messages acknowledged" in things["drained"]
    assert "every checksum holds" in things["verified"]
    assert "dead.csv" in things["exported"]
    assert "13 ok" in things["replayed"]
    assert "13 of 13 messages moved" in things["moved"]
    assert "2 destinations: 2 queues" in things["destinations"]
    assert "every line holds" in things["proof"]
    assert "problems first" in things["doctor"]


def test_read_only_production_and_closed_are_said_in_words(broker: LocalBroker) -> None:
    settings = broker_settings(broker.settings)
    with courier_nb.connect("local", read_only=True, production=True, journal="off") as client:
        for thing in (client, client.destination("orders")):
            assert "READ-ONLY" in shown(thing)
            assert "PRODUCTION" in shown(thing)
        assert "none is kept" in shown(client)
    assert "(closed)" in shown(client)
    asynchronous = AsyncClient(settings, transport=broker.transport())
    assert "not known yet whether it is production" in shown(asynchronous)
    assert "AsyncDestination &#x27;dead&#x27;" in shown(asynchronous.destination("dead"))


def test_the_first_failures_are_shown_with_their_reasons() -> None:
    outcomes = [Outcome(f"id-{i}", "q", "ok" if i < 5 else "lost_lock", "its lock ran out" if i >= 5 else "") for i in range(30)]
    text = shown(Report("ack", "q", outcomes))
    assert "5 ok, 25 lost_lock" in text
    assert "Not as asked: the first 10; 15 more" in text
    assert "id-5" in text
    assert "its lock ran out" in text
    assert "id-15" not in text


def test_what_the_service_says_is_shown_harmlessly() -> None:
    failed = [Outcome(MARKUP, MARKUP, "refused", MARKUP)]
    moved = MoveReport(MARKUP, MARKUP, MARKUP, MARKUP, stopped_because=MARKUP, failed=failed)
    drained = DrainReport(MARKUP, MARKUP, stopped_because=MARKUP)
    cost = LookCost(MARKUP, 1, 2, 3, MARKUP, True, False)
    for thing in (Report(MARKUP, MARKUP, failed), moved, drained, cost):
        html = thing._repr_html_()  # type: ignore[attr-defined]
        assert "<img" not in html
        assert "&lt;img" in html
        assert "\u202e" not in shown(thing)


def test_frames_of_reports_are_marked_as_foreign_text(client: Client, tmp_path: Path) -> None:
    things = everything(client, tmp_path)
    for name in ("drained", "moved", "verified", "cost", "plan", "holding", "destinations", "replayed"):
        assert things[name].frame().attrs[MARK] is True, name
    assert things["capture"].runs.attrs[MARK] is True


def test_ipython_shows_cards_for_objects_that_stand_alone(client: Client) -> None:
    shell = InteractiveShell.instance()
    try:
        shell.display_formatter.active_types = ["text/html", "text/plain"]
        data = shell.display_formatter.format(client.destination("dead"))[0]
        assert data["text/html"].startswith("<div class")
        assert data["text/plain"].startswith("Destination 'dead'\n")
        assert shell.display_formatter.format([client.destination("dead")])[0] == {"text/plain": "[<Destination 'dead'>]"}
    finally:
        InteractiveShell.clear_instance()
