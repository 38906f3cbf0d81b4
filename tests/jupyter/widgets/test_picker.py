"""The picker against real brokers: what it shows, what it asks, and what it does when it may not ask."""

from __future__ import annotations

import gc
import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import httpx
import pandas as pd
import pytest

import courier_nb
from courier_nb import Client
from courier_nb.broker import BrokerConfig, Fault, LocalBroker, QueueConfig
from courier_nb.broker.config.access import ClientApp, ConnectedApp
from courier_nb.broker.config.destinations import Binding, ExchangeConfig
from courier_nb.client import broker_settings
from courier_nb.core.clock import ManualClock
from courier_nb.core.errors import InvalidArgument
from courier_nb.jupyter import DestinationPicker

QUEUES = (
    QueueConfig("orders-dlq"),
    QueueConfig("orders", dead_letter_queue="orders-dlq", max_deliveries=7),
    QueueConfig("payments", dead_letter_queue="orders-dlq"),
    QueueConfig("invoices", fifo=True),
)
CONFIG = BrokerConfig(
    queues=QUEUES,
    exchanges=(ExchangeConfig("order-events", (Binding("orders"),)),),
    clients=(ClientApp("app", "app-id", "app-secret"),),
    connected_apps=(ConnectedApp("reader", "reader-secret", ("subscribe:destinations",)),),
)
PATIENCE = 20


class Watching(httpx.AsyncBaseTransport):
    """Passes calls on to a broker, and keeps their paths."""

    def __init__(self, broker: LocalBroker) -> None:
        self._inner = broker.transport()
        self.urls: list[httpx.URL] = []

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        self.urls.append(request.url)
        return await self._inner.handle_async_request(request)

    def asked(self) -> list[str]:
        """Return the queues whose counts were asked for since the last time."""
        found = [name for url in self.urls if "/stats/" in url.path for name in url.params["destinationIds"].split(",")]
        self.urls.clear()
        return found


class Told(DestinationPicker):
    """Keeps what the front end is told."""

    def __init__(self, *arguments: Any, **keywords: Any) -> None:
        self.told: list[dict[str, Any]] = []
        super().__init__(*arguments, **keywords)

    def tell(self, message: dict[str, Any], buffers: Any = ()) -> None:
        self.told.append(message)
        super().tell(message, buffers)

    def last(self, kind: str) -> dict[str, Any]:
        return [message for message in self.told if message["tell"] == kind][-1]


@dataclass
class Scene:
    """A broker, clients of it, and pickers; what they say is told as a front end does."""

    broker: LocalBroker
    clock: ManualClock = field(default_factory=ManualClock)
    closing: list[Callable[[], None]] = field(default_factory=list)

    def client(self, **changes: Any) -> tuple[Client, Watching]:
        transport = Watching(self.broker)
        client = Client(replace(broker_settings(self.broker.settings), **changes), transport=transport)
        self.closing.append(client.close)
        return client, transport

    def picker(self, client: Client, *arguments: Any, **keywords: Any) -> Told:
        picker = Told(client, *arguments, clock=self.clock, **keywords)
        self.closing.append(picker.close)
        assert picker.wait(PATIENCE)
        return picker

    def seen(self, picker: DestinationPicker, *names: str, is_open: bool = True) -> None:
        say(picker, do="seen", names=list(names), open=is_open)
        assert picker.wait(PATIENCE)


def say(picker: DestinationPicker, **message: Any) -> None:
    picker._handle_custom_msg(message, [])


@contextmanager
def scene_of(config: BrokerConfig) -> Iterator[Scene]:
    with LocalBroker(config) as broker:
        scene = Scene(broker)
        yield scene
        for close in reversed(scene.closing):
            close()


@pytest.fixture
def scene() -> Iterator[Scene]:
    with scene_of(CONFIG) as scene:
        yield scene


def publish(client: Client, queue: str, count: int) -> None:
    client.destination(queue).publish(pd.DataFrame({"body": ["x"] * count}), progress=False)


AS_APP = {"auth": "client_app", "client_id": "app-id", "client_secret": "app-secret"}


def test_the_list_is_there_with_kinds_links_and_counts(scene: Scene) -> None:
    client, _ = scene.client()
    publish(client, "orders-dlq", 3)
    picker = scene.picker(client)
    assert picker.options == ["invoices", "order-events", "orders", "orders-dlq", "payments"]
    assert (picker.source, picker.note, picker.error) == ("service", "", "")
    assert picker.summary == "4 queues and 1 exchange in us-east-1"
    picker.value = "orders-dlq"
    info = picker.info
    assert (picker.kind, info["is_listed"], info["dead_letters_of"]) == ("queue", True, ["orders", "payments"])
    assert (info["messages"], info["in_flight"], info["read_at"].timestamp()) == (3, 0, scene.clock.time())
    picker.value = "orders"
    assert (picker.info["dead_letter_queue"], picker.info["max_deliveries"]) == ("orders-dlq", 7)
    picker.value = "invoices"
    assert picker.kind == "FIFO queue"
    picker.value = "order-events"
    assert (picker.kind, picker.info["messages"]) == ("exchange", None)


def test_the_embedded_broker_is_listed_at_once_and_its_names_are_not_kept(state_of_its_own: Path) -> None:
    with courier_nb.connect("local") as client:
        client.broker.create_queue("picked-here")
        picker = DestinationPicker(client, "picked-here")
        assert picker.wait(PATIENCE) and "picked-here" in picker.options and picker.info["messages"] == 0
        picker.close()
    assert list(state_of_its_own.rglob("destinations.json")) == []


def test_a_click_picks_and_listeners_are_told_each_time(scene: Scene) -> None:
    picker = scene.picker(scene.client()[0])
    told: list[str] = []
    picker.on_pick(told.append)
    say(picker, do="pick", name="orders")
    say(picker, do="pick", name="orders")
    say(picker, do="pick", name="payments")
    assert (picker.value, told) == ("payments", ["orders", "orders", "payments"])


@pytest.mark.parametrize("name", [".", "..", "x" * 501, "two names"])
def test_what_cannot_be_a_destination_is_refused_in_words(scene: Scene, name: str) -> None:
    picker = scene.picker(scene.client()[0], "orders")
    with pytest.raises(InvalidArgument, match="cannot be a destination"):
        picker.pick(name)
    say(picker, do="pick", name=name)
    assert "cannot be a destination" in picker.error and picker.value == "orders"
    say(picker, do="pick", name="payments")
    assert (picker.error, picker.value) == ("", "payments")


def test_a_name_that_is_not_listed_is_taken_and_marked_and_not_remembered(scene: Scene, state_of_its_own: Path) -> None:
    client, _ = scene.client()
    picker = scene.picker(client)
    say(picker, do="pick", name=" ordres ")
    assert picker.wait(PATIENCE)
    assert (picker.value, picker.kind, picker.info["is_listed"], picker.info["messages"]) == ("ordres", "", False, None)
    assert list(state_of_its_own.rglob("destinations.json")) == []


def test_an_unknown_order_is_refused(scene: Scene) -> None:
    with pytest.raises(InvalidArgument, match="'newest', expected one of 'dead letters', 'depth', 'name'"):
        DestinationPicker(scene.client()[0], sort="newest")


def test_only_a_blocking_client_is_taken(scene: Scene) -> None:
    with pytest.raises(InvalidArgument, match="client is a str, expected a Client"):
        DestinationPicker("orders")  # type: ignore[arg-type]


def test_counts_are_read_again_while_somebody_looks_and_not_otherwise(scene: Scene) -> None:
    client, transport = scene.client()
    picker = scene.picker(client, "orders")
    publish(client, "orders", 2)
    transport.asked()
    scene.seen(picker, "orders")
    assert transport.asked() == [] and picker.info["messages"] == 0
    scene.clock.advance(31)
    assert transport.asked() == []
    scene.seen(picker, "orders")
    assert sorted(transport.asked()) == ["invoices", "orders", "orders-dlq", "payments"]
    assert (picker.info["messages"], picker.info["read_at"].timestamp()) == (2, scene.clock.time())
    assert picker.last("counts")["of"]["orders"] == [2, 0, 0]


def test_with_the_list_hidden_only_what_is_picked_is_read(scene: Scene) -> None:
    client, transport = scene.client()
    picker = scene.picker(client, "orders")
    scene.clock.advance(31)
    transport.asked()
    scene.seen(picker, is_open=False)
    assert transport.asked() == ["orders"]


def test_clicks_that_waited_for_a_busy_kernel_ask_once(scene: Scene) -> None:
    client, transport = scene.client()
    picker = scene.picker(client)
    scene.clock.advance(31)
    transport.asked()
    for _ in range(50):
        say(picker, do="seen", names=["orders"], open=True)
    assert picker.wait(PATIENCE)
    assert len(transport.asked()) == 4


def test_refresh_finds_new_queues_and_says_what_was_there_again_to_a_second_view(scene: Scene) -> None:
    picker = scene.picker(scene.client()[0])
    scene.broker.create_queue("brand-new")
    say(picker, do="refresh")
    assert picker.wait(PATIENCE) and "brand-new" in picker.options
    picker.told.clear()
    say(picker, do="show")
    assert [row["name"] for row in picker.last("list")["rows"]] == picker.options
    assert set(picker.last("counts")["of"]) == {*picker.options} - {"order-events"}


def test_throttling_is_said_in_words_and_slows_it_down(scene: Scene) -> None:
    client, transport = scene.client()
    picker = scene.picker(client)
    with scene.broker.faults.during(Fault("throttled", operations=("stats",), retry_after=0)):
        scene.clock.advance(31)
        scene.seen(picker, "orders")
        assert "The counts could not be read" in picker.note and "Next try in 30 s" in picker.note
        scene.clock.advance(31)
        scene.seen(picker, "orders")
        assert "Next try in 60 s" in picker.note
        transport.asked()
        scene.clock.advance(31)
        scene.seen(picker, "orders")
        assert transport.asked() == []
    scene.clock.advance(31)
    scene.seen(picker, "orders")
    assert picker.note == "" and transport.asked() != []


def test_a_list_that_cannot_be_read_is_tried_again(scene: Scene) -> None:
    with scene.broker.faults.during(Fault("plain_text", operations=("admin",), status=400)):
        picker = scene.picker(scene.client()[0], "orders")
        assert "The list could not be read" in picker.note and picker.options == []
    scene.clock.advance(31)
    scene.seen(picker)
    assert (picker.note, len(picker.options), picker.info["is_listed"]) == ("", 5, True)


def test_a_list_is_kept_when_it_cannot_be_read_again(scene: Scene) -> None:
    picker = scene.picker(scene.client()[0])
    with scene.broker.faults.during(Fault("plain_text", operations=("admin",), status=400)):
        picker.refresh()
        assert picker.wait(PATIENCE)
    assert "The list could not be read" in picker.note and (len(picker.options), picker.source) == (5, "service")


def test_a_client_that_is_closed_is_said_in_words(scene: Scene) -> None:
    client, transport = scene.client()
    picker = scene.picker(client)
    client.close()
    scene.clock.advance(31)
    scene.seen(picker)
    assert "The client is closed" in picker.note
    transport.asked()
    scene.clock.advance(3600)
    scene.seen(picker)
    assert transport.asked() == []


def test_a_closed_picker_asks_nothing(scene: Scene) -> None:
    client, transport = scene.client()
    picker = scene.picker(client)
    picker.close()
    scene.clock.advance(31)
    transport.asked()
    scene.seen(picker)
    picker.refresh()
    assert picker.wait(PATIENCE) and transport.asked() == []


def test_a_client_app_is_told_so_and_any_name_can_be_typed(scene: Scene) -> None:
    client, transport = scene.client(**AS_APP)
    picker = scene.picker(client)
    assert "MQ client app, which may not list destinations" in picker.note
    assert (picker.source, picker.options) == ("memory", [])
    assert not any("/admin/" in url.path or "/stats/" in url.path for url in transport.urls)
    say(picker, do="pick", name="orders")
    assert (picker.value, picker.kind, picker.info["is_listed"], picker.error) == ("orders", "", False, "")


def test_a_typed_name_is_offered_when_another_one_is_picked(scene: Scene) -> None:
    picker = scene.picker(scene.client(**AS_APP)[0])
    picker.pick("orders")
    assert (picker.options, picker.info["is_listed"]) == ([], False)
    picker.pick("payments")
    assert (picker.options, picker.summary) == (["orders"], "1 name used before in this environment")
    assert picker.last("list")["rows"] == [{"name": "orders", "usedSecondsAgo": 0}]


def test_an_expired_token_is_not_taken_for_a_missing_right(scene: Scene) -> None:
    client, _ = scene.client()
    with scene.broker.faults.during(Fault("unauthorized", operations=("admin",))):
        picker = scene.picker(client)
    assert "The list was refused" in picker.note and "View destinations" not in picker.note


def test_names_used_before_are_offered_to_the_next_picker_of_the_same_environment(scene: Scene) -> None:
    app, _ = scene.client(**AS_APP)
    scene.picker(app, "orders")
    scene.clock.advance(60)
    scene.picker(scene.client()[0], "payments")
    later = scene.picker(scene.client(**AS_APP)[0])
    assert later.options == ["payments", "orders"] and later.summary == "2 names used before in this environment"
    assert [row["name"] for row in later.last("list")["rows"]] == later.options
    with LocalBroker(CONFIG) as elsewhere:
        other = Scene(elsewhere)
        assert other.picker(other.client(**AS_APP)[0]).options == []


def test_what_the_journal_knows_is_offered_too(scene: Scene) -> None:
    app, _ = scene.client(**AS_APP)
    publish(app, "payments", 1)
    scene.clock.advance(time.time() - scene.clock.time())
    assert scene.picker(app).options == ["payments"]


def test_who_keeps_no_journal_leaves_no_names(scene: Scene, state_of_its_own: Path) -> None:
    picker = scene.picker(scene.client(**AS_APP, journal="off")[0], "orders")
    assert picker.summary == "Names are not remembered, because no journal is kept"
    assert list(state_of_its_own.rglob("destinations.json")) == []


def test_a_name_that_cannot_be_remembered_is_picked_all_the_same(scene: Scene, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    picker = scene.picker(scene.client()[0], "orders", remembered=tmp_path / "file" / "names.json")
    assert picker.value == "orders" and "could not be remembered" in picker.note


def test_a_connected_app_without_the_right_is_told_which(scene: Scene) -> None:
    picker = scene.picker(scene.client(client_id="reader", client_secret="reader-secret")[0])
    assert "“View destinations” is missing" in picker.note and picker.source == "memory"


def test_counts_that_are_refused_are_not_asked_again_until_refresh(scene: Scene) -> None:
    client, transport = scene.client()
    with scene.broker.faults.during(Fault("forbidden", operations=("stats",))):
        picker = scene.picker(client)
        assert len(picker.options) == 5 and "may not read counts" in picker.note
        transport.asked()
        scene.clock.advance(700)
        scene.seen(picker, "orders")
        assert transport.asked() == []
    picker.refresh()
    assert picker.wait(PATIENCE) and picker.note == "" and len(transport.asked()) == 4


def test_wrong_credentials_are_said_in_words(scene: Scene) -> None:
    picker = scene.picker(scene.client(client_secret="wrong")[0])
    assert "The list could not be read" in picker.note and picker.summary == "There is no list"
    assert "wrong" not in picker.note


def test_five_thousand_queues_are_no_burden() -> None:
    names = [f"team-{i % 97:02d}.events.{i:04d}" for i in range(5_000)]
    dead = tuple(QueueConfig(f"dead.{i:03d}") for i in range(100))
    config = BrokerConfig(queues=dead + tuple(QueueConfig(name, dead_letter_queue="dead.007") for name in names))
    with scene_of(config) as scene:
        client, transport = scene.client()
        client.destinations(depth=False)  # what the broker needs to begin is not what is timed
        began = time.perf_counter()
        picker = scene.picker(client)
        print("list and first counts of 5,100 queues:", round(time.perf_counter() - began, 2), "s")
        assert len(picker.options) == 5_100
        asked = transport.asked()
        assert len(asked) == 400 and "dead.007" in asked
        scene.clock.advance(31)
        scene.seen(picker, *names[2_000:2_020])
        assert set(names[2_000:2_020]) <= set(transport.asked()[:20])
        saved = {name: value for name, value in picker.get_state().items() if name not in ("_esm", "_css")}
        assert len(json.dumps(saved)) < 10_000, "the list is not kept in the widget's saved state"
        picker.value = names[4_000]
        assert picker.info["is_listed"] and picker.info["dead_letter_queue"] == "dead.007"


def test_text_stands_in_where_no_widget_can_be_shown(scene: Scene) -> None:
    picker = scene.picker(scene.client()[0], "orders")
    assert repr(picker) == "<DestinationPicker: 'orders' (queue) is picked; 4 queues and 1 exchange in us-east-1>"
    bundle, _ = picker._repr_mimebundle_()
    assert "4 queues and 1 exchange" in bundle["text/plain"]


def test_the_process_ends_while_a_picker_is_reading_and_nothing_is_printed() -> None:
    code = (
        "import courier_nb; from courier_nb.broker import Fault; from courier_nb.jupyter import DestinationPicker\n"
        "client = courier_nb.connect('local')\n"
        "client.broker.create_queue('orders')\n"
        "client.broker.faults.add(Fault('delay', operations=('admin',), seconds=30))\n"
        "picker = DestinationPicker(client)\n"
        "print(picker.summary)\n"
    )
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=25, check=True)
    assert (ended.stdout.strip(), ended.stderr) == ("Loading the list …", "")


def test_a_picker_that_nobody_holds_is_given_up_quietly(scene: Scene) -> None:
    client, transport = scene.client()
    picker = DestinationPicker(client, clock=scene.clock)
    assert picker.wait(PATIENCE)
    picker.close()
    del picker
    gc.collect()
    transport.asked()
    assert transport.asked() == []
